#include "predict.h"

#include <cella/task.h>
#include <stdlib.h>
#include <string.h>

CELLA_TASK(predict_branch, CELLA_VALUE(uint32_t, slot_count), CELLA_VALUE(uint32_t, columns),
           CELLA_VALUE(uint32_t, count), CELLA_IN(const union tree_slot, tree, slot_count),
           CELLA_IN(const float, rows, (size_t)count *columns), CELLA_OUT(double, branch, (size_t)count *CLASS_COUNT))
{
	(void)slot_count;
	for (uint32_t i = 0; i < count; i++)
		tree_answer(tree, rows + (size_t)i * columns, branch + (size_t)i * CLASS_COUNT);
}

/* The chain is the longest path: its tasks go first. */
CELLA_TASK_WITH(merge_branches, (.priority = 1), CELLA_VALUE(uint32_t, count),
                CELLA_INOUT(double, sum, (size_t)count *CLASS_COUNT),
                CELLA_IN(const double, branch, (size_t)count *CLASS_COUNT))
{
	for (size_t i = 0; i < (size_t)count * CLASS_COUNT; i++)
		sum[i] += branch[i];
}

CELLA_TASK_WITH(soft_vote, (.priority = 2), CELLA_VALUE(uint32_t, count), CELLA_VALUE(uint32_t, tree_count),
                CELLA_IN(const double, sum, (size_t)count *CLASS_COUNT),
                CELLA_OUT(double, votes, (size_t)count *CLASS_COUNT))
{
	for (size_t i = 0; i < (size_t)count * CLASS_COUNT; i++)
		votes[i] = sum[i] / tree_count;
}

int predictor_init(const struct forest *forest, struct predictor *ret, struct failure *why)
{
	struct predictor p = {
		.columns = forest->columns,
		.tree_count = forest->count,
		.trees = calloc(forest->count, sizeof(union tree_slot *)),
		.slot_counts = calloc(forest->count, sizeof(uint32_t)),
	};
	int rc = p.trees && p.slot_counts ? 0 : failed_memory(why, "the forest");
	for (uint32_t i = 0; rc == 0 && i < p.tree_count; i++)
		rc = forest_pack(&forest->trees[i], &p.trees[i], &p.slot_counts[i], why);
	if (rc < 0) {
		predictor_done(&p);
		return -1;
	}
	*ret = p;
	return 0;
}

void predictor_done(struct predictor *p)
{
	for (uint32_t i = 0; p->trees && i < p->tree_count; i++) {
		if (p->trees[i])
			cella_forget(p->trees[i]);
		free(p->trees[i]);
	}
	free(p->trees);
	free(p->slot_counts);
	*p = (struct predictor){0};
}

int request_init(const struct predictor *p, uint32_t rows_max, struct request *ret, struct failure *why)
{
	size_t values = (size_t)rows_max * CLASS_COUNT;
	struct request r = {
		.rows_max = rows_max,
		.branches = calloc(p->tree_count * values, sizeof(double)),
		.sum = calloc(values, sizeof(double)),
		.votes = calloc(rows_max, sizeof(*r.votes)),
	};
	if (!r.branches || !r.sum || !r.votes) {
		request_done(&r);
		return failed_memory(why, "a request");
	}
	*ret = r;
	return 0;
}

void request_done(struct request *r)
{
	free(r->branches);
	free(r->sum);
	free(r->votes);
	*r = (struct request){0};
}

static double *request_branch(const struct request *r, uint32_t tree)
{
	return r->branches + (size_t)tree * r->rows_max * CLASS_COUNT;
}

void request_submit(const struct predictor *p, struct request *r, const float *rows, uint32_t count)
{
	memset(r->sum, 0, (size_t)count * CLASS_COUNT * sizeof(double));
	for (uint32_t i = 0; i < p->tree_count; i++)
		predict_branch(p->slot_counts[i], p->columns, count, p->trees[i], rows, request_branch(r, i));
	for (uint32_t i = 0; i < p->tree_count; i++)
		merge_branches(count, r->sum, request_branch(r, i));
	soft_vote(count, p->tree_count, r->sum, &r->votes[0][0]);
}

int request_wait(const struct predictor *p, struct request *r, struct failure *why)
{
	int rc = cella_wait_on(r->votes);
	for (uint32_t i = 0; i < p->tree_count; i++)
		cella_forget(request_branch(r, i));
	cella_forget(r->sum);
	cella_forget(r->votes);
	return rc == 0 ? 0 : failed(why, "a prediction was cancelled");
}

uint32_t request_tasks(const struct predictor *p)
{
	return 2 * p->tree_count + 1;
}
