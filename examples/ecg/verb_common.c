#include <inttypes.h>
#include <stdio.h>

#include "verbs.h"

/* The kind of features that the forest was trained on; the one that the user names has to be the same. */
static int kind_of_forest(const struct forest *forest, const struct options *options, enum feature_kind *ret,
                          struct failure *why)
{
	enum feature_kind kind = feature_kind_of_columns(forest->columns);
	if (kind == FEATURE_KINDS)
		return failed(why,
		              "%s: the forest has %" PRIu32
		              " features, expected %d (compact) or %d (spectrogram)",
		              options->forest, forest->columns, COMPACT_COLUMNS, SPECTROGRAM_COLUMNS);
	if (options->kind != FEATURE_KINDS && options->kind != kind)
		return failed(why, "%s: the forest was trained on %s features, but --kind is %s",
		              options->forest, feature_kind_name(kind), feature_kind_name(options->kind));
	*ret = kind;
	return 0;
}

int load_forest(const struct options *options, struct predictor *ret, enum feature_kind *ret_kind,
                struct failure *why)
{
	struct forest forest __attribute__((cleanup(forest_done))) = {0};
	if (forest_read(options->forest, &forest, why) < 0 ||
	    kind_of_forest(&forest, options, ret_kind, why) < 0)
		return -1;
	return predictor_init(&forest, ret, why);
}

int check_records(const struct options *options, struct failure *why)
{
	char record[RECORD_NAME_SIZE];
	for (uint32_t i = 0; i < options->file_count; i++) {
		if (record_of_path(options->files[i], record, why) < 0)
			return -1;
	}
	return 0;
}

void print_record(const char *path)
{
	char record[RECORD_NAME_SIZE];
	struct failure why;
	if (record_of_path(path, record, &why) == 0)
		fputs(record, stdout);
}

bool tally_add(struct tally *t, const struct outcome *outcome, bool may_be_missing)
{
	if (outcome->code == OUTCOME_GOOD) {
		t->good++;
		return true;
	}
	if (outcome->code == OUTCOME_MISSING && may_be_missing) {
		t->missing++;
		return false;
	}
	t->bad++;
	fprintf(stderr, "ecg: %s\n", outcome->text);
	return false;
}

int tally_check(const struct tally *t, struct failure *why)
{
	uint32_t all = t->good + t->missing + t->bad;
	if (t->bad > 0)
		return failed(why, "%" PRIu32 " of %" PRIu32 " recordings cannot be used, see above", t->bad,
		              all);
	if (t->good == 0)
		return failed(why, "none of the %" PRIu32 " recordings is there; check --dir", all);
	if (t->missing > 0)
		fprintf(stderr,
		        "ecg: %" PRIu32 " of %" PRIu32 " recordings are not there and were left out\n",
		        t->missing, all);
	return 0;
}
