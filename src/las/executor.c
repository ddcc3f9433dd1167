#include "las/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "las/bounds.h"

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
		return error_set(err, CELLA_EINVAL, "%s cannot be the executor: it is no regular file of at most %d MiB",
		                 path, LAS_BINARY_MAX >> 20);
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

int executor_load(const char *path, struct executor *ret_executor, struct error *err)
{
	char beside[PATH_MAX];
	cleanup_with(view_done) struct view sealed = {0};
	cleanup_close int fd = -1;
	struct executor executor;
	int rc = path ? 0 : default_path(beside, err);
	if (rc == 0)
		rc = copy_sealed(path ? path : beside, &fd, err);
	if (rc == 0)
		rc = view_of(fd, path ? path : beside, &sealed, err);
	if (rc == 0)
		rc = crypto_sha384(sealed.data, sealed.size, executor.digest, err);
	if (rc < 0)
		return rc;
	if (fchmod(fd, S_IXUSR | S_IXGRP | S_IXOTH) < 0)
		return error_errno(err, CELLA_EIO, "cannot make the executor unreadable");
	executor.fd = take_fd(&fd);
	*ret_executor = executor;
	return 0;
}

void executor_done(struct executor *executor)
{
	if (executor->fd >= 0)
		close(executor->fd);
}
