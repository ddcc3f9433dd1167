#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

static bool buf_room(struct buf *b, size_t more)
{
	if (b->failed || more > SIZE_MAX / 4 - b->size) {
		b->failed = true;
		return false;
	}
	if (b->size + more <= b->capacity)
		return true;
	size_t capacity = max_of(b->capacity * 2, max_of(b->size + more, (size_t)64));
	uint8_t *data = realloc(b->data, capacity);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

uint8_t *buf_reserve(struct buf *b, size_t size)
{
	if (!buf_room(b, size ? size : 1)) /* so that there is an address even of nothing */
		return NULL;
	uint8_t *at = b->data + b->size;
	memset(at, 0, size);
	b->size += size;
	return at;
}

void buf_put(struct buf *b, const void *bytes, size_t size)
{
	if (!size || !buf_room(b, size))
		return;
	memcpy(b->data + b->size, bytes, size);
	b->size += size;
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

static void buf_put_le(struct buf *b, uint64_t v, size_t size)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	buf_put(b, bytes, size);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
	buf_put_le(b, v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	buf_put_le(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	buf_put_le(b, v, 8);
}

void buf_put_blob(struct buf *b, const void *bytes, size_t size)
{
	if (size > UINT32_MAX) {
		b->failed = true;
		return;
	}
	buf_put_u32(b, (uint32_t)size);
	buf_put(b, bytes, size);
}

void buf_put_string(struct buf *b, const char *s)
{
	buf_put_blob(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0 || !buf_room(b, (size_t)size + 1)) {
		b->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf((char *)b->data + b->size, (size_t)size + 1, format, args);
	va_end(args);
	b->size += (size_t)size;
}

const uint8_t *reader_bytes(struct reader *r, size_t size)
{
	if (r->failed || size > r->size - r->at) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *at = r->data + r->at;
	r->at += size;
	return at;
}

static uint64_t reader_le(struct reader *r, size_t size)
{
	const uint8_t *at = reader_bytes(r, size);
	uint64_t v = 0;
	for (size_t i = 0; at && i < size; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)reader_le(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
	return (uint16_t)reader_le(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
	return (uint32_t)reader_le(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
	return reader_le(r, 8);
}

void reader_copy(struct reader *r, void *to, size_t size)
{
	const uint8_t *at = reader_bytes(r, size);
	if (at)
		memcpy(to, at, size);
	else
		memset(to, 0, size);
}

const uint8_t *reader_blob(struct reader *r, size_t *ret_size)
{
	uint32_t size = reader_u32(r);
	const uint8_t *at = reader_bytes(r, size);
	*ret_size = at ? size : 0;
	return at;
}

bool bytes_are_zero(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t word, any = 0;
	for (; size >= sizeof(word) && !any; size -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		any = word;
	}
	for (size_t i = 0; i < size && !any; i++)
		any = at[i];
	return any == 0;
}
