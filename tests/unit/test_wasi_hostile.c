/*
 * Does anything that a hostile cell passes to WASI (pointers, lengths, descriptors, paths, flags) get further
 * than an error number: beyond its memory, out of its directories, or into one that is read-only?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "wasi_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_read_only),         WITH_FIXTURE(test_escapes),
		WITH_FIXTURE(test_hostile_arguments), WITH_FIXTURE(test_hostile_iovecs),
		WITH_FIXTURE(test_hostile_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
