/*
 * What a program of benchmarks is made of: a table of cases, each a function that does one trial. It is built
 * as a cell and natively, and run so:
 *
 *     PROGRAM NAME MILLISECONDS   one line per trial: NAME seconds digest
 *     PROGRAM list                the names
 *
 * The digest tells every bit of what was computed. Trials end when they have taken so long together, or when
 * there are TRIALS_MAX, but not before the third one, for the first has memory to touch that the others find
 * touched; with 0 milliseconds there is one.
 */
#ifndef TRIAL_TRIAL_H
#define TRIAL_TRIAL_H

#include <stddef.h>

struct trial;

/* An array of zeros that begins on a page, as PolyBench's allocator has it; freed when the trial has ended.
 * Ends the program if there is no memory. */
void *trial_array(struct trial *t, size_t size);
/* The case's name. */
const char *trial_name(const struct trial *t);
void trial_begin(struct trial *t);
void trial_end(struct trial *t);
/* Bytes, a multiple of four, that have been computed. */
void trial_result(struct trial *t, const void *values, size_t size);

/* The program's table. */
struct trial_case {
	const char *name;
	void (*run)(struct trial *t);
};
extern const struct trial_case trial_cases[];
extern const int trial_case_count;

#endif
