/* Why the kernel refused protected memory, and what to do about it. */
#ifndef MEM_LEVEL_H
#define MEM_LEVEL_H

#include "mem/mem.h"

/* The error for `number`, the errno of memfd_secret(2) or of mapping `size` bytes of it. */
int level_refused(int number, size_t size, struct error *err);

#endif
