/* cella bench tasks: throughput, latency, chains, and what waiting tasks cost the agent. */
#include <stdio.h>

#include "cli/bench.h"

enum { TASKS_THROUGHPUT = 200000, TASKS_LATENCY = 2000, TASKS_CHAIN = 100000, TASKS_WAITING = 1000000 };

static const struct task_case {
	const char *name;
	const char *mode; /* of bench/tasks/tasks.c, and the line that it prints */
	const char *line;
	int count;
	const char *unit;
} task_cases[] = {
	{"empty tasks, saturated", "throughput", "throughput", TASKS_THROUGHPUT, "tasks/s"},
	{"submit to result, unloaded", "latency", "latency", TASKS_LATENCY, "us"},
	{"submit to result, unloaded, p95", "latency", "latency-p95", TASKS_LATENCY, "us"},
	{"a chain of tasks", "chain", "chain", TASKS_CHAIN, "tasks/s"},
};

static int run_case(struct bench *b, const struct task_case *c, const char *cell, const char *memory,
                    struct error *err)
{
	char count[16];
	snprintf(count, sizeof(count), "%d", c->count);
	const char *words[] = {"run", "-q", "--memory", memory, "--executors", "2", cell, c->mode, count};
	struct bench_samples values = {.count = 0};
	cleanup_buf struct buf output = {0};
	for (size_t i = 0; i < b->runs; i++) {
		double value;
		int rc = bench_cella(words, array_count(words), &output, NULL, err);
		if (rc == 0)
			rc = bench_find(&output, c->line, &value, err);
		if (rc < 0)
			return rc;
		bench_sample(&values, value);
	}
	return bench_report(b, c->name, memory, c->unit, &values, err);
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
	static const char *const levels[] = {"secret", "insecure-none"};
	char cell[BENCH_PATH_MAX];
	int rc = bench_build(b, "bench/tasks/tasks.c", false, cell, err);
	for (size_t i = 0; rc == 0 && i < array_count(task_cases); i++)
		for (size_t level = 0; rc == 0 && level < array_count(levels); level++)
			rc = run_case(b, &task_cases[i], cell, levels[level], err);
	return rc < 0 ? rc : run_waiting(b, cell, err);
}
