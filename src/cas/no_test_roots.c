#include "cas/test_roots.h"

void cas_test_roots(struct cas_config *config)
{
	(void)config;
}
