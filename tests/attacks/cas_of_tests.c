/*
 * The CAS with a maker of hardware that a test makes up (cas/test_roots.h): the hash of the key of its
 * "ARK-Milan" is the variable CELLA_TEST_ROOT. All else is src/cas/main.c.
 */
#include <stdlib.h>

#include "cas/test_roots.h"
#include "crypto/vendor_cert.h"

void cas_test_roots(struct cas_config *config)
{
	static struct vendor_root root = {.name = "ARK-Milan"};
	root.key_hash = getenv("CELLA_TEST_ROOT");
	if (!root.key_hash)
		return;
	config->test_roots = &root;
	config->test_root_count = 1;
}
