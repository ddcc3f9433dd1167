#include "cas/session/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LEAST = 256, BLOCK_SIZE = 16384, ALIGNMENT = 16 };

static void *take(struct mem_pool *pool, size_t size)
{
	return pool ? mem_alloc(pool, size) : calloc(1, size);
}

static void give_back(struct mem_pool *pool, void *p, size_t size)
{
	if (p && !pool)
		mem_wipe(p, size);
	if (pool)
		mem_free(pool, p);
	else
		free(p);
}

void session_text_done(struct session_text *t)
{
	give_back(t->pool, t->data, t->capacity);
	*t = (struct session_text){.pool = t->pool};
}

static bool text_room(struct session_text *t, size_t more)
{
	if (t->failed || more > SIZE_MAX / 4 - t->size) {
		t->failed = true;
		return false;
	}
	if (t->size + more <= t->capacity)
		return true;
	size_t capacity = max_of(t->capacity * 2, max_of(t->size + more, (size_t)TEXT_LEAST));
	uint8_t *data = take(t->pool, capacity);
	if (!data) {
		t->failed = true;
		return false;
	}
	if (t->size)
		memcpy(data, t->data, t->size);
	give_back(t->pool, t->data, t->capacity);
	t->data = data;
	t->capacity = capacity;
	return true;
}

void session_text_put(struct session_text *t, const void *bytes, size_t size)
{
	if (!size || !text_room(t, size))
		return;
	memcpy(t->data + t->size, bytes, size);
	t->size += size;
}

struct session_arena_block {
	struct session_arena_block *next;
	size_t size, used; /* with this header */
};
static_assert(sizeof(struct session_arena_block) <= 2 * (size_t)ALIGNMENT, "what follows it is aligned");

void session_arena_done(struct session_arena *a)
{
	while (a->blocks) {
		struct session_arena_block *block = a->blocks;
		a->blocks = block->next;
		give_back(a->pool, block, block->size);
	}
}

static struct session_arena_block *arena_grow(struct session_arena *a, size_t size)
{
	size_t header = align_up(sizeof(struct session_arena_block), (size_t)ALIGNMENT);
	size_t whole = max_of(header + size, (size_t)BLOCK_SIZE);
	struct session_arena_block *block = take(a->pool, whole);
	if (!block) {
		a->failed = true;
		return NULL;
	}
	*block = (struct session_arena_block){.next = a->blocks, .size = whole, .used = header};
	a->blocks = block;
	return block;
}

void *session_arena_take(struct session_arena *a, size_t size)
{
	if (a->failed || size > SIZE_MAX / 4) {
		a->failed = true;
		return NULL;
	}
	size = align_up(size ? size : 1, (size_t)ALIGNMENT);
	struct session_arena_block *block = a->blocks;
	if (!block || block->size - block->used < size)
		block = arena_grow(a, size);
	if (!block)
		return NULL;
	void *at = (uint8_t *)block + block->used;
	block->used += size;
	return at;
}

char *session_arena_copy(struct session_arena *a, const void *bytes, size_t size)
{
	char *copy = session_arena_take(a, size + 1);
	if (copy && size)
		memcpy(copy, bytes, size);
	return copy;
}

char *session_arena_printf(struct session_arena *a, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = size < 0 ? NULL : session_arena_take(a, (size_t)size + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)size + 1, format, args);
	va_end(args);
	return text;
}
