/* Operations on paths: on memory files and volumes here, on everything else at the owner. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cell/wasi/state.h"

static uint32_t scratch_of(struct wasi *w, struct wasi_scratch **ret)
{
	*ret = wasi_scratch(w);
	return *ret ? WASI_SUCCESS : WASI_ENOMEM;
}

/* A call that takes a directory and a path and may change what is there. */
static uint32_t change(struct wasi *w, struct cell_instance *cell, const union cell_value *v, uint64_t right,
                       struct wasi_target **ret)
{
	struct wasi_scratch *s;
	uint32_t rc = scratch_of(w, &s);
	if (rc == WASI_SUCCESS)
		rc = wasi_resolve(w, cell, v[0].i32, right, v[1].i32, v[2].i32, &s->first);
	if (rc == WASI_SUCCESS)
		rc = wasi_may_change(&s->first);
	if (rc == WASI_SUCCESS)
		*ret = &s->first;
	return rc;
}

uint32_t wasi_path_create_directory(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_target *target;
	struct owner_path_request request = {.operation = OWNER_PATH_MKDIR};
	uint32_t rc = change(w, cell, v, WASI_PATH_CREATE_DIRECTORY, &target);
	if (rc == WASI_SUCCESS && target->file)
		rc = WASI_EEXIST;
	return rc == WASI_SUCCESS ? wasi_ask(w, &request, target, NULL, NULL, NULL, NULL) : rc;
}

uint32_t wasi_path_remove_directory(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_target *target;
	struct owner_path_request request = {.operation = OWNER_PATH_RMDIR};
	uint32_t rc = change(w, cell, v, WASI_PATH_REMOVE_DIRECTORY, &target);
	if (rc == WASI_SUCCESS && target->file)
		rc = WASI_ENOTDIR;
	return rc == WASI_SUCCESS ? wasi_ask(w, &request, target, NULL, NULL, NULL, NULL) : rc;
}

uint32_t wasi_path_unlink_file(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_target *target;
	struct owner_path_request request = {.operation = OWNER_PATH_UNLINK};
	uint32_t rc = change(w, cell, v, WASI_PATH_UNLINK_FILE, &target);
	if (rc != WASI_SUCCESS)
		return rc;
	if (!target->file)
		return wasi_ask(w, &request, target, NULL, NULL, NULL, NULL);
	if (target->as_directory)
		return WASI_ENOTDIR;
	wasi_memory_unlink(w, target->file);
	return WASI_SUCCESS;
}

uint32_t wasi_path_filestat_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_scratch *s;
	struct wasi_filestat stat;
	void *ret = wasi_bytes(cell, v[4].i32, sizeof(stat));
	uint32_t rc = scratch_of(w, &s);
	if (rc == WASI_SUCCESS)
		rc = wasi_resolve(w, cell, v[0].i32, WASI_PATH_FILESTAT_GET, v[2].i32, v[3].i32, &s->first);
	if (rc == WASI_SUCCESS && !ret)
		rc = WASI_EFAULT;
	if (rc != WASI_SUCCESS)
		return rc;
	if (s->first.file) {
		wasi_memory_stat(s->first.file, &stat);
	} else if (s->first.root->memory && wasi_memory_has_directory(w, s->first.absolute)) {
		stat = (struct wasi_filestat){.filetype = WASI_FILETYPE_DIRECTORY, .links = 1};
	} else {
		struct owner_path_request request = {.operation = OWNER_PATH_STAT};
		struct owner_path_stat found;
		size_t size;
		request.flags = v[1].i32 & WASI_LOOKUP_SYMLINK_FOLLOW ? OWNER_PATH_FOLLOW : 0;
		rc = wasi_ask(w, &request, &s->first, NULL, NULL, &size, NULL);
		if (rc == WASI_SUCCESS && size < sizeof(found))
			rc = WASI_EIO;
		if (rc != WASI_SUCCESS)
			return rc;
		memcpy(&found, s->answer, sizeof(found));
		wasi_stat_of_owner(&found, &stat);
	}
	memcpy(ret, &stat, sizeof(stat));
	return WASI_SUCCESS;
}

uint32_t wasi_path_filestat_set_times(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_scratch *s;
	struct owner_path_request request = {.operation = OWNER_PATH_SET_TIMES};
	uint32_t rc = scratch_of(w, &s);
	if (rc == WASI_SUCCESS)
		rc = wasi_resolve(w, cell, v[0].i32, WASI_PATH_FILESTAT_SET_TIMES, v[2].i32, v[3].i32,
		                  &s->first);
	if (rc == WASI_SUCCESS)
		rc = wasi_may_change(&s->first);
	if (rc == WASI_SUCCESS)
		rc = wasi_times(w, v[6].i32, v[4].i64, v[5].i64, &request);
	if (rc != WASI_SUCCESS)
		return rc;
	if (s->first.file) {
		wasi_memory_set_times(s->first.file, &request);
		return WASI_SUCCESS;
	}
	request.flags = v[1].i32 & WASI_LOOKUP_SYMLINK_FOLLOW ? OWNER_PATH_FOLLOW : 0;
	return wasi_ask(w, &request, &s->first, NULL, NULL, NULL, NULL);
}

uint32_t wasi_path_readlink(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_scratch *s;
	struct owner_path_request request = {.operation = OWNER_PATH_READLINK};
	void *to = wasi_bytes(cell, v[3].i32, v[4].i32), *ret = wasi_bytes(cell, v[5].i32, sizeof(uint32_t));
	size_t size;
	uint32_t rc = scratch_of(w, &s);
	if (rc == WASI_SUCCESS)
		rc = wasi_resolve(w, cell, v[0].i32, WASI_PATH_READLINK, v[1].i32, v[2].i32, &s->first);
	if (rc == WASI_SUCCESS && (!to || !ret))
		rc = WASI_EFAULT;
	if (rc == WASI_SUCCESS && s->first.file)
		rc = WASI_EINVAL;
	if (rc == WASI_SUCCESS)
		rc = wasi_ask(w, &request, &s->first, NULL, NULL, &size, NULL);
	if (rc != WASI_SUCCESS)
		return rc;
	uint32_t used = (uint32_t)min_of(size, (size_t)v[4].i32);
	memcpy(to, s->answer, used);
	memcpy(ret, &used, sizeof(used));
	return WASI_SUCCESS;
}

uint32_t wasi_path_symlink(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_scratch *s;
	struct owner_path_request request = {.operation = OWNER_PATH_SYMLINK};
	const char *text = wasi_bytes(cell, v[0].i32, v[1].i32);
	uint32_t size = v[1].i32, rc = scratch_of(w, &s);
	if (rc == WASI_SUCCESS)
		rc = wasi_resolve(w, cell, v[2].i32, WASI_PATH_SYMLINK, v[3].i32, v[4].i32, &s->first);
	if (rc == WASI_SUCCESS)
		rc = wasi_may_change(&s->first);
	if (rc != WASI_SUCCESS)
		return rc;
	if (!text)
		return WASI_EFAULT;
	if (size == 0 || size >= OWNER_PATH_MAX)
		return size ? WASI_ENAMETOOLONG : WASI_ENOENT;
	char *target = s->second.beneath;
	memcpy(target, text, size);
	target[size] = '\0';
	if (strlen(target) != size)
		return WASI_EINVAL;
	if (target[0] == '/')
		return WASI_ENOTCAPABLE;
	return s->first.file ? WASI_EEXIST : wasi_ask(w, &request, &s->first, NULL, target, NULL, NULL);
}

/* The two paths of path_link and path_rename; v is that of the call. */
static uint32_t two_paths(struct wasi *w, struct cell_instance *cell, const union cell_value *from,
                          uint64_t from_right, const union cell_value *to, uint64_t to_right,
                          struct wasi_scratch **ret)
{
	struct wasi_scratch *s;
	uint32_t rc = scratch_of(w, &s);
	if (rc == WASI_SUCCESS)
		rc = wasi_resolve(w, cell, from[0].i32, from_right, from[1].i32, from[2].i32, &s->first);
	if (rc == WASI_SUCCESS)
		rc = wasi_resolve(w, cell, to[0].i32, to_right, to[1].i32, to[2].i32, &s->second);
	if (rc == WASI_SUCCESS)
		rc = wasi_may_change(&s->first);
	*ret = s;
	return rc;
}

uint32_t wasi_path_link(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	/* v: directory, lookup flags, path, size; directory, path, size */
	const union cell_value from[3] = {v[0], v[2], v[3]};
	struct owner_path_request request = {.operation = OWNER_PATH_LINK};
	struct wasi_scratch *s;
	uint32_t rc = two_paths(w, cell, from, WASI_PATH_LINK_SOURCE, v + 4, WASI_PATH_LINK_TARGET, &s);
	if (rc == WASI_SUCCESS)
		rc = wasi_may_change(&s->second);
	if (rc != WASI_SUCCESS)
		return rc;
	if (v[1].i32 & WASI_LOOKUP_SYMLINK_FOLLOW)
		return WASI_EINVAL;
	if (s->first.file)
		return WASI_ENOTSUP;
	return s->second.file ? WASI_EEXIST : wasi_ask(w, &request, &s->first, &s->second, NULL, NULL, NULL);
}

/* A file of the host takes the place of a memory file: it becomes that file's content. */
static uint32_t fill_from(struct wasi *w, const struct wasi_target *from, struct wasi_memory_file *to)
{
	struct owner_path_request open = {.operation = OWNER_PATH_OPEN, .flags = OWNER_PATH_READ};
	cleanup_close int fd = -1;
	uint32_t rc = from->root->volume ? (uint32_t)WASI_SUCCESS
	                                 : wasi_ask(w, &open, from, NULL, NULL, NULL, &fd);
	if (rc == WASI_SUCCESS)
		rc = wasi_memory_resize(w, to, 0);
	if (rc != WASI_SUCCESS)
		return rc;
	return from->root->volume ? wasi_volume_load(w, from, to) : wasi_memory_fill(w, to, fd);
}

static uint32_t rename_into_memory(struct wasi *w, struct wasi_target *from, struct wasi_memory_file *to)
{
	struct owner_path_request unlink = {.operation = OWNER_PATH_UNLINK};
	uint32_t rc = fill_from(w, from, to);
	return rc == WASI_SUCCESS ? wasi_ask(w, &unlink, from, NULL, NULL, NULL, NULL) : rc;
}

/* Nothing is made by a move, so in the root a memory file may get another name. */
static uint32_t rename_memory(struct wasi *w, const struct wasi_target *from, const struct wasi_target *to)
{
	uint32_t rc = to->root->memory ? (uint32_t)WASI_SUCCESS : wasi_may_change(to);
	if (rc == WASI_SUCCESS && to->as_directory)
		rc = WASI_ENOTDIR;
	return rc == WASI_SUCCESS ? wasi_memory_move(w, from->file, to->absolute) : rc;
}

uint32_t wasi_path_rename(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct owner_path_request request = {.operation = OWNER_PATH_RENAME};
	struct wasi_scratch *s;
	uint32_t rc = two_paths(w, cell, v, WASI_PATH_RENAME_SOURCE, v + 3, WASI_PATH_RENAME_TARGET, &s);
	if (rc == WASI_SUCCESS && s->first.file)
		return rename_memory(w, &s->first, &s->second);
	if (rc == WASI_SUCCESS)
		rc = wasi_may_change(&s->second);
	if (rc != WASI_SUCCESS)
		return rc;
	if (s->second.file)
		return rename_into_memory(w, &s->first, s->second.file);
	return wasi_ask(w, &request, &s->first, &s->second, NULL, NULL, NULL);
}

/* A path_open in progress. */
struct opening {
	uint32_t oflags, fdflags;
	uint64_t base, inheriting;
	bool writing;
	const struct wasi_target *target;
};

static uint32_t open_memory(struct wasi *w, const struct opening *o, struct wasi_descriptor *d)
{
	struct wasi_memory_file *file = o->target->file;
	if (o->oflags & WASI_OFLAG_DIRECTORY || o->target->as_directory)
		return WASI_ENOTDIR;
	if (o->oflags & WASI_OFLAG_CREAT && o->oflags & WASI_OFLAG_EXCL)
		return WASI_EEXIST;
	if (o->oflags & WASI_OFLAG_TRUNC) {
		uint32_t rc = wasi_memory_resize(w, file, 0);
		if (rc != WASI_SUCCESS)
			return rc;
	}
	file->references++;
	d->kind = WASI_MEMORY;
	d->file = file;
	d->base = o->base & WASI_RIGHTS_FILE;
	return WASI_SUCCESS;
}

static uint32_t owner_flags(const struct opening *o, uint32_t lookup)
{
	bool reading = o->base & (WASI_FD_READ | WASI_FD_READDIR) || !(o->base & WASI_RIGHTS_WRITING);
	uint32_t flags = reading ? OWNER_PATH_READ : 0;
	if (o->base & WASI_RIGHTS_WRITING || o->oflags & WASI_OFLAG_TRUNC)
		flags |= OWNER_PATH_WRITE;
	if (o->oflags & WASI_OFLAG_CREAT)
		flags |= OWNER_PATH_CREATE;
	if (o->oflags & WASI_OFLAG_EXCL)
		flags |= OWNER_PATH_EXCLUSIVE;
	if (o->oflags & WASI_OFLAG_TRUNC)
		flags |= OWNER_PATH_TRUNCATE;
	if (o->oflags & WASI_OFLAG_DIRECTORY)
		flags |= OWNER_PATH_DIRECTORY;
	if (o->fdflags & WASI_FDFLAG_APPEND)
		flags |= OWNER_PATH_APPEND;
	if (lookup & WASI_LOOKUP_SYMLINK_FOLLOW)
		flags |= OWNER_PATH_FOLLOW;
	return flags;
}

/* What the descriptor may be used for. */
static void set_rights(const struct opening *o, struct wasi_descriptor *d)
{
	bool directory = d->kind == WASI_DIRECTORY;
	d->base = o->base & (directory ? WASI_RIGHTS_DIRECTORY : WASI_RIGHTS_FILE);
	d->inheriting = directory ? o->inheriting : 0;
	if (!directory && o->target->root->flags & OWNER_PREOPEN_READ_ONLY)
		d->base &= ~(uint64_t)(WASI_RIGHTS_WRITING | WASI_FD_FILESTAT_SET_TIMES);
}

/* The descriptor that the owner sent. Its path is kept: for what is opened beneath a directory, and
 * for what only the owner may do. */
static uint32_t adopt(struct wasi *w, const struct opening *o, int fd, struct wasi_descriptor *d)
{
	struct stat st;
	const struct wasi_target *target = o->target;
	if (wasi_fstat(fd, &st) < 0)
		return wasi_errno_of(errno);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return WASI_EACCES;
	d->path = wasi_copy(w, target->beneath);
	if (!d->path)
		return WASI_ENOMEM;
	d->preopen = target->preopen;
	d->kind = S_ISDIR(st.st_mode) ? WASI_DIRECTORY : WASI_FILE;
	set_rights(o, d);
	return WASI_SUCCESS;
}

static uint32_t open_memory_directory(struct wasi *w, const struct opening *o, struct wasi_descriptor *d)
{
	d->path = wasi_copy(w, strcmp(o->target->absolute, "/") == 0 ? "" : o->target->beneath);
	if (!d->path)
		return WASI_ENOMEM;
	d->kind = WASI_DIRECTORY;
	d->preopen = o->target->preopen;
	d->base = o->base & WASI_RIGHTS_DIRECTORY;
	d->inheriting = o->inheriting;
	return WASI_SUCCESS;
}

static uint32_t open_at_owner(struct wasi *w, const struct opening *o, uint32_t lookup,
                              struct wasi_descriptor *d)
{
	const struct wasi_target *target = o->target;
	int fd;
	if (target->root->memory && wasi_memory_has_directory(w, target->absolute))
		return o->writing ? WASI_EISDIR : open_memory_directory(w, o, d);
	if (o->writing && target->root->flags & OWNER_PREOPEN_READ_ONLY)
		return WASI_EROFS;
	struct owner_path_request request = {.operation = OWNER_PATH_OPEN, .flags = owner_flags(o, lookup)};
	if (target->root->volume) {
		uint32_t opened = wasi_volume_open(w, target, request.flags, d);
		if (opened == WASI_SUCCESS)
			set_rights(o, d);
		return opened;
	}
	uint32_t rc = wasi_ask(w, &request, target, NULL, NULL, NULL, &fd);
	if (rc != WASI_SUCCESS)
		return rc;
	rc = adopt(w, o, fd, d);
	if (rc == WASI_SUCCESS)
		d->fd = fd;
	else
		close(fd);
	return rc;
}

static uint32_t opening_check(struct wasi *w, const union cell_value *v, struct opening *ret)
{
	struct wasi_descriptor *directory;
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_PATH_OPEN, &directory);
	if (rc != WASI_SUCCESS)
		return rc;
	*ret = (struct opening){
		.oflags = v[4].i32,
		.base = v[5].i64,
		.inheriting = v[6].i64 & directory->inheriting,
		.fdflags = v[7].i32,
	};
	if (ret->oflags & WASI_OFLAG_DIRECTORY) /* these do not apply to directories */
		ret->base &= ~(uint64_t)WASI_RIGHTS_WRITING;
	ret->writing = ret->base & WASI_RIGHTS_WRITING || ret->oflags & (WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC);
	if (ret->oflags & ~(uint32_t)WASI_OFLAGS || ret->fdflags & ~(uint32_t)WASI_FDFLAGS ||
	    (ret->oflags & WASI_OFLAG_DIRECTORY && ret->oflags & WASI_OFLAG_CREAT))
		return WASI_EINVAL;
	bool creating = ret->oflags & WASI_OFLAG_CREAT, truncating = ret->oflags & WASI_OFLAG_TRUNC;
	if (ret->base & ~directory->inheriting || (creating && !(directory->base & WASI_PATH_CREATE_FILE)) ||
	    (truncating && !(directory->base & WASI_PATH_FILESTAT_SET_SIZE)))
		return WASI_ENOTCAPABLE;
	return WASI_SUCCESS;
}

/* A memory file may be another one once its opening was told. */
static uint32_t resolve_opened(struct wasi *w, struct cell_instance *cell, const union cell_value *v,
                               struct wasi_target *ret)
{
	uint32_t rc = wasi_resolve(w, cell, v[0].i32, WASI_PATH_OPEN, v[2].i32, v[3].i32, ret);
	if (rc != WASI_SUCCESS || !ret->file || !w->opening)
		return rc;
	w->opening(w->opening_data, ret->absolute);
	return wasi_resolve(w, cell, v[0].i32, WASI_PATH_OPEN, v[2].i32, v[3].i32, ret);
}

uint32_t wasi_path_open(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	/* v: directory, lookup flags, path, size, oflags, rights, inheriting rights, fdflags, result */
	struct wasi_scratch *s;
	struct opening o;
	struct wasi_descriptor *d;
	uint32_t number;
	void *ret = wasi_bytes(cell, v[8].i32, sizeof(number));
	uint32_t rc = scratch_of(w, &s);
	if (rc == WASI_SUCCESS)
		rc = resolve_opened(w, cell, v, &s->first);
	if (rc == WASI_SUCCESS)
		rc = opening_check(w, v, &o);
	if (rc == WASI_SUCCESS && !ret)
		rc = WASI_EFAULT;
	if (rc == WASI_SUCCESS)
		rc = wasi_descriptor_new(w, &number, &d);
	if (rc != WASI_SUCCESS)
		return rc;
	o.target = &s->first;
	d->flags = (uint16_t)o.fdflags;
	rc = s->first.file ? open_memory(w, &o, d) : open_at_owner(w, &o, v[1].i32, d);
	if (rc != WASI_SUCCESS) {
		wasi_descriptor_close(w, d);
		return rc;
	}
	memcpy(ret, &number, sizeof(number));
	return WASI_SUCCESS;
}
