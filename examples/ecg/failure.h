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

/* Fill *why; failure_set_errno puts ": strerror(errno)" behind the text. */
void failure_set(struct failure *why, const char *format, ...) printf_like(2, 3);
void failure_set_errno(struct failure *why, const char *format, ...) printf_like(2, 3);

/* The same as values, so that `return failed(...)` reads well. */
#define failed(...) (failure_set(__VA_ARGS__), -1)
#define failed_errno(...) (failure_set_errno(__VA_ARGS__), -1)
#define failed_memory(why, what) (failure_set((why), "not enough memory for %s", (what)), -1)

static inline void cleanup_free_fn(void *p)
{
	void *memory;
	memcpy(&memory, p, sizeof(memory));
	free(memory);
}
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_with(fn) __attribute__((cleanup(fn)))

#endif
