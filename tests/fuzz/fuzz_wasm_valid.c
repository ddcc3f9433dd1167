/* Any bytes become a valid module: it is accepted, and the translator says it in C. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "wasm/wasm.h"
#include "wasm_generator.h"

static void demand(int rc, const char *what, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err->text);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wasm_generator_options options = {.waits = true};
	struct error err = {0};
	struct wasm_module *module = NULL;
	cleanup_buf struct buf wasm = {0}, text = {0};
	wasm_generate(data, size, &options, &wasm);
	if (wasm.failed)
		return 0;
	demand(wasm_decode(wasm.data, wasm.size, &module, &err), "a valid module was refused", &err);
	demand(wasm_translate(module, &text, &err), "a valid module was not translated", &err);
	wasm_module_free(module);
	return 0;
}
