/*
 * Memory that may hold secrets: text that grows, and arenas that are freed as a whole. It comes from a pool
 * of protected memory, or where that is NULL from ordinary memory, and is wiped whenever it is given back,
 * also when it grows.
 *
 * Both carry a sticky failure flag, as base/buf.h has it.
 */
#ifndef CAS_SESSION_TEXT_H
#define CAS_SESSION_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/mem.h"

struct session_text {
	struct mem_pool *pool;
	uint8_t *data;
	size_t size;
	size_t capacity;
	bool failed; /* memory ran out at some write */
};
void session_text_done(struct session_text *t);
#define cleanup_session_text __attribute__((cleanup(session_text_done)))
void session_text_put(struct session_text *t, const void *bytes, size_t size);

struct session_arena {
	struct mem_pool *pool;
	struct session_arena_block *blocks;
	bool failed;
};
void session_arena_done(struct session_arena *a);
/* Zeroed, 16-byte aligned; NULL when memory ran out. */
void *session_arena_take(struct session_arena *a, size_t size) must_check;
/* A copy with a zero byte behind it. */
char *session_arena_copy(struct session_arena *a, const void *bytes, size_t size) must_check;
/* As printf; ordinary texts alone, as printf leaves traces. */
char *session_arena_printf(struct session_arena *a, const char *format, ...) printf_like(2, 3) must_check;

#endif
