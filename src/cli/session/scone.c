#include "cli/session/scone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/session/scone_parts.h"

const char *scone_kind_name(enum scone_kind kind)
{
	static const char *const names[SCONE_KINDS] = {
		[SCONE_TRANSLATED] = "translated", [SCONE_CHANGED] = "changed",
		[SCONE_ADDED] = "added",           [SCONE_LEFT_OUT] = "left out",
		[SCONE_PLACEHOLDER] = "fill in",   [SCONE_UNKNOWN] = "unknown",
	};
	return names[kind];
}

/* ---- the session's own fields */

static const struct scone_known session_fields[] = {
	{"name", 0, NULL},
	{"version", 0, NULL},
	{"digest", SCONE_LEFT_OUT, "a session that is new needs no word for it"},
	{"predecessor", SCONE_LEFT_OUT,
         "sessions have other hashes here, and the first one has no predecessor (cella session calculate-hash)"},
	{"creator", 0, NULL},
	{"services", 0, NULL},
	{"secrets", 0, NULL},
	{"volumes", 0, NULL},
	{"images", 0, NULL},
	{"access_policy", 0, NULL},
	{"security", 0, NULL},
	{"secret_config", SCONE_LEFT_OUT, "secrets are kept by the CAS, encrypted, and nowhere else"},
};

static void put_name(struct scone *c, struct scone_map *m)
{
	const struct tree_node *node = scone_member(c->root, "name");
	struct tree_place place = node ? node->place : c->root->place;
	const char *name = scone_string(node);
	if (!name)
		scone_remark(c, SCONE_PLACEHOLDER, place, "the session has no name");
	scone_field(c, m, "name", place,
	            name ? scone_session_name(c, place, name)
	                 : scone_placeholder(c, "placeholder", "name of the session"));
}

static void put_version(struct scone *c, struct scone_map *m)
{
	const struct tree_node *node = scone_member(c->root, "version");
	const char *version = scone_string(node);
	if (!version || (strcmp(version, "0.3") != 0 && strncmp(version, "0.3.", 4) != 0))
		scone_remark(c, SCONE_CHANGED, node ? node->place : c->root->place,
		             "version: %.20s is not known here; it is read as 0.3",
		             version ? version : "none");
	scone_field(c, m, "version", node ? node->key_place : c->root->place, scone_same("0.1"));
}

static void put_session(struct scone *c)
{
	struct scone_map top = {0};
	if (!scone_known_fields(c, c->root, "a session", session_fields, array_count(session_fields)))
		return;
	put_name(c, &top);
	put_version(c, &top);
	scone_creator(c, &top);
	scone_security(c);
	scone_secrets(c);
	scone_volumes(c);
	scone_images(c);
	scone_services(c);
	scone_access(c);
}

/* ---- what comes out */

/* Where a line of the trial comes from. */
static struct tree_place source_of(const struct scone *c, size_t line)
{
	return c->line_count ? c->lines[min_of(line - 1, c->line_count - 1)] : c->root->place;
}

/* A mistake in the trial is one of the source; so is the line of another one that its text may name. */
static void move_mistakes(const struct scone *c, struct session_mistakes *m)
{
	static const char other[] = " begins in line ";
	for (size_t i = 0; i < min_of(m->count, (size_t)SESSION_MISTAKES_MAX); i++) {
		struct session_mistake *item = &m->items[i];
		struct tree_place place = source_of(c, item->line);
		char *number = strstr(item->text, other);
		number = number ? number + sizeof(other) - 1 : NULL;
		size_t line = number ? strtoul(number, NULL, 10) : 0;
		if (line)
			snprintf(number, sizeof(item->text) - (size_t)(number - item->text), "%u",
			         source_of(c, line).line);
		item->line = place.line;
		item->column = place.column;
	}
}

static int tell_first(const char *file, const struct session_mistakes *m, struct error *err)
{
	return error_set(err, CELLA_EFORMAT, "%.200s:%u:%u: %.600s", file, m->items[0].line,
	                 m->items[0].column, m->items[0].text);
}

static int try_session(const struct scone *c, const char *file, struct session_mistakes *ret_mistakes,
                       struct error *err)
{
	struct session *session = NULL;
	int rc = session_parse(file, c->trial.data, c->trial.size, NULL, ret_mistakes, &session, err);
	session_free(session);
	if (rc != CELLA_EFORMAT)
		return rc;
	move_mistakes(c, ret_mistakes);
	return tell_first(file, ret_mistakes, err);
}

static int compare_remarks(const void *a, const void *b)
{
	const struct scone_remark *left = a, *right = b;
	if (left->place.line != right->place.line)
		return left->place.line < right->place.line ? -1 : 1;
	if (left->place.column != right->place.column)
		return left->place.column < right->place.column ? -1 : 1;
	return left->kind != right->kind ? (left->kind < right->kind ? -1 : 1)
	                                 : strcmp(left->text, right->text);
}

static int translate(struct scone *c, const char *file, struct session_mistakes *ret_mistakes,
                     struct scone_result *ret, struct error *err)
{
	put_session(c);
	if (c->failed || c->arena.failed || c->shown.failed || c->trial.failed)
		return error_set(err, CELLA_ENOMEM, "%.200s: no memory for the session", file);
	int rc = try_session(c, file, ret_mistakes, err);
	if (rc < 0)
		return rc;
	if (c->remark_count)
		qsort(c->remarks, c->remark_count, sizeof(*c->remarks), compare_remarks);
	*ret = (struct scone_result){.session = c->shown,
	                             .remarks = c->remarks,
	                             .remark_count = c->remark_count,
	                             .placeholder_count = c->placeholders};
	c->shown = (struct session_text){0};
	c->remarks = NULL;
	return 0;
}

static int refuse(const char *file, struct tree_place place, const char *why,
                  struct session_mistakes *ret_mistakes, struct error *err)
{
	struct session_mistake *m = &ret_mistakes->items[0];
	*m = (struct session_mistake){.line = place.line, .column = place.column};
	snprintf(m->text, sizeof(m->text), "%s", why);
	ret_mistakes->count = 1;
	return tell_first(file, ret_mistakes, err);
}

int scone_convert(const char *file, const void *text, size_t size, struct session_mistakes *ret_mistakes,
                  struct scone_result *ret_result, struct error *err)
{
	struct scone c = {0};
	struct tree_problem problem = {0};
	int rc;
	*ret_mistakes = (struct session_mistakes){0};
	c.root = tree_read(text, size, &c.arena, &problem);
	if (c.arena.failed)
		rc = error_set(err, CELLA_ENOMEM, "%.200s: no memory for the session", file);
	else if (!c.root)
		rc = refuse(file, problem.place, problem.text, ret_mistakes, err);
	else if (c.root->kind != TREE_MAP)
		rc = refuse(file, c.root->place, "a session is a map of fields", ret_mistakes, err);
	else
		rc = translate(&c, file, ret_mistakes, ret_result, err);
	session_arena_done(&c.arena);
	session_text_done(&c.shown);
	session_text_done(&c.trial);
	free(c.lines);
	free(c.remarks);
	return rc;
}

void scone_result_done(struct scone_result *r)
{
	session_text_done(&r->session);
	free(r->remarks);
	*r = (struct scone_result){0};
}
