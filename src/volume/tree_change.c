/*
 * Changing the tree: what is on the way to a change becomes dirty first (volume/tree_state.h); nodes that are
 * full are split, nodes that are nearly empty join their neighbours; writing gives the dirty ones a place.
 *
 * Leaves are never empty, but for a top that is one. A leaf to the end of which items are added is split
 * behind its last item, so that a file written in order fills its nodes.
 */
#include <string.h>

#include "volume/tree_state.h"

enum { CAPACITY = VOLUME_NODE_SIZE - VOLUME_NODE_HEADER_SIZE };

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

int path_make_dirty(struct volume *v, struct path *path, unsigned depth, struct error *err)
{
	struct tree *t = &v->tree;
	for (unsigned d = 0; d <= depth; d++) {
		struct node *n = path->steps[d].node;
		if (n->dirty)
			continue;
		struct volume_pointer at = next_unwritten(t);
		int rc = dead_add(v, n->at.segment, VOLUME_NODE_BLOCKS, err);
		if (rc == 0 && map_put(&t->nodes, node_place(&at), n) < 0)
			rc = error_set(err, CELLA_ENOMEM, "no memory for the volume's tree");
		if (rc < 0)
			return rc;
		map_take(&t->nodes, node_place(&n->at));
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
	int rc = nodes_add(v, &at, ret_node, err);
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
	nodes_trim(v);
	return rc;
}

int tree_put(struct volume *v, const struct tree_key *key, const void *value, size_t size, struct error *err)
{
	struct path path;
	int rc = 0;
	nodes_trim(v);
	v->changed = true;
	while (rc == 0) {
		rc = path_descend(v, key, &path, err);
		if (rc == 0)
			rc = path_make_dirty(v, &path, path.depth, err);
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

/* The node will be in use no more. Before anything that cannot be undone: it may fail. */
static int bury(struct volume *v, const struct node *n, struct error *err)
{
	return n->dirty ? 0 : dead_add(v, n->at.segment, VOLUME_NODE_BLOCKS, err);
}

/* The node at this depth, buried, and the pointer to it go. */
static void unlink_node(struct volume *v, struct path *path, unsigned depth)
{
	node_remove(path->steps[depth - 1].node->bytes, path->steps[depth - 1].index);
	nodes_drop(v, path->steps[depth].node);
}

/* The node at this depth takes up the one behind it, if both fit one; *ret_done says whether. One that cannot
 * be read stays where it is: what was removed is another. */
static int merge(struct volume *v, struct path *path, unsigned depth, bool *ret_done, struct error *err)
{
	struct node *left = path->steps[depth].node, *above = path->steps[depth - 1].node, *right;
	unsigned index = path->steps[depth - 1].index;
	struct volume_pointer at = node_child(above, index + 1);
	if (nodes_load(v, &at, node_level(left->bytes), &right, NULL) < 0 ||
	    node_used(left->bytes) + node_used(right->bytes) > CAPACITY * 3 / 4)
		return 0;
	int rc = path_make_dirty(v, path, depth, err);
	if (rc == 0)
		rc = bury(v, right, err);
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
	unlink_node(v, &beside, depth);
	return 0;
}

/* After a removal: nodes that are nearly empty join their neighbours, empty ones go. */
static int shrink(struct volume *v, struct path *path, struct error *err)
{
	int rc = 0;
	for (unsigned d = path->depth; rc == 0 && d > 0; d--) {
		struct node *n = path->steps[d].node, *above = path->steps[d - 1].node;
		bool done = false;
		if (node_count(n->bytes) == 0) {
			rc = bury(v, n, err);
			if (rc == 0)
				unlink_node(v, path, d);
			continue;
		}
		if (node_used(n->bytes) >= CAPACITY / 4)
			break;
		if (path->steps[d - 1].index + 1 < node_count(above->bytes))
			rc = merge(v, path, d, &done, err);
		if (rc == 0 && !done && path->steps[d - 1].index > 0) {
			struct path before = *path;
			struct volume_pointer at = node_child(above, --before.steps[d - 1].index);
			if (nodes_load(v, &at, node_level(n->bytes), &before.steps[d].node, NULL) == 0)
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
		int rc = nodes_load(v, &v->tree.top, v->tree.level, &path.steps[0].node, err);
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
		rc = bury(v, top, err);
		if (rc < 0)
			return rc;
		v->tree.top = node_child(top, 0);
		v->tree.level--;
		nodes_drop(v, top);
	}
	return 0;
}

int tree_remove(struct volume *v, const struct tree_key *key, struct error *err)
{
	struct path path;
	nodes_trim(v);
	int rc = path_descend(v, key, &path, err);
	if (rc < 0 || !path.equal)
		return rc;
	v->changed = true;
	rc = path_make_dirty(v, &path, path.depth, err);
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
		struct volume_pointer at = node_child(n, i);
		if (at.segment != SEGMENT_UNWRITTEN)
			continue;
		int rc = write_node(v, map_get(&t->nodes, node_place(&at)), &at, err);
		if (rc < 0)
			return rc;
		node_overwrite(n->bytes, i, &at);
	}
	struct volume_pointer at;
	const uint8_t *bytes = n->bytes;
	int rc = segment_append(v, VOLUME_KIND_NODE, &bytes, 1, VOLUME_NODE_SIZE, &at, err);
	if (rc == 0 && map_put(&t->nodes, node_place(&at), n) < 0)
		rc = error_set(err, CELLA_ENOMEM, "no memory for the volume's tree");
	if (rc < 0)
		return rc;
	map_take(&t->nodes, node_place(&n->at));
	n->at = at;
	t->dirty_count--;
	nodes_add_clean(t, n);
	*ret_at = at;
	return 0;
}

int tree_flush(struct volume *v, struct error *err)
{
	struct tree *t = &v->tree;
	if (t->top.segment != SEGMENT_UNWRITTEN)
		return 0;
	return write_node(v, map_get(&t->nodes, node_place(&t->top)), &t->top, err);
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
			rc = path_descend(v, &key, &path, err);
		if (rc < 0)
			return rc;
		for (unsigned d = 0; rc == 0 && d <= path.depth; d++) {
			const struct node *n = path.steps[d].node;
			if (!n->dirty && moves(arg, n->at.segment)) {
				v->changed = true;
				rc = path_make_dirty(v, &path, d, err);
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
