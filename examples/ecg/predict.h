/*
 * Prediction by the published graph. For a block of rows and a forest of 40 trees, 81 tasks:
 *
 *     predict_branch(tree k, rows) -> branch k        40, at the same time
 *     merge_branches(sum, branch k)                   40, a chain in the order of the trees
 *     soft_vote(sum) -> votes                         1
 *
 * Each packed tree is a buffer of its own that no task changes: sealed once, then found in the executors'
 * caches by every later block and request. The rest is 32 bytes a row.
 */
#ifndef ECG_PREDICT_H
#define ECG_PREDICT_H

#include <stdint.h>

#include "classes.h"
#include "failure.h"
#include "forest.h"

/* A forest as its tasks need it. */
struct predictor {
	uint32_t columns;
	uint32_t tree_count;
	union tree_slot **trees;
	uint32_t *slot_counts;
};

int predictor_init(const struct forest *forest, struct predictor *ret, struct failure *why) must_check;
void predictor_done(struct predictor *p);

/* The buffers of one block's graph. */
struct request {
	uint32_t rows_max;
	uint32_t tree_count;
	uint32_t count; /* rows of the graph submitted last, 0: none */
	double *branches; /* [tree][rows_max][CLASS_COUNT], a buffer for each tree */
	double *sum;
	double (*votes)[CLASS_COUNT];
};

/* Requests that may be under way at the same time. */
struct requests {
	uint32_t count;
	struct request *each;
};

int requests_init(const struct predictor *p, uint32_t count, uint32_t rows_max, struct requests *ret,
                  struct failure *why) must_check;
void requests_done(struct requests *r);

/* Submit the graph for `count` rows, at most rows_max. */
void request_submit(const struct predictor *p, struct request *r, const float *rows, uint32_t count);
/* Wait for r->votes[count], the probabilities of the classes. The request may then be submitted again. */
int request_wait(struct request *r, struct failure *why) must_check;
/* How many tasks a request is. */
uint32_t request_tasks(const struct predictor *p);

#endif
