/*
 * Task data in the clear, in the executor's protected memory: what was opened or made here, so
 * that it need not be opened (again). Bounded; the least recently used goes first.
 *
 * A datum's id says what it is once and for all, so an entry never goes stale; of a commutative
 * datum the latest state seen here is kept.
 */
#ifndef CELL_CACHE_H
#define CELL_CACHE_H

#include <stdint.h>

#include "mem/mem.h"
#include "task/versions.h"

struct cached {
	uint64_t datum;
	uint64_t version;       /* 0; of a commutative state: how many members made it */
	struct version_sum sum; /* of a commutative state: of its members' numbers */
	size_t size;
	uint8_t *data;
};

struct cache;

/* `limit` bounds the bytes of data. */
int cache_new(struct mem_pool *pool, size_t limit, struct cache **ret_cache, struct error *err) must_check;
void cache_free(struct cache *c);

/* Is an object of this size worth keeping? */
bool cache_fits(const struct cache *c, size_t size);
/* Valid until the next cache_make. NULL if it is not there. */
struct cached *cache_find(struct cache *c, uint64_t datum) must_check;
/* A new entry with room for `size` bytes and `tail` more behind them (room made by dropping
 * others). It is in the cache once cache_keep is called, in place of an older one of its datum. NULL when
 * protected memory gives no more. */
struct cached *cache_make(struct cache *c, uint64_t datum, size_t size, size_t tail) must_check;
void cache_keep(struct cache *c, struct cached *entry);
void cache_drop(struct cache *c, uint64_t datum); /* if it is there */
void cache_clear(struct cache *c);
void cache_discard(struct cache *c, struct cached *entry); /* one that was not kept */

#endif
