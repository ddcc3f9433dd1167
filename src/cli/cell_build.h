/*
 * From sources and objects to a bundle (or to a native program), step by step, each leaving its result
 * in the scratch directory:
 *
 *   SOURCE  --clang-->  N.o
 *   N.o, objects, archives  --wasm-ld-->  cell.wasm  --cell_native.h-->  bundle
 *
 * Objects are WebAssembly's; -c stops there. The same input gives the same bytes: no path, date or random
 * number enters them.
 */
#ifndef CLI_CELL_BUILD_H
#define CLI_CELL_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/cell_native.h"
#include "cli/driver.h"

struct cell_build {
	struct driver driver; /* the compiler's words */
	const char *output;   /* -o, or NULL */
	const char *name;     /* in the manifest */
	const char *keep;     /* a directory for the intermediate files, or NULL */
	uint64_t stack;       /* bytes */
	struct cell_targets targets;
	bool cxx;             /* as clang++ does it: the standard library of C++ is linked */
	bool canonical_nans;
	bool verbose;
};

/* A command that links nothing: clang runs, in our place. */
int cell_build_objects(const struct cell_build *b, struct error *err) must_check;
int cell_build_bundle(const struct cell_build *b, struct buf *ret_bundle, struct error *err) must_check;
/* The same as an ordinary sequential program of this machine, or its objects. */
int cell_build_native(const struct cell_build *b, struct error *err) must_check;

#endif
