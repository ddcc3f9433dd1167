/*
 * Options of a verb, as a table.
 *
 *     struct bake_options {
 *             uint64_t heap;
 *             bool quiet;
 *             struct option_list dirs;
 *     };
 *     static const struct option bake_table[] = {
 *             {"--heap", NULL, OPTION_SIZE, "SIZE", "memory at most", option_field(bake_options, heap)},
 *             {"--quiet", "-q", OPTION_FLAG, NULL, "say nothing", option_field(bake_options, quiet)},
 *             {"--dir", NULL, OPTION_LIST, "DIR", "a directory", option_field(bake_options, dirs)},
 *     };
 *
 * Defaults are what the structure holds before parsing. Long options are written `--heap 2G` or
 * `--heap=2G`, short ones `-o FILE` or `-oFILE`; `--` ends them. An option that takes one value is refused
 * when it comes twice: which of both is meant is not known. Strings point into argv.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char * */
	OPTION_SIZE,   /* uint64_t: bytes, with K, M, G or T for powers of 1,024 */
	OPTION_NUMBER, /* uint64_t */
	OPTION_CHOICE, /* int: index into `value`, the choices separated by '|' */
	OPTION_LIST,   /* struct option_list: one more at each use */
	OPTION_PASS,   /* struct option_list: the words as written; `name` is a prefix such as "-I" */
};

struct option {
	const char *name;  /* as written, such as "--heap" */
	const char *brief; /* such as "-o", or NULL */
	enum option_kind kind;
	const char *value; /* what help calls its value; NULL for a flag */
	const char *help;  /* one sentence without a full stop */
	size_t offset;     /* of the field in the verb's structure */
};
#define option_field(type, field) offsetof(struct type, field)

struct option_list {
	const char **items;
	size_t count;
};
/* Frees the array, not the strings. */
void option_list_done(struct option_list *list);
int option_list_add(struct option_list *list, const char *item, struct error *err) must_check;

struct option_table {
	const struct option *options;
	size_t count;
	bool operands_end_options; /* what follows the first operand is not ours */
	/* Not NULL: takes every word that is no option of the table, and the next one, too, if it belongs
	 * to that; rows of the kind OPTION_PASS are then for the help alone. */
	int (*other)(void *values, const char *word, const char *next, bool *ret_took_next,
	             struct error *err);
};

enum option_outcome { OPTION_PARSED, OPTION_HELP };

/* Parse argv[1..argc): fields into `values`; operands are moved to the front of argv + 1, counted,
 * and followed by NULL (argv has room for argc + 1). --help and -h give OPTION_HELP at once.
 * CELLA_EINVAL says what is wrong, with the nearest name for an unknown option. */
int options_parse(const struct option_table *table, int argc, char **argv, void *values, size_t *ret_operands,
                  enum option_outcome *ret_outcome, struct error *err) must_check;

/* "8M", "2GiB", "4096". */
int option_size(const char *text, uint64_t *ret_size, struct error *err) must_check;
int option_number(const char *text, uint64_t *ret_number, struct error *err) must_check;
/* Seconds since 1970: of a day or a second in UTC, or as they are, nine digits or more or behind an @. */
int option_time(const char *text, int64_t *ret_time, struct error *err) must_check;

#endif
