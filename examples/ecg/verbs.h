/* The verbs of the program: each returns 0, or -1 with *why. */
#ifndef ECG_VERBS_H
#define ECG_VERBS_H

#include <stdbool.h>

#include "extract.h"
#include "failure.h"
#include "options.h"
#include "predict.h"

int verb_features(const struct options *options, struct failure *why) must_check;
int verb_train(const struct options *options, struct failure *why) must_check;
int verb_predict(const struct options *options, struct failure *why) must_check;
int verb_evaluate(const struct options *options, struct failure *why) must_check;
int verb_synth(const struct options *options, struct failure *why) must_check;

/* The forest that the options name, and the kind of features that it was trained on. */
int load_forest(const struct options *options, struct predictor *ret, enum feature_kind *ret_kind,
                struct failure *why) must_check;

/* Whether the names of all files can stand in a CSV; the name of one that can. */
int check_records(const struct options *options, struct failure *why) must_check;
void print_record(const char *path);

/* What became of the recordings of a verb. */
struct tally {
	uint32_t good;
	uint32_t missing;
	uint32_t bad;
};

/* Count the outcome, and say on standard error why a recording is bad, or missing when that is no matter of
 * course. */
bool tally_add(struct tally *t, const struct outcome *outcome, bool may_be_missing);
/* A failure if recordings were bad, or none was good; else a line on standard error if some were missing. */
int tally_check(const struct tally *t, struct failure *why) must_check;

#endif
