/*
 * The .cell bundle's parser. What parses must lie within the input, have its names inside the
 * bundle, and be written again with the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "wasm/bundle.h"
#include "wasm/bundle_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static bool within(const void *part, size_t part_size, const void *whole, size_t whole_size)
{
	uintptr_t from = (uintptr_t)part, base = (uintptr_t)whole;
	return from >= base && part_size <= whole_size && from - base <= whole_size - part_size;
}

static void check_artifact(const struct bundle *b, size_t i, const uint8_t *data, size_t size)
{
	const struct bundle_artifact *a = &b->artifacts[i];
	demand(within(a->image, a->image_size, data, size));
	demand(a->data == b->data && a->data_size == b->data_size);
	demand(within(a->target, strlen(a->target) + 1, b->strings, sizeof(b->strings)));
	demand(within(a->translator, strlen(a->translator) + 1, b->strings, sizeof(b->strings)));
	demand(within(a->compiler, strlen(a->compiler) + 1, b->strings, sizeof(b->strings)));
	demand(bundle_verify(b, a, NULL) <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	if (!started && crypto_init(NULL, NULL) < 0)
		abort();
	started = true;
	struct bundle b;
	cleanup_buf struct buf written = {0};
	struct error err;
	if (bundle_parse(data, size, &b, &err) < 0)
		return 0;
	demand(within(b.wasm, b.wasm_size, data, size) && within(b.manifest, b.manifest_size, data, size) &&
	       within(b.data, b.data_size, data, size));
	demand(b.artifact_count <= BUNDLE_ARTIFACT_MAX);
	for (size_t i = 0; i < b.artifact_count; i++)
		check_artifact(&b, i, data, size);
	demand(bundle_write(&b, &written, NULL) == 0);
	demand(written.size == size && memcmp(written.data, data, size) == 0);
	return 0;
}
