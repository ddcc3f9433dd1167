/* Any bytes as a WebAssembly module: decoded, validated, and translated when they are valid. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wasm/wasm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct wasm_module *module = NULL;
	cleanup_buf struct buf text = {0}, segments = {0};
	int rc = wasm_decode(data, size, &module, &err);
	if (rc == 0 && wasm_data_segments(module, &segments, &err) < 0)
		abort();
	if (rc == 0)
		rc = wasm_translate(module, &text, &err);
	if (rc < 0 && (err.code != rc || !err.text[0]))
		abort();
	wasm_module_free(module);
	return 0;
}
