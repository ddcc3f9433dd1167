/* ecg features: a CSV row for each recording. */
#include <cella/task.h>
#include <stdio.h>

#include "verbs.h"

struct printer {
	const struct options *options;
	struct tally tally;
};

static void print_header(enum feature_kind kind)
{
	fputs("record", stdout);
	for (uint32_t i = 0; i < feature_columns(kind); i++) {
		char name[FEATURE_NAME_SIZE];
		feature_name(kind, i, name);
		printf(",%s", name);
	}
	putchar('\n');
}

static int print_batch(void *context, const struct batch *batch, struct failure *why)
{
	struct printer *p = context;
	uint32_t columns = feature_columns(p->options->kind);
	if (cella_wait_on_unchanged(batch->rows) != 0)
		return failed(why, "the features of %s were cancelled", p->options->files[batch->first]);
	for (uint32_t i = 0; i < batch->count; i++) {
		if (!tally_add(&p->tally, &batch->outcomes[i], false))
			continue;
		print_record(p->options->files[batch->first + i]);
		for (uint32_t k = 0; k < columns; k++)
			printf(",%.9g", batch->rows[(size_t)i * columns + k]);
		putchar('\n');
	}
	return 0;
}

int verb_features(const struct options *options, struct failure *why)
{
	struct printer p = {.options = options};
	const struct batch_user user = {.finished = print_batch, .context = &p};
	if (check_records(options, why) < 0)
		return -1;
	print_header(options->kind);
	if (extract(options->kind, options->files, options->file_count, &user, why) < 0)
		return -1;
	return tally_check(&p.tally, why);
}
