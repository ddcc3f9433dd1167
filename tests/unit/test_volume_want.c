/* What becomes of a volume that runs out of room or of descriptors? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "volume_place.h"

enum { LARGE = 3 * MIB, SEGMENTS = 12 };

static uint8_t bytes[LARGE];

static unsigned segments_of(const struct place *p)
{
	DIR *d = opendir(p->directory);
	const struct dirent *entry;
	unsigned count = 0;
	uint32_t number;
	assert_non_null(d);
	while ((entry = readdir(d)))
		count += segment_file_number(entry->d_name, &number) == 0;
	closedir(d);
	return count;
}

/* A writer ends before it commits. */
static void leave_uncommitted(const struct place *p)
{
	struct volume *v;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "never", 0, bytes, sizeof(bytes));
	volume_free(v);
}

static void what_was_never_committed_makes_room_for_the_next_writer(void **state)
{
	struct place *p = *state;
	struct volume *v;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "kept", 0, bytes, sizeof(bytes));
	assert_ok(volume_commit(v, &err));
	volume_free(v);
	unsigned committed = segments_of(p);
	leave_uncommitted(p);
	leave_uncommitted(p);
	assert_int_equal(segments_of(p), committed + 1); /* of the second; that of the first is gone */
	assert_ok(volume_open(&p->config, &v, &err));
	assert_int_equal(segments_of(p), committed);
	check_file(v, "kept", 0, bytes, sizeof(bytes));
	write_file(v, "next", 0, bytes, sizeof(bytes));
	assert_ok(volume_commit(v, &err));
	volume_free(v);
	assert_ok(volume_open(&p->config, &v, &err));
	check_file(v, "next", 0, bytes, sizeof(bytes));
	volume_free(v);
}

/* A reader does not know what was committed when it began, but the keeper knows the reader. */
static void it_stays_while_anybody_reads(void **state)
{
	struct place *p = *state;
	struct volume_config reading = p->config;
	struct volume *v, *reader;
	leave_uncommitted(p);
	unsigned before = segments_of(p);
	reading.writable = false;
	assert_ok(volume_keeper_file(p->root, &reading.keeper, &err));
	assert_ok(volume_open(&reading, &reader, &err));
	assert_ok(volume_open(&p->config, &v, &err));
	assert_int_equal(segments_of(p), before);
	volume_free(reader);
	volume_free(v);
	assert_int_equal(segments_of(p), before - 1);
	volume_keeper_file_free(&reading.keeper);
}

static void set_descriptors(rlim_t limit, struct rlimit *before)
{
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	const struct rlimit now = {limit, before->rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

/* One segment for each commit, as each is of a writer of its own. */
static void more_segments_than_descriptors_are_read_and_written(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct rlimit before;
	char path[16];
	for (unsigned i = 0; i < SEGMENTS; i++) {
		snprintf(path, sizeof(path), "file%u", i);
		assert_ok(volume_open(&p->config, &v, &err));
		write_file(v, path, 0, bytes + i, 100 * KIB);
		assert_ok(volume_commit(v, &err));
		volume_free(v);
	}
	assert_true(segments_of(p) >= SEGMENTS);
	assert_ok(volume_open(&p->config, &v, &err));
	int lowest = dup(0);
	assert_true(lowest >= 0);
	close(lowest);
	set_descriptors((rlim_t)lowest + 4, &before);
	for (unsigned i = 0; i < SEGMENTS; i++) {
		snprintf(path, sizeof(path), "file%u", i);
		check_file(v, path, 0, bytes + i, 100 * KIB);
		write_file(v, path, 50, "changed", 7);
	}
	int rc = volume_commit(v, &err);
	for (unsigned i = 0; i < SEGMENTS && rc == 0; i++) {
		snprintf(path, sizeof(path), "file%u", i);
		check_file(v, path, 50, "changed", 7);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_ok(rc);
	volume_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_place(what_was_never_committed_makes_room_for_the_next_writer),
		in_place(it_stays_while_anybody_reads),
		in_place(more_segments_than_descriptors_are_read_and_written),
	};
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 11);
	if (place_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
