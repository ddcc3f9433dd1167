/*
 * Segments: files of sealed blocks. Many are read, each under a key of its own; one is written.
 *
 * A place in the segment that is written is used up before anything is sealed for it, whether or not the
 * write succeeds, so that no two plaintexts are ever sealed under one key and nonce. A writer that starts
 * anew begins a new segment for the same reason.
 *
 * Ciphertext is copied from the disk into private memory first and opened there.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "volume/volume_state.h"

static void segment_free(struct volume *v, struct segment *s)
{
	if (s->file)
		v->config.disk.close(v->config.disk.data, s->file);
	for (unsigned i = 0; i < VOLUME_WORKERS_MAX; i++)
		crypto_fixed_free(s->ciphers[i]);
	mem_free(v->pool, s);
}

int segments_init(struct volume *v, struct error *err)
{
	TAILQ_INIT(&v->segments.used);
	v->segments.most = SEGMENTS_OPEN_MAX;
	v->segments.staging = malloc((size_t)v->config.workers * CHUNK_BLOCKS * VOLUME_BLOCK_SIZE);
	return v->segments.staging ? 0 : error_set(err, CELLA_ENOMEM, "no memory for a volume's ciphertext");
}

void segments_done(struct volume *v)
{
	struct segment *s;
	while ((s = TAILQ_FIRST(&v->segments.used))) {
		TAILQ_REMOVE(&v->segments.used, s, link);
		segment_free(v, s);
	}
	map_done(&v->segments.open);
	free(v->segments.staging);
}

static void name_of(uint32_t number, char name[VOLUME_DISK_NAME_MAX])
{
	snprintf(name, VOLUME_DISK_NAME_MAX, VOLUME_FILE_SEGMENT, number);
}

int segment_file_number(const char *name, uint32_t *ret_number)
{
	char expected[VOLUME_DISK_NAME_MAX];
	uint32_t number = (uint32_t)strtoul(name, NULL, 16);
	name_of(number, expected);
	if (number == SEGMENT_NONE || number == SEGMENT_UNWRITTEN || strcmp(name, expected) != 0)
		return CELLA_ENOENT;
	*ret_number = number;
	return 0;
}

/* The header without the zeros that fill its block. */
static void header_write(const struct volume *v, uint32_t number, unsigned key,
                         const uint8_t salt[CRYPTO_SALT_SIZE], uint8_t to[VOLUME_SEGMENT_HEADER_SIZE])
{
	const uint32_t words[] = {VOLUME_SEGMENT_MAGIC, VOLUME_VERSION, number, 0};
	memcpy(to, words, sizeof(words));
	memcpy(to + 16, v->id, VOLUME_ID_SIZE);
	memcpy(to + 32, v->keys[key].id, VOLUME_KEY_ID_SIZE);
	memcpy(to + 40, salt, CRYPTO_SALT_SIZE);
}

static int header_read(const struct volume *v, uint32_t number, const uint8_t block[VOLUME_BLOCK_SIZE],
                       unsigned *ret_key, struct error *err)
{
	uint8_t expected[VOLUME_SEGMENT_HEADER_SIZE];
	if (!bytes_are_zero(block + sizeof(expected), VOLUME_BLOCK_SIZE - sizeof(expected)))
		return error_set(err, CELLA_EAUTH, "the header of segment %08x was changed", number);
	for (unsigned i = 0; i < v->key_count; i++) {
		header_write(v, number, i, block + 40, expected);
		if (memcmp(expected, block, sizeof(expected)) == 0) {
			*ret_key = i;
			return 0;
		}
	}
	return error_set(err, CELLA_EAUTH,
	                 "the header of segment %08x was changed, or it belongs to another volume or key",
	                 number);
}

/* The ciphers for a segment with this header. */
static int make_ciphers(struct volume *v, struct segment *s, const uint8_t header[VOLUME_SEGMENT_HEADER_SIZE],
                        struct error *err)
{
	enum { LABEL_SIZE = sizeof(VOLUME_LABEL_SEGMENT) - 1 };
	uint8_t info[LABEL_SIZE + VOLUME_SEGMENT_HEADER_SIZE];
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	memcpy(info, VOLUME_LABEL_SEGMENT, LABEL_SIZE);
	memcpy(info + LABEL_SIZE, header, VOLUME_SEGMENT_HEADER_SIZE);
	int rc = crypto_derive(v->keys[s->key].deriver, info, sizeof(info), key, err);
	for (unsigned i = 0; rc == 0 && i < v->config.workers; i++)
		rc = crypto_fixed_new(key, &s->ciphers[i], err);
	return rc;
}

/* Close the one that was not used for longest; false: there is none but the one that is written. */
static bool forget_least_used(struct volume *v)
{
	struct segment *last = TAILQ_LAST(&v->segments.used, segment_list);
	if (last && last == v->segments.writing)
		last = TAILQ_PREV(last, segment_list, link);
	if (!last)
		return false;
	segment_forget(v, last->number);
	return true;
}

static int remember(struct volume *v, struct segment *s, struct error *err)
{
	if (map_put(&v->segments.open, s->number, s) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory for one more open segment");
	TAILQ_INSERT_HEAD(&v->segments.used, s, link);
	if (v->segments.open.count > v->segments.most)
		(void)!forget_least_used(v);
	return 0;
}

void segment_forget(struct volume *v, uint32_t number)
{
	struct segment *s = map_take(&v->segments.open, number);
	if (!s)
		return;
	TAILQ_REMOVE(&v->segments.used, s, link);
	segment_free(v, s);
}

static int open_existing(struct volume *v, struct segment *s, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	char name[VOLUME_DISK_NAME_MAX];
	uint8_t block[VOLUME_BLOCK_SIZE];
	size_t size;
	name_of(s->number, name);
	int rc = disk->open(disk->data, name, &s->file, err);
	if (rc == CELLA_ENOENT)
		return error_set(err, CELLA_EAUTH,
		                 "segment %08x is missing: it was removed, or the volume was compacted since "
		                 "it was opened",
		                 s->number);
	if (rc == 0)
		rc = disk->read(disk->data, s->file, 0, block, sizeof(block), &size, err);
	if (rc == 0 && size < sizeof(block))
		return error_set(err, CELLA_EAUTH, "segment %08x was cut: %zu bytes are left of its header",
		                 s->number, size);
	if (rc == 0)
		rc = header_read(v, s->number, block, &s->key, err);
	return rc == 0 ? make_ciphers(v, s, block, err) : rc;
}

static int create_new(struct volume *v, struct segment *s, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	char name[VOLUME_DISK_NAME_MAX];
	uint8_t block[VOLUME_BLOCK_SIZE] = {0}, salt[CRYPTO_SALT_SIZE];
	name_of(s->number, name);
	int rc = crypto_random(salt, sizeof(salt), err);
	if (rc < 0)
		return rc;
	header_write(v, s->number, s->key, salt, block);
	rc = make_ciphers(v, s, block, err);
	if (rc == 0)
		rc = disk->create(disk->data, name, &s->file, err);
	return rc == 0 ? disk->write(disk->data, s->file, 0, block, sizeof(block), err) : rc;
}

typedef int fill_function(struct volume *v, struct segment *s, struct error *err);

static int try_to_make(struct volume *v, uint32_t number, fill_function *fill, struct segment **ret_segment,
                       struct error *err)
{
	struct segment *s = volume_alloc(v, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a segment's keys");
	s->number = number;
	int rc = fill(v, s, err);
	if (rc == 0)
		rc = remember(v, s, err);
	if (rc < 0) {
		segment_free(v, s);
		return rc;
	}
	*ret_segment = s;
	return 0;
}

/* Half of those that are open, from now on: others want descriptors, too. False: there is none to close. */
static bool make_do_with_fewer(struct volume *v)
{
	struct segments *all = &v->segments;
	all->most = all->open.count / 2;
	bool closed = forget_least_used(v);
	while (all->open.count > all->most && forget_least_used(v))
		;
	return closed;
}

/* Where descriptors or memory run out others are closed for it. */
static int segment_make(struct volume *v, uint32_t number, fill_function *fill, struct segment **ret_segment,
                        struct error *err)
{
	int rc = try_to_make(v, number, fill, ret_segment, err);
	while (rc == CELLA_ENOMEM && make_do_with_fewer(v))
		rc = try_to_make(v, number, fill, ret_segment, err);
	return rc;
}

static int segment_find(struct volume *v, uint32_t number, struct segment **ret_segment, struct error *err)
{
	struct segment *s = map_get(&v->segments.open, number);
	if (!s)
		return segment_make(v, number, open_existing, ret_segment, err);
	if (s != TAILQ_FIRST(&v->segments.used)) {
		TAILQ_REMOVE(&v->segments.used, s, link);
		TAILQ_INSERT_HEAD(&v->segments.used, s, link);
	}
	*ret_segment = s;
	return 0;
}

static void nonce_of(uint32_t block, enum volume_block_kind kind, uint8_t nonce[CRYPTO_NONCE_SIZE])
{
	memset(nonce, 0, CRYPTO_NONCE_SIZE);
	memcpy(nonce, &block, sizeof(block));
	nonce[4] = (uint8_t)kind;
}

/* A root ends with its own tag. */
static size_t sealed_size(enum volume_block_kind kind, size_t size)
{
	return kind == VOLUME_KIND_ROOT ? size - CRYPTO_TAG_SIZE : size;
}

/* Numbers are taken in order from the one after the last root's; what a writer left that was never committed,
 * or somebody put there, is passed over. */
static int begin_segment(struct volume *v, struct error *err)
{
	struct segments *all = &v->segments;
	int rc = CELLA_EEXIST;
	for (unsigned tries = 0; rc == CELLA_EEXIST && tries < 1000; tries++) {
		while (map_get(&v->sizes, all->next_number))
			all->next_number++;
		if (all->next_number >= SEGMENT_UNWRITTEN)
			return error_set(err, CELLA_ELIMIT, "the volume has used up all segment numbers");
		rc = segment_make(v, all->next_number++, create_new, &all->writing, err);
	}
	if (rc == 0)
		all->next_block = 1;
	return rc;
}

int segment_sync(struct volume *v, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	if (!v->segments.writing || !v->segments.unsynced)
		return 0;
	int rc = disk->sync(disk->data, v->segments.writing->file, err);
	if (rc < 0) /* what the kernel has dropped it will not report again */
		return volume_break(v, rc, err);
	v->segments.unsynced = false;
	return 0;
}

int segment_close_writing(struct volume *v, struct error *err)
{
	struct segment *s = v->segments.writing;
	int rc = segment_sync(v, err);
	if (rc < 0 || !s)
		return rc;
	/* it may be a block short; where it cannot be noted it counts as full */
	(void)!map_put(&v->sizes, s->number, (void *)(uintptr_t)v->segments.next_block);
	v->segments.writing = NULL;
	return 0;
}

struct append {
	struct volume *v;
	enum volume_block_kind kind;
	const uint8_t *const *plain;
	size_t count, size; /* messages, and bytes of each */
	size_t at_once; /* messages that fit the staging of a worker */
	struct volume_pointer *ret;
	uint32_t block; /* of the first message */
	struct error err;
	atomic_flag failed;
};

static int append_part(void *arg, size_t part, unsigned worker)
{
	struct append *a = arg;
	const struct volume_disk *disk = &a->v->config.disk;
	struct segment *s = a->v->segments.writing;
	uint8_t *staging = a->v->segments.staging + (size_t)worker * CHUNK_BLOCKS * VOLUME_BLOCK_SIZE;
	size_t first = part * a->at_once, count = min_of(a->at_once, a->count - first);
	struct error err = {0};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct volume_pointer *at = &a->ret[first + i];
		uint8_t nonce[CRYPTO_NONCE_SIZE], *to = staging + i * a->size;
		size_t sealed = sealed_size(a->kind, a->size);
		nonce_of(at->block, a->kind, nonce);
		memcpy(to, a->plain[first + i], sealed);
		rc = crypto_fixed_seal(s->ciphers[worker], nonce, to, sealed, at->tag);
		memcpy(to + sealed, at->tag, a->size - sealed);
		if (rc < 0)
			error_fill(&err, rc, "cannot seal a block");
	}
	uint64_t offset = (a->block + first * (a->size / VOLUME_BLOCK_SIZE)) * VOLUME_BLOCK_SIZE;
	if (rc == 0)
		rc = disk->write(disk->data, s->file, offset, staging, count * a->size, &err);
	if (rc < 0 && !atomic_flag_test_and_set(&a->failed))
		a->err = err;
	return rc;
}

/* Into the segment that is written; there is room. */
static int append_here(struct append *a, struct error *err)
{
	struct segments *all = &a->v->segments;
	uint32_t each = (uint32_t)(a->size / VOLUME_BLOCK_SIZE);
	a->block = all->next_block;
	all->next_block += (uint32_t)a->count * each;
	all->unsynced = true;
	for (size_t i = 0; i < a->count; i++)
		a->ret[i] = (struct volume_pointer){.segment = all->writing->number,
		                                    .block = a->block + (uint32_t)i * each};
	atomic_flag_clear(&a->failed);
	int rc = crew_run(a->v->crew, append_part, a, (a->count + a->at_once - 1) / a->at_once);
	return rc < 0 ? error_set(err, rc, "segment %08x: %s", all->writing->number, a->err.text) : 0;
}

int segment_append(struct volume *v, enum volume_block_kind kind, const uint8_t *const *plain, size_t count,
                   size_t size, struct volume_pointer *ret, struct error *err)
{
	struct segments *all = &v->segments;
	uint32_t each = (uint32_t)(size / VOLUME_BLOCK_SIZE);
	for (size_t done = 0; done < count;) {
		int rc = 0;
		if (all->writing && all->next_block + each > VOLUME_SEGMENT_BLOCKS)
			rc = segment_close_writing(v, err);
		if (rc == 0 && !all->writing)
			rc = begin_segment(v, err);
		if (rc < 0)
			return rc;
		struct append a = {.v = v,
		                   .kind = kind,
		                   .plain = plain + done,
		                   .count = min_of(count - done,
		                                   (VOLUME_SEGMENT_BLOCKS - all->next_block) / each),
		                   .size = size,
		                   .at_once = CHUNK_BLOCKS * VOLUME_BLOCK_SIZE / size,
		                   .ret = ret + done};
		rc = append_here(&a, err);
		if (rc < 0)
			return rc;
		done += a.count;
	}
	return 0;
}

/* Messages that follow one another in a segment, each opened where it belongs. */
struct fetch {
	struct volume *v;
	struct segment *segment;
	enum volume_block_kind kind;
	const struct volume_pointer *at;
	size_t size; /* of a message */
	uint8_t *const *to;
	size_t count;
	atomic_size_t bad; /* the first that is refused */
	struct error err;
	atomic_flag failed;
};

/* Do these lie one after another in memory, too? Then they can be read as one. */
static size_t adjacent(uint8_t *const *to, size_t count, size_t size)
{
	size_t n = 1;
	while (n < count && to[n] == to[n - 1] + size)
		n++;
	return n;
}

static int fetch_bytes(struct fetch *f, size_t first, size_t count, struct error *err)
{
	const struct volume_disk *disk = &f->v->config.disk;
	for (size_t i = 0; i < count;) {
		size_t n = adjacent(f->to + first + i, count - i, f->size), got;
		uint64_t offset = (uint64_t)f->at[first + i].block * VOLUME_BLOCK_SIZE;
		int rc = disk->read(disk->data, f->segment->file, offset, f->to[first + i], n * f->size, &got,
		                    err);
		if (rc == 0 && got < n * f->size)
			rc = error_set(err, CELLA_EAUTH, "segment %08x was cut: it ends before block %u",
			               f->segment->number,
			               f->at[first + i].block + (uint32_t)(n * f->size / VOLUME_BLOCK_SIZE) -
			                       1);
		if (rc < 0)
			return rc;
		i += n;
	}
	return 0;
}

static int open_message(struct fetch *f, size_t i, unsigned worker, struct error *err)
{
	uint8_t nonce[CRYPTO_NONCE_SIZE];
	size_t sealed = sealed_size(f->kind, f->size);
	nonce_of(f->at[i].block, f->kind, nonce);
	int rc = crypto_fixed_open(f->segment->ciphers[worker], nonce, f->to[i], sealed, f->at[i].tag);
	if (rc == 0 && memcmp(f->to[i] + sealed, f->at[i].tag, f->size - sealed) != 0)
		rc = CELLA_EAUTH;
	if (rc < 0)
		error_fill(err, rc, "segment %08x, block %u: its bytes were changed", f->segment->number,
		           f->at[i].block);
	return rc;
}

static int fetch_part(void *arg, size_t part, unsigned worker)
{
	struct fetch *f = arg;
	size_t first = part * CHUNK_BLOCKS, count = min_of((size_t)CHUNK_BLOCKS, f->count - first), i = 0;
	struct error err = {0};
	int rc = fetch_bytes(f, first, count, &err);
	for (; rc == 0 && i < count; i++)
		rc = open_message(f, first + i, worker, &err);
	if (rc < 0 && !atomic_flag_test_and_set(&f->failed)) {
		f->err = err;
		f->bad = first + (i ? i - 1 : 0);
	}
	return rc;
}

static int fetch_run(struct fetch *f, struct error *err)
{
	atomic_flag_clear(&f->failed);
	int rc = segment_find(f->v, f->at[0].segment, &f->segment, err);
	if (rc < 0)
		return rc;
	rc = crew_run(f->v->crew, fetch_part, f, (f->count + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS);
	return rc < 0 ? error_set(err, rc, "%s", f->err.text) : 0;
}

int segment_read(struct volume *v, enum volume_block_kind kind, const struct volume_pointer *at, void *to,
                 size_t size, struct error *err)
{
	uint8_t *bytes = to;
	struct fetch f = {.v = v, .kind = kind, .at = at, .size = size, .to = &bytes, .count = 1};
	int rc = fetch_run(&f, err);
	if (rc < 0)
		mem_wipe(to, size);
	return rc;
}

/* Blocks that one another follow on the disk, or that are holes. */
static size_t run_of(const struct volume_pointer *at, size_t count)
{
	size_t n = 1;
	while (n < count && at[n].segment == at[0].segment &&
	       (at[0].segment == SEGMENT_NONE || at[n].block == at[n - 1].block + 1))
		n++;
	return n;
}

int segment_read_data(struct volume *v, const struct volume_pointer *at, size_t count, uint8_t *const *to,
                      size_t *ret_bad, struct error *err)
{
	int rc = 0;
	for (size_t i = 0, n; rc == 0 && i < count; i += n) {
		n = run_of(at + i, count - i);
		if (at[i].segment == SEGMENT_NONE) {
			for (size_t j = 0; j < n; j++)
				memset(to[i + j], 0, VOLUME_BLOCK_SIZE);
			continue;
		}
		struct fetch f = {.v = v,
		                  .kind = VOLUME_KIND_DATA,
		                  .at = at + i,
		                  .size = VOLUME_BLOCK_SIZE,
		                  .to = to + i,
		                  .count = n};
		rc = fetch_run(&f, err);
		if (rc < 0)
			*ret_bad = i + f.bad;
	}
	for (size_t i = 0; rc < 0 && i < count; i++)
		mem_wipe(to[i], VOLUME_BLOCK_SIZE);
	return rc;
}

/* ---- the log as it is found */

static int try_root(struct volume *v, struct volume_pointer at, const uint8_t sealed[VOLUME_BLOCK_SIZE],
                    segment_root_fn *each, void *arg, struct error *err)
{
	enum { SEALED = VOLUME_BLOCK_SIZE - CRYPTO_TAG_SIZE };
	uint8_t nonce[CRYPTO_NONCE_SIZE], block[VOLUME_BLOCK_SIZE] = {0};
	struct segment *s;
	memcpy(at.tag, sealed + SEALED, sizeof(at.tag));
	if (bytes_are_zero(at.tag, sizeof(at.tag)))
		return 0;
	int rc = segment_find(v, at.segment, &s, err); /* `each` may read others meanwhile */
	if (rc < 0)
		return rc;
	memcpy(block, sealed, SEALED);
	nonce_of(at.block, VOLUME_KIND_ROOT, nonce);
	if (crypto_fixed_open(s->ciphers[0], nonce, block, SEALED, at.tag) == 0)
		each(arg, &at, block);
	return 0;
}

/* A segment whose writer ended before its header was on the disk. */
static bool was_not_begun(struct volume *v, uint32_t number)
{
	const struct volume_disk *disk = &v->config.disk;
	char name[VOLUME_DISK_NAME_MAX];
	uint8_t header[VOLUME_BLOCK_SIZE];
	size_t size = 0;
	void *file;
	name_of(number, name);
	if (disk->open(disk->data, name, &file, NULL) < 0)
		return false;
	int rc = disk->read(disk->data, file, 0, header, sizeof(header), &size, NULL);
	disk->close(disk->data, file);
	return rc == 0 && (size < sizeof(header) || bytes_are_zero(header, VOLUME_SEGMENT_HEADER_SIZE));
}

static int read_chunk(struct volume *v, uint32_t number, uint32_t block, size_t *ret_blocks,
                      struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	const uint32_t most = min_of((uint32_t)CHUNK_BLOCKS, VOLUME_SEGMENT_BLOCKS - block);
	struct segment *s;
	size_t got = 0;
	int rc = segment_find(v, number, &s, err);
	if (rc == 0)
		rc = disk->read(disk->data, s->file, (uint64_t)block * VOLUME_BLOCK_SIZE, v->segments.staging,
		                (size_t)most * VOLUME_BLOCK_SIZE, &got, err);
	*ret_blocks = got / VOLUME_BLOCK_SIZE;
	return rc;
}

int segment_each_root(struct volume *v, uint32_t number, uint32_t first, segment_root_fn *each, void *arg,
                      struct error *err)
{
	size_t blocks = 1;
	struct segment *s;
	int rc = segment_find(v, number, &s, err);
	if (rc == CELLA_EAUTH)
		return v->config.writable && v->head_is_unsettled && !was_not_begun(v, number) ? rc : 0;
	for (uint32_t block = first; rc == 0 && blocks && block < VOLUME_SEGMENT_BLOCKS;
	     block += (uint32_t)blocks) {
		rc = read_chunk(v, number, block, &blocks, err);
		for (uint32_t i = 0; rc == 0 && i < blocks; i++) {
			const struct volume_pointer at = {.segment = number, .block = block + i};
			rc = try_root(v, at, v->segments.staging + (size_t)i * VOLUME_BLOCK_SIZE, each, arg,
			              err);
		}
	}
	return rc;
}

int segment_make_durable(struct volume *v, uint32_t number, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	struct segment *s;
	int rc = segment_find(v, number, &s, err);
	if (rc == CELLA_EAUTH) /* nothing that counts is in it */
		return 0;
	return rc == 0 ? disk->sync(disk->data, s->file, err) : rc;
}
