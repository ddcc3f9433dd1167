#include "cli/verb.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "base/printable.h"

enum { HELP_COLUMN = 30, HELP_WIDTH = 90 };

int verb_misuse(const struct verb *verb, const struct error *err)
{
	fprintf(stderr, "cella %s: %s\nTry: cella %s --help\n", verb->name, err->text, verb->name);
	return VERB_USAGE;
}

bool verb_begin(const struct verb *verb, int argc, char **argv, void *values, int *ret_count, int *ret_status)
{
	struct error err = {0};
	enum option_outcome outcome;
	size_t count;
	*ret_status = VERB_USAGE;
	if (options_parse(&verb->table, argc, argv, values, &count, &outcome, &err) < 0) {
		verb_misuse(verb, &err);
	} else if (outcome == OPTION_HELP) {
		verb_print_help(verb, stdout);
		*ret_status = VERB_DONE;
	} else if ((int)count < verb->operands_min) {
		error_set(&err, CELLA_EINVAL, "something is missing on the command line: it wants %s",
		          verb->operands);
		verb_misuse(verb, &err);
	} else if ((int)count > verb->operands_max) {
		error_set(&err, CELLA_EINVAL, "unexpected operand %s", argv[1 + verb->operands_max]);
		verb_misuse(verb, &err);
	} else {
		*ret_count = (int)count;
		return true;
	}
	return false;
}

struct command_table {
	const char *rows;
	size_t row_size;
};

static const char *command_name(const void *data, size_t index)
{
	const struct command_table *table = data;
	const char *name;
	memcpy(&name, table->rows + index * table->row_size, sizeof(name));
	return name;
}

int verb_find_command(const char *word, const void *rows, size_t row_size, size_t count, size_t *ret_row,
                      struct error *err)
{
	const struct command_table table = {rows, row_size};
	for (size_t i = 0; i < count; i++)
		if (strcmp(command_name(&table, i), word) == 0) {
			*ret_row = i;
			return 0;
		}
	const char *nearest = nearest_name(word, command_name, &table, count);
	return error_set(err, CELLA_EINVAL, "there is no command %.100s%s%s%s", word,
	                 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

int verb_check_uses(const struct verb_use *uses, size_t count, unsigned allowed, const char *command,
                    struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (uses[i].given && !(uses[i].is & allowed))
			return error_set(err, CELLA_EINVAL, "%s is no option of %s", uses[i].name, command);
	return 0;
}

int verb_print_json(json_t *value, struct error *err)
{
	int rc = value ? json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;
	json_decref(value);
	if (rc < 0)
		return error_set(err, CELLA_EIO, "cannot print JSON");
	putchar('\n');
	return 0;
}

void verb_print_lines(const char *lines)
{
	cleanup_free char *shown = strdup(lines ? lines : "");
	if (!shown)
		return;
	printable(shown, strlen(shown), true);
	for (const char *at = shown; *at;) {
		const size_t size = strcspn(at, "\n");
		printf("  %.*s\n", (int)size, at);
		at += size + (at[size] == '\n');
	}
}

int verb_fail(const struct verb *verb, const struct error *err)
{
	fprintf(stderr, "cella %s: %s\n", verb->name, err->text);
	return VERB_FAILED;
}

int verb_option_head(const struct option *o, char *to, size_t size)
{
	const char *gap = !o->value                ? ""
	                  : o->kind == OPTION_PASS ? (o->name[1] && o->name[2] ? "" : " ")
	                                           : " ";
	return snprintf(to, size, "%s%s%s%s%s", o->brief ? o->brief : "", o->brief ? ", " : "", o->name, gap,
	                o->value ? o->value : "");
}

/* Words of `text` from column `from` on, broken at HELP_WIDTH. */
static void print_wrapped(const char *text, int from, FILE *to)
{
	int column = from;
	while (*text) {
		int size = (int)strcspn(text, " ");
		if (column > from && column + 1 + size > HELP_WIDTH) {
			fprintf(to, "\n%*s", from, "");
			column = from;
		}
		column += fprintf(to, "%s%.*s", column > from ? " " : "", size, text);
		text += size + (text[size] == ' ');
	}
	fputc('\n', to);
}

static void print_option(const struct option *o, FILE *to)
{
	char head[120];
	int size = verb_option_head(o, head, sizeof(head));
	fprintf(to, "  %s", head);
	if (2 + size + 2 > HELP_COLUMN)
		fprintf(to, "\n%*s", HELP_COLUMN, "");
	else
		fprintf(to, "%*s", HELP_COLUMN - 2 - size, "");
	print_wrapped(o->help, HELP_COLUMN, to);
}

static void print_indented(const char *text, FILE *to)
{
	while (*text) {
		int size = (int)strcspn(text, "\n");
		fprintf(to, "  %.*s\n", size, text);
		text += size + (text[size] == '\n');
	}
}

static void print_usage(const struct verb *verb, FILE *to)
{
	fprintf(to, "cella %s%s%s%s\n", verb->name, verb->table.count ? " [options]" : "",
	        *verb->operands ? " " : "", verb->operands);
}

void verb_print_help(const struct verb *verb, FILE *to)
{
	fputs("Usage: ", to);
	print_usage(verb, to);
	fprintf(to, "\n%s\n", verb->description);
	if (verb->table.count)
		fputs("\nOptions:\n", to);
	for (size_t i = 0; i < verb->table.count; i++)
		print_option(&verb->table.options[i], to);
	fputs("\nExample:\n", to);
	print_indented(verb->example, to);
}

void verb_print_manual(const struct verb *verb, FILE *to)
{
	fprintf(to, "\n## cella %s: %s\n\n```\n", verb->name, verb->summary);
	print_usage(verb, to);
	fprintf(to, "```\n\n%s\n", verb->description);
	if (verb->table.count)
		fputs("\n| option | |\n|---|---|\n", to);
	for (size_t i = 0; i < verb->table.count; i++) {
		char head[120];
		verb_option_head(&verb->table.options[i], head, sizeof(head));
		fputs("| `", to);
		for (const char *c = head; *c; c++)
			fprintf(to, "%s%c", *c == '|' ? "\\" : "", *c);
		fprintf(to, "` | %s |\n", verb->table.options[i].help);
	}
	fprintf(to, "\nExample:\n\n```\n%s\n```\n", verb->example);
}
