/*
 * WASI preview 1 as a cell sees it. Do calls do what the specification says, on files of the host
 * and on memory files alike? Does anything that a hostile cell passes (pointers, lengths,
 * descriptors, paths, flags) get further than an error number?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "cell/wasi/format.h"
#include "fake_cell.h"

/* Places in the cell's memory. */
enum {
	AT_RESULT = 64,
	AT_IOVECS = 128,
	AT_PATH = 1024,
	AT_SECOND = 6000,
	AT_DATA = 16384,
	AT_OTHER = 32768,
	END = FAKE_MEMORY,
};

enum { FD_W = 3, FD_R = 4, FD_ROOT = 5, LISTING_MAX = 1000 };

static const uint64_t all_rights = (1 << 28) - 1;
static const uint64_t read_rights = WASI_FD_READ | WASI_FD_SEEK | WASI_FD_TELL | WASI_FD_READDIR |
                                    WASI_FD_FILESTAT_GET | WASI_PATH_OPEN | WASI_POLL_FD_READWRITE;

struct fixture {
	char host[64]; /* a directory of this test's own: w, r, outside */
	struct fake_cell *fake;
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void host_path(const struct fixture *f, const char *name, char to[256])
{
	snprintf(to, 256, "%s/%s", f->host, name);
}

static void host_write(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	host_path(f, name, path);
	assert_int_equal(io_write_file(path, text, strlen(text), 0644, NULL), 0);
}

static void assert_host_content(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	cleanup_buf struct buf content = {0};
	host_path(f, name, path);
	assert_int_equal(io_read_file(path, 1 << 20, &content, NULL), 0);
	assert_int_equal(content.size, strlen(text));
	if (content.size)
		assert_memory_equal(content.data, text, content.size);
}

static int setup_given(void **state, const struct wasi_file *files, size_t file_count)
{
	static const char *const arguments[] = {"program", "", "two words"};
	struct fixture *f = calloc(1, sizeof(*f));
	char path[256], read_only[256];
	snprintf(f->host, sizeof(f->host), "/tmp/cella-test-wasi-XXXXXX");
	assert_non_null(mkdtemp(f->host));
	static const char *const names[] = {"outside", "w", "r", "w/sub"};
	for (size_t i = 0; i < array_count(names); i++) {
		host_path(f, names[i], path);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	host_write(f, "outside/secret", "secret");
	host_write(f, "r/fixed", "fixed");
	host_write(f, "w/data", "0123456789");
	host_path(f, "w", path);
	host_path(f, "r", read_only);
	f->fake = fake_cell_new(arguments, array_count(arguments), files, file_count, path, read_only);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_given(state, NULL, 0);
}

static int setup_files(void **state)
{
	static const struct wasi_file files[] = {{"/etc/app/key", "secret", 6},
	                                         {"/etc/app/deep/er", "", 0},
	                                         {"/w/data", "over", 4}};
	return setup_given(state, files, array_count(files));
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	fake_cell_free(f->fake);
	nftw(f->host, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* Open `path` from the directory; the answer, the descriptor in *ret_fd. */
static uint32_t open_path(struct fake_cell *fake, uint32_t directory, const char *path, uint32_t oflags,
                          uint64_t rights, uint32_t fdflags, uint32_t *ret_fd)
{
	uint32_t size = fake_put(fake, AT_PATH, path);
	uint32_t rc = FAKE_CALL(fake, "path_open", directory, WASI_LOOKUP_SYMLINK_FOLLOW, AT_PATH, size,
	                        oflags, rights, all_rights, fdflags, AT_RESULT);
	*ret_fd = fake_u32(fake, AT_RESULT);
	return rc;
}

static uint32_t opened(struct fake_cell *fake, uint32_t directory, const char *path, uint32_t oflags,
                       uint64_t rights)
{
	uint32_t fd;
	assert_int_equal(open_path(fake, directory, path, oflags, rights, 0, &fd), WASI_SUCCESS);
	return fd;
}

static uint32_t one_path(struct fake_cell *fake, const char *call, uint32_t directory, const char *path)
{
	return FAKE_CALL(fake, call, directory, AT_PATH, fake_put(fake, AT_PATH, path));
}

static uint32_t rename_path(struct fake_cell *fake, uint32_t from_directory, const char *from,
                            uint32_t to_directory, const char *to)
{
	return FAKE_CALL(fake, "path_rename", from_directory, AT_PATH, fake_put(fake, AT_PATH, from),
	                 to_directory, AT_SECOND, fake_put(fake, AT_SECOND, to));
}

static uint32_t write_text(struct fake_cell *fake, uint32_t fd, const char *text)
{
	fake_put_u32(fake, AT_IOVECS, AT_DATA);
	fake_put_u32(fake, AT_IOVECS + 4, fake_put(fake, AT_DATA, text));
	uint32_t rc = FAKE_CALL(fake, "fd_write", fd, AT_IOVECS, 1, AT_RESULT);
	if (rc == WASI_SUCCESS)
		assert_int_equal(fake_u32(fake, AT_RESULT), strlen(text));
	return rc;
}

static uint32_t read_some(struct fake_cell *fake, uint32_t fd, uint32_t size)
{
	fake_put_u32(fake, AT_IOVECS, AT_DATA);
	fake_put_u32(fake, AT_IOVECS + 4, size);
	return FAKE_CALL(fake, "fd_read", fd, AT_IOVECS, 1, AT_RESULT);
}

static void assert_reads(struct fake_cell *fake, uint32_t fd, const char *text)
{
	assert_int_equal(read_some(fake, fd, 1000), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), strlen(text));
	if (*text)
		assert_memory_equal(fake->memory + AT_DATA, text, strlen(text));
}

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

static void use_file(struct fake_cell *fake, uint32_t directory, const char *path)
{
	uint32_t fd = opened(fake, directory, path, 0, all_rights);
	assert_reads(fake, fd, "0123456789");
	assert_int_equal(FAKE_CALL(fake, "fd_seek", fd, (uint64_t)-4, WASI_WHENCE_END, AT_RESULT),
	                 WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT), 6);
	assert_int_equal(write_text(fake, fd, "ABCDEF"), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_tell", fd, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT), 12);
	assert_int_equal(FAKE_CALL(fake, "fd_seek", fd, (uint64_t)-13, WASI_WHENCE_CUR, AT_RESULT),
	                 WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "fd_seek", fd, 0, 3, AT_RESULT), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "fd_pread", fd, AT_IOVECS, 1, 4, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 6);
	assert_memory_equal(fake->memory + AT_DATA, "45ABCD", 6);
	assert_int_equal(FAKE_CALL(fake, "fd_pwrite", fd, AT_IOVECS, 1, 20, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_pwrite", fd, AT_IOVECS, 1, UINT64_MAX, AT_RESULT), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_get", fd, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT + offsetof(struct wasi_filestat, size)), 26);
	assert_int_equal(fake->memory[AT_RESULT + offsetof(struct wasi_filestat, filetype)],
	                 WASI_FILETYPE_REGULAR_FILE);
	assert_int_equal(FAKE_CALL(fake, "fd_allocate", fd, 0, 40), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_allocate", fd, UINT64_MAX, 1), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_size", fd, 3), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_size", fd, UINT64_MAX), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "fd_advise", fd, 0, 0, 3), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_advise", fd, 0, 0, 6), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_times", fd, 5000000001, 7, 5), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_times", fd, 0, 0, 3), WASI_EINVAL);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_get", fd, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT + offsetof(struct wasi_filestat, atime_ns)), 5000000001);
	assert_int_equal(fake_u64(fake, AT_RESULT + offsetof(struct wasi_filestat, mtime_ns)), 7);
	assert_int_equal(FAKE_CALL(fake, "fd_seek", fd, 0, WASI_WHENCE_SET, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_fdstat_set_flags", fd, WASI_FDFLAG_APPEND | WASI_FDFLAG_SYNC),
	                 WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_fdstat_set_flags", fd, 1 << 5), WASI_EINVAL);
	assert_int_equal(write_text(fake, fd, "+"), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_sync", fd), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_datasync", fd), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_close", fd), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "fd_close", fd), WASI_EBADF);
	fd = opened(fake, directory, path, 0, read_rights);
	assert_reads(fake, fd, "012+");
	assert_int_equal(write_text(fake, fd, "x"), WASI_EBADF);
	assert_int_equal(FAKE_CALL(fake, "fd_close", fd), WASI_SUCCESS);
	assert_int_equal(open_path(fake, directory, path, WASI_OFLAG_CREAT | WASI_OFLAG_EXCL, all_rights, 0,
	                           &fd),
	                 WASI_EEXIST);
	assert_int_equal(open_path(fake, directory, path, WASI_OFLAG_DIRECTORY, read_rights, 0, &fd),
	                 WASI_ENOTDIR);
	fd = opened(fake, directory, path, WASI_OFLAG_TRUNC, all_rights);
	assert_reads(fake, fd, "");
}

/* The same calls have the same effects on a file of the host, a memory file over it, and one in the root. */
static void test_files(void **state)
{
	struct fixture *f = *state;
	use_file(f->fake, FD_W, "data");
	assert_host_content(f, "w/data", "");
	host_write(f, "w/data", "host");
	assert_int_equal(wasi_file_put(f->fake->wasi, "/w/data", "0123456789", 10, NULL), 0);
	assert_int_equal(wasi_file_put(f->fake->wasi, "/a/b", "0123456789", 10, NULL), 0);
	uint32_t calls = f->fake->path_calls;
	use_file(f->fake, FD_W, "sub/../data");
	use_file(f->fake, FD_ROOT, "a/./b");
	assert_int_equal(f->fake->path_calls, calls);
	assert_host_content(f, "w/data", "host");
}

static void test_create_and_change(void **state)
{
	struct fixture *f = *state;
	struct fake_cell *fake = f->fake;
	uint32_t fd = opened(fake, FD_W, "new", WASI_OFLAG_CREAT | WASI_OFLAG_EXCL, all_rights);
	assert_int_equal(write_text(fake, fd, "made"), WASI_SUCCESS);
	assert_host_content(f, "w/new", "made");
	assert_int_equal(one_path(fake, "path_create_directory", FD_W, "dir/"), WASI_SUCCESS);
	assert_int_equal(one_path(fake, "path_create_directory", FD_W, "dir"), WASI_EEXIST);
	assert_int_equal(rename_path(fake, FD_W, "new", FD_W, "dir/moved"), WASI_SUCCESS);
	assert_host_content(f, "w/dir/moved", "made");
	assert_int_equal(one_path(fake, "path_remove_directory", FD_W, "dir"), WASI_ENOTEMPTY);
	assert_int_equal(one_path(fake, "path_unlink_file", FD_W, "dir"), WASI_EISDIR);
	assert_int_equal(one_path(fake, "path_remove_directory", FD_W, "dir/moved"), WASI_ENOTDIR);
	uint32_t directory = opened(fake, FD_W, "dir", WASI_OFLAG_DIRECTORY,
	                            read_rights | WASI_PATH_UNLINK_FILE);
	assert_reads(fake, opened(fake, directory, "moved", 0, read_rights), "made");
	assert_int_equal(one_path(fake, "path_unlink_file", directory, "moved"), WASI_SUCCESS);
	assert_int_equal(one_path(fake, "path_create_directory", directory, "x"), WASI_ENOTCAPABLE);
	assert_int_equal(one_path(fake, "path_remove_directory", FD_W, "dir"), WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "path_symlink", AT_SECOND, fake_put(fake, AT_SECOND, "data"), FD_W,
	                           AT_PATH, fake_put(fake, AT_PATH, "link")),
	                 WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "path_readlink", FD_W, AT_PATH, 4, AT_DATA, 3, AT_RESULT),
	                 WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), 3);
	assert_memory_equal(fake->memory + AT_DATA, "dat", 3);
	assert_reads(fake, opened(fake, FD_W, "link", 0, read_rights), "0123456789");
	assert_int_equal(FAKE_CALL(fake, "path_open", FD_W, 0, AT_PATH, fake_put(fake, AT_PATH, "link"), 0,
	                           read_rights, 0, 0, AT_RESULT),
	                 WASI_ELOOP);
	assert_int_equal(FAKE_CALL(fake, "path_link", FD_W, 0, AT_PATH, fake_put(fake, AT_PATH, "data"), FD_W,
	                           AT_SECOND, fake_put(fake, AT_SECOND, "hard")),
	                 WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "path_filestat_get", FD_W, 1, AT_PATH, 4, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT + offsetof(struct wasi_filestat, links)), 2);
	assert_int_equal(FAKE_CALL(fake, "path_filestat_set_times", FD_W, 1, AT_PATH, 4, 1000, 2000, 5),
	                 WASI_SUCCESS);
	assert_int_equal(FAKE_CALL(fake, "path_filestat_get", FD_W, 1, AT_SECOND, 4, AT_RESULT),
	                 WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT + offsetof(struct wasi_filestat, mtime_ns)), 2000);
	assert_int_equal(FAKE_CALL(fake, "path_filestat_get", FD_W, 0, AT_PATH,
	                           fake_put(fake, AT_PATH, "link"), AT_RESULT),
	                 WASI_SUCCESS);
	assert_int_equal(fake->memory[AT_RESULT + offsetof(struct wasi_filestat, filetype)],
	                 WASI_FILETYPE_SYMBOLIC_LINK);
}

/* No path leads out of its directory, and what is no regular file or directory is not opened. */
static void test_escapes(void **state)
{
	static const struct {
		const char *path;
		uint32_t answer;
	} cases[] = {
		{"../outside/secret", WASI_ENOTCAPABLE},
		{"..", WASI_ENOTCAPABLE},
		{"sub/../../outside/secret", WASI_ENOTCAPABLE},
		{"sub/../..", WASI_ENOTCAPABLE},
		{"/etc/passwd", WASI_ENOTCAPABLE},
		{"/", WASI_ENOTCAPABLE},
		{"out/secret", WASI_EPERM},
		{"absolute", WASI_EPERM},
		{"sub/up/outside/secret", WASI_EPERM},
		{"sub/up/w/data", WASI_EPERM},
		{"chain", WASI_EPERM},
		{"loop", WASI_ELOOP},
		{"magic/etc/passwd", WASI_EPERM},
		{"fifo", WASI_EACCES},
		{"null", WASI_EACCES},
		{"data/x", WASI_ENOTDIR},
		{"data/", WASI_ENOTDIR},
		{"missing", WASI_ENOENT},
		{"", WASI_ENOENT},
		{"sub/inside", WASI_SUCCESS},
		{"sub/../data", WASI_SUCCESS},
		{".", WASI_SUCCESS},
	};
	static const struct {
		const char *target, *name;
	} links[] = {
		{"../outside", "w/out"},     {"/etc/passwd", "w/absolute"},
		{"../..", "w/sub/up"},       {"absolute", "w/chain"},
		{"loop", "w/loop"},          {"/proc/self/root", "w/magic"},
		{"../data", "w/sub/inside"},
	};
	struct fixture *f = *state;
	char path[256];
	uint32_t fd;
	for (size_t i = 0; i < array_count(links); i++) {
		host_path(f, links[i].name, path);
		assert_int_equal(symlink(links[i].target, path), 0);
	}
	host_path(f, "w/fifo", path);
	assert_int_equal(mkfifo(path, 0644), 0);
	host_path(f, "w/null", path);
	if (mknod(path, S_IFCHR | 0666, makedev(1, 3)) < 0)
		assert_int_equal(mkfifo(path, 0644), 0); /* an ordinary user makes no devices */
	for (size_t i = 0; i < array_count(cases); i++) {
		uint32_t rc = open_path(f->fake, FD_W, cases[i].path, 0, read_rights, 0, &fd);
		if (rc != cases[i].answer)
			fail_msg("%s: %u, not %u", cases[i].path, rc, cases[i].answer);
	}
	assert_int_equal(rename_path(f->fake, FD_W, "data", FD_W, "out/data"), WASI_EPERM);
	assert_int_equal(rename_path(f->fake, FD_W, "out/secret", FD_W, "mine"), WASI_EPERM);
	assert_int_equal(rename_path(f->fake, FD_W, "data", FD_W, "../outside/data"), WASI_ENOTCAPABLE);
	assert_int_equal(one_path(f->fake, "path_create_directory", FD_W, "out/dir"), WASI_EPERM);
	assert_int_equal(one_path(f->fake, "path_unlink_file", FD_W, "out/secret"), WASI_EPERM);
	assert_int_equal(open_path(f->fake, FD_W, "out/new", WASI_OFLAG_CREAT, all_rights, 0, &fd),
	                 WASI_EPERM);
	assert_int_equal(open_path(f->fake, FD_W, "absolute", WASI_OFLAG_TRUNC, all_rights, 0, &fd),
	                 WASI_EPERM);
	assert_int_equal(FAKE_CALL(f->fake, "path_symlink", AT_SECOND, fake_put(f->fake, AT_SECOND, "/etc"),
	                           FD_W, AT_PATH, fake_put(f->fake, AT_PATH, "l")),
	                 WASI_ENOTCAPABLE);
	/* a directory that is opened keeps its cell inside it, too */
	fd = opened(f->fake, FD_W, "sub", WASI_OFLAG_DIRECTORY, all_rights);
	assert_int_equal(open_path(f->fake, fd, "../data", 0, read_rights, 0, &fd), WASI_ENOTCAPABLE);
	assert_host_content(f, "outside/secret", "secret");
}

/* A read-only directory stays as it is. */
static void test_read_only(void **state)
{
	static const struct {
		uint32_t oflags;
		uint64_t rights;
	} opens[] = {
		{0, WASI_FD_WRITE},
		{0, WASI_FD_READ | WASI_FD_WRITE},
		{0, WASI_FD_ALLOCATE},
		{0, WASI_FD_FILESTAT_SET_SIZE},
		{WASI_OFLAG_TRUNC, WASI_FD_READ},
		{WASI_OFLAG_CREAT, WASI_FD_READ},
	};
	struct fixture *f = *state;
	struct fake_cell *fake = f->fake;
	uint32_t fd, size = fake_put(fake, AT_PATH, "fixed");
	for (size_t i = 0; i < array_count(opens); i++)
		assert_int_equal(open_path(fake, FD_R, "fixed", opens[i].oflags, opens[i].rights, 0, &fd),
		                 WASI_EROFS);
	assert_int_equal(open_path(fake, FD_R, "new", WASI_OFLAG_CREAT, WASI_FD_READ, 0, &fd), WASI_EROFS);
	assert_int_equal(one_path(fake, "path_unlink_file", FD_R, "fixed"), WASI_EROFS);
	assert_int_equal(one_path(fake, "path_create_directory", FD_R, "d"), WASI_EROFS);
	assert_int_equal(one_path(fake, "path_remove_directory", FD_R, "d"), WASI_EROFS);
	assert_int_equal(rename_path(fake, FD_R, "fixed", FD_W, "x"), WASI_EROFS);
	assert_int_equal(rename_path(fake, FD_W, "data", FD_R, "x"), WASI_EROFS);
	assert_int_equal(wasi_file_put(fake->wasi, "/w/memory", "m", 1, NULL), 0);
	assert_int_equal(rename_path(fake, FD_W, "memory", FD_R, "x"), WASI_EROFS);
	assert_int_equal(rename_path(fake, FD_W, "memory", FD_R, "fixed"), WASI_EROFS);
	assert_int_equal(rename_path(fake, FD_W, "memory", FD_W, "moved/"), WASI_ENOTDIR);
	fake_put(fake, AT_PATH, "fixed");
	assert_int_equal(FAKE_CALL(fake, "path_filestat_set_times", FD_R, 0, AT_PATH, size, 1, 1, 5),
	                 WASI_EROFS);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_times", FD_R, 1, 1, 5), WASI_EROFS);
	assert_int_equal(FAKE_CALL(fake, "path_link", FD_R, 0, AT_PATH, size, FD_W, AT_SECOND, 1),
	                 WASI_EROFS);
	assert_int_equal(FAKE_CALL(fake, "path_symlink", AT_PATH, size, FD_R, AT_SECOND, 1), WASI_EROFS);
	fd = opened(fake, FD_R, "fixed", 0, read_rights | WASI_FD_FILESTAT_SET_TIMES);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_times", fd, 1, 1, 5), WASI_ENOTCAPABLE);
	assert_reads(fake, fd, "fixed");
	assert_host_content(f, "r/fixed", "fixed");
}

/* The names in a directory, through a buffer of `size` bytes, each in brackets. */
static void list_names(struct fake_cell *fake, uint32_t fd, uint32_t size, char *to)
{
	uint64_t cookie = 0;
	uint32_t used = size;
	*to = '\0';
	while (used == size) {
		assert_int_equal(FAKE_CALL(fake, "fd_readdir", fd, AT_DATA, size, cookie, AT_RESULT),
		                 WASI_SUCCESS);
		used = fake_u32(fake, AT_RESULT);
		assert_in_range(used, 0, size);
		for (uint32_t at = 0; at + sizeof(struct wasi_dirent) <= used;) {
			struct wasi_dirent entry;
			memcpy(&entry, fake->memory + AT_DATA + at, sizeof(entry));
			at += (uint32_t)sizeof(entry);
			if (at + entry.name_size > used)
				break;
			size_t listed = strlen(to);
			snprintf(to + listed, LISTING_MAX - listed, "[%.*s]", (int)entry.name_size,
			         (char *)fake->memory + AT_DATA + at);
			at += entry.name_size;
			cookie = entry.next;
		}
	}
}

/* Each entry once, whatever the buffer's size; a memory file hides the host's file of that name. */
static void test_directories(void **state)
{
	static const uint32_t sizes[] = {4096, 32, 33, 40, 57, 100, 300};
	static const char *const names[] = {"[.]",  "[..]", "[data]", "[sub]",
	                                    "[x1]", "[x2]", "[x3]",   "[put]"};
	struct fixture *f = *state;
	struct fake_cell *fake = f->fake;
	host_write(f, "w/x1", "");
	host_write(f, "w/x2", "");
	host_write(f, "w/x3", "");
	assert_int_equal(wasi_file_put(fake->wasi, "/w/put", "", 0, NULL), 0);
	assert_int_equal(wasi_file_put(fake->wasi, "/w/x2", "", 0, NULL), 0);
	assert_int_equal(wasi_file_put(fake->wasi, "/w/sub/deeper", "", 0, NULL), 0);
	assert_int_equal(wasi_file_put(fake->wasi, "/top", "", 0, NULL), 0);
	for (size_t s = 0; s < array_count(sizes); s++) {
		char listed[LISTING_MAX];
		size_t expected = 0;
		list_names(fake, FD_W, sizes[s], listed);
		for (size_t i = 0; i < array_count(names); i++) {
			const char *first = strstr(listed, names[i]);
			if (!first || strstr(first + 1, names[i]))
				fail_msg("buffer of %u: %s in %s", sizes[s], names[i], listed);
			expected += strlen(names[i]);
		}
		assert_int_equal(strlen(listed), expected);
		list_names(fake, FD_ROOT, sizes[s], listed);
		assert_string_equal(listed, "[top]");
	}
	uint32_t fd = opened(fake, FD_W, "data", 0, read_rights);
	assert_int_equal(FAKE_CALL(fake, "fd_readdir", fd, AT_DATA, 100, 0, AT_RESULT), WASI_ENOTDIR);
	fd = opened(fake, FD_ROOT, ".", WASI_OFLAG_DIRECTORY, read_rights);
	char listed[LISTING_MAX];
	list_names(fake, fd, 64, listed);
	assert_string_equal(listed, "[top]");
}

/* Files that are given are there from the start of each program, with the directories on their way. */
static void test_given_files(void **state)
{
	struct fixture *f = *state;
	struct fake_cell *fake = f->fake;
	for (unsigned program = 0; program < 2; program++) {
		static const uint32_t sizes[] = {4096, 32, 30};
		char listed[LISTING_MAX];
		uint32_t top = opened(fake, FD_ROOT, "etc", WASI_OFLAG_DIRECTORY, read_rights);
		uint32_t fd = opened(fake, top, "app", WASI_OFLAG_DIRECTORY, read_rights);
		for (size_t i = 0; i < array_count(sizes); i++) {
			list_names(fake, FD_ROOT, sizes[i], listed);
			assert_string_equal(listed, "[etc]");
			list_names(fake, top, sizes[i], listed);
			assert_string_equal(listed, "[app]");
			list_names(fake, fd, sizes[i], listed);
			assert_string_equal(listed, "[key][deep]");
		}
		assert_int_equal(FAKE_CALL(fake, "path_filestat_get", FD_ROOT, 0, AT_PATH,
		                           fake_put(fake, AT_PATH, "etc/app"), AT_RESULT),
		                 WASI_SUCCESS);
		assert_int_equal(fake->memory[AT_RESULT + 16], WASI_FILETYPE_DIRECTORY);
		assert_int_equal(open_path(fake, fd, "k", 0, read_rights, 0, &top), WASI_ENOENT);
		assert_reads(fake, opened(fake, fd, "key", 0, read_rights), "secret");
		assert_reads(fake, opened(fake, FD_W, "data", 0, read_rights), "over");
		/* what a program does to them is not there for the next */
		opened(fake, FD_ROOT, "etc/app/key", WASI_OFLAG_TRUNC, all_rights);
		assert_int_equal(one_path(fake, "path_unlink_file", FD_W, "data"), WASI_SUCCESS);
		wasi_reset(fake->wasi);
	}
	assert_host_content(f, "w/data", "0123456789");
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

/* The root without a host: memory files are read and written there, nothing is created. */
static void test_root(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	uint32_t fd;
	assert_int_equal(open_path(fake, FD_ROOT, "etc/passwd", 0, read_rights, 0, &fd), WASI_ENOENT);
	assert_int_equal(open_path(fake, FD_ROOT, "new", WASI_OFLAG_CREAT, all_rights, 0, &fd),
	                 WASI_ENOTCAPABLE);
	assert_int_equal(one_path(fake, "path_create_directory", FD_ROOT, "d"), WASI_ENOTCAPABLE);
	assert_int_equal(rename_path(fake, FD_W, "data", FD_ROOT, "data"), WASI_ENOTCAPABLE);
	assert_int_equal(wasi_file_put(fake->wasi, "/a", "alpha", 5, NULL), 0);
	assert_int_equal(one_path(fake, "path_create_directory", FD_ROOT, "a"), WASI_EEXIST);
	assert_int_equal(rename_path(fake, FD_ROOT, "a", FD_ROOT, "b"), WASI_SUCCESS);
	assert_int_equal(open_path(fake, FD_ROOT, "a", 0, read_rights, 0, &fd), WASI_ENOENT);
	fd = opened(fake, FD_ROOT, "b", 0, read_rights);
	assert_int_equal(one_path(fake, "path_unlink_file", FD_ROOT, "b"), WASI_SUCCESS);
	assert_reads(fake, fd, "alpha"); /* open files outlive their names */
	assert_int_equal(open_path(fake, FD_ROOT, ".", 0, WASI_FD_WRITE, 0, &fd), WASI_EISDIR);
	assert_int_equal(fake->path_calls, 0);
}

/* A program that writes beside its output and renames it into place, where the output is a memory file. */
static void test_rename_over_memory_file(void **state)
{
	struct fixture *f = *state;
	uint8_t *data;
	size_t size;
	assert_int_equal(wasi_file_put(f->fake->wasi, "/w/out", "before", 6, NULL), 0);
	uint32_t fd = opened(f->fake, FD_W, "out.tmp", WASI_OFLAG_CREAT, all_rights);
	assert_int_equal(write_text(f->fake, fd, "after all"), WASI_SUCCESS);
	assert_int_equal(rename_path(f->fake, FD_W, "out.tmp", FD_W, "out"), WASI_SUCCESS);
	assert_int_equal(wasi_file_read(f->fake->wasi, "/w/out", &data, &size, NULL), 0);
	assert_int_equal(size, 9);
	assert_memory_equal(data, "after all", 9);
	mem_free(f->fake->pool, data);
	assert_int_equal(open_path(f->fake, FD_W, "out.tmp", 0, read_rights, 0, &fd), WASI_ENOENT);
}

static void assert_file(struct fixture *f, const char *path, const char *text)
{
	uint8_t *data;
	size_t size;
	struct error err;
	if (wasi_file_read(f->fake->wasi, path, &data, &size, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(size, strlen(text));
	if (size)
		assert_memory_equal(data, text, size);
	mem_free(f->fake->pool, data);
}

/* What the executor itself does with files. */
static void test_files_of_the_executor(void **state)
{
	struct fixture *f = *state;
	struct wasi *w = f->fake->wasi;
	struct error err;
	uint8_t *data;
	size_t size;
	assert_file(f, "/w/data", "0123456789");
	assert_file(f, "/r/fixed", "fixed");
	assert_int_equal(wasi_file_write(w, "/w/data", "short", 5, NULL), 0);
	assert_host_content(f, "w/data", "short");
	assert_int_equal(wasi_file_write(w, "/w/empty", "", 0, NULL), 0);
	assert_file(f, "/w/empty", "");
	assert_int_equal(wasi_file_put(w, "/w/data", "over", 4, NULL), 0);
	assert_int_equal(wasi_file_write(w, "/w/data", "over it", 7, NULL), 0);
	assert_file(f, "/w/../w//data", "over it");
	wasi_file_drop(w, "/w/data");
	assert_file(f, "/w/data", "short");
	assert_int_equal(wasi_file_write(w, "/elsewhere/file", "kept", 4, NULL), 0);
	assert_file(f, "/elsewhere/file", "kept");
	wasi_file_drop(w, "/elsewhere/file");
	assert_int_equal(wasi_file_read(w, "/elsewhere/file", &data, &size, &err), CELLA_ENOENT);
	assert_string_equal(err.text, "cannot read /elsewhere/file: it does not exist");
	assert_int_equal(wasi_file_write(w, "/r/fixed", "x", 1, &err), CELLA_EPERM);
	assert_string_equal(err.text, "cannot write /r/fixed: its directory is read-only");
	assert_int_equal(wasi_file_read(w, "/w/sub", &data, &size, &err), CELLA_EPERM);
	assert_int_equal(wasi_file_read(w, "/../w/data", &data, &size, &err), CELLA_EPERM);
	f->fake->owner_gone = true;
	assert_int_equal(wasi_file_read(w, "/w/data", &data, &size, &err), CELLA_EIO);
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

/* A file that one task renamed is not there for the next, under any name. */
static void test_reset_drops_memory_files(void **state)
{
	struct fixture *f = *state;
	struct fake_cell *fake = f->fake;
	uint32_t fd;
	assert_int_equal(wasi_file_put(fake->wasi, "/w/mine", "secret", 6, NULL), 0);
	assert_int_equal(wasi_file_put(fake->wasi, "/mine", "secret", 6, NULL), 0);
	assert_int_equal(rename_path(fake, FD_W, "mine", FD_W, "data"), WASI_SUCCESS);
	assert_int_equal(rename_path(fake, FD_ROOT, "mine", FD_ROOT, "kept"), WASI_SUCCESS);
	opened(fake, FD_ROOT, "kept", 0, read_rights);
	wasi_file_drop(fake->wasi, "/w/mine"); /* as their task's end does */
	wasi_file_drop(fake->wasi, "/mine");
	wasi_reset(fake->wasi);
	assert_reads(fake, opened(fake, FD_W, "data", 0, read_rights), "0123456789");
	assert_int_equal(open_path(fake, FD_ROOT, "kept", 0, read_rights, 0, &fd), WASI_ENOENT);
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

/* A memory file cannot grow past the pool's budget; what it holds stays. */
static void test_memory_runs_out(void **state)
{
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	assert_int_equal(wasi_file_put(fake->wasi, "/f", "here", 4, NULL), 0);
	uint32_t fd = opened(fake, FD_ROOT, "f", 0, all_rights);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_set_size", fd, 1ull << 40), WASI_ENOSPC);
	assert_int_equal(FAKE_CALL(fake, "fd_allocate", fd, 1ull << 50, 1), WASI_ENOSPC);
	assert_int_equal(FAKE_CALL(fake, "fd_seek", fd, 1ull << 50, WASI_WHENCE_SET, AT_RESULT),
	                 WASI_SUCCESS);
	assert_int_equal(write_text(fake, fd, "x"), WASI_ENOSPC);
	assert_int_equal(FAKE_CALL(fake, "fd_seek", fd, 0, WASI_WHENCE_SET, AT_RESULT), WASI_SUCCESS);
	assert_reads(fake, fd, "here");
}

/* When memory ends in the middle of a write, the cell is told how much of it is there. */
static void test_memory_runs_out_in_a_write(void **state)
{
	enum { PIECES = 15, SIZE = 50000 }; /* memory doubles: it ends between two pieces of a call */
	struct fake_cell *fake = ((struct fixture *)*state)->fake;
	uint64_t written = 0;
	uint32_t rc, moved;
	assert_int_equal(wasi_file_put(fake->wasi, "/f", "", 0, NULL), 0);
	uint32_t fd = opened(fake, FD_ROOT, "f", 0, all_rights);
	for (uint32_t i = 0; i < PIECES; i++) {
		fake_put_u32(fake, AT_IOVECS + 8 * i, AT_DATA);
		fake_put_u32(fake, AT_IOVECS + 8 * i + 4, SIZE);
	}
	do {
		rc = FAKE_CALL(fake, "fd_write", fd, AT_IOVECS, PIECES, AT_RESULT);
		moved = fake_u32(fake, AT_RESULT);
		written += rc == WASI_SUCCESS ? moved : 0;
	} while (rc == WASI_SUCCESS && moved == PIECES * SIZE);
	assert_int_equal(rc, WASI_SUCCESS);
	assert_true(moved > 0 && moved % SIZE == 0);
	assert_int_equal(FAKE_CALL(fake, "fd_write", fd, AT_IOVECS, PIECES, AT_RESULT), WASI_ENOSPC);
	assert_int_equal(FAKE_CALL(fake, "fd_filestat_get", fd, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT + offsetof(struct wasi_filestat, size)), written);
	assert_int_equal(FAKE_CALL(fake, "fd_tell", fd, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u64(fake, AT_RESULT), written);
}

/*
 * Every function with its arguments all right, and for each argument what it is: a pointer (p), the
 * size of what the pointer before it names in bytes (s), a count of iovecs (n), a descriptor (d),
 * anything else (-).
 */
static const struct hostile {
	const char *name;
	const char *kinds;
	uint64_t arguments[9];
} hostile[] = {
	{"args_get", "pp", {AT_DATA, AT_OTHER}},
	{"args_sizes_get", "pp", {AT_RESULT, AT_RESULT + 4}},
	{"environ_get", "pp", {AT_DATA, AT_OTHER}},
	{"environ_sizes_get", "pp", {AT_RESULT, AT_RESULT + 4}},
	{"clock_res_get", "-p", {0, AT_RESULT}},
	{"clock_time_get", "--p", {0, 0, AT_RESULT}},
	{"random_get", "ps", {AT_DATA, 8}},
	{"poll_oneoff", "pp-p", {AT_DATA, AT_OTHER, 1, AT_RESULT}},
	{"fd_advise", "d---", {6, 0, 0, 0}},
	{"fd_allocate", "d--", {6, 0, 1}},
	{"fd_close", "d", {7}},
	{"fd_datasync", "d", {6}},
	{"fd_fdstat_get", "dp", {6, AT_RESULT}},
	{"fd_fdstat_set_flags", "d-", {6, 0}},
	{"fd_fdstat_set_rights", "d--", {6, 0, 0}},
	{"fd_filestat_get", "dp", {6, AT_RESULT}},
	{"fd_filestat_set_size", "d-", {6, 0}},
	{"fd_filestat_set_times", "d---", {6, 0, 0, 0}},
	{"fd_pread", "dpn-p", {6, AT_IOVECS, 1, 0, AT_RESULT}},
	{"fd_prestat_get", "dp", {FD_W, AT_RESULT}},
	{"fd_prestat_dir_name", "dp-", {FD_W, AT_RESULT, 2}},
	{"fd_pwrite", "dpn-p", {6, AT_IOVECS, 1, 0, AT_RESULT}},
	{"fd_read", "dpnp", {6, AT_IOVECS, 1, AT_RESULT}},
	{"fd_readdir", "dps-p", {FD_W, AT_DATA, 100, 0, AT_RESULT}},
	{"fd_renumber", "dd", {6, 7}},
	{"fd_seek", "d--p", {6, 0, 0, AT_RESULT}},
	{"fd_sync", "d", {6}},
	{"fd_tell", "dp", {6, AT_RESULT}},
	{"fd_write", "dpnp", {6, AT_IOVECS, 1, AT_RESULT}},
	{"path_create_directory", "dps", {FD_W, AT_PATH, 1}},
	{"path_filestat_get", "d-psp", {FD_W, 0, AT_PATH, 1, AT_RESULT}},
	{"path_filestat_set_times", "d-ps---", {FD_W, 0, AT_PATH, 1, 0, 0, 0}},
	{"path_link", "d-psdps", {FD_W, 0, AT_PATH, 1, FD_W, AT_SECOND, 1}},
	{"path_open", "d-ps----p", {FD_W, 0, AT_PATH, 1, 0, WASI_FD_READ, 0, 0, AT_RESULT}},
	{"path_readlink", "dpspsp", {FD_W, AT_PATH, 1, AT_DATA, 10, AT_RESULT}},
	{"path_remove_directory", "dps", {FD_W, AT_PATH, 1}},
	{"path_rename", "dpsdps", {FD_W, AT_PATH, 1, FD_W, AT_SECOND, 1}},
	{"path_symlink", "psdps", {AT_PATH, 1, FD_W, AT_SECOND, 1}},
	{"path_unlink_file", "dps", {FD_W, AT_PATH, 1}},
};

static uint32_t call_changed(struct fake_cell *fake, const struct hostile *h, size_t index, uint64_t value)
{
	uint64_t arguments[array_count(h->arguments)];
	memcpy(arguments, h->arguments, sizeof(arguments));
	arguments[index] = value;
	return fake_call(fake, h->name, arguments, strlen(h->kinds));
}

/* Descriptors 6 and 7 are a file; one piece of 8 bytes; two paths. */
static void prepare_hostile(struct fake_cell *fake)
{
	wasi_reset(fake->wasi);
	assert_int_equal(opened(fake, FD_W, "data", 0, all_rights), 6);
	assert_int_equal(opened(fake, FD_W, "data", 0, all_rights), 7);
	memset(fake->memory + AT_DATA, 0, 64);
	fake_put_u32(fake, AT_IOVECS, AT_DATA);
	fake_put_u32(fake, AT_IOVECS + 4, 8);
	fake_put(fake, AT_PATH, "p");
	fake_put(fake, AT_SECOND, "q");
}

static void test_hostile_arguments(void **state)
{
	static const uint64_t pointers[] = {END,        END - 1,    END + 1,   0x7fffffff,
	                                    0x80000000, 0xfffffff0, 0xffffffff};
	static const uint64_t sizes[] = {END, END - AT_DATA + 1, 0x7fffffff, 0x80000000, 0xffffffff};
	static const uint64_t counts[] = {1025, 0x10000000, 0x20000000, 0x20000001, 0x7fffffff, 0xffffffff};
	static const uint64_t descriptors[] = {8, 15, 16, 17, 1023, 1024, 0x7fffffff, 0x80000000, 0xffffffff};
	struct fixture *f = *state;
	for (size_t i = 0; i < array_count(hostile); i++) {
		const struct hostile *h = &hostile[i];
		for (size_t j = 0; h->kinds[j]; j++) {
			const uint64_t *values = h->kinds[j] == 'p'   ? pointers
			                         : h->kinds[j] == 's' ? sizes
			                         : h->kinds[j] == 'n' ? counts
			                                              : descriptors;
			size_t count = h->kinds[j] == 'p'   ? array_count(pointers)
			               : h->kinds[j] == 's' ? array_count(sizes)
			               : h->kinds[j] == 'n' ? array_count(counts)
			                                    : array_count(descriptors);
			for (size_t k = 0; k < count && h->kinds[j] != '-'; k++) {
				prepare_hostile(f->fake);
				uint32_t rc = call_changed(f->fake, h, j, values[k]);
				uint32_t wanted = h->kinds[j] == 'd'   ? WASI_EBADF
				                  : h->kinds[j] == 'n' ? WASI_EINVAL
				                                       : WASI_EFAULT;
				bool one_byte = h->kinds[j] == 'p' && values[k] == END - 1 &&
				                h->kinds[j + 1] == 's';
				bool too_long = h->kinds[j] == 's' && rc == WASI_ENAMETOOLONG;
				if (rc != wanted && !one_byte && !too_long)
					fail_msg("%s, argument %zu = %llx: %u, not %u", h->name, j,
					         (unsigned long long)values[k], rc, wanted);
			}
		}
	}
}

/* Pieces of an iovec array that lie outside, wrap around, or add up to more than a size can say. */
static void test_hostile_iovecs(void **state)
{
	static const struct {
		uint32_t pieces[2][2];
		uint32_t answer;
	} cases[] = {
		{{{END, 1}, {AT_DATA, 1}}, WASI_EFAULT},
		{{{END - 4, 5}, {AT_DATA, 1}}, WASI_EFAULT},
		{{{0xffffffff, 2}, {AT_DATA, 1}}, WASI_EFAULT},
		{{{AT_DATA, 0xffffffff}, {AT_DATA, 1}}, WASI_EFAULT},
		{{{AT_DATA, 1}, {0xfffffffe, 0xffffffff}}, WASI_EFAULT},
		{{{END, 0}, {AT_DATA, 1}}, WASI_SUCCESS},
		{{{AT_DATA, 4}, {AT_DATA + 2, 4}}, WASI_SUCCESS},
	};
	static const char *const calls[] = {"fd_read", "fd_write"};
	static const uint32_t descriptors[] = {6, 8, 0};
	struct fixture *f = *state;
	for (size_t i = 0; i < array_count(cases); i++) {
		for (size_t j = 0; j < array_count(calls) * array_count(descriptors); j++) {
			uint32_t fd = descriptors[j / 2];
			prepare_hostile(f->fake);
			assert_int_equal(wasi_file_put(f->fake->wasi, "/m", "0123456789", 10, NULL), 0);
			assert_int_equal(opened(f->fake, FD_ROOT, "m", 0, all_rights), 8);
			memcpy(f->fake->memory + AT_IOVECS, cases[i].pieces, sizeof(cases[i].pieces));
			fd = fd == 0 && j % 2 ? 1 : fd;
			uint32_t rc = FAKE_CALL(f->fake, calls[j % 2], fd, AT_IOVECS, 2, AT_RESULT);
			if (rc != cases[i].answer)
				fail_msg("case %zu, %s of %u: %u, not %u", i, calls[j % 2], fd, rc,
				         cases[i].answer);
		}
	}
	/* the array over its own target, and a whole page of pieces */
	prepare_hostile(f->fake);
	fake_put_u32(f->fake, AT_IOVECS, AT_IOVECS);
	assert_int_equal(FAKE_CALL(f->fake, "fd_read", 6, AT_IOVECS, 1, AT_IOVECS), WASI_SUCCESS);
	for (uint32_t i = 0; i < 1024; i++) {
		fake_put_u32(f->fake, AT_OTHER + 8 * i, AT_DATA);
		fake_put_u32(f->fake, AT_OTHER + 8 * i + 4, 64);
	}
	assert_int_equal(FAKE_CALL(f->fake, "fd_write", 1, AT_OTHER, 1024, AT_RESULT), WASI_SUCCESS);
	assert_int_equal(fake_u32(f->fake, AT_RESULT), 65536);
}

/* Paths that are no paths. */
static void test_hostile_paths(void **state)
{
	struct fixture *f = *state;
	struct fake_cell *fake = f->fake;
	uint32_t fd;
	fake_put(fake, AT_PATH, "da");
	fake->memory[AT_PATH + 1] = '\0';
	assert_int_equal(FAKE_CALL(fake, "path_unlink_file", FD_W, AT_PATH, 2), WASI_EINVAL);
	memset(fake->memory + AT_DATA, 'a', 8000);
	assert_int_equal(FAKE_CALL(fake, "path_unlink_file", FD_W, AT_DATA, 8000), WASI_ENAMETOOLONG);
	assert_int_equal(FAKE_CALL(fake, "path_unlink_file", FD_W, AT_DATA, 4095), WASI_ENAMETOOLONG);
	assert_int_equal(FAKE_CALL(fake, "path_unlink_file", FD_W, AT_DATA, 256), WASI_ENAMETOOLONG);
	assert_int_equal(FAKE_CALL(fake, "path_symlink", AT_DATA, 8000, FD_W, AT_PATH, 1), WASI_ENAMETOOLONG);
	/* not UTF-8, and that is fine */
	assert_int_equal(open_path(fake, FD_W, "\xff\xfe", WASI_OFLAG_CREAT, all_rights, 0, &fd),
	                 WASI_SUCCESS);
	static const char *const names[] = {".", "..", "sub/..", "sub/."};
	for (size_t i = 0; i < array_count(names); i++) {
		assert_int_not_equal(one_path(fake, "path_unlink_file", FD_W, names[i]), WASI_SUCCESS);
		assert_int_not_equal(one_path(fake, "path_remove_directory", FD_W, names[i]), WASI_SUCCESS);
		assert_int_not_equal(rename_path(fake, FD_W, names[i], FD_W, "x"), WASI_SUCCESS);
	}
	assert_int_equal(open_path(fake, FD_W, "data", 1 << 4, read_rights, 0, &fd), WASI_EINVAL);
	assert_int_equal(open_path(fake, FD_W, "data", WASI_OFLAG_DIRECTORY | WASI_OFLAG_CREAT, read_rights,
	                           0, &fd),
	                 WASI_EINVAL);
	assert_int_equal(open_path(fake, FD_W, "data", 0, read_rights, 1 << 5, &fd), WASI_EINVAL);
	assert_int_equal(open_path(fake, FD_W, "data", 0, 1ull << 40, 0, &fd), WASI_ENOTCAPABLE);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_strings),
		WITH_FIXTURE(test_clocks_and_random),
		WITH_FIXTURE(test_streams),
		WITH_FIXTURE(test_files),
		WITH_FIXTURE(test_create_and_change),
		WITH_FIXTURE(test_directories),
		cmocka_unit_test_setup_teardown(test_given_files, setup_files, teardown),
		WITH_FIXTURE(test_preopens),
		WITH_FIXTURE(test_root),
		WITH_FIXTURE(test_rename_over_memory_file),
		WITH_FIXTURE(test_files_of_the_executor),
		WITH_FIXTURE(test_reset),
		WITH_FIXTURE(test_reset_drops_memory_files),
		WITH_FIXTURE(test_rights),
		WITH_FIXTURE(test_poll),
		WITH_FIXTURE(test_unsupported),
		WITH_FIXTURE(test_read_only),
		WITH_FIXTURE(test_escapes),
		WITH_FIXTURE(test_descriptors_run_out),
		WITH_FIXTURE(test_memory_runs_out),
		WITH_FIXTURE(test_memory_runs_out_in_a_write),
		WITH_FIXTURE(test_hostile_arguments),
		WITH_FIXTURE(test_hostile_iovecs),
		WITH_FIXTURE(test_hostile_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
