/* Capturing: the form in the clear is measured, then written, then read like any other. */
#include <string.h>

#include "cell/snapshot/block.h"
#include "cell/snapshot/state.h"
#include "page/page.h"

struct capture {
	const struct snapshot_source *source;
	struct snapshot *base;
	uint8_t *then; /* protected; a block of the base */
	uint8_t *now;  /* protected; a block of a paged memory; NULL: it is not paged */
};

static void put(uint8_t **at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*(*at)++ = (uint8_t)(value >> (8 * i));
}

static void put_bytes(uint8_t **at, const void *bytes, size_t size)
{
	if (size)
		memcpy(*at, bytes, size);
	*at += size;
}

/* Of a paged memory a copy: a page that is lost is an error then, and no fault. */
static int look_at(const struct capture *c, uint64_t at, const uint8_t **ret_now, struct error *err)
{
	*ret_now = c->now ? c->now : c->source->memory + at;
	return c->now ? page_read(c->source->region, at, c->now, SNAPSHOT_BLOCK_SIZE, err) : 0;
}

/* *ret_size 0: it is as in the base. */
static int encode(const struct capture *c, uint64_t number, uint8_t *out, size_t *ret_size, struct error *err)
{
	const struct snapshot_source *source = c->source;
	uint64_t at = number * SNAPSHOT_BLOCK_SIZE, touched = (1u << SNAPSHOT_BLOCK_PAGES) - 1;
	bool differs = c->base && snapshot_has_blocks(c->base, number, number + 1);
	const uint8_t *now;
	int rc = look_at(c, at, &now, err);
	if (rc == 0 && source->region && !source->paged)
		touched = mem_region_touched(source->region, at, SNAPSHOT_BLOCK_SIZE);
	if (rc == 0 && differs) {
		memset(c->then, 0, SNAPSHOT_BLOCK_SIZE);
		rc = snapshot_read_block(c->base, number, c->then, err);
	}
	if (rc == 0)
		*ret_size = touched || differs
		                    ? snapshot_encode_block(now, touched, differs ? c->then : NULL, out)
		                    : 0;
	return rc;
}

/* Sets block_count, body_size and blocks_size. */
static int measure(const struct capture *c, struct snapshot *s, struct error *err)
{
	struct snapshot_header *h = &s->header;
	for (uint64_t i = 0; i < h->memory_size / SNAPSHOT_BLOCK_SIZE; i++) {
		size_t size;
		int rc = encode(c, i, NULL, &size, err);
		if (rc < 0)
			return rc;
		h->block_count += size != 0;
		s->blocks_size += size;
	}
	h->body_size = h->state_size + (uint64_t)h->block_count * SNAPSHOT_ROW_SIZE +
	               (uint64_t)2 * SNAPSHOT_SECTION_HEADER_SIZE;
	return 0;
}

static void write_header(const struct snapshot_header *h, uint8_t *at)
{
	put(&at, SNAPSHOT_MAGIC, 4);
	put(&at, SNAPSHOT_VERSION, 2);
	put(&at, h->flags, 2);
	put(&at, h->abi_version, 4);
	put(&at, h->translator_version, 4);
	put(&at, h->state_size, 8);
	put(&at, h->memory_size, 8);
	put(&at, h->body_size, 8);
	put(&at, h->block_count, 4);
	put(&at, 0, 4);
	put_bytes(&at, h->identity, sizeof(h->identity));
	put_bytes(&at, h->base, sizeof(h->base));
	put_bytes(&at, h->series, sizeof(h->series));
}

static void write_section(uint8_t **at, enum snapshot_section kind, uint64_t size)
{
	put(at, kind, 4);
	put(at, 0, 4);
	put(at, size, 8);
}

static int write_blocks(const struct capture *c, struct snapshot *s, uint8_t *row, struct error *err)
{
	uint8_t *block = snapshot_blocks(s);
	for (uint64_t i = 0; i < s->header.memory_size / SNAPSHOT_BLOCK_SIZE; i++) {
		size_t size;
		int rc = encode(c, i, block, &size, err);
		if (rc < 0)
			return rc;
		if (size) {
			put(&row, i, 4);
			put(&row, size, 4);
		}
		block += size;
	}
	return 0;
}

static int write(const struct capture *c, struct snapshot *s, struct error *err)
{
	const struct snapshot_header *h = &s->header;
	s->clear = mem_alloc(s->pool, snapshot_size(s));
	if (!s->clear)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a snapshot of %llu KiB",
		                 (unsigned long long)snapshot_size(s) / 1024);
	write_header(h, s->clear);
	uint8_t *at = s->clear + SNAPSHOT_HEADER_SIZE;
	write_section(&at, SNAPSHOT_STATE, h->state_size);
	put_bytes(&at, c->source->state, h->state_size);
	write_section(&at, SNAPSHOT_BLOCKS, (uint64_t)h->block_count * SNAPSHOT_ROW_SIZE);
	int rc = write_blocks(c, s, at, err);
	s->blocks_size = 0;
	return rc < 0 ? rc : snapshot_read_body(s, err);
}

static int take_header(struct capture *c, struct snapshot *s, struct error *err)
{
	const struct snapshot_source *source = c->source;
	s->header = (struct snapshot_header){
		.flags = c->base ? SNAPSHOT_DIFFERENCE : 0,
		.abi_version = source->abi_version,
		.translator_version = source->translator_version,
		.state_size = source->state_size,
		.memory_size = source->memory_size,
	};
	memcpy(s->header.identity, source->identity, sizeof(s->header.identity));
	if (source->paged && !(c->now = mem_alloc(s->pool, SNAPSHOT_BLOCK_SIZE)))
		return error_set(err, CELLA_ENOMEM, "no protected memory for a block of a snapshot");
	if (!c->base)
		return 0;
	if (memcmp(c->base->header.identity, source->identity, sizeof(s->header.identity)) != 0)
		return error_set(err, CELLA_EINVAL,
		                 "a cell has no difference against another one's snapshot");
	c->then = mem_alloc(s->pool, SNAPSHOT_BLOCK_SIZE);
	if (!c->then)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a block of a snapshot");
	int rc = snapshot_digest(c->base, s->header.base, err);
	return rc < 0 ? rc : snapshot_set_base(s, c->base, err);
}

int snapshot_capture(struct mem_pool *pool, const struct snapshot_source *source, struct snapshot *base,
                     struct snapshot **ret_snapshot, struct error *err)
{
	struct snapshot *s = snapshot_new(pool, err);
	struct capture c = {.source = source, .base = base};
	if (!s)
		return CELLA_ENOMEM;
	int rc = take_header(&c, s, err);
	if (rc == 0)
		rc = measure(&c, s, err);
	if (rc == 0)
		rc = write(&c, s, err);
	mem_free(pool, c.then);
	mem_free(pool, c.now);
	if (rc < 0) {
		snapshot_unref(s);
		return error_prefix(err, rc, "cannot take a snapshot: ");
	}
	*ret_snapshot = s;
	return 0;
}
