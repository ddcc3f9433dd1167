/* Paths of a cell: what they name, and operations of the owner on them. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cell/wasi/state.h"

struct wasi_scratch *wasi_scratch(struct wasi *w)
{
	if (!w->scratch)
		w->scratch = mem_alloc(w->pool, sizeof(*w->scratch));
	return w->scratch;
}

/* `from` is a path that was checked before: it fits. */
static void put_path(char to[OWNER_PATH_MAX + 1], const char *from)
{
	snprintf(to, OWNER_PATH_MAX + 1, "%s", from);
}

/* Take the last component off. */
static void path_parent(char *absolute)
{
	char *slash = strrchr(absolute, '/');
	slash[slash == absolute] = '\0';
}

uint32_t wasi_path_join(char to[OWNER_PATH_MAX + 1], size_t floor, const char *path)
{
	while (*path) {
		size_t size = strcspn(path, "/"), at = strlen(to);
		bool up = size == 2 && path[0] == '.' && path[1] == '.';
		bool here = size == 0 || (size == 1 && path[0] == '.');
		if (up && at <= floor)
			return WASI_ENOTCAPABLE;
		if (up)
			path_parent(to);
		if (!up && !here) {
			if (at + 1 + size > OWNER_PATH_MAX)
				return WASI_ENAMETOOLONG;
			if (at > 1)
				to[at++] = '/';
			memcpy(to + at, path, size);
			to[at + size] = '\0';
		}
		path += size + (path[size] == '/');
	}
	return WASI_SUCCESS;
}

/* Form of the path, then a copy of it behind the directory's own path. */
static uint32_t take_path(struct cell_instance *cell, const char *directory, uint32_t address, uint32_t size,
                          struct wasi_target *ret)
{
	const char *path = wasi_bytes(cell, address, size);
	size_t before = strlen(directory);
	if (!path)
		return WASI_EFAULT;
	if (size == 0)
		return WASI_ENOENT;
	if (before + 1 + size > OWNER_PATH_MAX)
		return WASI_ENAMETOOLONG;
	char *to = ret->beneath;
	memcpy(to, directory, before);
	if (before)
		to[before++] = '/';
	memcpy(to + before, path, size);
	to[before + size] = '\0';
	if (strlen(to) != before + size)
		return WASI_EINVAL;
	if (to[before] == '/')
		return WASI_ENOTCAPABLE;
	ret->as_directory = to[before + size - 1] == '/';
	return WASI_SUCCESS;
}

uint32_t wasi_resolve(struct wasi *w, struct cell_instance *cell, uint32_t number, uint64_t rights,
                      uint32_t address, uint32_t size, struct wasi_target *ret)
{
	struct wasi_descriptor *d;
	uint32_t rc = wasi_descriptor(w, number, 0, &d);
	if (rc == WASI_SUCCESS && d->kind != WASI_DIRECTORY)
		rc = WASI_ENOTDIR;
	if (rc == WASI_SUCCESS && rights & ~d->base)
		rc = WASI_ENOTCAPABLE;
	if (rc == WASI_SUCCESS)
		rc = take_path(cell, d->path, address, size, ret);
	if (rc != WASI_SUCCESS)
		return rc;
	ret->preopen = d->preopen;
	ret->root = &w->roots[d->preopen];
	put_path(ret->absolute, ret->root->absolute);
	rc = wasi_path_join(ret->absolute, strlen(ret->absolute), d->path);
	if (rc == WASI_SUCCESS)
		rc = wasi_path_join(ret->absolute, strlen(ret->absolute),
		                    ret->beneath + (*d->path ? strlen(d->path) + 1 : 0));
	if (rc == WASI_SUCCESS)
		ret->file = wasi_memory_find(w, ret->absolute);
	return rc;
}

const char *wasi_path_beneath(const char *directory, const char *absolute)
{
	size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
	if (strncmp(directory, absolute, size) != 0 || (absolute[size] != '/' && absolute[size]))
		return NULL;
	return absolute + size + (absolute[size] == '/');
}

uint32_t wasi_resolve_absolute(struct wasi *w, const char *path, struct wasi_target *ret)
{
	put_path(ret->absolute, "/");
	uint32_t rc = wasi_path_join(ret->absolute, 1, path);
	if (rc != WASI_SUCCESS)
		return rc;
	const struct wasi_root *best = NULL;
	for (uint32_t i = 0; i < w->root_count; i++) {
		const struct wasi_root *root = &w->roots[i];
		if (wasi_path_beneath(root->absolute, ret->absolute) &&
		    (!best || strlen(root->absolute) > strlen(best->absolute)))
			best = root;
	}
	if (!best)
		return WASI_ENOTCAPABLE;
	const char *beneath = wasi_path_beneath(best->absolute, ret->absolute);
	put_path(ret->beneath, *beneath ? beneath : ".");
	ret->root = best;
	ret->preopen = (uint32_t)(best - w->roots);
	ret->as_directory = false;
	ret->file = wasi_memory_find(w, ret->absolute);
	return WASI_SUCCESS;
}

uint32_t wasi_ask(struct wasi *w, struct owner_path_request *request, const struct wasi_target *target,
                  const struct wasi_target *second, const char *text, size_t *ret_size, int *ret_fd)
{
	struct owner_path_reply reply = {0};
	const char *other = second ? second->beneath : text ? text : "";
	int fd = -1;
	if (target->root->memory || (second && second->root->memory))
		return request->flags & OWNER_PATH_CREATE ? WASI_ENOTCAPABLE : WASI_ENOENT;
	if (target->root->volume || (second && second->root->volume))
		return wasi_volume_ask(w, request, target, second, text, ret_size);
	request->preopen = target->preopen;
	request->second_preopen = second ? second->preopen : 0;
	request->path_size = (uint32_t)strlen(target->beneath);
	request->second_size = (uint32_t)strlen(other);
	if (w->host.path(w->host.data, request, target->beneath, other, &reply, w->scratch->answer,
	                 sizeof(w->scratch->answer), &fd) < 0)
		return WASI_EIO;
	if (reply.error)
		return wasi_errno_of(reply.error);
	if (ret_size)
		*ret_size = min_of((size_t)reply.size, sizeof(w->scratch->answer));
	if (!ret_fd)
		return WASI_SUCCESS;
	if (fd < 0)
		return WASI_EIO;
	*ret_fd = fd;
	return WASI_SUCCESS;
}

uint32_t wasi_may_change(const struct wasi_target *target)
{
	if (target->root->memory && !target->file)
		return WASI_ENOTCAPABLE;
	if (target->root->flags & OWNER_PREOPEN_READ_ONLY && !target->file)
		return WASI_EROFS;
	return WASI_SUCCESS;
}

uint8_t wasi_filetype_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return WASI_FILETYPE_REGULAR_FILE;
	case S_IFDIR: return WASI_FILETYPE_DIRECTORY;
	case S_IFLNK: return WASI_FILETYPE_SYMBOLIC_LINK;
	case S_IFCHR: return WASI_FILETYPE_CHARACTER_DEVICE;
	case S_IFBLK: return WASI_FILETYPE_BLOCK_DEVICE;
	default: return WASI_FILETYPE_UNKNOWN;
	}
}

void wasi_stat_of_owner(const struct owner_path_stat *from, struct wasi_filestat *ret)
{
	*ret = (struct wasi_filestat){
		.device = from->device,
		.inode = from->inode,
		.filetype = wasi_filetype_of(from->mode),
		.links = from->links,
		.size = from->size,
		.atime_ns = (uint64_t)from->atime_ns,
		.mtime_ns = (uint64_t)from->mtime_ns,
		.ctime_ns = (uint64_t)from->ctime_ns,
	};
}

void wasi_target_of(const struct wasi *w, const struct wasi_descriptor *d, struct wasi_target *ret)
{
	ret->root = &w->roots[d->preopen];
	ret->preopen = d->preopen;
	put_path(ret->beneath, *d->path ? d->path : ".");
	ret->as_directory = false;
}

uint32_t wasi_directory_fd(struct wasi *w, struct wasi_descriptor *d, int *ret_fd)
{
	if (d->fd < 0) {
		struct wasi_scratch *s = wasi_scratch(w);
		if (!s)
			return WASI_ENOMEM;
		wasi_target_of(w, d, &s->first);
		struct owner_path_request request = {
			.operation = OWNER_PATH_OPEN,
			.flags = OWNER_PATH_READ | OWNER_PATH_DIRECTORY | OWNER_PATH_FOLLOW,
		};
		uint32_t rc = wasi_ask(w, &request, &s->first, NULL, NULL, NULL, &d->fd);
		if (rc != WASI_SUCCESS)
			return rc;
	}
	*ret_fd = d->fd;
	return WASI_SUCCESS;
}
