/* Do volumes keep what is written to them, from one opening to the next, and refuse who may not write? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include "volume/tree_state.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

static struct mem_pool *pool;
static const uint8_t key[1][CRYPTO_KEY_SIZE] = {{1, 2, 3}};
static struct error err;

#define assert_ok(call)                                               \
	do {                                                          \
		int rc_ = (call);                                     \
		if (rc_ < 0)                                          \
			fail_msg("%s: %d: %s", #call, rc_, err.text); \
	} while (0)

/* A volume in a directory of its own. */
struct place {
	char directory[64];
	char root[80];
	struct volume_config config;
};

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	snprintf(p->directory, sizeof(p->directory), "/tmp/test_volume.XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->root, sizeof(p->root), "%s.root", p->directory);
	p->config = (struct volume_config){.pool = pool,
	                                   .keys = key,
	                                   .key_count = 1,
	                                   .cache = 2 * MIB,
	                                   .writable = true};
	assert_ok(volume_disk_directory(open(p->directory, O_RDONLY | O_DIRECTORY), &p->config.disk, &err));
	assert_ok(volume_keeper_file(p->root, &p->config.keeper, &err));
	assert_ok(volume_create(&p->config, &err));
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	volume_disk_directory_free(&p->config.disk);
	volume_keeper_file_free(&p->config.keeper);
	nftw(p->directory, remove_file, 8, FTW_DEPTH | FTW_PHYS);
	unlink(p->root);
	free(p);
	return 0;
}

static void write_file(struct volume *v, const char *path, uint64_t offset, const void *bytes, size_t size)
{
	struct volume_file *f;
	assert_ok(volume_file_open(v, path, VOLUME_WRITE | VOLUME_CREATE, 0644, &f, &err));
	assert_ok(volume_file_write(f, offset, bytes, size, &err));
	volume_file_close(f);
}

static void check_file(struct volume *v, const char *path, uint64_t offset, const void *bytes, size_t size)
{
	struct volume_file *f;
	size_t got;
	uint8_t *read = malloc(size + 1);
	assert_ok(volume_file_open(v, path, 0, 0, &f, &err));
	assert_ok(volume_file_read(f, offset, read, size, &got, &err));
	assert_int_equal(got, size);
	assert_memory_equal(read, bytes, size);
	volume_file_close(f);
	free(read);
}

/* The block at this place of the newest segment but the header's, changed in one bit. */
static void flip(const struct place *p, unsigned segment, off_t at)
{
	char path[128];
	uint8_t byte;
	snprintf(path, sizeof(path), "%s/%08x.segment", p->directory, segment);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* Sizes about the borders of inodes, blocks, groups and runs that pass the cache by. */
static const size_t sizes[] = {0,    1,     2047,  2048,   2049,   4095,    4096,    4097,
                               8192, 65536, 69632, 262143, 262144, 1048577, 3000000, 9000001};

static void files_of_all_sizes_come_back(void **state)
{
	struct place *p = *state;
	struct volume *v;
	uint8_t *bytes = malloc(sizes[sizeof(sizes) / sizeof(sizes[0]) - 1]);
	for (size_t i = 0; i < 9000001; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	for (int round = 0; round < 2; round++) {
		assert_ok(volume_open(&p->config, &v, &err));
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char path[32];
			snprintf(path, sizeof(path), "file-%zu", sizes[i]);
			if (round == 0)
				write_file(v, path, 0, bytes, sizes[i]);
			check_file(v, path, 0, bytes, sizes[i]);
		}
		if (round == 0)
			assert_ok(volume_commit(v, &err));
		volume_free(v);
	}
	free(bytes);
}

static void what_was_not_committed_is_gone(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct volume_stat st;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "kept", 0, "first", 5);
	assert_ok(volume_commit(v, &err));
	write_file(v, "kept", 0, "other", 5);
	write_file(v, "lost", 0, "x", 1);
	volume_free(v);
	assert_ok(volume_open(&p->config, &v, &err));
	check_file(v, "kept", 0, "first", 5);
	assert_int_equal(volume_stat(v, "lost", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
	volume_free(v);
}

static void holes_read_as_zeros(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct volume_file *f;
	static const uint8_t zeros[64 * KIB];
	uint64_t data, hole;
	const uint64_t far = (uint64_t)1 << 40; /* a file of 1 TiB */
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "sparse", far, "end", 3);
	check_file(v, "sparse", far, "end", 3);
	check_file(v, "sparse", far / 2, zeros, sizeof(zeros));
	assert_ok(volume_file_open(v, "sparse", VOLUME_WRITE, 0, &f, &err));
	assert_ok(volume_file_seek_data(f, 5, &data, &hole, &err));
	assert_int_equal(data, far);
	assert_int_equal(hole, far + 3);
	assert_ok(volume_file_truncate(f, far + 1, &err));
	assert_ok(volume_file_truncate(f, far + 3, &err));
	volume_file_close(f);
	check_file(v, "sparse", far, "e\0\0", 3);
	volume_free(v);
}

static void names_behave_as_posix_has_them(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct volume_stat st;
	struct volume_file *f;
	struct volume_entry entry;
	char target[VOLUME_PATH_MAX];
	size_t got;
	char byte;
	assert_ok(volume_open(&p->config, &v, &err));
	assert_ok(volume_mkdir(v, "a", 0755, &err));
	assert_ok(volume_mkdir(v, "a/b", 0755, &err));
	assert_int_equal(volume_mkdir(v, "a", 0755, &err), CELLA_EEXIST);
	assert_int_equal(volume_mkdir(v, "x/y", 0755, &err), CELLA_ENOENT);
	write_file(v, "a/b/f", 0, "1", 1);
	assert_int_equal(volume_mkdir(v, "a/b/f/g", 0755, &err), CELLA_ENOTDIR);
	assert_int_equal(volume_rmdir(v, "a", &err), CELLA_ENOTEMPTY);
	assert_int_equal(volume_unlink(v, "a", &err), CELLA_EISDIR);
	assert_int_equal(volume_rename(v, "a", "a/b/c", &err), CELLA_EINVAL);
	assert_ok(volume_symlink(v, "../a/b", "a/s", &err));
	check_file(v, "a/s/f", 0, "1", 1);
	assert_ok(volume_readlink(v, "a/s", target, &err));
	assert_string_equal(target, "../a/b");
	assert_ok(volume_symlink(v, "../../etc", "a/out", &err));
	assert_int_equal(volume_stat(v, "a/out/passwd", VOLUME_FOLLOW, &st, &err), CELLA_EPERM);
	assert_ok(volume_symlink(v, "/etc", "a/absolute", &err));
	assert_int_equal(volume_stat(v, "a/absolute", VOLUME_FOLLOW, &st, &err), CELLA_EPERM);
	assert_ok(volume_symlink(v, "loop", "loop", &err));
	assert_int_equal(volume_stat(v, "loop", VOLUME_FOLLOW, &st, &err), CELLA_ELIMIT);
	assert_int_equal(volume_stat(v, "..", VOLUME_FOLLOW, &st, &err), CELLA_EPERM);
	assert_ok(volume_stat(v, "a/b/../..", VOLUME_FOLLOW, &st, &err));
	assert_int_equal(st.inode, 1);
	assert_ok(volume_link(v, "a/b/f", "second", &err));
	assert_ok(volume_stat(v, "second", VOLUME_FOLLOW, &st, &err));
	assert_int_equal(st.links, 2);
	write_file(v, "g", 0, "2", 1);
	assert_ok(volume_rename(v, "g", "second", &err));
	check_file(v, "second", 0, "2", 1);
	check_file(v, "a/b/f", 0, "1", 1);
	assert_ok(volume_file_open(v, "second", 0, 0, &f, &err));
	assert_ok(volume_unlink(v, "second", &err));
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_file_read(f, 0, &byte, 1, &got, &err));
	assert_int_equal(byte, '2');
	volume_file_close(f);
	assert_ok(volume_next(v, "", "a", &entry, &err));
	assert_string_equal(entry.name, "loop");
	assert_int_equal(volume_next(v, "", "loop", &entry, &err), CELLA_ENOENT);
	volume_free(v);
}

static void of_two_writers_one_is_fenced_off(void **state)
{
	struct place *p = *state;
	struct volume_config second = p->config;
	struct volume *a, *b;
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	assert_ok(volume_open(&p->config, &a, &err));
	assert_int_equal(volume_open(&second, &b, &err), CELLA_EAGAIN);
	second.take_over = true;
	assert_ok(volume_open(&second, &b, &err));
	write_file(a, "a", 0, "a", 1);
	write_file(b, "b", 0, "b", 1);
	assert_int_equal(volume_commit(a, &err), CELLA_EFENCED);
	assert_int_equal(volume_mkdir(a, "late", 0755, &err), CELLA_EFENCED);
	assert_ok(volume_commit(b, &err));
	check_file(b, "b", 0, "b", 1);
	volume_free(a);
	volume_free(b);
	volume_keeper_file_free(&second.keeper);
}

/* Also when the one that was taken over ends, and takes what it held with it. */
static void who_took_over_is_taken_over_by_nobody_unasked(void **state)
{
	struct place *p = *state;
	struct volume_config second = p->config, third = p->config;
	struct volume *a, *b, *c;
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	assert_ok(volume_keeper_file(p->root, &third.keeper, &err));
	second.take_over = true;
	assert_ok(volume_open(&p->config, &a, &err));
	assert_ok(volume_open(&second, &b, &err));
	volume_free(a);
	assert_int_equal(volume_open(&third, &c, &err), CELLA_EAGAIN);
	write_file(b, "b", 0, "b", 1);
	assert_ok(volume_commit(b, &err));
	assert_int_equal(volume_open(&third, &c, &err), CELLA_EAGAIN);
	volume_free(b);
	assert_ok(volume_open(&third, &c, &err));
	check_file(c, "b", 0, "b", 1);
	volume_free(c);
	volume_keeper_file_free(&second.keeper);
	volume_keeper_file_free(&third.keeper);
}

/* Far behind the keeper; what it committed is found in every mode, and a writer that was taken over learns it
 * from the volume itself. */
static void a_keeper_that_lags_loses_nothing(void **state)
{
	struct place *p = *state;
	struct volume_config lagging = p->config, second = p->config, reader = p->config;
	struct volume *a, *b, *c;
	lagging.mode = VOLUME_BOUNDED;
	lagging.bound_commits = lagging.bound_s = 1000;
	reader.writable = false;
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	assert_ok(volume_open(&lagging, &a, &err));
	write_file(a, "a", 0, "a", 1);
	assert_ok(volume_commit(a, &err));
	assert_ok(volume_open(&reader, &c, &err));
	check_file(c, "a", 0, "a", 1);
	volume_free(c);

	second.mode = VOLUME_BOUNDED;
	second.bound_commits = second.bound_s = 1000;
	second.take_over = true;
	assert_ok(volume_open(&second, &b, &err));
	write_file(b, "b", 0, "b", 1);
	assert_ok(volume_commit(b, &err));
	write_file(a, "late", 0, "a", 1);
	assert_int_equal(volume_commit(a, &err), CELLA_EFENCED);
	assert_ok(volume_open(&reader, &c, &err));
	check_file(c, "a", 0, "a", 1);
	check_file(c, "b", 0, "b", 1);
	volume_free(c);
	volume_free(a);
	volume_free(b);
	volume_keeper_file_free(&second.keeper);
}

/* So that of several readers none is elsewhere, whatever the disk shows to each. */
static void who_asks_for_the_keepers_root_gets_no_other(void **state)
{
	struct place *p = *state;
	struct volume_config exact = p->config, second = p->config;
	struct volume *v, *e;
	struct volume_stat st;
	exact.exact = true;
	exact.writable = false;
	p->config.mode = VOLUME_OFFLINE;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "f", 0, "1", 1);
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_publish(v, &err));
	write_file(v, "f", 0, "2", 1);
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_open(&exact, &e, &err));
	check_file(e, "f", 0, "1", 1);
	volume_free(e);
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	second.take_over = second.exact = true;
	assert_int_equal(volume_open(&second, &e, &err), CELLA_EAGAIN);
	assert_non_null(strstr(err.text, "compact"));
	second.exact = false;
	assert_ok(volume_open(&second, &e, &err));
	check_file(e, "f", 0, "2", 1);
	volume_free(e);
	second.exact = true;
	assert_ok(volume_open(&second, &e, &err));
	check_file(e, "f", 0, "2", 1);
	assert_int_equal(volume_stat(e, "none", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
	volume_free(e);
	volume_keeper_file_free(&second.keeper);
	volume_free(v);
}

static void a_writer_does_not_drop_what_it_cannot_follow(void **state)
{
	struct place *p = *state;
	struct volume_config reader = p->config, second = p->config;
	struct volume *v, *r;
	struct volume_stat st;
	reader.writable = false;
	p->config.mode = VOLUME_OFFLINE;
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	second.take_over = true;
	assert_ok(volume_open(&p->config, &v, &err));
	for (char name[2] = "a"; name[0] < 'd'; name[0]++) {
		write_file(v, name, 0, name, 1);
		assert_ok(volume_commit(v, &err));
	}
	struct volume_pointer at;
	memcpy(&at, v->root.before + sizeof(uint64_t), sizeof(at)); /* not the last, but on the way to it */
	flip(p, at.segment, (off_t)at.block * VOLUME_BLOCK_SIZE);
	assert_ok(volume_open(&reader, &r, &err));
	assert_int_equal(volume_stat(r, "a", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
	volume_free(r);
	assert_int_equal(volume_open(&second, &r, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "\"head\" leads to commit 4"));
	flip(p, at.segment, (off_t)at.block * VOLUME_BLOCK_SIZE);
	assert_ok(volume_open(&second, &r, &err));
	check_file(r, "c", 0, "c", 1);
	volume_free(r);
	volume_free(v);
	volume_keeper_file_free(&second.keeper);
}

/* It knows nothing of that until it asks the keeper, and it has nothing to tell it. */
static void a_writer_that_was_taken_over_leaves_the_hint(void **state)
{
	struct place *p = *state;
	struct volume_config second = p->config, reader = p->config;
	struct volume *a, *b, *c;
	second.mode = VOLUME_OFFLINE;
	second.take_over = true;
	reader.writable = false;
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	assert_ok(volume_open(&p->config, &a, &err));
	write_file(a, "a", 0, "a", 1);
	assert_ok(volume_commit(a, &err));
	assert_ok(volume_open(&second, &b, &err));
	write_file(b, "b", 0, "b", 1);
	assert_ok(volume_commit(b, &err));
	volume_free(a);
	assert_ok(volume_open(&reader, &c, &err));
	check_file(c, "a", 0, "a", 1);
	check_file(c, "b", 0, "b", 1);
	volume_free(c);
	volume_free(b);
	volume_keeper_file_free(&second.keeper);
}

/* The root file was lost, so that a new one counts from 1; or somebody wrote into the hint. */
static void a_larger_token_in_the_hint_fences_nobody(void **state)
{
	struct place *p = *state;
	struct volume *v;
	char path[128];
	for (unsigned i = 0; i < 4; i++) {
		assert_ok(volume_open(&p->config, &v, &err));
		write_file(v, "f", i, "x", 1);
		assert_ok(volume_commit(v, &err));
		volume_free(v);
	}
	unlink(p->root);
	p->config.any_copy = true;
	p->config.mode = VOLUME_OFFLINE;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "f", 4, "x", 1);
	assert_ok(volume_commit(v, &err));
	snprintf(path, sizeof(path), "%s/head", p->directory);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, VOLUME_REFERENCE_SIZE), 8);
	close(fd);
	write_file(v, "f", 5, "x", 1);
	assert_ok(volume_commit(v, &err));
	volume_free(v);
	p->config.any_copy = false;
	assert_ok(volume_open(&p->config, &v, &err));
	check_file(v, "f", 0, "xxxxxx", 6);
	volume_free(v);
}

static void a_snapshot_stays_as_it_is(void **state)
{
	struct place *p = *state;
	struct volume *v, *s;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "f", 0, "old", 3);
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_snapshot(v, pool, &s, &err));
	write_file(v, "f", 0, "new", 3);
	assert_ok(volume_commit(v, &err));
	check_file(s, "f", 0, "old", 3);
	check_file(v, "f", 0, "new", 3);
	assert_int_equal(volume_mkdir(s, "d", 0755, &err), CELLA_EROFS);
	volume_free(s);
	volume_free(v);
}

/* Many files, of which most are removed again; `count` files of 5 KiB. */
static void fill(struct volume *v, unsigned count, unsigned keep_every)
{
	uint8_t bytes[5 * KIB];
	char path[32];
	assert_ok(volume_mkdir(v, "d", 0755, &err));
	for (unsigned i = 0; i < count; i++) {
		memset(bytes, (int)i, sizeof(bytes));
		snprintf(path, sizeof(path), "d/%u", i);
		write_file(v, path, 0, bytes, sizeof(bytes));
	}
	assert_ok(volume_commit(v, &err));
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "d/%u", i);
		if (i % keep_every)
			assert_ok(volume_unlink(v, path, &err));
	}
	assert_ok(volume_commit(v, &err));
}

static void check_filled(struct volume *v, unsigned count, unsigned keep_every)
{
	uint8_t bytes[5 * KIB];
	char path[32];
	for (unsigned i = 0; i < count; i += keep_every) {
		memset(bytes, (int)i, sizeof(bytes));
		snprintf(path, sizeof(path), "d/%u", i);
		check_file(v, path, 0, bytes, sizeof(bytes));
	}
}

static void compacting_frees_what_is_dead(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct volume_info before, after;
	struct volume_counts counts;
	assert_ok(volume_open(&p->config, &v, &err));
	fill(v, 4000, 50);
	assert_ok(volume_info(v, &before, &err));
	assert_true(before.dead > 20 * MIB);
	assert_ok(volume_compact(v, 50, &err));
	assert_ok(volume_info(v, &after, &err));
	assert_true(after.stored < 2 * MIB);
	check_filled(v, 4000, 50);
	volume_free(v);
	assert_ok(volume_open(&p->config, &v, &err));
	check_filled(v, 4000, 50);
	assert_ok(volume_verify(v, NULL, &counts, &err));
	assert_int_equal(counts.damaged, 0);
	assert_int_equal(counts.files, 80);
	volume_free(v);
}

static void what_readers_need_is_removed_when_they_have_ended(void **state)
{
	struct place *p = *state;
	struct volume_config reader = p->config;
	struct volume *v, *r;
	struct volume_info info;
	uint8_t *bytes = calloc(1, 4 * MIB);
	reader.writable = false;
	assert_ok(volume_keeper_file(p->root, &reader.keeper, &err));
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "f", 0, bytes, 4 * MIB);
	assert_ok(volume_commit(v, &err));
	volume_free(v);
	assert_ok(volume_open(&reader, &r, &err));
	assert_ok(volume_open(&p->config, &v, &err));
	assert_ok(volume_unlink(v, "f", &err));
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_compact(v, 0, &err));
	assert_ok(volume_info(v, &info, &err));
	assert_true(info.held > 0 && info.stored > 4 * MIB);
	check_file(r, "f", 0, bytes, 4 * MIB); /* of segments that it had not opened yet */
	volume_free(r);
	assert_ok(volume_mkdir(v, "d", 0755, &err));
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_info(v, &info, &err));
	assert_true(info.held == 0 && info.stored < 4 * MIB);
	volume_free(v);
	volume_keeper_file_free(&reader.keeper);
	free(bytes);
}

/* What was never committed, or somebody put there, neither ends the numbers nor stays for ever. */
static void names_that_are_taken_are_passed_over(void **state)
{
	struct place *p = *state;
	static const char *const taken[] = {"00000003.segment", "00000004.segment", "fffffffd.segment",
	                                    "fffffffe.segment"};
	int directory = open(p->directory, O_RDONLY | O_DIRECTORY);
	struct volume *v;
	char name[2] = "a";
	for (size_t i = 0; i < 4; i++)
		close(openat(directory, taken[i], O_WRONLY | O_CREAT, 0600));
	for (; name[0] < 'e'; name[0]++) {
		assert_ok(volume_open(&p->config, &v, &err));
		write_file(v, name, 5000, name, 1);
		assert_ok(volume_commit(v, &err));
		volume_free(v);
	}
	assert_ok(volume_open(&p->config, &v, &err));
	for (name[0] = 'a'; name[0] < 'e'; name[0]++)
		check_file(v, name, 5000, name, 1);
	assert_true(v->opened_segment > 4 && v->opened_segment < 16);
	assert_ok(volume_compact(v, 100, &err));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(faccessat(directory, taken[i], F_OK, 0), -1);
	volume_free(v);
	close(directory);
}

/* The node that was to follow these does not fit: the segment stays a block short of a full one. */
static void a_segment_that_ends_early_is_removed_too(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct volume_file *f;
	struct volume_info info;
	uint8_t *bytes = calloc(1, MIB);
	const uint64_t size = (uint64_t)(VOLUME_SEGMENT_BLOCKS - 2) * VOLUME_BLOCK_SIZE;
	assert_ok(volume_open(&p->config, &v, &err));
	assert_ok(volume_file_open(v, "f", VOLUME_WRITE | VOLUME_CREATE, 0644, &f, &err));
	for (uint64_t at = 0; at < size; at += MIB)
		assert_ok(volume_file_write(f, at, bytes, (size_t)min_of(size - at, (uint64_t)MIB), &err));
	volume_file_close(f);
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_unlink(v, "f", &err));
	assert_ok(volume_commit(v, &err));
	assert_ok(volume_info(v, &info, &err));
	assert_true(info.stored < 4 * MIB);
	volume_free(v);
	free(bytes);
}

static void after_a_new_key_the_old_one_opens_nothing(void **state)
{
	struct place *p = *state;
	struct volume *v;
	const uint8_t both[2][CRYPTO_KEY_SIZE] = {{9}, {1, 2, 3}};
	assert_ok(volume_open(&p->config, &v, &err));
	fill(v, 100, 2);
	volume_free(v);
	p->config.keys = both;
	p->config.key_count = 2;
	assert_ok(volume_open(&p->config, &v, &err));
	assert_ok(volume_compact(v, 0, &err));
	volume_free(v);
	p->config.key_count = 1;
	assert_ok(volume_open(&p->config, &v, &err));
	check_filled(v, 100, 2);
	volume_free(v);
	p->config.keys = key;
	assert_int_equal(volume_open(&p->config, &v, &err), CELLA_EAUTH);
}

/* A disk whose listing leaves out one segment, or, where that is 0, everything. */
struct hiding {
	struct volume_disk disk;
	unsigned hidden;
	int (*each)(void *arg, const char *name, uint64_t size);
	void *arg;
};
static struct hiding hiding;

static int show_others(void *data, const char *name, uint64_t size)
{
	struct hiding *h = data;
	char hidden[VOLUME_DISK_NAME_MAX];
	snprintf(hidden, sizeof(hidden), VOLUME_FILE_SEGMENT, h->hidden);
	return h->hidden == 0 || strcmp(name, hidden) == 0 ? 0 : h->each(h->arg, name, size);
}

static int list_others(void *data, int (*each)(void *arg, const char *name, uint64_t size), void *arg,
                       struct error *why)
{
	hiding.each = each;
	hiding.arg = arg;
	return hiding.disk.list(data, show_others, &hiding, why);
}

/* Or, when the old key is thrown away, what lies there is lost. */
static void a_new_key_is_for_what_the_disk_does_not_list_too(void **state)
{
	struct place *p = *state;
	struct volume *v;
	enum { FILES = 4 };
	uint8_t keys[FILES + 2][CRYPTO_KEY_SIZE] = {{0}};
	const uint8_t(*all)[CRYPTO_KEY_SIZE] = (const uint8_t(*)[CRYPTO_KEY_SIZE])keys;
	for (unsigned i = 0; i < FILES + 1; i++)
		keys[i][0] = (uint8_t)(100 + i);
	memcpy(keys[FILES + 1], key[0], CRYPTO_KEY_SIZE);
	for (unsigned round = 0; round <= FILES; round++) {
		for (unsigned i = 0; i < FILES; i++) { /* each in a segment of its own */
			char name[2] = {(char)('a' + i), '\0'};
			assert_ok(volume_open(&p->config, &v, &err));
			write_file(v, name, 0, name, 1);
			write_file(v, name, 5000, name, 1);
			assert_ok(volume_commit(v, &err));
			hiding.hidden = v->root.top.segment - (round ? round - 1 : 0);
			volume_free(v);
		}
		if (round == 0)
			hiding.hidden = 0;
		hiding.disk = p->config.disk;
		p->config.disk.list = list_others;
		p->config.keys = all + FILES - round;
		p->config.key_count = 2;
		assert_ok(volume_open(&p->config, &v, &err));
		assert_ok(volume_compact(v, 0, &err));
		volume_free(v);
		p->config.disk.list = hiding.disk.list;
		p->config.key_count = 1;
		assert_ok(volume_open(&p->config, &v, &err));
		for (unsigned i = 0; i < FILES; i++) {
			char name[2] = {(char)('a' + i), '\0'};
			check_file(v, name, 5000, name, 1);
		}
		volume_free(v);
	}
}

static int names_open(void *data, const char *name, enum volume_opening how, int *ret_fd, struct error *why)
{
	(void)how;
	(void)why;
	*ret_fd = openat(*(int *)data, name, O_RDONLY | O_DIRECTORY);
	return *ret_fd < 0 ? CELLA_EIO : 0;
}

static int names_size(void *data, const char *name, uint64_t *ret_size, struct error *why)
{
	(void)data;
	*ret_size = 0;
	if (strcmp(name, "gone") == 0)
		return error_set(why, CELLA_ENOENT, "it is gone");
	return strcmp(name, "stale") == 0 ? error_set(why, CELLA_EIO, "it is stale") : 0;
}

static int count_name(void *arg, const char *name, uint64_t size)
{
	(void)name;
	(void)size;
	++*(unsigned *)arg;
	return 0;
}

static void what_cannot_be_looked_at_ends_a_listing(void **state)
{
	const struct place *p = *state;
	const char *const made[] = {"gone", "stale"};
	const int expected[] = {0, CELLA_EIO};
	int directory = open(p->directory, O_RDONLY | O_DIRECTORY);
	const struct volume_names names = {.data = &directory, .open = names_open, .size = names_size};
	struct volume_disk disk;
	assert_ok(volume_disk_names(&names, &disk, &err));
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		unsigned count = 0;
		close(openat(directory, made[i], O_WRONLY | O_CREAT, 0600));
		assert_int_equal(disk.list(disk.data, count_name, &count, &err), expected[i]);
		assert_true(i > 0 || count > 1);
	}
	assert_non_null(strstr(err.text, "stale"));
	volume_disk_directory_free(&disk);
	close(directory);
}

static void without_memory_it_is_not_opened(void **state)
{
	struct place *p = *state;
	struct volume_config small = p->config;
	struct volume *v;
	assert_ok(mem_pool_new(MEM_INSECURE_NONE, MIB, &small.pool, &err));
	assert_true(volume_open(&small, &v, &err) < 0);
	assert_non_null(strstr(err.text, "cache"));
	mem_pool_free(small.pool);
	assert_ok(volume_open(&p->config, &v, &err));
	volume_free(v);
}

struct damage {
	unsigned count;
	char path[VOLUME_PATH_MAX];
	int64_t block;
};

static void note_damage(void *data, const char *path, int64_t block, const struct error *why)
{
	struct damage *d = data;
	(void)why;
	d->count++;
	snprintf(d->path, sizeof(d->path), "%s", path);
	d->block = block;
}

static void damage_is_named_and_the_rest_is_read(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct damage d = {0};
	struct volume_counts counts;
	const struct volume_report report = {.data = &d, .damaged = note_damage};
	uint8_t *bytes = calloc(1, MIB);
	assert_ok(volume_open(&p->config, &v, &err));
	assert_ok(volume_mkdir(v, "x", 0755, &err));
	write_file(v, "x/first", 0, bytes, MIB); /* the first thing in the new segment */
	write_file(v, "x/second", 0, bytes, MIB);
	assert_ok(volume_commit(v, &err));
	volume_free(v);
	flip(p, 2, 4096 * (1 + 17) + 5);
	assert_ok(volume_open(&p->config, &v, &err));
	assert_ok(volume_verify(v, &report, &counts, &err));
	assert_int_equal(d.count, 1);
	assert_string_equal(d.path, "x/first");
	assert_int_equal(d.block, 17);
	assert_int_equal(counts.files, 2);
	check_file(v, "x/second", 0, bytes, MIB);
	volume_free(v);
	free(bytes);
}

static void what_is_beside_damage_can_be_removed(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct volume_stat st;
	struct node *top;
	unsigned removed = 0, lost = 0;
	assert_ok(volume_open(&p->config, &v, &err));
	fill(v, 400, 1);
	assert_int_equal(v->tree.level, 1);
	assert_ok(nodes_load(v, &v->tree.top, 1, &top, &err));
	struct volume_pointer at = node_child(top, node_count(top->bytes) / 8);
	volume_free(v);
	flip(p, at.segment, (off_t)at.block * VOLUME_BLOCK_SIZE + 5);
	assert_ok(volume_open(&p->config, &v, &err));
	for (unsigned i = 0; i < 400; i++) {
		char path[32];
		snprintf(path, sizeof(path), "d/%u", i);
		if (volume_stat(v, path, VOLUME_FOLLOW, &st, &err) < 0) {
			lost++;
			continue;
		}
		assert_ok(volume_unlink(v, path, &err));
		removed++;
	}
	assert_true(lost > 0 && removed > lost);
	assert_ok(volume_commit(v, &err));
	volume_free(v);
}

static void directories_may_be_as_deep_as_paths_lead(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct damage d = {0};
	struct volume_counts counts;
	const struct volume_report report = {.data = &d, .damaged = note_damage};
	char path[2 * VOLUME_DEPTH_MAX + 4] = "d";
	unsigned depth = 0;
	int rc;
	assert_ok(volume_open(&p->config, &v, &err));
	while ((rc = volume_mkdir(v, path, 0755, &err)) == 0 && depth < 2 * VOLUME_DEPTH_MAX) {
		write_file(v, "f", depth, "x", 1);
		size_t size = strlen(path);
		snprintf(path + size, sizeof(path) - size, "/f");
		assert_ok(volume_rename(v, "f", path, &err));
		path[size + 1] = 'd';
		depth++;
	}
	assert_int_equal(rc, CELLA_ELIMIT);
	assert_int_equal(depth, VOLUME_DEPTH_MAX - 1); /* and the root */
	assert_ok(volume_verify(v, &report, &counts, &err));
	assert_int_equal(d.count, 0);
	assert_int_equal(counts.files, depth);
	/* deeper than they could be made: told, and no reason not to look at the rest */
	assert_ok(volume_mkdir(v, "z", 0755, &err));
	write_file(v, "zz", 0, "x", 1);
	assert_ok(volume_rename(v, "d", "z/d", &err));
	assert_ok(volume_verify(v, &report, &counts, &err));
	assert_int_equal(d.count, 1);
	assert_int_equal(counts.files, depth); /* one is not reached, one is new */
	assert_ok(volume_rename(v, "z/d", "d", &err));
	assert_ok(volume_verify(v, &report, &counts, &err));
	assert_int_equal(d.count, 1);
	volume_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_of_all_sizes_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_memory_it_is_not_opened, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_committed_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holes_read_as_zeros, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_behave_as_posix_has_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_two_writers_one_is_fenced_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_took_over_is_taken_over_by_nobody_unasked, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_keeper_that_lags_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_asks_for_the_keepers_root_gets_no_other, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_writer_does_not_drop_what_it_cannot_follow, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_writer_that_was_taken_over_leaves_the_hint, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_larger_token_in_the_hint_fences_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_snapshot_stays_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(compacting_frees_what_is_dead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_that_are_taken_are_passed_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_readers_need_is_removed_when_they_have_ended, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_segment_that_ends_early_is_removed_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_a_new_key_the_old_one_opens_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_key_is_for_what_the_disk_does_not_list_too, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_looked_at_ends_a_listing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_beside_damage_can_be_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(directories_may_be_as_deep_as_paths_lead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_named_and_the_rest_is_read, set_up, tear_down),
	};
	if (mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &pool, &err) < 0 || crypto_init(pool, &err) < 0)
		return 1;
	mem_set_process_pool(pool);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
