#include "cli/man.h"

#include <ctype.h>
#include <string.h>

static const char exit_status[] = "Exit status: ";

/* Characters that troff would take for its own are escaped. */
static void print_text(const char *text, size_t size, FILE *to)
{
	if (size && (text[0] == '.' || text[0] == '\''))
		fputs("\\&", to);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\\')
			fputs("\\e", to);
		else if (text[i] == '-')
			fputs("\\-", to);
		else
			fputc(text[i], to);
	}
	fputc('\n', to);
}

static void print_string(const char *text, FILE *to)
{
	print_text(text, strlen(text), to);
}

static void print_head(const char *name, const char *summary, const char *version, FILE *to)
{
	fputs(".TH ", to);
	for (const char *c = name; *c; c++)
		fputc(toupper((unsigned char)*c), to);
	fprintf(to, " 1 \"\" \"Cella %s\" \"Cella\"\n.nh\n.SH NAME\n%s \\- %s\n", version, name, summary);
}

/* "name  what it is" is an entry of a list, which indented lines go on with; all else is running text. */
static void print_description(const char *text, const char *end, FILE *to)
{
	bool in_list = false;
	while (text < end) {
		size_t size = strcspn(text, "\n"), indent = strspn(text, " ");
		const char *gap = indent ? NULL : memmem(text, size, "  ", 2);
		if (indent && in_list) {
			print_text(text + indent, size - indent, to);
			text += size + (text[size] == '\n');
			continue;
		}
		if (gap) {
			fputs(".TP\n.B ", to);
			print_text(text, (size_t)(gap - text), to);
			const char *entry = gap + strspn(gap, " ");
			print_text(entry, size - (size_t)(entry - text), to);
		} else {
			fputs(in_list ? ".PP\n" : "", to);
			print_text(text, size, to);
		}
		in_list = gap != NULL;
		text += size + (text[size] == '\n');
	}
}

static void print_example(const char *text, FILE *to)
{
	fputs(".SH EXAMPLES\n.EX\n", to);
	while (*text) {
		size_t size = strcspn(text, "\n");
		print_text(text, size, to);
		text += size + (text[size] == '\n');
	}
	fputs(".EE\n", to);
}

static void print_see_also(const char *own, const struct verb *const *verbs, size_t count, FILE *to)
{
	fprintf(to, ".SH SEE ALSO\n%s", *own ? ".BR cella (1)" : "");
	bool first = !*own;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(verbs[i]->name, own) == 0)
			continue;
		fprintf(to, "%s.BR cella\\-%s (1)", first ? "" : ",\n", verbs[i]->name);
		first = false;
	}
	fputs("\n", to);
}

void man_print_verb(const struct verb *verb, const char *version, const struct verb *const *others,
                    size_t count, FILE *to)
{
	char text[120];
	snprintf(text, sizeof(text), "cella-%s", verb->name);
	print_head(text, verb->summary, version, to);
	snprintf(text, sizeof(text), "%s%s%s", verb->table.count ? "[options]" : "",
	         verb->table.count && *verb->operands ? " " : "", verb->operands);
	fprintf(to, ".SH SYNOPSIS\n.B cella %s\n", verb->name);
	print_string(text, to);
	const char *end = verb->description + strlen(verb->description);
	const char *status = strstr(verb->description, exit_status);
	fputs(".SH DESCRIPTION\n", to);
	print_description(verb->description, status ? status : end, to);
	fputs(verb->table.count ? ".SH OPTIONS\n" : "", to);
	for (size_t i = 0; i < verb->table.count; i++) {
		verb_option_head(&verb->table.options[i], text, sizeof(text));
		fputs(".TP\n.B ", to);
		print_string(text, to);
		print_string(verb->table.options[i].help, to);
	}
	if (status) {
		fputs(".SH EXIT STATUS\n", to);
		print_description(status + sizeof(exit_status) - 1, end, to);
	}
	print_example(verb->example, to);
	print_see_also(verb->name, others, count, to);
}

void man_print_program(const char *description, const char *example, const char *version,
                       const struct verb *const *verbs, size_t count, FILE *to)
{
	print_head("cella", "run programs on machines that their owner does not trust", version, to);
	fputs(".SH SYNOPSIS\n.B cella\nVERB [options] [operands]\n.SH DESCRIPTION\n", to);
	print_description(description, description + strlen(description), to);
	fputs(".SH VERBS\n", to);
	for (size_t i = 0; i < count; i++) {
		fprintf(to, ".TP\n.BR cella\\-%s (1)\n", verbs[i]->name);
		print_string(verbs[i]->summary, to);
	}
	fputs(".TP\n.B cella help VERB\nshow the help of a verb\n.TP\n.B cella \\-\\-version\nprint the version\n",
	      to);
	print_example(example, to);
	print_see_also("", verbs, count, to);
}
