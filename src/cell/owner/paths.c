#include "cell/owner/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"

enum {
	PATHS_MAX = 64,
	RACE_RETRIES = 32, /* openat2 answers EAGAIN when a rename happens beside it */
	FILE_MODE = 0666,
	DIRECTORY_MODE = 0777,
};

struct owner_paths {
	struct owner_directory {
		int fd;
		bool read_only;
	} directories[PATHS_MAX];
	size_t count;
};

int owner_paths_new(struct owner_paths **ret_paths, struct error *err)
{
	struct owner_paths *paths = calloc(1, sizeof(*paths));
	if (!paths)
		return error_set(err, CELLA_ENOMEM, "no memory for the preopened directories");
	*ret_paths = paths;
	return 0;
}

void owner_paths_free(struct owner_paths *paths)
{
	for (size_t i = 0; paths && i < paths->count; i++)
		close(paths->directories[i].fd);
	free(paths);
}

int owner_paths_add(struct owner_paths *paths, const char *host_directory, bool read_only, struct error *err)
{
	if (paths->count == PATHS_MAX)
		return error_set(err, CELLA_ELIMIT, "more than %d directories", PATHS_MAX);
	int fd = open(host_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO,
		                   "cannot open the directory %s", host_directory);
	paths->directories[paths->count++] = (struct owner_directory){.fd = fd, .read_only = read_only};
	return 0;
}

/* A request, parsed; its paths are terminated. */
struct path_call {
	struct owner_path_request request;
	const struct owner_directory *directory, *second_directory;
	char path[OWNER_PATH_MAX + 1];
	char second[OWNER_PATH_MAX + 1];
	uint8_t *data; /* of the answer */
	size_t capacity;
	size_t size;
	int fd;
};

/* Opens beneath the directory, whatever the path and the links on it say. -1 and errno. */
static int open_beneath(const struct owner_directory *directory, const char *path, uint64_t flags,
                        uint64_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	for (int i = 0;; i++) {
		int fd = (int)syscall(SYS_openat2, directory->fd, path, &how, sizeof(how));
		if (fd < 0 && (errno == EAGAIN || errno == EINTR) && i < RACE_RETRIES)
			continue;
		if (fd < 0 && errno == EXDEV) /* the path leads out */
			errno = EPERM;
		return fd;
	}
}

/* The directory that holds the path's last component, and that component (in `path`, which is cut). */
static int open_parent(const struct owner_directory *directory, char *path, const char **ret_name)
{
	size_t size = strlen(path);
	while (size > 1 && path[size - 1] == '/')
		path[--size] = '\0';
	char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		errno = *name ? EINVAL : ENOENT;
		return -1;
	}
	if (slash)
		*slash = '\0';
	*ret_name = name;
	return open_beneath(directory, slash ? slash == path ? "/" : path : ".", O_PATH | O_DIRECTORY, 0);
}

static int open_flags(uint32_t wanted)
{
	int flags = O_NONBLOCK | O_NOCTTY;
	if (wanted & OWNER_PATH_WRITE)
		flags |= wanted & OWNER_PATH_READ ? O_RDWR : O_WRONLY;
	if (wanted & OWNER_PATH_CREATE)
		flags |= O_CREAT;
	if (wanted & OWNER_PATH_EXCLUSIVE)
		flags |= O_EXCL;
	if (wanted & OWNER_PATH_DIRECTORY)
		flags |= O_DIRECTORY;
	if (wanted & OWNER_PATH_APPEND)
		flags |= O_APPEND;
	if (!(wanted & OWNER_PATH_FOLLOW))
		flags |= O_NOFOLLOW;
	return flags;
}

/* Truncated only once it is known to be a regular file; O_NONBLOCK keeps FIFOs and devices from blocking. */
static int path_open(struct path_call *c)
{
	uint32_t wanted = c->request.flags;
	uint64_t mode = wanted & OWNER_PATH_CREATE ? FILE_MODE : 0;
	cleanup_close int fd = open_beneath(c->directory, c->path, (uint64_t)open_flags(wanted), mode);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return EACCES;
	if (wanted & OWNER_PATH_TRUNCATE && ftruncate(fd, 0) < 0)
		return errno;
	if (fcntl(fd, F_SETFL, wanted & OWNER_PATH_APPEND ? O_APPEND : 0) < 0)
		return errno;
	c->fd = take_fd(&fd);
	return 0;
}

static int path_stat(struct path_call *c)
{
	uint64_t flags = O_PATH | (c->request.flags & OWNER_PATH_FOLLOW ? 0 : O_NOFOLLOW);
	cleanup_close int fd = open_beneath(c->directory, c->path, flags, 0);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno;
	struct owner_path_stat found = {
		.device = st.st_dev,
		.inode = st.st_ino,
		.links = st.st_nlink,
		.size = (uint64_t)st.st_size,
		.atime_ns = clock_ns_of(&st.st_atim),
		.mtime_ns = clock_ns_of(&st.st_mtim),
		.ctime_ns = clock_ns_of(&st.st_ctim),
		.mode = st.st_mode,
	};
	if (c->capacity < sizeof(found))
		return EOVERFLOW;
	memcpy(c->data, &found, sizeof(found));
	c->size = sizeof(found);
	return 0;
}

static struct timespec timespec_of(int64_t ns)
{
	if (ns == INT64_MIN)
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	int64_t second = ns / 1000000000, rest = ns % 1000000000;
	return (struct timespec){.tv_sec = second - (rest < 0),
	                         .tv_nsec = rest + (rest < 0 ? 1000000000 : 0)};
}

static int path_set_times(struct path_call *c)
{
	struct timespec times[2] = {timespec_of(c->request.atime_ns), timespec_of(c->request.mtime_ns)};
	uint64_t flags = O_PATH | (c->request.flags & OWNER_PATH_FOLLOW ? 0 : O_NOFOLLOW);
	cleanup_close int fd = open_beneath(c->directory, c->path, flags, 0);
	return fd < 0 || utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? errno : 0;
}

static int path_make_directory(struct path_call *c)
{
	const char *name;
	cleanup_close int parent = open_parent(c->directory, c->path, &name);
	return parent < 0 || mkdirat(parent, name, DIRECTORY_MODE) < 0 ? errno : 0;
}

static int path_unlink(struct path_call *c)
{
	const char *name;
	size_t size = strlen(c->path);
	if (size && c->path[size - 1] == '/')
		return ENOTDIR;
	cleanup_close int parent = open_parent(c->directory, c->path, &name);
	return parent < 0 || unlinkat(parent, name, 0) < 0 ? errno : 0;
}

static int path_remove_directory(struct path_call *c)
{
	const char *name;
	cleanup_close int parent = open_parent(c->directory, c->path, &name);
	return parent < 0 || unlinkat(parent, name, AT_REMOVEDIR) < 0 ? errno : 0;
}

static int path_read_link(struct path_call *c)
{
	const char *name;
	cleanup_close int parent = open_parent(c->directory, c->path, &name);
	ssize_t n = parent < 0 ? -1 : readlinkat(parent, name, (char *)c->data, c->capacity);
	if (n < 0)
		return errno;
	c->size = (size_t)n;
	return 0;
}

/* A link may say anything: nothing here follows it out of the directory. Absolute targets are refused all the
 * same, for the programs of the host that do. */
static int path_make_symlink(struct path_call *c)
{
	const char *name;
	if (!c->second[0] || c->second[0] == '/')
		return c->second[0] ? EPERM : ENOENT;
	cleanup_close int parent = open_parent(c->directory, c->path, &name);
	return parent < 0 || symlinkat(c->second, parent, name) < 0 ? errno : 0;
}

static int path_link(struct path_call *c)
{
	const char *from, *to;
	cleanup_close int from_parent = open_parent(c->directory, c->path, &from);
	cleanup_close int to_parent = from_parent < 0 ? -1 : open_parent(c->second_directory, c->second, &to);
	return to_parent < 0 || linkat(from_parent, from, to_parent, to, 0) < 0 ? errno : 0;
}

static int path_rename(struct path_call *c)
{
	const char *from, *to;
	cleanup_close int from_parent = open_parent(c->directory, c->path, &from);
	cleanup_close int to_parent = from_parent < 0 ? -1 : open_parent(c->second_directory, c->second, &to);
	return to_parent < 0 || renameat(from_parent, from, to_parent, to) < 0 ? errno : 0;
}

static const struct path_operation {
	int (*perform)(struct path_call *c); /* 0 or an errno */
	bool changes;
	bool two_directories;
} operations[] = {
	[OWNER_PATH_OPEN] = {path_open, false, false}, /* changes by its flags */
	[OWNER_PATH_STAT] = {path_stat, false, false},
	[OWNER_PATH_MKDIR] = {path_make_directory, true, false},
	[OWNER_PATH_UNLINK] = {path_unlink, true, false},
	[OWNER_PATH_RMDIR] = {path_remove_directory, true, false},
	[OWNER_PATH_RENAME] = {path_rename, true, true},
	[OWNER_PATH_READLINK] = {path_read_link, false, false},
	[OWNER_PATH_SYMLINK] = {path_make_symlink, true, false},
	[OWNER_PATH_LINK] = {path_link, true, true},
	[OWNER_PATH_SET_TIMES] = {path_set_times, true, false},
};

static int take_text(struct reader *r, size_t size, char to[OWNER_PATH_MAX + 1])
{
	const uint8_t *text = size <= OWNER_PATH_MAX ? reader_bytes(r, size) : NULL;
	if (!text || memchr(text, '\0', size))
		return CELLA_EFORMAT;
	memcpy(to, text, size);
	to[size] = '\0';
	return 0;
}

static int parse(const struct owner_paths *paths, const void *data, size_t size, struct path_call *c,
                 struct error *err)
{
	struct reader r = reader_of(data, size);
	struct owner_path_request *q = &c->request;
	reader_copy(&r, q, sizeof(*q));
	bool known = !r.failed && q->operation < array_count(operations) && operations[q->operation].perform;
	if (!known || q->preopen >= paths->count ||
	    (operations[q->operation].two_directories && q->second_preopen >= paths->count))
		return error_set(err, CELLA_EFORMAT,
		                 "an executor asked for an operation on a directory it does not have");
	if (take_text(&r, q->path_size, c->path) < 0 || take_text(&r, q->second_size, c->second) < 0 ||
	    !reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "an executor sent a malformed path");
	c->directory = &paths->directories[q->preopen];
	c->second_directory = operations[q->operation].two_directories
	                              ? &paths->directories[q->second_preopen]
	                              : NULL;
	return 0;
}

static int perform(struct path_call *c)
{
	const struct path_operation *operation = &operations[c->request.operation];
	const uint32_t changing = OWNER_PATH_WRITE | OWNER_PATH_CREATE | OWNER_PATH_TRUNCATE;
	bool changes = operation->changes ||
	               (c->request.operation == OWNER_PATH_OPEN && c->request.flags & changing);
	if (changes && (c->directory->read_only || (c->second_directory && c->second_directory->read_only)))
		return EROFS;
	if (!c->path[0])
		return ENOENT;
	return operation->perform(c);
}

int owner_paths_serve(const struct owner_paths *paths, const void *request, size_t size, void *ret_answer,
                      size_t capacity, size_t *ret_size, int *ret_fd, struct error *err)
{
	struct owner_path_reply reply = {0};
	struct path_call call = {.fd = -1};
	if (capacity < sizeof(reply))
		return error_set(err, CELLA_EBUG, "no room for the answer about a path");
	call.data = (uint8_t *)ret_answer + sizeof(reply);
	call.capacity = capacity - sizeof(reply);
	int rc = parse(paths, request, size, &call, err);
	if (rc < 0)
		return rc;
	reply.error = perform(&call);
	reply.size = reply.error ? 0 : (uint32_t)call.size;
	memcpy(ret_answer, &reply, sizeof(reply));
	*ret_size = sizeof(reply) + reply.size;
	*ret_fd = call.fd;
	return 0;
}
