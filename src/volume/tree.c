/*
 * The tree: a B-tree from keys to values whose nodes are never changed where they lie (copy on write: Rodeh,
 * "B-trees, Shadowing, and Clones", 2008). A node that is changed first becomes *dirty*: it gets a place
 * that is in memory only, and so do the nodes above it, up to the top. Writing the dirty ones gives them
 * places on the disk, the lowest first, as a pointer holds the tag of what it points to.
 *
 * A node's parent is found by coming from the top, along a path. Nodes leave memory only where a public
 * function begins, so none that is on a path goes away.
 *
 * Leaves are never empty, but for a top that is one. A leaf to the end of which items are added is split
 * behind its last item, so that a file written in order fills its nodes.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "volume/volume_state.h"

enum { CAPACITY = VOLUME_NODE_SIZE - VOLUME_NODE_HEADER_SIZE };

struct path {
	struct {
		struct node *node;
		unsigned index; /* of the item that was followed, or of the key's place in the leaf */
	} steps[VOLUME_LEVELS_MAX];
	unsigned depth; /* of the leaf */
	bool equal;     /* the leaf has the key */
};

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

bool tree_item_is(const struct item *item, uint64_t inode, enum volume_item kind)
{
	struct tree_key prefix = tree_key(inode, kind);
	return item->key_size >= prefix.size && memcmp(item->key, prefix.bytes, prefix.size) == 0;
}

static uint64_t place(const struct volume_pointer *at)
{
	return (uint64_t)at->segment << 32 | at->block;
}

static void drop_node(struct volume *v, struct node *n)
{
	struct tree *t = &v->tree;
	map_take(&t->nodes, place(&n->at));
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

/* Let clean nodes go that have not been used for long. Only where no path is held. */
static void trim(struct volume *v)
{
	while (v->tree.clean_count > v->tree.clean_max)
		drop_node(v, TAILQ_LAST(&v->tree.clean, node_list));
}

/* A node at this place, linked nowhere yet but in the map. */
static int add_node(struct volume *v, const struct volume_pointer *at, struct node **ret_node,
                    struct error *err)
{
	struct node *n = volume_alloc(v, sizeof(*n));
	uint8_t *bytes = mem_alloc(v->pool, VOLUME_NODE_SIZE);
	if (!n || !bytes || map_put(&v->tree.nodes, place(at), n) < 0) {
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

static void add_clean(struct tree *t, struct node *n)
{
	n->dirty = false;
	TAILQ_INSERT_HEAD(&t->clean, n, link);
	t->clean_count++;
}

static int load(struct volume *v, const struct volume_pointer *at, unsigned level, struct node **ret_node,
                struct error *err)
{
	struct tree *t = &v->tree;
	struct node *n = map_get(&t->nodes, place(at));
	if (n) {
		if (!n->dirty && n != TAILQ_FIRST(&t->clean)) {
			TAILQ_REMOVE(&t->clean, n, link);
			TAILQ_INSERT_HEAD(&t->clean, n, link);
		}
		*ret_node = n;
		return 0;
	}
	int rc = add_node(v, at, &n, err);
	if (rc < 0)
		return rc;
	add_clean(t, n);
	rc = segment_read(v, VOLUME_KIND_NODE, at, n->bytes, VOLUME_NODE_SIZE, err);
	if (rc == 0)
		rc = node_check(n->bytes, level, err);
	if (rc < 0) {
		drop_node(v, n);
		return rc;
	}
	*ret_node = n;
	return 0;
}

static struct volume_pointer child_of(const struct node *n, unsigned index)
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

static int descend(struct volume *v, const struct tree_key *key, struct path *path, struct error *err)
{
	struct volume_pointer at = v->tree.top;
	path->depth = 0;
	for (unsigned level = v->tree.level;; level--, path->depth++) {
		struct node *n;
		int rc = load(v, &at, level, &n, err);
		if (rc < 0)
			return rc;
		path->steps[path->depth].node = n;
		if (level == 0) {
			path->steps[path->depth].index = node_search(n->bytes, key->bytes, key->size,
			                                             &path->equal);
			return 0;
		}
		path->steps[path->depth].index = child_index(n, key);
		at = child_of(n, path->steps[path->depth].index);
	}
}

static struct node *leaf_of(const struct path *path)
{
	return path->steps[path->depth].node;
}

static unsigned leaf_index(const struct path *path)
{
	return path->steps[path->depth].index;
}

int tree_get(struct volume *v, const struct tree_key *key, struct item *ret_item, struct error *err)
{
	struct path path;
	trim(v);
	int rc = descend(v, key, &path, err);
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
		struct volume_pointer at = child_of(path->steps[d].node, path->steps[d].index);
		int rc = load(v, &at, path->depth - d - 1, &path->steps[d + 1].node, err);
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
	trim(v);
	int rc = descend(v, key, &path, err);
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
	}
	*ret_item = node_item(leaf_of(&path)->bytes, leaf_index(&path));
	return 0;
}

int tree_skip(struct volume *v, const struct tree_key *key, struct tree_key *ret_key, struct error *err)
{
	struct volume_pointer at = v->tree.top;
	bool found = false;
	trim(v);
	for (unsigned level = v->tree.level;; level--) {
		struct node *n;
		if (load(v, &at, level, &n, err) < 0 || level == 0)
			break;
		unsigned index = child_index(n, key);
		if (index + 1 < node_count(n->bytes)) {
			struct item next = node_item(n->bytes, index + 1);
			memcpy(ret_key->bytes, next.key, next.key_size);
			ret_key->size = next.key_size;
			found = true;
		}
		at = child_of(n, index);
	}
	return found ? 0 : error_set(err, CELLA_ENOENT, "the volume's tree ends behind what is damaged");
}

/* ---- changing */

static struct volume_pointer next_unwritten(struct tree *t)
{
	return (struct volume_pointer){.segment = SEGMENT_UNWRITTEN, .block = t->serial++};
}

/* The pointer to the node at this depth, wherever that stands. */
static void repoint(struct volume *v, const struct path *path, unsigned depth)
{
	const struct node *n = path->steps[depth].node;
	if (depth == 0)
		v->tree.top = n->at;
	else
		node_overwrite(path->steps[depth - 1].node->bytes, path->steps[depth - 1].index, &n->at);
}

/* The nodes of a path down to this depth become dirty. */
static int make_dirty(struct volume *v, struct path *path, unsigned depth, struct error *err)
{
	struct tree *t = &v->tree;
	for (unsigned d = 0; d <= depth; d++) {
		struct node *n = path->steps[d].node;
		if (n->dirty)
			continue;
		struct volume_pointer at = next_unwritten(t);
		int rc = tree_add_dead(v, n->at.segment, VOLUME_NODE_BLOCKS, err);
		if (rc == 0 && map_put(&t->nodes, place(&at), n) < 0)
			rc = error_set(err, CELLA_ENOMEM, "no memory for the volume's tree");
		if (rc < 0)
			return rc;
		map_take(&t->nodes, place(&n->at));
		TAILQ_REMOVE(&t->clean, n, link);
		t->clean_count--;
		t->dirty_count++;
		n->dirty = true;
		n->at = at;
		repoint(v, path, d);
	}
	return 0;
}

static int new_node(struct volume *v, unsigned level, struct node **ret_node, struct error *err)
{
	struct volume_pointer at = next_unwritten(&v->tree);
	int rc = add_node(v, &at, ret_node, err);
	if (rc < 0)
		return rc;
	(*ret_node)->dirty = true;
	v->tree.dirty_count++;
	node_init((*ret_node)->bytes, level);
	return 0;
}

int tree_make(struct volume *v, struct error *err)
{
	struct node *n;
	int rc = new_node(v, 0, &n, err);
	if (rc == 0)
		v->tree.top = n->at;
	return rc;
}

/* A node above the top, with the top as its only child. */
static int grow(struct volume *v, struct error *err)
{
	struct node *n;
	struct tree_key least = tree_key(0, 0);
	if (v->tree.level + 2 > VOLUME_LEVELS_MAX)
		return error_set(err, CELLA_ELIMIT, "the volume's tree has %d levels already",
		                 VOLUME_LEVELS_MAX);
	int rc = new_node(v, v->tree.level + 1, &n, err);
	if (rc < 0)
		return rc;
	node_insert(n->bytes, 0, least.bytes, least.size, &v->tree.top, sizeof(v->tree.top));
	v->tree.top = n->at;
	v->tree.level++;
	return 0;
}

/* Where a node that is full is split: behind its last item, if that is where it grows, or in its middle. */
static unsigned split_index(const struct node *n, unsigned growing)
{
	unsigned count = node_count(n->bytes), index = 0;
	if (growing + 1 >= count)
		return count - 1;
	for (size_t size = 0; index + 1 < count && size < node_used(n->bytes) / 2; index++) {
		struct item item = node_item(n->bytes, index);
		size += item.key_size + item.value_size;
	}
	return index;
}

/* The node at this depth gives what is behind an index to a new one beside it; there is room above. */
static int split(struct volume *v, struct path *path, unsigned depth, struct error *err)
{
	struct node *left = path->steps[depth].node, *above = path->steps[depth - 1].node, *right;
	int rc = new_node(v, node_level(left->bytes), &right, err);
	if (rc < 0)
		return rc;
	node_move_tail(left->bytes, split_index(left, path->steps[depth].index), right->bytes);
	struct item first = node_item(right->bytes, 0);
	node_insert(above->bytes, path->steps[depth - 1].index + 1, first.key, first.key_size, &right->at,
	            sizeof(right->at));
	return 0;
}

/* There is no room in the path's leaf: split it, or the lowest node above it that has to be split first. */
static int make_room(struct volume *v, struct path *path, struct error *err)
{
	unsigned depth = path->depth;
	while (depth > 0 &&
	       !node_has_room(path->steps[depth - 1].node->bytes, VOLUME_TREE_KEY_MAX, VOLUME_POINTER_SIZE))
		depth--;
	return depth == 0 ? grow(v, err) : split(v, path, depth, err);
}

/* The item goes behind the last one of a full leaf: it gets a leaf of its own. */
static int put_behind(struct volume *v, struct path *path, const struct tree_key *key, const void *value,
                      size_t size, struct error *err)
{
	struct node *above = path->steps[path->depth - 1].node, *right;
	int rc = new_node(v, 0, &right, err);
	if (rc < 0)
		return rc;
	node_insert(right->bytes, 0, key->bytes, key->size, value, size);
	node_insert(above->bytes, path->steps[path->depth - 1].index + 1, key->bytes, key->size, &right->at,
	            sizeof(right->at));
	return 0;
}

/* Into the path's leaf, in place of the key's old value. False: it is too full. */
static bool put_in_leaf(struct path *path, const struct tree_key *key, const void *value, size_t size)
{
	uint8_t *leaf = leaf_of(path)->bytes;
	unsigned index = leaf_index(path);
	size_t old = path->equal ? node_item(leaf, index).value_size : 0;
	if (path->equal && old == size) {
		node_overwrite(leaf, index, value);
		return true;
	}
	size_t freed = path->equal ? old + key->size + VOLUME_SLOT_SIZE : 0;
	if (node_used(leaf) - freed + VOLUME_SLOT_SIZE + key->size + size > CAPACITY)
		return false;
	if (path->equal)
		node_remove(leaf, index);
	node_insert(leaf, index, key->bytes, key->size, value, size);
	return true;
}

int tree_limit(struct volume *v, struct error *err)
{
	int rc = v->tree.dirty_count > NODES_DIRTY_MAX ? tree_flush(v, err) : 0;
	trim(v);
	return rc;
}

int tree_put(struct volume *v, const struct tree_key *key, const void *value, size_t size, struct error *err)
{
	struct path path;
	int rc = 0;
	trim(v);
	v->changed = true;
	while (rc == 0) {
		rc = descend(v, key, &path, err);
		if (rc == 0)
			rc = make_dirty(v, &path, path.depth, err);
		if (rc < 0 || put_in_leaf(&path, key, value, size))
			return rc;
		bool behind = !path.equal && leaf_index(&path) == node_count(leaf_of(&path)->bytes);
		if (behind && path.depth &&
		    node_has_room(path.steps[path.depth - 1].node->bytes, VOLUME_TREE_KEY_MAX,
		                  VOLUME_POINTER_SIZE))
			return put_behind(v, &path, key, value, size, err);
		rc = make_room(v, &path, err);
	}
	return rc;
}

/* The node at this depth, dirty or not, is in use no more; nor is the pointer to it. */
static int discard(struct volume *v, struct path *path, unsigned depth, struct error *err)
{
	struct node *n = path->steps[depth].node;
	int rc = n->dirty ? 0 : tree_add_dead(v, n->at.segment, VOLUME_NODE_BLOCKS, err);
	if (rc < 0)
		return rc;
	node_remove(path->steps[depth - 1].node->bytes, path->steps[depth - 1].index);
	drop_node(v, n);
	return 0;
}

/* The node at this depth takes up the one behind it, if both fit one; *ret_done says whether. */
static int merge(struct volume *v, struct path *path, unsigned depth, bool *ret_done, struct error *err)
{
	struct node *left = path->steps[depth].node, *above = path->steps[depth - 1].node, *right;
	unsigned index = path->steps[depth - 1].index;
	struct volume_pointer at = child_of(above, index + 1);
	int rc = load(v, &at, node_level(left->bytes), &right, err);
	if (rc < 0 || node_used(left->bytes) + node_used(right->bytes) > CAPACITY * 3 / 4)
		return rc;
	rc = make_dirty(v, path, depth, err);
	if (rc < 0)
		return rc;
	/* what came in before its first key since, its own separator stands for */
	struct item separator = node_item(above->bytes, index + 1);
	for (unsigned i = 0; i < node_count(right->bytes); i++) {
		struct item item = node_item(right->bytes, i);
		if (i == 0 && node_level(right->bytes) > 0) {
			item.key = separator.key;
			item.key_size = separator.key_size;
		}
		node_insert(left->bytes, node_count(left->bytes), item.key, item.key_size, item.value,
		            item.value_size);
	}
	struct path beside = *path;
	beside.steps[depth].node = right;
	beside.steps[depth - 1].index = index + 1;
	*ret_done = true;
	return discard(v, &beside, depth, err);
}

/* After a removal: nodes that are nearly empty join their neighbours, empty ones go. */
static int shrink(struct volume *v, struct path *path, struct error *err)
{
	int rc = 0;
	for (unsigned d = path->depth; rc == 0 && d > 0; d--) {
		struct node *n = path->steps[d].node, *above = path->steps[d - 1].node;
		bool done = false;
		if (node_count(n->bytes) == 0) {
			rc = discard(v, path, d, err);
			continue;
		}
		if (node_used(n->bytes) >= CAPACITY / 4)
			break;
		if (path->steps[d - 1].index + 1 < node_count(above->bytes))
			rc = merge(v, path, d, &done, err);
		if (rc == 0 && !done && path->steps[d - 1].index > 0) {
			struct path before = *path;
			struct volume_pointer at = child_of(above, --before.steps[d - 1].index);
			rc = load(v, &at, node_level(n->bytes), &before.steps[d].node, err);
			if (rc == 0)
				rc = merge(v, &before, d, &done, err);
		}
	}
	return rc;
}

/* A top with one child gives way to it; an empty one is a leaf again. */
static int lower_top(struct volume *v, struct error *err)
{
	while (v->tree.level > 0) {
		struct path path = {0};
		int rc = load(v, &v->tree.top, v->tree.level, &path.steps[0].node, err);
		if (rc < 0)
			return rc;
		struct node *top = path.steps[0].node;
		unsigned count = node_count(top->bytes);
		if (count > 1)
			return 0;
		if (count == 0) {
			node_init(top->bytes, 0);
			v->tree.level = 0;
			return 0;
		}
		rc = top->dirty ? 0 : tree_add_dead(v, top->at.segment, VOLUME_NODE_BLOCKS, err);
		if (rc < 0)
			return rc;
		v->tree.top = child_of(top, 0);
		v->tree.level--;
		drop_node(v, top);
	}
	return 0;
}

int tree_remove(struct volume *v, const struct tree_key *key, struct error *err)
{
	struct path path;
	trim(v);
	int rc = descend(v, key, &path, err);
	if (rc < 0 || !path.equal)
		return rc;
	v->changed = true;
	rc = make_dirty(v, &path, path.depth, err);
	if (rc < 0)
		return rc;
	node_remove(leaf_of(&path)->bytes, leaf_index(&path));
	rc = shrink(v, &path, err);
	return rc == 0 ? lower_top(v, err) : rc;
}

/* ---- writing */

static int write_node(struct volume *v, struct node *n, struct volume_pointer *ret_at, struct error *err)
{
	struct tree *t = &v->tree;
	for (unsigned i = 0; node_level(n->bytes) > 0 && i < node_count(n->bytes); i++) {
		struct volume_pointer at = child_of(n, i);
		if (at.segment != SEGMENT_UNWRITTEN)
			continue;
		int rc = write_node(v, map_get(&t->nodes, place(&at)), &at, err);
		if (rc < 0)
			return rc;
		node_overwrite(n->bytes, i, &at);
	}
	struct volume_pointer at;
	const uint8_t *bytes = n->bytes;
	int rc = segment_append(v, VOLUME_KIND_NODE, &bytes, 1, VOLUME_NODE_SIZE, &at, err);
	if (rc == 0 && map_put(&t->nodes, place(&at), n) < 0)
		rc = error_set(err, CELLA_ENOMEM, "no memory for the volume's tree");
	if (rc < 0)
		return rc;
	map_take(&t->nodes, place(&n->at));
	n->at = at;
	t->dirty_count--;
	add_clean(t, n);
	*ret_at = at;
	return 0;
}

int tree_flush(struct volume *v, struct error *err)
{
	struct tree *t = &v->tree;
	if (t->top.segment != SEGMENT_UNWRITTEN)
		return 0;
	return write_node(v, map_get(&t->nodes, place(&t->top)), &t->top, err);
}

/* ---- what is dead */

int tree_add_dead(struct volume *v, uint32_t segment, uint32_t blocks, struct error *err)
{
	if (segment == SEGMENT_NONE || blocks == 0)
		return 0;
	uintptr_t sum = (uintptr_t)map_get(&v->tree.dead, segment) + blocks;
	if (map_put(&v->tree.dead, segment, (void *)sum) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory for a count of dead blocks");
	return 0;
}

static int settle_one(struct volume *v, uint32_t segment, uint32_t blocks, struct error *err)
{
	struct tree_key key = tree_key_number(0, VOLUME_ITEM_DEAD, segment);
	struct item item;
	uint32_t sum = 0;
	int rc = tree_get(v, &key, &item, err);
	if (rc == 0)
		memcpy(&sum, item.value, min_of(sizeof(sum), item.value_size));
	if (rc < 0 && rc != CELLA_ENOENT)
		return rc;
	sum += blocks;
	rc = tree_put(v, &key, &sum, sizeof(sum), err);
	return rc == 0 ? removal_consider(v, segment, sum, err) : rc;
}

/* Each step may make a node dirty, whose old place then is dead, too; but a node becomes dirty once. */
int tree_settle_dead(struct volume *v, struct error *err)
{
	struct map *dead = &v->tree.dead;
	const struct map_slot *slot;
	size_t at = 0;
	while ((slot = map_next(dead, &at))) {
		uint32_t segment = (uint32_t)slot->key, blocks = (uint32_t)(uintptr_t)slot->value;
		int rc = tree_limit(v, err);
		if (rc == 0)
			rc = settle_one(v, segment, blocks, err);
		if (rc < 0)
			return rc;
		/* by now more of it may be dead */
		uintptr_t left = (uintptr_t)map_take(dead, segment) - blocks;
		if (left && map_put(dead, segment, (void *)left) < 0)
			return error_set(err, CELLA_ENOMEM, "no memory for a count of dead blocks");
		at = 0;
	}
	return 0;
}

int tree_move_nodes(struct volume *v, bool (*moves)(void *arg, uint32_t segment), void *arg,
                    struct error *err)
{
	struct tree_key key = tree_key(0, 0);
	struct item item;
	for (;;) {
		struct path path;
		int rc = tree_limit(v, err);
		if (rc == 0)
			rc = descend(v, &key, &path, err);
		if (rc < 0)
			return rc;
		for (unsigned d = 0; rc == 0 && d <= path.depth; d++) {
			const struct node *n = path.steps[d].node;
			if (!n->dirty && moves(arg, n->at.segment)) {
				v->changed = true;
				rc = make_dirty(v, &path, d, err);
			}
		}
		if (rc == 0 && node_count(leaf_of(&path)->bytes) == 0)
			return 0;
		if (rc < 0)
			return rc;
		struct item last = node_item(leaf_of(&path)->bytes, node_count(leaf_of(&path)->bytes) - 1);
		memcpy(key.bytes, last.key, last.key_size);
		key.size = last.key_size;
		rc = tree_next(v, &key, TREE_AFTER, &item, err);
		if (rc < 0)
			return rc == CELLA_ENOENT ? 0 : rc;
		memcpy(key.bytes, item.key, item.key_size);
		key.size = item.key_size;
	}
}
