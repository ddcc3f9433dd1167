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
#include "cli/bench/bench.h"
#include "cli/bench/chart.h"
#include "cli/place.h"
#include "cli/scratch.h"
#include "cli/toolchain.h"
#include "cli/verbs.h"

struct bench_options {
	const char *json, *svg;
	uint64_t runs;
	bool quick, peers;
};

static const struct option bench_table[] = {
	{"--json", NULL, OPTION_TEXT, "FILE", "write the rows as JSON", option_field(bench_options, json)},
	{"--svg", NULL, OPTION_TEXT, "FILE", "draw the ratios and times", option_field(bench_options, svg)},
	{"--runs", NULL, OPTION_NUMBER, "N", "repetitions of each case, from 1 to 256; default 7",
         option_field(bench_options, runs)},
	{"--quick", NULL, OPTION_FLAG, NULL,
         "kernels, programs, volumes: small data sets, to see that all give the same results",
         option_field(bench_options, quick)},
	{"--peers", NULL, OPTION_FLAG, NULL,
         "kernels: also wasmtime (fetched from PyPI), on the same module, and wasm2c (Debian's), on one of the "
         "same sources without atomics and vectors; volumes: also gocryptfs (Debian's)",
         option_field(bench_options, peers)},
};

const struct verb bench_verb = {
	.name = "bench",
	.operands = "kernels|programs|start|tasks|paged|volumes|cas|evidence|ecg|all",
	.summary = "measure this machine",
	.description =
		"Runs what is compared in turn and prints medians, from 6 samples on with their 95 %\n"
		"confidence intervals. A case that fails is a row with the reason.\n"
		"kernels  PolyBench's thirty kernels as a cell against gcc -O3 -march=x86-64-v3\n"
		"         -ffp-contract=off (gcc), which must give the same bits, and against\n"
		"         gcc -O3 -march=native (gcc-native)\n"
		"programs SQLite, zlib and Lua (sources fetched from Debian) as a cell against gcc -O2\n"
		"start    an empty program, executors by heap, cells from snapshots, touching protected\n"
		"         memory\n"
		"tasks    throughput, latency and chains of empty tasks\n"
		"paged    memory that is larger than its window, and memory that fits in it\n"
		"volumes  sealed files against plain ones: large, small, at random, durable\n"
		"cas      what a session adds to a start, and attestations a second\n"
		"evidence verifications of recorded evidence of real hardware a second (CELLA_EVIDENCE_DATA or\n"
		"         ../shared/data/attestation), against the signatures alone\n"
		"ecg      the ECG workflow by executors, memory level and heap, on the recordings of\n"
		"         CELLA_ECG_DATA, data/ecg2017 or ../shared/data/ecg2017, else on made ones\n"
		"Exit status: 0; 1 if a case failed; 2 for a mistake in the options.",
	.example = "cella bench kernels --runs 9 --json kernels.json --svg kernels.svg",
	.table = {bench_table, array_count(bench_table), false},
	.operands_min = 1,
	.operands_max = 9,
	.enter = verb_bench,
};

static const struct bench_kind {
	const char *name;
	int (*run)(struct bench *b, struct error *err);
} bench_kinds[] = {
	{"kernels", bench_kernels}, {"programs", bench_programs}, {"start", bench_start},
	{"tasks", bench_tasks},     {"paged", bench_paged},       {"volumes", bench_volumes},
	{"cas", bench_cas},         {"evidence", bench_evidence}, {"ecg", bench_ecg},
};

int bench_compile(const char *const *words, size_t count, bool native, struct error *err)
{
	/* What is compared with is gcc's, whichever compiler stands behind cells. */
	cleanup_free char *before = getenv("CELLA_CC") ? strdup(getenv("CELLA_CC")) : NULL;
	if (native)
		setenv("CELLA_CC", "gcc", 1);
	int rc = bench_cella(words, count, NULL, NULL, err);
	if (before)
		setenv("CELLA_CC", before, 1);
	else
		unsetenv("CELLA_CC");
	return rc;
}

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
	return bench_compile(words, native ? 5 : 4, native, err);
}

static json_t *row_json(const struct bench_row *r)
{
	if (r->n == 0)
		return json_pack("{ss ss ss ss}", "bench", r->bench, "case", r->name, "metric", r->metric,
		                 "reason", r->reason);
	bool interval = r->n >= BENCH_INTERVAL_LEAST;
	return json_pack("{ss ss ss ss sf so so sI}", "bench", r->bench, "case", r->name, "metric", r->metric,
	                 "unit", r->unit, "value", r->value, "low",
	                 interval ? json_real(r->low) : json_null(), "high",
	                 interval ? json_real(r->high) : json_null(), "n", (json_int_t)r->n);
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
	json_t *all = json_pack("{ss ss ss si so so}", "date", date, "kernel", host.release, "machine",
	                        host.machine, "processors", (int)sysconf(_SC_NPROCESSORS_ONLN), "ecg_data",
	                        *b->ecg ? json_string(b->ecg) : json_null(), "rows", rows);
	cleanup_free char *text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
	json_decref(all);
	return text ? io_write_file(path, text, strlen(text), 0644, err)
	            : error_set(err, CELLA_ENOMEM, "no memory for %s", path);
}

static bool is_wanted(const char *kind, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], kind) == 0 || strcmp(names[i], "all") == 0)
			return true;
	return false;
}

/* Everything that can be wrong before anything is measured. */
static int check_options(const struct bench_options *o, char **names, int count, struct error *err)
{
	if (o->runs < 1 || o->runs > BENCH_SAMPLES_MAX)
		return error_set(err, CELLA_EINVAL, "--runs %llu: from 1 to %d", (unsigned long long)o->runs,
		                 BENCH_SAMPLES_MAX);
	for (int i = 0; i < count; i++) {
		bool known = strcmp(names[i], "all") == 0;
		for (size_t k = 0; k < array_count(bench_kinds); k++)
			known = known || strcmp(names[i], bench_kinds[k].name) == 0;
		if (!known)
			return error_set(
				err, CELLA_EINVAL,
				"there is no benchmark %s: kernels, programs, start, tasks, paged, volumes, cas, "
				"evidence, ecg, all",
				names[i]);
	}
	int rc = place_check(o->json, err);
	return rc < 0 ? rc : place_check(o->svg, err);
}

static int run_kinds(struct bench *b, char **names, int count, struct error *err)
{
	int rc = 0;
	for (size_t k = 0; rc == 0 && k < array_count(bench_kinds); k++) {
		struct error why;
		if (!is_wanted(bench_kinds[k].name, names, count))
			continue;
		b->name = bench_kinds[k].name;
		rc = bench_kinds[k].run(b, &why);
		if (rc < 0)
			rc = bench_failed(b, "all", "", rc, &why, err);
	}
	return rc;
}

/* Each by itself: that one fails does not cost the other. */
static int write_files(const struct bench *b, const struct bench_options *o, struct error *err)
{
	int json = o->json ? write_json(b, o->json, err) : 0;
	int svg = o->svg ? bench_chart(b, o->svg, err) : 0;
	return json < 0 ? json : svg;
}

int verb_bench(int argc, char **argv)
{
	struct bench_options o = {.runs = 7};
	struct error err;
	int status, count;
	if (!verb_begin(&bench_verb, argc, argv, &o, &count, &status))
		return status;
	if (check_options(&o, argv + 1, count, &err) < 0) {
		verb_fail(&bench_verb, &err);
		return VERB_USAGE;
	}
	cleanup_scratch struct scratch scratch = {.path = ""};
	int rc = scratch_make(NULL, &scratch, &err);
	if (rc < 0)
		return verb_fail(&bench_verb, &err);
	struct bench b = {.directory = scratch.path, .runs = o.runs, .quick = o.quick, .peers = o.peers};
	rc = run_kinds(&b, argv + 1, count, &err);
	if (rc < 0)
		verb_fail(&bench_verb, &err);
	int written = write_files(&b, &o, &err);
	if (written < 0)
		verb_fail(&bench_verb, &err);
	free(b.rows);
	return rc < 0 || written < 0 || b.failed ? VERB_FAILED : VERB_DONE;
}
