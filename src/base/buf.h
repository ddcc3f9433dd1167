/*
 * Byte buffers: `struct buf` grows and is written to, `struct reader` is a bounded view that
 * every parser reads through.
 *
 * Both carry a sticky failure flag, so that a parser or a writer reads like the format that it
 * handles and asks once at its end. A failed reader returns zeros and NULLs and never moves; a
 * failed buf drops what is written to it. All integers are little-endian on every machine.
 *
 * A buf's storage is ordinary memory: it is for ciphertext, formats and messages, never for
 * plaintext of a cell. Protected memory has its own types (mem/mem.h).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct buf {
	uint8_t *data;
	size_t size;
	size_t capacity;
	bool failed; /* memory ran out at some write */
};

/* A zeroed buf is empty and valid. buf_done frees the storage and leaves it empty. */
void buf_done(struct buf *b);
#define cleanup_buf __attribute__((cleanup(buf_done)))

void buf_put(struct buf *b, const void *bytes, size_t size);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* u32 size, then the bytes. */
void buf_put_blob(struct buf *b, const void *bytes, size_t size);
void buf_put_string(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...) printf_like(2, 3);
/* Append `size` zero bytes and return their address (NULL when memory ran out), valid until
 * the next write. */
uint8_t *buf_reserve(struct buf *b, size_t size);

struct reader {
	const uint8_t *data;
	size_t size;
	size_t at;
	bool failed; /* something asked for more than was there */
};

static inline struct reader reader_of(const void *data, size_t size)
{
	return (struct reader){.data = data, .size = size};
}
static inline size_t reader_left(const struct reader *r)
{
	return r->size - r->at;
}
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* `size` bytes in place, or NULL (and failed). Points into the reader's data. */
const uint8_t *reader_bytes(struct reader *r, size_t size);
/* Copies `size` bytes out; zeros when it fails. */
void reader_copy(struct reader *r, void *to, size_t size);
/* A blob written by buf_put_blob; *ret_size is 0 when it fails. */
const uint8_t *reader_blob(struct reader *r, size_t *ret_size);
/* True if nothing failed and nothing is left over. */
static inline bool reader_finished(const struct reader *r)
{
	return !r->failed && r->at == r->size;
}

/* Are all of these bytes zero? */
bool bytes_are_zero(const void *bytes, size_t size);

#endif
