/* cella bench tasks: throughput, latency, chains, and what waiting tasks cost the agent. */
#include <stdio.h>

#include "cli/bench/bench.h"

enum { TASKS_THROUGHPUT = 200000, TASKS_LATENCY = 2000, TASKS_CHAIN = 100000, TASKS_WAITING = 1000000 };

enum { LINES_MAX = 2 };
static const char *const levels[] = {"secret", "insecure-none"};

/* Modes of bench/tasks/tasks.c, and the lines that they print. */
static const struct task_case {
	const char *mode;
	int count;
	const char *unit;
	struct {
		const char *name, *line;
	} rows[LINES_MAX];
} task_cases[] = {
	{"throughput", TASKS_THROUGHPUT, "tasks/s", {{"empty tasks, saturated", "throughput"}}},
	{"latency",
         TASKS_LATENCY,
         "us",
         {{"submit to result, unloaded", "latency"}, {"submit to result, unloaded, p95", "latency-p95"}}},
	{"chain", TASKS_CHAIN, "tasks/s", {{"a chain of tasks", "chain"}}},
};

struct task_samples {
	struct bench_samples levels[array_count(levels)], ratio;
};

static int run_once(const struct task_case *c, const char *cell, const char *memory,
                    double ret_values[LINES_MAX], struct error *err)
{
	char count[16];
	cleanup_buf struct buf output = {0};
	snprintf(count, sizeof(count), "%d", c->count);
	const char *words[] = {"run", "-q", "--memory", memory, "--executors", "2", cell, c->mode, count};
	int rc = bench_cella(words, array_count(words), &output, NULL, err);
	for (size_t i = 0; rc == 0 && i < LINES_MAX && c->rows[i].line; i++)
		rc = bench_find(&output, c->rows[i].line, &ret_values[i], err);
	return rc;
}

/* The levels in turn. */
static int sample_case(const struct bench *b, const struct task_case *c, const char *cell,
                       struct task_samples samples[LINES_MAX], struct error *err)
{
	for (size_t run = 0; run < b->runs; run++) {
		double values[array_count(levels)][LINES_MAX] = {{0}};
		for (size_t level = 0; level < array_count(levels); level++) {
			int rc = run_once(c, cell, levels[level], values[level], err);
			if (rc < 0)
				return rc;
		}
		for (size_t i = 0; i < LINES_MAX; i++) {
			for (size_t level = 0; level < array_count(levels); level++)
				bench_sample(&samples[i].levels[level], values[level][i]);
			bench_sample(&samples[i].ratio, values[0][i] / values[1][i]);
		}
	}
	return 0;
}

static int run_case(struct bench *b, const struct task_case *c, const char *cell, struct error *err)
{
	struct task_samples samples[LINES_MAX] = {0};
	struct error why;
	int rc = sample_case(b, c, cell, samples, &why);
	if (rc < 0)
		return bench_failed(b, c->rows[0].name, c->unit, rc, &why, err);
	for (size_t i = 0; rc == 0 && i < LINES_MAX && c->rows[i].line; i++) {
		for (size_t level = 0; rc == 0 && level < array_count(levels); level++)
			rc = bench_report(b, c->rows[i].name, levels[level], c->unit,
			                  &samples[i].levels[level], err);
		if (rc == 0)
			rc = bench_report(b, c->rows[i].name, "secret/insecure-none", "ratio",
			                  &samples[i].ratio, err);
	}
	return rc;
}

/* What the agent holds of a million tasks that wait, against none. */
static int run_waiting(struct bench *b, const char *cell, struct error *err)
{
	char count[16];
	struct bench_samples bytes = {.count = 0}, held = {.count = 0};
	uint64_t few, many;
	const char *words[] = {"run", "-q", "--executors", "2", cell, "waiting", "1"};
	int rc = bench_watch(words, array_count(words), "cella-agent", &few, err);
	snprintf(count, sizeof(count), "%d", TASKS_WAITING);
	words[array_count(words) - 1] = count;
	if (rc == 0)
		rc = bench_watch(words, array_count(words), "cella-agent", &many, err);
	if (rc < 0)
		return rc;
	bench_sample(&held, TASKS_WAITING);
	bench_sample(&bytes, ((double)many - (double)few) / TASKS_WAITING);
	rc = bench_report(b, "waiting tasks", "held at once", "tasks", &held, err);
	return rc < 0 ? rc : bench_report(b, "waiting tasks", "agent memory", "B/task", &bytes, err);
}

int bench_tasks(struct bench *b, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	struct error why;
	int rc = bench_build(b, "bench/tasks/tasks.c", false, cell, err);
	for (size_t i = 0; rc == 0 && i < array_count(task_cases); i++)
		rc = run_case(b, &task_cases[i], cell, err);
	if (rc < 0)
		return rc;
	rc = run_waiting(b, cell, &why);
	return rc < 0 ? bench_failed(b, "waiting tasks", "agent memory", rc, &why, err) : 0;
}
