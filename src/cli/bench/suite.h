/*
 * A program of cases (bench/trial) that is built as a cell and natively, and whose cases are compared.
 *
 *     cleanup_suite struct suite s = {.name = "kernels"};
 *     ... suite_sources, suite_word: what to compile ...
 *     suite_cell, suite_native: the contestants, the cell first
 *     suite_run: all cases
 */
#ifndef CLI_BENCH_SUITE_H
#define CLI_BENCH_SUITE_H

#include "cli/bench/compare.h"

struct suite {
	const char *name;       /* of the files in the scratch directory */
	struct arguments words; /* sources and options, for both compilers */
	struct comparison comparison;
};
void suite_done(struct suite *s);
#define cleanup_suite __attribute__((cleanup(suite_done)))

/* All C files of one of Cella's folders, such as "bench/kernels". */
int suite_sources(struct suite *s, const char *folder, struct error *err) must_check;

/* Build it by `cella cc` with these options (end with NULL) besides. What the cell is made from is left in
 * the scratch directory, too. */
int suite_cell(const struct bench *b, struct suite *s, const char *const *options,
               struct error *err) must_check;
/* Build it by gcc. */
int suite_native(const struct bench *b, struct suite *s, const char *contestant, const char *const *options,
                 struct error *err) must_check;

/* Compare all cases that the program lists, and sum up. */
int suite_run(struct bench *b, struct suite *s, struct error *err) must_check;

#endif
