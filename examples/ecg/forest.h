/*
 * Random forests: the model, its text, and the packed trees that tasks walk.
 *
 * Text:
 *     forest 1
 *     n_trees 40
 *     n_features 111
 *     n_classes 4
 *     classes N A O ~
 *     tree K N                          for each tree, K from 0; then its N nodes, node 0 first:
 *     FEATURE THRESHOLD LEFT RIGHT C0 C1 C2 C3     left if x[FEATURE] <= THRESHOLD; -1: a leaf
 * C are the training rows of each class at the node. Children stand behind their parent, so every walk ends.
 *
 * A tree's answer is its leaf's counts divided by their sum; the forest's is the mean over its trees in
 * order.
 */
#ifndef ECG_FOREST_H
#define ECG_FOREST_H

#include <stdint.h>
#include <stdio.h>

#include "classes.h"
#include "failure.h"
#include "text.h"

enum { LEAF = -1 };

struct forest_node {
	double threshold;
	int32_t feature; /* LEAF: threshold, left and right mean nothing */
	uint32_t left;
	uint32_t right;
	uint32_t counts[CLASS_COUNT];
};

struct forest_tree {
	uint32_t count;
	struct forest_node *nodes;
};

struct forest {
	uint32_t columns;
	uint32_t count;
	struct forest_tree *trees;
};

/* `count` empty trees. */
int forest_new(uint32_t columns, uint32_t count, struct forest *ret, struct failure *why) must_check;
void forest_done(struct forest *f);

/* forest_read opens the file; forest_parse leaves the text open. *ret is untouched on failure. */
int forest_read(const char *path, struct forest *ret, struct failure *why) must_check;
int forest_parse(struct text *t, struct forest *ret, struct failure *why) must_check;
/* The caller checks ferror. */
void forest_print(const struct forest *f, FILE *file);

/*
 * A packed tree is one array of slots without pointers, small enough to seal and cache: the nodes, then the
 * different answers of its leaves, two slots each. Thresholds are rounded down to float, which leaves every
 * decision about a float as it was.
 */
union tree_slot {
	struct {
		float threshold;
		int32_t feature; /* LEAF: `left` is the slot of the answer */
		uint32_t left;
		uint32_t right;
	} node;
	double votes[2];
};

/* The packed tree and its number of slots; the caller frees it. */
int forest_pack(const struct forest_tree *tree, union tree_slot **ret_slots, uint32_t *ret_count,
                struct failure *why) must_check;
/* The packed tree's answer to a row: the probabilities of the classes. */
void tree_answer(const union tree_slot *slots, const float *row, double ret_votes[CLASS_COUNT]);

#endif
