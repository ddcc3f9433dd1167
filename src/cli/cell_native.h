/*
 * The native step of a build: from a WebAssembly module to a signed bundle.
 *
 *   module  --our translator-->  cell.c  --clang or gcc, for each target-->  TARGET.so
 *   a large one  -->  cell.c, cell-1.c, …  -->  TARGET-0.o, TARGET-1.o, …  -->  TARGET.so
 *   a module that tells its lines  -->  images that do, with DWARF (cli/lines.h)
 *   module, manifest, data segments, each TARGET.so  --builder's key-->  bundle
 */
#ifndef CLI_CELL_NATIVE_H
#define CLI_CELL_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/toolchain.h"
#include "wasm/bundle.h"

/* What `cella cc --native` compiles for, too. */
#if defined(__x86_64__)
#define CELL_NATIVE_MARCH "x86-64-v3"
#else
#define CELL_NATIVE_MARCH "armv8-a"
#endif

/* Names of targets (wasm/target.h), each once. */
struct cell_targets {
	const char *names[BUNDLE_ARTIFACT_MAX];
	size_t count;
};
/* From "x86-64-v3,aarch64", or "all" of them; NULL: the best that this machine runs (the first of all
 * if it runs none). The names last as long as the program. */
int cell_targets_parse(const char *list, struct cell_targets *ret_targets, struct error *err) must_check;

struct cell_native {
	const struct toolchain *tools; /* its compiler and resources were found */
	const char *scratch; /* a directory for cell.c and the images; holds cell.wasm for _bundle */
	struct cell_targets targets;
	const char *name; /* in the manifest; for _bundle */
	uint64_t stack; /* of the program, in the manifest; bytes; for _bundle */
	bool verbose;
};

/* A new bundle of cell.wasm. */
int cell_native_bundle(const struct cell_native *n, struct buf *ret_bundle, struct error *err) must_check;

/* The same bundle with artifacts for the targets added, signed by the user's builder's key; those that
 * the same builder made before for these targets are replaced. */
int cell_native_add(const struct cell_native *n, const struct bundle *bundle, struct buf *ret_bundle,
                    struct error *err) must_check;

#endif
