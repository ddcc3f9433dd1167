/*
 * Does a volume do what a plain tree in memory does, whatever is done to it, in whatever order, on a disk
 * that is full at times? Random steps from a seed; the answers and all that can be read are compared.
 *
 * VOLUME_SEED=N and VOLUME_STEPS=N in the environment: other steps, and how many (for hours, by hand).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "fake_disk.h"
#include "volume/volume_state.h"
#include "volume_model.h"
#include "volume_script.h"

enum { KIB = 1 << 10, MIB = 1 << 20, HANDLES = 6, FILE_SIZE_MAX = 3 * MIB, PATH_SIZE = 256 };

static struct mem_pool *pool, *reader_pool;
static const uint8_t key[1][CRYPTO_KEY_SIZE] = {{9}};
static struct error err;
static uint64_t seed, steps;

/* A file that is open: in the volume and in the model. */
struct handle {
	struct volume_file *f; /* NULL: free */
	size_t file;
};

struct state {
	struct fake_world world;
	struct fake_disk *disk;
	struct fake_keeper keeper;
	struct volume_config config;
	struct volume *v, *snapshot;
	struct model *now, *committed, *then; /* `then`: what the snapshot is of */
	struct handle handles[HANDLES];
	uint64_t random, step;
	bool full; /* the disk */
	uint8_t *bytes, *read; /* FILE_SIZE_MAX */
};

#define check(s, call)                                                                     \
	do {                                                                               \
		int rc_ = (call);                                                          \
		if (rc_ < 0)                                                               \
			fail_msg("seed %llu, step %llu: %s: %s", (unsigned long long)seed, \
			         (unsigned long long)(s)->step, #call, err.text);          \
	} while (0)

static uint64_t up_to(struct state *s, uint64_t end)
{
	return fake_random(&s->random) % end;
}

static bool one_in(struct state *s, uint64_t count)
{
	return up_to(s, count) == 0;
}

static void same(struct state *s, const struct model *m, struct volume *v, const char *what)
{
	const char *found = model_difference(m, v);
	if (found)
		fail_msg("seed %llu, step %llu: %s: %s", (unsigned long long)seed,
		         (unsigned long long)s->step, what, found);
}

/* ---- life */

static void set_up(struct state *s, uint64_t salt)
{
	*s = (struct state){.random = seed * 1000 + salt,
	                    .config = {.pool = pool,
	                               .keys = key,
	                               .key_count = 1,
	                               .cache = VOLUME_CACHE_LEAST,
	                               .workers = 2,
	                               .writable = true}};
	s->config.mode = (enum volume_mode)up_to(s, 3);
	s->config.bound_commits = 4;
	s->config.bound_s = 3600;
	s->disk = fake_disk_new(&s->world);
	s->keeper.world = &s->world;
	s->config.disk = fake_disk_interface(s->disk);
	s->config.keeper = fake_keeper_interface(&s->keeper);
	s->now = model_new();
	s->committed = model_copy(s->now);
	s->bytes = malloc(FILE_SIZE_MAX);
	s->read = malloc(FILE_SIZE_MAX);
	print_message("seed %llu, mode %d\n", (unsigned long long)seed, s->config.mode);
	check(s, volume_create(&s->config, &err));
	check(s, volume_open(&s->config, &s->v, &err));
}

static void close_all(struct state *s)
{
	for (size_t i = 0; i < HANDLES; i++) {
		volume_file_close(s->handles[i].f);
		s->handles[i].f = NULL;
	}
	volume_free(s->snapshot);
	s->snapshot = NULL;
	model_free(s->then);
	s->then = NULL;
}

static void tear_down(struct state *s)
{
	close_all(s);
	volume_free(s->v);
	model_free(s->now);
	model_free(s->committed);
	fake_disk_free(s->disk);
	free(s->bytes);
	free(s->read);
}

static void set_full(struct state *s, bool full)
{
	s->full = full;
	fake_disk_set_room(s->disk, full ? 0 : UINT64_MAX);
}

static void commit(struct state *s)
{
	int rc = volume_commit(s->v, &err);
	if (rc == CELLA_ENOSPC && s->full)
		return;
	check(s, rc);
	model_free(s->committed);
	s->committed = model_copy(s->now);
}

/* With what was not committed gone. */
static void reopen(struct state *s)
{
	set_full(s, false);
	close_all(s);
	volume_free(s->v);
	check(s, volume_open(&s->config, &s->v, &err));
	same(s, s->committed, s->v, "opened again");
	model_free(s->now);
	s->now = model_copy(s->committed);
}

static void snap(struct state *s)
{
	if (s->snapshot)
		same(s, s->then, s->snapshot, "a snapshot");
	volume_free(s->snapshot);
	model_free(s->then);
	s->snapshot = NULL;
	check(s, volume_snapshot(s->v, reader_pool, &s->snapshot, &err));
	s->then = model_copy(s->committed);
}

static void verify(struct state *s)
{
	struct volume_counts counts;
	check(s, volume_verify(s->v, NULL, &counts, &err));
	assert_int_equal(counts.damaged, 0);
}

static void compact(struct state *s)
{
	unsigned least = (unsigned)up_to(s, 101);
	int rc = volume_compact(s->v, least, &err);
	if (rc == CELLA_ENOSPC && s->full)
		return;
	check(s, rc);
	model_free(s->committed);
	s->committed = model_copy(s->now);
}

/* What is done now and then to the volume as a whole. */
static void on_volume(struct state *s)
{
	switch (up_to(s, 16)) {
	case 0: reopen(s); break;
	case 1:
	case 2: set_full(s, !s->full); break;
	case 3: snap(s); break;
	case 4: verify(s); break;
	case 5: compact(s); break;
	case 6: same(s, s->now, s->v, "now"); break;
	default: commit(s); break;
	}
}

/* ---- contents of files (fsx) */

static void open_handle(struct state *s, const char *path, bool create)
{
	struct handle *h = &s->handles[up_to(s, HANDLES)];
	size_t file = 0;
	volume_file_close(h->f);
	h->f = NULL;
	int rc = volume_file_open(s->v, path, VOLUME_WRITE | (create ? VOLUME_CREATE : 0) | VOLUME_NO_SYMLINK,
	                          0644, &h->f, &err);
	if (rc == CELLA_ENOSPC && s->full)
		return;
	if (rc == CELLA_ELIMIT) /* a symlink, which the model takes for a file */
		return;
	int expected = model_open(s->now, path, create, &file);
	if (rc != expected)
		fail_msg("seed %llu, step %llu: open %s: %d, not %d", (unsigned long long)seed,
		         (unsigned long long)s->step, path, rc, expected);
	h->file = file;
}

/* About borders of blocks, half of the time. */
static size_t offset_in(struct state *s, size_t end)
{
	size_t at = (size_t)up_to(s, end);
	if (one_in(s, 2))
		at -= at % (4 * KIB);
	return at;
}

static size_t length(struct state *s)
{
	static const size_t scales[] = {1, 100, 3 * KIB, 4 * KIB, 20 * KIB, 100 * KIB, 700 * KIB};
	size_t scale = scales[up_to(s, sizeof(scales) / sizeof(scales[0]))],
	       size = (size_t)up_to(s, scale) + 1;
	if (size > 4 * KIB && one_in(s, 2))
		size -= size % (4 * KIB);
	return size;
}

static void fill(struct state *s, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = s->step << 24 | i;
		memcpy(s->bytes + i, &word, min_of(sizeof(word), size - i));
	}
}

/* A write that failed may have done a part: it is asked for again, with room. */
static void write_some(struct state *s, struct handle *h, size_t at, size_t size)
{
	fill(s, size);
	int rc = volume_file_write(h->f, at, s->bytes, size, &err);
	if (rc == CELLA_ENOSPC && s->full) {
		set_full(s, false);
		rc = volume_file_write(h->f, at, s->bytes, size, &err);
	}
	check(s, rc);
	model_write(s->now, h->file, at, s->bytes, size);
}

/* What a failed write has not touched is what it was, the file's end included. */
static void fail_to_write(struct state *s, struct handle *h, size_t at, size_t size)
{
	size_t old_size, got;
	const uint8_t *old = model_bytes(s->now, h->file, &old_size);
	fill(s, size);
	if (volume_file_write(h->f, at, s->bytes, size, &err) == 0) {
		model_write(s->now, h->file, at, s->bytes, size);
		return;
	}
	struct volume_stat st;
	volume_file_stat(h->f, &st);
	assert_int_equal(st.size, old_size);
	check(s, volume_file_read(h->f, 0, s->read, FILE_SIZE_MAX, &got, &err));
	assert_int_equal(got, old_size);
	for (size_t i = 0; i < got; i++) {
		bool within = i >= at && i < at + size;
		if (s->read[i] != old[i] && !(within && s->read[i] == s->bytes[i - at]))
			fail_msg("seed %llu, step %llu: byte %zu after a write of %zu at %zu that failed",
			         (unsigned long long)seed, (unsigned long long)s->step, i, size, at);
	}
	model_write(s->now, h->file, 0, s->read, got);
}

static void read_some(struct state *s, struct handle *h, size_t at, size_t size)
{
	size_t end, got;
	const uint8_t *bytes = model_bytes(s->now, h->file, &end);
	check(s, volume_file_read(h->f, at, s->read, size, &got, &err));
	size_t expected = at >= end ? 0 : min_of(size, end - at);
	assert_int_equal(got, expected);
	if (got && memcmp(s->read, bytes + at, got) != 0)
		fail_msg("seed %llu, step %llu: read of %zu bytes at %zu of %zu", (unsigned long long)seed,
		         (unsigned long long)s->step, size, at, end);
}

static void truncate_some(struct state *s, struct handle *h)
{
	size_t size = one_in(s, 8) ? 0 : offset_in(s, FILE_SIZE_MAX);
	int rc = volume_file_truncate(h->f, size, &err);
	if (rc == CELLA_ENOSPC && s->full)
		return; /* and nothing happened */
	check(s, rc);
	model_truncate(s->now, h->file, size);
}

/* No data where it says that there is a hole. */
static void seek(struct state *s, struct handle *h)
{
	size_t end, at = offset_in(s, FILE_SIZE_MAX);
	uint64_t data, hole;
	const uint8_t *bytes = model_bytes(s->now, h->file, &end);
	int rc = volume_file_seek_data(h->f, at, &data, &hole, &err);
	if (rc == CELLA_ENOSPC && s->full)
		return;
	check(s, rc);
	assert_true(data <= end && hole <= end && data <= hole);
	for (size_t i = at; i < data; i++)
		assert_int_equal(bytes[i], 0);
}

static void on_file(struct state *s)
{
	struct handle *h = &s->handles[up_to(s, HANDLES)];
	if (!h->f)
		return;
	size_t at = offset_in(s, one_in(s, 2) ? 300 * KIB : FILE_SIZE_MAX - 700 * KIB), size = length(s);
	switch (up_to(s, 8)) {
	case 0: truncate_some(s, h); break;
	case 1: seek(s, h); break;
	case 2:
	case 3:
	case 4: read_some(s, h, at, size); break;
	default:
		if (s->full && one_in(s, 2))
			fail_to_write(s, h, at, size);
		else
			write_some(s, h, at, size);
	}
}

static void files_hold_what_was_written(void **unused)
{
	struct state s;
	(void)unused;
	set_up(&s, 1);
	for (s.step = 0; s.step < steps; s.step++) {
		if (one_in(&s, 60))
			on_volume(&s);
		else if (one_in(&s, 30) || !s.handles[0].f)
			open_handle(&s, one_in(&s, 3) ? "second" : "first", true);
		else
			on_file(&s);
	}
	reopen(&s);
	tear_down(&s);
}

/* ---- names (fsstress) */

/* Few names, so that they meet; in directories that are there, mostly. */
static void some_path(struct state *s, char path[PATH_SIZE])
{
	size_t size = 0, depth = (size_t)up_to(s, 3);
	for (size_t d = 0; d < depth; d++)
		size += (size_t)snprintf(path + size, PATH_SIZE - size, "dir%u/", (unsigned)up_to(s, 4));
	if (one_in(s, 4))
		snprintf(path + size, PATH_SIZE - size, "dir%u", (unsigned)up_to(s, 4));
	else
		snprintf(path + size, PATH_SIZE - size, "%s%u",
		         one_in(s, 2) ? "n" : "a name that is rather long ", (unsigned)up_to(s, 40));
}

static void any_path(struct state *s, char path[PATH_SIZE])
{
	do
		some_path(s, path);
	while (model_passes_symlink(s->now, path));
}

static int in_volume(struct state *s, unsigned what, const char *a, const char *b)
{
	switch (what) {
	case 0: return volume_mkdir(s->v, a, 0755, &err);
	case 1: return volume_rmdir(s->v, a, &err);
	case 2: return volume_unlink(s->v, a, &err);
	case 3: return volume_rename(s->v, a, b, &err);
	case 4: return volume_link(s->v, a, b, &err);
	default: return volume_symlink(s->v, a, b, &err);
	}
}

static int in_model(struct state *s, unsigned what, const char *a, const char *b)
{
	switch (what) {
	case 0: return model_mkdir(s->now, a);
	case 1: return model_remove(s->now, a, true);
	case 2: return model_remove(s->now, a, false);
	case 3: return model_rename(s->now, a, b);
	case 4: return model_link(s->now, a, b);
	default: return model_symlink(s->now, a, b);
	}
}

static void on_names(struct state *s)
{
	static const unsigned mix[] = {0, 1, 2, 2, 3, 3, 3, 4, 5};
	unsigned what = mix[up_to(s, sizeof(mix) / sizeof(mix[0]))];
	char a[PATH_SIZE], b[PATH_SIZE];
	any_path(s, a);
	any_path(s, b);
	int rc = in_volume(s, what, a, b);
	if (rc == CELLA_ENOSPC && s->full)
		return;
	int expected = in_model(s, what, a, b);
	if (rc != expected)
		fail_msg("seed %llu, step %llu: operation %u on %s and %s: %d, not %d",
		         (unsigned long long)seed, (unsigned long long)s->step, what, a, b, rc, expected);
}

static void names_lead_where_they_should(void **unused)
{
	struct state s;
	(void)unused;
	set_up(&s, 2);
	for (s.step = 0; s.step < steps; s.step++) {
		char path[PATH_SIZE];
		if (one_in(&s, 60)) {
			on_volume(&s);
		} else if (one_in(&s, 4)) {
			any_path(&s, path);
			open_handle(&s, path, one_in(&s, 2));
		} else if (one_in(&s, 6)) {
			struct handle *h = &s.handles[up_to(&s, HANDLES)];
			if (h->f)
				write_some(&s, h, (size_t)up_to(&s, 3000), (size_t)up_to(&s, 3000) + 1);
		} else {
			on_names(&s);
		}
	}
	reopen(&s);
	verify(&s);
	tear_down(&s);
}

/* Many names, so that the tree has some levels, and most of them go again. */
static void a_large_directory_grows_and_shrinks(void **unused)
{
	struct state s;
	char path[PATH_SIZE];
	const unsigned count = 6000 / (unsigned)(volume_part() > 4 ? 4 : volume_part());
	(void)unused;
	set_up(&s, 3);
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%08x and so on, as names that are long fill nodes %0*u",
		         (unsigned)(i * 2654435761u), (int)up_to(&s, 100) + 1, i);
		check(&s, volume_mkdir(s.v, path, 0755, &err));
		assert_int_equal(model_mkdir(s.now, path), 0);
		s.step++;
	}
	commit(&s);
	same(&s, s.now, s.v, "grown");
	struct volume_entry entry = {0};
	for (unsigned i = 0; i < count - 10; i++) {
		if (volume_next(s.v, "", one_in(&s, 100) ? "" : entry.name, &entry, &err) == CELLA_ENOENT)
			check(&s, volume_next(s.v, "", "", &entry, &err));
		check(&s, volume_rmdir(s.v, entry.name, &err));
		assert_int_equal(model_remove(s.now, entry.name, true), 0);
		if (one_in(&s, 1000))
			commit(&s);
	}
	commit(&s);
	reopen(&s);
	verify(&s);
	tear_down(&s);
}

/* ---- a full disk */

static void write_at(struct state *s, const char *path, uint64_t at, size_t size)
{
	struct volume_file *f;
	memset(s->bytes, 0x5a, size);
	check(s, volume_file_open(s->v, path, VOLUME_WRITE | VOLUME_CREATE, 0644, &f, &err));
	check(s, volume_file_write(f, at, s->bytes, size, &err));
	volume_file_close(f);
}

static void what_is_there_can_be_read_from_a_full_disk(void **unused)
{
	struct state s;
	struct volume_file *f;
	size_t got, refused = 0;
	(void)unused;
	set_up(&s, 4);
	write_at(&s, "changed", 0, 900 * KIB);
	write_at(&s, "read", 0, MIB);
	check(&s, volume_commit(s.v, &err));
	set_full(&s, true);
	check(&s, volume_file_open(s.v, "changed", VOLUME_WRITE, 0, &f, &err));
	for (size_t block = 0; block < 225; block++) {
		check(&s, volume_file_read(f, block * 4 * KIB, s.read, 4 * KIB, &got, &err));
		int rc = volume_file_write(f, block * 4 * KIB, "x", 1, &err);
		assert_true(rc == 0 || rc == CELLA_ENOSPC);
		refused += rc < 0;
	}
	assert_true(refused > 0);
	volume_file_close(f);
	check(&s, volume_file_open(s.v, "read", 0, 0, &f, &err));
	memset(s.bytes, 0x5a, MIB);
	for (size_t at = 0; at < MIB; at += 10000) {
		check(&s, volume_file_read(f, at, s.read, 10000, &got, &err));
		assert_memory_equal(s.read, s.bytes + at, got);
	}
	volume_file_close(f);
	tear_down(&s);
}

enum { SPARSE_FILES = 60, SPARSE_GROUPS = 30, SMALL_FILES = 5000 };

/* Names and inodes are changed until what is in memory has to be written, but cannot be. */
static void no_change_stops_half_way_on_a_full_disk(void **unused)
{
	struct state s;
	char path[PATH_SIZE];
	struct volume_counts counts;
	unsigned left = SPARSE_FILES, refused = 0, small = 0;
	(void)unused;
	set_up(&s, 5);
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		snprintf(path, sizeof(path), "small%u", i);
		write_at(&s, path, 0, 2000);
	}
	for (unsigned i = 0; i < SPARSE_FILES * SPARSE_GROUPS; i++) {
		snprintf(path, sizeof(path), "sparse%u", i / SPARSE_GROUPS);
		write_at(&s, path, (i % SPARSE_GROUPS * 64ull + 63) * 4 * KIB, 100);
	}
	check(&s, volume_commit(s.v, &err));
	for (unsigned sparse = 0; sparse < SPARSE_FILES; sparse++) {
		set_full(&s, true);
		/* up to a few nodes below what may be in memory only, and then a change of several */
		while (s.v->tree.dirty_count + sparse % 8 < NODES_DIRTY_MAX) {
			snprintf(path, sizeof(path), "small%u", small++ % SMALL_FILES);
			check(&s, volume_set_mode(s.v, path, 0600, &err));
		}
		snprintf(path, sizeof(path), "sparse%u", sparse);
		int rc = volume_unlink(s.v, path, &err);
		assert_true(rc == 0 || rc == CELLA_ENOSPC);
		left -= rc == 0;
		refused += volume_mkdir(s.v, "small0/not", 0755, &err) == CELLA_ENOSPC;
		set_full(&s, false);
		check(&s, volume_commit(s.v, &err));
	}
	assert_true(refused > 0);
	set_full(&s, false);
	check(&s, volume_commit(s.v, &err));
	check(&s, volume_verify(s.v, NULL, &counts, &err));
	assert_int_equal(counts.damaged, 0);
	assert_int_equal(counts.files, SMALL_FILES + left);
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_hold_what_was_written),
		cmocka_unit_test(names_lead_where_they_should),
		cmocka_unit_test(a_large_directory_grows_and_shrinks),
		cmocka_unit_test(what_is_there_can_be_read_from_a_full_disk),
		cmocka_unit_test(no_change_stops_half_way_on_a_full_disk),
	};
	const char *other = getenv("VOLUME_SEED"), *more = getenv("VOLUME_STEPS");
	seed = other ? strtoull(other, NULL, 10) : 1;
	steps = more ? strtoull(more, NULL, 10) : 20000;
	if (mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &pool, NULL) < 0 ||
	    mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &reader_pool, NULL) < 0 || crypto_init(pool, NULL) < 0)
		return 1;
	mem_set_process_pool(pool);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
