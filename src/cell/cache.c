#include "cell/cache.h"

#include <sys/queue.h>

#include "base/map.h"

struct entry {
	struct cached public; /* first, so that the one is the other */
	size_t weight;        /* towards the limit */
	TAILQ_ENTRY(entry) link;
};

TAILQ_HEAD(entry_queue, entry);

struct cache {
	struct mem_pool *pool;
	size_t limit;
	size_t used;
	struct map entries;         /* by datum */
	struct entry_queue by_use; /* least recently used first */
};

enum { WORTH_KEEPING = 4 }; /* the limit holds at least so many of the largest */

int cache_new(struct mem_pool *pool, size_t limit, struct cache **ret_cache, struct error *err)
{
	struct cache *c = mem_alloc(pool, sizeof(*c));
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the cache of task data");
	c->pool = pool;
	c->limit = limit;
	TAILQ_INIT(&c->by_use);
	*ret_cache = c;
	return 0;
}

static void drop_entry(struct cache *c, struct entry *e)
{
	TAILQ_REMOVE(&c->by_use, e, link);
	map_take(&c->entries, e->public.datum);
	c->used -= e->weight;
	mem_free(c->pool, e);
}

void cache_clear(struct cache *c)
{
	struct entry *e;
	while ((e = TAILQ_FIRST(&c->by_use)))
		drop_entry(c, e);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	cache_clear(c);
	map_done(&c->entries);
	mem_free(c->pool, c);
}

bool cache_fits(const struct cache *c, size_t size)
{
	return size <= c->limit / WORTH_KEEPING;
}

struct cached *cache_find(struct cache *c, uint64_t datum)
{
	struct entry *e = map_get(&c->entries, datum);
	if (!e)
		return NULL;
	TAILQ_REMOVE(&c->by_use, e, link);
	TAILQ_INSERT_TAIL(&c->by_use, e, link);
	return &e->public;
}

struct cached *cache_make(struct cache *c, uint64_t datum, size_t size, size_t tail)
{
	size_t weight = sizeof(struct entry) + size + tail;
	while (weight > c->limit - c->used && !TAILQ_EMPTY(&c->by_use))
		drop_entry(c, TAILQ_FIRST(&c->by_use));
	struct entry *e;
	while (!(e = mem_alloc(c->pool, weight)) && !TAILQ_EMPTY(&c->by_use))
		drop_entry(c, TAILQ_FIRST(&c->by_use));
	if (!e)
		return NULL;
	e->weight = weight;
	e->public = (struct cached){.datum = datum, .size = size, .data = (uint8_t *)(e + 1)};
	return &e->public;
}

void cache_keep(struct cache *c, struct cached *entry)
{
	struct entry *e = (struct entry *)entry;
	struct entry *older = map_get(&c->entries, entry->datum);
	if (older)
		drop_entry(c, older);
	if (map_put(&c->entries, entry->datum, e) < 0) {
		mem_free(c->pool, e);
		return;
	}
	TAILQ_INSERT_TAIL(&c->by_use, e, link);
	c->used += e->weight;
}

void cache_drop(struct cache *c, uint64_t datum)
{
	struct entry *e = map_get(&c->entries, datum);
	if (e)
		drop_entry(c, e);
}

void cache_discard(struct cache *c, struct cached *entry)
{
	if (entry)
		mem_free(c->pool, entry);
}
