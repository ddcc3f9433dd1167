/*
 * Inside of a pool: what it has given out, what waits, and the account of both.
 *
 * Regions are all that a pool maps; the small heap's chunks and the stacks are regions too. A
 * freed region is wiped and waits in a bin by its size until one like it is asked for or until
 * the budget or the kernel wants its memory back; then the oldest goes first.
 */
#ifndef MEM_POOL_H
#define MEM_POOL_H

#include <sys/queue.h>

#include "mem/heap.h"
#include "mem/mem.h"

enum { REGION_BINS = 512 };

/* [from, to), a part of [0, open): what is inaccessible, and zero, has its bit set, one for each
 * MEM_VEIL_GRAIN bytes. It outlasts the region's time in its bin. */
struct veil {
	size_t from, to;
	uint64_t *bits; /* NULL: there is none */
};

/*
 * [0, mapped) is backed; of it [0, open) is accessible; and [0, charged) has been, which is what
 * counts as committed. public.size <= open <= charged <= mapped <= reserved.
 */
struct region {
	struct mem_region public; /* first, so that the one is the other */
	struct mem_pool *pool;
	size_t guard; /* bytes reserved below base */
	size_t maximum;
	size_t mapped;
	size_t open;
	size_t charged;
	struct veil veil;
	LIST_ENTRY(region) link;       /* among the live ones, or in its bin */
	TAILQ_ENTRY(region) idle_link; /* among the idle ones, oldest first */
};

LIST_HEAD(region_list, region);
TAILQ_HEAD(region_queue, region);

struct stack {
	struct mem_stack public;
	struct region *region;
};

struct mem_pool {
	enum mem_level level;
	size_t budget;
	size_t committed;
	size_t idle; /* of idle regions */
	struct region_list live;
	struct region_list bins[REGION_BINS];
	struct region_queue idle_regions;
	struct heap heap;
};

struct region_shape {
	size_t guard;   /* inaccessible bytes below the base */
	size_t align;   /* of the base less the guard, a power of two; 0: a page */
	size_t reserve; /* from the base up */
	size_t maximum;
	size_t size;
	size_t veil_from, veil_to; /* equal: none */
};
int region_new(struct mem_pool *pool, const struct region_shape *shape, struct region **ret_region,
               struct error *err) must_check;
void region_free(struct region *region);
/* Make all of it accessible; hide what holds nothing yet; hide again, wiped, what was shown. */
bool veil_lift(struct region *region);
int veil_draw(struct region *region, size_t from, size_t to, struct error *err) must_check;
bool veil_restore(struct region *region);
/* Give idle regions back to the kernel, oldest first, until `size` more bytes fit the budget. */
void region_trim(struct mem_pool *pool, size_t size);
/* Unmap every region, live and idle. */
void region_free_all(struct mem_pool *pool);

#endif
