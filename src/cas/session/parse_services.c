/* Services: what runs, and with what. */
#include <stdlib.h>
#include <string.h>

#include "cas/session/decode.h"

/* ---- the command */

static void decode_argument(struct decoder *d, const struct tree_node *node, void *to)
{
	*(const char **)to = decode_expandable(d, node, SESSION_IN_STRING);
}

/* A text: words between blanks. What a shell would do with quotes is left to lists. */
static void split_command(struct decoder *d, const struct tree_node *node, struct session_strings *command)
{
	static const char blanks[] = " \t\n";
	const char *text = decode_expandable(d, node, SESSION_IN_STRING);
	if (!text)
		return;
	if (strpbrk(text, "'\"\\")) {
		decode_mistake(d, node->place,
		               "a command with quotes or backslashes is written as a list of its "
		               "arguments: there is no shell to take it apart");
		return;
	}
	size_t count = 0;
	for (const char *at = text; *(at += strspn(at, blanks)); at += strcspn(at, blanks))
		count++;
	if (count == 0 || count > SESSION_ARGUMENTS_MAX) {
		decode_mistake(d, node->place, "a command has 1 to %d words; here are %zu",
		               SESSION_ARGUMENTS_MAX, count);
		return;
	}
	command->items = session_arena_take(d->arena, count * sizeof(*command->items));
	for (const char *at = text; command->items && *(at += strspn(at, blanks)); at += strcspn(at, blanks))
		command->items[command->count++] = session_arena_copy(d->arena, at, strcspn(at, blanks));
}

static void decode_command(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"command", sizeof(const char *), SESSION_ARGUMENTS_MAX,
	                                        decode_argument, false};
	struct session_strings *command = to;
	if (node->kind == TREE_TEXT)
		split_command(d, node, command);
	else
		command->items = decode_list(d, node, &shape, &command->count);
}

/* ---- the environment */

static int compare_variables(const void *a, const void *b)
{
	const struct session_variable *left = a, *right = b;
	return strcmp(left->name, right->name);
}

static void decode_environment(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_service *service = to;
	if (node->kind != TREE_MAP || node->count == 0) {
		decode_mistake(d, node->place, "environment: a map of variables is wanted, such as LANG: C");
		return;
	}
	struct session_variable *v = session_arena_take(d->arena, node->count * sizeof(*v));
	if (!v)
		return;
	service->environment = v;
	for (const struct tree_node *n = node->first; n; n = n->next, v++) {
		size_t size = strlen(n->key);
		if (size > SESSION_VARIABLE_MAX || strpbrk(n->key, "= \t\n"))
			decode_mistake(d, n->key_place,
			               "a variable's name has 1 to %d bytes, no '=' and no "
			               "blanks; this is %s",
			               SESSION_VARIABLE_MAX, decode_quote(n->key));
		v->name = session_arena_copy(d->arena, n->key, size);
		v->value = decode_expandable(d, n, SESSION_IN_STRING);
		if (!v->name)
			return;
	}
	service->environment_count = node->count;
	qsort(service->environment, node->count, sizeof(*v), compare_variables);
}

/* ---- the rest */

static const char *name_of_image(const void *data, size_t index)
{
	const struct session *s = data;
	return s->images[index].name ? s->images[index].name : "";
}

static void decode_image_name(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *name = NULL;
	decode_name(d, node, &name);
	if (!name)
		return;
	*(const char **)to = name;
	if (session_image(d->session, name))
		return;
	char meant[MEANT_SIZE];
	const char *nearest = decode_nearest(d, name, name_of_image, d->session, d->session->image_count);
	decode_mistake(d, node->place, "there is no image %s in this session%s", decode_quote(name),
	               decode_meant(nearest, meant));
}

/* Of a service's volumes the first that has a place in common with `path`. */
static const struct session_volume *volume_around(const struct session *s, const struct session_image *image,
                                                  const char *path)
{
	size_t count = image ? image->volumes.count : s->volume_count;
	for (size_t i = 0; i < count; i++) {
		const char *name = image ? image->volumes.items[i] : s->volumes[i].name;
		const struct session_volume *v = name ? session_volume(s, name) : NULL;
		if (v && v->path && (decode_lies_in(path, v->path) || decode_lies_in(v->path, path)))
			return v;
	}
	return NULL;
}

/* After the image: what else is there is known. */
static void decode_identity(struct decoder *d, const struct tree_node *node, void *to)
{
	enum { FILE_NAME_MAX = 16 };
	struct session_service *service = to;
	const struct session_image *image = service->image ? session_image(d->session, service->image) : NULL;
	const char *path = NULL;
	decode_path(d, node, &path);
	if (!path)
		return;
	if (strcmp(path, "/") == 0 || node->size > SESSION_PATH_MAX - FILE_NAME_MAX) {
		decode_mistake(
			d, node->place,
			"identity: a directory of its own is wanted, such as /identity, of %d bytes at "
			"most",
			SESSION_PATH_MAX - FILE_NAME_MAX);
		return;
	}
	const struct session_volume *v = volume_around(d->session, image, path);
	if (v)
		decode_mistake(d, node->place, "the identity at %s and the volume %s would lie in each other",
		               decode_quote(path), decode_quote(v->name));
	for (size_t i = 0; image && i < image->file_count; i++)
		if (image->files[i].path && decode_lies_in(image->files[i].path, path))
			decode_mistake(d, node->place,
			               "the injected file %s would lie in the identity's directory",
			               decode_quote(image->files[i].path));
	service->identity = path;
}

static void decode_offline(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_duration(d, node, SESSION_OFFLINE_MAX_S, to);
}

static const struct field service_fields[] = {
	{"name", true, decode_name, field_of(session_service, name)},
	{"command", false, decode_command, field_of(session_service, command)},
	{"environment", false, decode_environment, 0},
	{"pwd", false, decode_path, field_of(session_service, pwd)},
	{"image_name", false, decode_image_name, field_of(session_service, image)},
	{"identity", false, decode_identity, 0},
	{"attestation", true, decode_attestation, 0},
	{"tolerate", false, decode_tolerate, field_of(session_service, tolerate)},
	{"offline", false, decode_offline, field_of(session_service, offline_s)},
};
static const struct shape service_shape = {"a service", service_fields, array_count(service_fields)};

static void decode_service(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_map(d, node, &service_shape, to);
}

void decode_services(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"services", sizeof(struct session_service),
	                                        SESSION_SERVICES_MAX, decode_service, false};
	struct session *s = to;
	s->services = decode_list(d, node, &shape, &s->service_count);
	decode_unique(d, node, "services", s->services, sizeof(*s->services), s->service_count);
}
