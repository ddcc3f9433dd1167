/*
 * From C to a bundle (or to a native program), step by step, each leaving its result in the
 * scratch directory:
 *
 *   FILE.c  --clang-->  N.o  --wasm-ld-->  cell.wasm  --our translator-->  cell.c  --gcc-->  cell.so
 *   cell.wasm, manifest, cell.so, data segments  --builder's key-->  bundle
 *
 * The same input gives the same bytes: no path, date or random number enters them.
 */
#ifndef CLI_CELL_BUILD_H
#define CLI_CELL_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/options.h"

struct cell_build {
	const char *const *sources;
	size_t source_count;
	const char *name;         /* in the manifest */
	const char *keep;         /* a directory for the intermediate files, or NULL */
	uint64_t stack;           /* bytes */
	int optimize;             /* the level: an index into cell_build_levels */
	bool debug;
	bool verbose;
	struct option_list compile; /* -I, -D and the like, as written */
	struct option_list link;    /* -L, -l */
};

/* "0|1|2|3|s|z" */
#define CELL_BUILD_LEVELS "0|1|2|3|s|z"

int cell_build_bundle(const struct cell_build *b, struct buf *ret_bundle, struct error *err) must_check;
/* The same source as an ordinary sequential program of this machine. */
int cell_build_native(const struct cell_build *b, const char *output, struct error *err) must_check;

#endif
