/*
 * Blocks of files in the clear, by inode and number, in frames of one region. What was written and does not
 * lie on the disk yet is here (dirty), and stays until it is flushed; clean frames go in turn, once they have
 * not been used since the hand last came by (CLOCK: Corbató 1968).
 *
 * What is read for the first time gets one of a few frames on trial, which go round; only what is read again
 * takes one of the others (a window and a doorkeeper as TinyLFU's: Einziger, Friedman and Manes, 2017). So
 * what is read once neither drives out what is read often, nor makes the volume touch memory that is new.
 *
 * Frames are first used from the lowest on: what a volume does not need is never touched.
 */
#include <stdlib.h>
#include <string.h>

#include "volume/volume_state.h"

#define FRAME_NONE UINT32_MAX
enum {
	NOTE_BITS = 8,      /* for a frame; one in four is set when they are cleared */
	TRIALS = 128,
	TRIALS_PART = 8, /* of a small cache's frames */
};

int block_cache_init(struct volume *v, size_t size, struct error *err)
{
	struct block_cache *c = &v->cache;
	uint32_t count = (uint32_t)min_of(size / VOLUME_BLOCK_SIZE, (size_t)1 << 30);
	c->bucket_count = 1;
	while (c->bucket_count < count)
		c->bucket_count *= 2;
	size = (size_t)count * VOLUME_BLOCK_SIZE;
	c->frames = calloc(count, sizeof(*c->frames));
	c->buckets = malloc(c->bucket_count * sizeof(*c->buckets));
	c->noted = calloc(c->bucket_count * NOTE_BITS / 64 + 1, sizeof(*c->noted));
	c->trial_count = max_of(min_of((uint32_t)TRIALS, count / TRIALS_PART), 2u);
	c->trials = calloc(c->trial_count, sizeof(*c->trials));
	if (!c->frames || !c->buckets || !c->noted || !c->trials)
		return error_set(err, CELLA_ENOMEM, "no memory for a volume's cache of %zu MiB", size >> 20);
	memset(c->buckets, 0xff, c->bucket_count * sizeof(*c->buckets));
	int rc = mem_region_new(v->pool, size, size, size, &c->memory, err);
	if (rc < 0)
		return error_prefix(err, rc, "a volume's cache of %zu MiB: ", size >> 20);
	c->count = count;
	c->dirty_max = count / 2;
	return 0;
}

void block_cache_done(struct volume *v)
{
	mem_region_free(v->cache.memory);
	free(v->cache.frames);
	free(v->cache.buckets);
	free(v->cache.noted);
	free(v->cache.trials);
}

static uint64_t hash(uint64_t inode, uint64_t block)
{
	return (inode * 0x9e3779b97f4a7c15u ^ block) * 0xff51afd7ed558ccdu >>
	       32; /* MurmurHash3's finalizer */
}

static uint32_t *bucket_of(const struct block_cache *c, uint64_t inode, uint64_t block)
{
	return &c->buckets[hash(inode, block) & (c->bucket_count - 1)];
}

void block_cache_note(struct volume *v, uint64_t inode, uint64_t block)
{
	struct block_cache *c = &v->cache;
	uint64_t bits = (uint64_t)c->bucket_count * NOTE_BITS, bit = hash(inode, block) & (bits - 1);
	if (c->noted_count >= bits / 4) {
		memset(c->noted, 0, bits / 8);
		c->noted_count = 0;
	}
	c->noted_count += !(c->noted[bit / 64] >> bit % 64 & 1);
	c->noted[bit / 64] |= (uint64_t)1 << bit % 64;
}

bool block_cache_noted(const struct volume *v, uint64_t inode, uint64_t block)
{
	const struct block_cache *c = &v->cache;
	uint64_t bit = hash(inode, block) & ((uint64_t)c->bucket_count * NOTE_BITS - 1);
	return c->noted[bit / 64] >> bit % 64 & 1;
}

static uint8_t *bytes_of(const struct block_cache *c, uint32_t frame)
{
	return c->memory->base + (size_t)frame * VOLUME_BLOCK_SIZE;
}

static uint32_t frame_of(const struct block_cache *c, const uint8_t *bytes)
{
	return (uint32_t)((size_t)(bytes - c->memory->base) / VOLUME_BLOCK_SIZE);
}

static uint32_t find(const struct block_cache *c, uint64_t inode, uint64_t block)
{
	uint32_t at = *bucket_of(c, inode, block);
	while (at != FRAME_NONE && (c->frames[at].inode != inode || c->frames[at].block != block))
		at = c->frames[at].chain;
	return at;
}

uint8_t *block_cache_find(struct volume *v, uint64_t inode, uint64_t block)
{
	struct block_cache *c = &v->cache;
	uint32_t at = find(c, inode, block);
	if (at == FRAME_NONE) {
		c->misses++;
		return NULL;
	}
	c->hits++;
	c->frames[at].used = 1;
	return bytes_of(c, at);
}

bool block_cache_has(const struct volume *v, uint64_t inode, uint64_t block)
{
	return find(&v->cache, inode, block) != FRAME_NONE;
}

static void release(struct block_cache *c, uint32_t at)
{
	struct frame *f = &c->frames[at];
	uint32_t *link = bucket_of(c, f->inode, f->block);
	while (*link != at)
		link = &c->frames[*link].chain;
	*link = f->chain;
	c->dirty -= f->state == FRAME_DIRTY;
	f->state = FRAME_FREE;
}

/* A frame that is free, or can be; FRAME_NONE: every one is dirty. */
static uint32_t make_free(struct block_cache *c)
{
	if (c->fresh < c->count)
		return c->fresh++;
	for (uint64_t steps = 0; steps < 2 * (uint64_t)c->count; steps++) {
		uint32_t at = c->hand;
		struct frame *f = &c->frames[at];
		c->hand = (c->hand + 1) % c->count;
		if (f->state == FRAME_FREE)
			return at;
		if (f->state == FRAME_CLEAN && !f->used) {
			release(c, at);
			return at;
		}
		f->used = 0;
	}
	return FRAME_NONE;
}

/* A frame for a block that is read for the first time: the one that has been on trial for longest, if it is
 * so still. The place among those on trial is given with it. */
static uint32_t make_trial(struct volume *v, uint16_t *ret_place)
{
	struct block_cache *c = &v->cache;
	uint32_t place = c->trial_next, at = c->trials[place];
	struct frame *f = &c->frames[at];
	c->trial_next = (place + 1) % c->trial_count;
	*ret_place = (uint16_t)(place + 1);
	if (f->trial != *ret_place || f->state == FRAME_DIRTY) {
		at = make_free(c);
		c->trials[place] = at == FRAME_NONE ? 0 : at;
	} else if (f->state == FRAME_CLEAN) {
		block_cache_note(v, f->inode, f->block);
		release(c, at);
	}
	return at;
}

static void occupy(struct block_cache *c, uint32_t at, uint64_t inode, uint64_t block)
{
	uint32_t *bucket = bucket_of(c, inode, block);
	c->frames[at] = (struct frame){.inode = inode,
	                               .block = (uint32_t)block,
	                               .chain = *bucket,
	                               .state = FRAME_CLEAN,
	                               .used = 1};
	*bucket = at;
}

int block_cache_limit(struct volume *v, struct error *err)
{
	return v->cache.dirty > v->cache.dirty_max ? block_cache_flush(v, err) : 0;
}

int block_cache_take(struct volume *v, uint64_t inode, uint64_t block, uint8_t **ret_bytes, struct error *err)
{
	struct block_cache *c = &v->cache;
	uint32_t at = make_free(c);
	if (at == FRAME_NONE)
		return error_set(err, CELLA_EBUG, "every block in a volume's cache waits to be written");
	occupy(c, at, inode, block);
	*ret_bytes = bytes_of(c, at);
	return 0;
}

/* To read it into. */
static int take_for_read(struct volume *v, uint64_t inode, uint64_t block, uint8_t **ret_bytes,
                         struct error *err)
{
	struct block_cache *c = &v->cache;
	uint16_t trial = 0;
	uint32_t at = block_cache_noted(v, inode, block) ? make_free(c) : make_trial(v, &trial);
	if (at == FRAME_NONE)
		return error_set(err, CELLA_EBUG, "every block in a volume's cache waits to be written");
	occupy(c, at, inode, block);
	c->frames[at].trial = trial;
	*ret_bytes = bytes_of(c, at);
	return 0;
}

int block_cache_take_run(struct volume *v, uint64_t inode, uint64_t block, size_t count, uint8_t **ret_bytes,
                         size_t *ret_count, struct error *err)
{
	size_t n = 0;
	while (n < count && n < v->cache.trial_count / 2) {
		if (n && find(&v->cache, inode, block + n) != FRAME_NONE)
			break;
		int rc = take_for_read(v, inode, block + n, &ret_bytes[n], err);
		if (rc < 0 && n == 0)
			return rc;
		if (rc < 0)
			break;
		n++;
	}
	*ret_count = n;
	return 0;
}

void block_cache_set_dirty(struct volume *v, uint8_t *bytes)
{
	struct frame *f = &v->cache.frames[frame_of(&v->cache, bytes)];
	v->cache.dirty += f->state != FRAME_DIRTY;
	f->state = FRAME_DIRTY;
	v->changed = true;
}

void block_cache_drop(struct volume *v, uint64_t inode, uint64_t block)
{
	uint32_t at = find(&v->cache, inode, block);
	if (at != FRAME_NONE)
		release(&v->cache, at);
}

void block_cache_drop_from(struct volume *v, uint64_t inode, uint64_t first, uint64_t end)
{
	struct block_cache *c = &v->cache;
	if (end <= first)
		return;
	if (end - first < c->fresh) {
		for (uint64_t block = first; block < end; block++)
			block_cache_drop(v, inode, block);
		return;
	}
	for (uint32_t at = 0; at < c->fresh; at++) {
		const struct frame *f = &c->frames[at];
		if (f->state != FRAME_FREE && f->inode == inode && f->block >= first && f->block < end)
			release(c, at);
	}
}

/* ---- writing back */

struct place {
	uint64_t inode;
	uint32_t block, frame;
};

static int order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->block < y->block ? -1 : x->block > y->block;
}

/* Blocks in order: seal and write them, then say in the tree where they are. */
static int flush_batch(struct volume *v, const struct place *places, size_t count, struct error *err)
{
	struct block_cache *c = &v->cache;
	const uint8_t *plain[BATCH_BLOCKS];
	struct volume_pointer at[BATCH_BLOCKS];
	for (size_t i = 0; i < count; i++)
		plain[i] = bytes_of(c, places[i].frame);
	int rc = tree_limit(v, err);
	if (rc == 0)
		rc = segment_append(v, VOLUME_KIND_DATA, plain, count, VOLUME_BLOCK_SIZE, at, err);
	for (size_t i = 0, n; rc == 0 && i < count; i += n) {
		for (n = 1; i + n < count && places[i + n].inode == places[i].inode &&
		            places[i + n].block == places[i].block + n;
		     n++)
			;
		rc = block_group_put(v, places[i].inode, places[i].block, n, at + i, err);
	}
	for (size_t i = 0; rc == 0 && i < count; i++) {
		c->frames[places[i].frame].state = FRAME_CLEAN;
		c->dirty--;
	}
	return rc;
}

int block_cache_flush(struct volume *v, struct error *err)
{
	struct block_cache *c = &v->cache;
	size_t count = 0, total = c->dirty;
	if (total == 0)
		return 0;
	struct place *places = malloc(total * sizeof(*places));
	if (!places)
		return error_set(err, CELLA_ENOMEM, "no memory to write %zu blocks of a volume", total);
	for (uint32_t at = 0; at < c->fresh; at++)
		if (c->frames[at].state == FRAME_DIRTY)
			places[count++] = (struct place){c->frames[at].inode, c->frames[at].block, at};
	qsort(places, count, sizeof(*places), order);
	int rc = 0;
	for (size_t done = 0; rc == 0 && done < count; done += BATCH_BLOCKS)
		rc = flush_batch(v, places + done, min_of((size_t)BATCH_BLOCKS, count - done), err);
	free(places);
	return rc;
}
