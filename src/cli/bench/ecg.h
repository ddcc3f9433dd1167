/* What the ECG benchmark runs on: the program, as cell and native, a recording, and a forest. */
#ifndef CLI_BENCH_ECG_H
#define CLI_BENCH_ECG_H

#include "cli/bench/bench.h"

enum { ECG_PATH_MAX = 2 * BENCH_PATH_MAX };
#define ECG_FOREST "forest.txt" /* what the forest is called in a volume */

struct ecg_files {
	char cell[BENCH_PATH_MAX], native[BENCH_PATH_MAX];
	char builder[2 * 32 + 1];     /* whoever built the cell */
	char data[BENCH_PATH_MAX];    /* the directory of labels.csv and the recordings: /data in cells */
	char out[BENCH_PATH_MAX];     /* the scratch directory: /out in cells */
	char timings[ECG_PATH_MAX];   /* where a run leaves its times, in the scratch directory */
	char forest[ECG_PATH_MAX], guest_forest[BENCH_NAME_MAX];
	char record[ECG_PATH_MAX], guest_record[2 * BENCH_NAME_MAX];
	char guest_records[BENCH_NAME_MAX]; /* where it lies with all others */
};

/* Find or make them all, and say in b->ecg which they are: the reference's forest and real recordings, else a
 * forest trained on real recordings, else one trained on made ones. A CELLA_ECG_DATA without recordings is an
 * error. */
int ecg_find(struct bench *b, struct ecg_files *ret, struct error *err) must_check;

struct ecg_setting {
	const char *memory; /* NULL: the native program */
	int executors;
	const char *heap;
	const char *volume; /* with the same data, for a cell to have as /data; NULL: the plain directory */
	const char *session; /* which gives the volume's keys; NULL: they lie beside it */
};

/* Run the program as a cell, with these words of its own. */
int ecg_run_cell(const struct ecg_files *f, const struct ecg_setting *setting, const char *const *words,
                 size_t count, struct bench_run *ret_run, struct error *err) must_check;

/* Run the request: milliseconds from the start to the first answer, and the mean of those that follow. */
int ecg_request(const struct ecg_files *f, const struct ecg_setting *setting, double *ret_first,
                double *ret_next, struct error *err) must_check;

/* A part of bench_ecg: a volume against a plain directory. */
int bench_ecg_sealed(struct bench *b, const struct ecg_files *f, struct error *err) must_check;

#endif
