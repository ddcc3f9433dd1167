/* cella bench start: an empty program from command to exit, new cells and executors, memory. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"

enum { HEAPS = 3 };
static const char *const heaps[HEAPS] = {"2G", "8G", "32G"};

/* An empty program, whole, with each heap in turn, and an empty native one. */
static int sample_empty(struct bench *b, struct bench_samples ret_cell_ms[HEAPS],
                        struct bench_samples *ret_native_ms, struct error *err)
{
	char cell[BENCH_PATH_MAX], native[BENCH_PATH_MAX];
	struct bench_run run;
	int rc = bench_build(b, "bench/start/empty.c", false, cell, err);
	if (rc == 0)
		rc = bench_build(b, "bench/start/empty.c", true, native, err);
	char *native_words[] = {native, NULL};
	for (size_t i = 0; rc == 0 && i < b->runs * 4; i++) {
		for (size_t h = 0; rc == 0 && h < HEAPS; h++) {
			const char *words[] = {"run", "-q", "--heap", heaps[h], cell};
			rc = bench_cella(words, array_count(words), NULL, &run, err);
			if (rc == 0)
				bench_sample(&ret_cell_ms[h], run.seconds * 1e3);
		}
		if (rc == 0)
			rc = bench_execute(native_words, NULL, &run, err);
		if (rc == 0)
			bench_sample(ret_native_ms, run.seconds * 1e3);
	}
	return rc;
}

static int empty_program(struct bench *b, struct error *err)
{
	struct bench_samples cell_ms[HEAPS] = {{.count = 0}}, native_ms = {.count = 0};
	struct error why;
	int rc = sample_empty(b, cell_ms, &native_ms, &why);
	if (rc < 0)
		return bench_failed(b, "empty program", "cella run", rc, &why, err);
	for (size_t h = 0; rc == 0 && h < HEAPS; h++) {
		char name[BENCH_NAME_MAX];
		snprintf(name, sizeof(name), "empty program, heap %s", heaps[h]);
		rc = bench_report(b, name, "cella run", "ms", &cell_ms[h], err);
	}
	return rc < 0 ? rc : bench_report(b, "empty program", "native process", "ms", &native_ms, err);
}

/* From the agent's request to the evidence of an executor that waits for its keys: of those that run tasks,
 * from the job's record. When it serves its first task is the program's doing as well. */
static int launch_times(const char *path, struct bench_samples *samples, struct error *err)
{
	json_error_t why;
	json_t *record = json_load_file(path, 0, &why);
	json_t *executors = json_object_get(json_object_get(record, "agent"), "executors"), *executor;
	size_t i;
	if (!record)
		return error_set(err, CELLA_EFORMAT, "a job left no record: %s", why.text);
	json_array_foreach(executors, i, executor)
	{
		const char *role = json_string_value(json_object_get(executor, "role"));
		if (role && strcmp(role, "tasks") == 0)
			bench_sample(samples, json_number_value(json_object_get(executor, "launch_s")) * 1e3);
	}
	json_decref(record);
	return 0;
}

static int sample_executors(const struct bench *b, const char *cell, struct bench_samples ret_ms[HEAPS],
                            struct error *err)
{
	char record[BENCH_PATH_MAX + 16];
	snprintf(record, sizeof(record), "%.400s/record.json", b->directory);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < b->runs * 4; i++)
		for (size_t h = 0; rc == 0 && h < HEAPS; h++) {
			const char *words[] = {"run",    "-q",       "--executors", "1", "--heap",
			                       heaps[h], "--record", record,        cell};
			rc = bench_cella(words, array_count(words), NULL, NULL, err);
			if (rc == 0)
				rc = launch_times(record, &ret_ms[h], err);
		}
	return rc;
}

static int new_executor(struct bench *b, const char *cell, struct error *err)
{
	struct bench_samples ms[HEAPS] = {{.count = 0}};
	struct error why;
	int rc = sample_executors(b, cell, ms, &why);
	if (rc < 0)
		return bench_failed(b, "new protected executor", "request to evidence", rc, &why, err);
	for (size_t h = 0; rc == 0 && h < HEAPS; h++) {
		char name[BENCH_NAME_MAX];
		snprintf(name, sizeof(name), "new protected executor, heap %s", heaps[h]);
		rc = bench_report(b, name, "request to evidence", "ms", &ms[h], err);
	}
	return rc;
}

/* A task in a fresh cell against one in a cell that is there. */
static int new_cell(struct bench *b, const char *cell, struct error *err)
{
	const char *words[] = {"run", "-q", "--executors", "1", cell};
	struct bench_samples added = {.count = 0};
	cleanup_buf struct buf output = {0};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < b->runs; i++) {
		double fresh, warm;
		rc = bench_cella(words, array_count(words), &output, NULL, err);
		if (rc == 0)
			rc = bench_find(&output, "fresh", &fresh, err);
		if (rc == 0)
			rc = bench_find(&output, "warm", &warm, err);
		if (rc == 0)
			bench_sample(&added, (fresh - warm) * 1e-3);
	}
	return rc < 0 ? rc
	              : bench_report(b, "new cell in a running executor", "added to a task", "ms", &added,
	                             err);
}

static int cells_and_executors(struct bench *b, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	struct error why;
	int rc = bench_build(b, "bench/start/cells.c", false, cell, err);
	if (rc < 0)
		return rc;
	rc = new_cell(b, cell, &why);
	if (rc < 0)
		rc = bench_failed(b, "new cell in a running executor", "added to a task", rc, &why, err);
	return rc < 0 ? rc : new_executor(b, cell, err);
}

/* The memory of all processes of a job whose program does nothing but wait. */
static int parked_program(struct bench *b, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	struct bench_samples mib = {.count = 0};
	int rc = bench_build(b, "bench/start/parked.c", false, cell, err);
	const char *words[] = {"run", "-q", cell};
	for (size_t i = 0; rc == 0 && i < b->runs; i++) {
		uint64_t bytes;
		rc = bench_watch(words, array_count(words), NULL, &bytes, err);
		if (rc == 0)
			bench_sample(&mib, (double)bytes / (1 << 20));
	}
	return rc < 0 ? rc
	              : bench_report(b, "empty program, all processes", "memory (PSS)", "MiB", &mib, err);
}

int bench_start(struct bench *b, struct error *err)
{
	static const struct {
		const char *name;
		int (*run)(struct bench *b, struct error *err);
	} parts[] = {
		{"empty program", empty_program},
		{"new cells and executors", cells_and_executors},
		{"empty program, all processes", parked_program},
		{"touch", bench_touch},
	};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < array_count(parts); i++) {
		struct error why;
		rc = parts[i].run(b, &why);
		if (rc < 0)
			rc = bench_failed(b, parts[i].name, "", rc, &why, err);
	}
	return rc;
}
