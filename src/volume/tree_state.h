/*
 * The tree's nodes in memory, and paths through them: what tree.c and tree_change.c share.
 *
 * A B-tree from keys to values whose nodes are never changed where they lie (copy on write: Rodeh, "B-trees,
 * Shadowing, and Clones", 2008). A node that is changed first becomes *dirty*: it gets a place that is in
 * memory only, and so do the nodes above it, up to the top. Writing the dirty ones gives them places on the
 * disk, the lowest first, as a pointer holds the tag of what it points to.
 *
 * A node's parent is found by coming from the top, along a path. Nodes leave memory only where a public
 * function begins (nodes_trim), so none that is on a path goes away.
 */
#ifndef VOLUME_TREE_STATE_H
#define VOLUME_TREE_STATE_H

#include "volume/volume_state.h"

struct path {
	struct {
		struct node *node;
		unsigned index; /* of the item that was followed, or of the key's place in the leaf */
	} steps[VOLUME_LEVELS_MAX];
	unsigned depth; /* of the leaf */
	bool equal;     /* the leaf has the key */
};

static inline struct node *leaf_of(const struct path *path)
{
	return path->steps[path->depth].node;
}

static inline unsigned leaf_index(const struct path *path)
{
	return path->steps[path->depth].index;
}

static inline uint64_t node_place(const struct volume_pointer *at)
{
	return (uint64_t)at->segment << 32 | at->block;
}

/* Let clean nodes go that have not been used for long. Only where no path is held. */
void nodes_trim(struct volume *v);
/* A node at this place, linked nowhere yet but in the map. */
int nodes_add(struct volume *v, const struct volume_pointer *at, struct node **ret_node,
              struct error *err) must_check;
void nodes_add_clean(struct tree *t, struct node *n);
void nodes_drop(struct volume *v, struct node *n);
int nodes_load(struct volume *v, const struct volume_pointer *at, unsigned level, struct node **ret_node,
               struct error *err) must_check;

struct volume_pointer node_child(const struct node *n, unsigned index);
int path_descend(struct volume *v, const struct tree_key *key, struct path *path,
                 struct error *err) must_check;
/* The nodes of a path down to this depth become dirty. */
int path_make_dirty(struct volume *v, struct path *path, unsigned depth, struct error *err) must_check;

#endif
