/*
 * The one error idiom.
 *
 * A function that can fail returns int, 0 or a negative CELLA_E*, is marked must_check, and
 * takes as its last parameter an optional `struct error *`. On failure it fills that object
 * with one sentence for a person: what was tried, on what, why it failed, what to do. Outputs
 * are named ret_x and are untouched on failure.
 *
 *     if (fd < 0)
 *             return error_errno(err, CELLA_EIO, "cannot open recording %s", path);
 *
 * The caller that adds context prefixes it:
 *
 *     rc = load(path, err);
 *     if (rc < 0)
 *             return error_prefix(err, rc, "forest %s: ", path);
 *
 * An error text never holds a secret or cell data.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/attributes.h"
#include "cella/error.h"

struct error {
	int code;
	char text[1000];
};

/* Fill err (if not NULL) and return code, so that `return error_set(...)` reads well. */
int error_set(struct error *err, int code, const char *format, ...) printf_like(3, 4);

/* The same, with ": strerror(errno)" behind the text. */
int error_errno(struct error *err, int code, const char *format, ...) printf_like(3, 4);

/* Put text before what is there; returns code. */
int error_prefix(struct error *err, int code, const char *format, ...) printf_like(3, 4);

#endif
