/* A mapped image, as the loader (code.c) and the trap handler see it. */
#ifndef CELL_CODE_H
#define CELL_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "cell/instance.h"

struct code_symbol {
	uintptr_t address;
	const char *name;
};

struct code {
	uint8_t *base;
	size_t size;
	const struct cell_image *image;
	const uint8_t *data; /* the bundle's data segments; borrowed */
	size_t data_size;
	struct code_symbol *symbols; /* sorted; made at the first backtrace */
};

static inline bool code_contains(const struct code *code, uintptr_t address)
{
	return address - (uintptr_t)code->base < code->size;
}

/* The name of the function at this address, NULL if none. */
const char *code_symbol_at(struct code *code, uintptr_t address);

#endif
