#include "cell/snapshot/fill.h"

#include <string.h>

#include "base/buf.h"

struct snapshot_fill {
	struct mem_pool *pool;
	struct mem_region *region;
	struct snapshot *snapshot;
	uint64_t from;   /* [from, to) is or was veiled */
	uint64_t to;
	uint64_t least; /* blocks that a fault fills together */
	uint64_t ahead; /* times that */
	uint64_t next;  /* where the last fault's blocks ended */
};

static int no_memory(struct error *err)
{
	return error_set(err, CELLA_ENOMEM, "no protected memory to restore a snapshot");
}

static bool is_there(const struct snapshot_fill *f, uint64_t block)
{
	return !mem_region_veiled(f->region, block * SNAPSHOT_BLOCK_SIZE);
}

static int read_blocks(struct snapshot_fill *f, uint64_t from, uint64_t to, struct error *err)
{
	for (uint64_t i = from; i < to; i++) {
		int rc = snapshot_read_block(f->snapshot, i, f->region->base + i * SNAPSHOT_BLOCK_SIZE, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* None of these is there yet. */
static int fill_run(struct snapshot_fill *f, uint64_t from, uint64_t to, struct error *err)
{
	if (mem_region_unveil(f->region, from * SNAPSHOT_BLOCK_SIZE, to * SNAPSHOT_BLOCK_SIZE) < 0)
		return error_set(err, CELLA_ENOMEM, "the kernel opens no more of a snapshot's memory");
	int rc = read_blocks(f, from, to, err);
	if (rc < 0 && mem_region_veil(f->region, from * SNAPSHOT_BLOCK_SIZE, to * SNAPSHOT_BLOCK_SIZE) < 0)
		return error_prefix(err, rc, "and it cannot be veiled again: ");
	return rc;
}

static int fill_blocks(struct snapshot_fill *f, uint64_t from, uint64_t to, struct error *err)
{
	int rc = 0;
	for (uint64_t end; rc == 0 && from < to; from = end) {
		bool there = is_there(f, from);
		for (end = from; end < to && is_there(f, end) == there; end++)
			;
		if (!there)
			rc = fill_run(f, from, end, err);
	}
	return rc;
}

/* The blocks with content, and those between. */
static void find_bounds(const struct snapshot *snapshot, uint64_t *ret_from, uint64_t *ret_to)
{
	uint64_t from = 0, to = snapshot_header(snapshot)->memory_size / SNAPSHOT_BLOCK_SIZE;
	while (from < to && !snapshot_has_blocks(snapshot, from, from + 1))
		from++;
	while (from < to && !snapshot_has_blocks(snapshot, to - 1, to))
		to--;
	*ret_from = from;
	*ret_to = to;
}

void snapshot_fill_veil(const struct snapshot *snapshot, uint64_t *ret_from, uint64_t *ret_to)
{
	uint64_t from = 0, to = 0;
	if (snapshot_size(snapshot) > FILL_AT_ONCE_MAX)
		find_bounds(snapshot, &from, &to);
	*ret_from = from * SNAPSHOT_BLOCK_SIZE;
	*ret_to = to * SNAPSHOT_BLOCK_SIZE;
}

static int write_paged_block(const struct snapshot_fill *f, uint64_t block, const uint8_t *bytes,
                             struct error *err)
{
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < SNAPSHOT_BLOCK_SIZE; at += SNAPSHOT_PAGE_SIZE)
		if (!bytes_are_zero(bytes + at, SNAPSHOT_PAGE_SIZE))
			rc = page_write(f->region, block * SNAPSHOT_BLOCK_SIZE + at, bytes + at,
			                SNAPSHOT_PAGE_SIZE, err);
	return rc;
}

static int fill_paged(const struct snapshot_fill *f, struct error *err)
{
	uint8_t *bytes = mem_alloc(f->pool, SNAPSHOT_BLOCK_SIZE);
	int rc = bytes ? 0 : no_memory(err);
	for (uint64_t i = f->from; rc == 0 && i < f->to; i++) {
		memset(bytes, 0, SNAPSHOT_BLOCK_SIZE);
		rc = snapshot_read_block(f->snapshot, i, bytes, err);
		if (rc == 0)
			rc = write_paged_block(f, i, bytes, err);
	}
	mem_free(f->pool, bytes);
	return rc;
}

int snapshot_fill_new(const struct snapshot_target *target, struct snapshot *snapshot,
                      struct snapshot_fill **ret_fill, struct error *err)
{
	struct snapshot_fill *f = mem_alloc(target->pool, sizeof(*f));
	if (!f)
		return no_memory(err);
	f->pool = target->pool;
	f->region = target->region;
	f->snapshot = snapshot_ref(snapshot);
	find_bounds(snapshot, &f->from, &f->to);
	f->least = max_of(f->to / FILL_MAPPINGS_MAX, (uint64_t)1);
	f->ahead = 1;
	bool at_once = target->paged || snapshot_size(snapshot) <= FILL_AT_ONCE_MAX;
	int rc = 0;
	if (at_once)
		rc = target->paged ? fill_paged(f, err) : read_blocks(f, f->from, f->to, err);
	if (rc < 0 || at_once) {
		snapshot_fill_free(f);
		f = NULL;
	}
	if (rc == 0)
		*ret_fill = f;
	return rc;
}

void snapshot_fill_free(struct snapshot_fill *f)
{
	if (!f)
		return;
	snapshot_unref(f->snapshot);
	mem_free(f->pool, f);
}

int snapshot_fill_range(struct snapshot_fill *f, uint64_t at, uint64_t size, struct error *err)
{
	if (size == 0)
		return 0;
	uint64_t from = max_of(at / SNAPSHOT_BLOCK_SIZE, f->from);
	uint64_t to = min_of((at + size - 1) / SNAPSHOT_BLOCK_SIZE + 1, f->to);
	return fill_blocks(f, from, to, err);
}

enum page_outcome snapshot_fill_fault(struct snapshot_fill *f, const void *address, struct error *err)
{
	uint64_t block = ((uintptr_t)address - (uintptr_t)f->region->base) / SNAPSHOT_BLOCK_SIZE;
	if (block < f->from || block >= f->to || is_there(f, block))
		return PAGE_FOREIGN;
	f->ahead = block == f->next ? min_of(f->ahead * 2, (uint64_t)FILL_AHEAD_MAX) : 1;
	uint64_t from = max_of(block - block % f->least, f->from);
	uint64_t to = min_of(from + f->least * f->ahead, f->to);
	f->next = to;
	return fill_blocks(f, from, to, err) < 0 ? PAGE_LOST : PAGE_READY;
}
