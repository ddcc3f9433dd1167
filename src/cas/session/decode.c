#include "cas/session/decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/nearest.h"
#include "base/printable.h"

enum { QUOTES = 4, QUOTE_SIZE = 60, LIST_SIZE = 480, NEAREST_PART = 3 };

void decode_mistake(struct decoder *d, struct tree_place place, const char *format, ...)
{
	struct session_mistakes *m = d->mistakes;
	if (m->count++ >= SESSION_MISTAKES_MAX)
		return;
	struct session_mistake *item = &m->items[m->count - 1];
	va_list args;
	va_start(args, format);
	item->line = place.line;
	item->column = place.column;
	vsnprintf(item->text, sizeof(item->text), format, args);
	va_end(args);
	printable(item->text, strlen(item->text), false);
}

const char *decode_quote(const char *text)
{
	static _Thread_local char quotes[QUOTES][QUOTE_SIZE];
	static _Thread_local unsigned next;
	char *to = quotes[next++ % QUOTES];
	int shown = QUOTE_SIZE - 8;
	snprintf(to, QUOTE_SIZE, "\"%.*s%s\"", shown, text, strlen(text) > (size_t)shown ? "..." : "");
	return to;
}

/* Is `word` the beginning or the end of `name`? */
static bool is_part(const char *word, const char *name)
{
	size_t size = strlen(word), whole = strlen(name);
	return size >= NEAREST_PART && size < whole &&
	       (strncmp(name, word, size) == 0 || strcmp(name + whole - size, word) == 0);
}

const char *decode_nearest(const struct decoder *d, const char *word,
                           const char *(*name_of)(const void *data, size_t index), const void *data,
                           size_t count)
{
	if (d->mistakes->count >= SESSION_MISTAKES_MAX)
		return NULL;
	const char *nearest = nearest_name(word, name_of, data, count);
	for (size_t i = 0; !nearest && i < count; i++)
		nearest = is_part(word, name_of(data, i)) ? name_of(data, i) : NULL;
	return nearest;
}

const char *decode_meant(const char *nearest, char to[MEANT_SIZE])
{
	to[0] = '\0';
	if (nearest)
		snprintf(to, MEANT_SIZE, "; did you mean \"%s\"?", nearest);
	return to;
}

/* "a, b, c" */
static const char *list_names(const char *(*name_of)(const void *data, size_t index), const void *data,
                              size_t count, char to[LIST_SIZE])
{
	size_t used = 0;
	to[0] = '\0';
	for (size_t i = 0; i < count && used < LIST_SIZE; i++)
		used += (size_t)snprintf(to + used, LIST_SIZE - used, "%s%s", i ? ", " : "",
		                         name_of(data, i));
	return to;
}

/* ---- maps */

static const char *name_of_field(const void *data, size_t index)
{
	const struct field *fields = data;
	return fields[index].name;
}

static void unknown_field(struct decoder *d, const struct tree_node *node, const struct shape *shape)
{
	char list[LIST_SIZE], meant[MEANT_SIZE];
	const char *nearest = decode_nearest(d, node->key, name_of_field, shape->fields, shape->count);
	list_names(name_of_field, shape->fields, shape->count, list);
	decode_mistake(d, node->key_place, "%s has no field %s%s Its fields: %s", shape->what,
	               decode_quote(node->key), nearest ? decode_meant(nearest, meant) : ".", list);
}

static bool shape_has(const struct shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->count; i++)
		if (strcmp(shape->fields[i].name, name) == 0)
			return true;
	return false;
}

static const char *const kind_names[] =
	{[TREE_TEXT] = "a text", [TREE_LIST] = "a list", [TREE_MAP] = "a map"};

bool decode_map(struct decoder *d, const struct tree_node *node, const struct shape *shape, void *to)
{
	if (node->kind != TREE_MAP) {
		decode_mistake(d, node->place, "%s is a map of fields; here is %s", shape->what,
		               kind_names[node->kind]);
		return false;
	}
	for (const struct tree_node *n = node->first; n; n = n->next)
		if (!shape_has(shape, n->key))
			unknown_field(d, n, shape);
	for (size_t i = 0; i < shape->count; i++) {
		const struct field *f = &shape->fields[i];
		const struct tree_node *member = tree_member(node, f->name);
		if (member)
			f->decode(d, member, (char *)to + f->offset);
		else if (f->required)
			decode_mistake(d, node->place, "%s needs the field \"%s\"", shape->what, f->name);
	}
	return true;
}

/* ---- lists */

void *decode_list(struct decoder *d, const struct tree_node *node, const struct list_shape *shape,
                  size_t *ret_count)
{
	bool single = shape->single && node->kind != TREE_LIST;
	const struct tree_node *first = single ? node : node->first;
	size_t count = single ? 1 : node->count, i = 0;
	if (!single && node->kind != TREE_LIST)
		decode_mistake(d, node->place, "%s: a list is wanted; here is %s", shape->what,
		               kind_names[node->kind]);
	else if (count == 0)
		decode_mistake(d, node->place, "%s: the list is empty", shape->what);
	else if (count > shape->most)
		decode_mistake(d, node->place, "%s: %zu, and there may be %zu", shape->what, count,
		               shape->most);
	else if ((single || node->kind == TREE_LIST)) {
		uint8_t *items = session_arena_take(d->arena, count * shape->size);
		for (const struct tree_node *n = first; items && i < count; n = n->next, i++)
			shape->decode(d, n, items + i * shape->size);
		*ret_count = items ? count : 0;
		return items;
	}
	*ret_count = 0;
	return NULL;
}

void decode_unique(struct decoder *d, const struct tree_node *node, const char *what, const void *items,
                   size_t size, size_t count)
{
	const struct tree_node *n = node->first;
	for (size_t i = 0; i < count; i++, n = n->next) {
		const char *const *name = (const void *)((const char *)items + i * size);
		const struct tree_node *other = node->first;
		for (size_t j = 0; *name && j < i; j++, other = other->next) {
			const char *const *earlier = (const void *)((const char *)items + j * size);
			if (*earlier && strcmp(*name, *earlier) == 0) {
				decode_mistake(d, n->place,
				               "two %s have the name %s; the other one begins in line %u",
				               what, decode_quote(*name), other->place.line);
				break;
			}
		}
	}
}

/* ---- texts */

static bool is_null(const struct tree_node *node)
{
	return node->plain &&
	       (node->size == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0 ||
	        strcmp(node->text, "Null") == 0 || strcmp(node->text, "NULL") == 0);
}

const char *decode_text(struct decoder *d, const struct tree_node *node)
{
	if (node->kind != TREE_TEXT)
		decode_mistake(d, node->place, "a text is wanted; here is %s", kind_names[node->kind]);
	else if (is_null(node))
		decode_mistake(d, node->place, "here is no value; write \"\" for an empty text");
	else if (node->size > SESSION_STRING_MAX)
		decode_mistake(d, node->place, "%zu bytes, and a text may have %d", node->size,
		               SESSION_STRING_MAX);
	else
		return session_arena_copy(d->arena, node->text, node->size);
	return NULL;
}

const char *decode_word(struct decoder *d, const struct tree_node *node)
{
	const char *text = decode_text(d, node);
	if (text && !*text)
		decode_mistake(d, node->place, "the text is empty");
	else if (text && strpbrk(text, "\n\t"))
		decode_mistake(d, node->place, "the text has line ends or tabs, which it may not");
	else
		return text;
	return NULL;
}

static const char *name_of_choice(const void *data, size_t index)
{
	const char *const *names = data;
	return names[index];
}

int decode_choice(struct decoder *d, const struct tree_node *node, const char *what, const char *const *names,
                  size_t count)
{
	const char *word = decode_word(d, node);
	for (size_t i = 0; word && i < count; i++)
		if (strcmp(word, names[i]) == 0)
			return (int)i;
	if (!word)
		return -1;
	char list[LIST_SIZE], meant[MEANT_SIZE];
	const char *nearest = decode_nearest(d, word, name_of_choice, names, count);
	list_names(name_of_choice, names, count, list);
	decode_mistake(d, node->place, "there is no %s %s%s There are: %s", what, decode_quote(word),
	               nearest ? decode_meant(nearest, meant) : ".", list);
	return -1;
}

bool decode_hex(struct decoder *d, const struct tree_node *node, const char *what, uint8_t *to, size_t size)
{
	const char *text = decode_word(d, node);
	if (!text)
		return false;
	if (text[0] == '<') {
		decode_mistake(d, node->place, "%s is %zu hexadecimal digits; %s is to be filled in", what,
		               2 * size, decode_quote(text));
		return false;
	}
	if (node->size != 2 * size || !io_unhex(text, size, to)) {
		decode_mistake(d, node->place, "%s is %zu hexadecimal digits; here %s %zu characters%s", what,
		               2 * size, node->size == 1 ? "is" : "are", node->size,
		               node->size == 2 * size ? ", not all of them digits" : "");
		return false;
	}
	return true;
}

/* ---- numbers */

/* Digits without a leading zero; *ret_rest is what follows. False: none, or more than fit. */
static bool read_digits(const char *text, uint64_t *ret_number, const char **ret_rest)
{
	uint64_t v = 0;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || (digits > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < digits; i++)
		v = v * 10 + (uint64_t)(text[i] - '0');
	*ret_number = v;
	*ret_rest = text + digits;
	return true;
}

void decode_number(struct decoder *d, const struct tree_node *node, uint64_t least, uint64_t most,
                   uint64_t *to)
{
	uint64_t v;
	const char *rest, *text = decode_word(d, node);
	if (!text)
		return;
	if (!read_digits(text, &v, &rest) || *rest || v < least || v > most)
		decode_mistake(d, node->place, "a whole number from %llu to %llu is wanted, not %s",
		               (unsigned long long)least, (unsigned long long)most, decode_quote(text));
	else
		*to = v;
}

void decode_duration(struct decoder *d, const struct tree_node *node, uint64_t most, uint64_t *to)
{
	static const struct {
		char unit;
		uint64_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	uint64_t v = 0, s = 0;
	const char *rest = "", *text = decode_word(d, node);
	if (!text)
		return;
	if (read_digits(text, &v, &rest))
		for (size_t i = 0; i < array_count(units); i++)
			s = *rest == units[i].unit && !rest[1] ? units[i].s : s;
	if (v == 0 || s == 0)
		decode_mistake(d, node->place, "a time such as 90s, 15m, 24h or 7d is wanted, not %s",
		               decode_quote(text));
	else if (v > most / s)
		decode_mistake(d, node->place, "%s is more than the %llud that may be", decode_quote(text),
		               (unsigned long long)most / 86400);
	else
		*to = v * s;
}

/* ---- names */

/* What is wrong with it, or NULL. */
static const char *name_problem(const char *name, size_t size)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	if (size == 0 || size > SESSION_NAME_MAX)
		return "has 1 to 63 characters";
	if (!strchr(letters, name[0]))
		return "begins with a letter or digit";
	for (size_t i = 0; i < size; i++)
		if (!strchr(letters, name[i]) && !strchr("_.-", name[i]))
			return "has letters, digits, '_', '.' and '-' alone";
	return NULL;
}

void decode_name(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *name = decode_word(d, node);
	const char *problem = name ? name_problem(name, node->size) : NULL;
	if (problem)
		decode_mistake(d, node->place, "a name %s; this is %s", problem, decode_quote(name));
	else if (name)
		*(const char **)to = name;
}

void decode_session_name(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *name = decode_word(d, node), *problem = NULL;
	if (!name)
		return;
	for (const char *at = name; !problem; at++) {
		size_t size = strcspn(at, "/");
		problem = name_problem(at, size);
		at += size;
		if (!*at)
			break;
	}
	if (!problem && node->size > SESSION_WHOLE_NAME_MAX)
		problem = "has 255 characters at most with its namespace";
	if (problem)
		decode_mistake(d, node->place,
		               "a session's name (and each part of it between '/') %s; this is %s", problem,
		               decode_quote(name));
	else
		*(const char **)to = name;
}

void decode_path(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *path = decode_word(d, node), *problem = NULL;
	if (!path)
		return;
	if (*path != '/')
		problem = "begins with '/'";
	else if (node->size > SESSION_PATH_MAX)
		problem = "has 1023 bytes at most";
	for (const char *at = path + 1; !problem && *path == '/' && path[1]; at++) {
		size_t size = strcspn(at, "/");
		if (size == 0)
			problem = "has no empty parts and no '/' at its end";
		else if (at[0] == '.' && (size == 1 || (size == 2 && at[1] == '.')))
			problem = "has no \".\" and \"..\"";
		at += size;
		if (!*at)
			break;
	}
	if (problem)
		decode_mistake(d, node->place, "a path in a cell %s; this is %s", problem,
		               decode_quote(path));
	else
		*(const char **)to = path;
}

void decode_digest(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_digest *digest = to;
	digest->given = decode_hex(d, node, "a session's hash", digest->hash, sizeof(digest->hash));
}

/* ---- between sessions */

static const struct field import_fields[] = {
	{"session", true, decode_session_name, field_of(session_import, session)},
	{"name", false, decode_name, field_of(session_import, name)},
	{"session_hash", false, decode_digest, field_of(session_import, hash)},
};
static const struct shape import_shape = {"an import", import_fields, array_count(import_fields)};

void decode_import(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_map(d, node, &import_shape, to);
}

static const struct field peer_fields[] = {
	{"session", true, decode_session_name, field_of(session_peer, session)},
	{"session_hash", false, decode_digest, field_of(session_peer, hash)},
};
static const struct shape peer_shape = {"an export", peer_fields, array_count(peer_fields)};

static void decode_peer(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_peer *peer = to;
	if (node->kind == TREE_TEXT)
		decode_session_name(d, node, &peer->session);
	else
		decode_map(d, node, &peer_shape, peer);
}

void decode_export(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"export", sizeof(struct session_peer), SESSION_PEERS_MAX,
	                                        decode_peer, true};
	struct session_peers *peers = to;
	peers->items = decode_list(d, node, &shape, &peers->count);
	if (node->kind == TREE_LIST)
		decode_unique(d, node, "exports", peers->items, sizeof(*peers->items), peers->count);
}
