/*
 * WASI preview 1 as a cell sees it. Do calls do what the specification says: arguments, clocks, streams,
 * descriptors and their rights, polling? (Files: test_wasi_files.c; what hostile cells pass:
 * test_wasi_hostile.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "wasi_support.h"

/* Arguments and environment: sizes, a table of pointers, zero-terminated strings. */
static void test_strings(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	assert_int_equal(FAKE_CALL(fake, "args_sizes_get", AT_RESULT, AT_RESULT + 4), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 3);
	assert_int_equal(fake_u32(fake, AT_RESULT + 4), 19);
	assert_int_equal(FAKE_CALL(fake, "args_get", AT_DATA, AT_OTHER), WASI_SUCCESS);
	assert_string_equal((char *)fake->memory + fake_u32(fake, AT_DATA), "program");
	assert_string_equal((char *)fake->memory + fake_u32(fake, AT_DATA + 4), "");
	assert_string_equal((char *)fake->memory + fake_u32(fake, AT_DATA + 8), "two words");
	assert_int_equal(fake->memory[AT_OTHER + 19], 0xee);
	assert_int_equal(FAKE_CALL(fake, "environ_sizes_get", AT_RESULT, AT_RESULT + 4), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 2);
	assert_int_equal(FAKE_CALL(fake, "environ_get", AT_DATA, AT_OTHER), WASI_SUCCESS);
	assert_string_equal((char *)fake->memory + fake_u32(fake, AT_DATA + 4), "B=");
}

static void test_clocks_and_random(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	for (uint32_t id = 0; id < WASI_CLOCK_COUNT; id++) {
		assert_int_equal(FAKE_CALL(fake, "clock_time_get", id, 0, AT_RESULT), WASI_SUCCESS);
		assert_int_equal(FAKE_CALL(fake, "clock_res_get", id, AT_RESULT), WASI_SUCCESS);
		assert_true(fake_u64(fake, AT_RESULT) > 0);
	}
	assert_int_equal(FAKE_CALL(fake, "clock_time_get", WASI_CLOCK_COUNT, 0, AT_RESULT), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "clock_res_get", UINT32_MAX, AT_RESULT), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "random_get", AT_DATA, 4096), WASI_SUCCESS);
	size_t changed = 0;
	for (size_t i = 0; i < 4096; i++)
		changed += fake->memory[AT_DATA + i] != 0xee;
	assert_true(changed > 4000);
	assert_int_equal(fake->memory[AT_DATA + 4096], 0xee);
	assert_int_equal(FAKE_CALL(fake, "random_get", END, 0), WASI_SUCCESS);
	assert_int_equal(fake_call(fake, "sched_yield", NULL, 0), WASI_SUCCESS);
	FAKE_CALL(fake, "proc_exit", 7);
	assert_int_equal(fake->exit_status, 7);
}

static void test_streams(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	/* many small pieces, one that is large, an empty one */
	for (uint32_t i = 0; i < 40; i++) {
		fake_put_u32(fake, AT_IOVECS + 8 * i, AT_DATA + i);
		fake_put_u32(fake, AT_IOVECS + 8 * i + 4, i == 20 ? 5000 : i == 7 ? 0 : 1);
	}
	for (uint32_t i = 0; i < 6000; i++)
		fake->memory[AT_DATA + i] = (uint8_t)(i % 251);
	assert_int_equal(FAKE_CALL(fake, "fd_write", 1, AT_IOVECS, 40, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 5038);
	assert_int_equal(fake->streams[1].size, 5038);
	assert_int_equal(fake->streams[1].data[18], 19);
	assert_int_equal(fake->streams[1].data[19], 20);
	assert_int_equal(fake->streams[1].data[5037], 39);
	assert_int_equal(write_text(fake, 2, "oh"), WASI_SUCCESS);
	assert_int_equal(fake->streams[2].size, 2);
	buf_put(&fake->streams[0], "typed", 5);
	assert_reads(fake, 0, "typed");
	assert_reads(fake, 0, "");
	assert_int_equal(read_some(fake, 1, 1), WASI_EBADF);
	assert_int_equal(write_text(fake, 0, "x"), WASI_EBADF);
	assert_int_equal(FAKE_CALL(fake, "fd_seek", 1, 0, WASI_WHENCE_SET, AT_RESULT), WASI_ENOTCAPABLE);
	assert_int_equal(FAKE_CALL(fake, "fd_pwrite", 1, AT_IOVECS, 1, 0, AT_RESULT), WASI_ESPIPE);
	fake->owner_gone = true;
	assert_int_equal(write_text(fake, 1, "x"), WASI_EIO);
	assert_int_equal(read_some(fake, 0, 1), WASI_EIO);
}

static void test_preopens(void **state)
{
	static const char *const names[] = {"/w", "/r", "/"};
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(FAKE_CALL(fake, "fd_prestat_get", 3 + i, AT_RESULT), WASI_SUCCESS);
		assert_int_equal(fake_u32(fake, AT_RESULT), 0);
		assert_int_equal(fake_u32(fake, AT_RESULT + 4), strlen(names[i]));
		assert_int_equal(FAKE_CALL(fake, "fd_prestat_dir_name", 3 + i, AT_DATA, strlen(names[i])),
		                 WASI_SUCCESS);
		assert_memory_equal(fake->memory + AT_DATA, names[i], strlen(names[i]));
		assert_int_equal(FAKE_CALL(fake, "fd_prestat_dir_name", 3 + i, AT_DATA, strlen(names[i]) - 1),
		                 WASI_ENAMETOOLONG);
		assert_int_equal(FAKE_CALL(fake, "fd_filestat_get", 3 + i, AT_RESULT), WASI_SUCCESS);
		assert_int_equal(fake->memory[AT_RESULT + 16], WASI_FILETYPE_DIRECTORY);
	}
	assert_int_equal(FAKE_CALL(fake, "fd_prestat_get", 6, AT_RESULT), WASI_EBADF);
	assert_int_equal(FAKE_CALL(fake, "fd_prestat_get", 1, AT_RESULT), WASI_EBADF);
}

static void test_reset(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	uint32_t fd = opened(fake, FD_W, "data", 0, read_rights);
	assert_int_equal(fd, 6);
	assert_int_equal(FAKE_CALL(fake, "fd_renumber", fd, 1), WASI_SUCCESS);
	assert_reads(fake, 1, "0123456789");
	assert_int_equal(FAKE_CALL(fake, "fd_close", fd), WASI_EBADF);
	assert_int_equal(FAKE_CALL(fake, "fd_renumber", 3, 1000), WASI_EBADF);
	assert_int_equal(FAKE_CALL(fake, "fd_close", FD_W), WASI_SUCCESS);
	wasi_reset(fake->wasi);
	assert_int_equal(write_text(fake, 1, "again"), WASI_SUCCESS);
	assert_int_equal(opened(fake, FD_W, "data", 0, read_rights), 6);
}

static void test_rights(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	uint32_t fd = opened(fake, FD_W, "data", 0, all_rights);
	struct wasi_fdstat stat;
	assert_int_equal(FAKE_CALL(fake, "fd_fdstat_get", fd, AT_RESULT), WASI_SUCCESS);
	memcpy(&stat, fake->memory + AT_RESULT, sizeof(stat));
	assert_int_equal(stat.filetype, WASI_FILETYPE_REGULAR_FILE);
	assert_int_equal(stat.rights_base & WASI_PATH_OPEN, 0);
	assert_int_equal(FAKE_CALL(fake, "fd_fdstat_set_rights", fd, WASI_FD_READ, 0), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_fdstat_set_rights", fd, WASI_FD_READ | WASI_FD_WRITE, 0),
	                 WASI_ENOTCAPABLE);
	assert_int_equal(write_text(fake, fd, "x"), WASI_EBADF);
	assert_int_equal(FAKE_CALL(fake, "fd_seek", fd, 0, WASI_WHENCE_SET, AT_RESULT), WASI_ENOTCAPABLE);
	uint32_t directory, none;
	fake_put(fake, AT_PATH, "sub");
	assert_int_equal(FAKE_CALL(fake, "path_open", FD_W, 0, AT_PATH, 3, WASI_OFLAG_DIRECTORY,
	                           WASI_PATH_OPEN, WASI_FD_READ, 0, AT_RESULT),
	                 WASI_SUCCESS);
	directory = fake_u32(fake, AT_RESULT);
	assert_int_equal(open_path(fake, directory, "x", 0, WASI_FD_WRITE, 0, &none), WASI_ENOTCAPABLE);
	assert_int_equal(open_path(fake, directory, "x", WASI_OFLAG_CREAT, WASI_FD_READ, 0, &none),
	                 WASI_ENOTCAPABLE);
	assert_int_equal(open_path(fake, fd, "x", 0, WASI_FD_READ, 0, &none), WASI_ENOTDIR);
}

static void put_clock(struct fake_cell *fake, uint32_t index, uint64_t userdata, uint32_t clock,
                      uint64_t timeout_ns, uint16_t flags)
{
	struct wasi_subscription s = {.userdata = userdata, .type = WASI_EVENTTYPE_CLOCK};
	s.clock.id = clock;
	s.clock.timeout_ns = timeout_ns;
	s.clock.flags = flags;
	memcpy(fake->memory + AT_DATA + index * sizeof(s), &s, sizeof(s));
}

static struct wasi_event event_at(const struct fake_cell *fake, uint32_t index)
{
	struct wasi_event event;
	memcpy(&event, fake->memory + AT_OTHER + index * sizeof(event), sizeof(event));
	return event;
}

static void test_poll(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	struct wasi_subscription fd_read = {.userdata = 9, .type = WASI_EVENTTYPE_FD_READ};
	uint64_t start = clock_ns();
	put_clock(fake, 0, 1, WASI_CLOCK_MONOTONIC, 2000000, 0);
	put_clock(fake, 1, 2, WASI_CLOCK_REALTIME, 3600ull * 1000000000, 0);
	assert_int_equal(FAKE_CALL(fake, "poll_oneoff", AT_DATA, AT_OTHER, 2, AT_RESULT), WASI_SUCCESS);
	assert_true(clock_ns() - start >= 2000000); /* and not the hour */
	assert_int_equal(fake_u32(fake, AT_RESULT), 1);
	assert_int_equal(event_at(fake, 0).userdata, 1);
	put_clock(fake, 0, 3, WASI_CLOCK_REALTIME, 1, WASI_SUBSCRIPTION_ABSTIME); /* long ago */
	put_clock(fake, 1, 4, 2, 1, 0);
	assert_int_equal(FAKE_CALL(fake, "poll_oneoff", AT_DATA, AT_OTHER, 2, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 2);
	assert_int_equal(event_at(fake, 0).error, WASI_SUCCESS);
	assert_int_equal(event_at(fake, 1).error, WASI_ENOTSUP);
	/* a file is ready at once: nothing waits for the hour */
	put_clock(fake, 0, 5, WASI_CLOCK_MONOTONIC, 3600ull * 1000000000, 0);
	fd_read.descriptor = 0;
	memcpy(fake->memory + AT_DATA + sizeof(fd_read), &fd_read, sizeof(fd_read));
	fd_read.descriptor = 77;
	memcpy(fake->memory + AT_DATA + 2 * sizeof(fd_read), &fd_read, sizeof(fd_read));
	assert_int_equal(FAKE_CALL(fake, "poll_oneoff", AT_DATA, AT_OTHER, 3, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 2);
	assert_int_equal(event_at(fake, 0).error, WASI_SUCCESS);
	assert_int_equal(event_at(fake, 1).error, WASI_EBADF);
	assert_int_equal(FAKE_CALL(fake, "poll_oneoff", AT_DATA, AT_OTHER, 0, AT_RESULT), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "poll_oneoff", AT_DATA, AT_OTHER, UINT32_MAX, AT_RESULT),
	                 WASI_EINVAL);
}

static void test_unsupported(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	log_open("test", -1, LOG_LEVEL_ERROR);
	assert_int_equal(FAKE_CALL(fake, "proc_raise", 9), WASI_ENOSYS);
	assert_int_equal(FAKE_CALL(fake, "sock_accept", 3, 0, 0), WASI_ENOSYS);
	assert_int_equal(FAKE_CALL(fake, "sock_recv", 3, 0, 0, 0, 0, 0), WASI_ENOSYS);
	assert_int_equal(FAKE_CALL(fake, "sock_send", 3, 0, 0, 0, 0), WASI_ENOSYS);
	assert_int_equal(FAKE_CALL(fake, "sock_shutdown", 3, 0), WASI_ENOSYS);
}

static void test_descriptors_run_out(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	uint32_t fd, count = 0;
	assert_int_equal(wasi_file_put(fake->wasi, "/f", "", 0, NULL), 0);
	while (open_path(fake, FD_ROOT, "f", 0, read_rights, 0, &fd) == WASI_SUCCESS)
		count++;
	assert_int_equal(count, 1024 - 6);
	assert_int_equal(open_path(fake, FD_ROOT, "f", 0, read_rights, 0, &fd), WASI_EMFILE);
	assert_int_equal(FAKE_CALL(fake, "fd_close", 500), WASI_SUCCESS);
	assert_int_equal(opened(fake, FD_ROOT, "f", 0, read_rights), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_strings),
		WITH_FIXTURE(test_clocks_and_random),
		WITH_FIXTURE(test_streams),
		WITH_FIXTURE(test_preopens),
		WITH_FIXTURE(test_reset),
		WITH_FIXTURE(test_rights),
		WITH_FIXTURE(test_poll),
		WITH_FIXTURE(test_unsupported),
		WITH_FIXTURE(test_descriptors_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
