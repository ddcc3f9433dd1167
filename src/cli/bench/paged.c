/* cella bench paged: what paged memory costs within its window, against secret memory, and beyond it. */
#include "cli/bench/bench.h"

#define PAGED_WINDOW "64M"
#define PAGED_HEAP "320M"
#define PAGED_INSIDE "32" /* MiB */
#define PAGED_OUTSIDE "256"

/* The lines of bench/paged/paged.c about memory beyond the window. */
enum { PAGED_LINES = 4 };
static const struct paged_line {
	const char *line, *metric, *unit;
} paged_lines[PAGED_LINES] = {
	{"read", "read in order", "GB/s"},
	{"write", "written in order", "GB/s"},
	{"random-read", "access at random, read", "us"},
	{"random-write", "access at random, written", "us"},
};

static int run_inside(const char *cell, bool paged, double *ret_ns, struct error *err)
{
	cleanup_buf struct buf output = {0};
	const char *words[] = {"run",    "-q", "--heap", PAGED_HEAP,  "--memory",
	                       "secret", cell, "inside", PAGED_INSIDE};
	const char *paged_words[] = {"run",      "-q",         "--heap", PAGED_HEAP, "--memory",  "paged",
	                             "--window", PAGED_WINDOW, cell,     "inside",   PAGED_INSIDE};
	int rc = paged ? bench_cella(paged_words, array_count(paged_words), &output, NULL, err)
	               : bench_cella(words, array_count(words), &output, NULL, err);
	return rc < 0 ? rc : bench_find(&output, "access", ret_ns, err);
}

/* The levels in turn. */
static int run_within(struct bench *b, const char *cell, struct error *err)
{
	struct bench_samples secret = {.count = 0}, paged = {.count = 0}, ratio = {.count = 0};
	struct error why;
	int rc = 0;
	for (size_t run = 0; run < b->runs && rc == 0; run++) {
		double secret_ns, paged_ns;
		rc = run_inside(cell, false, &secret_ns, &why);
		if (rc == 0)
			rc = run_inside(cell, true, &paged_ns, &why);
		if (rc < 0)
			return bench_failed(b, "within the window", "ns", rc, &why, err);
		bench_sample(&secret, secret_ns);
		bench_sample(&paged, paged_ns);
		bench_sample(&ratio, paged_ns / secret_ns);
	}
	rc = bench_report(b, "within the window", "secret", "ns", &secret, err);
	if (rc == 0)
		rc = bench_report(b, "within the window", "paged", "ns", &paged, err);
	return rc < 0 ? rc : bench_report(b, "within the window", "paged/secret", "ratio", &ratio, err);
}

static int run_outside(const char *cell, double ret_values[PAGED_LINES], struct error *err)
{
	cleanup_buf struct buf output = {0};
	const char *words[] = {"run",      "-q",         "--heap", PAGED_HEAP, "--memory",   "paged",
	                       "--window", PAGED_WINDOW, cell,     "outside",  PAGED_OUTSIDE};
	int rc = bench_cella(words, array_count(words), &output, NULL, err);
	for (size_t i = 0; i < PAGED_LINES && rc == 0; i++)
		rc = bench_find(&output, paged_lines[i].line, &ret_values[i], err);
	return rc;
}

static int run_beyond(struct bench *b, const char *cell, struct error *err)
{
	struct bench_samples samples[PAGED_LINES] = {0};
	struct error why;
	int rc = 0;
	for (size_t run = 0; run < b->runs; run++) {
		double values[PAGED_LINES];
		rc = run_outside(cell, values, &why);
		if (rc < 0)
			return bench_failed(b, "four times the window", "", rc, &why, err);
		for (size_t i = 0; i < PAGED_LINES; i++)
			bench_sample(&samples[i], values[i]);
	}
	for (size_t i = 0; i < PAGED_LINES && rc == 0; i++)
		rc = bench_report(b, "four times the window", paged_lines[i].metric, paged_lines[i].unit,
		                  &samples[i], err);
	return rc;
}

int bench_paged(struct bench *b, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	int rc = bench_build(b, "bench/paged/paged.c", false, cell, err);
	if (rc == 0)
		rc = run_within(b, cell, err);
	return rc < 0 ? rc : run_beyond(b, cell, err);
}
