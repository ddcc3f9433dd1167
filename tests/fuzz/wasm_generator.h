/*
 * Valid WebAssembly modules out of any bytes, for tests of the translator: every instruction of
 * src/wasm/opcodes.c appears with operands of its types, in blocks, loops, calls and tail calls.
 *
 * A generated module ends: loops count, functions call only those with higher indices and give up when a
 * global runs empty. Its exports take nothing and give an i64 of all that a function returned: "f<n>";
 * and of memory and globals: "memory", "globals". Computed NaNs are made canonical by the module's own
 * code, so that every implementation must give the same bits.
 */
#ifndef TESTS_FUZZ_WASM_GENERATOR_H
#define TESTS_FUZZ_WASM_GENERATOR_H

#include "base/buf.h"

struct wasm_generator_options {
	bool waits; /* with memory.atomic.wait and notify, which wabt does not run */
};

/* Appends the module to `to`. */
void wasm_generate(const uint8_t *bytes, size_t size, const struct wasm_generator_options *options,
                   struct buf *to);

#endif
