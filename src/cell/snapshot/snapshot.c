/* Life of a snapshot, the decoder of its header and body, and its blocks. */
#include "cell/snapshot/snapshot.h"

#include <string.h>

#include "cell/snapshot/block.h"
#include "cell/snapshot/state.h"

struct snapshot *snapshot_new(struct mem_pool *pool, struct error *err)
{
	struct snapshot *s = mem_alloc(pool, sizeof(*s));
	if (!s) {
		error_set(err, CELLA_ENOMEM, "no protected memory for a snapshot");
		return NULL;
	}
	s->pool = pool;
	s->references = 1;
	return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	s->references++;
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s || --s->references)
		return;
	snapshot_unref(s->base);
	mem_free(s->pool, s->staging);
	mem_free(s->pool, s->rows);
	mem_free(s->pool, s->clear);
	mem_free(s->pool, s);
}

const struct snapshot_header *snapshot_header(const struct snapshot *s)
{
	return &s->header;
}

const uint8_t *snapshot_state(const struct snapshot *s)
{
	return s->state;
}

uint64_t snapshot_size(const struct snapshot *s)
{
	return SNAPSHOT_HEADER_SIZE + s->header.body_size + s->blocks_size;
}

const uint8_t *snapshot_bytes(const struct snapshot *s)
{
	return s->sealed ? NULL : s->clear;
}

int snapshot_digest(struct snapshot *s, uint8_t ret_digest[CRYPTO_SHA384_SIZE], struct error *err)
{
	if (s->sealed)
		return error_set(err, CELLA_EINVAL, "a sealed snapshot has no digest: unseal it first");
	return crypto_sha384(s->clear, snapshot_size(s), ret_digest, err);
}

/* The decoder. */

static int bad(struct error *err, const char *why)
{
	return error_set(err, CELLA_EFORMAT, "the snapshot %s", why);
}

static int check_header(const struct snapshot_header *h, struct error *err)
{
	if (h->flags & ~SNAPSHOT_DIFFERENCE)
		return bad(err, "has unknown flags");
	if (!(h->flags & SNAPSHOT_DIFFERENCE) && !bytes_are_zero(h->base, sizeof(h->base)))
		return bad(err, "names a base without being a difference");
	if (h->state_size > SNAPSHOT_STATE_MAX || h->memory_size > SNAPSHOT_MEMORY_MAX ||
	    h->memory_size % SNAPSHOT_BLOCK_SIZE)
		return bad(err, "is of an impossible cell");
	if (h->block_count > h->memory_size / SNAPSHOT_BLOCK_SIZE)
		return bad(err, "has more blocks than its memory");
	if (h->body_size > h->state_size + (uint64_t)h->block_count * SNAPSHOT_ROW_SIZE +
	                           (uint64_t)3 * SNAPSHOT_SECTION_HEADER_SIZE)
		return bad(err, "has a body of an impossible size");
	return 0;
}

int snapshot_read_header(struct reader *r, struct snapshot_header *ret_header, struct error *err)
{
	struct snapshot_header h = {0};
	if (reader_u32(r) != SNAPSHOT_MAGIC)
		return error_set(err, CELLA_EFORMAT, "not a snapshot: its first bytes are wrong");
	uint16_t version = reader_u16(r);
	if (version != SNAPSHOT_VERSION)
		return error_set(err, CELLA_EUNSUPPORTED, "a snapshot of version %u is unknown: this is %d",
		                 version, SNAPSHOT_VERSION);
	h.flags = reader_u16(r);
	h.abi_version = reader_u32(r);
	h.translator_version = reader_u32(r);
	h.state_size = reader_u64(r);
	h.memory_size = reader_u64(r);
	h.body_size = reader_u64(r);
	h.block_count = reader_u32(r);
	uint32_t reserved = reader_u32(r);
	reader_copy(r, h.identity, sizeof(h.identity));
	reader_copy(r, h.base, sizeof(h.base));
	reader_copy(r, h.series, sizeof(h.series));
	if (r->failed)
		return bad(err, "is cut short");
	if (reserved != 0)
		return bad(err, "has a reserved field set");
	int rc = check_header(&h, err);
	if (rc == 0)
		*ret_header = h;
	return rc;
}

/* A section's bytes; NULL if it is not there. */
static const uint8_t *read_section(struct reader *r, enum snapshot_section kind, uint64_t size)
{
	uint32_t found = reader_u32(r), reserved = reader_u32(r);
	uint64_t found_size = reader_u64(r);
	return found == kind && reserved == 0 && found_size == size ? reader_bytes(r, size) : NULL;
}

static int read_rows(struct snapshot *s, const uint8_t *table, struct error *err)
{
	struct reader r = reader_of(table, (size_t)s->header.block_count * SNAPSHOT_ROW_SIZE);
	uint64_t next = 0, count = s->header.memory_size / SNAPSHOT_BLOCK_SIZE;
	s->rows = mem_alloc(s->pool, s->header.block_count * sizeof(*s->rows) + 1);
	if (!s->rows)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a snapshot's table of blocks");
	for (size_t i = 0; i < s->header.block_count; i++) {
		struct snapshot_row *row = &s->rows[i];
		row->number = reader_u32(&r);
		row->size = reader_u32(&r);
		row->at = s->blocks_size;
		if (row->number < next || row->number >= count || row->size < SNAPSHOT_PAGE_HEADER_SIZE ||
		    row->size > SNAPSHOT_ENCODED_MAX)
			return bad(err, "has a bad table of blocks");
		s->blocks_size += row->size;
		next = (uint64_t)row->number + 1;
	}
	return 0;
}

int snapshot_read_body(struct snapshot *s, struct error *err)
{
	const struct snapshot_header *h = &s->header;
	struct reader r = reader_of(s->clear + SNAPSHOT_HEADER_SIZE, h->body_size);
	const uint8_t *state = read_section(&r, SNAPSHOT_STATE, h->state_size);
	const uint8_t *table = read_section(&r, SNAPSHOT_BLOCKS,
	                                    (uint64_t)h->block_count * SNAPSHOT_ROW_SIZE);
	if (!state || !table)
		return bad(err, "lacks a section that each has, or has it in another size");
	if (reader_left(&r) && reader_u32(&r) == SNAPSHOT_STACK)
		return error_set(
			err, CELLA_EUNSUPPORTED,
			"the snapshot holds a call stack, and this version restores idle cells only");
	if (!reader_finished(&r))
		return bad(err, "has an unknown section");
	s->state = state;
	return read_rows(s, table, err);
}

int snapshot_set_base(struct snapshot *s, struct snapshot *base, struct error *err)
{
	uint8_t digest[CRYPTO_SHA384_SIZE];
	if (!(s->header.flags & SNAPSHOT_DIFFERENCE))
		return 0;
	if (!base)
		return error_set(err, CELLA_EINVAL,
		                 "the snapshot is a difference: the base that it was made against is needed");
	if (base->base || base->header.memory_size > s->header.memory_size)
		return error_set(err, CELLA_EINVAL, "what was given as the snapshot's base cannot be one");
	int rc = snapshot_digest(base, digest, err);
	if (rc < 0)
		return rc;
	if (!crypto_equal(digest, s->header.base, sizeof(digest)))
		return error_set(err, CELLA_EAUTH, "the snapshot was made against another base");
	s->base = snapshot_ref(base);
	return 0;
}

static int read_clear(struct snapshot *s, const uint8_t *bytes, uint64_t size, struct error *err)
{
	struct reader r = reader_of(bytes, size);
	int rc = snapshot_read_header(&r, &s->header, err);
	if (rc < 0)
		return rc;
	if (reader_left(&r) < s->header.body_size)
		return bad(err, "is cut short");
	s->clear = mem_alloc(s->pool, size);
	if (!s->clear)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a snapshot");
	memcpy(s->clear, bytes, size);
	if (!bytes_are_zero(s->header.series, sizeof(s->header.series)))
		return bad(err, "is in the clear and has a series");
	rc = snapshot_read_body(s, err);
	if (rc == 0 && snapshot_size(s) != size)
		rc = bad(err, "has blocks that do not fill it");
	return rc;
}

int snapshot_read(struct mem_pool *pool, const uint8_t *bytes, uint64_t size, struct snapshot *base,
                  struct snapshot **ret_snapshot, struct error *err)
{
	struct snapshot *s = snapshot_new(pool, err);
	if (!s)
		return CELLA_ENOMEM;
	int rc = read_clear(s, bytes, size, err);
	if (rc == 0)
		rc = snapshot_set_base(s, base, err);
	if (rc < 0) {
		snapshot_unref(s);
		return rc;
	}
	*ret_snapshot = s;
	return 0;
}

/* Blocks. */

/* The first row at or after block `number`. */
static size_t find_row(const struct snapshot *s, uint64_t number)
{
	size_t low = 0, high = s->header.block_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->rows[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool snapshot_has_blocks(const struct snapshot *s, uint64_t from, uint64_t to)
{
	size_t row = find_row(s, from);
	return (row < s->header.block_count && s->rows[row].number < to) ||
	       (s->base && snapshot_has_blocks(s->base, from, to));
}

int snapshot_read_block(struct snapshot *s, uint64_t number, uint8_t *to, struct error *err)
{
	int rc = s->base ? snapshot_read_block(s->base, number, to, err) : 0;
	size_t i = find_row(s, number);
	if (rc < 0 || i == s->header.block_count || s->rows[i].number != number)
		return rc;
	const struct snapshot_row *row = &s->rows[i];
	const uint8_t *encoded = snapshot_blocks(s) + row->at;
	if (s->sealed) {
		rc = snapshot_open_row(s, i, s->staging, err);
		if (rc < 0)
			return rc;
		encoded = s->staging;
	}
	return snapshot_decode_block(encoded, row->size, s->base != NULL, to, err);
}
