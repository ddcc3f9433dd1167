/*
 * YAML as a tree of texts, lists and maps, read by libyaml (its event interface) and bounded: no anchors and
 * aliases, no tags, one document, no duplicate keys, limits of session.h. Every scalar is text, whatever it
 * looks like: `no` is the word "no".
 *
 * libyaml's own memory is wiped when it gives it back (cas/session/tree_memory.c); where it keeps to its own,
 * nothing is read.
 */
#ifndef CAS_SESSION_TREE_H
#define CAS_SESSION_TREE_H

#include <stdbool.h>

#include "cas/session/text.h"

enum tree_kind { TREE_TEXT, TREE_LIST, TREE_MAP };

struct tree_place {
	unsigned line, column; /* from 1 */
};

struct tree_node {
	enum tree_kind kind;
	struct tree_place place;
	bool plain; /* a text without quotes */
	const char *text; /* TREE_TEXT: ends with a zero byte and holds no other */
	size_t size;
	struct tree_node *first, *last; /* of a list or map */
	size_t count;
	const char *key; /* in a map; ends with a zero byte */
	struct tree_place key_place;
	struct tree_node *next, *parent;
};

struct tree_problem {
	struct tree_place place;
	char text[200];
};

/* The tree, in the arena; NULL: *ret_problem says why, or the arena has failed. */
const struct tree_node *tree_read(const void *text, size_t size, struct session_arena *arena,
                                  struct tree_problem *ret_problem);
/* NULL: it has none, or is no map. */
const struct tree_node *tree_member(const struct tree_node *map, const char *key);

/* cas/session/tree_memory.c: how often this thread has asked for memory there. */
unsigned long tree_memory_count(void);

#endif
