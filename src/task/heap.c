#include "task/heap.h"

#include <stdlib.h>

#include "cella/error.h"

enum { HEAP_FAN = 4 };

void heap_done(struct heap *h)
{
	free(h->entries);
	*h = (struct heap){0};
}

int heap_push(struct heap *h, const struct heap_entry *entry)
{
	if (h->count == h->capacity) {
		size_t capacity = max_of(2 * h->capacity, (size_t)32);
		struct heap_entry *entries = realloc(h->entries, capacity * sizeof(*entries));
		if (!entries)
			return CELLA_ENOMEM;
		h->entries = entries;
		h->capacity = capacity;
	}
	size_t at = h->count++;
	while (at > 0) {
		size_t parent = (at - 1) / HEAP_FAN;
		if (!heap_before(entry, &h->entries[parent]))
			break;
		h->entries[at] = h->entries[parent];
		at = parent;
	}
	h->entries[at] = *entry;
	return 0;
}

void heap_pop(struct heap *h)
{
	struct heap_entry last = h->entries[--h->count];
	size_t at = 0;
	for (;;) {
		size_t first = at * HEAP_FAN + 1;
		if (first >= h->count)
			break;
		size_t best = first;
		for (size_t i = first + 1; i < min_of(first + HEAP_FAN, h->count); i++)
			if (heap_before(&h->entries[i], &h->entries[best]))
				best = i;
		if (!heap_before(&h->entries[best], &last))
			break;
		h->entries[at] = h->entries[best];
		at = best;
	}
	if (h->count)
		h->entries[at] = last;
}
