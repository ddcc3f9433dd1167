/* Do volumes keep what is written to them, from one opening to the next, and refuse who may not write? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "volume/tree_state.h"
#include "volume_place.h"

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
/* They are, as somebody reads, who might need them. */
static void names_that_are_taken_are_passed_over(void **state)
{
	struct place *p = *state;
	struct volume_config reading = p->config;
	static const char *const taken[] = {"00000003.segment", "00000004.segment", "fffffffd.segment",
	                                    "fffffffe.segment"};
	int directory = open(p->directory, O_RDONLY | O_DIRECTORY);
	struct volume *v, *reader;
	char name[2] = "a";
	reading.writable = false;
	assert_ok(volume_open(&reading, &reader, &err));
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
	volume_free(reader);
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
		in_place(files_of_all_sizes_come_back),
		in_place(without_memory_it_is_not_opened),
		in_place(what_was_not_committed_is_gone),
		in_place(holes_read_as_zeros),
		in_place(names_behave_as_posix_has_them),
		in_place(a_snapshot_stays_as_it_is),
		in_place(compacting_frees_what_is_dead),
		in_place(names_that_are_taken_are_passed_over),
		in_place(what_readers_need_is_removed_when_they_have_ended),
		in_place(a_segment_that_ends_early_is_removed_too),
		in_place(after_a_new_key_the_old_one_opens_nothing),
		in_place(a_new_key_is_for_what_the_disk_does_not_list_too),
		in_place(what_cannot_be_looked_at_ends_a_listing),
		in_place(what_is_beside_damage_can_be_removed),
		in_place(directories_may_be_as_deep_as_paths_lead),
		in_place(damage_is_named_and_the_rest_is_read),
	};
	if (place_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
