/* Reads what every part of a SCONE session has: fields, names, paths, times, other sessions. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/session/scone_parts.h"

enum { DAY_S = 86400, HASH_DIGITS = 2 * CRYPTO_SHA384_SIZE };

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/* ---- nodes */

static bool is_null(const struct tree_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	for (size_t i = 0; node->kind == TREE_TEXT && node->plain && i < array_count(nulls); i++)
		if (strcmp(node->text, nulls[i]) == 0)
			return true;
	return false;
}

const char *scone_string(const struct tree_node *node)
{
	return node && node->kind == TREE_TEXT && !is_null(node) ? node->text : NULL;
}

const struct tree_node *scone_member(const struct tree_node *map, const char *key)
{
	const struct tree_node *member = tree_member(map, key);
	return member && !is_null(member) ? member : NULL;
}

const char *scone_member_string(const struct tree_node *map, const char *key)
{
	return scone_string(scone_member(map, key));
}

const struct tree_node *scone_first(const struct tree_node *list)
{
	return list && list->kind == TREE_LIST ? list->first : list;
}

const struct tree_node *scone_next(const struct tree_node *list, const struct tree_node *item)
{
	return list->kind == TREE_LIST ? item->next : NULL;
}

size_t scone_count(const struct tree_node *list)
{
	return !list ? 0 : list->kind == TREE_LIST ? list->count : 1;
}

bool scone_has_maps(const struct tree_node *list)
{
	for (const struct tree_node *n = scone_first(list); n; n = scone_next(list, n))
		if (n->kind == TREE_MAP)
			return true;
	return false;
}

bool scone_has_items(const struct tree_node *list)
{
	for (const struct tree_node *n = scone_first(list); n; n = scone_next(list, n))
		if (n->kind == TREE_MAP || scone_string(n))
			return true;
	return false;
}

/* ---- fields */

static const char *name_of_known(const void *data, size_t index)
{
	const struct scone_known *known = data;
	return known[index].name;
}

static void remark_member(struct scone *c, const struct tree_node *n, const char *what,
                          const struct scone_known *known, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(known[i].name, n->key) != 0)
			continue;
		if (is_null(n))
			scone_remark(c, SCONE_LEFT_OUT, n->key_place, "%s: it has no value", n->key);
		else if (known[i].why)
			scone_remark(c, known[i].kind, n->key_place, "%s: %s", n->key, known[i].why);
		return;
	}
	const char *nearest = nearest_name(n->key, name_of_known, known, count);
	scone_remark(c, SCONE_UNKNOWN, n->key_place,
	             "%.60s: no such field of %s is known%s%s%s; it is left out", n->key, what,
	             nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

bool scone_known_fields(struct scone *c, const struct tree_node *node, const char *what,
                        const struct scone_known *known, size_t count)
{
	if (node->kind != TREE_MAP) {
		scone_remark(c, SCONE_LEFT_OUT, node->place, "%s is a map of fields, and here is none", what);
		return false;
	}
	for (const struct tree_node *n = node->first; n; n = n->next)
		remark_member(c, n, what, known, count);
	return true;
}

/* ---- names */

const char *scone_rename(struct scone *c, const char *name)
{
	size_t size = strlen(name);
	bool headless = !size || !strchr(letters, name[0]);
	char *to = session_arena_take(&c->arena, size + 2);
	if (!to)
		return "";
	to[0] = 'x';
	for (size_t i = 0; i < size; i++)
		to[headless + i] = strchr(letters, name[i]) || strchr("_.-", name[i]) ? name[i] : '-';
	if (size + headless > SESSION_NAME_MAX)
		to[SESSION_NAME_MAX] = '\0';
	return to;
}

void scone_name_field(struct scone *c, struct scone_map *m, const struct tree_node *map, const char *what)
{
	const struct tree_node *node = scone_member(map, "name");
	const char *name = scone_string(node), *renamed = name ? scone_rename(c, name) : "";
	char trial[40];
	if (name) {
		if (strcmp(name, renamed) != 0)
			scone_remark(
				c, SCONE_CHANGED, node->place,
				"the %s \"%.60s\" is \"%s\" here, where names have letters, digits, '_', '.' "
				"and '-', %d at most",
				what, name, renamed, SESSION_NAME_MAX);
		scone_remark_variables(c, node->place, name);
		scone_field(c, m, "name", node->place, scone_same(renamed));
		return;
	}
	snprintf(trial, sizeof(trial), "placeholder-%zu", c->placeholders);
	scone_remark(c, SCONE_PLACEHOLDER, map->place, "the %s has no name", what);
	scone_field(c, m, "name", map->place, scone_placeholder(c, trial, "name of the %s", what));
}

/* Appends parts of a name, each as ours are; ".." takes the last one away. False: there was none. */
static bool put_parts(struct scone *c, char *to, size_t size, const char *name)
{
	for (const char *at = name; *at;) {
		size_t part = strcspn(at, "/"), used = strlen(to);
		char *last = strrchr(to, '/');
		bool up = part == 2 && strncmp(at, "..", 2) == 0, here = part == 1 && *at == '.';
		if (up && !used)
			return false;
		if (up) {
			(last ? last : to)[0] = '\0';
		} else if (!here && part) {
			const char *copy = session_arena_copy(&c->arena, at, part);
			const char *clean = copy ? scone_rename(c, copy) : "";
			if (used + strlen(clean) + 2 > size)
				return false;
			snprintf(to + used, size - used, "%s%s", used ? "/" : "", clean);
		}
		at += part;
		at += *at == '/';
	}
	return true;
}

struct scone_text scone_session_name(struct scone *c, struct tree_place place, const char *name)
{
	char whole[SESSION_WHOLE_NAME_MAX + 1] = "";
	const char *own = scone_member_string(c->root, "name");
	bool relative = strncmp(name, "../", 3) == 0 || strncmp(name, "./", 2) == 0;
	bool known = !strchr(name, '$') && (!relative || (own && !strchr(own, '$')));
	if (relative && known)
		known = put_parts(c, whole, sizeof(whole), own);
	if (!known || !put_parts(c, whole, sizeof(whole), name) || !whole[0]) {
		scone_remark(c, SCONE_PLACEHOLDER, place, "\"%.60s\" is no session's name as it stands",
		             name);
		return scone_placeholder(c, "placeholder", "session %.100s", name);
	}
	if (strcmp(whole, name) != 0)
		scone_remark(c, relative ? SCONE_TRANSLATED : SCONE_CHANGED, place,
		             "the session \"%.60s\" is written \"%.120s\"", name, whole);
	const char *copy = session_arena_copy(&c->arena, whole, strlen(whole));
	return scone_same(copy ? copy : "");
}

void scone_remark_variables(struct scone *c, struct tree_place place, const char *text)
{
	for (const char *at = text; (at = strchr(at, '$')); at++) {
		if (at[1] == '$') {
			at++;
			continue;
		}
		size_t brace = at[1] == '{';
		size_t size = strspn(at + 1 + brace, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		if (!size || (at > text && at[-1] == '$'))
			continue;
		scone_remark(
			c, SCONE_CHANGED, place,
			"if \"$%.*s\" is a variable of SCONE's command line: here it is a text, so put its "
			"value in",
			(int)min_of(size, (size_t)40), at + 1 + brace);
		return;
	}
}

/* ---- paths */

const char *scone_clean_path(struct scone *c, const char *path)
{
	char *to = session_arena_take(&c->arena, strlen(path) + 2);
	size_t used = 0;
	if (!to || path[0] != '/' || strpbrk(path, "\n\t"))
		return NULL;
	for (const char *at = path; *at;) {
		size_t part = strcspn(at, "/");
		if (part == 2 && strncmp(at, "..", 2) == 0)
			return NULL;
		if (part && !(part == 1 && *at == '.')) {
			to[used++] = '/';
			memcpy(to + used, at, part);
			used += part;
		}
		at += part;
		at += *at == '/';
	}
	if (!used)
		to[0] = '/';
	return used <= SESSION_PATH_MAX ? to : NULL;
}

struct scone_text scone_path(struct scone *c, struct tree_place place, const char *path)
{
	char trial[40];
	const char *clean = scone_clean_path(c, path);
	if (clean)
		return scone_same(clean);
	snprintf(trial, sizeof(trial), "/placeholder-%zu", c->placeholders);
	scone_remark(c, SCONE_PLACEHOLDER, place,
	             "\"%.60s\" is no path as it stands: it begins with '/' and has no \"..\"", path);
	return scone_placeholder(c, trial, "path %.100s", path);
}

/* ---- times */

/* Seconds of one number with its unit, and what follows; 0: it is none. */
static uint64_t read_time(const char *at, const char **ret_rest)
{
	static const struct {
		const char *names;
		uint64_t s;
	} units[] = {
		{" s sec secs second seconds ", 1}, {" m min mins minute minutes ", 60},
		{" h hr hrs hour hours ", 3600},    {" d day days ", DAY_S},
		{" w week weeks ", 7 * DAY_S},      {" M month months ", 2630016},  /* 30.44 days */
		{" y year years ", 31557600},   /* 365.25 days */
	};
	uint64_t number = 0;
	size_t digits = strspn(at, "0123456789");
	for (size_t i = 0; digits <= 9 && i < digits; i++)
		number = number * 10 + (uint64_t)(at[i] - '0');
	at += digits;
	at += strspn(at, " ");
	size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyzM");
	char word[12];
	if (!size || size > sizeof(word) - 3 || digits > 9)
		return 0;
	snprintf(word, sizeof(word), " %.*s ", (int)size, at);
	*ret_rest = at + size;
	for (size_t i = 0; i < array_count(units); i++)
		if (strstr(units[i].names, word))
			return number * units[i].s;
	return 0;
}

struct scone_text scone_duration(struct scone *c, const struct tree_node *node, uint64_t most)
{
	static const struct {
		char unit;
		uint64_t s;
	} units[] = {{'d', DAY_S}, {'h', 3600}, {'m', 60}, {'s', 1}};
	const char *text = scone_string(node), *at = text;
	uint64_t s = 0;
	for (bool good = at != NULL; good && *(at += strspn(at, " "));) {
		uint64_t part = read_time(at, &at);
		good = part != 0;
		s = good ? s + part : 0;
	}
	if (!s) {
		scone_remark(c, SCONE_PLACEHOLDER, node->place,
		             "this is no time that is known, such as \"90 days\"");
		return scone_placeholder(c, "90d", "time %.60s", text ? text : "");
	}
	if (s > most)
		scone_remark(c, SCONE_CHANGED, node->place,
		             "\"%.60s\" is more than %llu days, which is the most here", text,
		             (unsigned long long)most / DAY_S);
	s = min_of(s, most);
	size_t unit = 0;
	while (s % units[unit].s)
		unit++;
	const char *ours = session_arena_printf(&c->arena, "%llu%c", (unsigned long long)(s / units[unit].s),
	                                        units[unit].unit);
	if (ours && s < most && strcmp(ours, text) != 0)
		scone_remark(c, SCONE_TRANSLATED, node->place, "\"%.60s\" is written \"%s\"", text, ours);
	return scone_same(ours ? ours : "");
}

/* ---- other sessions */

static const char elsewhere[] =
	"it names a session at another CAS, and sessions know those of their own CAS alone; carry the value over";

static const struct scone_known id_fields[] = {
	{"session", 0, NULL},
	{"session_hash", 0, NULL},
	{"secret", 0, NULL},
	{"volume", 0, NULL},
	{"namespace", 0, NULL},
	{"cas_url", SCONE_LEFT_OUT, elsewhere},
	{"cas_key", SCONE_LEFT_OUT, elsewhere},
	{"cas_software_key", SCONE_LEFT_OUT, elsewhere},
};

static bool is_elsewhere(const struct tree_node *id)
{
	return scone_member(id, "cas_url") || scone_member(id, "cas_key") ||
	       scone_member(id, "cas_software_key");
}

static void put_hash(struct scone *c, struct scone_map *m, const struct tree_node *id)
{
	const struct tree_node *hash = scone_member(id, "session_hash");
	const char *session = scone_member_string(id, "session");
	if (!hash)
		return;
	scone_remark(c, SCONE_PLACEHOLDER, hash->key_place,
	             "session_hash: sessions have other hashes here: cella session calculate-hash of the "
	             "translated \"%.60s\"",
	             session ? session : "");
	scone_field(c, m, "session_hash", hash->key_place,
	            scone_placeholder_hex(c, HASH_DIGITS, "hash of the session %.60s",
	                                  session ? session : ""));
}

void scone_import(struct scone *c, struct scone_map *m, const struct tree_node *map, const char *what)
{
	const struct tree_node *import = scone_member(map, "import");
	struct scone_map id = scone_open(c, m, "import", import->key_place);
	const char *session = NULL, *name = NULL;
	if (scone_known_fields(c, import, "an import", id_fields, array_count(id_fields))) {
		session = is_elsewhere(import) ? NULL : scone_member_string(import, "session");
		name = scone_member_string(import, what);
	}
	if (session) {
		struct tree_place place = scone_member(import, "session")->place;
		scone_field(c, &id, "session", place, scone_session_name(c, place, session));
	} else {
		scone_remark(c, SCONE_PLACEHOLDER, import->place,
		             "it is imported from no session of this CAS");
		scone_field(c, &id, "session", import->place,
		            scone_placeholder(c, "placeholder", "session with the %s", what));
	}
	if (name) {
		struct tree_place place = scone_member(import, what)->key_place;
		scone_remark(c, SCONE_TRANSLATED, place, "%s: the field is called name", what);
		scone_field(c, &id, "name", place, scone_same(scone_rename(c, name)));
	}
	if (import->kind == TREE_MAP)
		put_hash(c, &id, import);
}

/* The part behind "session=" in "/session=NAME,session_hash=HASH"; NULL: it is no such form, or elsewhere. */
static const char *short_form(struct scone *c, const char *text, bool *ret_hash)
{
	static const char mark[] = "/session=";
	if (strncmp(text, mark, sizeof(mark) - 1) != 0)
		return NULL;
	const char *name = text + sizeof(mark) - 1;
	*ret_hash = strstr(name, ",session_hash=") != NULL;
	return session_arena_copy(&c->arena, name, strcspn(name, ","));
}

static const struct scone_known peer_fields[] = {
	{"to", 0, NULL},
	{"update_policy", 0, NULL},
	{"volume_alias", SCONE_CHANGED, "there are no aliases: who imports it names it by its own name"},
};

/* The map that names a session, of an export in either form; NULL: there is none. */
static const struct tree_node *peer_id(struct scone *c, const struct tree_node *item)
{
	const struct tree_node *id = item->kind == TREE_MAP ? scone_member(item, "to") : NULL;
	if (id)
		scone_known_fields(c, item, "an export", peer_fields, array_count(peer_fields));
	id = id ? id : item;
	return scone_known_fields(c, id, "an export", id_fields, array_count(id_fields)) ? id : NULL;
}

static void put_export(struct scone *c, struct scone_map m, const struct tree_node *item)
{
	const char *text = scone_string(item), *session = NULL;
	bool hash = false;
	const struct tree_node *id = text ? NULL : peer_id(c, item);
	if (text)
		session = strchr(text, '=') ? short_form(c, text, &hash) : text;
	else if (id && !is_elsewhere(id))
		session = scone_member_string(id, "session");
	const char *policy = id && id != item ? scone_member_string(item, "update_policy") : NULL;
	if (!session || (policy && strcmp(policy, "ephemeral") == 0)) {
		scone_remark(
			c, SCONE_LEFT_OUT, item->place,
			session ? "an export that may only be read: who imports a volume here may write to it, "
				  "so add it yourself if that may be"
				: "an export to no single session of this CAS: only those have a counterpart");
		return;
	}
	scone_field(c, &m, "session", item->place, scone_session_name(c, item->place, session));
	if (id)
		put_hash(c, &m, id);
	if (!hash)
		return;
	scone_remark(c, SCONE_PLACEHOLDER, item->place,
	             "session_hash: sessions have other hashes here: cella session calculate-hash");
	scone_field(c, &m, "session_hash", item->place,
	            scone_placeholder_hex(c, HASH_DIGITS, "hash of the session %.60s", session));
}

/* Will put_export write it? */
static bool is_exported(struct scone *c, const struct tree_node *item)
{
	const char *text = scone_string(item);
	bool hash;
	if (text)
		return !strchr(text, '=') || short_form(c, text, &hash);
	const struct tree_node *to = item->kind == TREE_MAP ? scone_member(item, "to") : NULL;
	const char *policy = to ? scone_member_string(item, "update_policy") : NULL;
	const struct tree_node *id = to ? to : item;
	return id->kind == TREE_MAP && !is_elsewhere(id) && scone_member_string(id, "session") &&
	       !(policy && strcmp(policy, "ephemeral") == 0);
}

void scone_export(struct scone *c, struct scone_map *m, const struct tree_node *map, const char *what)
{
	const struct tree_node *list = scone_member(map, "export");
	bool any = false;
	if (scone_member(map, "import")) {
		scone_remark(c, SCONE_LEFT_OUT, list->key_place,
		             "export: a %s that is imported is not exported again", what);
		return;
	}
	for (const struct tree_node *n = scone_first(list); n; n = scone_next(list, n))
		any |= is_exported(c, n);
	struct scone_map items = {0};
	if (any)
		items = scone_open(c, m, "export", list->key_place);
	items.item = true;
	for (const struct tree_node *n = scone_first(list); n; n = scone_next(list, n))
		put_export(c, items, n);
}
