#include "cas/audit/print.h"

#include <string.h>

#include "base/printable.h"
#include "crypto/x509.h"

enum { SHOWN_MAX = 2000, DIGEST_SHOWN = 16, DIGEST_LEAST = 40 };

/* A digest by its beginning, lines of reasons behind each other. */
static void print_text(const char *value, FILE *to)
{
	char text[SHOWN_MAX];
	size_t size = (size_t)snprintf(text, sizeof(text), "%s", value);
	size = min_of(size, sizeof(text) - 1);
	while (size && text[size - 1] == '\n')
		text[--size] = '\0';
	for (char *at = text; (at = strchr(at, '\n')); at++)
		*at = ';';
	printable(text, size, false);
	if (size >= DIGEST_LEAST && strspn(text, "0123456789abcdef") == size)
		fprintf(to, "%.*s...", DIGEST_SHOWN, text);
	else
		fputs(text, to);
}

static void print_member(const char *name, const json_t *value, FILE *to)
{
	char when[CERT_TIME_TEXT_SIZE];
	fputs("  ", to);
	print_text(name, to);
	fputc(' ', to);
	if (json_is_string(value)) {
		print_text(json_string_value(value), to);
		return;
	}
	if (json_is_integer(value) && strcmp(name, "until") == 0) {
		cert_time_text(json_integer_value(value), when);
		fputs(when, to);
		return;
	}
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	print_text(text ? text : "?", to);
	free(text);
}

void audit_print(const json_t *entry, FILE *to)
{
	const char *who = json_string_value(json_object_get(entry, "who"));
	const char *kind = json_string_value(json_object_get(entry, "kind"));
	char when[CERT_TIME_TEXT_SIZE];
	const char *name;
	json_t *value;
	cert_time_text(json_integer_value(json_object_get(entry, "time")), when);
	fprintf(to, "%" JSON_INTEGER_FORMAT "  %s  ", json_integer_value(json_object_get(entry, "number")),
	        when);
	print_text(kind ? kind : "?", to);
	if (who && *who)
		print_member("by", json_object_get(entry, "who"), to);
	json_object_foreach(json_object_get(entry, "what"), name, value) print_member(name, value, to);
	fputc('\n', to);
}
