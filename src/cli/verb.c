#include "cli/verb.h"

#include <string.h>

enum { HELP_COLUMN = 30, HELP_WIDTH = 90 };

static int usage_error(const struct verb *verb, const char *text)
{
	fprintf(stderr, "cella %s: %s\nTry: cella %s --help\n", verb->name, text, verb->name);
	return VERB_USAGE;
}

bool verb_begin(const struct verb *verb, int argc, char **argv, void *values, int *ret_count, int *ret_status)
{
	struct error err = {0};
	enum option_outcome outcome;
	size_t count;
	*ret_status = VERB_USAGE;
	if (options_parse(&verb->table, argc, argv, values, &count, &outcome, &err) < 0) {
		usage_error(verb, err.text);
	} else if (outcome == OPTION_HELP) {
		verb_print_help(verb, stdout);
		*ret_status = VERB_DONE;
	} else if ((int)count < verb->operands_min) {
		error_set(&err, CELLA_EINVAL, "something is missing on the command line: it wants %s",
		          verb->operands);
		usage_error(verb, err.text);
	} else if ((int)count > verb->operands_max) {
		error_set(&err, CELLA_EINVAL, "unexpected operand %s", argv[1 + verb->operands_max]);
		usage_error(verb, err.text);
	} else {
		*ret_count = (int)count;
		return true;
	}
	return false;
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
