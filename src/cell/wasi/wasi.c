#include "cell/wasi/wasi.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cell/wasi/state.h"

enum { DESCRIPTORS_FIRST = 16 };

uint32_t wasi_errno_of(int number)
{
	static const uint8_t of[] = {
		[E2BIG] = WASI_E2BIG,     [EACCES] = WASI_EACCES,       [EAGAIN] = WASI_EAGAIN,
		[EBADF] = WASI_EBADF,     [EBUSY] = WASI_EBUSY,         [EDQUOT] = WASI_EDQUOT,
		[EEXIST] = WASI_EEXIST,   [EFAULT] = WASI_EFAULT,       [EFBIG] = WASI_EFBIG,
		[EILSEQ] = WASI_EILSEQ,   [EINTR] = WASI_EINTR,         [EINVAL] = WASI_EINVAL,
		[EIO] = WASI_EIO,         [EISDIR] = WASI_EISDIR,       [ELOOP] = WASI_ELOOP,
		[EMFILE] = WASI_EMFILE,   [EMLINK] = WASI_EMLINK,       [ENAMETOOLONG] = WASI_ENAMETOOLONG,
		[ENFILE] = WASI_ENFILE,   [ENODEV] = WASI_ENODEV,       [ENOENT] = WASI_ENOENT,
		[ENOMEM] = WASI_ENOMEM,   [ENOSPC] = WASI_ENOSPC,       [ENOSYS] = WASI_ENOSYS,
		[ENOTDIR] = WASI_ENOTDIR, [ENOTEMPTY] = WASI_ENOTEMPTY, [EOPNOTSUPP] = WASI_ENOTSUP,
		[ENXIO] = WASI_ENXIO,     [EOVERFLOW] = WASI_EOVERFLOW, [EPERM] = WASI_EPERM,
		[EPIPE] = WASI_EPIPE,     [ERANGE] = WASI_ERANGE,       [EROFS] = WASI_EROFS,
		[ESPIPE] = WASI_ESPIPE,   [ETXTBSY] = WASI_ETXTBSY,     [EXDEV] = WASI_EXDEV,
	};
	if (number > 0 && (size_t)number < array_count(of) && of[number])
		return of[number];
	return WASI_EIO;
}

uint64_t wasi_now_ns(const struct wasi *w)
{
	struct timespec now;
	if (w->told_ns)
		return w->told_ns + (clock_boot_ns() - w->told_at_ns);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)clock_ns_of(&now);
}

char *wasi_copy(struct wasi *w, const char *text)
{
	size_t size = strlen(text) + 1;
	char *to = mem_alloc(w->pool, size);
	return to ? memcpy(to, text, size) : NULL;
}

uint32_t wasi_descriptor(struct wasi *w, uint32_t number, uint64_t rights, struct wasi_descriptor **ret)
{
	if (number >= w->descriptor_count || w->descriptors[number].kind == WASI_FREE)
		return WASI_EBADF;
	struct wasi_descriptor *d = &w->descriptors[number];
	uint64_t missing = rights & ~d->base;
	if (missing & (WASI_FD_READ | WASI_FD_WRITE))
		return WASI_EBADF;
	if (missing)
		return WASI_ENOTCAPABLE;
	*ret = d;
	return WASI_SUCCESS;
}

static bool descriptors_grow(struct wasi *w)
{
	uint32_t count = max_of(w->descriptor_count * 2, (uint32_t)DESCRIPTORS_FIRST);
	if (count > WASI_DESCRIPTORS_MAX)
		return false;
	struct wasi_descriptor *grown = mem_realloc(w->pool, w->descriptors, count * sizeof(*grown));
	if (!grown)
		return false;
	memset(grown + w->descriptor_count, 0, (count - w->descriptor_count) * sizeof(*grown));
	w->descriptors = grown;
	w->descriptor_count = count;
	return true;
}

uint32_t wasi_descriptor_new(struct wasi *w, uint32_t *ret_number, struct wasi_descriptor **ret)
{
	uint32_t number = 0;
	while (number < w->descriptor_count && w->descriptors[number].kind != WASI_FREE)
		number++;
	if (number == w->descriptor_count && !descriptors_grow(w))
		return WASI_EMFILE;
	*ret_number = number;
	*ret = &w->descriptors[number];
	**ret = (struct wasi_descriptor){.fd = -1};
	return WASI_SUCCESS;
}

void wasi_descriptor_close(struct wasi *w, struct wasi_descriptor *d)
{
	if (d->fd >= 0)
		close(d->fd);
	wasi_memory_unref(w, d->file);
	volume_file_close(d->volume_file);
	mem_free(w->pool, d->place);
	mem_free(w->pool, d->path);
	*d = (struct wasi_descriptor){.fd = -1};
}

static int open_streams(struct wasi *w, struct error *err)
{
	for (uint32_t stream = 0; stream < WASI_FIRST_PREOPEN; stream++) {
		struct wasi_descriptor *d;
		uint32_t number;
		if (wasi_descriptor_new(w, &number, &d) != WASI_SUCCESS)
			return error_set(err, CELLA_ENOMEM, "no protected memory for descriptors");
		d->kind = WASI_STREAM;
		d->offset = stream;
		d->base = WASI_RIGHTS_STREAM | (stream == 0 ? WASI_FD_READ : WASI_FD_WRITE);
	}
	return 0;
}

static int open_roots(struct wasi *w, struct error *err)
{
	for (uint32_t i = 0; i < w->root_count; i++) {
		struct wasi_descriptor *d;
		uint32_t number;
		char *path = mem_alloc(w->pool, 1);
		if (!path || wasi_descriptor_new(w, &number, &d) != WASI_SUCCESS) {
			mem_free(w->pool, path);
			return error_set(err, CELLA_ENOMEM, "no protected memory for descriptors");
		}
		d->kind = WASI_DIRECTORY;
		d->preopened = true;
		d->preopen = i;
		d->path = path;
		d->base = WASI_RIGHTS_DIRECTORY;
		d->inheriting = WASI_RIGHTS_DIRECTORY | WASI_RIGHTS_FILE;
	}
	return 0;
}

static void close_all(struct wasi *w)
{
	for (uint32_t i = 0; i < w->descriptor_count; i++)
		if (w->descriptors[i].kind != WASI_FREE)
			wasi_descriptor_close(w, &w->descriptors[i]);
}

static void unlink_all(struct wasi *w)
{
	while (!TAILQ_EMPTY(&w->files))
		wasi_memory_unlink(w, TAILQ_FIRST(&w->files));
}

size_t wasi_open_count(const struct wasi *w)
{
	size_t count = 0;
	for (uint32_t i = 0; i < w->descriptor_count; i++)
		count += w->descriptors[i].kind != WASI_FREE;
	return count;
}

static int put_given(struct wasi *w, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < w->given_count; i++)
		rc = wasi_file_put(w, w->given[i].path, w->given[i].data, w->given[i].size, err);
	return rc;
}

void wasi_reset(struct wasi *w)
{
	close_all(w);
	unlink_all(w);
	/* The table has room already and an empty path takes the place of one just freed. */
	if (open_streams(w, NULL) < 0 || open_roots(w, NULL) < 0 || put_given(w, NULL) < 0)
		close_all(w);
}

static int strings_copy(struct wasi *w, const char *what, const char *const *from, size_t count,
                        struct wasi_strings *ret, struct error *err)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		size += strlen(from[i]) + 1;
		if (size > WASI_STRINGS_MAX)
			return error_set(err, CELLA_ELIMIT, "the program's %s are longer than %d bytes", what,
			                 WASI_STRINGS_MAX);
	}
	char *to = mem_alloc(w->pool, max_of(size, (size_t)1));
	if (!to)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the program's %s", what);
	*ret = (struct wasi_strings){.text = to, .size = size, .count = count};
	for (size_t i = 0; i < count; i++)
		to = (char *)memcpy(to, from[i], strlen(from[i]) + 1) + strlen(from[i]) + 1;
	return 0;
}

static int root_add(struct wasi *w, const char *name, uint32_t flags, bool memory, struct error *err)
{
	char absolute[OWNER_PATH_MAX + 1] = "/";
	struct wasi_root *root = &w->roots[w->root_count];
	if (!*name || strlen(name) > OWNER_PATH_MAX || wasi_path_join(absolute, 1, name) != WASI_SUCCESS)
		return error_set(err, CELLA_EINVAL, "%.200s cannot be the name of a directory in a cell",
		                 name);
	*root = (struct wasi_root){.flags = flags, .memory = memory};
	root->name = wasi_copy(w, name);
	root->absolute = wasi_copy(w, absolute);
	w->root_count++;
	if (!root->name || !root->absolute)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the names of directories");
	return 0;
}

static int roots_add(struct wasi *w, const struct wasi_config *config, struct error *err)
{
	if (config->preopen_count > WASI_PREOPENS_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "%zu directories are more than the %d that a cell may have",
		                 config->preopen_count, WASI_PREOPENS_MAX);
	w->roots = mem_alloc(w->pool, (config->preopen_count + 1) * sizeof(*w->roots));
	if (!w->roots)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the names of directories");
	bool covers_all = false;
	for (size_t i = 0; i < config->preopen_count; i++) {
		int rc = root_add(w, config->preopens[i].guest, config->preopens[i].flags, false, err);
		if (rc < 0)
			return rc;
		w->roots[i].volume = config->preopens[i].volume;
		covers_all = covers_all || strcmp(w->roots[i].absolute, "/") == 0;
	}
	return covers_all ? 0 : root_add(w, "/", 0, true, err);
}

int wasi_new(const struct wasi_config *config, struct wasi **ret_wasi, struct error *err)
{
	struct wasi *w = mem_alloc(config->pool, sizeof(*w));
	if (!w)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cell's files");
	w->pool = config->pool;
	w->host = config->host;
	w->given = config->files;
	w->given_count = config->file_count;
	w->opening = config->opening;
	w->opening_data = config->opening_data;
	w->told_ns = config->told_ns;
	w->told_at_ns = config->told_at_ns;
	TAILQ_INIT(&w->files);
	int rc = strings_copy(w, "arguments", config->arguments, config->argument_count, &w->arguments, err);
	if (rc == 0)
		rc = strings_copy(w, "environment", config->environment, config->environment_count,
		                  &w->environment, err);
	if (rc == 0)
		rc = roots_add(w, config, err);
	if (rc == 0)
		rc = open_streams(w, err);
	if (rc == 0)
		rc = open_roots(w, err);
	if (rc == 0)
		rc = put_given(w, err);
	if (rc < 0) {
		wasi_free(w);
		return rc;
	}
	*ret_wasi = w;
	return 0;
}

void wasi_free(struct wasi *w)
{
	if (!w)
		return;
	struct mem_pool *pool = w->pool;
	close_all(w);
	unlink_all(w);
	for (uint32_t i = 0; i < w->root_count; i++) {
		mem_free(pool, w->roots[i].name);
		mem_free(pool, w->roots[i].absolute);
	}
	mem_free(pool, w->roots);
	mem_free(pool, w->descriptors);
	mem_free(pool, w->scratch);
	mem_free(pool, w->arguments.text);
	mem_free(pool, w->environment.text);
	mem_free(pool, w);
}
