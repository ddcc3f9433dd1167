/*
 * The native step of a build: from cell.wasm in the scratch directory to a signed bundle.
 *
 *   cell.wasm  --our translator-->  cell.c  --clang or gcc-->  cell.so
 *   cell.wasm, manifest, cell.so, data segments  --builder's key-->  bundle
 */
#ifndef CLI_CELL_NATIVE_H
#define CLI_CELL_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/toolchain.h"

#define CELL_NATIVE_TARGET "x86-64-v3"

struct cell_native {
	const struct toolchain *tools; /* its compiler and resources were found */
	const char *scratch;           /* the directory that holds cell.wasm; cell.c and cell.so go there */
	const char *name;              /* in the manifest */
	uint64_t stack;                /* of the program, in the manifest; bytes */
	bool verbose;
};

int cell_native_bundle(const struct cell_native *n, struct buf *ret_bundle, struct error *err) must_check;

#endif
