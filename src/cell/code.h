/* A cell's native image, mapped; one per bundle and executor. */
#ifndef CELL_CODE_H
#define CELL_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cell/unwind.h"
#include "wasm/bundle.h"
#include "wasm/cell_abi.h"

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
	struct code_symbol *symbols; /* sorted; NULL: the image has none */
	struct unwind_table unwind;  /* where it has none its functions keep a frame pointer */
};

/* Borrows the artifact's data segments. */
int code_map(const struct bundle_artifact *artifact, struct code **ret_code, struct error *err) must_check;
void code_free(struct code *code);

static inline bool code_contains(const struct code *code, uintptr_t address)
{
	return address - (uintptr_t)code->base < code->size;
}

/* The name of the function at this address, NULL if none. Allocates nothing: a trap may ask. */
const char *code_symbol_at(const struct code *code, uintptr_t address);

#endif
