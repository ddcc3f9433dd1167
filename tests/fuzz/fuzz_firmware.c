/* Does the launch measurement of TDX stay inside of a firmware whose last page is the input? That of
 * SEV-SNP is fuzz_snp's. */
#include <stdlib.h>
#include <string.h>

#include "attest/dcap/reference.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 4096, PAGES = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	uint8_t measurement[REFERENCE_TDX_SIZE];
	const size_t used = size < PAGE ? size : PAGE;
	uint8_t *image = calloc(PAGES, PAGE); /* so that a sanitizer sees its end */
	if (!image || (!started && crypto_init(NULL, NULL) < 0))
		abort();
	started = true;
	memcpy(image + PAGES * PAGE - used, data, used);
	const struct tee_blob firmware = {image, PAGES * PAGE, "image"};
	(void)!reference_tdx(&firmware, measurement, NULL);
	free(image);
	return 0;
}
