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

/*
 * error_set(err, code, format, ...): fill err (if not NULL); the value is code, so that
 * `return error_set(...)` reads well.
 * error_errno:  the same, with ": strerror(errno)" behind the text.
 * error_prefix: put text before what is there.
 * Macros, so that a compiler sees that what follows a constant code is a failure.
 */
#define error_set(err, code, ...) error_with_(error_fill, err, code, __VA_ARGS__)
#define error_errno(err, code, ...) error_with_(error_fill_errno, err, code, __VA_ARGS__)
#define error_prefix(err, code, ...) error_with_(error_fill_prefix, err, code, __VA_ARGS__)
#define error_with_(fill, err, code, ...)            \
	({                                           \
		const int error_code_ = (code);      \
		fill(err, error_code_, __VA_ARGS__); \
		error_code_;                         \
	})

void error_fill(struct error *err, int code, const char *format, ...) printf_like(3, 4);
void error_fill_errno(struct error *err, int code, const char *format, ...) printf_like(3, 4);
void error_fill_prefix(struct error *err, int code, const char *format, ...) printf_like(3, 4);

#endif
