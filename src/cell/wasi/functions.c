/* The imports that cells see, and what the executor itself does with files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "cell/wasi/state.h"

#define WASI_ENTER(function, signature)                                               \
	static void enter_##function(struct cell_instance *cell, union cell_value *v) \
	{                                                                             \
		v[0].i32 = wasi_##function(instance_wasi(cell), cell, v);             \
	}
WASI_FUNCTIONS(WASI_ENTER)

enum unsupported {
#define WASI_NUMBER(function, signature) UNSUPPORTED_##function,
	WASI_UNSUPPORTED(WASI_NUMBER)
};

static uint32_t unsupported(struct wasi *w, enum unsupported which, const char *name)
{
	uint64_t bit = 1ull << which;
	if (!(w->reported & bit))
		log_warn("a cell called %s, which Cella does not offer: answered ENOSYS", name);
	w->reported |= bit;
	return WASI_ENOSYS;
}

#define WASI_REFUSE(function, signature)                                                        \
	static void enter_##function(struct cell_instance *cell, union cell_value *v)           \
	{                                                                                       \
		v[0].i32 = unsupported(instance_wasi(cell), UNSUPPORTED_##function, #function); \
	}
WASI_UNSUPPORTED(WASI_REFUSE)

static void enter_proc_exit(struct cell_instance *cell, union cell_value *v)
{
	instance_exit(cell, (int32_t)v[0].i32);
}

#define WASI_ENTRY(function, signature) {WASI_MODULE, #function, signature, enter_##function},
const struct host_function wasi_functions[] = {WASI_FUNCTIONS(WASI_ENTRY) WASI_UNSUPPORTED(WASI_ENTRY)
                                                       WASI_ENTRY(proc_exit, "i:")};
const size_t wasi_function_count = array_count(wasi_functions);

static const char *text_of(uint32_t number)
{
	switch (number) {
	case WASI_ENOENT: return "it does not exist";
	case WASI_EACCES:
	case WASI_EPERM: return "it is not permitted";
	case WASI_EROFS: return "its directory is read-only";
	case WASI_ENOTCAPABLE: return "it lies in no directory that the job was given (--dir)";
	case WASI_EISDIR: return "it is a directory";
	case WASI_ENOSPC:
	case WASI_ENOMEM: return "no room";
	case WASI_ENAMETOOLONG: return "its path is too long";
	default: return "input/output failed";
	}
}

static int file_error(uint32_t number, const char *what, const char *path, struct error *err)
{
	int code = number == WASI_ENOENT   ? CELLA_ENOENT
	           : number == WASI_ENOMEM ? CELLA_ENOMEM
	           : number == WASI_EIO    ? CELLA_EIO
	                                   : CELLA_EPERM;
	return error_set(err, code, "cannot %s %s: %s", what, path, text_of(number));
}

static uint32_t find(struct wasi *w, const char *path, struct wasi_target **ret)
{
	struct wasi_scratch *s = wasi_scratch(w);
	if (!s)
		return WASI_ENOMEM;
	*ret = &s->first;
	return wasi_resolve_absolute(w, path, &s->first);
}

static uint32_t put(struct wasi *w, const struct wasi_target *target, const void *data, size_t size)
{
	struct wasi_memory_file *file = wasi_memory_new(w, target->absolute);
	if (!file)
		return WASI_ENOMEM;
	uint32_t rc = wasi_memory_write(w, file, 0, data, size);
	if (rc != WASI_SUCCESS)
		wasi_memory_unlink(w, file);
	return rc;
}

int wasi_file_put(struct wasi *w, const char *path, const void *data, size_t size, struct error *err)
{
	struct wasi_target *target;
	uint32_t rc = find(w, path, &target);
	if (rc == WASI_SUCCESS)
		rc = put(w, target, data, size);
	return rc == WASI_SUCCESS ? 0 : file_error(rc, "make the memory file", path, err);
}

static uint32_t read_at_owner(struct wasi *w, const struct wasi_target *target, struct wasi_memory_file *ret)
{
	struct owner_path_request request = {.operation = OWNER_PATH_OPEN,
	                                     .flags = OWNER_PATH_READ | OWNER_PATH_FOLLOW};
	cleanup_close int fd = -1;
	struct stat st;
	if (target->root->volume)
		return wasi_volume_load(w, target, ret);
	uint32_t rc = wasi_ask(w, &request, target, NULL, NULL, NULL, &fd);
	if (rc != WASI_SUCCESS)
		return rc;
	if (wasi_fstat(fd, &st) < 0)
		return wasi_errno_of(errno);
	if (S_ISDIR(st.st_mode))
		return WASI_EISDIR;
	return wasi_memory_fill(w, ret, fd);
}

int wasi_file_read(struct wasi *w, const char *path, uint8_t **ret_data, size_t *ret_size, struct error *err)
{
	struct wasi_target *target;
	struct wasi_memory_file whole = {0};
	uint32_t rc = find(w, path, &target);
	if (rc == WASI_SUCCESS && target->file)
		rc = wasi_memory_write(w, &whole, 0, target->file->data, target->file->size);
	else if (rc == WASI_SUCCESS)
		rc = read_at_owner(w, target, &whole);
	if (rc == WASI_SUCCESS && !whole.data) /* an empty file */
		rc = wasi_memory_resize(w, &whole, 1);
	if (rc != WASI_SUCCESS) {
		mem_free(w->pool, whole.data);
		return file_error(rc, "read", path, err);
	}
	*ret_data = whole.data;
	*ret_size = whole.size;
	return 0;
}

static int write_at_owner(struct wasi *w, const struct wasi_target *target, const char *path,
                          const void *data, size_t size, struct error *err)
{
	struct owner_path_request request = {.operation = OWNER_PATH_OPEN,
	                                     .flags = OWNER_PATH_WRITE | OWNER_PATH_CREATE |
	                                              OWNER_PATH_TRUNCATE | OWNER_PATH_FOLLOW};
	cleanup_close int fd = -1;
	uint32_t rc = wasi_may_change(target);
	bool in_volume = target->root->volume;
	if (rc == WASI_SUCCESS)
		rc = in_volume ? wasi_volume_store(w, target, data, size)
		               : wasi_ask(w, &request, target, NULL, NULL, NULL, &fd);
	if (rc != WASI_SUCCESS)
		return file_error(rc, "write", path, err);
	if (in_volume)
		return 0;
	int result = io_write_full(fd, data, size, err);
	return result < 0 ? error_prefix(err, result, "%s: ", path) : 0;
}

int wasi_file_write(struct wasi *w, const char *path, const void *data, size_t size, struct error *err)
{
	struct wasi_target *target;
	uint32_t rc = find(w, path, &target);
	if (rc == WASI_SUCCESS && !target->file && !target->root->memory)
		return write_at_owner(w, target, path, data, size, err);
	if (rc == WASI_SUCCESS)
		rc = put(w, target, data, size);
	return rc == WASI_SUCCESS ? 0 : file_error(rc, "write", path, err);
}

void wasi_file_drop(struct wasi *w, const char *path)
{
	struct wasi_target *target;
	if (find(w, path, &target) == WASI_SUCCESS && target->file)
		wasi_memory_unlink(w, target->file);
}
