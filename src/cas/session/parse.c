#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cas/session/decode.h"

#define SESSION_VERSION "0.1"

static void decode_version(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *version = decode_word(d, node);
	(void)to;
	if (version && strcmp(version, SESSION_VERSION) != 0)
		decode_mistake(d, node->place, "the session language has version %s here, not %s",
		               SESSION_VERSION, decode_quote(version));
}

static void decode_creator(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session *s = to;
	s->has_creator = decode_key_hash(d, node, "the hash of the creator's key", s->creator);
}

static void decode_namespaces(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"namespaces", sizeof(const char *), SESSION_NAMESPACES_MAX,
	                                        decode_name, true};
	struct session_strings *names = to;
	names->items = decode_list(d, node, &shape, &names->count);
	if (node->kind == TREE_LIST)
		decode_unique(d, node, "namespaces", names->items, sizeof(*names->items), names->count);
}

/* In this order: what is referred to comes first. */
static const struct field session_fields[] = {
	{"name", true, decode_session_name, field_of(session, name)},
	{"version", true, decode_version, 0},
	{"predecessor", false, decode_digest, field_of(session, predecessor)},
	{"creator", false, decode_creator, 0},
	{"namespaces", false, decode_namespaces, field_of(session, namespaces)},
	{"secrets", false, decode_secrets, 0},
	{"volumes", false, decode_volumes, 0},
	{"images", false, decode_images, 0},
	{"services", false, decode_services, 0},
	{"access_policy", false, decode_access, 0},
};
static const struct shape session_shape = {"a session", session_fields, array_count(session_fields)};

static int compare_mistakes(const void *a, const void *b)
{
	const struct session_mistake *left = a, *right = b;
	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->column < right->column ? -1 : left->column > right->column;
}

static int tell(const char *file, struct session_mistakes *m, struct error *err)
{
	size_t told = min_of(m->count, (size_t)SESSION_MISTAKES_MAX);
	char more[60] = "";
	qsort(m->items, told, sizeof(m->items[0]), compare_mistakes);
	if (m->count > 1)
		snprintf(more, sizeof(more), " (and %zu more mistake%s)", m->count - 1,
		         m->count > 2 ? "s" : "");
	return error_set(err, CELLA_EFORMAT, "%.200s:%u:%u: %s%s", file, m->items[0].line, m->items[0].column,
	                 m->items[0].text, more);
}

static void decode_session(struct session *s, const struct tree_node *root, struct session_mistakes *mistakes)
{
	struct decoder d = {.session = s, .arena = &s->arena, .mistakes = mistakes};
	struct session_access creator = {.who = SESSION_KEYS,
	                                 .keys.size = SESSION_KEY_HASH_SIZE,
	                                 .creator = true,
	                                 .at_least = 1};
	s->read = s->update = creator;
	decode_map(&d, root, &session_shape, s);
}

int session_parse(const char *file, const void *text, size_t size, struct mem_pool *pool,
                  struct session_mistakes *ret_mistakes, struct session **ret_session, struct error *err)
{
	struct session_arena tree __attribute__((cleanup(session_arena_done))) = {.pool = pool};
	struct session_mistakes *mistakes = calloc(1, sizeof(*mistakes));
	struct session *s = calloc(1, sizeof(*s));
	struct tree_problem problem = {0};
	int rc = error_set(err, CELLA_ENOMEM, "%.200s: no memory for the session", file);
	if (!mistakes || !s)
		goto out;
	s->arena.pool = pool;
	const struct tree_node *root = tree_read(text, size, &tree, &problem);
	if (root) {
		decode_session(s, root, mistakes);
	} else if (!tree.failed) {
		struct decoder d = {.mistakes = mistakes};
		decode_mistake(&d, problem.place, "%s", problem.text);
	}
	if (tree.failed || s->arena.failed)
		goto out;
	rc = mistakes->count ? tell(file, mistakes, err) : 0;
	if (ret_mistakes)
		*ret_mistakes = *mistakes;
	if (rc == 0)
		*ret_session = take_ptr(&s);
out:
	free(mistakes);
	session_free(s);
	return rc;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	session_arena_done(&s->arena);
	free(s);
}

/* Items that begin with their name. */
static const void *find(const void *items, size_t size, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		const char *const *at = (const void *)((const char *)items + i * size);
		if (*at && strcmp(*at, name) == 0)
			return at;
	}
	return NULL;
}

bool session_has_namespace_of(const struct session *s, const char *name)
{
	size_t size = strlen(s->name);
	if (strncmp(name, s->name, size) != 0 || name[size] != '/')
		return false;
	const char *rest = name + size + 1;
	for (size_t i = 0; i < s->namespaces.count; i++) {
		size_t part = strlen(s->namespaces.items[i]);
		if (strncmp(rest, s->namespaces.items[i], part) == 0 && rest[part] == '/')
			return true;
	}
	return false;
}

const struct session_service *session_service(const struct session *s, const char *name)
{
	return find(s->services, sizeof(*s->services), s->service_count, name);
}

const struct session_secret *session_secret(const struct session *s, const char *name)
{
	return find(s->secrets, sizeof(*s->secrets), s->secret_count, name);
}

const struct session_volume *session_volume(const struct session *s, const char *name)
{
	return find(s->volumes, sizeof(*s->volumes), s->volume_count, name);
}

const struct session_image *session_image(const struct session *s, const char *name)
{
	return find(s->images, sizeof(*s->images), s->image_count, name);
}
