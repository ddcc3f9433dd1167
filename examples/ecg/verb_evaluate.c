/* ecg evaluate: how a forest does on labelled recordings. */
#include <cella/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choice.h"
#include "confusion.h"
#include "predict.h"
#include "verbs.h"

enum { TABLE_BLOCK_ROWS = 64 };

struct evaluation {
	const struct options *options;
	const struct labels *labels; /* NULL: those of the table */
	enum feature_kind kind;
	struct predictor predictor;
	struct requests requests; /* by the batch's slot */
	struct choice choice;
	struct tally tally;
	struct confusion confusion;
};

static void evaluation_done(struct evaluation *e)
{
	requests_done(&e->requests);
	choice_done(&e->choice);
	predictor_done(&e->predictor);
}

static int submit_request(void *context, const struct batch *batch, struct failure *why)
{
	struct evaluation *e = context;
	(void)why;
	request_submit(&e->predictor, &e->requests.each[batch->slot], batch->rows, batch->count);
	return 0;
}

static int judge_batch(void *context, const struct batch *batch, struct failure *why)
{
	struct evaluation *e = context;
	struct request *request = &e->requests.each[batch->slot];
	if (request_wait(request, why) < 0)
		return -1;
	for (uint32_t i = 0; i < batch->count; i++) {
		if (tally_add(&e->tally, &batch->outcomes[i], true))
			confusion_add(&e->confusion, e->choice.classes[batch->first + i],
			              class_of_votes(request->votes[i]));
	}
	return 0;
}

static int evaluate_recordings(struct evaluation *e, struct failure *why)
{
	const struct options *options = e->options;
	if (choose_recordings(e->labels, options->split, options->dir, &e->choice, why) < 0)
		return -1;
	uint32_t count = e->choice.count;
	if (requests_init(&e->predictor, batches_under_way(e->kind, count), batch_rows(e->kind, count),
	                  &e->requests, why) < 0)
		return -1;
	const struct batch_user user = {.submitted = submit_request, .finished = judge_batch, .context = e};
	if (extract(e->kind, (const char *const *)e->choice.paths, count, &user, why) < 0)
		return -1;
	if (e->tally.good > 0)
		confusion_print(&e->confusion, stdout);
	return tally_check(&e->tally, why);
}

/* Judge the chosen rows from `first` on, copied together into `block`. */
static int judge_block(struct evaluation *e, const struct table *table, uint32_t first, uint32_t count,
                       float *block, struct failure *why)
{
	size_t row_size = table->columns * sizeof(*block);
	for (uint32_t i = 0; i < count; i++) {
		const float *row = table->values + (size_t)e->choice.rows[first + i] * table->columns;
		memcpy(block + (size_t)i * table->columns, row, row_size);
	}
	struct request *request = &e->requests.each[0];
	request_submit(&e->predictor, request, block, count);
	int rc = request_wait(request, why);
	cella_forget(block);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		confusion_add(&e->confusion, e->choice.classes[first + i], class_of_votes(request->votes[i]));
	return rc;
}

static int evaluate_table(struct evaluation *e, struct failure *why)
{
	struct table table __attribute__((cleanup(table_done))) = {0};
	if (table_read(e->options->features, &table, why) < 0)
		return -1;
	if (table.kind != e->kind)
		return failed(why, "%s: these are %s features, but the forest was trained on %s ones",
		              e->options->features, feature_kind_name(table.kind),
		              feature_kind_name(e->kind));
	cleanup_free float *block = malloc(TABLE_BLOCK_ROWS * table.columns * sizeof(*block));
	if (!block)
		return failed_memory(why, "a block of features");
	if (choose_rows(&table, e->labels, e->options->split, &e->choice, why) < 0 ||
	    requests_init(&e->predictor, 1, TABLE_BLOCK_ROWS, &e->requests, why) < 0)
		return -1;
	for (uint32_t first = 0; first < e->choice.count; first += TABLE_BLOCK_ROWS) {
		uint32_t left = e->choice.count - first;
		if (judge_block(e, &table, first, left < TABLE_BLOCK_ROWS ? left : TABLE_BLOCK_ROWS, block,
		                why) < 0)
			return -1;
	}
	confusion_print(&e->confusion, stdout);
	return 0;
}

int verb_evaluate(const struct options *options, struct failure *why)
{
	struct labels labels __attribute__((cleanup(labels_done))) = {0};
	struct evaluation e __attribute__((cleanup(evaluation_done))) = {.options = options};
	if (options->labels && labels_read(options->labels, &labels, why) < 0)
		return -1;
	e.labels = options->labels ? &labels : NULL;
	if (load_forest(options, &e.predictor, &e.kind, why) < 0)
		return -1;
	return options->features ? evaluate_table(&e, why) : evaluate_recordings(&e, why);
}
