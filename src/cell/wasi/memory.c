/* Memory files: whole files in protected memory that lie over the preopened directories. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cell/wasi/state.h"

enum { FILL_STEP = 1 << 16 };

struct wasi_memory_file *wasi_memory_find(struct wasi *w, const char *absolute)
{
	struct wasi_memory_file *file;
	TAILQ_FOREACH(file, &w->files, link)
	if (strcmp(file->path, absolute) == 0)
		return file;
	return NULL;
}

bool wasi_memory_in_root(const struct wasi *w, const struct wasi_memory_file *file)
{
	for (uint32_t i = 0; i < w->root_count; i++)
		if (!w->roots[i].memory && wasi_path_beneath(w->roots[i].absolute, file->path))
			return false;
	return true;
}

bool wasi_memory_has_directory(const struct wasi *w, const char *absolute)
{
	const struct wasi_memory_file *file;
	if (strcmp(absolute, "/") == 0)
		return true;
	TAILQ_FOREACH(file, &w->files, link)
	{
		const char *rest = wasi_path_beneath(absolute, file->path);
		if (rest && *rest && wasi_memory_in_root(w, file))
			return true;
	}
	return false;
}

struct wasi_memory_file *wasi_memory_new(struct wasi *w, const char *absolute)
{
	struct wasi_memory_file *file = mem_alloc(w->pool, sizeof(*file));
	char *path = wasi_copy(w, absolute);
	if (!file || !path) {
		mem_free(w->pool, file);
		mem_free(w->pool, path);
		return NULL;
	}
	struct wasi_memory_file *before = wasi_memory_find(w, absolute);
	if (before)
		wasi_memory_unlink(w, before);
	file->path = path;
	file->references = 1;
	file->inode = ++w->next_inode;
	file->atime_ns = file->mtime_ns = wasi_now_ns(w);
	TAILQ_INSERT_TAIL(&w->files, file, link);
	return file;
}

void wasi_memory_unref(struct wasi *w, struct wasi_memory_file *file)
{
	if (!file || --file->references)
		return;
	mem_free(w->pool, file->data);
	mem_free(w->pool, file);
}

void wasi_memory_unlink(struct wasi *w, struct wasi_memory_file *file)
{
	TAILQ_REMOVE(&w->files, file, link);
	mem_free(w->pool, file->path);
	file->path = NULL;
	wasi_memory_unref(w, file);
}

uint32_t wasi_memory_move(struct wasi *w, struct wasi_memory_file *file, const char *absolute)
{
	struct wasi_memory_file *before = wasi_memory_find(w, absolute);
	if (before == file)
		return WASI_SUCCESS;
	char *path = wasi_copy(w, absolute);
	if (!path)
		return WASI_ENOSPC;
	if (before)
		wasi_memory_unlink(w, before);
	mem_free(w->pool, file->path);
	file->path = path;
	return WASI_SUCCESS;
}

uint32_t wasi_memory_resize(struct wasi *w, struct wasi_memory_file *file, uint64_t size)
{
	if (size > file->capacity) {
		uint64_t capacity = max_of(size, min_of((uint64_t)file->capacity * 2, size + (64 << 20)));
		uint8_t *data = capacity <= SIZE_MAX / 2 ? mem_realloc(w->pool, file->data, capacity) : NULL;
		if (!data)
			return WASI_ENOSPC;
		file->data = data;
		file->capacity = capacity;
	}
	if (size > file->size)
		memset(file->data + file->size, 0, size - file->size);
	file->size = size;
	file->mtime_ns = wasi_now_ns(w);
	return WASI_SUCCESS;
}

size_t wasi_memory_read(const struct wasi_memory_file *file, uint64_t offset, void *to, size_t size)
{
	if (offset >= file->size)
		return 0;
	size = min_of(size, file->size - (size_t)offset);
	if (size)
		memcpy(to, file->data + offset, size);
	return size;
}

uint32_t wasi_memory_write(struct wasi *w, struct wasi_memory_file *file, uint64_t offset, const void *from,
                           size_t size)
{
	if (!size)
		return WASI_SUCCESS;
	if (offset > UINT64_MAX - size)
		return WASI_EFBIG;
	if (offset + size > file->size) {
		uint32_t rc = wasi_memory_resize(w, file, offset + size);
		if (rc != WASI_SUCCESS)
			return rc;
	}
	memcpy(file->data + offset, from, size);
	file->mtime_ns = wasi_now_ns(w);
	return WASI_SUCCESS;
}

uint32_t wasi_memory_fill(struct wasi *w, struct wasi_memory_file *file, int fd)
{
	struct stat st;
	if (wasi_fstat(fd, &st) < 0)
		return wasi_errno_of(errno);
	size_t step = st.st_size > 0 ? (size_t)st.st_size + 1 : FILL_STEP;
	for (;; step = FILL_STEP) {
		size_t before = file->size;
		uint32_t rc = wasi_memory_resize(w, file, before + step);
		if (rc != WASI_SUCCESS)
			return rc;
		ssize_t n = read(fd, file->data + before, step);
		file->size = before + (size_t)max_of(n, (ssize_t)0);
		if (n < 0 && errno != EINTR)
			return wasi_errno_of(errno);
		if (n == 0)
			return WASI_SUCCESS;
	}
}

void wasi_memory_stat(const struct wasi_memory_file *file, struct wasi_filestat *ret)
{
	*ret = (struct wasi_filestat){
		.inode = file->inode,
		.filetype = WASI_FILETYPE_REGULAR_FILE,
		.links = file->path ? 1 : 0,
		.size = file->size,
		.atime_ns = file->atime_ns,
		.mtime_ns = file->mtime_ns,
		.ctime_ns = file->mtime_ns,
	};
}
