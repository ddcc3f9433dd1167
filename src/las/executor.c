#include "las/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "las/bounds.h"

/* The helper's descriptors besides the standard ones. */
enum { BINARY_FD = STDERR_FILENO + 1, RESULT_FD, FIRST_FREE_FD };

static int default_path(char path[PATH_MAX], struct error *err)
{
	static const char name[] = "cella-cell";
	ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - sizeof(name));
	if (size < 0)
		return error_errno(err, CELLA_EIO, "cannot find out where this program is: give --executor");
	path[size] = '\0';
	char *slash = strrchr(path, '/');
	memcpy(slash ? slash + 1 : path, name, sizeof(name));
	return 0;
}

/* A file's bytes, mapped. */
struct view {
	void *data;
	size_t size;
};

static void view_done(struct view *v)
{
	if (v->data)
		munmap(v->data, v->size);
}

static int view_of(int fd, const char *path, struct view *ret, struct error *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot stat the executor %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > LAS_BINARY_MAX)
		return error_set(err, CELLA_EINVAL,
		                 "%s cannot be the executor: it is no regular file of at most %d MiB", path,
		                 LAS_BINARY_MAX >> 20);
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(err, CELLA_EIO, "cannot map the executor %s", path);
	*ret = (struct view){data, (size_t)st.st_size};
	return 0;
}

static int copy_sealed(const char *path, int *ret_fd, struct error *err)
{
	cleanup_with(view_done) struct view file = {0};
	cleanup_close int source = open(path, O_RDONLY | O_CLOEXEC);
	if (source < 0)
		return error_errno(err, CELLA_ENOENT, "cannot open the executor %s", path);
	int rc = view_of(source, path, &file, err);
	if (rc < 0)
		return rc;
	return io_sealed_memfd("cella-cell", file.data, file.size, true, ret_fd, err);
}

/* In the helper: what is not needed is closed, above all the sockets of the owner and the agent. */
static void take_digest(int fd, int result)
{
	struct view sealed = {0};
	uint8_t digest[CRYPTO_SHA384_SIZE];
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	int binary = fcntl(fd, F_DUPFD, FIRST_FREE_FD); /* off the numbers that are to be filled */
	if (dup3(binary, BINARY_FD, 0) < 0 || dup3(result, RESULT_FD, 0) < 0 ||
	    syscall(SYS_close_range, FIRST_FREE_FD, ~0u, 0) < 0)
		_exit(1);
	if (crypto_init(NULL, NULL) < 0 || view_of(BINARY_FD, "", &sealed, NULL) < 0 ||
	    crypto_sha384(sealed.data, sealed.size, digest, NULL) < 0)
		_exit(1);
	_exit(write(RESULT_FD, digest, sizeof(digest)) == sizeof(digest) ? 0 : 1);
}

static int start_helper(struct executor *executor, struct error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, CELLA_EIO, "cannot make a pipe for the executor's digest");
	executor->digest_pipe = ends[0];
	cleanup_close int result = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	close(ends[1]);
	executor->helper = fork();
	if (executor->helper < 0)
		return error_errno(err, CELLA_EIO, "cannot start a process for the executor's digest");
	if (executor->helper == 0)
		take_digest(executor->fd, result);
	return 0;
}

int executor_load(const char *path, struct executor *ret_executor, struct error *err)
{
	char beside[PATH_MAX];
	struct executor executor = {.fd = -1, .digest_pipe = -1};
	int rc = path ? 0 : default_path(beside, err);
	if (rc == 0)
		rc = copy_sealed(path ? path : beside, &executor.fd, err);
	if (rc < 0)
		return rc;
	if (fchmod(executor.fd, S_IXUSR | S_IXGRP | S_IXOTH) < 0)
		rc = error_errno(err, CELLA_EIO, "cannot make the executor unreadable");
	if (rc == 0)
		rc = start_helper(&executor, err);
	if (rc < 0) {
		executor_done(&executor);
		return rc;
	}
	*ret_executor = executor;
	return 0;
}

void executor_done(struct executor *executor)
{
	if (executor->fd >= 0)
		close(executor->fd);
	if (executor->digest_pipe >= 0)
		close(executor->digest_pipe);
	if (executor->helper > 0)
		waitpid(executor->helper, NULL, 0);
	*executor = (struct executor){.fd = -1, .digest_pipe = -1};
}

int executor_digest(struct executor *executor, uint8_t ret_digest[CRYPTO_SHA384_SIZE], struct error *err)
{
	if (!executor->has_digest) {
		int rc = io_read_full(executor->digest_pipe, executor->digest, sizeof(executor->digest), err);
		if (rc < 0)
			return error_prefix(err, rc, "cannot take the executor's digest: ");
		executor->has_digest = true;
	}
	memcpy(ret_digest, executor->digest, sizeof(executor->digest));
	return 0;
}
