/*
 * Failures: a function that can fail returns 0 or -1 and fills a `struct failure` with one
 * sentence for a person: what was read, where in it, why not, what to do.
 */
#ifndef ECG_FAILURE_H
#define ECG_FAILURE_H

#include <stdlib.h>
#include <string.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

enum { FAILURE_SIZE = 480 };

struct failure {
	int code; /* the errno behind it, 0 if there is none */
	char text[FAILURE_SIZE];
};

/* Fill why->text and return -1, so that `return failed(...)` reads well. */
int failed(struct failure *why, const char *format, ...) printf_like(2, 3);
/* The same, with ": strerror(errno)" behind the text. */
int failed_errno(struct failure *why, const char *format, ...) printf_like(2, 3);
/* The failure of an allocation for `what`. */
int failed_memory(struct failure *why, const char *what);

static inline void cleanup_free_fn(void *p)
{
	void *memory;
	memcpy(&memory, p, sizeof(memory));
	free(memory);
}
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_with(fn) __attribute__((cleanup(fn)))

#endif
