/*
 * Preopened directories that are volumes: what the owner does for others is done here, by the volume
 * (volume/volume.h), whose names and contents never leave the executor's memory.
 *
 * The volume resolves paths itself, within itself. A failure that is more than an answer to the cell (what
 * was changed on the disk, a disk that fails, a writer that was fenced off) is told on the cell's standard
 * error, by file, as the cell learns no more of it than a number.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cell/wasi/state.h"

enum {
	TOLD_MAX = 16, /* failures; what comes after is likely to be the same */
	FILE_MODE = 0644,
	DIRECTORY_MODE = 0755,
	DOT_ENTRIES = 2, /* "." and ".." */
	LOAD_STEP = 1 << 16,
};
#define VOLUME_DEVICE (1ull << 32) /* and the number of the root: no device of the host */

static uint32_t errno_of(int code)
{
	static const uint8_t of[] = {
		[-CELLA_EINVAL] = WASI_EINVAL, [-CELLA_EIO] = WASI_EIO,
		[-CELLA_ENOMEM] = WASI_ENOMEM, [-CELLA_ELIMIT] = WASI_ELOOP,
		[-CELLA_EPERM] = WASI_EPERM,   [-CELLA_EAUTH] = WASI_EIO,
		[-CELLA_ENOENT] = WASI_ENOENT, [-CELLA_EEXIST] = WASI_EEXIST,
		[-CELLA_EAGAIN] = WASI_EAGAIN, [-CELLA_ENOTDIR] = WASI_ENOTDIR,
		[-CELLA_EISDIR] = WASI_EISDIR, [-CELLA_ENOTEMPTY] = WASI_ENOTEMPTY,
		[-CELLA_EROFS] = WASI_EROFS,   [-CELLA_ENOSPC] = WASI_ENOSPC,
	};
	if (code == 0)
		return WASI_SUCCESS;
	return (size_t)-code < array_count(of) && of[-code] ? of[-code] : (uint32_t)WASI_EIO;
}

/* Its message goes where the program's own go: sealed, to the owner. */
static uint32_t fail(struct wasi *w, const struct wasi_root *root, const char *path, int code,
                     const struct error *err)
{
	char text[512];
	uint32_t number = errno_of(code);
	if (number != WASI_EIO || w->told++ >= TOLD_MAX)
		return number;
	int size = snprintf(text, sizeof(text), "cella: %s: %s: %s\n", root->name, path, err->text);
	size_t used = min_of((size_t)max_of(size, 0), sizeof(text) - 1);
	text[used - 1] = '\n';
	w->host.write_stream(w->host.data, STDERR_FILENO, text, used);
	return number;
}

static uint32_t check_names(const char *path)
{
	while (*path) {
		size_t size = strcspn(path, "/");
		if (size > VOLUME_NAME_MAX)
			return WASI_ENAMETOOLONG;
		path += size + (path[size] == '/');
	}
	return WASI_SUCCESS;
}

/* ---- operations on paths */

struct volume_call {
	struct volume *volume;
	const struct owner_path_request *request;
	const struct wasi_target *target, *second;
	const char *text;
	char *answer;
	size_t size; /* of the answer */
};

static enum volume_follow follow_of(const struct volume_call *c)
{
	return c->request->flags & OWNER_PATH_FOLLOW || c->target->as_directory ? VOLUME_FOLLOW
	                                                                        : VOLUME_NOFOLLOW;
}

static int look(struct volume *volume, const struct wasi_target *target, enum volume_follow follow,
                struct volume_stat *ret_stat, struct error *err)
{
	int rc = volume_stat(volume, target->beneath, follow, ret_stat, err);
	if (rc == 0 && target->as_directory && ret_stat->type != VOLUME_DIRECTORY)
		rc = error_set(err, CELLA_ENOTDIR, "it is no directory");
	return rc;
}

static uint32_t mode_of(enum volume_type type)
{
	return type == VOLUME_DIRECTORY ? S_IFDIR : type == VOLUME_SYMLINK ? S_IFLNK : S_IFREG;
}

static int call_stat(struct volume_call *c, struct error *err)
{
	struct volume_stat found;
	int rc = look(c->volume, c->target, follow_of(c), &found, err);
	if (rc < 0)
		return rc;
	struct owner_path_stat stat = {
		.device = VOLUME_DEVICE + c->target->preopen,
		.inode = found.inode,
		.links = found.links,
		.size = found.size,
		.atime_ns = (int64_t)found.modified_ns,
		.mtime_ns = (int64_t)found.modified_ns,
		.ctime_ns = (int64_t)found.changed_ns,
		.mode = mode_of(found.type) | found.mode,
	};
	memcpy(c->answer, &stat, sizeof(stat));
	c->size = sizeof(stat);
	return 0;
}

static int call_mkdir(struct volume_call *c, struct error *err)
{
	return volume_mkdir(c->volume, c->target->beneath, DIRECTORY_MODE, err);
}

static int call_unlink(struct volume_call *c, struct error *err)
{
	if (c->target->as_directory)
		return error_set(err, CELLA_ENOTDIR, "a name of a directory");
	return volume_unlink(c->volume, c->target->beneath, err);
}

static int call_rmdir(struct volume_call *c, struct error *err)
{
	return volume_rmdir(c->volume, c->target->beneath, err);
}

static int call_rename(struct volume_call *c, struct error *err)
{
	struct volume_stat found;
	int rc = 0;
	if (c->target->as_directory || c->second->as_directory)
		rc = volume_stat(c->volume, c->target->beneath, VOLUME_NOFOLLOW, &found, err);
	if (rc == 0 && (c->target->as_directory || c->second->as_directory) && found.type != VOLUME_DIRECTORY)
		rc = error_set(err, CELLA_ENOTDIR, "it is no directory");
	return rc == 0 ? volume_rename(c->volume, c->target->beneath, c->second->beneath, err) : rc;
}

static int call_readlink(struct volume_call *c, struct error *err)
{
	static_assert(sizeof(((struct wasi_scratch *)0)->answer) >= VOLUME_PATH_MAX, "a target fits");
	int rc = volume_readlink(c->volume, c->target->beneath, c->answer, err);
	c->size = rc == 0 ? strlen(c->answer) : 0;
	return rc;
}

static int call_symlink(struct volume_call *c, struct error *err)
{
	return volume_symlink(c->volume, c->text, c->target->beneath, err);
}

/* A directory gets no second name: EPERM, as Linux has it. */
static int call_link(struct volume_call *c, struct error *err)
{
	int rc = volume_link(c->volume, c->target->beneath, c->second->beneath, err);
	return rc == CELLA_EISDIR ? CELLA_EPERM : rc;
}

/* Else it was symlinks that lead to one another. */
static bool has_all_links(const struct volume_call *c)
{
	struct volume_stat found;
	return volume_stat(c->volume, c->target->beneath, VOLUME_NOFOLLOW, &found, NULL) == 0 &&
	       found.links >= VOLUME_LINKS_MAX;
}

/* A volume keeps no times of access. */
static int call_set_times(struct volume_call *c, struct error *err)
{
	struct volume_stat found;
	if (c->request->mtime_ns == INT64_MIN)
		return look(c->volume, c->target, follow_of(c), &found, err);
	return volume_set_modified(c->volume, c->target->beneath, follow_of(c),
	                           (uint64_t)c->request->mtime_ns, err);
}

static int (*const calls[])(struct volume_call *c, struct error *err) = {
	[OWNER_PATH_STAT] = call_stat,           [OWNER_PATH_MKDIR] = call_mkdir,
	[OWNER_PATH_UNLINK] = call_unlink,       [OWNER_PATH_RMDIR] = call_rmdir,
	[OWNER_PATH_RENAME] = call_rename,       [OWNER_PATH_READLINK] = call_readlink,
	[OWNER_PATH_SYMLINK] = call_symlink,     [OWNER_PATH_LINK] = call_link,
	[OWNER_PATH_SET_TIMES] = call_set_times,
};

uint32_t wasi_volume_ask(struct wasi *w, const struct owner_path_request *request,
                         const struct wasi_target *target, const struct wasi_target *second, const char *text,
                         size_t *ret_size)
{
	struct error err = {0};
	struct volume_call call = {.volume = target->root->volume,
	                           .request = request,
	                           .target = target,
	                           .second = second,
	                           .text = text,
	                           .answer = w->scratch->answer};
	if (second && second->root != target->root)
		return WASI_EXDEV;
	uint32_t rc = check_names(target->beneath);
	if (rc == WASI_SUCCESS && second)
		rc = check_names(second->beneath);
	if (rc != WASI_SUCCESS)
		return rc;
	if (request->operation == OWNER_PATH_SYMLINK && strlen(text) > VOLUME_TARGET_MAX)
		return WASI_ENAMETOOLONG;
	int code = calls[request->operation](&call, &err);
	if (code == CELLA_ELIMIT && request->operation == OWNER_PATH_LINK && has_all_links(&call))
		return WASI_EMLINK;
	if (ret_size)
		*ret_size = call.size;
	return fail(w, target->root, target->beneath, code, &err);
}

/* ---- open files and directories */

static int open_file(const struct wasi_target *target, uint32_t flags, struct volume_file **ret_file,
                     struct error *err)
{
	unsigned how = (flags & OWNER_PATH_WRITE ? VOLUME_WRITE : 0u) |
	               (flags & OWNER_PATH_CREATE ? VOLUME_CREATE : 0u) |
	               (flags & OWNER_PATH_EXCLUSIVE ? VOLUME_EXCLUSIVE : 0u) |
	               (flags & OWNER_PATH_TRUNCATE ? VOLUME_TRUNCATE : 0u) |
	               (flags & OWNER_PATH_FOLLOW ? 0u : VOLUME_NO_SYMLINK);
	if (flags & OWNER_PATH_CREATE && target->as_directory)
		return error_set(err, CELLA_EISDIR, "a name of a directory");
	return volume_file_open(target->root->volume, target->beneath, how, FILE_MODE, ret_file, err);
}

/* As open(2) has it. *ret_file stays NULL for a directory. */
static int open_either(const struct wasi_target *target, uint32_t flags, struct volume_file **ret_file,
                       struct error *err)
{
	struct volume_stat found;
	bool exclusive = flags & OWNER_PATH_CREATE && flags & OWNER_PATH_EXCLUSIVE;
	bool follow = (flags & OWNER_PATH_FOLLOW || target->as_directory) && !exclusive;
	int rc = look(target->root->volume, target, follow ? VOLUME_FOLLOW : VOLUME_NOFOLLOW, &found, err);
	if (rc == CELLA_ENOENT && flags & OWNER_PATH_CREATE)
		return open_file(target, flags, ret_file, err);
	if (rc == 0 && exclusive)
		rc = error_set(err, CELLA_EEXIST, "it exists");
	if (rc < 0)
		return rc;
	if (found.type == VOLUME_DIRECTORY)
		return flags & (OWNER_PATH_WRITE | OWNER_PATH_CREATE)
		               ? error_set(err, CELLA_EISDIR, "it is a directory")
		               : 0;
	if (flags & OWNER_PATH_DIRECTORY)
		return error_set(err, CELLA_ENOTDIR, "it is no directory");
	return open_file(target, flags, ret_file, err);
}

uint32_t wasi_volume_open(struct wasi *w, const struct wasi_target *target, uint32_t flags,
                          struct wasi_descriptor *d)
{
	struct error err = {0};
	uint32_t rc = check_names(target->beneath);
	if (rc != WASI_SUCCESS)
		return rc;
	d->path = wasi_copy(w, target->beneath);
	if (!d->path)
		return WASI_ENOMEM;
	rc = fail(w, target->root, target->beneath, open_either(target, flags, &d->volume_file, &err), &err);
	if (rc != WASI_SUCCESS)
		return rc;
	d->kind = d->volume_file ? WASI_VOLUME : WASI_DIRECTORY;
	d->preopen = target->preopen;
	return WASI_SUCCESS;
}

static uint32_t fail_open(struct wasi *w, const struct wasi_descriptor *d, int code, const struct error *err)
{
	return code == CELLA_ELIMIT ? WASI_EFBIG : fail(w, &w->roots[d->preopen], d->path, code, err);
}

uint32_t wasi_volume_read(struct wasi *w, struct wasi_descriptor *d, uint64_t offset, void *to, size_t size,
                          size_t *ret_size)
{
	struct error err = {0};
	return fail_open(w, d, volume_file_read(d->volume_file, offset, to, size, ret_size, &err), &err);
}

uint32_t wasi_volume_write(struct wasi *w, struct wasi_descriptor *d, uint64_t offset, const void *from,
                           size_t size)
{
	struct error err = {0};
	return fail_open(w, d, volume_file_write(d->volume_file, offset, from, size, &err), &err);
}

uint32_t wasi_volume_resize(struct wasi *w, struct wasi_descriptor *d, uint64_t size)
{
	struct error err = {0};
	return fail_open(w, d, volume_file_truncate(d->volume_file, size, &err), &err);
}

uint64_t wasi_volume_size(const struct wasi_descriptor *d)
{
	struct volume_stat stat;
	volume_file_stat(d->volume_file, &stat);
	return stat.size;
}

void wasi_volume_stat(const struct wasi_descriptor *d, struct wasi_filestat *ret)
{
	struct volume_stat stat;
	volume_file_stat(d->volume_file, &stat);
	*ret = (struct wasi_filestat){
		.device = VOLUME_DEVICE + d->preopen,
		.inode = stat.inode,
		.filetype = WASI_FILETYPE_REGULAR_FILE,
		.links = stat.links,
		.size = stat.size,
		.atime_ns = stat.modified_ns,
		.mtime_ns = stat.modified_ns,
		.ctime_ns = stat.changed_ns,
	};
}

uint32_t wasi_volume_set_times(struct wasi *w, struct wasi_descriptor *d,
                               const struct owner_path_request *times)
{
	struct error err = {0};
	if (times->mtime_ns == INT64_MIN)
		return WASI_SUCCESS;
	return fail_open(w, d, volume_file_set_modified(d->volume_file, (uint64_t)times->mtime_ns, &err),
	                 &err);
}

/* There is nothing to make durable in a volume that nobody here may write to. */
uint32_t wasi_volume_sync(struct wasi *w, const struct wasi_descriptor *d)
{
	const struct wasi_root *root = &w->roots[d->preopen];
	struct error err = {0};
	if (root->flags & OWNER_PREOPEN_READ_ONLY)
		return WASI_SUCCESS;
	return fail(w, root, d->path, volume_commit(root->volume, &err), &err);
}

/* ---- directories */

static void remember(struct wasi_volume_place *place, uint64_t cookie, const char *name)
{
	place->recent[0] = place->recent[1];
	place->recent[1].cookie = cookie;
	snprintf(place->recent[1].name, sizeof(place->recent[1].name), "%s", name);
}

/*
 * The name before this cookie. A cell goes on where the last call ended, or one entry before, if that was
 * cut: these are known. Another cookie counts entries from the first.
 */
static int name_before(struct volume *volume, const char *path, const struct wasi_volume_place *place,
                       uint64_t cookie, char ret_name[VOLUME_NAME_MAX + 1], struct error *err)
{
	struct volume_entry entry = {0};
	int rc = 0;
	const char *known = "";
	for (unsigned i = 0; i < array_count(place->recent); i++)
		if (cookie > DOT_ENTRIES && place->recent[i].cookie == cookie)
			known = place->recent[i].name;
	for (uint64_t n = DOT_ENTRIES; rc == 0 && !*known && n < cookie; n++)
		rc = volume_next(volume, path, entry.name, &entry, err);
	snprintf(ret_name, VOLUME_NAME_MAX + 1, "%s", *known ? known : entry.name);
	return rc;
}

static int entry_behind(struct volume *volume, const char *path, struct wasi_volume_place *place,
                        uint64_t cookie, struct volume_entry *ret_entry, struct error *err)
{
	char before[VOLUME_NAME_MAX + 1];
	struct volume_stat self;
	if (cookie >= DOT_ENTRIES) {
		int rc = name_before(volume, path, place, cookie, before, err);
		if (rc == 0)
			rc = volume_next(volume, path, before, ret_entry, err);
		if (rc == 0)
			remember(place, cookie + 1, ret_entry->name);
		return rc;
	}
	int rc = volume_stat(volume, path, VOLUME_FOLLOW, &self, err);
	if (rc < 0)
		return rc;
	*ret_entry = (struct volume_entry){.inode = self.inode, .type = VOLUME_DIRECTORY};
	snprintf(ret_entry->name, sizeof(ret_entry->name), cookie ? ".." : ".");
	return 0;
}

uint32_t wasi_volume_next(struct wasi *w, struct wasi_descriptor *d, uint64_t cookie,
                          struct volume_entry *ret_entry, uint64_t *ret_next)
{
	const struct wasi_root *root = &w->roots[d->preopen];
	struct error err = {0};
	if (!d->place)
		d->place = mem_alloc(w->pool, sizeof(*d->place));
	if (!d->place)
		return WASI_ENOMEM;
	int code = entry_behind(root->volume, d->path, d->place, cookie, ret_entry, &err);
	if (code == 0)
		*ret_next = cookie + 1;
	return fail(w, root, d->path, code, &err);
}

/* ---- whole files */

static int load(struct wasi *w, struct volume_file *file, struct wasi_memory_file *to, struct error *err)
{
	size_t got;
	uint64_t offset = 0;
	do {
		size_t before = to->size;
		if (wasi_memory_resize(w, to, before + LOAD_STEP) != WASI_SUCCESS)
			return error_set(err, CELLA_ENOMEM, "no protected memory for a file");
		int rc = volume_file_read(file, offset, to->data + before, LOAD_STEP, &got, err);
		to->size = before + (rc == 0 ? got : 0);
		if (rc < 0)
			return rc;
		offset += got;
	} while (got == LOAD_STEP);
	return 0;
}

uint32_t wasi_volume_load(struct wasi *w, const struct wasi_target *target, struct wasi_memory_file *to)
{
	struct error err = {0};
	struct volume_file *file;
	uint32_t named = check_names(target->beneath);
	if (named != WASI_SUCCESS)
		return named;
	int rc = volume_file_open(target->root->volume, target->beneath, 0, 0, &file, &err);
	if (rc == 0) {
		rc = load(w, file, to, &err);
		volume_file_close(file);
	}
	return fail(w, target->root, target->beneath, rc, &err);
}

uint32_t wasi_volume_store(struct wasi *w, const struct wasi_target *target, const void *data, size_t size)
{
	struct error err = {0};
	struct volume_file *file;
	int rc = volume_file_open(target->root->volume, target->beneath,
	                          VOLUME_WRITE | VOLUME_CREATE | VOLUME_TRUNCATE, FILE_MODE, &file, &err);
	if (rc == 0) {
		rc = volume_file_write(file, 0, data, size, &err);
		volume_file_close(file);
	}
	return fail(w, target->root, target->beneath, rc, &err);
}
