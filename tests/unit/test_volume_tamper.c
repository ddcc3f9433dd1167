/*
 * Is whatever a disk's owner does to a small volume refused by name, or without any effect? Every bit of what
 * is stored, and what was there before, elsewhere, or in another volume. And is nothing in the clear?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "volume/volume_state.h"
#include "volume_script.h"

enum { MIB = 1 << 20, FILES_MAX = 8 };
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MARKER "plaintext-marker"

static struct mem_pool *pool;
static const uint8_t key[1][CRYPTO_KEY_SIZE] = {"thirty-one bytes and a zero one."};
static struct error err;

/* A volume with all that there is in one: as it was, and as it is. */
struct place {
	struct fake_world world;
	struct fake_disk *disk, *old;
	struct fake_keeper keeper, old_keeper;
	struct volume_config config;
	struct pair pair;
	struct model *before;
};

static const struct step first_steps[] = {
	{.kind = MKDIR, .path = MARKER},
	{.kind = WRITE, .path = MARKER "/" MARKER, .size = 9000},
	{.kind = WRITE, .path = "small", .size = 100},
	{.kind = SYMLINK, .path = "link", .other = MARKER},
	{.kind = COMMIT},
};
static const struct step second_steps[] = {
	{.kind = WRITE, .path = MARKER "/" MARKER, .at = 4096, .size = 100},
	{.kind = RENAME, .path = "small", .other = MARKER "/other"},
	{.kind = COMMIT},
};

static void attach(struct place *p)
{
	p->keeper.world = &p->world;
	p->config.disk = fake_disk_interface(p->disk);
	p->config.keeper = fake_keeper_interface(&p->keeper);
}

static void do_steps(struct place *p, const struct step *steps, size_t count)
{
	p->config.writable = true;
	assert_int_equal(volume_open(&p->config, &p->pair.v, &err), 0);
	for (size_t i = 0; i < count; i++)
		if (pair_step(&p->pair, &steps[i], &err) < 0)
			fail_msg("step %zu: %s", i, err.text);
	volume_free(p->pair.v);
	p->config.writable = false;
}

static void write_marker(struct place *p)
{
	struct volume_file *f;
	struct volume *v;
	p->config.writable = true;
	assert_int_equal(volume_open(&p->config, &v, &err), 0);
	assert_int_equal(volume_file_open(v, "marked", VOLUME_WRITE | VOLUME_CREATE, 0644, &f, &err), 0);
	assert_int_equal(volume_file_write(f, 0, MARKER, strlen(MARKER), &err), 0);
	assert_int_equal(volume_file_write(f, 100000, MARKER, strlen(MARKER), &err), 0);
	volume_file_close(f);
	assert_int_equal(volume_commit(v, &err), 0);
	volume_free(v);
	p->config.writable = false;
}

static void begin(struct place *p)
{
	*p = (struct place){
		.config = {.pool = pool, .keys = key, .key_count = 1, .cache = VOLUME_CACHE_LEAST}};
	p->disk = fake_disk_new(&p->world);
	attach(p);
	pair_begin(&p->pair, NULL);
	assert_int_equal(volume_create(&p->config, &err), 0);
	do_steps(p, first_steps, COUNT_OF(first_steps));
	p->old = fake_disk_copy(p->disk, &p->world);
	p->old_keeper = p->keeper;
	p->before = model_copy(p->pair.now);
	do_steps(p, second_steps, COUNT_OF(second_steps));
}

static void end(struct place *p)
{
	pair_done(&p->pair);
	model_free(p->before);
	fake_disk_free(p->disk);
	fake_disk_free(p->old);
}

/* ---- what a reader makes of a disk */

static const char *differs_now; /* what read_all found, but for a refusal */

/* 0: all is as it should be. Else the code with which it, or a part of it, was refused; err says what. */
static int read_all(struct place *p, const struct model *expected)
{
	struct volume *v;
	differs_now = NULL;
	int rc = volume_open(&p->config, &v, &err);
	if (rc < 0)
		return rc;
	differs_now = model_difference(expected, v);
	struct volume_counts counts;
	struct error why = {0};
	rc = volume_verify(v, NULL, &counts, &why);
	volume_free(v);
	if (rc < 0) {
		err = why;
		return rc;
	}
	if (counts.damaged)
		return CELLA_EAUTH;
	if (differs_now)
		fail_msg("accepted, but %s", differs_now);
	return 0;
}

static bool is_refusal(int rc)
{
	return rc == CELLA_EAUTH || rc == CELLA_EFORMAT;
}

/* The first thing that a reader is told. */
static void assert_refused(struct place *p, const char *what, const char *by)
{
	int rc = read_all(p, p->pair.now);
	if (!is_refusal(rc))
		fail_msg("%s: %d", what, rc);
	const char *said = differs_now ? differs_now : err.text;
	if (!strstr(said, by))
		fail_msg("%s: said \"%s\", not \"%s\"", what, said, by);
}

/* ---- every bit */

/* The bytes of a segment that the last commit leads to: 1 each; by reading it with a disk that notes it. */
struct noted {
	struct volume_disk below;
	struct fake_disk *disk;
	uint8_t *read[FILES_MAX]; /* by number of the file */
};

static int noting_read(void *data, void *file, uint64_t offset, void *to, size_t size, size_t *ret_size,
                       struct error *error)
{
	struct noted *n = data;
	int rc = n->below.read(n->below.data, file, offset, to, size, ret_size, error);
	struct fake_bytes f;
	for (size_t i = 0; rc == 0 && fake_disk_file(n->disk, i, &f); i++) {
		void *same;
		if (n->below.open(n->below.data, f.name, &same, NULL) == 0 && same == file && *ret_size)
			memset(n->read[i] + offset, 1, *ret_size);
	}
	return rc;
}

static int noting_open(void *data, const char *name, void **ret_file, struct error *error)
{
	struct noted *n = data;
	return n->below.open(n->below.data, name, ret_file, error);
}

static void noting_close(void *data, void *file)
{
	(void)data;
	(void)file;
}

static void note_what_is_read(struct place *p, struct noted *n)
{
	struct fake_bytes f;
	*n = (struct noted){.below = p->config.disk, .disk = p->disk};
	for (size_t i = 0; fake_disk_file(p->disk, i, &f); i++) {
		assert_true(i < FILES_MAX);
		n->read[i] = calloc(1, f.size + 1);
	}
	p->config.disk.data = n;
	p->config.disk.read = noting_read;
	p->config.disk.open = noting_open;
	p->config.disk.close = noting_close;
	assert_int_equal(read_all(p, p->pair.now), 0);
	attach(p);
}

/* What was read is refused, in each of its bits; what was not has no effect. */
static void every_bit_that_is_changed_is_refused_or_without_effect(void **state)
{
	struct place p;
	struct noted n;
	struct fake_bytes f;
	size_t refused = 0, without = 0;
	(void)state;
	begin(&p);
	assert_int_equal(read_all(&p, p.pair.now), 0); /* unchanged, everything reads */
	note_what_is_read(&p, &n);
	for (size_t i = 0; fake_disk_file(p.disk, i, &f); i++) {
		bool hint = strcmp(f.name, VOLUME_FILE_HEAD) == 0; /* where it is wrong it is not followed */
		for (size_t bit = 0; bit < 8 * f.size; bit += volume_part()) {
			bool counts = n.read[i][bit / 8] && !hint;
			/* blocks that nothing leads to: one bit of each byte will do */
			if (!counts && bit % 64)
				continue;
			f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			int rc = read_all(&p, p.pair.now);
			f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (counts != is_refusal(rc))
				fail_msg("%s, bit %zu: %d %s", f.name, bit, rc, err.text);
			refused += counts;
			without += !counts;
		}
		free(n.read[i]);
	}
	print_message("%zu bits refused, %zu without effect\n", refused, without);
	assert_true(refused > 0 && without > 0);
	assert_int_equal(read_all(&p, p.pair.now), 0);
	end(&p);
}

/* ---- what was there before, or elsewhere */

static const char *segment_name(unsigned number)
{
	static char name[VOLUME_DISK_NAME_MAX];
	snprintf(name, sizeof(name), VOLUME_FILE_SEGMENT, number);
	return name;
}

static struct fake_bytes segment_of(struct fake_disk *disk, unsigned number)
{
	struct fake_bytes f;
	assert_true(fake_disk_find(disk, segment_name(number), &f));
	return f;
}

static unsigned newest_segment(struct fake_disk *disk)
{
	unsigned newest = 0;
	struct fake_bytes f;
	for (size_t i = 0; fake_disk_file(disk, i, &f); i++) {
		uint32_t number;
		if (segment_file_number(f.name, &number) == 0 && number > newest)
			newest = number;
	}
	return newest;
}

/* A block of another place or segment, under the same key. */
static void blocks_stay_where_they_belong(void **state)
{
	struct place p;
	(void)state;
	begin(&p);
	unsigned last = newest_segment(p.disk);
	struct fake_bytes s = segment_of(p.disk, last), other = segment_of(p.disk, last - 1);
	uint8_t kept[VOLUME_BLOCK_SIZE];
	char name[VOLUME_DISK_NAME_MAX];
	snprintf(name, sizeof(name), "segment %08x", last);
	for (size_t at = VOLUME_BLOCK_SIZE; at + VOLUME_BLOCK_SIZE <= s.size; at += VOLUME_BLOCK_SIZE) {
		size_t from = at == VOLUME_BLOCK_SIZE ? 2 * VOLUME_BLOCK_SIZE : VOLUME_BLOCK_SIZE;
		memcpy(kept, s.bytes + at, sizeof(kept));
		memcpy(s.bytes + at, s.bytes + from, sizeof(kept));
		assert_refused(&p, "a block from another place", "its bytes were changed");
		memcpy(s.bytes + at, other.bytes + min_of(at, other.size - sizeof(kept)), sizeof(kept));
		assert_refused(&p, "a block from another segment", name);
		memcpy(s.bytes + at, kept, sizeof(kept));
	}
	assert_int_equal(read_all(&p, p.pair.now), 0);
	end(&p);
}

static void segments_are_neither_cut_nor_exchanged(void **state)
{
	struct place p;
	(void)state;
	begin(&p);
	unsigned last = newest_segment(p.disk);
	struct fake_bytes s = segment_of(p.disk, last), other = segment_of(p.disk, last - 1);
	uint8_t *kept = malloc(s.size), *kept_other = malloc(other.size);
	size_t size = s.size, other_size = other.size;
	memcpy(kept, s.bytes, size);
	memcpy(kept_other, other.bytes, other_size);
	char name[VOLUME_DISK_NAME_MAX];
	snprintf(name, sizeof(name), "segment %08x", last);
	for (size_t left = 0; left < size; left += VOLUME_BLOCK_SIZE / 2) {
		fake_disk_replace(p.disk, segment_name(last), kept, left);
		assert_refused(&p, "a segment that was cut", name);
	}
	fake_disk_replace(p.disk, segment_name(last), kept_other, other_size);
	fake_disk_replace(p.disk, segment_name(last - 1), kept, size);
	assert_refused(&p, "segments that were exchanged", name);
	fake_disk_replace(p.disk, segment_name(last), kept, size);
	snprintf(name, sizeof(name), "segment %08x", last - 1);
	assert_refused(&p, "a segment in place of another", name);
	fake_disk_replace(p.disk, segment_name(last - 1), kept_other, other_size);
	assert_int_equal(read_all(&p, p.pair.now), 0);
	free(kept);
	free(kept_other);
	end(&p);
}

/* Each file of the volume in turn from another volume under the same key, with the same history. */
static void nothing_of_another_volume_is_taken(void **state)
{
	struct place p, other;
	struct fake_bytes f, theirs;
	size_t taken = 0;
	(void)state;
	begin(&p);
	begin(&other);
	for (size_t i = 0; fake_disk_file(p.disk, i, &f); i++) {
		if (strcmp(f.name, VOLUME_FILE_HEAD) == 0 || !fake_disk_find(other.disk, f.name, &theirs))
			continue;
		uint8_t *kept = malloc(f.size);
		size_t size = f.size;
		memcpy(kept, f.bytes, size);
		fake_disk_replace(p.disk, f.name, theirs.bytes, theirs.size);
		if (!is_refusal(read_all(&p, p.pair.now)))
			fail_msg("%s of another volume was taken", f.name);
		fake_disk_replace(p.disk, f.name, kept, size);
		free(kept);
		taken++;
	}
	assert_true(taken > 1);
	assert_int_equal(read_all(&p, p.pair.now), 0);
	/* all of it, with this volume's keeper */
	struct fake_disk *mine = p.disk;
	p.disk = other.disk;
	attach(&p);
	assert_refused(&p, "another volume", "root");
	p.disk = mine;
	end(&p);
	end(&other);
}

/* The old directory is whole and authentic: only the keeper tells. */
static void an_old_copy_is_refused_by_the_keeper(void **state)
{
	struct place p;
	(void)state;
	begin(&p);
	struct fake_disk *now = p.disk;
	p.disk = p.old;
	attach(&p);
	assert_refused(&p, "an old copy", "root");
	/* believed without a keeper that knows the volume, and if it is asked for only */
	struct fake_keeper kept = p.keeper;
	memset(p.keeper.root, 0, sizeof(p.keeper.root));
	assert_int_equal(read_all(&p, p.before), CELLA_ENOENT);
	p.config.any_copy = true;
	assert_int_equal(read_all(&p, p.before), 0);
	p.config.any_copy = false;
	p.keeper = kept;
	/* and with the keeper as it was then */
	p.keeper = p.old_keeper;
	attach(&p);
	assert_int_equal(read_all(&p, p.before), 0);
	p.disk = now;
	end(&p);
}

/* Each file of the old copy in turn among those of the new one, and the other way round. */
static void epochs_do_not_mix(void **state)
{
	struct place p;
	struct fake_bytes f, old;
	unsigned same = 0, refused = 0;
	(void)state;
	begin(&p);
	for (size_t i = 0; fake_disk_file(p.disk, i, &f); i++) {
		uint8_t *kept = malloc(f.size);
		size_t size = f.size;
		memcpy(kept, f.bytes, size);
		bool there = fake_disk_find(p.old, f.name, &old);
		fake_disk_replace(p.disk, f.name, there ? old.bytes : NULL, there ? old.size : 0);
		bool equal = there && old.size == size && memcmp(old.bytes, kept, size) == 0;
		bool hint = strcmp(f.name, VOLUME_FILE_HEAD) == 0;
		int rc = read_all(&p, p.pair.now);
		if (is_refusal(rc) == (equal || hint))
			fail_msg("%s of the old copy: %d", f.name, rc);
		same += equal;
		refused += is_refusal(rc);
		fake_disk_replace(p.disk, f.name, kept, size);
		free(kept);
	}
	assert_true(same > 0 && refused > 0);
	assert_int_equal(read_all(&p, p.pair.now), 0);
	end(&p);
}

/* ---- nothing in the clear */

static bool holds(const uint8_t *bytes, size_t size, const char *text)
{
	return memmem(bytes, size, text, strlen(text));
}

static void the_disk_holds_nothing_in_the_clear(void **state)
{
	struct place p;
	struct fake_bytes f;
	struct volume *v;
	(void)state;
	begin(&p);
	write_marker(&p);
	for (size_t i = 0; fake_disk_file(p.disk, i, &f); i++) {
		assert_false(holds(f.bytes, f.size, MARKER));
		assert_false(holds((const uint8_t *)f.name, strlen(f.name), MARKER));
		for (size_t at = 0; at < sizeof(key); at += 16)
			assert_null(memmem(f.bytes, f.size, (const uint8_t *)key + at, 16));
		if (strcmp(f.name, VOLUME_FILE_HEADER) != 0 && strcmp(f.name, VOLUME_FILE_HEAD) != 0)
			assert_int_equal(f.size % VOLUME_BLOCK_SIZE, 0);
	}
	/* control: it is what the volume holds */
	struct volume_file *file;
	char read[sizeof(MARKER)];
	size_t got;
	assert_int_equal(volume_open(&p.config, &v, &err), 0);
	assert_int_equal(volume_file_open(v, "marked", 0, 0, &file, &err), 0);
	assert_int_equal(volume_file_read(file, 100000, read, strlen(MARKER), &got, &err), 0);
	assert_true(holds((const uint8_t *)read, got, MARKER));
	volume_file_close(file);
	volume_free(v);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_stay_where_they_belong),
		cmocka_unit_test(segments_are_neither_cut_nor_exchanged),
		cmocka_unit_test(nothing_of_another_volume_is_taken),
		cmocka_unit_test(an_old_copy_is_refused_by_the_keeper),
		cmocka_unit_test(epochs_do_not_mix),
		cmocka_unit_test(the_disk_holds_nothing_in_the_clear),
		cmocka_unit_test(every_bit_that_is_changed_is_refused_or_without_effect),
	};
	if (mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &pool, NULL) < 0 || crypto_init(pool, NULL) < 0)
		return 1;
	mem_set_process_pool(pool);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
