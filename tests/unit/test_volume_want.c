/* What becomes of a volume that runs out of room? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "volume_place.h"

enum { LARGE = 3 * MIB };

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_place(what_was_never_committed_makes_room_for_the_next_writer),
		in_place(it_stays_while_anybody_reads),
	};
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 11);
	if (place_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
