/* What a module imports and exports, one by one, for a person to read. */
#ifndef WASM_LISTING_H
#define WASM_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm/wasm.h"

struct wasm_listed {
	bool import;            /* else an export */
	const char *kind;       /* "function", "table", "memory", "global" */
	const char *signature;  /* of a function, as cell_import.signature; else NULL */
	const char *module;     /* of an import; UTF-8, not terminated, as is `name` */
	const char *name;
	uint32_t module_size;
	uint32_t name_size;
};

size_t wasm_listed_count(const struct wasm_module *m);
/* Imports first. The texts live as long as the module's bytes. */
struct wasm_listed wasm_listed_at(const struct wasm_module *m, size_t index);

#endif
