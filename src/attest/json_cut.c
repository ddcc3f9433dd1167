#include "attest/json_cut.h"

#include <string.h>

struct cursor {
	const char *at, *end;
};

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
		c->at++;
}

static bool skip_char(struct cursor *c, char wanted)
{
	skip_space(c);
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* Behind the quote that ends a string; at the one that begins it before. */
static bool skip_string(struct cursor *c)
{
	if (c->at == c->end || *c->at != '"')
		return false;
	for (c->at++; c->at < c->end; c->at++) {
		if (*c->at == '"') {
			c->at++;
			return true;
		}
		if (*c->at == '\\')
			c->at++;
	}
	c->at = c->end; /* an escape may have led beyond it */
	return false;
}

static bool ends_value(char at)
{
	return at == ',' || at == '}' || at == ']';
}

static bool skip_value(struct cursor *c, size_t depth)
{
	size_t level = 0;
	while (c->at < c->end) {
		const char at = *c->at;
		if (level == 0 && ends_value(at))
			return true;
		if (at == '"') {
			if (!skip_string(c))
				return false;
			continue;
		}
		if ((at == '{' || at == '[') && ++level > depth)
			return false;
		if (at == '}' || at == ']')
			level--;
		c->at++;
	}
	return false;
}

static bool cut_piece(struct cursor *c, size_t depth, struct json_piece *to)
{
	skip_space(c);
	to->name = c->at + 1;
	if (!skip_string(c))
		return false;
	to->name_size = (size_t)(c->at - to->name) - 1;
	if (!skip_char(c, ':'))
		return false;
	skip_space(c);
	to->value = c->at;
	if (!skip_value(c, depth))
		return false;
	const char *end = c->at;
	while (end > to->value && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r'))
		end--;
	to->size = (size_t)(end - to->value);
	return to->size > 0;
}

bool json_cut(const char *text, size_t size, size_t depth, struct json_piece *pieces, size_t capacity,
              size_t *ret_count)
{
	struct cursor c = {text, text + size};
	size_t count = 0;
	bool more = skip_char(&c, '{');
	if (!more)
		return false;
	while (more) {
		if (count == capacity || !cut_piece(&c, depth, &pieces[count]))
			return false;
		count++;
		more = skip_char(&c, ',');
	}
	if (!skip_char(&c, '}'))
		return false;
	skip_space(&c);
	if (c.at != c.end)
		return false;
	*ret_count = count;
	return true;
}

bool json_piece_is(const struct json_piece *piece, const char *name)
{
	return piece->name_size == strlen(name) && strncmp(piece->name, name, piece->name_size) == 0;
}
