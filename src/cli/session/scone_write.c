/* Writes both texts of the converter, and its remarks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "cli/session/scone_parts.h"

enum { FLOW_COLUMNS = 80, HEX_MAX = 128 };

/* ---- remarks */

/* Room for one more; `*items` may move. */
static bool grow(struct scone *c, void **items, size_t size, size_t count, size_t *capacity)
{
	if (count < *capacity)
		return true;
	size_t more = *capacity ? 2 * *capacity : 64;
	void *larger = reallocarray(*items, more, size);
	if (!larger) {
		c->failed = true;
		return false;
	}
	*items = larger;
	*capacity = more;
	return true;
}

void scone_remark(struct scone *c, enum scone_kind kind, struct tree_place place, const char *format, ...)
{
	void *items = c->remarks;
	if (!grow(c, &items, sizeof(*c->remarks), c->remark_count, &c->remark_capacity))
		return;
	c->remarks = items;
	struct scone_remark *remark = &c->remarks[c->remark_count++];
	va_list args;
	va_start(args, format);
	*remark = (struct scone_remark){.place = place, .kind = kind};
	vsnprintf(remark->text, sizeof(remark->text), format, args);
	va_end(args);
	printable(remark->text, strlen(remark->text), false);
}

/* ---- texts */

struct scone_text scone_same(const char *text)
{
	return (struct scone_text){text, text};
}

static struct scone_text placeholder(struct scone *c, const char *trial, const char *format, va_list args)
{
	char text[200];
	vsnprintf(text, sizeof(text), format, args);
	printable(text, strlen(text), false);
	c->placeholders++;
	struct scone_text both = {session_arena_printf(&c->arena, "<%s>", text),
	                          session_arena_copy(&c->arena, trial, strlen(trial))};
	return both.shown && both.trial ? both : scone_same("");
}

struct scone_text scone_placeholder(struct scone *c, const char *trial, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct scone_text both = placeholder(c, trial, format, args);
	va_end(args);
	return both;
}

struct scone_text scone_placeholder_hex(struct scone *c, unsigned digits, const char *format, ...)
{
	char trial[HEX_MAX + 1];
	va_list args;
	snprintf(trial, sizeof(trial), "%0*zx", (int)digits, c->placeholders);
	va_start(args, format);
	struct scone_text both = placeholder(c, trial, format, args);
	va_end(args);
	return both;
}

/* ---- bytes of one of the texts */

static void put_bytes(struct scone *c, struct session_text *to, const char *text, size_t size)
{
	session_text_put(to, text, size);
	for (size_t i = 0; to == &c->trial && i < size; i++) {
		void *lines = c->lines;
		if (text[i] != '\n' || !grow(c, &lines, sizeof(*c->lines), c->line_count, &c->line_capacity))
			continue;
		c->lines = lines;
		c->lines[c->line_count++] = c->place;
	}
}

static void put(struct scone *c, struct session_text *to, const char *text)
{
	put_bytes(c, to, text, strlen(text));
}

static void pad(struct scone *c, struct session_text *to, unsigned blanks)
{
	for (unsigned i = 0; i < blanks; i++)
		put_bytes(c, to, " ", 1);
}

static void both(struct scone *c, const char *text)
{
	put(c, &c->shown, text);
	put(c, &c->trial, text);
}

static bool is_word(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || ch == '_';
}

/* Can it stand without quotes, also in a list in brackets? */
static bool is_plain(const char *text)
{
	static const char *const nulls[] = {"null", "Null", "NULL"};
	size_t size = strlen(text);
	bool option = text[0] == '-' && (is_word(text[1]) || (text[1] == '-' && is_word(text[2])));
	if (!option && !is_word(text[0]) && text[0] != '/' && !(text[0] == '$' && text[1]))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!is_word(text[i]) && !strchr("/.-+=@%$:", text[i]))
			return false;
	for (size_t i = 0; i < array_count(nulls); i++)
		if (strcmp(text, nulls[i]) == 0)
			return false;
	return text[size - 1] != ':';
}

/* Lines, of which none confuses whoever counts blanks. */
static bool is_block(const char *text)
{
	if (!strchr(text, '\n') || strchr(" \t\n", text[0]))
		return false;
	for (const char *line = text; *line;) {
		size_t size = strcspn(line, "\n");
		if (size && strspn(line, " \t") >= size)
			return false;
		line += size;
		if (strncmp(line, "\n\n", 2) == 0 && line[2] == '\0')
			return false;
		line += *line == '\n';
	}
	return true;
}

static void put_quoted(struct scone *c, struct session_text *to, const char *text)
{
	put(c, to, "\"");
	for (const char *at = text; *at; at++) {
		if (*at == '\n')
			put(c, to, "\\n");
		else if (*at == '\t')
			put(c, to, "\\t");
		else {
			if (*at == '"' || *at == '\\')
				put(c, to, "\\");
			put_bytes(c, to, at, 1);
		}
	}
	put(c, to, "\"");
}

static void put_block(struct scone *c, struct session_text *to, const char *text, unsigned indent)
{
	size_t whole = strlen(text);
	put(c, to, text[whole - 1] == '\n' ? "|" : "|-");
	for (const char *line = text; *line;) {
		size_t size = strcspn(line, "\n");
		put(c, to, "\n");
		pad(c, to, size ? indent : 0);
		put_bytes(c, to, line, size);
		line += size + (line[size] == '\n');
	}
}

/* Without the end of its line. `indent` is that of a block's lines; 0: none may be. */
static void put_scalar(struct scone *c, struct session_text *to, const char *text, unsigned indent)
{
	if (is_plain(text))
		put(c, to, text);
	else if (indent && is_block(text))
		put_block(c, to, text, indent);
	else
		put_quoted(c, to, text);
}

static void put_value(struct scone *c, struct scone_text value, unsigned indent)
{
	put_scalar(c, &c->shown, value.shown, indent);
	put_scalar(c, &c->trial, value.trial, indent);
	both(c, "\n");
}

/* ---- fields */

static void begin(struct scone *c, struct scone_map *m, const char *key, struct tree_place place)
{
	c->place = place;
	pad(c, &c->shown, m->indent);
	pad(c, &c->trial, m->indent);
	if (m->item) {
		both(c, "- ");
		m->indent += 2;
		m->item = false;
	}
	put_scalar(c, &c->shown, key, 0);
	put_scalar(c, &c->trial, key, 0);
	both(c, ":");
}

void scone_field(struct scone *c, struct scone_map *m, const char *key, struct tree_place place,
                 struct scone_text value)
{
	begin(c, m, key, place);
	both(c, " ");
	put_value(c, value, m->indent + 2);
}

struct scone_map scone_open(struct scone *c, struct scone_map *m, const char *key, struct tree_place place)
{
	begin(c, m, key, place);
	both(c, "\n");
	return (struct scone_map){.indent = m->indent + 2};
}

static bool fits_in_brackets(const struct scone_item *items, size_t count)
{
	size_t columns = 0;
	for (size_t i = 0; i < count; i++) {
		columns += strlen(items[i].text.shown) + 4;
		if (columns > FLOW_COLUMNS || strchr(items[i].text.shown, '\n'))
			return false;
	}
	return true;
}

void scone_list(struct scone *c, struct scone_map *m, const char *key, struct tree_place place,
                const struct scone_item *items, size_t count)
{
	begin(c, m, key, place);
	if (fits_in_brackets(items, count)) {
		both(c, " [");
		for (size_t i = 0; i < count; i++) {
			both(c, i ? ", " : "");
			put_scalar(c, &c->shown, items[i].text.shown, 0);
			put_scalar(c, &c->trial, items[i].text.trial, 0);
		}
		both(c, "]\n");
		return;
	}
	both(c, "\n");
	for (size_t i = 0; i < count; i++) {
		c->place = items[i].place;
		pad(c, &c->shown, m->indent + 2);
		pad(c, &c->trial, m->indent + 2);
		both(c, "- ");
		put_value(c, items[i].text, m->indent + 4);
	}
}

void scone_gap(struct scone *c)
{
	both(c, "\n");
}

void scone_trial_only(struct scone *c, const char *text)
{
	put(c, &c->trial, text);
}
