/*
 * One tree of a random forest (CART): a bootstrap sample of the rows, at each node the best of sqrt(n)
 * features that are not constant there by Gini's impurity, grown until every leaf is pure or cannot be
 * divided.
 *
 * Values are compared as the floats that they are, thresholds are exact midpoints in double, impurities come
 * from whole numbers: a tree is a function of (values, classes, seed, index), the same bits on every machine.
 */
#ifndef ECG_TREE_H
#define ECG_TREE_H

#include <stdint.h>

#include "forest.h"

/* The training set, column by column: the value of a row's feature is values[feature * rows + row]. */
struct samples {
	uint32_t rows;
	uint32_t columns;
	const float *values;
	const uint8_t *classes;
};

/* A tree of so many rows has at most so many nodes. */
static inline uint32_t tree_nodes_max(uint32_t rows)
{
	return 2 * rows - 1;
}

/* Fill ret_nodes[tree_nodes_max(rows)] in preorder and return how many there are, 0 without memory. */
uint32_t tree_grow(const struct samples *samples, uint64_t seed, uint32_t index,
                   struct forest_node *ret_nodes);

#endif
