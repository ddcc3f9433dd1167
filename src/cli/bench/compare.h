/*
 * Comparisons: the same work as a cell and by others, in turn, case by case.
 *
 * Every contestant is a command that is given a case's words and prints, once per trial, a line
 *
 *     CASE seconds digest
 *
 * The least time of a run counts (what disturbs only ever adds), and beside it the first one, in which a new
 * process touches its memory. All digests of a case must be equal, but for contestants that may round
 * otherwise.
 */
#ifndef CLI_BENCH_COMPARE_H
#define CLI_BENCH_COMPARE_H

#include "cli/bench/bench.h"
#include "cli/process.h"

enum { CONTESTANTS_MAX = 6 };

/* Of the least times, and of the first ones. */
enum { COMPARISON_LEAST, COMPARISON_FIRST, COMPARISON_RATIOS };

/* The cell's times over a contestant's. */
struct comparison_ratios {
	struct bench_samples rounds; /* of the present case */
	struct bench_samples cases;  /* their medians */
	char worst_case[BENCH_NAME_MAX];
};

struct contestant {
	const char *name;
	struct arguments command; /* what a case's words are added to */
	bool rounds_otherwise;
	struct bench_samples times; /* of the present case: ms, the least of a run */
	struct comparison_ratios ratios[COMPARISON_RATIOS];
};

/* The first contestant is the cell. A zeroed one is empty and valid. */
struct comparison {
	struct contestant contestants[CONTESTANTS_MAX];
	size_t count;
	size_t missing; /* cases that failed */
};
void comparison_done(struct comparison *c);
#define cleanup_comparison __attribute__((cleanup(comparison_done)))

/* One more contestant, whose command is empty yet. */
struct contestant *comparison_add(struct comparison *c, const char *name);
/* The same: `cella run` of a cell. CELLA_EBUG as bench_command. */
int comparison_add_cell(struct comparison *c, const char *cell, struct error *err) must_check;

/* Run a case, b->runs times each, and report its times and ratios. A case that fails is a row. */
int comparison_case(struct bench *b, struct comparison *c, const char *name, const char *const *words,
                    size_t count, struct error *err) must_check;
/* Geometric mean and worst case of the ratios to each other contestant. */
int comparison_end(struct bench *b, struct comparison *c, struct error *err) must_check;

#endif
