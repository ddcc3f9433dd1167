/*
 * A priority queue of task handles (a heap of fan-out four).
 *
 * Nothing is taken out of its middle: an entry carries a stamp, and its owner skips an entry
 * whose stamp is not the task's any more.
 */
#ifndef TASK_HEAP_H
#define TASK_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct heap_entry {
	uint64_t rank;  /* smaller comes first, */
	uint64_t order; /* then smaller order */
	uint32_t task;
	uint32_t stamp;
};

/* A zeroed heap is empty and valid. */
struct heap {
	struct heap_entry *entries;
	size_t count;
	size_t capacity;
};

void heap_done(struct heap *h);
/* 0 or CELLA_ENOMEM. */
int heap_push(struct heap *h, const struct heap_entry *entry) must_check;
void heap_pop(struct heap *h); /* not of an empty one */

static inline bool heap_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->order < b->order;
}

#endif
