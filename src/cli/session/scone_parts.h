/*
 * What the parts of the converter share; for scone_*.c alone.
 *
 * Two texts are written at once: the one that is shown, and a trial, in which each placeholder has something
 * valid in its stead. The trial is parsed at the end; its lines know where in the source they come from.
 */
#ifndef CLI_SESSION_SCONE_PARTS_H
#define CLI_SESSION_SCONE_PARTS_H

#include "cli/session/scone.h"

struct scone {
	struct session_arena arena;
	const struct tree_node *root;
	struct session_text shown, trial;
	struct tree_place place;  /* where what is written comes from */
	struct tree_place *lines; /* of the trial */
	size_t line_count, line_capacity;
	struct scone_remark *remarks;
	size_t remark_count, remark_capacity;
	size_t placeholders;
	bool no_hardware; /* the source accepts programs that no hardware protects */
	bool wants_trial; /* the trial needs a key and a CA of its own */
	bool failed; /* memory */
};

/* What stands in both texts. The same twice, or with a placeholder. */
struct scone_text {
	const char *shown, *trial;
};
struct scone_item {
	struct scone_text text;
	struct tree_place place;
};
/* Fields are written one by one, `indent` blanks before each; of an item of a list the first has "- ". */
struct scone_map {
	unsigned indent;
	bool item;
};

/* ---- scone_write.c */

void scone_remark(struct scone *c, enum scone_kind kind, struct tree_place place, const char *format, ...)
	printf_like(4, 5);
struct scone_text scone_same(const char *text);
/* "<...>"; in the trial `trial`. The remark is the caller's. */
struct scone_text scone_placeholder(struct scone *c, const char *trial, const char *format, ...)
	printf_like(3, 4);
/* For a digest of `digits` hexadecimal digits; no two have the same in the trial. */
struct scone_text scone_placeholder_hex(struct scone *c, unsigned digits, const char *format, ...)
	printf_like(3, 4);
void scone_field(struct scone *c, struct scone_map *m, const char *key, struct tree_place place,
                 struct scone_text value);
void scone_list(struct scone *c, struct scone_map *m, const char *key, struct tree_place place,
                const struct scone_item *items, size_t count);
/* "KEY:"; the value is to be an indented map, or with `item` set a list of maps. */
struct scone_map scone_open(struct scone *c, struct scone_map *m, const char *key, struct tree_place place);
/* An empty line. */
void scone_gap(struct scone *c);
void scone_trial_only(struct scone *c, const char *text);

/* ---- scone_read.c */

/* A text that is there: neither a list or map nor `null`. NULL otherwise, also for NULL. */
const char *scone_string(const struct tree_node *node);
/* A member that has a value. */
const struct tree_node *scone_member(const struct tree_node *map, const char *key);
const char *scone_member_string(const struct tree_node *map, const char *key);
/* A list's items; what is no list is one item. */
const struct tree_node *scone_first(const struct tree_node *list);
const struct tree_node *scone_next(const struct tree_node *list, const struct tree_node *item);
size_t scone_count(const struct tree_node *list);
/* Is anything of a list a map, or a text? Otherwise nothing would come out of it. */
bool scone_has_maps(const struct tree_node *list);
bool scone_has_items(const struct tree_node *list);

/* The fields of a kind of map: `why` says what becomes of one that is not translated; NULL: it is. */
struct scone_known {
	const char *name;
	enum scone_kind kind;
	const char *why;
};
/* Remarks what is unknown or not translated. False: it is no map, which is remarked. */
bool scone_known_fields(struct scone *c, const struct tree_node *node, const char *what,
                        const struct scone_known *known, size_t count);

/* A name as ours may be: characters that it may not have become '-'. */
const char *scone_rename(struct scone *c, const char *name);
/* `name:`, with a remark if it is another one; a placeholder if there is none. */
void scone_name_field(struct scone *c, struct scone_map *m, const struct tree_node *map, const char *what);
/* The name of a session, also "../relative". */
struct scone_text scone_session_name(struct scone *c, struct tree_place place, const char *name);
/* Absolute, without needless parts; NULL: it cannot be. */
const char *scone_clean_path(struct scone *c, const char *path);
/* The same, or a placeholder. */
struct scone_text scone_path(struct scone *c, struct tree_place place, const char *path);
/* "1 year 2days" as our durations are, at most `most` seconds. */
struct scone_text scone_duration(struct scone *c, const struct tree_node *node, uint64_t most);
/* `$NAME`, which SCONE's command line replaces, is remarked. */
void scone_remark_variables(struct scone *c, struct tree_place place, const char *text);

/* `import`, `export`; `what` is "secret" or "volume". */
void scone_import(struct scone *c, struct scone_map *m, const struct tree_node *map, const char *what);
void scone_export(struct scone *c, struct scone_map *m, const struct tree_node *map, const char *what);

/* ---- scone_secrets.c */

enum scone_origin { SCONE_GENERATED, SCONE_GIVEN, SCONE_IMPORTED, SCONE_FOREIGN };
enum scone_origin scone_secret_origin(const struct tree_node *secret);
/* SESSION_KINDS: it says none, or one that we have not. */
enum session_kind scone_secret_kind(const struct scone *c, const struct tree_node *secret);
const struct tree_node *scone_find_secret(const struct scone *c, const char *name, size_t size);
/* Does a generated certificate get a key, or a CA, that the source does not name? */
bool scone_secret_gets_key(const struct scone *c, const struct tree_node *secret);
bool scone_secret_gets_issuer(const struct scone *c, const struct tree_node *secret);
void scone_secrets(struct scone *c);

/* ---- scone_text.c */

/* With its references to secrets. */
struct scone_text scone_expandable(struct scone *c, struct tree_place place, const char *text,
                                   enum session_place where);
void scone_command(struct scone *c, struct scone_map *m, const struct tree_node *service);
void scone_environment(struct scone *c, struct scone_map *m, const struct tree_node *service);

/* ---- scone_volumes.c, scone_services.c, scone_access.c */

void scone_volumes(struct scone *c);
void scone_images(struct scone *c);
void scone_security(struct scone *c);
void scone_services(struct scone *c);
void scone_creator(struct scone *c, struct scone_map *m);
void scone_access(struct scone *c);

#endif
