/*
 * Modules of a test script as shared objects: each translated by src/wasm, compiled as cells are,
 * and loaded by dlopen. All modules of a script are compiled beforehand, as many at a time as
 * there are processors.
 */
#ifndef TESTS_WAST_IMAGE_H
#define TESTS_WAST_IMAGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "wasm/cell_abi.h"
#include "wasm/wasm.h"

struct image_tools {
	const char *directory;    /* for what the compiler reads and writes */
	bool keep;                /* it, that is module<n>.c and module<n>.so */
	bool split;               /* into as many units as there may be, each compiled alone */
	const char *level;        /* such as "-O1", behind the flags; or NULL */
	const char *compiler;     /* a program */
	const char *const *flags; /* of wasm/wasm.h, for that compiler … */
	const char *const *target_flags; /* … and for this machine */
	unsigned jobs;
};

struct image {
	char *path; /* of the module */
	int rc;     /* what became of it, and why not */
	struct error err;
	const struct cell_image *cell;
	struct cell_segment *segments;
	/* The rest is image.c's. */
	struct buf wasm;
	struct buf data;
	unsigned number;
	unsigned units; /* of C: module<n>.c, module<n>-1.c, … */
};

/* Makes images[0..count), of which the paths are set. What fails says so in its rc. */
void images_make(const struct image_tools *tools, struct image *images, size_t count);
/* What is loaded stays loaded: instances have pointers into it. */
void images_done(struct image *images, size_t count);

#endif
