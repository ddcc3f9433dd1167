/*
 * Which attempts of tasks have begun in this executor, so that none begins twice: an agent that
 * repeats an invocation is refused. A bounded memory: the latest 16 million or so are known.
 */
#ifndef CELL_ATTEMPTS_H
#define CELL_ATTEMPTS_H

#include <stdint.h>

#include "base/map.h"

enum { ATTEMPTS_PAGES_MAX = 4096 };

struct attempts_page;

struct attempts {
	struct map pages;
	struct attempts_page *order[ATTEMPTS_PAGES_MAX]; /* a ring, oldest at `next` once it is full */
	size_t next;
	struct attempts_page *latest;
};

/* A zeroed one is empty and valid. */
void attempts_done(struct attempts *a);
/* Notes that this attempt (0: the fallback) of the task with this number begins. CELLA_EAUTH if it has begun
 * before; CELLA_ENOMEM. */
int attempts_begin(struct attempts *a, uint64_t number, uint32_t attempt) must_check;

#endif
