/*
 * Text of a process that is not trusted, made fit for a terminal: what is no UTF-8, and what is a
 * control character in it (C0, DEL, C1), becomes '?'.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* In place. `lines`: a line feed may stay. */
void printable(char *text, size_t size, bool lines);

#endif
