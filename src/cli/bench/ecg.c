/*
 * cella bench ecg: one prediction request (81 tasks over a forest of 40 trees) asked twenty times. The first
 * answer's time runs from the start of `cella run`, with all that has to be made for it; the next
 * nineteen give the mean.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/bench/ecg.h"
#include "mem/mem.h"

enum { ECG_REQUESTS = 20, SECRET_LEAST = 4 << 20 };

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

static int run_native(const struct ecg_files *f, struct error *err)
{
	char requests[16];
	snprintf(requests, sizeof(requests), "%d", ECG_REQUESTS);
	const char *words[] = {f->native,  "predict", "--kind",    "compact",  "--forest", f->forest,
	                       "--repeat", requests,  "--timings", f->timings, f->record,  NULL};
	return bench_execute((char *const *)(uintptr_t)words, NULL, NULL, err);
}

int ecg_run_cell(const struct ecg_files *f, const struct ecg_setting *setting, const char *const *words,
                 size_t count, struct bench_run *ret_run, struct error *err)
{
	char executors[16], data[BENCH_PATH_MAX + 16], out[BENCH_PATH_MAX + 16];
	snprintf(executors, sizeof(executors), "%d", setting->executors);
	snprintf(data, sizeof(data), "%s:/data:ro", setting->volume ? setting->volume : f->data);
	snprintf(out, sizeof(out), "%s:/out", f->out);
	const char *all[BENCH_WORDS_MAX] = {"run",
	                                    "-q",
	                                    "--memory",
	                                    setting->memory,
	                                    "--executors",
	                                    executors,
	                                    "--heap",
	                                    setting->heap,
	                                    setting->volume ? "--volume" : "--dir",
	                                    data,
	                                    "--dir",
	                                    out};
	enum { OWN = 12 };
	size_t own = OWN;
	if (count > BENCH_WORDS_MAX - OWN - 5)
		return error_set(err, CELLA_EBUG, "too many words");
	if (setting->session) {
		all[own++] = "--session";
		all[own++] = setting->session;
	}
	all[own++] = "--accept-builder";
	all[own++] = f->builder;
	all[own++] = f->cell;
	memcpy(all + own, words, count * sizeof(*words));
	return bench_cella(all, own + count, NULL, ret_run, err);
}

static int request_cell(const struct ecg_files *f, const struct ecg_setting *c, struct error *err)
{
	char requests[16];
	snprintf(requests, sizeof(requests), "%d", ECG_REQUESTS);
	const char *words[] = {"predict",
	                       "--kind",
	                       "compact",
	                       "--forest",
	                       c->volume ? "/data/" ECG_FOREST : f->guest_forest,
	                       "--repeat",
	                       requests,
	                       "--timings",
	                       "/out/timings.json",
	                       f->guest_record};
	return ecg_run_cell(f, c, words, array_count(words), NULL, err);
}

int ecg_request(const struct ecg_files *f, const struct ecg_setting *setting, double *ret_first,
                double *ret_next, struct error *err)
{
	struct timespec start;
	clock_gettime(CLOCK_REALTIME, &start);
	int rc = setting->memory ? request_cell(f, setting, err) : run_native(f, err);
	return rc < 0 ? rc : read_timings(f, &start, ret_first, ret_next, err);
}

enum { NATIVE, UNPROTECTED, PROTECTED, LEVELS };
static const char *const level_names[LEVELS] = {"native, unsealed", "unprotected", "protected"};

/* First or next requests of one case. */
struct ecg_series {
	struct bench_samples ms[LEVELS], to_native, to_unprotected;
};

struct ecg_case {
	int executors;
	const char *heap;
	struct ecg_series first, next;
	struct bench_samples more; /* what protection adds to the first request */
	int rc;      /* not 0: it failed, and why says why */
	struct error why;
};

static void add_samples(struct ecg_series *s, const double ms[LEVELS], bool protected)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (i != PROTECTED || protected)
			bench_sample(&s->ms[i], ms[i]);
	if (!protected)
		return;
	bench_sample(&s->to_native, ms[PROTECTED] / ms[NATIVE]);
	bench_sample(&s->to_unprotected, ms[PROTECTED] / ms[UNPROTECTED]);
}

/* Each level once. */
static int run_levels(const struct ecg_files *f, struct ecg_case *c, bool protected)
{
	static const char *const memory[LEVELS] = {NULL, "insecure-none", "secret"};
	double first[LEVELS] = {0}, next[LEVELS] = {0};
	for (size_t i = 0; i < (protected ? LEVELS : PROTECTED); i++) {
		struct ecg_setting setting = {memory[i], c->executors, c->heap, NULL};
		int rc = ecg_request(f, &setting, &first[i], &next[i], &c->why);
		if (rc < 0)
			return rc;
	}
	add_samples(&c->first, first, protected);
	add_samples(&c->next, next, protected);
	if (protected)
		bench_sample(&c->more, first[PROTECTED] - first[UNPROTECTED]);
	return 0;
}

/* All cases in turn, again and again. CELLA_ECANCELED only. */
static int run_cases(const struct bench *b, const struct ecg_files *f, struct ecg_case *cases, size_t count,
                     bool protected)
{
	for (size_t run = 0; run < b->runs; run++)
		for (size_t i = 0; i < count; i++) {
			if (cases[i].rc == 0)
				cases[i].rc = run_levels(f, &cases[i], protected);
			if (cases[i].rc == CELLA_ECANCELED)
				return cases[i].rc;
		}
	return 0;
}

static void case_name(const struct ecg_case *c, char to[BENCH_NAME_MAX])
{
	snprintf(to, BENCH_NAME_MAX, "%d executor%s, heap %s", c->executors, c->executors == 1 ? "" : "s",
	         c->heap);
}

static int report_series(struct bench *b, const char *name, const char *prefix, const struct ecg_series *s,
                         struct error *err)
{
	char metric[BENCH_NAME_MAX];
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < LEVELS; i++) {
		snprintf(metric, sizeof(metric), "%s, %s", prefix, level_names[i]);
		if (s->ms[i].count)
			rc = bench_report(b, name, metric, "ms", &s->ms[i], err);
	}
	if (rc < 0 || s->to_native.count == 0)
		return rc;
	snprintf(metric, sizeof(metric), "%s, protected/native", prefix);
	rc = bench_report(b, name, metric, "ratio", &s->to_native, err);
	snprintf(metric, sizeof(metric), "%s, protected/unprotected", prefix);
	return rc < 0 ? rc : bench_report(b, name, metric, "ratio", &s->to_unprotected, err);
}

static int report_case(struct bench *b, const struct ecg_case *c, struct error *err)
{
	char name[BENCH_NAME_MAX];
	case_name(c, name);
	if (c->rc < 0)
		return bench_failed(b, name, "first, next", c->rc, &c->why, err);
	int rc = report_series(b, name, "first", &c->first, err);
	if (rc == 0)
		rc = report_series(b, name, "next", &c->next, err);
	return rc < 0 || c->more.count == 0
	               ? rc
	               : bench_report(b, name, "first, protected - unprotected", "ms", &c->more, err);
}

static void print_cell(const struct bench_samples *s)
{
	if (s->count)
		printf(" %12.4g", bench_median(s));
	else
		printf(" %12s", "-");
}

/* One of the two tables that are published for this workflow, with what is published beside it. */
static void print_table(const struct ecg_case *cases, size_t count, bool first)
{
	static const char *const published[][3] = {{"next, published*", "584 at best", "1,011 at best"},
	                                           {"first, published*", "6,563 to 1,034", "to 219,712"}};
	printf("\n%s\n%-24s %12s %12s %12s %12s %12s\n",
	       first ? "first request, ms" : "mean of the next 19 requests, ms", "", "native", "unprotected",
	       "protected", "prot/native", "prot/unprot");
	for (size_t i = 0; i < count; i++) {
		char name[BENCH_NAME_MAX];
		const struct ecg_series *s = first ? &cases[i].first : &cases[i].next;
		case_name(&cases[i], name);
		if (cases[i].rc < 0) {
			printf("%-24s not measured\n", name);
			continue;
		}
		printf("%-24s", name);
		for (size_t level = 0; level < LEVELS; level++)
			print_cell(&s->ms[level]);
		print_cell(&s->to_native);
		print_cell(&s->to_unprotected);
		putchar('\n');
	}
	printf("%-22s %14s %12s  %s\n", published[first][0], "", published[first][1], published[first][2]);
}

static int report_all(struct bench *b, const struct ecg_case *cases, size_t count, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = report_case(b, &cases[i], err);
	if (rc < 0)
		return rc;
	printf("\nThe request: %s.\n", b->ecg);
	print_table(cases, count, true);
	print_table(cases, count, false);
	printf("* COMPSs with SCONE, in Python, on other hardware: another language and other machines.\n");
	return 0;
}

int bench_ecg(struct bench *b, struct error *err)
{
	static const int executors[] = {1, 2, 4, 8};
	static const char *const heaps[] = {"2G", "8G", "32G"};
	enum { CASES = array_count(executors) * array_count(heaps) };
	struct ecg_files files = {0};
	struct error why;
	int rc = ecg_find(b, &files, &why);
	if (rc < 0)
		return bench_failed(b, "request of 81 tasks", "first, next", rc, &why, err);
	cleanup_free struct ecg_case *cases = calloc(CASES, sizeof(*cases));
	if (!cases)
		return error_set(err, CELLA_ENOMEM, "no memory for the ECG benchmark");
	for (size_t i = 0; i < CASES; i++) {
		cases[i].executors = executors[i / array_count(heaps)];
		cases[i].heap = heaps[i % array_count(heaps)];
	}
	bool protected = mem_level_check(MEM_SECRET, SECRET_LEAST, &why) == 0;
	if (!protected)
		rc = bench_cannot(b, "all", "protected", why.text, err);
	if (rc == 0 && run_cases(b, &files, cases, CASES, protected) < 0)
		return error_set(err, CELLA_ECANCELED, "interrupted");
	if (rc == 0)
		rc = report_all(b, cases, CASES, err);
	return rc < 0 || !protected ? rc : bench_ecg_sealed(b, &files, err);
}
