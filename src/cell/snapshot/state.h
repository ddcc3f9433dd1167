/* Inside of a snapshot: what snapshot.c, capture.c and seal.c share. */
#ifndef CELL_SNAPSHOT_STATE_H
#define CELL_SNAPSHOT_STATE_H

#include "base/buf.h"
#include "cell/snapshot/snapshot.h"

/* A row of the table of blocks. */
struct snapshot_row {
	uint32_t number;
	uint32_t size;
	uint64_t at; /* from the first block, in the clear */
};

struct snapshot {
	struct mem_pool *pool;
	unsigned references;
	struct snapshot_header header;
	struct snapshot *base; /* NULL: none */
	uint8_t *clear;        /* header and body, and, while none is sealed, the blocks */
	const uint8_t *state;  /* in the body */
	struct snapshot_row *rows;
	uint64_t blocks_size;

	const uint8_t *sealed; /* the first sealed block; NULL: they are in the clear */
	struct seal_session *session;
	struct seal_id id;
	uint8_t *staging; /* SNAPSHOT_ENCODED_MAX bytes for one that is opened */
};

static inline uint8_t *snapshot_blocks(const struct snapshot *s)
{
	return s->clear + SNAPSHOT_HEADER_SIZE + s->header.body_size;
}

/* Without references or content. */
struct snapshot *snapshot_new(struct mem_pool *pool, struct error *err);
/* Reads s->header and the body in s->clear: sets state, rows and blocks_size. */
int snapshot_read_body(struct snapshot *s, struct error *err) must_check;
int snapshot_read_header(struct reader *r, struct snapshot_header *ret_header, struct error *err) must_check;
/* Gives s a base, NULL if it needs none. */
int snapshot_set_base(struct snapshot *s, struct snapshot *base, struct error *err) must_check;
/* Opens the block of a row to `to`, of row->size bytes. */
int snapshot_open_row(struct snapshot *s, size_t row, uint8_t *to, struct error *err) must_check;

#endif
