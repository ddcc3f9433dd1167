/*
 * Targets: the kinds of machine code that an artifact may hold. Of one processor family the better
 * stands first; a processor that runs it runs those behind it, too.
 */
#ifndef WASM_TARGET_H
#define WASM_TARGET_H

#include <stdbool.h>
#include <stddef.h>

/* The target's name, NULL past the last. */
const char *target_at(size_t index);
bool target_is_known(const char *name);
/* "x86_64" or "aarch64", as compilers call the processor family; NULL for an unknown target. */
const char *target_family(const char *name);

/* Does this machine run it? Asks the processor (and on aarch64 the kernel). */
bool target_runs_here(const char *name);
/* The best that this machine runs; NULL if it runs none. */
const char *target_here(void);

#endif
