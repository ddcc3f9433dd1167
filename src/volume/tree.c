/* The tree, read: keys, nodes that come from the disk, the way from the top to an item. */
#include <endian.h>
#include <string.h>

#include "volume/tree_state.h"

struct tree_key tree_key(uint64_t inode, enum volume_item kind)
{
	struct tree_key key = {.size = VOLUME_KEY_PREFIX};
	uint64_t big = htobe64(inode);
	memcpy(key.bytes, &big, sizeof(big));
	key.bytes[sizeof(big)] = (uint8_t)kind;
	return key;
}

struct tree_key tree_key_number(uint64_t inode, enum volume_item kind, uint64_t number)
{
	struct tree_key key = tree_key(inode, kind);
	uint64_t big = htobe64(number);
	memcpy(key.bytes + key.size, &big, sizeof(big));
	key.size += sizeof(big);
	return key;
}

struct tree_key tree_key_name(uint64_t inode, const char *name, size_t size)
{
	struct tree_key key = tree_key(inode, VOLUME_ITEM_ENTRY);
	memcpy(key.bytes + key.size, name, size);
	key.size += size;
	return key;
}

uint64_t tree_inode_of(const struct item *item)
{
	uint64_t big;
	memcpy(&big, item->key, sizeof(big));
	return be64toh(big);
}

uint64_t tree_number_of(const struct item *item)
{
	uint64_t big = 0;
	memcpy(&big, item->key + VOLUME_KEY_PREFIX, min_of(sizeof(big), item->key_size - VOLUME_KEY_PREFIX));
	return be64toh(big);
}

bool tree_item_is_group(const struct item *item)
{
	return item->key_size > sizeof(uint64_t) && item->key[sizeof(uint64_t)] == VOLUME_ITEM_GROUP;
}

bool tree_item_is(const struct item *item, uint64_t inode, enum volume_item kind)
{
	struct tree_key prefix = tree_key(inode, kind);
	return item->key_size >= prefix.size && memcmp(item->key, prefix.bytes, prefix.size) == 0;
}

void nodes_drop(struct volume *v, struct node *n)
{
	struct tree *t = &v->tree;
	map_take(&t->nodes, node_place(&n->at));
	if (n->dirty) {
		t->dirty_count--;
	} else {
		TAILQ_REMOVE(&t->clean, n, link);
		t->clean_count--;
	}
	mem_free(v->pool, n->bytes);
	mem_free(v->pool, n);
}

void tree_done(struct volume *v)
{
	size_t at = 0;
	const struct map_slot *slot;
	while ((slot = map_next(&v->tree.nodes, &at))) {
		struct node *n = slot->value;
		mem_free(v->pool, n->bytes);
		mem_free(v->pool, n);
	}
	map_done(&v->tree.nodes);
	map_done(&v->tree.dead);
}

void nodes_trim(struct volume *v)
{
	while (v->tree.clean_count > v->tree.clean_max)
		nodes_drop(v, TAILQ_LAST(&v->tree.clean, node_list));
}

int nodes_add(struct volume *v, const struct volume_pointer *at, struct node **ret_node, struct error *err)
{
	struct node *n = volume_alloc(v, sizeof(*n));
	uint8_t *bytes = mem_alloc(v->pool, VOLUME_NODE_SIZE);
	if (!n || !bytes || map_put(&v->tree.nodes, node_place(at), n) < 0) {
		if (bytes)
			mem_free(v->pool, bytes);
		if (n)
			mem_free(v->pool, n);
		return error_set(err, CELLA_ENOMEM, "no protected memory for a node of the volume's tree");
	}
	*n = (struct node){.at = *at, .bytes = bytes};
	*ret_node = n;
	return 0;
}

void nodes_add_clean(struct tree *t, struct node *n)
{
	n->dirty = false;
	TAILQ_INSERT_HEAD(&t->clean, n, link);
	t->clean_count++;
}

int nodes_load(struct volume *v, const struct volume_pointer *at, unsigned level, struct node **ret_node,
               struct error *err)
{
	struct tree *t = &v->tree;
	struct node *n = map_get(&t->nodes, node_place(at));
	if (n) {
		if (!n->dirty && n != TAILQ_FIRST(&t->clean)) {
			TAILQ_REMOVE(&t->clean, n, link);
			TAILQ_INSERT_HEAD(&t->clean, n, link);
		}
		*ret_node = n;
		return 0;
	}
	int rc = nodes_add(v, at, &n, err);
	if (rc < 0)
		return rc;
	nodes_add_clean(t, n);
	rc = segment_read(v, VOLUME_KIND_NODE, at, n->bytes, VOLUME_NODE_SIZE, err);
	if (rc == 0)
		rc = node_check(n->bytes, level, err);
	if (rc == 0 && node_count(n->bytes) == 0 && t->level > 0)
		rc = error_set(err, CELLA_EAUTH, "a node of the volume's tree is empty");
	if (rc < 0) {
		nodes_drop(v, n);
		return rc;
	}
	*ret_node = n;
	return 0;
}

struct volume_pointer node_child(const struct node *n, unsigned index)
{
	struct volume_pointer at;
	memcpy(&at, node_item(n->bytes, index).value, sizeof(at));
	return at;
}

/* In which of its children is the key? */
static unsigned child_index(const struct node *n, const struct tree_key *key)
{
	bool equal;
	unsigned index = node_search(n->bytes, key->bytes, key->size, &equal);
	return equal || index == 0 ? index : index - 1;
}

int path_descend(struct volume *v, const struct tree_key *key, struct path *path, struct error *err)
{
	struct volume_pointer at = v->tree.top;
	path->depth = 0;
	for (unsigned level = v->tree.level;; level--, path->depth++) {
		struct node *n;
		int rc = nodes_load(v, &at, level, &n, err);
		if (rc < 0)
			return rc;
		path->steps[path->depth].node = n;
		if (level == 0) {
			path->steps[path->depth].index = node_search(n->bytes, key->bytes, key->size,
			                                             &path->equal);
			return 0;
		}
		path->steps[path->depth].index = child_index(n, key);
		at = node_child(n, path->steps[path->depth].index);
	}
}

int tree_get(struct volume *v, const struct tree_key *key, struct item *ret_item, struct error *err)
{
	struct path path;
	nodes_trim(v);
	int rc = path_descend(v, key, &path, err);
	if (rc < 0)
		return rc;
	if (!path.equal)
		return error_set(err, CELLA_ENOENT, "the volume's tree has no such item");
	*ret_item = node_item(leaf_of(&path)->bytes, leaf_index(&path));
	return 0;
}

/* To the first item of the leaf behind the path's. CELLA_ENOENT: it is the last one. */
static int next_leaf(struct volume *v, struct path *path, struct error *err)
{
	unsigned d = path->depth;
	do {
		if (d == 0)
			return CELLA_ENOENT;
		d--;
	} while (path->steps[d].index + 1 >= node_count(path->steps[d].node->bytes));
	path->steps[d].index++;
	for (; d < path->depth; d++) {
		struct volume_pointer at = node_child(path->steps[d].node, path->steps[d].index);
		int rc = nodes_load(v, &at, path->depth - d - 1, &path->steps[d + 1].node, err);
		if (rc < 0)
			return rc;
		path->steps[d + 1].index = 0;
	}
	return 0;
}

int tree_next(struct volume *v, const struct tree_key *key, enum tree_from from, struct item *ret_item,
              struct error *err)
{
	struct path path;
	nodes_trim(v);
	int rc = path_descend(v, key, &path, err);
	if (rc < 0)
		return rc;
	if (path.equal && from == TREE_AFTER)
		path.steps[path.depth].index++;
	if (leaf_index(&path) >= node_count(leaf_of(&path)->bytes)) {
		rc = next_leaf(v, &path, err);
		if (rc == CELLA_ENOENT)
			return error_set(err, rc, "the volume's tree has no item behind that");
		if (rc < 0)
			return rc;
		bool equal; /* or who goes from item to item would never end */
		if (node_search(leaf_of(&path)->bytes, key->bytes, key->size, &equal) > 0 || equal)
			return error_set(err, CELLA_EAUTH, "the volume's tree is out of order");
	}
	*ret_item = node_item(leaf_of(&path)->bytes, leaf_index(&path));
	return 0;
}

int tree_skip(struct volume *v, const struct tree_key *key, struct tree_key *ret_key, struct error *err)
{
	struct volume_pointer at = v->tree.top;
	bool found = false;
	nodes_trim(v);
	for (unsigned level = v->tree.level;; level--) {
		struct node *n;
		if (nodes_load(v, &at, level, &n, err) < 0 || level == 0)
			break;
		unsigned index = child_index(n, key);
		if (index + 1 < node_count(n->bytes)) {
			struct item next = node_item(n->bytes, index + 1);
			memcpy(ret_key->bytes, next.key, next.key_size);
			ret_key->size = next.key_size;
			found = true;
		}
		at = node_child(n, index);
	}
	return found ? 0 : error_set(err, CELLA_ENOENT, "the volume's tree ends behind what is damaged");
}
