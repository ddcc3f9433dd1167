/*
 * Which commit is a volume at when it is opened, and which of its writers may go on: by its root keeper, by
 * its own hint, and by what its log has?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "volume_place.h"

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
	check_file(r, "a", 0, "a", 1);
	assert_int_equal(volume_stat(r, "b", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
	volume_free(r);
	assert_int_equal(volume_open(&second, &r, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "commit 4, which cannot be followed"));
	flip(p, at.segment, (off_t)at.block * VOLUME_BLOCK_SIZE);
	assert_ok(volume_open(&second, &r, &err));
	check_file(r, "c", 0, "c", 1);
	volume_free(r);
	volume_free(v);
	volume_keeper_file_free(&second.keeper);
}

/* The hint is some commits behind, or torn; the log has them. Without a hint they are given up. */
static void what_counts_is_found_in_the_log(void **state)
{
	struct place *p = *state;
	struct volume_config reader = p->config;
	struct volume *v, *r;
	char path[128];
	reader.writable = false;
	p->config.mode = VOLUME_OFFLINE;
	snprintf(path, sizeof(path), "%s/head", p->directory);
	assert_ok(volume_open(&p->config, &v, &err));
	for (unsigned i = 0; i < 40; i++) { /* and some segments */
		write_file(v, "f", i, "x", 1);
		assert_ok(volume_commit(v, &err));
		if (i % 16 == 0)
			assert_ok(segment_close_writing(v, &err));
	}
	for (size_t size = VOLUME_HEAD_SIZE + 1; size-- > 0;) {
		assert_int_equal(truncate(path, (off_t)size), 0);
		assert_ok(volume_open(&reader, &r, &err));
		check_file(r, "f", 39, "x", 1);
		volume_free(r);
	}
	assert_int_equal(unlink(path), 0);
	assert_ok(volume_open(&reader, &r, &err));
	struct volume_stat st;
	assert_int_equal(volume_stat(r, "f", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
	volume_free(r);
	write_file(v, "f", 40, "x", 1);
	assert_ok(volume_commit(v, &err)); /* and says again that there are some */
	assert_ok(volume_open(&reader, &r, &err));
	check_file(r, "f", 40, "x", 1);
	volume_free(r);
	volume_free(v);
}

/* A commit in strict mode that its keeper did not take: its writer was told so. */
static int deny(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                struct error *why)
{
	(void)data;
	(void)volume;
	(void)token;
	(void)from;
	(void)to;
	return error_set(why, CELLA_EFENCED, "denied");
}

/* Whoever holds the disk writes the hint: tags of roots lie in the clear. */
static void write_head(const struct place *p, const uint8_t reference[VOLUME_REFERENCE_SIZE],
                       uint64_t settled)
{
	uint8_t head[VOLUME_HEAD_SIZE] = {0};
	char path[128];
	memcpy(head, reference, VOLUME_REFERENCE_SIZE);
	memcpy(head + VOLUME_REFERENCE_SIZE + 8, &settled, sizeof(settled));
	snprintf(path, sizeof(path), "%s/head", p->directory);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
	close(fd);
}

static uint64_t settled_by_head(const struct place *p)
{
	uint64_t settled;
	char path[128];
	snprintf(path, sizeof(path), "%s/head", p->directory);
	int fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, &settled, sizeof(settled), VOLUME_REFERENCE_SIZE + 8), sizeof(settled));
	close(fd);
	return settled;
}

static void what_was_refused_is_not_found_in_the_log(void **state)
{
	uint8_t refused[VOLUME_REFERENCE_SIZE];
	struct place *p = *state;
	struct volume_config denied = p->config, reader = p->config;
	struct volume *v, *beside;
	struct volume_stat st;
	p->config.mode = VOLUME_OFFLINE; /* whose hint says to look */
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "a", 0, "a", 1);
	assert_ok(volume_commit(v, &err));
	v->failure.code = CELLA_EIO; /* it ends without a word to the keeper */
	volume_free(v);
	denied.keeper.swap = deny;
	assert_ok(volume_open(&denied, &v, &err));
	write_file(v, "b", 0, "b", 1);
	assert_int_equal(volume_commit(v, &err), CELLA_EFENCED);
	memcpy(refused, v->reference, sizeof(refused));
	volume_free(v);
	reader.writable = false;
	assert_ok(volume_open(&reader, &beside, &err)); /* so what was refused is not removed */
	for (unsigned i = 0; i < 2; i++) {
		assert_ok(volume_open(&p->config, &v, &err));
		check_file(v, "a", 0, "a", 1);
		assert_int_equal(volume_stat(v, "b", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
		volume_free(v);
		assert_int_equal(settled_by_head(p), VOLUME_HEAD_SETTLED);
	}
	for (uint64_t settled = 0; settled < 2; settled++) {
		write_head(p, refused, settled);
		assert_ok(volume_open(&reader, &v, &err));
		assert_int_equal(volume_stat(v, "b", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
		volume_free(v);
		assert_int_equal(volume_open(&p->config, &v, &err), CELLA_EAUTH);
		assert_non_null(strstr(err.text, "counts at the keeper only"));
	}
	volume_free(beside);
}

/* A segment with commits whose header is damaged is no leftover of a writer that was killed. */
static void a_writer_does_not_pass_over_a_damaged_segment(void **state)
{
	struct place *p = *state;
	struct volume *v, *r;
	struct volume_config reader = p->config;
	struct volume_stat st;
	reader.writable = false;
	p->config.mode = VOLUME_OFFLINE;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "a", 0, "a", 1);
	assert_ok(volume_commit(v, &err));
	uint8_t first[VOLUME_REFERENCE_SIZE];
	memcpy(first, v->reference, sizeof(first));
	assert_ok(segment_close_writing(v, &err));
	write_file(v, "b", 0, "b", 1);
	assert_ok(volume_commit(v, &err));
	const uint32_t second = volume_place_of(v->reference).segment;
	v->failure.code = CELLA_EIO; /* it is killed */
	volume_free(v);
	write_head(p, first, 0);
	flip(p, second, 1);
	assert_ok(volume_open(&reader, &r, &err));
	check_file(r, "a", 0, "a", 1);
	assert_int_equal(volume_stat(r, "b", VOLUME_FOLLOW, &st, &err), CELLA_ENOENT);
	volume_free(r);
	assert_int_equal(volume_open(&p->config, &v, &err), CELLA_EAUTH);
	flip(p, second, 1);
	assert_ok(volume_open(&p->config, &v, &err));
	check_file(v, "b", 0, "b", 1);
	volume_free(v);
}

/* The loser of a take-over may be the last to write the hint: the other's commits are found all the same. */
static void the_hint_of_who_was_taken_over_hides_nothing(void **state)
{
	struct place *p = *state;
	struct volume_config second = p->config;
	struct volume *a, *b;
	p->config.mode = second.mode = VOLUME_OFFLINE;
	second.take_over = true;
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	assert_ok(volume_open(&p->config, &a, &err));
	assert_ok(volume_open(&second, &b, &err));
	write_file(b, "f", 0, "bb", 2);
	assert_ok(volume_commit(b, &err));
	write_head(p, b->opened, 0); /* so that the other does not see it */
	write_file(a, "f", 0, "a", 1);
	assert_ok(volume_commit(a, &err)); /* in a later segment, and its hint stays */
	a->failure.code = b->failure.code = CELLA_EIO; /* both are killed */
	volume_free(a);
	volume_free(b);
	assert_ok(volume_open(&second, &b, &err));
	check_file(b, "f", 0, "bb", 2);
	volume_free(b);
	volume_keeper_file_free(&second.keeper);
}

/* Of two writers that left commits behind the keeper's root, the one that took over counts, whichever comes
 * first in the log. */
static void of_two_logs_that_of_the_last_writer_counts(void **state)
{
	struct place *p = *state;
	struct volume_config second = p->config, reader = p->config;
	struct volume *a, *b, *r;
	reader.writable = false;
	p->config.mode = second.mode = VOLUME_OFFLINE;
	second.take_over = true;
	assert_ok(volume_keeper_file(p->root, &second.keeper, &err));
	assert_ok(volume_open(&p->config, &a, &err));
	assert_ok(volume_open(&second, &b, &err));
	write_file(a, "f", 0, "a", 1);
	assert_ok(volume_commit(a, &err));
	write_file(b, "f", 0, "bb", 2);
	assert_ok(volume_commit(b, &err));
	assert_ok(volume_open(&reader, &r, &err));
	check_file(r, "f", 0, "bb", 2);
	volume_free(r);
	write_file(a, "f", 1, "aa", 2); /* finds the other's token, asks, and is told */
	assert_int_equal(volume_commit(a, &err), CELLA_EFENCED);
	volume_free(a);
	char path[128];
	snprintf(path, sizeof(path), "%s/head", p->directory);
	assert_int_equal(truncate(path, 0), 0);
	assert_ok(volume_open(&reader, &r, &err));
	check_file(r, "f", 0, "bb", 2);
	volume_free(r);
	volume_free(b);
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

static int no_put(void *data, const char *name, const void *bytes, size_t size, bool durable,
                  struct error *error)
{
	(void)data;
	(void)bytes;
	(void)size;
	(void)durable;
	return error_set(error, CELLA_EIO, "the file %s cannot be put", name);
}

/* It was not acknowledged; but once a writer has been there it is settled whether it counts. */
static void a_commit_that_came_no_further_than_the_log_is_found_by_the_next_writer(void **state)
{
	struct place *p = *state;
	struct volume_config broken = p->config, reader = p->config;
	struct volume *v, *beside;
	broken.mode = VOLUME_OFFLINE;
	broken.disk.put = no_put;
	assert_ok(volume_open(&broken, &v, &err));
	write_file(v, "a", 0, "a", 1);
	assert_int_equal(volume_commit(v, &err), CELLA_EIO);
	v->failure.code = CELLA_EIO; /* it ends without a word to the keeper */
	volume_free(v);
	assert_int_equal(settled_by_head(p), VOLUME_HEAD_SETTLED);
	reader.writable = false;
	assert_ok(volume_open(&p->config, &v, &err));
	check_file(v, "a", 0, "a", 1);
	assert_ok(volume_open(&reader, &beside, &err));
	check_file(beside, "a", 0, "a", 1);
	volume_free(beside);
	volume_free(v);
}

static const char marker[] = "patient 4711 has a secret rhythm";
enum { STACK = 1 * MIB, MARKERS = 2000 };

/* The stack of a thread that is watched. */
static struct {
	void *stack;
	bool seen; /* the marker on it */
	int (*read)(void *data, void *file, uint64_t offset, void *to, size_t size, size_t *ret_size,
	            struct error *error);
} watch;

/* Borders of frames, too, which a sanitizer would mind. */
__attribute__((no_sanitize("address"))) static bool is_marker(const volatile char *at)
{
	size_t i = 0;
	while (i < sizeof(marker) - 1 && at[i] == marker[i])
		i++;
	return i == sizeof(marker) - 1;
}

__attribute__((no_sanitize("address"))) static void look_at_stack(void)
{
	const volatile char *stack = watch.stack;
	for (size_t at = 0; stack && at <= STACK - sizeof(marker) && !watch.seen; at++)
		watch.seen = is_marker(stack + at);
}

/* What was read before this is in the clear by now. */
static int watched_read(void *data, void *file, uint64_t offset, void *to, size_t size, size_t *ret_size,
                        struct error *error)
{
	look_at_stack();
	return watch.read(data, file, offset, to, size, ret_size, error);
}

static bool shows_marker(void *(*what)(void *arg), void *arg)
{
	pthread_attr_t attributes;
	pthread_t thread;
	watch.seen = false;
	watch.stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(watch.stack != MAP_FAILED);
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstack(&attributes, watch.stack, STACK), 0);
	assert_int_equal(pthread_create(&thread, &attributes, what, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
	munmap(watch.stack, STACK);
	watch.stack = NULL;
	return watch.seen;
}

static void *open_and_close(void *arg)
{
	struct volume *v;
	assert_ok(volume_open(arg, &v, &err));
	volume_free(v);
	return NULL;
}

static void *hold_on_stack(void *arg)
{
	volatile char bytes[VOLUME_BLOCK_SIZE];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = ((const char *)arg)[i];
	look_at_stack();
	return NULL;
}

/* Whether the last commit is whole its files are read for: into protected memory, too. */
static void what_is_read_at_opening_lies_on_no_stack(void **state)
{
	struct place *p = *state;
	struct volume *v;
	struct volume_config reader = p->config;
	static char bytes[MARKERS * (sizeof(marker) - 1)];
	for (size_t i = 0; i < MARKERS; i++)
		memcpy(bytes + i * (sizeof(marker) - 1), marker, sizeof(marker) - 1);
	watch.read = reader.disk.read;
	reader.disk.read = watched_read;
	reader.writable = false;
	p->config.mode = VOLUME_OFFLINE;
	assert_ok(volume_open(&p->config, &v, &err));
	write_file(v, "a", 0, bytes, sizeof(bytes));
	assert_ok(volume_commit(v, &err));
	write_file(v, "b", 0, bytes, sizeof(bytes));
	assert_ok(volume_commit(v, &err));
	v->failure.code = CELLA_EIO; /* it ends without a word to the keeper */
	volume_free(v);
	assert_true(shows_marker(hold_on_stack, bytes));
	assert_false(shows_marker(open_and_close, &reader));
	assert_ok(volume_open(&reader, &v, &err));
	check_file(v, "b", 0, bytes, sizeof(bytes));
	volume_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_place(of_two_writers_one_is_fenced_off),
		in_place(who_took_over_is_taken_over_by_nobody_unasked),
		in_place(a_keeper_that_lags_loses_nothing),
		in_place(who_asks_for_the_keepers_root_gets_no_other),
		in_place(a_writer_does_not_drop_what_it_cannot_follow),
		in_place(what_counts_is_found_in_the_log),
		in_place(what_was_refused_is_not_found_in_the_log),
		in_place(a_writer_does_not_pass_over_a_damaged_segment),
		in_place(the_hint_of_who_was_taken_over_hides_nothing),
		in_place(of_two_logs_that_of_the_last_writer_counts),
		in_place(a_writer_that_was_taken_over_leaves_the_hint),
		in_place(a_larger_token_in_the_hint_fences_nobody),
		in_place(a_commit_that_came_no_further_than_the_log_is_found_by_the_next_writer),
		in_place(what_is_read_at_opening_lies_on_no_stack),
	};
	if (place_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
