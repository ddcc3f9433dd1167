/*
 * Verbs: `cella VERB [options] [operands]`, each one file of this folder and one struct verb.
 *
 *     const struct verb bake_verb = {
 *             .name = "bake",
 *             .operands = "FILE...",
 *             .summary = "bake files",
 *             .description = "Paragraphs for help and the manual.",
 *             .example = "cella bake bread.c",
 *             .table = {bake_table, array_count(bake_table), false},
 *             .operands_min = 1,
 *             .operands_max = VERB_ANY,
 *             .enter = verb_bake,
 *     };
 *
 *     int verb_bake(int argc, char **argv)
 *     {
 *             struct bake_options o = {.heap = 1 << 30};
 *             int status;
 *             if (!verb_begin(&bake_verb, argc, argv, &o, &argc, &status))
 *                     return status;
 *             ... argv[1..argc] are the operands ...
 *     }
 *
 * Help, `cella help`, docs/reference/cli.md and the man pages come from these texts.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/options.h"

enum {
	VERB_DONE = 0,
	VERB_FAILED = 1,
	VERB_USAGE = 2,
	VERB_ANY = 1 << 20, /* operands without a bound */
};

struct verb {
	const char *name;
	const char *operands;    /* for the usage line */
	const char *summary;     /* half a line for the list of verbs */
	const char *description; /* lines of at most 90 characters */
	const char *example;     /* command lines */
	struct option_table table;
	int operands_min;
	int operands_max;
	int (*enter)(int argc, char **argv); /* argv[0] is the verb's name; gives the exit status */
};

/* Parse the verb's options. True: *ret_count operands lie at argv[1]. False: *ret_status is the exit
 * status, 0 after --help was printed, VERB_USAGE after a mistake was explained. */
bool verb_begin(const struct verb *verb, int argc, char **argv, void *values, int *ret_count,
                int *ret_status);

/* "cella VERB: text" on standard error; returns VERB_FAILED. */
int verb_fail(const struct verb *verb, const struct error *err);
/* The same for a mistake on the command line, with where help is; returns VERB_USAGE. */
int verb_misuse(const struct verb *verb, const struct error *err);

/* Of verbs that have commands: the place of `word` in a table of `count` rows, each `row_size` bytes, that
 * begin with their name. CELLA_EINVAL with the nearest name. */
int verb_find_command(const char *word, const void *rows, size_t row_size, size_t count, size_t *ret_row,
                      struct error *err) must_check;

/* Of a verb's options one that not every command has. */
struct verb_use {
	bool given;
	unsigned is; /* bits of the commands' masks */
	const char *name;
};
/* CELLA_EINVAL for the first that is given and not in the mask `allowed` of the command. */
int verb_check_uses(const struct verb_use *uses, size_t count, unsigned allowed, const char *command,
                    struct error *err) must_check;

/* On standard output. Takes `value`; NULL, where memory ran out, is an error. */
int verb_print_json(json_t *value, struct error *err) must_check;

/* On standard output, each line indented; NULL: none. */
void verb_print_lines(const char *lines);

void verb_print_help(const struct verb *verb, FILE *to);
void verb_print_manual(const struct verb *verb, FILE *to); /* as Markdown */

/* "-o, --output FILE"; returns its length. */
int verb_option_head(const struct option *o, char *to, size_t size);

#endif
