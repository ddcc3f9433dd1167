/*
 * What a cell is told from outside of it: does its wall clock follow the time that a CAS has told and the
 * monotonic clock, and not the host's clock, which is moved by a day; and are the files that it opens those
 * that were put there at that moment? The clocks are this test's own (-Wl,--wrap=clock_gettime).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cell/wasi/state.h"
#include "fake_cell.h"

int real_clock_gettime(clockid_t id, struct timespec *time) __asm__("__real_clock_gettime");
int wrap_clock_gettime(clockid_t id, struct timespec *time) __asm__("__wrap_clock_gettime");

enum { AT_RESULT = 64, AT_IOVECS = 128, AT_EVENTS = 512, AT_PATH = 1024, AT_DATA = 4096, FD_ROOT = 3 };
static const uint64_t SECOND = 1000000000, DAY = 86400 * 1000000000ull;
static const uint64_t NOON = 1800000000ull * 1000000000;

static uint64_t wall_ns, boot_ns; /* of the host */

int wrap_clock_gettime(clockid_t id, struct timespec *time)
{
	uint64_t ns = id == CLOCK_REALTIME ? wall_ns : boot_ns;
	if (id != CLOCK_REALTIME && id != CLOCK_BOOTTIME)
		return real_clock_gettime(id, time);
	*time = (struct timespec){.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
	return 0;
}

static uint64_t cell_clock(struct fake_cell *fake)
{
	assert_int_equal(FAKE_CALL(fake, "clock_time_get", WASI_CLOCK_REALTIME, 0, AT_RESULT), WASI_SUCCESS);
	return fake_u64(fake, AT_RESULT);
}

static struct fake_cell *begin(uint64_t told_ns)
{
	static const struct wasi_file files[] = {{"/etc/a", "old", 3}};
	struct fake_cell *fake = fake_cell_new(NULL, 0, files, array_count(files), NULL, NULL);
	wall_ns = NOON;
	boot_ns = 50 * SECOND;
	fake->wasi->told_ns = told_ns;
	fake->wasi->told_at_ns = boot_ns;
	return fake;
}

/* The control: what an attacker does to the node's clock reaches a cell that nobody has told the time. */
static void test_host_clock(void **state)
{
	struct fake_cell *fake = begin(0);
	(void)state;
	assert_true(cell_clock(fake) == NOON);
	wall_ns -= DAY;
	assert_true(cell_clock(fake) == NOON - DAY);
	fake_cell_free(fake);
}

static void test_told_clock(void **state)
{
	const uint64_t told = NOON + 40 * DAY;
	struct fake_cell *fake = begin(told);
	(void)state;
	assert_true(cell_clock(fake) == told);
	wall_ns -= DAY;
	assert_true(cell_clock(fake) == told);
	wall_ns += 2 * DAY;
	assert_true(cell_clock(fake) == told);
	boot_ns += 3600 * SECOND + 7;
	assert_true(cell_clock(fake) == told + 3600 * SECOND + 7);
	fake_cell_free(fake);
}

static uint32_t open_file(struct fake_cell *fake, const char *path, uint32_t *ret_fd)
{
	uint32_t size = fake_put(fake, AT_PATH, path);
	uint32_t rc = FAKE_CALL(fake, "path_open", FD_ROOT, 0, AT_PATH, size, 0,
	                        WASI_FD_READ | WASI_FD_FILESTAT_GET | WASI_FD_FILESTAT_SET_TIMES, 0, 0,
	                        AT_RESULT);
	*ret_fd = fake_u32(fake, AT_RESULT);
	return rc;
}

/* A file's times are the same clock's. */
static void test_file_times(void **state)
{
	enum { MTIME_AT = 48 };
	const uint64_t told = NOON + 40 * DAY;
	struct fake_cell *fake = begin(told);
	uint32_t fd;
	(void)state;
	wall_ns += DAY;
	boot_ns += 5 * SECOND;
	assert_int_equal(open_file(fake, "etc/a", &fd), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_times", fd, 0, 0, WASI_FSTFLAG_MTIM_NOW),
	                 WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_get", fd, AT_DATA), WASI_SUCCESS);
	assert_true(fake_u64(fake, AT_DATA + MTIME_AT) == told + 5 * SECOND);
	fake_cell_free(fake);
}

/* A time that is over by that clock, and not by the host's, is over. */
static void test_waiting(void **state)
{
	const uint64_t told = NOON + 40 * DAY;
	struct fake_cell *fake = begin(told);
	struct wasi_subscription s = {.userdata = 9, .type = WASI_EVENTTYPE_CLOCK};
	(void)state;
	s.clock.id = WASI_CLOCK_REALTIME;
	s.clock.timeout_ns = told;
	s.clock.flags = WASI_SUBSCRIPTION_ABSTIME;
	memcpy(fake->memory + AT_DATA, &s, sizeof(s));
	assert_int_equal(FAKE_CALL(fake, "poll_oneoff", AT_DATA, AT_EVENTS, 1, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 1);
	fake_cell_free(fake);
}

/* ---- files that are replaced as they are opened */

static struct opening {
	struct wasi *wasi;
	char paths[200];
	const char *replaces; /* by "newer" */
} opening;

static void note_opening(void *data, const char *path)
{
	struct opening *o = data;
	size_t used = strlen(o->paths);
	snprintf(o->paths + used, sizeof(o->paths) - used, "%s;", path);
	if (o->replaces && strcmp(path, o->replaces) == 0)
		assert_int_equal(wasi_file_put(o->wasi, o->replaces, "newer", 5, NULL), 0);
}

static void assert_reads(struct fake_cell *fake, uint32_t fd, const char *text)
{
	fake_put_u32(fake, AT_IOVECS, AT_DATA);
	fake_put_u32(fake, AT_IOVECS + 4, 100);
	assert_int_equal(FAKE_CALL(fake, "fd_pread", fd, AT_IOVECS, 1, 0, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), strlen(text));
	assert_memory_equal(fake->memory + AT_DATA, text, strlen(text));
}

static void test_opening(void **state)
{
	struct fake_cell *fake = begin(0);
	uint32_t first, second;
	(void)state;
	opening = (struct opening){.wasi = fake->wasi};
	fake->wasi->opening = note_opening;
	fake->wasi->opening_data = &opening;
	assert_int_equal(open_file(fake, "./etc/../etc/a", &first), WASI_SUCCESS);
	assert_string_equal(opening.paths, "/etc/a;");
	assert_reads(fake, first, "old");
	assert_int_equal(open_file(fake, "etc/none", &second), WASI_ENOENT);
	assert_int_equal(open_file(fake, "etc", &second), WASI_SUCCESS);
	assert_string_equal(opening.paths, "/etc/a;");
	opening.replaces = "/etc/a";
	assert_int_equal(open_file(fake, "etc/a", &second), WASI_SUCCESS);
	assert_string_equal(opening.paths, "/etc/a;/etc/a;");
	assert_reads(fake, second, "newer");
	assert_reads(fake, first, "old"); /* who has it open keeps it */
	fake_cell_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_clock), cmocka_unit_test(test_told_clock),
		cmocka_unit_test(test_file_times), cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_opening),
	};
	return cmocka_run_group_tests_name("wasi_time", tests, NULL, NULL);
}
