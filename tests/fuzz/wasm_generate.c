/* wasm_generate SEED FILE: a generated module, as tests/integration/generated.py runs it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "wasm_generator.h"

enum { BYTES = 6000 };

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int main(int argc, char **argv)
{
	static const struct wasm_generator_options options = {0};
	static uint8_t bytes[BYTES];
	struct error err = {0};
	cleanup_buf struct buf wasm = {0};
	if (argc != 3) {
		fprintf(stderr, "Usage: wasm_generate SEED FILE\n");
		return 2;
	}
	uint64_t state = strtoull(argv[1], NULL, 10);
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)next(&state);
	wasm_generate(bytes, BYTES, &options, &wasm);
	if (wasm.failed || io_write_file(argv[2], wasm.data, wasm.size, 0600, &err) < 0) {
		fprintf(stderr, "%s\n", wasm.failed ? "no memory" : err.text);
		return 1;
	}
	return 0;
}
