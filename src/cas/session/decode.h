/*
 * From a tree of YAML to structures, by tables of fields. For parse*.c alone.
 *
 * A mistake is noted and decoding goes on, so that all are told at once; what has one is left as it was.
 * Nothing that was decoded is used if there was any. Fields are decoded in the order of their table, not of
 * the text, so that what is referred to comes first.
 */
#ifndef CAS_SESSION_DECODE_H
#define CAS_SESSION_DECODE_H

#include "cas/session/session.h"
#include "cas/session/tree.h"

struct decoder {
	struct session *session; /* as far as it is decoded */
	struct session_arena *arena; /* its */
	struct session_mistakes *mistakes;
};

/* Tells a mistake; its text is made fit for a terminal. */
void decode_mistake(struct decoder *d, struct tree_place place, const char *format, ...) printf_like(3, 4);
/* A text that is no secret, in quotes, cut where it is long; valid until the next but three. */
const char *decode_quote(const char *text);

/* The name that was meant (the nearest, or one that begins or ends so), or NULL; NULL also once mistakes are
 * no longer told: it takes time. */
const char *decode_nearest(const struct decoder *d, const char *word,
                           const char *(*name_of)(const void *data, size_t index), const void *data,
                           size_t count);
/* "; did you mean "NAME"?", or "" for NULL; in `to`. */
enum { MEANT_SIZE = 120 };
const char *decode_meant(const char *nearest, char to[MEANT_SIZE]);

struct field {
	const char *name;
	bool required;
	void (*decode)(struct decoder *d, const struct tree_node *node, void *to);
	size_t offset; /* of what it decodes into */
};
#define field_of(type, member) offsetof(struct type, member)
struct shape {
	const char *what; /* "a service" */
	const struct field *fields;
	size_t count;
};
/* False if it is no map; `to` is the structure. */
bool decode_map(struct decoder *d, const struct tree_node *node, const struct shape *shape, void *to);

struct list_shape {
	const char *what; /* "services" */
	size_t size; /* of an item */
	size_t most;
	void (*decode)(struct decoder *d, const struct tree_node *node, void *to);
	/* A single one stands for a list of it. */
	bool single;
};
/* The items, zeroed before each is decoded; NULL and 0, and a mistake, if it is no list, or an empty one. */
void *decode_list(struct decoder *d, const struct tree_node *node, const struct list_shape *shape,
                  size_t *ret_count);
/* Items that begin with a name: no two may have the same. `what` is "services". */
void decode_unique(struct decoder *d, const struct tree_node *node, const char *what, const void *items,
                   size_t size, size_t count);

/* A text that is not empty and has no control characters: its characters, or NULL and a mistake. */
const char *decode_word(struct decoder *d, const struct tree_node *node);
/* One of the names; -1 and a mistake otherwise. `what` is "kind of secret". */
int decode_choice(struct decoder *d, const struct tree_node *node, const char *what, const char *const *names,
                  size_t count);
bool decode_hex(struct decoder *d, const struct tree_node *node, const char *what, uint8_t *to, size_t size);
/* Whole seconds of "90s", "15m", "24h", "7d", from 1 to `most`. */
void decode_duration(struct decoder *d, const struct tree_node *node, uint64_t most, uint64_t *to);
void decode_number(struct decoder *d, const struct tree_node *node, uint64_t least, uint64_t most,
                   uint64_t *to);
/* Any text, empty ones too, within SESSION_STRING_MAX. NULL: a mistake. */
const char *decode_text(struct decoder *d, const struct tree_node *node);

/* For tables: `to` is a const char *, or what the name says. */
void decode_name(struct decoder *d, const struct tree_node *node, void *to);
void decode_session_name(struct decoder *d, const struct tree_node *node, void *to);
void decode_path(struct decoder *d, const struct tree_node *node, void *to);
void decode_digest(struct decoder *d, const struct tree_node *node, void *to); /* struct session_digest */
void decode_import(struct decoder *d, const struct tree_node *node, void *to); /* struct session_import */
void decode_export(struct decoder *d, const struct tree_node *node, void *to); /* struct session_peers */

/* parse*.c: what parse.c puts together. */
void decode_secrets(struct decoder *d, const struct tree_node *node, void *to); /* struct session */
void decode_volumes(struct decoder *d, const struct tree_node *node, void *to); /* struct session */
void decode_images(struct decoder *d, const struct tree_node *node, void *to); /* struct session */
void decode_services(struct decoder *d, const struct tree_node *node, void *to); /* struct session */
void decode_attestation(struct decoder *d, const struct tree_node *node,
                        void *to); /* struct session_service */
void decode_machines(struct decoder *d, const struct tree_node *node,
                     void *to); /* struct session_requirements */
void decode_guests(struct decoder *d, const struct tree_node *node, void *to); /* struct session_secret */
void decode_tolerate(struct decoder *d, const struct tree_node *node,
                     void *to); /* struct session_tolerance */
void decode_access(struct decoder *d, const struct tree_node *node, void *to); /* struct session */
/* Does `path` lie at or below `top`? */
bool decode_lies_in(const char *path, const char *top);
/* A key's hash, or of a certificate in PEM that of its key. `what` is for mistakes. */
bool decode_key_hash(struct decoder *d, const struct tree_node *node, const char *what, uint8_t *to);
/* A text whose references to secrets are sound; NULL: a mistake. */
const char *decode_expandable(struct decoder *d, const struct tree_node *node, enum session_place place);

#endif
