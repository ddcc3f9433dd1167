/* What a process that is not trusted says, made fit for the owner's terminal: no control characters. */
#ifndef CLI_QUOTE_H
#define CLI_QUOTE_H

#include <stdint.h>
#include <string.h>

#include "base/attributes.h"
#include "base/printable.h"

enum { QUOTE_MAX = 640 };

/* The first bytes, terminated, in `to`, which is also the value. */
static inline const char *quote(const uint8_t *bytes, size_t size, char to[QUOTE_MAX])
{
	size_t kept = min_of(size, (size_t)QUOTE_MAX - 1);
	memcpy(to, bytes, kept);
	printable(to, kept, true);
	to[kept] = '\0';
	return to;
}

#endif
