/*
 * A volume's files in a directory.
 *
 * A file system has to write its journal to sync a file that has grown, which costs as much again as the data
 * of a small commit. So where syncs follow little that was written, the file is first made longer, with
 * zeros, and later writes go into what is there; closing it cuts off what was not used. Where much is
 * written, the kernel is told to begin with it long before the sync.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "volume/disk.h"

struct directory {
	struct volume_names names;
	int fd; /* -1: names are not resolved here */
};

enum {
	SMALL_SYNC = 256 << 10, /* bytes since the last sync below which more of them are expected */
	ROOM_AHEAD = 1 << 20,
	BEGIN_EVERY = 8 << 20, /* bytes */
	HARMLESS = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, /* whatever is in a file's place */
};

struct open_file {
	int fd;
	bool written;  /* it was created here */
	bool named;    /* its name is durable */
	_Atomic uint64_t end; /* of what was written */
	uint64_t room; /* where the zeros behind it end; less than that: there are none */
	uint64_t synced;
	char name[VOLUME_DISK_NAME_MAX];
};

int volume_disk_code(int number)
{
	switch (number) {
	case ENOENT:
	case ELOOP: /* a symlink in its place, */
	case ENXIO: return CELLA_ENOENT; /* or a socket, or a pipe */
	case EEXIST: return CELLA_EEXIST;
	case ENOSPC:
	case EDQUOT: return CELLA_ENOSPC;
	case EMFILE: /* descriptors are the memory that runs out */
	case ENFILE:
	case ENOMEM: return CELLA_ENOMEM;
	case EROFS: return CELLA_EROFS;
	case EACCES:
	case EPERM: return CELLA_EPERM;
	default: return CELLA_EIO;
	}
}

static int open_file(const struct directory *d, const char *name, enum volume_opening how, void **ret_file,
                     struct error *err)
{
	cleanup_close int fd = -1;
	int rc = d->names.open(d->names.data, name, how, &fd, err);
	if (rc < 0)
		return rc;
	struct open_file *f = calloc(1, sizeof(*f));
	if (!f)
		return error_set(err, CELLA_ENOMEM, "no memory for an open file of a volume");
	bool created = how == VOLUME_OPEN_NEW;
	*f = (struct open_file){.fd = take_fd(&fd), .written = created, .named = !created};
	snprintf(f->name, sizeof(f->name), "%s", name);
	*ret_file = f;
	return 0;
}

static int directory_open(void *data, const char *name, void **ret_file, struct error *err)
{
	return open_file(data, name, VOLUME_OPEN_READ, ret_file, err);
}

static int directory_create(void *data, const char *name, void **ret_file, struct error *err)
{
	return open_file(data, name, VOLUME_OPEN_NEW, ret_file, err);
}

static void directory_close(void *data, void *file)
{
	struct open_file *f = file;
	(void)data;
	if (f->room > f->end && ftruncate(f->fd, (off_t)f->end) < 0)
		f->room = 0; /* zeros stay behind the end: they are not read */
	close(f->fd);
	free(f);
}

static int directory_read(void *data, void *file, uint64_t offset, void *to, size_t size, size_t *ret_size,
                          struct error *err)
{
	const struct open_file *f = file;
	size_t done = 0;
	(void)data;
	while (done < size) {
		ssize_t n = pread(f->fd, (uint8_t *)to + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, volume_disk_code(errno), "cannot read the volume's file %s",
			                   f->name);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_size = done;
	return 0;
}

static int write_at(const struct open_file *f, uint64_t offset, const void *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(f->fd, (const uint8_t *)from + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Several threads write parts of one file. */
static void note_end(struct open_file *f, uint64_t end)
{
	uint64_t known = atomic_load_explicit(&f->end, memory_order_relaxed);
	while (known < end && !atomic_compare_exchange_weak(&f->end, &known, end))
		;
}

static int directory_write(void *data, void *file, uint64_t offset, const void *from, size_t size,
                           struct error *err)
{
	struct open_file *f = file;
	(void)data;
	if (write_at(f, offset, from, size) < 0)
		return error_errno(err, volume_disk_code(errno), "cannot write the volume's file %s",
		                   f->name);
	note_end(f, offset + size);
	if (offset / BEGIN_EVERY != (offset + size) / BEGIN_EVERY)
		sync_file_range(f->fd, (off_t)(f->synced & ~4095ul), 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

/* Where it fails the file just has no room: it is full where it matters soon enough. */
static void make_room(struct open_file *f)
{
	static const uint8_t zeros[ROOM_AHEAD];
	uint64_t from = f->room > f->end ? f->room : f->end;
	if (write_at(f, from, zeros, sizeof(zeros)) == 0)
		f->room = from + sizeof(zeros);
}

static int sync_directory(const struct directory *d, struct error *err)
{
	cleanup_close int opened = -1;
	int rc = d->fd >= 0 ? 0 : d->names.open(d->names.data, ".", VOLUME_OPEN_DIRECTORY, &opened, err);
	if (rc == 0 && fsync(d->fd >= 0 ? d->fd : opened) < 0)
		rc = error_errno(err, volume_disk_code(errno), "cannot sync the volume's directory");
	return rc;
}

static int directory_sync(void *data, void *file, struct error *err)
{
	struct open_file *f = file;
	bool small = f->synced && f->end - f->synced < SMALL_SYNC;
	if (f->written && small && f->room < f->end + SMALL_SYNC)
		make_room(f);
	if (fdatasync(f->fd) < 0)
		return error_errno(err, volume_disk_code(errno), "cannot sync the volume's file %s", f->name);
	f->synced = f->end;
	int rc = f->named ? 0 : sync_directory(data, err);
	if (rc == 0)
		f->named = true;
	return rc;
}

static int directory_put(void *data, const char *name, const void *bytes, size_t size, bool durable,
                         struct error *err)
{
	const struct directory *d = data;
	char beside[VOLUME_DISK_NAME_MAX];
	snprintf(beside, sizeof(beside), "%s.new", name);
	cleanup_close int fd = -1;
	int rc = d->names.open(d->names.data, beside, VOLUME_OPEN_REPLACE, &fd, err);
	if (rc == 0 && io_write_full(fd, bytes, size, NULL) < 0)
		rc = error_errno(err, volume_disk_code(errno), "cannot write the volume's file %s", beside);
	if (rc == 0 && durable && fsync(fd) < 0)
		rc = error_errno(err, volume_disk_code(errno), "cannot sync the volume's file %s", beside);
	if (rc == 0)
		rc = d->names.rename(d->names.data, beside, name, err);
	if (rc < 0 && fd >= 0)
		(void)!d->names.remove(d->names.data, beside, NULL);
	return rc == 0 && durable ? sync_directory(d, err) : rc;
}

static int directory_remove(void *data, const char *name, struct error *err)
{
	const struct directory *d = data;
	return d->names.remove(d->names.data, name, err);
}

/* The files among the entries that the kernel gave. What is no regular file, or gone, is left out; what
 * cannot be looked at is an error. */
static int list_entries(const struct directory *d, const uint8_t *entries, size_t size,
                        int (*each)(void *arg, const char *name, uint64_t size), void *arg, struct error *err)
{
	for (size_t at = 0; at < size;) {
		const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
		uint64_t file_size;
		at += entry->d_reclen;
		if (strlen(entry->d_name) >= VOLUME_DISK_NAME_MAX || entry->d_name[0] == '.')
			continue;
		int rc = d->names.size(d->names.data, entry->d_name, &file_size, err);
		if (rc == CELLA_ENOENT)
			continue;
		if (rc == 0)
			rc = each(arg, entry->d_name, file_size);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int directory_list(void *data, int (*each)(void *arg, const char *name, uint64_t size), void *arg,
                          struct error *err)
{
	const struct directory *d = data;
	_Alignas(8) uint8_t entries[4096];
	cleanup_close int fd = -1;
	int rc = d->names.open(d->names.data, ".", VOLUME_OPEN_DIRECTORY, &fd, err);
	while (rc == 0) {
		long size = syscall(SYS_getdents64, fd, entries, sizeof(entries));
		if (size < 0)
			return error_errno(err, volume_disk_code(errno),
			                   "cannot list the volume's directory");
		if (size == 0)
			return 0;
		rc = list_entries(d, entries, (size_t)size, each, arg, err);
	}
	return rc;
}

/* ---- names in a directory that is open here */

static int here_open(void *data, const char *name, enum volume_opening how, int *ret_fd, struct error *err)
{
	static const int flags[] = {[VOLUME_OPEN_READ] = O_RDONLY,
	                            [VOLUME_OPEN_NEW] = O_RDWR | O_CREAT | O_EXCL,
	                            [VOLUME_OPEN_REPLACE] = O_WRONLY | O_CREAT | O_TRUNC,
	                            [VOLUME_OPEN_DIRECTORY] = O_RDONLY | O_DIRECTORY};
	const struct directory *d = data;
	struct stat st;
	cleanup_close int fd = openat(d->fd, name, flags[how] | HARMLESS, 0644);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, volume_disk_code(errno), "cannot open the volume's file %s", name);
	if (how != VOLUME_OPEN_DIRECTORY && !S_ISREG(st.st_mode))
		return error_set(err, CELLA_ENOENT, "the volume's %s is no regular file", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int here_size(void *data, const char *name, uint64_t *ret_size, struct error *err)
{
	const struct directory *d = data;
	struct stat st;
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, volume_disk_code(errno), "cannot stat the volume's file %s", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, CELLA_ENOENT, "the volume's %s is no regular file", name);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int here_rename(void *data, const char *from, const char *to, struct error *err)
{
	const struct directory *d = data;
	if (renameat(d->fd, from, d->fd, to) < 0)
		return error_errno(err, volume_disk_code(errno), "cannot rename the volume's file %s to %s",
		                   from, to);
	return 0;
}

static int here_remove(void *data, const char *name, struct error *err)
{
	const struct directory *d = data;
	if (unlinkat(d->fd, name, 0) < 0)
		return error_errno(err, volume_disk_code(errno), "cannot remove the volume's file %s", name);
	return 0;
}

int volume_disk_names(const struct volume_names *names, struct volume_disk *ret_disk, struct error *err)
{
	struct directory *d = calloc(1, sizeof(*d));
	if (!d)
		return error_set(err, CELLA_ENOMEM, "no memory for a volume's directory");
	*d = (struct directory){.names = *names, .fd = -1};
	*ret_disk = (struct volume_disk){.data = d,
	                                 .open = directory_open,
	                                 .create = directory_create,
	                                 .close = directory_close,
	                                 .read = directory_read,
	                                 .write = directory_write,
	                                 .sync = directory_sync,
	                                 .put = directory_put,
	                                 .remove = directory_remove,
	                                 .list = directory_list};
	return 0;
}

int volume_disk_directory(int directory, struct volume_disk *ret_disk, struct error *err)
{
	const struct volume_names here = {.open = here_open,
	                                  .size = here_size,
	                                  .rename = here_rename,
	                                  .remove = here_remove};
	int rc = volume_disk_names(&here, ret_disk, err);
	if (rc < 0) {
		close(directory);
		return rc;
	}
	struct directory *d = ret_disk->data;
	d->names.data = d;
	d->fd = directory;
	return 0;
}

void volume_disk_directory_free(struct volume_disk *disk)
{
	struct directory *d = disk->data;
	if (d && d->fd >= 0)
		close(d->fd);
	free(d);
	disk->data = NULL;
}
