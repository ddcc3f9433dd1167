#include <string.h>

#include "cell/tasks/state.h"
#include "cell/wasi/wasi.h"

static struct tasks_file *find(const struct tasks_level *level, const char *path)
{
	struct tasks_file *file;
	LIST_FOREACH(file, &level->files, link)
	if (strcmp(file->path, path) == 0)
		return file;
	return NULL;
}

bool tasks_owns_file(struct tasks *t, const char *path)
{
	return find(tasks_top(t), path) != NULL;
}

/* The task below that has a file at this path: it gets it back as it is now. If it has deleted it, there is
 * nothing to give back. */
static int cover(struct tasks *t, struct tasks_file *file, struct error *err)
{
	for (size_t i = t->depth - 1; i > 0 && !file->owner; i--)
		if (find(t->levels[i], file->path))
			file->owner = t->levels[i];
	if (!file->owner)
		return 0;
	int rc = wasi_file_read(t->config.wasi, file->path, &file->covered, &file->covered_size, err);
	if (rc != CELLA_ENOENT)
		return rc;
	file->owner = NULL;
	return 0;
}

static void uncover(struct tasks *t, const struct tasks_file *file)
{
	if (wasi_file_put(t->config.wasi, file->path, file->covered, file->covered_size, NULL) < 0)
		tasks_fail_submitter(t, &file->owner->submitter,
		                     "no protected memory to give a task its file back");
}

static int file_new(struct tasks *t, struct tasks_level *level, const char *path, struct error *err)
{
	if (find(level, path))
		return 0;
	size_t size = strlen(path) + 1;
	struct tasks_file *file = mem_alloc(t->config.pool, sizeof(*file) + size);
	if (!file)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the files of a task");
	memcpy(file->path, path, size);
	int rc = cover(t, file, err);
	LIST_INSERT_HEAD(&level->files, file, link);
	return rc;
}

static int read_input(struct tasks *t, const struct tasks_level *level,
                      const struct invocation_part_view *part, uint8_t **ret_data, uint64_t *ret_size,
                      struct error *err)
{
	const struct down_run *d = &level->run;
	if (!part->reads) {
		*ret_data = NULL;
		*ret_size = 0;
		return 0;
	}
	struct version_source source = {.base = {.id = d->input_data[part->input]}};
	return tasks_read_file(t, &source, d->inputs + part->input, ret_data, ret_size, err);
}

int tasks_place_file(struct tasks *t, struct tasks_level *level, const struct invocation_part_view *part,
                     const char *path, struct error *err)
{
	uint8_t *data = NULL;
	uint64_t size = 0;
	int rc = file_new(t, level, path, err);
	if (rc == 0)
		rc = read_input(t, level, part, &data, &size, err);
	if (rc < 0)
		return rc;
	rc = wasi_file_put(t->config.wasi, path, data, size, err);
	mem_free(t->config.pool, data);
	return rc;
}

int tasks_collect_file(struct tasks *t, struct tasks_level *level, const struct invocation_part_view *part,
                       bool ran, struct task_location *ret_location, struct error *err)
{
	const struct down_run *d = &level->run;
	char path[INVOCATION_PATH_MAX + 1];
	uint8_t *data = NULL;
	size_t size = 0;
	memcpy(path, part->bytes, part->bytes_size);
	path[part->bytes_size] = '\0';
	int rc = ran ? wasi_file_read(t->config.wasi, path, &data, &size, err)
	             : read_input(t, level, part, &data, &size, err);
	if (rc == CELLA_ENOENT && ran) /* not that an input is missing */
		return error_set(err, CELLA_EINVAL, "the task left no file at %s", path);
	if (rc < 0)
		return rc;
	rc = tasks_write(t, d->output_data[part->output], d->run.attempt, data, size, true, ret_location,
	                 err);
	mem_free(t->config.pool, data);
	return rc;
}

void tasks_drop_files(struct tasks *t, struct tasks_level *level)
{
	struct tasks_file *file;
	while ((file = LIST_FIRST(&level->files))) {
		LIST_REMOVE(file, link);
		wasi_file_drop(t->config.wasi, file->path);
		if (file->owner)
			uncover(t, file);
		mem_free(t->config.pool, file->covered);
		mem_free(t->config.pool, file);
	}
}
