#include "task/slab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void slab_init(struct slab *s, size_t item_size)
{
	*s = (struct slab){.item_size = item_size};
}

void slab_done(struct slab *s)
{
	for (uint32_t i = 0; i < s->chunk_count; i++)
		free(s->chunks[i]);
	free(s->chunks);
	slab_init(s, s->item_size);
}

static bool slab_grow(struct slab *s)
{
	if (s->chunk_count == s->chunk_capacity) {
		uint32_t capacity = max_of(2 * s->chunk_capacity, 16u);
		uint8_t **chunks = realloc(s->chunks, capacity * sizeof(*chunks));
		if (!chunks)
			return false;
		s->chunks = chunks;
		s->chunk_capacity = capacity;
	}
	s->chunks[s->chunk_count] = malloc(SLAB_CHUNK * s->item_size);
	if (!s->chunks[s->chunk_count])
		return false;
	s->chunk_count++;
	return true;
}

void *slab_new(struct slab *s)
{
	uint32_t handle = s->free;
	if (handle == 0) {
		if (s->used == s->chunk_count * SLAB_CHUNK &&
		    (s->used > UINT32_MAX - SLAB_CHUNK || !slab_grow(s)))
			return NULL;
		handle = ++s->used;
	}
	struct slab_item *item = slab_at(s, handle);
	if (s->free)
		s->free = item->next;
	memset(item, 0, s->item_size);
	item->handle = handle;
	s->live++;
	return item;
}

void slab_free(struct slab *s, void *object)
{
	struct slab_item *item = object;
	uint32_t handle = item->handle;
	memset(item, 0, s->item_size);
	item->next = s->free;
	s->free = handle;
	s->live--;
}

enum { BLOCKS_CHUNK = 65536, BLOCKS_HEAD = 64 };

void blocks_done(struct blocks *b)
{
	while (b->chunk) {
		uint8_t *before;
		memcpy(&before, b->chunk, sizeof(before));
		free(b->chunk);
		b->chunk = before;
	}
	*b = (struct blocks){0};
}

static void *blocks_carve(struct blocks *b, size_t size)
{
	if (!b->chunk || BLOCKS_CHUNK - b->chunk_used < size) {
		uint8_t *chunk = malloc(BLOCKS_CHUNK);
		if (!chunk)
			return NULL;
		memcpy(chunk, &b->chunk, sizeof(b->chunk));
		b->chunk = chunk;
		b->chunk_used = BLOCKS_HEAD;
	}
	void *block = b->chunk + b->chunk_used;
	b->chunk_used += size;
	return block;
}

void *blocks_new(struct blocks *b, size_t size)
{
	size_t class = (size + BLOCK_STEP - 1) / BLOCK_STEP;
	void *block;
	if (class >= BLOCK_CLASSES) {
		block = malloc(size);
	} else if (b->free[class]) {
		block = b->free[class];
		memcpy(&b->free[class], block, sizeof(void *));
	} else {
		block = blocks_carve(b, max_of(class, (size_t)1) * BLOCK_STEP);
	}
	b->size += block ? size : 0;
	return block;
}

void blocks_free(struct blocks *b, void *block, size_t size)
{
	if (!block)
		return;
	size_t class = (size + BLOCK_STEP - 1) / BLOCK_STEP;
	b->size -= size;
	if (class >= BLOCK_CLASSES) {
		free(block);
		return;
	}
	memcpy(block, &b->free[class], sizeof(void *));
	b->free[class] = block;
}
