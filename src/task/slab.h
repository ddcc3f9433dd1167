/*
 * Memory for many small objects: `struct slab` holds objects of one size by 32-bit handles (half
 * of a pointer, and valid for ever), `struct blocks` bytes of any size.
 *
 * Neither gives memory back before it is done: a session's peak is what it keeps.
 */
#ifndef TASK_SLAB_H
#define TASK_SLAB_H

#include <stdint.h>

#include "base/attributes.h"

enum { SLAB_CHUNK_BITS = 8, SLAB_CHUNK = 1 << SLAB_CHUNK_BITS };

/* Each object begins with this. */
struct slab_item {
	uint32_t handle; /* from 1; 0 while it is free */
	uint32_t next;   /* the next free one; of a live object, the owner's */
};

struct slab {
	size_t item_size;
	uint8_t **chunks;
	uint32_t chunk_count, chunk_capacity;
	uint32_t used; /* handles given out so far */
	uint32_t free; /* list */
	uint32_t live;
};

void slab_init(struct slab *s, size_t item_size);
void slab_done(struct slab *s);
/* Zeroed but for its handle; NULL when memory ran out. The address is constant. */
void *slab_new(struct slab *s);
void slab_free(struct slab *s, void *item);

/* The object of a handle that was given out; NULL for 0. It may be a free one (handle 0). */
static inline void *slab_at(const struct slab *s, uint32_t handle)
{
	if (handle == 0)
		return NULL;
	uint32_t i = handle - 1;
	return s->chunks[i >> SLAB_CHUNK_BITS] + (i & (SLAB_CHUNK - 1)) * s->item_size;
}

enum { BLOCK_STEP = 64, BLOCK_CLASSES = 32 }; /* larger ones come from malloc */

struct blocks {
	void *free[BLOCK_CLASSES];
	uint8_t *chunk; /* begins with the address of the one before */
	size_t chunk_used;
	uint64_t size; /* bytes given out */
};

void blocks_done(struct blocks *b); /* larger ones must have been freed */
void *blocks_new(struct blocks *b, size_t size);
void blocks_free(struct blocks *b, void *block, size_t size); /* NULL is fine */

#endif
