/* Do launch measurements stay inside of a firmware whose last page is the input? */
#include <stdlib.h>
#include <string.h>

#include "attest/reference_snp.h"
#include "attest/reference_tdx.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 4096, PAGES = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	uint8_t measurement[SNP_MEASUREMENT_SIZE];
	const size_t used = size < PAGE ? size : PAGE;
	uint8_t *image = calloc(PAGES, PAGE); /* so that a sanitizer sees its end */
	if (!image || (!started && crypto_init(NULL, NULL) < 0))
		abort();
	started = true;
	memcpy(image + PAGES * PAGE - used, data, used);
	const struct tee_blob firmware = {image, PAGES * PAGE, "image"};
	const struct reference_snp snp = {.firmware = firmware,
	                                  .kernel = {"k", 1, "kernel"},
	                                  .cpus = 2,
	                                  .cpu_signature = 0xa00f11};
	(void)!reference_snp(&snp, measurement, NULL);
	(void)!reference_tdx(&firmware, measurement, NULL);
	free(image);
	return 0;
}
