#include "mem/heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mem/mapping.h"
#include "mem/pool.h"

enum { SLOT_MAX = 2048, RUN_MAX = 256 << 10, LARGE_MAX_SHIFT = 45 };

static _Noreturn void corrupt(const char *what)
{
	log_error("protected heap: %s", what);
	abort();
}

/* 16-byte steps up to 128, then four sizes per power of two. */
unsigned heap_class_of(size_t size)
{
	if (size <= 128)
		return size ? (unsigned)((size - 1) / 16) : 0;
	unsigned exponent = 63u - (unsigned)__builtin_clzll(size - 1);
	return 8 + (exponent - 7) * 4 + (unsigned)(((size - 1) >> (exponent - 2)) & 3);
}

size_t heap_class_size(unsigned class)
{
	if (class < 8)
		return (class + 1) * (size_t)16;
	unsigned exponent = 7 + (class - 8) / 4;
	return ((size_t)1 << exponent) + (((class - 8) % 4 + 1) * ((size_t)1 << (exponent - 2)));
}

static size_t slab_pages(size_t slot)
{
	return slot <= 512 ? 1 : slot <= 1024 ? 2 : 4;
}

static void set_add(struct heap_set *s, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++)
		s->words[i / 64] |= (uint64_t)1 << (i % 64);
}

static void set_remove(struct heap_set *s, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++)
		s->words[i / 64] &= ~((uint64_t)1 << (i % 64));
}

static bool set_has(const struct heap_set *s, unsigned i)
{
	return s->words[i / 64] >> (i % 64) & 1;
}

/* The least member from `at` on that is (or is not) there; 256 if there is none. */
static unsigned set_find(const struct heap_set *s, unsigned at, bool member)
{
	while (at < 256) {
		uint64_t word = (member ? s->words[at / 64] : ~s->words[at / 64]) >> (at % 64);
		if (word)
			return at + (unsigned)__builtin_ctzll(word);
		at = (at / 64 + 1) * 64;
	}
	return 256;
}

/* The first run of `count` members, 256 if there is none; *ret_longest is the longest run passed. */
static unsigned set_find_run(const struct heap_set *s, unsigned count, unsigned *ret_longest)
{
	unsigned longest = 0;
	for (unsigned from = set_find(s, 0, true), to; from < 256; from = set_find(s, to, true)) {
		to = set_find(s, from, false);
		longest = max_of(longest, to - from);
		if (longest >= count)
			return from;
	}
	*ret_longest = longest;
	return 256;
}

static unsigned log2_floor(unsigned x)
{
	return 31u - (unsigned)__builtin_clz(x);
}

static void chunk_rebin(struct heap *heap, struct heap_chunk *c, unsigned longest)
{
	if (c->longest)
		LIST_REMOVE(c, link);
	c->longest = longest;
	if (longest)
		LIST_INSERT_HEAD(&heap->bins[log2_floor(longest)], c, link);
}

static void chunk_measure(struct heap *heap, struct heap_chunk *c)
{
	unsigned longest = HEAP_CHUNK_PAGES;
	set_find_run(&c->free, HEAP_CHUNK_PAGES, &longest);
	if (longest != c->longest)
		chunk_rebin(heap, c, longest);
}

static struct heap_chunk *chunk_new(struct mem_pool *pool)
{
	struct heap *heap = &pool->heap;
	struct region_shape shape = {.align = HEAP_CHUNK_SIZE,
	                             .reserve = HEAP_CHUNK_SIZE,
	                             .maximum = HEAP_CHUNK_SIZE,
	                             .size = HEAP_CHUNK_SIZE};
	struct heap_chunk *c = calloc(1, sizeof(*c));
	struct region *region;
	if (!c || region_new(pool, &shape, &region, NULL) < 0) {
		free(c);
		return NULL;
	}
	c->region = &region->public;
	if (map_put(&heap->chunks, (uintptr_t)c->region->base / HEAP_CHUNK_SIZE, c) < 0) {
		mem_region_free(c->region);
		free(c);
		return NULL;
	}
	set_add(&c->free, 0, HEAP_CHUNK_PAGES);
	c->free_count = HEAP_CHUNK_PAGES;
	heap->free_pages += HEAP_CHUNK_PAGES;
	chunk_rebin(heap, c, HEAP_CHUNK_PAGES);
	return c;
}

/* An empty chunk goes back to the pool, unless it is the only one with so much room. */
static void chunk_retire(struct heap *heap, struct heap_chunk *c)
{
	struct heap_chunk *other = LIST_FIRST(&heap->bins[HEAP_CHUNK_BINS - 1]);
	if (other == c && !LIST_NEXT(c, link))
		return;
	chunk_rebin(heap, c, 0);
	heap->free_pages -= HEAP_CHUNK_PAGES;
	map_take(&heap->chunks, (uintptr_t)c->region->base / HEAP_CHUNK_SIZE);
	mem_region_free(c->region);
	free(c);
}

static uint8_t *run_base(const struct heap_run *run)
{
	return run->chunk->region->base + (size_t)(run - run->chunk->runs) * HEAP_PAGE_SIZE;
}

/* Chunks in the bins from the logarithm of `pages`, rounded up, have a run that is long enough. */
static struct heap_run *run_new(struct mem_pool *pool, size_t pages)
{
	struct heap *heap = &pool->heap;
	struct heap_chunk *c = NULL;
	unsigned count = (unsigned)pages, unused;
	for (unsigned bin = count > 1 ? log2_floor(count - 1) + 1 : 0; bin < HEAP_CHUNK_BINS && !c; bin++)
		c = LIST_FIRST(&heap->bins[bin]);
	if (!c)
		c = chunk_new(pool);
	if (!c)
		return NULL;
	unsigned at = set_find_run(&c->free, count, &unused);
	set_remove(&c->free, at, count);
	set_add(&c->touched, at, count);
	c->free_count -= count;
	heap->free_pages -= count;
	chunk_measure(heap, c);
	memset(&c->first[at], (int)at, count);
	struct heap_run *run = &c->runs[at];
	*run = (struct heap_run){.chunk = c, .pages = (uint16_t)count};
	return run;
}

static void run_free(struct heap *heap, struct heap_run *run)
{
	struct heap_chunk *c = run->chunk;
	set_add(&c->free, (unsigned)(run - c->runs), run->pages);
	c->free_count += run->pages;
	heap->free_pages += run->pages;
	run->pages = 0;
	chunk_measure(heap, c);
	if (c->free_count == HEAP_CHUNK_PAGES)
		chunk_retire(heap, c);
}

static struct heap_run *slab_new(struct mem_pool *pool, unsigned class)
{
	size_t slot = heap_class_size(class);
	struct heap_run *slab = run_new(pool, slab_pages(slot));
	if (!slab)
		return NULL;
	slab->size = (uint32_t)slot;
	slab->slots = (uint16_t)(slab->pages * HEAP_PAGE_SIZE / slot);
	slab->class = (uint16_t)class;
	set_add(&slab->free, 0, slab->slots);
	LIST_INSERT_HEAD(&pool->heap.slabs[class], slab, link);
	return slab;
}

static void *slot_alloc(struct mem_pool *pool, size_t size)
{
	unsigned class = heap_class_of(size);
	struct heap_run *slab = LIST_FIRST(&pool->heap.slabs[class]);
	if (!slab)
		slab = slab_new(pool, class);
	if (!slab)
		return NULL;
	unsigned slot = set_find(&slab->free, 0, true);
	set_remove(&slab->free, slot, 1);
	if (++slab->used == slab->slots)
		LIST_REMOVE(slab, link);
	return run_base(slab) + (size_t)slot * slab->size;
}

static void slot_free(struct heap *heap, struct heap_run *slab, uint8_t *p)
{
	size_t offset = (size_t)(p - run_base(slab));
	unsigned slot = (unsigned)(offset / slab->size);
	if (offset % slab->size || slot >= slab->slots || set_has(&slab->free, slot))
		corrupt("free of an address that was not given out");
	mem_wipe(p, slab->size);
	set_add(&slab->free, slot, 1);
	if (slab->used-- == slab->slots)
		LIST_INSERT_HEAD(&heap->slabs[slab->class], slab, link);
	if (slab->used == 0) {
		LIST_REMOVE(slab, link);
		run_free(heap, slab);
	}
}

/* Room to grow by half without moving; sizes are rounded so that like ones are used again. */
static size_t large_reserve(size_t size)
{
	size_t wanted = size + size / 2;
	unsigned exponent = 63u - (unsigned)__builtin_clzll(wanted);
	return align_up(wanted, (size_t)1 << (exponent - 3));
}

static void *large_alloc(struct mem_pool *pool, size_t size)
{
	if (size >> LARGE_MAX_SHIFT)
		return NULL;
	size_t reserve = large_reserve(size);
	struct mem_region *region;
	if (mem_region_new(pool, reserve, reserve, size, &region, NULL) < 0)
		return NULL;
	if (map_put(&pool->heap.large, (uintptr_t)region->base, region) < 0) {
		mem_region_free(region);
		return NULL;
	}
	return region->base;
}

void *mem_alloc(struct mem_pool *pool, size_t size)
{
	if (size <= SLOT_MAX)
		return slot_alloc(pool, size);
	if (size > RUN_MAX)
		return large_alloc(pool, size);
	struct heap_run *run = run_new(pool, (size + HEAP_PAGE_SIZE - 1) / HEAP_PAGE_SIZE);
	if (!run)
		return NULL;
	run->size = (uint32_t)size;
	return run_base(run);
}

/* The run that `p` lies in, NULL if it lies in none. */
static struct heap_run *run_of(const struct heap *heap, const void *p)
{
	struct heap_chunk *c = map_get(&heap->chunks, (uintptr_t)p / HEAP_CHUNK_SIZE);
	if (!c)
		return NULL;
	unsigned page = (unsigned)((uintptr_t)p % HEAP_CHUNK_SIZE / HEAP_PAGE_SIZE);
	struct heap_run *run = &c->runs[c->first[page]];
	return run->pages && !set_has(&c->free, page) ? run : NULL;
}

bool mem_owns(const struct mem_pool *pool, const void *p)
{
	return run_of(&pool->heap, p) || map_get(&pool->heap.large, (uintptr_t)p);
}

void mem_free(struct mem_pool *pool, void *p)
{
	if (!p)
		return;
	struct heap_run *run = run_of(&pool->heap, p);
	struct mem_region *large = run ? NULL : map_take(&pool->heap.large, (uintptr_t)p);
	if (large) {
		mem_region_free(large);
	} else if (!run || (!run->slots && p != run_base(run))) {
		corrupt("free of an address that was not given out");
	} else if (run->slots) {
		slot_free(&pool->heap, run, p);
	} else {
		mapping_wipe(pool->level, p, run->size);
		run_free(&pool->heap, run);
	}
}

/* The bytes that the allocation at `p` holds (its slot's, where it lies in one), and may hold. */
static size_t held(struct mem_pool *pool, const void *p, size_t *ret_most)
{
	struct heap_run *run = run_of(&pool->heap, p);
	struct mem_region *large = run ? NULL : map_get(&pool->heap.large, (uintptr_t)p);
	if (!run && !large)
		corrupt("use of an address that was not given out");
	*ret_most = large ? large->reserved : run->slots ? run->size : run->pages * (size_t)HEAP_PAGE_SIZE;
	return large ? large->size : run->size;
}

/* Change the size where it is; false if it has to move. A run keeps its largest size, to be wiped. */
static bool resize_in_place(struct mem_pool *pool, const void *p, size_t size, size_t old, size_t most)
{
	if (size > most || size < most / 4)
		return false;
	struct heap_run *run = run_of(&pool->heap, p);
	if (!run)
		return size <= old ||
		       mem_region_grow(map_get(&pool->heap.large, (uintptr_t)p), size, NULL) == 0;
	if (!run->slots)
		run->size = (uint32_t)max_of(old, size);
	return true;
}

void *mem_realloc(struct mem_pool *pool, void *p, size_t size)
{
	if (!p)
		return mem_alloc(pool, size);
	size_t most;
	size_t old = held(pool, p, &most);
	if (resize_in_place(pool, p, size, old, most))
		return p;
	void *moved = mem_alloc(pool, size);
	if (!moved)
		return NULL;
	memcpy(moved, p, min_of(old, size));
	mem_free(pool, p);
	return moved;
}

static bool chunk_warm(struct heap_chunk *c)
{
	struct heap_set cold = c->free;
	for (size_t i = 0; i < array_count(cold.words); i++)
		cold.words[i] &= ~c->touched.words[i];
	unsigned page = set_find(&cold, 0, true);
	if (page == HEAP_CHUNK_PAGES)
		return false;
	*(volatile uint8_t *)(c->region->base + (size_t)page * HEAP_PAGE_SIZE) = 0;
	set_add(&c->touched, page, 1);
	return true;
}

/* Only where chunks are in use already: no more of the budget is taken. */
bool heap_warm(struct heap *heap)
{
	for (size_t bin = 0; bin < HEAP_CHUNK_BINS; bin++) {
		struct heap_chunk *c;
		LIST_FOREACH(c, &heap->bins[bin], link)
		if (chunk_warm(c))
			return true;
	}
	return false;
}

size_t heap_idle(const struct heap *heap)
{
	return heap->free_pages * HEAP_PAGE_SIZE;
}

void mem_heap_done(struct heap *heap)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&heap->chunks, &i));)
		free(slot->value);
	map_done(&heap->chunks);
	map_done(&heap->large);
}
