/*
 * cella bench ecg: one prediction request (81 tasks over a forest of 40 trees) asked twenty times. The first
 * answer's time runs from the start of `cella run`, with all that has to be made for it; the next
 * nineteen give the mean.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/bench.h"
#include "cli/spawn.h"
#include "cli/toolchain.h"

enum { ECG_REQUESTS = 20 };

struct ecg_files {
	char cell[BENCH_PATH_MAX], native[BENCH_PATH_MAX];
	char data[BENCH_PATH_MAX];    /* the recordings' directory */
	char timings[BENCH_PATH_MAX]; /* where a run leaves its times */
	char out[BENCH_PATH_MAX];     /* the directory of that */
};

/* What is published of the same request; other hardware, another language. */
static const char published[] =
	"published (COMPSs with SCONE, in Python, on other hardware): first request plain 6,563 to 1,034 ms, "
	"protected up to 219,712 ms; next requests at best 584 ms plain, 1,011 ms protected\n";

static bool is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static bool find_data(const char *resources, char *ret_path)
{
	const char *named = getenv("CELLA_ECG_DATA");
	const char *places[] = {"data/ecg2017", "../shared/data/ecg2017"};
	char forest[BENCH_PATH_MAX + 32];
	for (size_t i = 0; i <= array_count(places); i++) {
		if (i == 0)
			snprintf(ret_path, BENCH_PATH_MAX, "%s", named ? named : "");
		else
			snprintf(ret_path, BENCH_PATH_MAX, "%.300s/%s", resources, places[i - 1]);
		snprintf(forest, sizeof(forest), "%s/forest_compact.txt", ret_path);
		if (*ret_path && is_there(forest))
			return true;
	}
	return false;
}

static int find_files(struct bench *b, struct ecg_files *f, bool *ret_data, struct error *err)
{
	struct toolchain tools;
	char directory[400];
	int rc = spawn_directory(directory, sizeof(directory), err);
	if (rc == 0)
		rc = toolchain_find_resources(&tools, err);
	if (rc < 0)
		return rc;
	snprintf(f->cell, sizeof(f->cell), "%s/examples/ecg/ecg.cell", directory);
	snprintf(f->native, sizeof(f->native), "%s/examples/ecg/ecg-native", directory);
	snprintf(f->out, sizeof(f->out), "%.400s", b->directory);
	snprintf(f->timings, sizeof(f->timings), "%.400s/timings.json", b->directory);
	if (!is_there(f->cell) || !is_there(f->native))
		return error_set(err, CELLA_ENOENT, "%s is not there; build the project with make", f->cell);
	*ret_data = find_data(tools.resources, f->data);
	return 0;
}

/* The two figures of one run: milliseconds from `start` (real time) to the first answer, and the mean of
 * the rest. */
static int read_timings(const struct ecg_files *f, const struct timespec *start, double *ret_first,
                        double *ret_next, struct error *err)
{
	json_error_t why;
	json_t *all = json_load_file(f->timings, 0, &why);
	if (!all)
		return error_set(err, CELLA_EFORMAT, "the ECG program left no timings: %s", why.text);
	double answer = json_number_value(json_object_get(all, "first_answer_unix"));
	*ret_next = json_number_value(json_object_get(all, "mean_rest_ms"));
	*ret_first = (answer - (double)start->tv_sec) * 1e3 - (double)start->tv_nsec * 1e-6;
	json_decref(all);
	remove(f->timings);
	return 0;
}

struct ecg_case {
	const char *memory; /* NULL: the native program */
	int executors;
	const char *heap;
};

static int run_once(const struct ecg_files *f, const struct ecg_case *c, double *ret_first, double *ret_next,
                    struct error *err)
{
	char executors[16], data[BENCH_PATH_MAX + 16], out[BENCH_PATH_MAX + 16], forest[BENCH_PATH_MAX + 32],
		record[BENCH_PATH_MAX + 40], requests[16];
	struct timespec start;
	snprintf(executors, sizeof(executors), "%d", c->executors);
	snprintf(requests, sizeof(requests), "%d", ECG_REQUESTS);
	snprintf(data, sizeof(data), "%s:/data:ro", f->data);
	snprintf(out, sizeof(out), "%s:/out", f->out);
	snprintf(forest, sizeof(forest), "%s/forest_compact.txt", f->data);
	snprintf(record, sizeof(record), "%s/training2017/A00001.mat", f->data);
	const char *words[] = {"run",
	                       "-q",
	                       "--memory",
	                       c->memory,
	                       "--executors",
	                       executors,
	                       "--heap",
	                       c->heap,
	                       "--dir",
	                       data,
	                       "--dir",
	                       out,
	                       f->cell,
	                       "predict",
	                       "--forest",
	                       "/data/forest_compact.txt",
	                       "--kind",
	                       "compact",
	                       "--repeat",
	                       requests,
	                       "--timings",
	                       "/out/timings.json",
	                       "/data/training2017/A00001.mat"};
	char *native[] = {(char *)(uintptr_t)f->native,
	                  "predict",
	                  "--forest",
	                  forest,
	                  "--kind",
	                  "compact",
	                  "--repeat",
	                  requests,
	                  "--timings",
	                  (char *)(uintptr_t)f->timings,
	                  record,
	                  NULL};
	clock_gettime(CLOCK_REALTIME, &start);
	int rc = c->memory ? bench_cella(words, array_count(words), NULL, NULL, err)
	                   : bench_execute(native, NULL, NULL, err);
	return rc < 0 ? rc : read_timings(f, &start, ret_first, ret_next, err);
}

/* Levels are run in turn for one number of executors and one heap. */
static int run_case(struct bench *b, const struct ecg_files *f, int executors, const char *heap,
                    struct error *err)
{
	static const char *const levels[] = {NULL, "insecure-none", "secret"};
	static const char *const names[] = {"native, unsealed", "unprotected", "protected"};
	struct bench_samples first[3] = {{.count = 0}}, next[3] = {{.count = 0}}, ratio[2] = {{.count = 0}},
			     more = {.count = 0};
	char name[BENCH_NAME_MAX];
	for (size_t i = 0; i < b->runs; i++) {
		double first_ms[3] = {0}, next_ms[3] = {0};
		for (size_t level = 0; level < array_count(levels); level++) {
			struct ecg_case c = {.memory = levels[level], .executors = executors, .heap = heap};
			int rc = run_once(f, &c, &first_ms[level], &next_ms[level], err);
			if (rc < 0)
				return rc;
			bench_sample(&first[level], first_ms[level]);
			bench_sample(&next[level], next_ms[level]);
		}
		bench_sample(&ratio[0], next_ms[2] / next_ms[0]);
		bench_sample(&ratio[1], next_ms[2] / next_ms[1]);
		bench_sample(&more, first_ms[2] - first_ms[1]);
	}
	snprintf(name, sizeof(name), "%d executors, heap %s", executors, heap);
	int rc = 0;
	for (size_t level = 0; rc == 0 && level < array_count(levels); level++) {
		char metric[BENCH_NAME_MAX];
		snprintf(metric, sizeof(metric), "first, %s", names[level]);
		rc = bench_report(b, name, metric, "ms", &first[level], err);
		snprintf(metric, sizeof(metric), "next, %s", names[level]);
		if (rc == 0)
			rc = bench_report(b, name, metric, "ms", &next[level], err);
	}
	if (rc == 0)
		rc = bench_report(b, name, "first, protected - unprotected", "ms", &more, err);
	if (rc == 0)
		rc = bench_report(b, name, "next, protected/native", "ratio", &ratio[0], err);
	return rc < 0 ? rc : bench_report(b, name, "next, protected/unprotected", "ratio", &ratio[1], err);
}

/* The two tables that are published for this workflow: first and next request, by executors. */
static void print_table(const struct bench *b, const char *title, const char *prefix)
{
	static const char *const columns[] = {"native, unsealed", "unprotected", "protected"};
	printf("\n%s, ms\n%-28s %18s %18s %18s\n", title, "", columns[0], columns[1], columns[2]);
	for (size_t i = 0; i < b->row_count; i++) {
		const struct bench_row *r = &b->rows[i];
		char first_column[BENCH_NAME_MAX];
		snprintf(first_column, sizeof(first_column), "%s, %s", prefix, columns[0]);
		if (strcmp(r->bench, "ecg") != 0 || strcmp(r->metric, first_column) != 0)
			continue;
		/* Rows of one case come in the order first, next for each column. */
		printf("%-28s %18.3f %18.3f %18.3f\n", r->name, r->value, r[2].value, r[4].value);
	}
}

int bench_ecg(struct bench *b, struct error *err)
{
	static const int executors[] = {1, 2, 4, 8};
	static const char *const heaps[] = {"2G", "8G", "32G"};
	struct ecg_files files;
	bool data = false;
	int rc = find_files(b, &files, &data, err);
	if (rc == 0 && !data)
		return bench_cannot(b, "request of 81 tasks", "first, next",
		                    "the reference forest is not here: see make data", err);
	for (size_t e = 0; rc == 0 && e < array_count(executors); e++)
		for (size_t h = 0; rc == 0 && h < array_count(heaps); h++)
			rc = run_case(b, &files, executors[e], heaps[h], err);
	if (rc < 0)
		return rc;
	print_table(b, "first request", "first");
	print_table(b, "mean of the next 19 requests", "next");
	printf("\n%s", published);
	return 0;
}
