#include "predict.h"

#include <cella/task.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

CELLA_TASK(predict_branch, CELLA_VALUE(uint32_t, slot_count), CELLA_VALUE(uint32_t, columns),
           CELLA_VALUE(uint32_t, count), CELLA_IN(const union tree_slot, tree, slot_count),
           CELLA_IN(const float, rows, values_count(count, columns)),
           CELLA_OUT(double, branch, votes_count(count)))
{
	(void)slot_count;
	for (uint32_t i = 0; i < count; i++)
		tree_answer(tree, rows + values_count(i, columns), branch + votes_count(i));
}

/* The chain is the longest path: its tasks go first. */
CELLA_TASK_WITH(merge_branches, (.priority = 1), CELLA_VALUE(uint32_t, count),
                CELLA_INOUT(double, sum, votes_count(count)),
                CELLA_IN(const double, branch, votes_count(count)))
{
	for (size_t i = 0; i < votes_count(count); i++)
		sum[i] += branch[i];
}

CELLA_TASK_WITH(soft_vote, (.priority = 2), CELLA_VALUE(uint32_t, count), CELLA_VALUE(uint32_t, tree_count),
                CELLA_IN(const double, sum, votes_count(count)), CELLA_OUT(double, votes, votes_count(count)))
{
	for (size_t i = 0; i < votes_count(count); i++)
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

static int request_init(const struct predictor *p, uint32_t rows_max, struct request *r, struct failure *why)
{
	size_t values = votes_count(rows_max);
	r->rows_max = rows_max;
	r->tree_count = p->tree_count;
	r->branches = calloc(p->tree_count * values, sizeof(double));
	r->sum = calloc(values, sizeof(double));
	r->votes = calloc(rows_max, sizeof(*r->votes));
	return r->branches && r->sum && r->votes ? 0 : failed_memory(why, "a request");
}

int requests_init(const struct predictor *p, uint32_t count, uint32_t rows_max, struct requests *ret,
                  struct failure *why)
{
	struct requests r = {.count = count, .each = calloc(count, sizeof(*r.each))};
	int rc = r.each ? 0 : failed_memory(why, "the requests");
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = request_init(p, rows_max, &r.each[i], why);
	if (rc < 0) {
		requests_done(&r);
		return -1;
	}
	*ret = r;
	return 0;
}

static double *request_branch(const struct request *r, uint32_t tree)
{
	return r->branches + (size_t)tree * r->rows_max * CLASS_COUNT;
}

static void request_forget(struct request *r)
{
	for (uint32_t i = 0; r->count > 0 && i < r->tree_count; i++)
		cella_forget(request_branch(r, i));
	if (r->count > 0)
		cella_forget(r->votes);
	r->count = 0;
}

void requests_done(struct requests *r)
{
	for (uint32_t i = 0; r->each && i < r->count; i++) {
		request_forget(&r->each[i]);
		free(r->each[i].branches);
		free(r->each[i].sum);
		free(r->each[i].votes);
	}
	free(r->each);
	*r = (struct requests){0};
}

/* Branches and votes are only written, so the next graph of the same size goes on with their buffers; the sum
 * begins with zeros, so its buffer becomes a new one each time. */
void request_submit(const struct predictor *p, struct request *r, const float *rows, uint32_t count)
{
	if (r->count != count)
		request_forget(r);
	r->count = count;
	memset(r->sum, 0, votes_count(count) * sizeof(double));
	for (uint32_t i = 0; i < p->tree_count; i++) {
		double *branch = request_branch(r, i);
		predict_branch(p->slot_counts[i], p->columns, count, p->trees[i], rows, branch);
		merge_branches(count, r->sum, branch);
	}
	soft_vote(count, p->tree_count, r->sum, &r->votes[0][0]);
}

int request_wait(struct request *r, struct failure *why)
{
	int rc = cella_wait_on(r->votes);
	cella_forget(r->sum);
	return rc == 0 ? 0 : failed(why, "a prediction was cancelled");
}

uint32_t request_tasks(const struct predictor *p)
{
	return 2 * p->tree_count + 1;
}
