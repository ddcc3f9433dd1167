/* What the program's inputs may hold at most, and the sizes that the two feature sets fix. */
#ifndef ECG_LIMITS_H
#define ECG_LIMITS_H

enum {
	/* The recordings and their features */
	SAMPLES_PER_SECOND = 300,
	COMPACT_COLUMNS = 111,
	SPECTROGRAM_COLUMNS = 18810,
	COLUMNS_MAX = SPECTROGRAM_COLUMNS,
	COMPACT_SAMPLES_MIN = 512, /* one frame of the spectrum */
	COMPACT_SAMPLES_MAX = 9000,
	SPECTROGRAM_SAMPLES = 18300,

	/* Files */
	MAT_SAMPLES_MAX = 1 << 20, /* 58 minutes */
	RECORD_NAME_SIZE = 32,     /* a recording's name with its end */
	LINE_SIZE_MAX = 1 << 20,   /* a spectrogram's line has 300,000 */
	TABLE_ROWS_MAX = 1 << 20,
	RECORDINGS_MAX = 1 << 20,
	SYNTH_RECORDINGS_MAX = 99999,

	/* Forests */
	FOREST_TREES_MAX = 10000,
	FOREST_NODES_MAX = 1 << 22, /* of one tree */

	/* Tasks: recordings of one task, by the size of their rows */
	BATCH_ROWS_COMPACT = 64,
	BATCH_ROWS_SPECTROGRAM = 16,
	BATCHES_PER_EXECUTOR = 3, /* under way at the same time */
	TREES_PER_EXECUTOR = 4,

	REQUESTS_MAX = 1000000,
};

#endif
