#include "image.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/cleanup.h"
#include "base/io.h"

enum { PATH_SIZE = 4200, ARGUMENTS_MAX = 80, WASM_SIZE_MAX = 64 << 20 };

static void file_name(const struct image_tools *tools, unsigned number, const char *suffix,
                      char to[PATH_SIZE])
{
	snprintf(to, PATH_SIZE, "%s/module%u.%s", tools->directory, number, suffix);
}

/* Of a unit of C. */
static void source_name(const struct image_tools *tools, unsigned number, unsigned unit, char to[PATH_SIZE])
{
	char suffix[16];
	snprintf(suffix, sizeof(suffix), "%u.c", unit);
	file_name(tools, number, unit ? suffix : "c", to);
}

static int write_units(const struct image_tools *tools, struct image *image, const struct wasm_units *units,
                       struct error *err)
{
	char source[PATH_SIZE];
	int rc = 0;
	image->units = units->count;
	for (uint32_t i = 0; rc == 0 && i < units->count; i++) {
		source_name(tools, image->number, i, source);
		rc = io_write_file(source, units->c[i].data, units->c[i].size, 0600, err);
	}
	return rc;
}

/* The module's C and data segments. */
static int translate(const struct image_tools *tools, struct image *image, struct error *err)
{
	cleanup_units struct wasm_units units = {0};
	struct wasm_module *module = NULL;
	int rc = io_read_file(image->path, WASM_SIZE_MAX, &image->wasm, err);
	if (rc == 0)
		rc = wasm_decode(image->wasm.data, image->wasm.size, &module, err);
	if (rc < 0)
		return rc;
	rc = wasm_translate_units(module, tools->split ? 1 : SIZE_MAX, &units, err);
	if (rc == 0)
		rc = wasm_data_segments(module, &image->data, err);
	wasm_module_free(module);
	return rc < 0 ? rc : write_units(tools, image, &units, err);
}

/* The compiler compiles each unit by itself, and then links them. */
static pid_t start_compiler(const struct image_tools *tools, unsigned number, unsigned units)
{
	const char *arguments[ARGUMENTS_MAX + 5 + WASM_UNITS_MAX] = {tools->compiler};
	char sources[WASM_UNITS_MAX][PATH_SIZE], object[PATH_SIZE];
	size_t count = 1;
	for (size_t i = 0; tools->flags[i] && count < ARGUMENTS_MAX; i++)
		arguments[count++] = tools->flags[i];
	for (size_t i = 0; tools->target_flags[i] && count < ARGUMENTS_MAX; i++)
		arguments[count++] = tools->target_flags[i];
	if (tools->level)
		arguments[count++] = tools->level;
	file_name(tools, number, "so", object);
	arguments[count++] = "-o";
	arguments[count++] = object;
	for (unsigned i = 0; i < units; i++) {
		source_name(tools, number, i, sources[i]);
		arguments[count++] = sources[i];
	}
	pid_t child = fork();
	if (child == 0) {
		execvp(arguments[0], (char *const *)arguments);
		_exit(127);
	}
	return child;
}

static int load(const struct image_tools *tools, struct image *image, int status)
{
	char object[PATH_SIZE];
	file_name(tools, image->number, "so", object);
	if (status != 0)
		return error_set(&image->err, CELLA_EBUG, "%s ended with status %d on module %u",
		                 tools->compiler, status, image->number);
	void *handle = dlopen(object, RTLD_NOW | RTLD_LOCAL);
	image->cell = handle ? dlsym(handle, "cella_image") : NULL;
	if (!image->cell)
		return error_set(&image->err, CELLA_EBUG, "cannot load %s: %s", object, dlerror());
	struct reader r = reader_of(image->data.data, image->data.size);
	uint32_t count = reader_u32(&r);
	image->segments = calloc(max_of(count, 1u), sizeof(*image->segments));
	for (uint32_t i = 0; image->segments && i < count; i++) {
		image->segments[i].size = reader_u64(&r);
		image->segments[i].data = reader_bytes(&r, image->segments[i].size);
	}
	if (!image->segments || !reader_finished(&r) || count != image->cell->segment_count)
		return error_set(&image->err, CELLA_EBUG, "the data segments are not as they should be");
	return 0;
}

static void remove_files(const struct image_tools *tools, unsigned number, unsigned units)
{
	char path[PATH_SIZE];
	for (unsigned i = 0; i < units; i++) {
		source_name(tools, number, i, path);
		unlink(path);
	}
	file_name(tools, number, "so", path);
	unlink(path);
}

/* Waits for one compiler and loads what it has made. */
static void finish_one(const struct image_tools *tools, struct image *images, size_t count, pid_t *children)
{
	int status;
	pid_t child = wait(&status);
	for (size_t i = 0; i < count; i++) {
		if (children[i] != child)
			continue;
		images[i].rc = load(tools, &images[i], status);
		if (!tools->keep)
			remove_files(tools, images[i].number, images[i].units);
	}
}

void images_make(const struct image_tools *tools, struct image *images, size_t count)
{
	static unsigned number;
	cleanup_free pid_t *children = calloc(max_of(count, (size_t)1), sizeof(*children));
	unsigned running = 0;
	for (size_t i = 0; children && i < count; i++) {
		images[i].number = ++number;
		images[i].rc = translate(tools, &images[i], &images[i].err);
		if (images[i].rc < 0)
			continue;
		if (running == tools->jobs) {
			finish_one(tools, images, i, children);
			running--;
		}
		children[i] = start_compiler(tools, images[i].number, images[i].units);
		if (children[i] < 0)
			images[i].rc = error_errno(&images[i].err, CELLA_EIO, "cannot start %s",
			                           tools->compiler);
		else
			running++;
	}
	for (; running > 0; running--)
		finish_one(tools, images, count, children);
}

void images_done(struct image *images, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(images[i].path);
	free(images);
}
