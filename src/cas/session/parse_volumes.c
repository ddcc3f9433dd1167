/* Volumes and images: what a cell finds where. */
#include <stdio.h>
#include <string.h>

#include "cas/session/decode.h"

/* ---- volumes */

static void decode_mode(struct decoder *d, const struct tree_node *node, void *to)
{
	static const char *const names[] = {"ro", "rw"};
	*(bool *)to = decode_choice(d, node, "access", names, array_count(names)) == 1;
}

/* "strict", "none", or "bounded N". */
static void decode_update(struct decoder *d, const struct tree_node *node, void *to)
{
	static const char bounded[] = "bounded ";
	static const char *const names[] = {[SESSION_STRICT] = "strict",
	                                    [SESSION_BOUNDED] = "bounded COMMITS",
	                                    [SESSION_NO_ROLLBACK_PROTECTION] = "none"};
	struct session_volume *volume = to;
	const size_t prefix = sizeof(bounded) - 1;
	if (node->kind == TREE_TEXT && strncmp(node->text, bounded, prefix) == 0) {
		struct tree_node number = *node;
		number.text += prefix;
		number.size -= prefix;
		volume->update = SESSION_BOUNDED;
		decode_number(d, &number, 1, SESSION_BOUND_MAX, &volume->bound);
		return;
	}
	int update = decode_choice(d, node, "update policy", names, array_count(names));
	volume->update = update < 0 ? SESSION_STRICT : (enum session_update)update;
	if (update == SESSION_BOUNDED)
		decode_mistake(d, node->place, "COMMITS stands for a number, such as \"bounded 16\"");
}

static const struct field volume_fields[] = {
	{"name", true, decode_name, field_of(session_volume, name)},
	{"path", true, decode_path, field_of(session_volume, path)},
	{"access", false, decode_mode, field_of(session_volume, writable)},
	{"key", false, decode_name, field_of(session_volume, key)},
	{"update_policy", false, decode_update, 0},
	{"import", false, decode_import, field_of(session_volume, import)},
	{"export", false, decode_export, field_of(session_volume, exports)},
};
static const struct shape volume_shape = {"a volume", volume_fields, array_count(volume_fields)};

static void check_key(struct decoder *d, const struct tree_node *node, const struct session_volume *volume)
{
	const struct session_secret *key = session_secret(d->session, volume->key);
	if (!key) {
		decode_mistake(d, node->place, "there is no secret %s in this session to be the volume's key",
		               decode_quote(volume->key));
		return;
	}
	size_t size = key->origin == SESSION_GIVEN ? key->value_size : key->size;
	if (key->kind != SESSION_BINARY && key->kind != SESSION_KINDS)
		decode_mistake(d, node->place, "a volume's key is a secret of kind binary; %s is of kind %s",
		               decode_quote(volume->key), session_kind_name(key->kind));
	else if (key->origin != SESSION_IMPORTED && size && size != SESSION_VOLUME_KEY_SIZE)
		decode_mistake(d, node->place, "a volume's key has %d bytes; the secret %s has %zu",
		               SESSION_VOLUME_KEY_SIZE, decode_quote(volume->key), size);
}

static void decode_volume(struct decoder *d, const struct tree_node *node, void *to)
{
	static const char *const own[] = {"key", "update_policy", "export"};
	struct session_volume *volume = to;
	if (!decode_map(d, node, &volume_shape, volume))
		return;
	const struct tree_node *import = tree_member(node, "import"), *key = tree_member(node, "key");
	volume->origin = import ? SESSION_IMPORTED : key ? SESSION_GIVEN : SESSION_GENERATED;
	if (import && !volume->import.name)
		volume->import.name = volume->name;
	for (size_t i = 0; import && i < array_count(own); i++) {
		const struct tree_node *member = tree_member(node, own[i]);
		if (member)
			decode_mistake(
				d, member->key_place,
				"a volume that is imported has no field \"%s\": its own session says it",
				own[i]);
	}
	if (!import && key && volume->key)
		check_key(d, key, volume);
}

void decode_volumes(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"volumes", sizeof(struct session_volume), SESSION_VOLUMES_MAX,
	                                        decode_volume, false};
	struct session *s = to;
	s->volumes = decode_list(d, node, &shape, &s->volume_count);
	decode_unique(d, node, "volumes", s->volumes, sizeof(*s->volumes), s->volume_count);
}

/* ---- images */

static const char *name_of_volume(const void *data, size_t index)
{
	const struct session *s = data;
	return s->volumes[index].name ? s->volumes[index].name : "";
}

static void decode_volume_name(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *name = NULL;
	decode_name(d, node, &name);
	*(const char **)to = name;
	if (!name || session_volume(d->session, name))
		return;
	char meant[MEANT_SIZE];
	const char *nearest = decode_nearest(d, name, name_of_volume, d->session, d->session->volume_count);
	decode_mistake(d, node->place, "there is no volume %s in this session%s", decode_quote(name),
	               decode_meant(nearest, meant));
}

static void decode_volume_names(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"volumes", sizeof(const char *), SESSION_VOLUMES_MAX,
	                                        decode_volume_name, true};
	struct session_strings *names = to;
	names->items = decode_list(d, node, &shape, &names->count);
	if (node->kind == TREE_LIST)
		decode_unique(d, node, "volumes of an image", names->items, sizeof(*names->items),
		              names->count);
}

static void decode_content(struct decoder *d, const struct tree_node *node, void *to)
{
	*(const char **)to = decode_expandable(d, node, SESSION_IN_FILE);
}

static const struct field file_fields[] = {
	{"path", true, decode_path, field_of(session_file, path)},
	{"content", true, decode_content, field_of(session_file, content)},
};
static const struct shape file_shape = {"an injected file", file_fields, array_count(file_fields)};

static void decode_file(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_map(d, node, &file_shape, to);
}

static void decode_files(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"injection_files", sizeof(struct session_file),
	                                        SESSION_FILES_MAX, decode_file, false};
	struct session_image *image = to;
	image->files = decode_list(d, node, &shape, &image->file_count);
}

static const struct field image_fields[] = {
	{"name", true, decode_name, field_of(session_image, name)},
	{"volumes", false, decode_volume_names, field_of(session_image, volumes)},
	{"injection_files", false, decode_files, 0},
};
static const struct shape image_shape = {"an image", image_fields, array_count(image_fields)};

bool decode_lies_in(const char *path, const char *top)
{
	size_t size = strcmp(top, "/") == 0 ? 0 : strlen(top);
	return strncmp(path, top, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* A place holds one thing: no two volumes have the same path, and no file lies in a volume. */
static void check_places(struct decoder *d, const struct tree_node *node, const struct session_image *image)
{
	const struct tree_node *names = tree_member(node, "volumes"),
			       *files = tree_member(node, "injection_files");
	const struct session_volume *volumes[SESSION_VOLUMES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < image->volumes.count; i++) {
		const char *name = image->volumes.items[i];
		const struct session_volume *v = name ? session_volume(d->session, name) : NULL;
		if (!v || !v->path)
			continue;
		for (size_t j = 0; j < count; j++)
			if (volumes[j] != v && strcmp(v->path, volumes[j]->path) == 0)
				decode_mistake(d, names->place, "the volumes %s and %s are both at %s",
				               decode_quote(volumes[j]->name), decode_quote(v->name),
				               decode_quote(v->path));
		const struct tree_node *n = files ? files->first : NULL;
		for (size_t j = 0; n && j < image->file_count; j++, n = n->next)
			if (image->files[j].path && decode_lies_in(image->files[j].path, v->path))
				decode_mistake(d, n->place, "the file %s would lie in the volume %s",
				               decode_quote(image->files[j].path), decode_quote(v->name));
		volumes[count++] = v;
	}
}

static void decode_image(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_image *image = to;
	if (!decode_map(d, node, &image_shape, image))
		return;
	const struct tree_node *files = tree_member(node, "injection_files");
	check_places(d, node, image);
	if (image->file_count)
		decode_unique(d, files, "injected files", image->files, sizeof(*image->files),
		              image->file_count);
}

void decode_images(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"images", sizeof(struct session_image), SESSION_IMAGES_MAX,
	                                        decode_image, false};
	struct session *s = to;
	s->images = decode_list(d, node, &shape, &s->image_count);
	decode_unique(d, node, "images", s->images, sizeof(*s->images), s->image_count);
}
