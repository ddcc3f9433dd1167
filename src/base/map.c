#include "base/map.h"

#include <stdlib.h>

#include "cella/error.h"

void map_done(struct map *m)
{
	free(m->slots);
	*m = (struct map){0};
}

/* The finaliser of MurmurHash3 (Austin Appleby, public domain). */
static uint64_t map_hash(uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdu;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53u;
	return key ^ (key >> 33);
}

static struct map_slot *map_find(const struct map *m, uint64_t key)
{
	size_t i = map_hash(key) & (m->capacity - 1);
	while (m->slots[i].value && m->slots[i].key != key)
		i = (i + 1) & (m->capacity - 1);
	return &m->slots[i];
}

void *map_get(const struct map *m, uint64_t key)
{
	return m->capacity ? map_find(m, key)->value : NULL;
}

static int map_grow(struct map *m)
{
	struct map larger = {.capacity = max_of(m->capacity * 2, (size_t)16), .count = m->count};
	larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return CELLA_ENOMEM;
	for (size_t i = 0; i < m->capacity; i++)
		if (m->slots[i].value)
			*map_find(&larger, m->slots[i].key) = m->slots[i];
	free(m->slots);
	*m = larger;
	return 0;
}

int map_put(struct map *m, uint64_t key, void *value)
{
	if ((m->count + 1) * 4 > m->capacity * 3 && map_grow(m) < 0)
		return CELLA_ENOMEM;
	struct map_slot *slot = map_find(m, key);
	m->count += !slot->value;
	*slot = (struct map_slot){.key = key, .value = value};
	return 0;
}

void *map_take(struct map *m, uint64_t key)
{
	if (!m->capacity)
		return NULL;
	struct map_slot *slot = map_find(m, key);
	void *value = slot->value;
	if (!value)
		return NULL;
	m->count--;
	/* Close the gap: move back each later entry of the run that may stand here
	 * (Knuth, The Art of Computer Programming 3, 6.4, algorithm R). */
	size_t mask = m->capacity - 1;
	size_t gap = (size_t)(slot - m->slots);
	for (size_t i = (gap + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t home = map_hash(m->slots[i].key) & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			m->slots[gap] = m->slots[i];
			gap = i;
		}
	}
	m->slots[gap].value = NULL;
	return value;
}

struct map_slot *map_next(const struct map *m, size_t *at)
{
	while (*at < m->capacity) {
		struct map_slot *slot = &m->slots[(*at)++];
		if (slot->value)
			return slot;
	}
	return NULL;
}
