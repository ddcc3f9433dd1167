#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/nearest.h"

void option_list_done(struct option_list *list)
{
	free(list->items);
	*list = (struct option_list){0};
}

int option_list_add(struct option_list *list, const char *item, struct error *err)
{
	const char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return error_set(err, CELLA_ENOMEM, "no memory for the options");
	list->items = items;
	items[list->count++] = item;
	return 0;
}

int option_number(const char *text, uint64_t *ret_number, struct error *err)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno)
		return error_set(err, CELLA_EINVAL, "%s is not a whole number", text);
	*ret_number = v;
	return 0;
}

int option_time(const char *text, int64_t *ret_time, struct error *err)
{
	enum { SECONDS_LEAST = 9 }; /* digits */
	static const char *const formats[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"};
	uint64_t seconds;
	const char *number = text + (*text == '@');
	if ((*text == '@' || strspn(text, "0123456789") >= SECONDS_LEAST) &&
	    option_number(number, &seconds, NULL) == 0 && seconds <= INT64_MAX) {
		*ret_time = (int64_t)seconds;
		return 0;
	}
	for (size_t i = 0; i < array_count(formats); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, formats[i], &tm);
		const struct tm asked = tm;
		const time_t time = timegm(&tm);
		if (end && !*end && tm.tm_mday == asked.tm_mday && tm.tm_mon == asked.tm_mon) {
			*ret_time = time;
			return 0;
		}
	}
	return error_set(err, CELLA_EINVAL, "%.60s is no time, such as 2025-06-01 or 2025-06-01T12:00:00Z",
	                 text);
}

static int unit_shift(const char *unit)
{
	static const char letters[] = "KMGT";
	if (!*unit || strcmp(unit, "B") == 0)
		return 0;
	const char *letter = strchr(letters, *unit >= 'a' && *unit <= 'z' ? *unit - 32 : *unit);
	if (!letter || (unit[1] && strcmp(unit + 1, "B") != 0 && strcmp(unit + 1, "iB") != 0))
		return -1;
	return 10 * (int)(letter - letters + 1);
}

int option_size(const char *text, uint64_t *ret_size, struct error *err)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	int shift = unit_shift(end);
	if (text[0] < '0' || text[0] > '9' || shift < 0)
		return error_set(err, CELLA_EINVAL, "%s is not a size, such as 4096, 8M or 2G", text);
	if (errno || v > UINT64_MAX >> shift)
		return error_set(err, CELLA_EINVAL, "%s is larger than any memory", text);
	*ret_size = (uint64_t)v << shift;
	return 0;
}

static const char *name_of_option(const void *data, size_t index)
{
	const struct option *options = data;
	return options[index].name;
}

static const char *nearest_option(const struct option_table *table, const char *word)
{
	char name[NEAREST_NAME_MAX + 1] = {0};
	memcpy(name, word, min_of(strcspn(word, "="), (size_t)NEAREST_NAME_MAX));
	return nearest_name(name, name_of_option, table->options, table->count);
}

static int unknown_option(const struct option_table *table, const char *word, struct error *err)
{
	const char *nearest = nearest_option(table, word);
	int size = (int)min_of(strcspn(word, "="), (size_t)NEAREST_NAME_MAX);
	if (nearest)
		return error_set(err, CELLA_EINVAL, "there is no option %.*s; did you mean %s?", size, word,
		                 nearest);
	return error_set(err, CELLA_EINVAL, "there is no option %.*s", size, word);
}

/* Does `word` use this option? *ret_value is what follows in the same word, or NULL. */
static bool option_matches(const struct option *o, const char *word, const char **ret_value)
{
	size_t size = strlen(o->name);
	if (o->kind == OPTION_PASS || o->name[1] != '-') {
		if (strncmp(word, o->name, size) != 0 || (o->kind == OPTION_FLAG && word[size]))
			return false;
		*ret_value = word[size] ? word + size : NULL;
		return true;
	}
	if (strncmp(word, o->name, size) == 0 && (!word[size] || word[size] == '=')) {
		*ret_value = word[size] ? word + size + 1 : NULL;
		return true;
	}
	if (!o->brief || strncmp(word, o->brief, 2) != 0 || (o->kind == OPTION_FLAG && word[2]))
		return false;
	*ret_value = word[2] ? word + 2 : NULL;
	return true;
}

static int choose(const struct option *o, const char *text, int *ret_index, struct error *err)
{
	int index = 0;
	for (const char *choice = o->value; *choice; index++) {
		size_t size = strcspn(choice, "|");
		if (strlen(text) == size && strncmp(choice, text, size) == 0) {
			*ret_index = index;
			return 0;
		}
		choice += size + (choice[size] == '|');
	}
	return error_set(err, CELLA_EINVAL, "%s is none of %s", text, o->value);
}

static int store(const struct option *o, const char *word, const char *value, bool joined, void *field,
                 struct error *err)
{
	switch (o->kind) {
	case OPTION_FLAG: *(bool *)field = true; return 0;
	case OPTION_TEXT: *(const char **)field = value; return 0;
	case OPTION_SIZE: return option_size(value, field, err);
	case OPTION_NUMBER: return option_number(value, field, err);
	case OPTION_CHOICE: return choose(o, value, field, err);
	case OPTION_LIST: return option_list_add(field, value, err);
	case OPTION_PASS: break;
	}
	int rc = option_list_add(field, word, err);
	return rc == 0 && !joined ? option_list_add(field, value, err) : rc;
}

static const struct option *find_option(const struct option_table *table, const char *word,
                                        const char **ret_value)
{
	for (const struct option *o = table->options; o < table->options + table->count; o++)
		if (!(table->other && o->kind == OPTION_PASS) && option_matches(o, word, ret_value))
			return o;
	return NULL;
}

/* A word for table->other; a long option that looks like one of ours is a mistake. */
static int take_other(const struct option_table *table, char **argv, int *at_word, void *values,
                      struct error *err)
{
	const char *word = argv[*at_word];
	bool took_next = false;
	if (strncmp(word, "--", 2) == 0 && nearest_option(table, word))
		return unknown_option(table, word, err);
	int rc = table->other(values, word, argv[*at_word + 1], &took_next, err);
	*at_word += took_next;
	return rc;
}

/* Options that were given; a compiler's command line (table->other) may say something again. */
struct options_given {
	uint64_t bits[2];
};

static int note_given(const struct option_table *table, const struct option *o, struct options_given *given,
                      struct error *err)
{
	const size_t i = (size_t)(o - table->options), word = i / 64;
	const uint64_t bit = 1ull << i % 64;
	const bool takes_one = o->kind == OPTION_TEXT || o->kind == OPTION_SIZE || o->kind == OPTION_NUMBER ||
	                       o->kind == OPTION_CHOICE;
	if (word >= array_count(given->bits))
		return error_set(err, CELLA_EBUG, "a table of %zu options", table->count);
	if (takes_one && !table->other && given->bits[word] & bit)
		return error_set(err, CELLA_EINVAL, "%s is given twice: it takes one %s", o->name, o->value);
	given->bits[word] |= bit;
	return 0;
}

/* One option at argv[*at_word], with its value. */
static int take_option(const struct option_table *table, int argc, char **argv, int *at_word, void *values,
                       struct options_given *given, struct error *err)
{
	const char *word = argv[*at_word], *value = NULL;
	const struct option *o = find_option(table, word, &value);
	if (!o)
		return unknown_option(table, word, err);
	bool joined = value != NULL;
	if (o->kind == OPTION_FLAG && joined)
		return error_set(err, CELLA_EINVAL, "%s takes no value", o->name);
	if (o->kind != OPTION_FLAG && !joined) {
		if (*at_word + 1 >= argc)
			return error_set(err, CELLA_EINVAL, "%s needs a value: %s", word, o->value);
		value = argv[++*at_word];
	}
	int rc = note_given(table, o, given, err);
	if (rc < 0)
		return rc;
	rc = store(o, word, value, joined, (char *)values + o->offset, err);
	return rc < 0 && o->kind != OPTION_PASS ? error_prefix(err, rc, "%s: ", o->name) : rc;
}

int options_parse(const struct option_table *table, int argc, char **argv, void *values, size_t *ret_operands,
                  enum option_outcome *ret_outcome, struct error *err)
{
	struct options_given given = {0};
	size_t operands = 0;
	bool ended = false;
	for (int i = 1; i < argc; i++) {
		const char *value;
		if (table->other && strcmp(argv[i], "--help") != 0 && !find_option(table, argv[i], &value)) {
			int rc = take_other(table, argv, &i, values, err);
			if (rc < 0)
				return rc;
		} else if (ended || argv[i][0] != '-' || !argv[i][1]) {
			argv[1 + operands++] = argv[i];
			ended = ended || table->operands_end_options;
		} else if (strcmp(argv[i], "--") == 0) {
			ended = true;
		} else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			*ret_outcome = OPTION_HELP;
			return 0;
		} else {
			int rc = take_option(table, argc, argv, &i, values, &given, err);
			if (rc < 0)
				return rc;
		}
	}
	if (!table->other)
		argv[1 + operands] = NULL;
	*ret_operands = operands;
	*ret_outcome = OPTION_PARSED;
	return 0;
}
