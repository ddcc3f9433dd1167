/* What a volume should be (volume_model.h). */
#include "volume_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

enum { ROOT = 0, NONE = -1 };

struct name {
	size_t parent, node;
	char text[256];
};

struct node {
	enum volume_type type;
	unsigned links;
	uint8_t *bytes; /* of a file, or a symlink's target */
	size_t size;
};

struct model {
	struct name *names;
	struct node *nodes;
	size_t name_count, node_count;
};

static void *grown(void *at, size_t size)
{
	void *p = realloc(at, size ? size : 1);
	if (!p)
		abort();
	return p;
}

static size_t new_node(struct model *m, enum volume_type type)
{
	m->nodes = grown(m->nodes, (m->node_count + 1) * sizeof(*m->nodes));
	m->nodes[m->node_count] = (struct node){.type = type, .links = 1};
	return m->node_count++;
}

struct model *model_new(void)
{
	struct model *m = grown(NULL, sizeof(*m));
	*m = (struct model){0};
	new_node(m, VOLUME_DIRECTORY);
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->node_count; i++)
		free(m->nodes[i].bytes);
	free(m->nodes);
	free(m->names);
	free(m);
}

struct model *model_copy(const struct model *m)
{
	struct model *copy = grown(NULL, sizeof(*copy));
	*copy = *m;
	copy->names = grown(NULL, (m->name_count + 1) * sizeof(*m->names));
	copy->nodes = grown(NULL, (m->node_count + 1) * sizeof(*m->nodes));
	if (m->name_count)
		memcpy(copy->names, m->names, m->name_count * sizeof(*m->names));
	memcpy(copy->nodes, m->nodes, m->node_count * sizeof(*m->nodes));
	for (size_t i = 0; i < m->node_count; i++) {
		struct node *n = &copy->nodes[i];
		n->bytes = n->size ? grown(NULL, n->size) : NULL;
		if (n->size)
			memcpy(n->bytes, m->nodes[i].bytes, n->size);
	}
	return copy;
}

/* ---- names */

static long find(const struct model *m, size_t parent, const char *text, size_t size)
{
	for (size_t i = 0; i < m->name_count; i++)
		if (m->names[i].parent == parent && strlen(m->names[i].text) == size &&
		    memcmp(m->names[i].text, text, size) == 0)
			return (long)i;
	return NONE;
}

struct found {
	size_t parent;
	const char *text; /* of the last component */
	long name;        /* NONE: there is none yet */
};

static int look(const struct model *m, const char *path, struct found *ret)
{
	size_t parent = ROOT;
	for (;;) {
		size_t size = strcspn(path, "/");
		long name = find(m, parent, path, size);
		if (!path[size]) {
			*ret = (struct found){parent, path, name};
			return 0;
		}
		if (name == NONE)
			return CELLA_ENOENT;
		parent = m->names[name].node;
		if (m->nodes[parent].type != VOLUME_DIRECTORY)
			return CELLA_ENOTDIR;
		path += size + 1;
	}
}

bool model_passes_symlink(const struct model *m, const char *path)
{
	size_t parent = ROOT;
	for (size_t size; path[size = strcspn(path, "/")]; path += size + 1) {
		long name = find(m, parent, path, size);
		if (name == NONE)
			return false;
		parent = m->names[name].node;
		if (m->nodes[parent].type == VOLUME_SYMLINK)
			return true;
	}
	return false;
}

static int look_existing(const struct model *m, const char *path, struct found *ret)
{
	int rc = look(m, path, ret);
	return rc == 0 && ret->name == NONE ? CELLA_ENOENT : rc;
}

static void add_name(struct model *m, const struct found *at, size_t node)
{
	m->names = grown(m->names, (m->name_count + 1) * sizeof(*m->names));
	struct name *n = &m->names[m->name_count++];
	*n = (struct name){.parent = at->parent, .node = node};
	memcpy(n->text, at->text, min_of(strlen(at->text), sizeof(n->text) - 1));
}

static int make(struct model *m, const char *path, enum volume_type type, size_t *ret_node)
{
	struct found at;
	int rc = look(m, path, &at);
	if (rc == 0 && at.name != NONE)
		rc = CELLA_EEXIST;
	if (rc < 0)
		return rc;
	*ret_node = new_node(m, type);
	add_name(m, &at, *ret_node);
	return 0;
}

static void drop_name(struct model *m, long name)
{
	m->nodes[m->names[name].node].links--;
	m->names[name] = m->names[--m->name_count];
}

static bool is_empty(const struct model *m, size_t directory)
{
	for (size_t i = 0; i < m->name_count; i++)
		if (m->names[i].parent == directory)
			return false;
	return true;
}

int model_mkdir(struct model *m, const char *path)
{
	size_t node;
	return make(m, path, VOLUME_DIRECTORY, &node);
}

static int may_remove(const struct model *m, long name, bool directory)
{
	size_t node = m->names[name].node;
	bool is_directory = m->nodes[node].type == VOLUME_DIRECTORY;
	if (is_directory != directory)
		return directory ? CELLA_ENOTDIR : CELLA_EISDIR;
	return directory && !is_empty(m, node) ? CELLA_ENOTEMPTY : 0;
}

int model_remove(struct model *m, const char *path, bool directory)
{
	struct found at;
	int rc = look_existing(m, path, &at);
	if (rc == 0)
		rc = may_remove(m, at.name, directory);
	if (rc == 0)
		drop_name(m, at.name);
	return rc;
}

/* Is a directory the other, or somewhere in it? */
static bool lies_in(const struct model *m, size_t directory, size_t other)
{
	while (directory != other && directory != ROOT) {
		size_t i = 0;
		while (m->names[i].node != directory)
			i++;
		directory = m->names[i].parent;
	}
	return directory == other;
}

int model_rename(struct model *m, const char *from, const char *to)
{
	struct found source, target;
	int rc = look_existing(m, from, &source);
	if (rc == 0)
		rc = look(m, to, &target);
	if (rc < 0)
		return rc;
	size_t node = m->names[source.name].node;
	bool directory = m->nodes[node].type == VOLUME_DIRECTORY;
	if (directory && lies_in(m, target.parent, node))
		return CELLA_EINVAL;
	if (target.name != NONE && m->names[target.name].node == node)
		return 0;
	if (target.name != NONE)
		rc = may_remove(m, target.name, directory);
	if (rc < 0)
		return rc;
	if (target.name != NONE)
		drop_name(m, target.name);
	rc = look_existing(m, from, &source); /* names have moved */
	m->nodes[node].links++;
	drop_name(m, source.name);
	add_name(m, &target, node);
	return rc;
}

int model_link(struct model *m, const char *from, const char *to)
{
	struct found source, target;
	int rc = look_existing(m, from, &source);
	if (rc < 0)
		return rc;
	size_t node = m->names[source.name].node;
	if (m->nodes[node].type == VOLUME_DIRECTORY)
		return CELLA_EISDIR;
	rc = look(m, to, &target);
	if (rc == 0 && target.name != NONE)
		rc = CELLA_EEXIST;
	if (rc < 0)
		return rc;
	m->nodes[node].links++;
	add_name(m, &target, node);
	return 0;
}

int model_symlink(struct model *m, const char *target, const char *path)
{
	size_t node;
	int rc = make(m, path, VOLUME_SYMLINK, &node);
	if (rc == 0)
		model_write(m, node, 0, target, strlen(target));
	return rc;
}

int model_open(struct model *m, const char *path, bool create, size_t *ret_file)
{
	struct found at;
	int rc = look(m, path, &at);
	if (rc < 0)
		return rc;
	if (at.name == NONE)
		return create ? make(m, path, VOLUME_FILE, ret_file) : CELLA_ENOENT;
	*ret_file = m->names[at.name].node;
	return m->nodes[*ret_file].type == VOLUME_DIRECTORY ? CELLA_EISDIR : 0;
}

/* ---- contents */

const uint8_t *model_bytes(const struct model *m, size_t file, size_t *ret_size)
{
	*ret_size = m->nodes[file].size;
	return m->nodes[file].bytes;
}

void model_truncate(struct model *m, size_t file, size_t size)
{
	struct node *n = &m->nodes[file];
	n->bytes = grown(n->bytes, size + 1);
	if (size > n->size)
		memset(n->bytes + n->size, 0, size - n->size);
	n->size = size;
}

void model_write(struct model *m, size_t file, size_t offset, const void *from, size_t size)
{
	if (size && offset + size > m->nodes[file].size)
		model_truncate(m, file, offset + size);
	if (size)
		memcpy(m->nodes[file].bytes + offset, from, size);
}

/* ---- comparison */

static char difference[8192];

static const char *differs(const char *format, ...) printf_like(1, 2);
static const char *differs(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(difference, sizeof(difference), format, args);
	va_end(args);
	return difference;
}

static const char *compare_file(const struct node *n, struct volume *v, const char *path)
{
	struct error err;
	struct volume_file *f;
	size_t got = 0;
	int rc = volume_file_open(v, path, 0, 0, &f, &err);
	if (rc < 0)
		return differs("%s cannot be opened: %s", path, err.text);
	uint8_t *bytes = grown(NULL, n->size + 1);
	rc = volume_file_read(f, 0, bytes, n->size + 1, &got, &err);
	volume_file_close(f);
	const char *found = NULL;
	if (rc < 0)
		found = differs("%s cannot be read: %s", path, err.text);
	else if (got != n->size)
		found = differs("%s has %zu bytes, not %zu", path, got, n->size);
	for (size_t i = 0; !found && i < got; i++)
		if (bytes[i] != n->bytes[i])
			found = differs("%s differs from byte %zu of %zu on: %02x, not %02x", path, i,
			                n->size, bytes[i], n->bytes[i]);
	free(bytes);
	return found;
}

static const char *compare_symlink(const struct node *n, struct volume *v, const char *path)
{
	struct error err;
	char target[VOLUME_PATH_MAX];
	if (volume_readlink(v, path, target, &err) < 0)
		return differs("%s cannot be read: %s", path, err.text);
	if (strlen(target) != n->size || memcmp(target, n->bytes, n->size) != 0)
		return differs("%s leads to %s", path, target);
	return NULL;
}

static const char *compare_directory(const struct model *m, size_t directory, struct volume *v,
                                     const char *path);

static const char *compare_node(const struct model *m, size_t node, struct volume *v, const char *path)
{
	const struct node *n = &m->nodes[node];
	struct error err;
	struct volume_stat st;
	if (volume_stat(v, path, VOLUME_NOFOLLOW, &st, &err) < 0)
		return differs("%s: %s", path, err.text);
	if (st.type != n->type || st.links != n->links)
		return differs("%s is of type %d with %u names, not %d with %u", path, st.type, st.links,
		               n->type, n->links);
	if (n->type == VOLUME_FILE)
		return compare_file(n, v, path);
	return n->type == VOLUME_SYMLINK ? compare_symlink(n, v, path) : compare_directory(m, node, v, path);
}

static const char *compare_directory(const struct model *m, size_t directory, struct volume *v,
                                     const char *path)
{
	struct volume_entry entry = {0};
	struct error err;
	size_t expected = 0, seen = 0;
	int rc;
	const char *found = NULL;
	for (size_t i = 0; i < m->name_count; i++)
		expected += m->names[i].parent == directory;
	while (!found && (rc = volume_next(v, path, entry.name, &entry, &err)) == 0) {
		char below[VOLUME_PATH_MAX];
		long name = find(m, directory, entry.name, strlen(entry.name));
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", entry.name);
		seen++;
		found = name == NONE ? differs("%s should not be there", below)
		                     : compare_node(m, m->names[name].node, v, below);
	}
	if (found)
		return found;
	if (rc != CELLA_ENOENT)
		return differs("directory %s cannot be read: %s", path, err.text);
	return seen == expected ? NULL : differs("directory %s has %zu names, not %zu", path, seen, expected);
}

const char *model_difference(const struct model *m, struct volume *v)
{
	return compare_directory(m, ROOT, v, "");
}
