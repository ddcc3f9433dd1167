/* cella bench start: an empty program from command to exit, and what touching memory costs. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/bench.h"
#include "mem/mem.h"

static const struct touch_case {
	const char *name;
	size_t size;
	size_t runs;
} touch_cases[] = {
	{"64 MiB", (size_t)64 << 20, 3},
	{"1 GiB", (size_t)1 << 30, 1},
	{"4 GiB", (size_t)4 << 30, 1},
};

static double touch(struct mem_region *region)
{
	uint64_t start = clock_ns();
	for (size_t at = 0; at < region->size; at += 4096)
		((volatile uint8_t *)region->base)[at] = 1;
	return (double)(clock_ns() - start) * 1e-6;
}

/* Touch a fresh region, give it back (which wipes it), take it again and touch it again. */
static int touch_once(enum mem_level level, size_t size, double *ret_cold, double *ret_pooled,
                      struct error *err)
{
	struct mem_pool *pool;
	struct mem_region *region;
	int rc = mem_pool_new(level, size + (64 << 20), &pool, err);
	if (rc < 0)
		return rc;
	rc = mem_region_new(pool, size, size, size, &region, err);
	if (rc == 0) {
		*ret_cold = touch(region);
		mem_region_free(region);
		rc = mem_region_new(pool, size, size, size, &region, err);
	}
	if (rc == 0) {
		*ret_pooled = touch(region);
		mem_region_free(region);
	}
	mem_pool_free(pool);
	return rc;
}

static int touch_level(struct bench *b, enum mem_level level, const struct touch_case *c, struct error *err)
{
	char name[BENCH_NAME_MAX];
	struct bench_samples cold = {.count = 0}, pooled = {.count = 0};
	struct error why;
	snprintf(name, sizeof(name), "touch %s, %s", c->name, mem_level_name(level));
	for (size_t i = 0; i < c->runs; i++) {
		double cold_ms = 0, pooled_ms = 0;
		if (touch_once(level, c->size, &cold_ms, &pooled_ms, &why) < 0)
			return bench_cannot(b, name, "cold", why.text, err);
		bench_sample(&cold, cold_ms);
		bench_sample(&pooled, pooled_ms);
	}
	int rc = bench_report(b, name, "cold", "ms", &cold, err);
	return rc < 0 ? rc : bench_report(b, name, "from the pool", "ms", &pooled, err);
}

/* An empty program, whole, in turn with an empty native one. */
static int empty_program(struct bench *b, const char *heap, struct error *err)
{
	char cell[BENCH_PATH_MAX], native[BENCH_PATH_MAX], name[BENCH_NAME_MAX];
	struct bench_samples cell_ms = {.count = 0}, native_ms = {.count = 0};
	int rc = bench_build(b, "bench/start/empty.c", false, cell, err);
	if (rc == 0)
		rc = bench_build(b, "bench/start/empty.c", true, native, err);
	const char *words[] = {"run", "-q", "--heap", heap, cell};
	char *native_words[] = {native, NULL};
	for (size_t i = 0; rc == 0 && i < b->runs * 4; i++) {
		struct bench_run run;
		rc = bench_cella(words, array_count(words), NULL, &run, err);
		if (rc < 0)
			break;
		bench_sample(&cell_ms, run.seconds * 1e3);
		rc = bench_execute(native_words, NULL, &run, err);
		if (rc == 0)
			bench_sample(&native_ms, run.seconds * 1e3);
	}
	snprintf(name, sizeof(name), "empty program, heap %s", heap);
	if (rc == 0)
		rc = bench_report(b, name, "cella run", "ms", &cell_ms, err);
	return rc < 0 ? rc : bench_report(b, name, "native process", "ms", &native_ms, err);
}

/* From the agent's request to evidence of an executor that is ready to be provisioned: those that run
 * tasks, from the job's record. */
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

static int new_executor(struct bench *b, const char *cell, const char *heap, struct error *err)
{
	char record[BENCH_PATH_MAX + 16], name[BENCH_NAME_MAX];
	struct bench_samples ms = {.count = 0};
	snprintf(record, sizeof(record), "%.400s/record.json", b->directory);
	const char *words[] = {"run", "-q", "--executors", "1", "--heap", heap, "--record", record, cell};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < b->runs * 4; i++) {
		rc = bench_cella(words, array_count(words), NULL, NULL, err);
		if (rc == 0)
			rc = launch_times(record, &ms, err);
	}
	snprintf(name, sizeof(name), "new protected executor, heap %s", heap);
	return rc < 0 ? rc : bench_report(b, name, "request to ready", "ms", &ms, err);
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

static int cells_and_executors(struct bench *b, const char *const *heaps, size_t heap_count,
                               struct error *err)
{
	char cell[BENCH_PATH_MAX];
	int rc = bench_build(b, "bench/start/cells.c", false, cell, err);
	if (rc == 0)
		rc = new_cell(b, cell, err);
	for (size_t i = 0; rc == 0 && i < heap_count; i++)
		rc = new_executor(b, cell, heaps[i], err);
	return rc;
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
	static const char *const heaps[] = {"2G", "8G", "32G"};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < array_count(heaps); i++)
		rc = empty_program(b, heaps[i], err);
	if (rc == 0)
		rc = cells_and_executors(b, heaps, array_count(heaps), err);
	if (rc == 0)
		rc = parked_program(b, err);
	for (size_t i = 0; rc == 0 && i < array_count(touch_cases); i++) {
		rc = touch_level(b, MEM_INSECURE_NONE, &touch_cases[i], err);
		if (rc == 0)
			rc = touch_level(b, MEM_SECRET, &touch_cases[i], err);
	}
	return rc;
}
