/* cella bench: measure this machine. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/bench.h"
#include "cli/bench_chart.h"
#include "cli/scratch.h"
#include "cli/toolchain.h"
#include "cli/verbs.h"

struct bench_options {
	const char *json, *svg;
	uint64_t runs;
};

static const struct option bench_table[] = {
	{"--json", NULL, OPTION_TEXT, "FILE", "write the rows as JSON", option_field(bench_options, json)},
	{"--svg", NULL, OPTION_TEXT, "FILE", "draw the ratios and times", option_field(bench_options, svg)},
	{"--runs", NULL, OPTION_NUMBER, "N", "repetitions of each case; default 5",
         option_field(bench_options, runs)},
};

const struct verb bench_verb = {
	.name = "bench",
	.operands = "kernels|start|tasks|ecg|all",
	.summary = "measure this machine",
	.description =
		"Runs what is compared in turn and prints medians with their 95 % confidence intervals.\n"
		"kernels  numerical kernels as a cell against gcc -O3 with the same flags\n"
		"start    an empty program, executors by heap, touching protected memory\n"
		"tasks    throughput, latency and chains of empty tasks\n"
		"ecg      the ECG workflow by executors, memory level and heap",
	.example = "cella bench kernels --runs 9 --json kernels.json --svg kernels.svg",
	.table = {bench_table, array_count(bench_table), false},
	.operands_min = 1,
	.operands_max = 4,
	.enter = verb_bench,
};

static const struct bench_kind {
	const char *name;
	int (*run)(struct bench *b, struct error *err);
} bench_kinds[] = {
	{"kernels", bench_kernels},
	{"start", bench_start},
	{"tasks", bench_tasks},
	{"ecg", bench_ecg},
};

int bench_build(struct bench *b, const char *source, bool native, char *ret_path, struct error *err)
{
	struct toolchain tools;
	char path[TOOLCHAIN_PATH_MAX + BENCH_PATH_MAX];
	int rc = toolchain_find_resources(&tools, err);
	if (rc < 0)
		return rc;
	const char *base = strrchr(source, '/') + 1;
	snprintf(path, sizeof(path), "%s/%s", tools.resources, source);
	snprintf(ret_path, BENCH_PATH_MAX, "%s/%.*s%s", b->directory, (int)strcspn(base, "."), base,
	         native ? "-native" : ".cell");
	const char *words[] = {"cc", path, "-o", ret_path, "--native"};
	if (!native)
		return bench_cella(words, 4, NULL, NULL, err);
	/* What is compared with is gcc's, whichever compiler stands behind cells. */
	cleanup_free char *before = getenv("CELLA_CC") ? strdup(getenv("CELLA_CC")) : NULL;
	setenv("CELLA_CC", "gcc", 1);
	rc = bench_cella(words, 5, NULL, NULL, err);
	if (before)
		setenv("CELLA_CC", before, 1);
	else
		unsetenv("CELLA_CC");
	return rc;
}

static json_t *row_json(const struct bench_row *r)
{
	if (r->n == 0)
		return json_pack("{ss ss ss ss}", "bench", r->bench, "case", r->name, "metric", r->metric,
		                 "reason", r->reason);
	return json_pack("{ss ss ss ss sf sf sf sI}", "bench", r->bench, "case", r->name, "metric", r->metric,
	                 "unit", r->unit, "value", r->value, "low", r->low, "high", r->high, "n",
	                 (json_int_t)r->n);
}

static int write_json(const struct bench *b, const char *path, struct error *err)
{
	struct utsname host;
	char date[32];
	time_t now = time(NULL);
	struct tm calendar;
	uname(&host);
	strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&now, &calendar));
	json_t *rows = json_array();
	for (size_t i = 0; i < b->row_count; i++)
		json_array_append_new(rows, row_json(&b->rows[i]));
	json_t *all = json_pack("{ss ss ss si so}", "date", date, "kernel", host.release, "machine",
	                        host.machine, "processors", (int)sysconf(_SC_NPROCESSORS_ONLN), "rows", rows);
	cleanup_free char *text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
	json_decref(all);
	return text ? io_write_file(path, text, strlen(text), 0644, err)
	            : error_set(err, CELLA_ENOMEM, "no memory for %s", path);
}

static int run_kinds(struct bench *b, char **names, int count, struct error *err)
{
	int rc = 0;
	for (int i = 0; i < count; i++) {
		bool known = false;
		for (size_t k = 0; rc == 0 && k < array_count(bench_kinds); k++) {
			if (strcmp(names[i], "all") != 0 && strcmp(names[i], bench_kinds[k].name) != 0)
				continue;
			known = true;
			b->name = bench_kinds[k].name;
			rc = bench_kinds[k].run(b, err);
		}
		if (rc < 0)
			return rc;
		if (!known)
			return error_set(err, CELLA_EINVAL,
			                 "there is no benchmark %s: kernels, start, tasks, ecg, all",
			                 names[i]);
	}
	return 0;
}

int verb_bench(int argc, char **argv)
{
	struct bench_options o = {.runs = 5};
	struct error err;
	int status, count;
	if (!verb_begin(&bench_verb, argc, argv, &o, &count, &status))
		return status;
	cleanup_scratch struct scratch scratch = {.path = ""};
	int rc = scratch_make(NULL, &scratch, &err);
	if (rc < 0)
		return verb_fail(&bench_verb, &err);
	struct bench b = {.directory = scratch.path,
	                  .runs = min_of(max_of(o.runs, 1ull), (uint64_t)BENCH_SAMPLES_MAX)};
	rc = run_kinds(&b, argv + 1, count, &err);
	if (rc == 0 && o.json)
		rc = write_json(&b, o.json, &err);
	if (rc == 0 && o.svg)
		rc = bench_chart(&b, o.svg, &err);
	free(b.rows);
	if (rc < 0)
		verb_fail(&bench_verb, &err);
	return rc == 0 ? VERB_DONE : rc == CELLA_EINVAL ? VERB_USAGE : VERB_FAILED;
}
