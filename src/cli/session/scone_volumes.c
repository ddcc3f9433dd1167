/* Volumes, whose place is said by images in SCONE and by themselves here; and images. */
#include <stdio.h>
#include <string.h>

#include "cli/session/scone_parts.h"

/* ---- where a volume is used */

struct use {
	const struct tree_node *path;  /* the first that is said */
	const struct tree_node *other; /* another one */
	const struct tree_node *policy; /* that is not the default */
	bool writes, none;
	size_t count;
};

static void look_at_use(struct use *u, const struct tree_node *volume)
{
	const struct tree_node *path = scone_member(volume, "path"),
			       *policy = scone_member(volume, "update_policy");
	const char *name = scone_string(policy);
	u->count++;
	if (scone_string(path) && u->path && strcmp(scone_string(path), u->path->text) != 0)
		u->other = path;
	else if (scone_string(path) && !u->path)
		u->path = path;
	u->policy = policy ? policy : u->policy;
	u->writes |= !name || strcmp(name, "ephemeral") != 0;
	u->none |= name && strcmp(name, "no_rollback_protection") == 0;
}

static const struct tree_node *list_of(const struct tree_node *map, const char *key)
{
	const struct tree_node *list = scone_member(map, key);
	return list && list->kind == TREE_LIST ? list : NULL;
}

static struct use find_uses(const struct scone *c, const char *name)
{
	struct use u = {0};
	const struct tree_node *images = list_of(c->root, "images");
	for (const struct tree_node *i = images ? images->first : NULL; i; i = i->next) {
		const struct tree_node *volumes = list_of(i, "volumes");
		for (const struct tree_node *v = volumes ? volumes->first : NULL; v; v = v->next) {
			const char *other = scone_member_string(v, "name");
			if (other && name && strcmp(other, name) == 0)
				look_at_use(&u, v);
		}
	}
	return u;
}

/* ---- volumes */

static const char anew[] =
	"make the volume anew (cella volume create, cella volume import) and hand it over with cella session "
	"volume, which gives the CAS its key and root";

static const struct scone_known volume_fields[] = {
	{"name", 0, NULL},
	{"import", 0, NULL},
	{"export", 0, NULL},
	{"fspf_key", SCONE_LEFT_OUT, anew},
	{"fspf_tag", SCONE_LEFT_OUT, anew},
};

static void put_place(struct scone *c, struct scone_map *m, const struct tree_node *volume,
                      const struct use *u)
{
	char trial[40];
	if (u->path && !u->other) {
		scone_field(c, m, "path", u->path->key_place, scone_path(c, u->path->place, u->path->text));
		return;
	}
	snprintf(trial, sizeof(trial), "/placeholder-%zu", c->placeholders);
	if (u->path && u->other)
		scone_remark(
			c, SCONE_PLACEHOLDER, u->other->place,
			"path: a volume has one place here, and this one has several: \"%.60s\", \"%.60s\"",
			u->path->text, u->other->text);
	else
		scone_remark(c, SCONE_PLACEHOLDER, volume->place,
		             "path: no image says where the volume is seen");
	scone_field(c, m, "path", volume->place,
	            scone_placeholder(c, trial, u->other ? "one path for all" : "path of the volume"));
}

static void put_policy(struct scone *c, struct scone_map *m, const struct tree_node *volume,
                       const struct use *u, bool imported)
{
	struct tree_place place = u->policy ? u->policy->key_place : volume->place;
	bool writes = u->writes || !u->count;
	if (writes)
		scone_remark(c, SCONE_ADDED, place,
		             "access: rw, as volumes are in SCONE; ro is the default here");
	else
		scone_remark(
			c, SCONE_CHANGED, place,
			"update_policy: ephemeral: access is ro, so what is written is refused, not forgotten");
	scone_field(c, m, "access", place, scone_same(writes ? "rw" : "ro"));
	if (!u->none)
		return;
	scone_remark(c, imported ? SCONE_LEFT_OUT : SCONE_TRANSLATED, place,
	             "update_policy: no_rollback_protection is \"none\" here%s",
	             imported ? ", and the session that the volume comes from says it" : ", of the volume");
	if (!imported)
		scone_field(c, m, "update_policy", place, scone_same("none"));
}

static void put_volume(struct scone *c, const struct tree_node *volume)
{
	struct scone_map m = {2, true};
	if (!scone_known_fields(c, volume, "a volume", volume_fields, array_count(volume_fields)))
		return;
	struct use u = find_uses(c, scone_member_string(volume, "name"));
	const struct tree_node *import = scone_member(volume, "import");
	scone_name_field(c, &m, volume, "volume");
	put_place(c, &m, volume, &u);
	put_policy(c, &m, volume, &u, import != NULL);
	if (import)
		scone_import(c, &m, volume, "volume");
	else if (!scone_member(volume, "fspf_key"))
		scone_remark(c, SCONE_CHANGED, volume->place, "the volume is not made at its first use: %s",
		             anew);
	if (scone_member(volume, "export"))
		scone_export(c, &m, volume, "volume");
}

/* The member if it is a list with items; otherwise a remark where there is something else. */
static const struct tree_node *items_of(struct scone *c, const struct tree_node *map, const char *key)
{
	const struct tree_node *node = scone_member(map, key);
	if (node && node->kind != TREE_LIST)
		scone_remark(c, SCONE_LEFT_OUT, node->place, "%s: it is no list", key);
	return node && node->kind == TREE_LIST && node->count ? node : NULL;
}

void scone_volumes(struct scone *c)
{
	const struct tree_node *list = items_of(c, c->root, "volumes");
	struct scone_map top = {0};
	if (!list)
		return;
	if (scone_has_maps(list)) {
		scone_gap(c);
		scone_open(c, &top, "volumes", list->key_place);
	}
	for (const struct tree_node *n = list->first; n; n = n->next)
		put_volume(c, n);
}

/* ---- images */

static const struct scone_known image_fields[] = {
	{"name", 0, NULL},
	{"volumes", 0, NULL},
	{"injection_files", 0, NULL},
	{"mrenclaves", SCONE_LEFT_OUT, "what a service must be is said at the service"},
	{"tags", SCONE_LEFT_OUT, "images have no tags"},
};
static const struct scone_known mount_fields[] = {
	{"name", 0, NULL},
	{"path", SCONE_TRANSLATED, "it stands at the volume"},
	{"update_policy", 0, NULL},
};

static void put_mounts(struct scone *c, struct scone_map *m, const struct tree_node *image)
{
	const struct tree_node *list = items_of(c, image, "volumes");
	struct scone_item *items = list ? session_arena_take(&c->arena, list->count * sizeof(*items)) : NULL;
	size_t count = 0;
	for (const struct tree_node *n = items ? list->first : NULL; n; n = n->next) {
		const char *name = scone_string(n);
		if (!name &&
		    scone_known_fields(c, n, "a volume of an image", mount_fields, array_count(mount_fields)))
			name = scone_member_string(n, "name");
		if (name)
			items[count++] = (struct scone_item){scone_same(scone_rename(c, name)), n->place};
		else
			scone_remark(c, SCONE_LEFT_OUT, n->place, "a volume without a name");
	}
	if (count)
		scone_list(c, m, "volumes", list->key_place, items, count);
}

static const struct scone_known file_fields[] = {
	{"path", 0, NULL},
	{"content", 0, NULL},
	{"permission", SCONE_LEFT_OUT,
         "injected files have no permissions of their own; the cell alone sees them"},
};

/* Does it lie at or below `top`? */
static bool lies_in(const char *path, const char *top)
{
	size_t size = strcmp(top, "/") == 0 ? 0 : strlen(top);
	return strncmp(path, top, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* The place of the image's volume that a file lies in; NULL: it lies in none. */
static const char *volume_above(struct scone *c, const struct tree_node *image, const char *path)
{
	const struct tree_node *list = list_of(image, "volumes");
	const char *file = scone_clean_path(c, path);
	for (const struct tree_node *n = list && file ? list->first : NULL; n; n = n->next) {
		const char *name = scone_string(n);
		struct use u = find_uses(c, name ? name : scone_member_string(n, "name"));
		const char *place = u.path && !u.other ? scone_clean_path(c, u.path->text) : NULL;
		if (place && lies_in(file, place))
			return place;
	}
	return NULL;
}

static void put_file_path(struct scone *c, struct scone_map *m, const struct tree_node *image,
                          const struct tree_node *file)
{
	const struct tree_node *node = file->kind == TREE_MAP ? scone_member(file, "path") : file;
	const char *path = scone_string(node), *above = path ? volume_above(c, image, path) : NULL;
	char trial[40];
	if (path && !above) {
		scone_field(c, m, "path", node->place, scone_path(c, node->place, path));
		return;
	}
	snprintf(trial, sizeof(trial), "/placeholder-%zu", c->placeholders);
	if (above)
		scone_remark(c, SCONE_PLACEHOLDER, node->place,
		             "path: no file is injected into a volume, here the one at \"%.60s\"", above);
	else
		scone_remark(c, SCONE_PLACEHOLDER, file->place, "path: it is not said");
	scone_field(c, m, "path", file->place,
	            scone_placeholder(c, trial, "path, not %.60s", path ? path : ""));
}

static void put_file(struct scone *c, struct scone_map m, const struct tree_node *image,
                     const struct tree_node *file)
{
	const struct tree_node *content = NULL;
	if (!scone_string(file)) {
		if (!scone_known_fields(c, file, "an injected file", file_fields, array_count(file_fields)))
			return;
		content = tree_member(file, "content");
	}
	put_file_path(c, &m, image, file);
	if (content && content->kind == TREE_TEXT) {
		scone_field(c, &m, "content", content->key_place,
		            scone_expandable(c, content->place, content->text, SESSION_IN_FILE));
		return;
	}
	scone_remark(
		c, SCONE_PLACEHOLDER, file->place,
		"content: SCONE reads the file where the program runs; here the session has its content");
	struct scone_text p = scone_placeholder(c, "placeholder", "content of the file");
	const char *shown = session_arena_printf(&c->arena, "$$CELLA::%s$$", p.shown);
	scone_field(c, &m, "content", file->place, (struct scone_text){shown ? shown : "", p.trial});
}

static void put_image(struct scone *c, const struct tree_node *image)
{
	struct scone_map m = {2, true};
	if (!scone_known_fields(c, image, "an image", image_fields, array_count(image_fields)))
		return;
	scone_name_field(c, &m, image, "image");
	put_mounts(c, &m, image);
	const struct tree_node *files = items_of(c, image, "injection_files");
	if (!files)
		return;
	struct scone_map items = {0};
	if (scone_has_items(files))
		items = scone_open(c, &m, "injection_files", files->key_place);
	items.item = true;
	for (const struct tree_node *n = files->first; n; n = n->next)
		put_file(c, items, image, n);
}

void scone_images(struct scone *c)
{
	const struct tree_node *list = items_of(c, c->root, "images");
	struct scone_map top = {0};
	if (!list)
		return;
	if (scone_has_maps(list)) {
		scone_gap(c);
		scone_open(c, &top, "images", list->key_place);
	}
	for (const struct tree_node *n = list->first; n; n = n->next)
		put_image(c, n);
}
