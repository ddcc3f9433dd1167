/*
 * Benchmarks: rows of figures, each a median with a confidence interval.
 *
 * What is compared is run in turn (A B A B ...), so that a machine whose speed drifts treats
 * both alike, and compared pair by pair. Machines are noisy: ratios carry over, times do not.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	BENCH_SAMPLES_MAX = 256,
	BENCH_NAME_MAX = 64,
	BENCH_INTERVAL_LEAST = 6, /* of fewer samples not even the whole range is a 95 % interval */
};

struct bench_samples {
	double values[BENCH_SAMPLES_MAX];
	size_t count;
};
void bench_sample(struct bench_samples *s, double value);

struct bench_row {
	char bench[BENCH_NAME_MAX], name[BENCH_NAME_MAX], metric[BENCH_NAME_MAX], unit[BENCH_NAME_MAX];
	double value, low,
		high; /* median and its 95 % confidence interval by order statistics, if there is one */
	size_t n;                /* samples; 0: not measured, reason says why */
	char reason[500];
};

struct bench {
	const char *name;      /* of the benchmark that runs now */
	const char *directory; /* scratch, with the cells that were built */
	size_t runs;
	bool quick, peers; /* of the kernels and volumes */
	bool failed;   /* some case did */
	char ecg[200]; /* what the ECG requests were made of; "" : not measured */
	struct bench_row *rows;
	size_t row_count, row_capacity;
};

/* Add a row and print it. */
int bench_report(struct bench *b, const char *name, const char *metric, const char *unit,
                 const struct bench_samples *samples, struct error *err) must_check;
/* A row that this machine cannot fill. */
int bench_cannot(struct bench *b, const char *name, const char *metric, const char *reason,
                 struct error *err) must_check;

/* A case went wrong: a row with the reason in place of its figures, and the benchmark goes on. What ends the
 * whole of it (an interrupt, no memory) is passed on. */
int bench_failed(struct bench *b, const char *name, const char *metric, int rc, const struct error *why,
                 struct error *err) must_check;

double bench_median(const struct bench_samples *s);
/* The samples' geometric mean. */
double bench_geometric_mean(const struct bench_samples *s);

/* Run a program to its end. `ret_output` (may be NULL) gets its standard output in place of what it held;
 * its standard error is dropped. CELLA_EIO with the end of that if its status is not 0; *ret_run (may be
 * NULL) is filled then, too. CELLA_ECANCELED: an interrupt; the program has been ended. */
struct bench_run {
	double seconds;
};
int bench_execute(char *const *arguments, struct buf *ret_output, struct bench_run *ret_run,
                  struct error *err) must_check;
/* The same for this very program: `cella` and the given words. */
int bench_cella(const char *const *words, size_t count, struct buf *ret_output, struct bench_run *ret_run,
                struct error *err) must_check;

/* Start cella with these words, wait until it has printed a line, and sum the proportional set sizes of
 * its processes with this name (NULL: of all, its own included); then end it. CELLA_EPERM if one of them may
 * not be looked at. */
int bench_watch(const char *const *words, size_t count, const char *process, uint64_t *ret_bytes,
                struct error *err) must_check;

/* The number in the line "NAME number ..." of a program's output. */
int bench_find(const struct buf *output, const char *name, double *ret_value, struct error *err) must_check;

/* `cella` itself and these words, as a program's arguments; CELLA_EBUG if there are too many. */
enum { BENCH_WORDS_MAX = 64, BENCH_PATH_MAX = 512 };
struct bench_command {
	char self[BENCH_PATH_MAX];
	char *words[BENCH_WORDS_MAX]; /* ends with NULL */
};
int bench_command(const char *const *words, size_t count, struct bench_command *ret,
                  struct error *err) must_check;

/* Run cella cc with these words in a row, for a native program by gcc. */
int bench_compile(const char *const *words, size_t count, bool native, struct error *err) must_check;
/* Build a cell, or a native program with the same flags, from a file of Cella's own sources below bench/ or
 * examples/, in the scratch directory. Gives its path (BENCH_PATH_MAX bytes). */
int bench_build(struct bench *b, const char *source, bool native, char *ret_path,
                struct error *err) must_check;

int bench_kernels(struct bench *b, struct error *err) must_check;
int bench_programs(struct bench *b, struct error *err) must_check;
int bench_start(struct bench *b, struct error *err) must_check;
int bench_launch(struct bench *b, struct error *err) must_check; /* a part of it, as are: */
int bench_spawn(struct bench *b, struct error *err) must_check;
int bench_touch(struct bench *b, struct error *err) must_check;
int bench_tasks(struct bench *b, struct error *err) must_check;
int bench_paged(struct bench *b, struct error *err) must_check;
int bench_volumes(struct bench *b, struct error *err) must_check;
int bench_cas(struct bench *b, struct error *err) must_check;
int bench_evidence(struct bench *b, struct error *err) must_check;
int bench_ecg(struct bench *b, struct error *err) must_check;

#endif
