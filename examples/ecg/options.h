/* The command line: one table of options, each with the verbs that take it. */
#ifndef ECG_OPTIONS_H
#define ECG_OPTIONS_H

#include <stdint.h>

#include "failure.h"
#include "feature_set.h"
#include "tables.h"

enum verb {
	VERB_FEATURES = 1 << 0,
	VERB_TRAIN = 1 << 1,
	VERB_PREDICT = 1 << 2,
	VERB_EVALUATE = 1 << 3,
	VERB_SYNTH = 1 << 4,
};

struct options {
	enum feature_kind kind; /* FEATURE_KINDS: not named */
	enum split split;       /* SPLIT_NONE: all */
	const char *labels;     /* paths, NULL: not named */
	const char *dir;
	const char *features;
	const char *forest;
	const char *output;
	const char *timings;
	uint32_t trees;
	uint32_t seed;
	uint32_t repeat; /* 0: not named */
	uint32_t count;
	uint32_t file_count;
	const char *const *files;
};

/* The arguments behind the verb; options may stand behind files. Reorders argv. A failure is the user's
 * mistake. */
int options_parse(enum verb verb, int argc, char **argv, struct options *ret, struct failure *why) must_check;

#endif
