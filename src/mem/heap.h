/*
 * The small heap of a pool: everything that mem_alloc gives out.
 *
 * Memory comes in chunks of 1 MiB, which are regions of the pool. A chunk is split into runs of
 * pages: a run is a slab of equal slots (sizes up to 2 KiB) or one allocation (up to 256 KiB).
 * Larger allocations are regions of their own with room to grow. All bookkeeping stands beside
 * the memory, in ordinary memory, so that a page is touched only when its bytes are used, and so
 * that a write out of bounds cannot turn into another address.
 *
 * Slots and pages at low addresses are used first: few pages are touched, and again and again.
 * What is not given out is zero. Freeing what was not given out ends the process.
 */
#ifndef MEM_HEAP_H
#define MEM_HEAP_H

#include <sys/queue.h>

#include "base/map.h"
#include "mem/mem.h"

enum {
	HEAP_PAGE_SIZE = 4096,
	HEAP_CHUNK_SIZE = 1 << 20,
	HEAP_CHUNK_PAGES = HEAP_CHUNK_SIZE / HEAP_PAGE_SIZE,
	HEAP_CLASSES = 24,   /* slot sizes: heap_class_size() */
	HEAP_CHUNK_BINS = 9, /* chunks by the logarithm of their longest run of free pages */
};

/* A set of 256: the free pages of a chunk, the free slots of a slab. */
struct heap_set {
	uint64_t words[4];
};

struct heap_run {
	LIST_ENTRY(heap_run) link; /* of a slab with a free slot, among its class's */
	struct heap_chunk *chunk;
	struct heap_set free; /* of a slab */
	uint32_t size;        /* of a slot, or of the one allocation */
	uint16_t pages;       /* 0: no run begins at this page */
	uint16_t slots;       /* 0: not a slab */
	uint16_t used;        /* slots given out */
	uint16_t class;
};

struct heap_chunk {
	LIST_ENTRY(heap_chunk) link; /* in its bin; not linked while no page is free */
	struct mem_region *region;
	struct heap_set free;
	struct heap_set touched;
	unsigned free_count;
	unsigned longest;                       /* run of free pages */
	uint8_t first[HEAP_CHUNK_PAGES];        /* by page: the first page of its run */
	struct heap_run runs[HEAP_CHUNK_PAGES]; /* by first page */
};

LIST_HEAD(heap_run_list, heap_run);
LIST_HEAD(heap_chunk_list, heap_chunk);

struct heap {
	struct heap_run_list slabs[HEAP_CLASSES]; /* with a free slot */
	struct heap_chunk_list bins[HEAP_CHUNK_BINS];
	struct map chunks; /* struct heap_chunk by address / HEAP_CHUNK_SIZE */
	struct map large;  /* struct mem_region by address */
	size_t free_pages;
};

/* Frees the bookkeeping; the memory goes with the pool's regions. */
void mem_heap_done(struct heap *heap);
/* Bytes of chunks that wait for use. */
size_t heap_idle(const struct heap *heap);

/* Touch one more free page of a chunk, lest an allocation have to. False: all are. */
bool heap_warm(struct heap *heap);

unsigned heap_class_of(size_t size);
size_t heap_class_size(unsigned class);

#endif
