#include "options.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ecg_limits.h"

enum option_type { OPTION_TEXT, OPTION_NUMBER, OPTION_KIND, OPTION_SPLIT };

struct option {
	const char *name;
	uint32_t verbs;
	enum option_type type;
	size_t offset; /* in struct options */
	uint32_t least;
	uint32_t most;
};

static const struct option option_table[] = {
	{"--kind", VERB_FEATURES | VERB_TRAIN | VERB_PREDICT | VERB_EVALUATE, OPTION_KIND,
         offsetof(struct options, kind), 0, 0},
	{"--labels", VERB_TRAIN | VERB_EVALUATE, OPTION_TEXT, offsetof(struct options, labels), 0, 0},
	{"--dir", VERB_TRAIN | VERB_EVALUATE | VERB_SYNTH, OPTION_TEXT, offsetof(struct options, dir), 0, 0},
	{"--features", VERB_TRAIN | VERB_EVALUATE, OPTION_TEXT, offsetof(struct options, features), 0, 0},
	{"--forest", VERB_PREDICT | VERB_EVALUATE, OPTION_TEXT, offsetof(struct options, forest), 0, 0},
	{"--split", VERB_EVALUATE, OPTION_SPLIT, offsetof(struct options, split), 0, 0},
	{"-o", VERB_TRAIN, OPTION_TEXT, offsetof(struct options, output), 0, 0},
	{"--timings", VERB_PREDICT, OPTION_TEXT, offsetof(struct options, timings), 0, 0},
	{"--trees", VERB_TRAIN, OPTION_NUMBER, offsetof(struct options, trees), 1, FOREST_TREES_MAX},
	{"--seed", VERB_TRAIN | VERB_SYNTH, OPTION_NUMBER, offsetof(struct options, seed), 0, UINT32_MAX},
	{"--repeat", VERB_PREDICT, OPTION_NUMBER, offsetof(struct options, repeat), 1, REQUESTS_MAX},
	{"--count", VERB_SYNTH, OPTION_NUMBER, offsetof(struct options, count), 1, SYNTH_RECORDINGS_MAX},
};

static const struct option *option_find(enum verb verb, const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(option_table) / sizeof(option_table[0]); i++) {
		const struct option *o = &option_table[i];
		if ((o->verbs & verb) && strlen(o->name) == size && memcmp(o->name, name, size) == 0)
			return o;
	}
	return NULL;
}

static int set_kind(const char *value, enum feature_kind *ret, struct failure *why)
{
	for (int kind = 0; kind < FEATURE_KINDS; kind++) {
		if (strcmp(value, feature_kind_name((enum feature_kind)kind)) == 0) {
			*ret = (enum feature_kind)kind;
			return 0;
		}
	}
	return failed(why, "--kind is '%.40s', expected compact or spectrogram", value);
}

static int set_split(const char *value, enum split *ret, struct failure *why)
{
	if (strcmp(value, "train") == 0)
		*ret = SPLIT_TRAIN;
	else if (strcmp(value, "test") == 0)
		*ret = SPLIT_TEST;
	else if (strcmp(value, "all") == 0)
		*ret = SPLIT_NONE;
	else
		return failed(why, "--split is '%.40s', expected test, train or all", value);
	return 0;
}

static int option_set(const struct option *o, const char *value, struct options *options, struct failure *why)
{
	void *field = (char *)options + o->offset;
	uint32_t number;
	switch (o->type) {
	case OPTION_KIND: return set_kind(value, field, why);
	case OPTION_SPLIT: return set_split(value, field, why);
	case OPTION_TEXT: *(const char **)field = value; return 0;
	case OPTION_NUMBER:
		if (!text_u32(value, &number) || number < o->least || number > o->most)
			return failed(why, "%s is '%.40s', expected %" PRIu32 " to %" PRIu32, o->name, value,
			              o->least, o->most);
		*(uint32_t *)field = number;
		return 0;
	}
	return failed(why, "%s is not known", o->name);
}

/* The option at argv[*at], its value in the same argument behind '=' or in the next one. */
static int option_parse(enum verb verb, int argc, char **argv, int *at, struct options *options,
                        struct failure *why)
{
	const char *argument = argv[*at];
	const char *equals = strncmp(argument, "--", 2) == 0 ? strchr(argument, '=') : NULL;
	size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
	const struct option *o = option_find(verb, argument, size);
	if (!o)
		return failed(why, "%.*s is no option of this verb", (int)(size < 40 ? size : 40), argument);
	if (!equals && *at + 1 >= argc)
		return failed(why, "%s needs a value", o->name);
	return option_set(o, equals ? equals + 1 : argv[++*at], options, why);
}

int options_parse(enum verb verb, int argc, char **argv, struct options *ret, struct failure *why)
{
	struct options options = {
		.kind = FEATURE_KINDS,
		.split = SPLIT_TEST,
		.trees = 40,
		.count = 20,
		.files = (const char *const *)argv,
	};
	bool only_files = false;
	for (int i = 0; i < argc; i++) {
		if (!only_files && strcmp(argv[i], "--") == 0)
			only_files = true;
		else if (only_files || argv[i][0] != '-' || argv[i][1] == 0)
			argv[options.file_count++] = argv[i];
		else if (option_parse(verb, argc, argv, &i, &options, why) < 0)
			return -1;
	}
	if (options.file_count > RECORDINGS_MAX)
		return failed(why, "more than %d recordings", RECORDINGS_MAX);
	*ret = options;
	return 0;
}
