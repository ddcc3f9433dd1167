/*
 * Files through WASI. Do calls do what the specification says, on files of the host and on memory files
 * alike; are files that are given there for each program, and gone with it what it did to them; and what
 * happens when memory ends?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wasi_support.h"

enum { LISTING_MAX = 1000 };

static int set_up_files(void **state)
{
	static const struct wasi_file files[] = {{"/etc/app/key", "secret", 6},
	                                         {"/etc/app/deep/er", "", 0},
	                                         {"/w/data", "over", 4}};
	return fixture_with_files(state, files, array_count(files));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_files),
		WITH_FIXTURE(test_create_and_change),
		WITH_FIXTURE(test_directories),
		cmocka_unit_test_setup_teardown(test_given_files, set_up_files, fixture_tear_down),
		WITH_FIXTURE(test_root),
		WITH_FIXTURE(test_rename_over_memory_file),
		WITH_FIXTURE(test_files_of_the_executor),
		WITH_FIXTURE(test_reset_drops_memory_files),
		WITH_FIXTURE(test_memory_runs_out),
		WITH_FIXTURE(test_memory_runs_out_in_a_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
