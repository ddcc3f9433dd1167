#include "cas/session/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "cas/session/session.h"

struct builder {
	struct session_arena *arena;
	struct tree_problem *problem;
	struct tree_node *root, *open; /* the innermost list or map that is not at its end */
	const char *key; /* read, and its value is not */
	struct tree_place key_place;
	unsigned nodes, depth, documents;
};

static bool complain(struct tree_problem *problem, struct tree_place place, const char *format, ...)
	printf_like(3, 4);
static bool complain(struct tree_problem *problem, struct tree_place place, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	problem->place = place;
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	return false;
}

/* ---- characters */

/* Bytes of the UTF-8 character at the beginning, and which it is; 0: it is none. */
static size_t character_at(const uint8_t *at, size_t left, uint32_t *ret_point)
{
	static const uint32_t least[] = {[1] = 0, [2] = 0x80, [3] = 0x800, [4] = 0x10000};
	size_t size = at[0] < 0x80         ? 1
	              : at[0] >> 5 == 0x06 ? 2
	              : at[0] >> 4 == 0x0e ? 3
	              : at[0] >> 3 == 0x1e ? 4
	                                   : 0;
	if (size == 0 || size > left)
		return 0;
	uint32_t point = size == 1 ? at[0] : at[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	*ret_point = point;
	return point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ? 0 : size;
}

/* What a reader would not see as it is: control characters, and those that turn the direction of writing. */
static bool is_hidden(uint32_t point)
{
	return (point < ' ' && point != '\n' && point != '\t') || (point >= 0x7f && point <= 0x9f) ||
	       point == 0x200b || point == 0x200e || point == 0x200f ||
	       (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) ||
	       point == 0xfeff;
}

/* Of the whole text, or of a scalar, whose escapes may have brought anything: then `inside` is its place. */
static bool check_characters(const uint8_t *text, size_t size, const struct tree_place *inside,
                             struct tree_problem *problem)
{
	struct tree_place place = {1, 1};
	for (size_t i = 0, step; i < size; i += step) {
		uint32_t point = 0;
		step = character_at(text + i, size - i, &point);
		const struct tree_place *at = inside ? inside : &place;
		if (step == 0)
			return complain(problem, *at, "the byte 0x%02x is not UTF-8 here", text[i]);
		bool line_end = !inside && point == '\r' && i + 1 < size && text[i + 1] == '\n';
		if (is_hidden(point) && !line_end)
			return complain(problem, *at,
			                "the character U+%04X is not allowed: it cannot be seen", point);
		place.column++;
		if (point == '\n')
			place = (struct tree_place){place.line + 1, 1};
	}
	return true;
}

/* ---- the tree */

static struct tree_place place_of(yaml_mark_t mark)
{
	return (struct tree_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

const struct tree_node *tree_member(const struct tree_node *map, const char *key)
{
	for (const struct tree_node *n = map->kind == TREE_MAP ? map->first : NULL; n; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

static bool append(struct builder *b, struct tree_node *node)
{
	struct tree_node *parent = b->open;
	node->parent = parent;
	if (!parent) {
		b->root = node;
		return true;
	}
	node->key = b->key;
	node->key_place = b->key_place;
	b->key = NULL;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
	return true;
}

static struct tree_node *add_node(struct builder *b, enum tree_kind kind, const yaml_event_t *event)
{
	struct tree_place place = place_of(event->start_mark);
	if (++b->nodes > SESSION_NODES_MAX) {
		complain(b->problem, place, "more than %d values: a session may not have so many",
		         SESSION_NODES_MAX);
		return NULL;
	}
	struct tree_node *node = session_arena_take(b->arena, sizeof(*node));
	if (!node)
		return NULL;
	*node = (struct tree_node){.kind = kind, .place = place};
	append(b, node);
	return node;
}

static bool begin(struct builder *b, enum tree_kind kind, const yaml_event_t *event)
{
	if (b->open && b->open->kind == TREE_MAP && !b->key)
		return complain(b->problem, place_of(event->start_mark), "a field's name must be a text");
	if (++b->depth > SESSION_DEPTH_MAX)
		return complain(b->problem, place_of(event->start_mark),
		                "lists and maps lie more than %d deep in each other", SESSION_DEPTH_MAX);
	struct tree_node *node = add_node(b, kind, event);
	b->open = node ? node : b->open;
	return node != NULL;
}

static bool take_key(struct builder *b, const yaml_event_t *event)
{
	struct tree_place place = place_of(event->start_mark);
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	if (size == 0 || size > SESSION_PATH_MAX)
		return complain(b->problem, place, "a field's name has 1 to %d characters", SESSION_PATH_MAX);
	if (b->open->count >= SESSION_FIELDS_MAX)
		return complain(b->problem, place, "more than %d fields in one map", SESSION_FIELDS_MAX);
	b->key = session_arena_copy(b->arena, text, size);
	b->key_place = place;
	if (!b->key)
		return false;
	const struct tree_node *other = tree_member(b->open, b->key);
	if (other)
		return complain(b->problem, place, "\"%.80s\" stands here twice; the first is in line %u",
		                b->key, other->key_place.line);
	return true;
}

static bool take_scalar(struct builder *b, const yaml_event_t *event)
{
	const uint8_t *text = event->data.scalar.value;
	size_t size = event->data.scalar.length;
	struct tree_place place = place_of(event->start_mark);
	if (!check_characters(text, size, &place, b->problem))
		return false;
	if (b->open && b->open->kind == TREE_MAP && !b->key)
		return take_key(b, event);
	struct tree_node *node = add_node(b, TREE_TEXT, event);
	if (!node)
		return false;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = session_arena_copy(b->arena, text, size);
	node->size = size;
	return node->text != NULL;
}

static bool has_extras(struct builder *b, const yaml_event_t *event)
{
	bool scalar = event->type == YAML_SCALAR_EVENT, list = event->type == YAML_SEQUENCE_START_EVENT,
	     map = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *anchor = scalar ? event->data.scalar.anchor
	                            : list ? event->data.sequence_start.anchor
	                            : map  ? event->data.mapping_start.anchor
	                                   : NULL;
	const yaml_char_t *tag = scalar ? event->data.scalar.tag
	                         : list ? event->data.sequence_start.tag
	                         : map  ? event->data.mapping_start.tag
	                                : NULL;
	struct tree_place place = place_of(event->start_mark);
	if (anchor || event->type == YAML_ALIAS_EVENT)
		return !complain(b->problem, place,
		                 "anchors and aliases (& and *) are not allowed: write it out%s",
		                 event->type == YAML_ALIAS_EVENT ? ", or quote a text that begins with *"
		                                                 : "");
	if (tag)
		return !complain(b->problem, place, "tags (!) are not allowed: all values are texts");
	return false;
}

/* False: a problem, or memory. */
static bool take_event(struct builder *b, const yaml_event_t *event)
{
	if (has_extras(b, event))
		return false;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (event->data.document_start.version_directive ||
		    event->data.document_start.tag_directives.start !=
		            event->data.document_start.tag_directives.end)
			return complain(b->problem, place_of(event->start_mark),
			                "directives (%%) are not allowed");
		return ++b->documents == 1 || complain(b->problem, place_of(event->start_mark),
		                                       "a second document begins; a session is one");
	case YAML_SCALAR_EVENT: return take_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT: return begin(b, TREE_LIST, event);
	case YAML_MAPPING_START_EVENT: return begin(b, TREE_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		b->open = b->open ? b->open->parent : NULL;
		return true;
	default: return true;
	}
}

static bool explain(struct builder *b, const yaml_parser_t *parser)
{
	if (parser->error == YAML_MEMORY_ERROR) {
		b->arena->failed = true;
		return false;
	}
	const char *why = parser->problem ? parser->problem : "unknown error";
	return complain(b->problem, place_of(parser->problem_mark), "this is not YAML: %s%s%s",
	                parser->context ? parser->context : "", parser->context ? ": " : "", why);
}

static bool read_events(struct builder *b, yaml_parser_t *parser)
{
	for (bool ended = false; !ended;) {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event))
			return explain(b, parser);
		ended = event.type == YAML_STREAM_END_EVENT;
		bool ok = take_event(b, &event);
		yaml_event_delete(&event);
		if (!ok)
			return false;
	}
	return true;
}

const struct tree_node *tree_read(const void *text, size_t size, struct session_arena *arena,
                                  struct tree_problem *ret_problem)
{
	struct builder b = {.arena = arena, .problem = ret_problem};
	struct tree_place start = {1, 1};
	yaml_parser_t parser;
	if (size > SESSION_TEXT_MAX) {
		complain(ret_problem, start, "it is larger than %d bytes", SESSION_TEXT_MAX);
		return NULL;
	}
	if (size == 0) {
		complain(ret_problem, start, "it is empty");
		return NULL;
	}
	if (!check_characters(text, size, NULL, ret_problem))
		return NULL;
	unsigned long asked = tree_memory_count();
	if (!yaml_parser_initialize(&parser)) {
		arena->failed = true;
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text, size);
	bool ok = tree_memory_count() > asked
	                  ? read_events(&b, &parser)
	                  : complain(ret_problem, start,
	                             "libyaml does not take its memory from this program, "
	                             "so it would not be wiped; link it dynamically");
	yaml_parser_delete(&parser);
	if (ok && !b.root)
		complain(ret_problem, start, "it is empty");
	return ok ? b.root : NULL;
}
