/* What descriptors are: status, attributes, preopened directories, entries of directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "cell/wasi/state.h"

uint32_t wasi_fd_fdstat_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	static const uint8_t filetype_of[] = {
		[WASI_STREAM] = WASI_FILETYPE_UNKNOWN,      [WASI_DIRECTORY] = WASI_FILETYPE_DIRECTORY,
		[WASI_FILE] = WASI_FILETYPE_REGULAR_FILE,   [WASI_MEMORY] = WASI_FILETYPE_REGULAR_FILE,
		[WASI_VOLUME] = WASI_FILETYPE_REGULAR_FILE,
	};
	struct wasi_descriptor *d;
	void *ret = wasi_bytes(cell, v[1].i32, sizeof(struct wasi_fdstat));
	uint32_t rc = wasi_descriptor(w, v[0].i32, 0, &d);
	if (rc != WASI_SUCCESS)
		return rc;
	if (!ret)
		return WASI_EFAULT;
	struct wasi_fdstat stat = {
		.filetype = filetype_of[d->kind],
		.flags = d->flags,
		.rights_base = d->base,
		.rights_inheriting = d->inheriting,
	};
	memcpy(ret, &stat, sizeof(stat));
	return WASI_SUCCESS;
}

uint32_t wasi_fd_fdstat_set_flags(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_FDSTAT_SET_FLAGS, &d);
	if (rc != WASI_SUCCESS)
		return rc;
	if (v[1].i32 & ~(uint32_t)WASI_FDFLAGS)
		return WASI_EINVAL;
	if (d->kind == WASI_FILE && fcntl(d->fd, F_SETFL, v[1].i32 & WASI_FDFLAG_APPEND ? O_APPEND : 0) < 0)
		return wasi_errno_of(errno);
	d->flags = (uint16_t)v[1].i32;
	return WASI_SUCCESS;
}

uint32_t wasi_fd_fdstat_set_rights(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, 0, &d);
	if (rc != WASI_SUCCESS)
		return rc;
	if (v[1].i64 & ~d->base || v[2].i64 & ~d->inheriting)
		return WASI_ENOTCAPABLE;
	d->base = v[1].i64;
	d->inheriting = v[2].i64;
	return WASI_SUCCESS;
}

int wasi_fstat(int fd, struct stat *ret_stat)
{
	return (int)syscall(SYS_fstat, fd, ret_stat);
}

static uint32_t stat_host(int fd, struct wasi_filestat *ret)
{
	struct stat st;
	if (wasi_fstat(fd, &st) < 0)
		return wasi_errno_of(errno);
	*ret = (struct wasi_filestat){
		.device = st.st_dev,
		.inode = st.st_ino,
		.filetype = wasi_filetype_of(st.st_mode),
		.links = st.st_nlink,
		.size = (uint64_t)st.st_size,
		.atime_ns = (uint64_t)clock_ns_of(&st.st_atim),
		.mtime_ns = (uint64_t)clock_ns_of(&st.st_mtim),
		.ctime_ns = (uint64_t)clock_ns_of(&st.st_ctim),
	};
	return WASI_SUCCESS;
}

/* A volume's directory, by its path. */
static uint32_t stat_named(struct wasi *w, const struct wasi_descriptor *d, struct wasi_filestat *ret)
{
	struct owner_path_request look = {.operation = OWNER_PATH_STAT, .flags = OWNER_PATH_FOLLOW};
	struct wasi_scratch *s = wasi_scratch(w);
	struct owner_path_stat found;
	size_t size;
	if (!s)
		return WASI_ENOMEM;
	wasi_target_of(w, d, &s->first);
	uint32_t rc = wasi_ask(w, &look, &s->first, NULL, NULL, &size, NULL);
	if (rc != WASI_SUCCESS)
		return rc;
	memcpy(&found, s->answer, sizeof(found));
	wasi_stat_of_owner(&found, ret);
	return WASI_SUCCESS;
}

static uint32_t stat_descriptor(struct wasi *w, struct wasi_descriptor *d, struct wasi_filestat *ret)
{
	int fd = d->fd;
	if (d->kind == WASI_MEMORY) {
		wasi_memory_stat(d->file, ret);
		return WASI_SUCCESS;
	}
	if (d->kind == WASI_VOLUME) {
		wasi_volume_stat(d, ret);
		return WASI_SUCCESS;
	}
	if (d->kind == WASI_DIRECTORY && w->roots[d->preopen].volume)
		return stat_named(w, d, ret);
	if (d->kind == WASI_STREAM || (d->kind == WASI_DIRECTORY && w->roots[d->preopen].memory)) {
		bool directory = d->kind == WASI_DIRECTORY;
		*ret = (struct wasi_filestat){.filetype = directory ? WASI_FILETYPE_DIRECTORY
		                                                    : WASI_FILETYPE_UNKNOWN,
		                              .links = 1};
		return WASI_SUCCESS;
	}
	if (d->kind == WASI_DIRECTORY) {
		uint32_t rc = wasi_directory_fd(w, d, &fd);
		if (rc != WASI_SUCCESS)
			return rc;
	}
	return stat_host(fd, ret);
}

uint32_t wasi_fd_filestat_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	struct wasi_filestat stat;
	void *ret = wasi_bytes(cell, v[1].i32, sizeof(stat));
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_FILESTAT_GET, &d);
	if (rc == WASI_SUCCESS && !ret)
		rc = WASI_EFAULT;
	if (rc == WASI_SUCCESS)
		rc = stat_descriptor(w, d, &stat);
	if (rc == WASI_SUCCESS)
		memcpy(ret, &stat, sizeof(stat));
	return rc;
}

uint32_t wasi_fd_filestat_set_size(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_FILESTAT_SET_SIZE, &d);
	if (rc != WASI_SUCCESS)
		return rc;
	if (v[1].i64 > INT64_MAX)
		return WASI_EINVAL;
	if (d->kind == WASI_MEMORY)
		return wasi_memory_resize(w, d->file, v[1].i64);
	if (d->kind == WASI_VOLUME)
		return wasi_volume_resize(w, d, v[1].i64);
	return ftruncate(d->fd, (off_t)v[1].i64) < 0 ? wasi_errno_of(errno) : WASI_SUCCESS;
}

uint32_t wasi_times(const struct wasi *w, uint32_t flags, uint64_t atime_ns, uint64_t mtime_ns,
                    struct owner_path_request *ret)
{
	bool both_atimes = (flags & WASI_FSTFLAG_ATIM) && (flags & WASI_FSTFLAG_ATIM_NOW);
	bool both_mtimes = (flags & WASI_FSTFLAG_MTIM) && (flags & WASI_FSTFLAG_MTIM_NOW);
	uint64_t now = wasi_now_ns(w);
	if (flags & ~(uint32_t)WASI_FSTFLAGS || both_atimes || both_mtimes || atime_ns > INT64_MAX ||
	    mtime_ns > INT64_MAX)
		return WASI_EINVAL;
	ret->atime_ns = flags & WASI_FSTFLAG_ATIM       ? (int64_t)atime_ns
	                : flags & WASI_FSTFLAG_ATIM_NOW ? (int64_t)now
	                                                : INT64_MIN;
	ret->mtime_ns = flags & WASI_FSTFLAG_MTIM       ? (int64_t)mtime_ns
	                : flags & WASI_FSTFLAG_MTIM_NOW ? (int64_t)now
	                                                : INT64_MIN;
	return WASI_SUCCESS;
}

void wasi_memory_set_times(struct wasi_memory_file *file, const struct owner_path_request *times)
{
	if (times->atime_ns != INT64_MIN)
		file->atime_ns = (uint64_t)times->atime_ns;
	if (times->mtime_ns != INT64_MIN)
		file->mtime_ns = (uint64_t)times->mtime_ns;
}

/* By path and at the owner: an executor does not own the files that it has open. Not if another file
 * has the name by now. */
static uint32_t set_times_at_owner(struct wasi *w, struct wasi_descriptor *d,
                                   struct owner_path_request *times)
{
	struct owner_path_request look = {.operation = OWNER_PATH_STAT, .flags = OWNER_PATH_FOLLOW};
	struct wasi_scratch *s = wasi_scratch(w);
	struct owner_path_stat named;
	struct wasi_filestat open = {0};
	size_t size;
	if (!s)
		return WASI_ENOMEM;
	uint32_t rc = stat_descriptor(w, d, &open);
	wasi_target_of(w, d, &s->first);
	if (rc == WASI_SUCCESS)
		rc = wasi_ask(w, &look, &s->first, NULL, NULL, &size, NULL);
	if (rc != WASI_SUCCESS)
		return rc;
	memcpy(&named, s->answer, sizeof(named));
	if (size < sizeof(named) || named.inode != open.inode || named.device != open.device)
		return WASI_EPERM;
	times->operation = OWNER_PATH_SET_TIMES;
	times->flags = OWNER_PATH_FOLLOW;
	return wasi_ask(w, times, &s->first, NULL, NULL, NULL, NULL);
}

uint32_t wasi_fd_filestat_set_times(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	struct owner_path_request times = {0};
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_FILESTAT_SET_TIMES, &d);
	if (rc == WASI_SUCCESS)
		rc = wasi_times(w, v[3].i32, v[1].i64, v[2].i64, &times);
	if (rc != WASI_SUCCESS)
		return rc;
	if (d->kind == WASI_MEMORY) {
		wasi_memory_set_times(d->file, &times);
		return WASI_SUCCESS;
	}
	const struct wasi_root *root = &w->roots[d->preopen];
	if (root->memory || root->flags & OWNER_PREOPEN_READ_ONLY)
		return root->memory ? WASI_ENOTCAPABLE : WASI_EROFS;
	if (d->kind == WASI_VOLUME)
		return wasi_volume_set_times(w, d, &times);
	return set_times_at_owner(w, d, &times);
}

static uint32_t preopened(struct wasi *w, uint32_t number, const struct wasi_root **ret_root)
{
	struct wasi_descriptor *d;
	uint32_t rc = wasi_descriptor(w, number, 0, &d);
	if (rc == WASI_SUCCESS && !d->preopened)
		rc = WASI_EBADF;
	if (rc == WASI_SUCCESS)
		*ret_root = &w->roots[d->preopen];
	return rc;
}

uint32_t wasi_fd_prestat_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	const struct wasi_root *root;
	void *ret = wasi_bytes(cell, v[1].i32, sizeof(struct wasi_prestat));
	uint32_t rc = preopened(w, v[0].i32, &root);
	if (rc != WASI_SUCCESS)
		return rc;
	if (!ret)
		return WASI_EFAULT;
	struct wasi_prestat stat = {.type = WASI_PREOPENTYPE_DIR, .name_size = (uint32_t)strlen(root->name)};
	memcpy(ret, &stat, sizeof(stat));
	return WASI_SUCCESS;
}

uint32_t wasi_fd_prestat_dir_name(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	const struct wasi_root *root;
	uint32_t rc = preopened(w, v[0].i32, &root);
	if (rc != WASI_SUCCESS)
		return rc;
	size_t size = strlen(root->name);
	if (v[2].i32 < size)
		return WASI_ENAMETOOLONG;
	void *ret = wasi_bytes(cell, v[1].i32, size);
	if (!ret)
		return WASI_EFAULT;
	memcpy(ret, root->name, size);
	return WASI_SUCCESS;
}

/* An fd_readdir in progress: the cell's buffer, filled from its start; an entry that does not fit is cut. */
struct listing {
	struct wasi *w;
	const char *directory; /* absolute */
	uint8_t *to;
	size_t size;
	size_t used;
};

#define COOKIE_MEMORY (1ull << 63) /* entries that are memory files; the rest of the cookie is the inode */

static void list_bytes(struct listing *l, const void *from, size_t size)
{
	size = min_of(size, l->size - l->used);
	memcpy(l->to + l->used, from, size);
	l->used += size;
}

static bool list_named(struct listing *l, uint64_t next, uint64_t inode, uint8_t filetype, const char *name,
                       size_t name_size)
{
	struct wasi_dirent entry = {.next = next,
	                            .inode = inode,
	                            .name_size = (uint32_t)name_size,
	                            .filetype = filetype};
	list_bytes(l, &entry, sizeof(entry));
	list_bytes(l, name, name_size);
	return l->used < l->size;
}

static bool list_entry(struct listing *l, uint64_t next, uint64_t inode, uint8_t filetype, const char *name)
{
	return list_named(l, next, inode, filetype, name, strlen(name));
}

/* The name of a memory file that lies in the directory itself, or NULL. */
static const char *name_in(const char *directory, const char *absolute)
{
	const char *rest = wasi_path_beneath(directory, absolute);
	return rest && *rest && !strchr(rest, '/') ? rest : NULL;
}

/* Is this file the first in the directory on its way, whose name is the first `size` bytes of `rest`? */
static bool is_first_in(const struct listing *l, const struct wasi_memory_file *file, const char *rest,
                        size_t size)
{
	const struct wasi_memory_file *other;
	TAILQ_FOREACH(other, &l->w->files, link)
	{
		const char *there = wasi_path_beneath(l->directory, other->path);
		if (there && strncmp(there, rest, size + 1) == 0 && wasi_memory_in_root(l->w, other))
			return other == file;
	}
	return false;
}

/* In the root with the directories on the way to others. */
static bool list_memory_files(struct listing *l, uint64_t after, bool in_root)
{
	struct wasi_memory_file *file;
	TAILQ_FOREACH(file, &l->w->files, link)
	{
		const char *rest = wasi_path_beneath(l->directory, file->path);
		size_t size = rest ? strcspn(rest, "/") : 0;
		bool is_file = size && !rest[size];
		if (!size || file->inode <= after ||
		    (!is_file && !(in_root && is_first_in(l, file, rest, size))))
			continue;
		uint8_t type = is_file ? WASI_FILETYPE_REGULAR_FILE : WASI_FILETYPE_DIRECTORY;
		if (!list_named(l, COOKIE_MEMORY | file->inode, file->inode, type, rest, size))
			return false;
	}
	return true;
}

static bool hidden(const struct listing *l, const char *name)
{
	const struct wasi_memory_file *file;
	TAILQ_FOREACH(file, &l->w->files, link)
	{
		const char *other = name_in(l->directory, file->path);
		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/* *ret_more: the host's entries are all listed and there is room left. */
static uint32_t list_host(struct listing *l, int fd, uint64_t cookie, bool *ret_more)
{
	uint8_t *entries = l->w->scratch->entries;
	if (lseek(fd, (off_t)cookie, SEEK_SET) < 0)
		return wasi_errno_of(errno);
	for (;;) {
		long size = syscall(SYS_getdents64, fd, entries, sizeof(l->w->scratch->entries));
		if (size < 0)
			return wasi_errno_of(errno);
		if (size == 0) {
			*ret_more = true;
			return WASI_SUCCESS;
		}
		for (long at = 0; at < size;) {
			const struct dirent64 *e = (const struct dirent64 *)(entries + at);
			uint8_t type = wasi_filetype_of((uint32_t)DTTOIF(e->d_type));
			if (!hidden(l, e->d_name) &&
			    !list_entry(l, (uint64_t)e->d_off, e->d_ino, type, e->d_name))
				return WASI_SUCCESS;
			at += e->d_reclen;
		}
	}
}

/* "." and ".." as the host's directories have them, then the entries in the order of their names. */
static uint32_t list_volume(struct listing *l, struct wasi_descriptor *d, uint64_t cookie, bool *ret_more)
{
	static const uint8_t filetype_of[] = {[VOLUME_FILE] = WASI_FILETYPE_REGULAR_FILE,
	                                      [VOLUME_DIRECTORY] = WASI_FILETYPE_DIRECTORY,
	                                      [VOLUME_SYMLINK] = WASI_FILETYPE_SYMBOLIC_LINK};
	struct volume_entry entry;
	for (;;) {
		uint32_t rc = wasi_volume_next(l->w, d, cookie, &entry, &cookie);
		if (rc == WASI_ENOENT)
			*ret_more = true;
		if (rc != WASI_SUCCESS)
			return rc == WASI_ENOENT || l->used ? WASI_SUCCESS : rc;
		uint8_t type = entry.type < array_count(filetype_of) ? filetype_of[entry.type]
		                                                     : WASI_FILETYPE_UNKNOWN;
		if (!hidden(l, entry.name) && !list_entry(l, cookie, entry.inode, type, entry.name))
			return WASI_SUCCESS;
	}
}

static uint32_t list(struct listing *l, struct wasi_descriptor *d, uint64_t cookie)
{
	bool more = true;
	uint64_t after = cookie & COOKIE_MEMORY ? cookie & ~COOKIE_MEMORY : 0;
	if (!(cookie & COOKIE_MEMORY) && !l->w->roots[d->preopen].memory) {
		int fd = -1;
		bool is_volume = l->w->roots[d->preopen].volume;
		more = false;
		uint32_t rc = is_volume ? list_volume(l, d, cookie, &more) : wasi_directory_fd(l->w, d, &fd);
		if (rc == WASI_SUCCESS && !is_volume)
			rc = list_host(l, fd, cookie, &more);
		if (rc != WASI_SUCCESS)
			return rc;
	}
	if (more)
		list_memory_files(l, after, l->w->roots[d->preopen].memory);
	return WASI_SUCCESS;
}

uint32_t wasi_fd_readdir(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	struct wasi_scratch *s = wasi_scratch(w);
	void *ret = wasi_bytes(cell, v[4].i32, sizeof(uint32_t));
	uint32_t rc = wasi_descriptor(w, v[0].i32, 0, &d);
	if (rc == WASI_SUCCESS && d->kind != WASI_DIRECTORY)
		rc = WASI_ENOTDIR;
	if (rc == WASI_SUCCESS && !(d->base & WASI_FD_READDIR))
		rc = WASI_ENOTCAPABLE;
	if (rc == WASI_SUCCESS && !s)
		rc = WASI_ENOMEM;
	if (rc != WASI_SUCCESS)
		return rc;
	char *directory = s->second.absolute;
	snprintf(directory, sizeof(s->second.absolute), "%s", w->roots[d->preopen].absolute);
	rc = wasi_path_join(directory, 1, d->path);
	struct listing l = {.w = w,
	                    .directory = directory,
	                    .to = wasi_bytes(cell, v[1].i32, v[2].i32),
	                    .size = v[2].i32};
	if (rc == WASI_SUCCESS && (!l.to || !ret))
		rc = WASI_EFAULT;
	if (rc == WASI_SUCCESS && l.size)
		rc = list(&l, d, v[3].i64);
	uint32_t used = (uint32_t)l.used;
	if (rc == WASI_SUCCESS)
		memcpy(ret, &used, sizeof(used));
	return rc;
}
