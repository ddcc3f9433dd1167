/* cella bench start: an empty program from command to exit, new cells and executors, snapshots, memory. */
#include <stdio.h>
#include <string.h>

#include "cli/bench/bench.h"

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

/* A task in a fresh cell against one in a cell that is there. */
static int new_cell(struct bench *b, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	const char *words[] = {"run", "-q", "--executors", "1", cell};
	struct bench_samples added = {.count = 0};
	cleanup_buf struct buf output = {0};
	int rc = bench_build(b, "bench/start/cells.c", false, cell, err);
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
		{"new cell in a running executor", new_cell},
		{"cell from a snapshot", bench_spawn},
		{"new protected executor", bench_launch},
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
