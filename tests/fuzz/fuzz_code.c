/*
 * The loader of native images, in an executor. What it takes lies inside the space that it reserved, and
 * says sizes that an executor can use; what it refuses it says why. Nothing of an image is called.
 */
#include <stdlib.h>

#include "cell/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bundle_artifact artifact = {.image = data, .image_size = size};
	struct code *code = NULL;
	struct error err = {0};
	int rc = code_map(&artifact, &code, &err);
	if (rc < 0) {
		demand(!code && err.code == rc && err.text[0]);
		return 0;
	}
	const struct cell_image *image = code->image;
	demand(code_contains(code, (uintptr_t)image) && code_contains(code, (uintptr_t)(image + 1) - 1));
	demand(image->memory_pages <= image->memory_pages_max &&
	       image->memory_pages_max <= CELL_MEMORY64_PAGES_MAX);
	code_free(code);
	return 0;
}
