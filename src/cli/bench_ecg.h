/* What the ECG benchmark runs on: the program, as cell and native, a recording, and a forest. */
#ifndef CLI_BENCH_ECG_H
#define CLI_BENCH_ECG_H

#include "cli/bench.h"

enum { ECG_PATH_MAX = 2 * BENCH_PATH_MAX };

struct ecg_files {
	char cell[BENCH_PATH_MAX], native[BENCH_PATH_MAX];
	char builder[2 * 32 + 1];     /* whoever built the cell */
	char data[BENCH_PATH_MAX];    /* the recordings' directory: /data in cells */
	char out[BENCH_PATH_MAX];     /* the scratch directory: /out in cells */
	char timings[ECG_PATH_MAX];   /* where a run leaves its times, in the scratch directory */
	char forest[ECG_PATH_MAX], guest_forest[BENCH_NAME_MAX];
	char record[ECG_PATH_MAX], guest_record[BENCH_NAME_MAX];
};

/* Find or make them all, and say in b->ecg which they are: the reference's forest and real recordings, else a
 * forest trained on real recordings, else one trained on made ones. A CELLA_ECG_DATA without recordings is an
 * error. */
int ecg_find(struct bench *b, struct ecg_files *ret, struct error *err) must_check;

#endif
