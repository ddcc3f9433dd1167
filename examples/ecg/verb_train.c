/* ecg train: a forest from recordings or from a table of features. */
#include <cella/task.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choice.h"
#include "train.h"
#include "verbs.h"

/* The training set under construction; rows are added one by one, values lie column by column. */
struct training {
	uint32_t rows_max;
	uint32_t rows;
	uint32_t columns;
	float *values; /* [columns][rows_max] until training_close, then [columns][rows] */
	uint8_t *classes;
	struct tally tally;
	const struct choice *choice;
};

static void training_done(struct training *t)
{
	free(t->values);
	free(t->classes);
}

static int training_init(struct training *t, const struct choice *choice, uint32_t columns,
                         struct failure *why)
{
	t->choice = choice;
	t->rows_max = choice->count;
	t->columns = columns;
	if (choice->count > SIZE_MAX / sizeof(float) / columns)
		return failed_memory(why, "the training set");
	t->values = malloc((size_t)choice->count * columns * sizeof(*t->values));
	t->classes = malloc(choice->count);
	return t->values && t->classes ? 0 : failed_memory(why, "the training set");
}

static void training_add(struct training *t, const float *row, uint8_t class)
{
	for (uint32_t i = 0; i < t->columns; i++)
		t->values[(size_t)i * t->rows_max + t->rows] = row[i];
	t->classes[t->rows++] = class;
}

/* Move the columns together, now that the number of rows is known. */
static struct samples training_close(struct training *t)
{
	for (uint32_t i = 1; t->rows < t->rows_max && i < t->columns; i++)
		memmove(t->values + (size_t)i * t->rows, t->values + (size_t)i * t->rows_max,
		        t->rows * sizeof(*t->values));
	return (struct samples){.rows = t->rows,
	                        .columns = t->columns,
	                        .values = t->values,
	                        .classes = t->classes};
}

static int training_add_batch(void *context, const struct batch *batch, struct failure *why)
{
	struct training *t = context;
	if (cella_wait_on_unchanged(batch->rows) != 0)
		return failed(why, "the features of %s were cancelled", t->choice->paths[batch->first]);
	for (uint32_t i = 0; i < batch->count; i++) {
		if (tally_add(&t->tally, &batch->outcomes[i], true))
			training_add(t, batch->rows + (size_t)i * t->columns,
			             t->choice->classes[batch->first + i]);
	}
	return 0;
}

static int write_forest(const struct forest *forest, const char *path, struct failure *why)
{
	if (!path) {
		forest_print(forest, stdout);
		return 0;
	}
	FILE *file = fopen(path, "wb");
	if (!file)
		return failed_errno(why, "%s: cannot create the forest", path);
	forest_print(forest, file);
	bool bad = ferror(file);
	if (fclose(file) != 0 || bad)
		return failed_errno(why, "%s: cannot write the forest", path);
	return 0;
}

static int train_and_write(const struct options *options, struct training *t, struct failure *why)
{
	struct samples samples = training_close(t);
	struct forest forest;
	if (train_forest(&samples, options->trees, options->seed, &forest, why) < 0)
		return -1;
	fprintf(stderr, "ecg: %" PRIu32 " trees grown on %" PRIu32 " recordings\n", forest.count,
	        samples.rows);
	int rc = write_forest(&forest, options->output, why);
	forest_done(&forest);
	return rc;
}

static int train_on_recordings(const struct options *options, const struct labels *labels,
                               struct failure *why)
{
	struct choice choice __attribute__((cleanup(choice_done))) = {0};
	struct training t __attribute__((cleanup(training_done))) = {0};
	if (choose_recordings(labels, SPLIT_TRAIN, options->dir, &choice, why) < 0 ||
	    training_init(&t, &choice, feature_columns(options->kind), why) < 0)
		return -1;
	const struct batch_user user = {.finished = training_add_batch, .context = &t};
	if (extract(options->kind, (const char *const *)choice.paths, choice.count, &user, why) < 0 ||
	    tally_check(&t.tally, why) < 0)
		return -1;
	return train_and_write(options, &t, why);
}

static int train_on_table(const struct options *options, const struct labels *labels, struct failure *why)
{
	struct table table __attribute__((cleanup(table_done))) = {0};
	struct choice choice __attribute__((cleanup(choice_done))) = {0};
	struct training t __attribute__((cleanup(training_done))) = {0};
	if (table_read(options->features, &table, why) < 0 ||
	    choose_rows(&table, labels, SPLIT_TRAIN, &choice, why) < 0 ||
	    training_init(&t, &choice, table.columns, why) < 0)
		return -1;
	for (uint32_t i = 0; i < choice.count; i++)
		training_add(&t, table.values + (size_t)choice.rows[i] * table.columns, choice.classes[i]);
	table_done(&table);
	return train_and_write(options, &t, why);
}

int verb_train(const struct options *options, struct failure *why)
{
	struct labels labels __attribute__((cleanup(labels_done))) = {0};
	if (options->labels && labels_read(options->labels, &labels, why) < 0)
		return -1;
	if (options->features)
		return train_on_table(options, options->labels ? &labels : NULL, why);
	return train_on_recordings(options, &labels, why);
}
