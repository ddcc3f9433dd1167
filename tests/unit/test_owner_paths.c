/*
 * The owner's side of operations on preopened directories. Whatever an executor puts into a
 * request, is it either a well-formed operation beneath its directory, or refused? (What the
 * operations do is tested through WASI in test_wasi_files.c, and that no path leads out in
 * test_wasi_hostile.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cell/owner/paths.h"

struct fixture {
	char root[64];
	struct owner_paths *paths;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	snprintf(f->root, sizeof(f->root), "/tmp/cella-test-paths-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	assert_int_equal(owner_paths_new(&f->paths, NULL), 0);
	assert_int_equal(owner_paths_add(f->paths, f->root, false, NULL), 0);
	assert_int_equal(owner_paths_add(f->paths, f->root, true, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];
	snprintf(path, sizeof(path), "%s/file", f->root);
	unlink(path);
	rmdir(f->root);
	owner_paths_free(f->paths);
	free(f);
	return 0;
}

/* Serves the request with these paths behind it, and `extra` more or fewer bytes. */
static int serve(struct fixture *f, const struct owner_path_request *request, const char *path,
                 const char *second, int extra, struct owner_path_reply *ret_reply, int *ret_fd)
{
	cleanup_buf struct buf frame = {0};
	uint8_t answer[sizeof(*ret_reply) + OWNER_PATH_MAX];
	size_t size = 0;
	*ret_fd = -1;
	buf_put(&frame, request, sizeof(*request));
	buf_put(&frame, path, strlen(path));
	buf_put(&frame, second, strlen(second));
	if (extra > 0)
		buf_reserve(&frame, (size_t)extra);
	int rc = owner_paths_serve(f->paths, frame.data, frame.size - (size_t)max_of(-extra, 0), answer,
	                           sizeof(answer), &size, ret_fd, NULL);
	if (rc == 0)
		memcpy(ret_reply, answer, sizeof(*ret_reply));
	return rc;
}

static void test_malformed(void **state)
{
	static const struct {
		struct owner_path_request request;
		const char *path, *second;
		int extra;
	} cases[] = {
		{{.operation = 0, .path_size = 1}, "a", "", 0},
		{{.operation = 11, .path_size = 1}, "a", "", 0},
		{{.operation = UINT32_MAX, .path_size = 1}, "a", "", 0},
		{{.operation = OWNER_PATH_STAT, .preopen = 2, .path_size = 1}, "a", "", 0},
		{{.operation = OWNER_PATH_STAT, .preopen = UINT32_MAX, .path_size = 1}, "a", "", 0},
		{{.operation = OWNER_PATH_RENAME, .second_preopen = 2, .path_size = 1, .second_size = 1},
	         "a",
	         "b",
	         0},
		{{.operation = OWNER_PATH_STAT, .path_size = 2}, "a", "", 0},
		{{.operation = OWNER_PATH_STAT, .path_size = UINT32_MAX}, "a", "", 0},
		{{.operation = OWNER_PATH_STAT, .path_size = OWNER_PATH_MAX + 1}, "a", "", OWNER_PATH_MAX},
		{{.operation = OWNER_PATH_STAT, .path_size = 1, .second_size = 1}, "a", "", 0},
		{{.operation = OWNER_PATH_STAT, .path_size = 1, .second_size = UINT32_MAX}, "a", "", 0},
		{{.operation = OWNER_PATH_STAT, .path_size = 1}, "a", "", 1},
		{{.operation = OWNER_PATH_STAT, .path_size = 1}, "a", "", -1},
		{{.operation = OWNER_PATH_STAT, .path_size = 3}, "a", "", 2}, /* holds zeros */
		{{.operation = OWNER_PATH_STAT}, "", "", -1},
		{{.operation = OWNER_PATH_STAT}, "", "", -(int)sizeof(struct owner_path_request)},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct owner_path_reply reply;
		int fd;
		int rc = serve(*state, &cases[i].request, cases[i].path, cases[i].second, cases[i].extra,
		               &reply, &fd);
		if (rc != CELLA_EFORMAT || fd != -1)
			fail_msg("case %zu: %d", i, rc);
	}
}

static void test_answers(void **state)
{
	static const struct {
		uint32_t operation, preopen, flags;
		const char *path, *second;
		int answer;
	} cases[] = {
		{OWNER_PATH_OPEN, 1, OWNER_PATH_WRITE | OWNER_PATH_CREATE, "file", "", EROFS},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_WRITE | OWNER_PATH_CREATE, "file", "", 0},
		{OWNER_PATH_OPEN, 1, OWNER_PATH_READ, "file", "", 0},
		{OWNER_PATH_OPEN, 1, OWNER_PATH_READ | OWNER_PATH_TRUNCATE, "file", "", EROFS},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_WRITE | OWNER_PATH_CREATE | OWNER_PATH_EXCLUSIVE, "file", "",
	         EEXIST},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_READ | OWNER_PATH_DIRECTORY, "file", "", ENOTDIR},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_READ | OWNER_PATH_DIRECTORY, ".", "", 0},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_WRITE, ".", "", EISDIR},
		{OWNER_PATH_OPEN, 0, 0xffffff00, "missing", "", ENOENT},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_READ, "", "", ENOENT},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_READ, "..", "", EPERM},
		{OWNER_PATH_OPEN, 0, OWNER_PATH_READ, "/", "", EPERM},
		{OWNER_PATH_STAT, 0, 0, "../x", "", EPERM},
		{OWNER_PATH_MKDIR, 0, 0, "/x", "", EPERM},
		{OWNER_PATH_MKDIR, 0, 0, "/", "", ENOENT},
		{OWNER_PATH_UNLINK, 0, 0, "..", "", EINVAL},
		{OWNER_PATH_RMDIR, 0, 0, ".", "", EINVAL},
		{OWNER_PATH_RMDIR, 0, 0, "x/..", "", EINVAL},
		{OWNER_PATH_RENAME, 0, 0, "file", "../file", EPERM},
		{OWNER_PATH_RENAME, 0, 0, "file", "", ENOENT},
		{OWNER_PATH_LINK, 0, 0, "../../etc/passwd", "mine", EPERM},
		{OWNER_PATH_SYMLINK, 0, 0, "link", "/etc", EPERM},
		{OWNER_PATH_SYMLINK, 0, 0, "link", "", ENOENT},
		{OWNER_PATH_READLINK, 0, 0, "file", "", EINVAL},
		{OWNER_PATH_SET_TIMES, 1, 0, "file", "", EROFS},
		{OWNER_PATH_UNLINK, 0, 0, "file/", "", ENOTDIR},
		{OWNER_PATH_UNLINK, 0, 0, "file", "", 0},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct owner_path_request request = {
			.operation = cases[i].operation,
			.preopen = cases[i].preopen,
			.flags = cases[i].flags,
			.path_size = (uint32_t)strlen(cases[i].path),
			.second_size = (uint32_t)strlen(cases[i].second),
		};
		struct owner_path_reply reply;
		cleanup_close int fd = -1;
		assert_int_equal(serve(*state, &request, cases[i].path, cases[i].second, 0, &reply, &fd), 0);
		if (reply.error != cases[i].answer)
			fail_msg("case %zu, %s: %d, not %d", i, cases[i].path, reply.error, cases[i].answer);
		assert_int_equal(fd >= 0, reply.error == 0 && cases[i].operation == OWNER_PATH_OPEN);
		if (fd >= 0) {
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
			assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		}
	}
}

static void test_add(void **state)
{
	struct fixture *f = *state;
	struct error err;
	assert_int_equal(owner_paths_add(f->paths, "/nonexistent-directory", false, &err), CELLA_ENOENT);
	assert_int_equal(owner_paths_add(f->paths, "/etc/passwd", false, &err), CELLA_EIO);
	for (int i = 2; i < 64; i++)
		assert_int_equal(owner_paths_add(f->paths, f->root, false, &err), 0);
	assert_int_equal(owner_paths_add(f->paths, f->root, false, &err), CELLA_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
