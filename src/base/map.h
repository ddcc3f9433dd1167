/* A hash map from 64-bit keys to pointers (open addressing, linear probing). */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdint.h>

#include "base/attributes.h"

struct map {
	struct map_slot {
		uint64_t key;
		void *value; /* NULL: free */
	} *slots;
	size_t count;
	size_t capacity; /* 0 or a power of two */
};

/* A zeroed map is empty and valid. map_done frees the slots, not the values. */
void map_done(struct map *m);
void *map_get(const struct map *m, uint64_t key);
/* Sets or replaces; value is not NULL. 0 or CELLA_ENOMEM. */
int map_put(struct map *m, uint64_t key, void *value) must_check;
/* Removes and returns the value, NULL if there is none. */
void *map_take(struct map *m, uint64_t key);

/* for (size_t i = 0; (slot = map_next(m, &i));) */
struct map_slot *map_next(const struct map *m, size_t *at);

#endif
