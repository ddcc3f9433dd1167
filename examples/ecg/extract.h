/*
 * Feature extraction as tasks: each reads a batch of recordings, where it runs, and fills their rows.
 *
 * A recording that cannot be used does not spoil its batch: its outcome says why, its row stays zeros.
 * Batches are a pipeline: a few are under way at the same time, each finished in the order of the paths, so
 * that memory does not grow with the number of recordings.
 */
#ifndef ECG_EXTRACT_H
#define ECG_EXTRACT_H

#include <stdint.h>

#include "ecg_limits.h"
#include "failure.h"
#include "feature_set.h"

enum outcome_code { OUTCOME_GOOD, OUTCOME_MISSING, OUTCOME_BAD };

struct outcome {
	uint32_t code; /* enum outcome_code */
	char text[FAILURE_SIZE];
};

struct batch {
	uint32_t slot;  /* of those under way at the same time */
	uint32_t first; /* index of its first path */
	uint32_t count;
	float *rows; /* [count][columns]: belongs to the tasks until waited for */
	struct outcome *outcomes;
};

/* What happens to a batch. `submitted` may submit tasks that read its rows; `finished` is called when its
 * outcomes are there, and waits for whatever else it reads. Both return 0 or -1 with *why; `submitted` may be
 * NULL. */
struct batch_user {
	int (*submitted)(void *context, const struct batch *batch, struct failure *why);
	int (*finished)(void *context, const struct batch *batch, struct failure *why);
	void *context;
};

/* The sizes of batches for so many recordings: rows of the largest batch, and how many are under way. */
uint32_t batch_rows(enum feature_kind kind, uint32_t recordings);
uint32_t batches_under_way(enum feature_kind kind, uint32_t recordings);

int extract(enum feature_kind kind, const char *const *paths, uint32_t count, const struct batch_user *user,
            struct failure *why) must_check;

#endif
