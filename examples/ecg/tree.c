#include "tree.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ecg_random.h"

enum { INSERTION_SIZE = 16 };

struct grower {
	const struct samples *samples;
	struct random random;
	uint32_t *weight;  /* of each row: how often the bootstrap drew it */
	uint32_t *order;   /* the rows drawn; each node owns a range */
	uint32_t *spare;   /* as many */
	uint64_t *keys;    /* a range's values and rows, to be sorted */
	uint64_t *merged;  /* as many */
	uint32_t *feature; /* a permutation of the features */
	struct range *todo;
	uint32_t todo_count;
	struct forest_node *nodes;
	uint32_t node_count;
};

/* A node to make of order[start .. end); its place goes into the parent unless that is its left child, which
 * follows it. */
struct range {
	uint32_t start;
	uint32_t end;
	uint32_t parent;
	bool is_right;
};

struct split {
	bool found;
	uint32_t feature;
	double threshold;
	double score; /* sum of counts^2 / weight over both sides: the greater, the purer */
};

/* Integers in the order of the floats. */
static uint32_t order_of_float(float value)
{
	uint32_t bits;
	value += 0.0f; /* -0 becomes 0 */
	memcpy(&bits, &value, sizeof(bits));
	return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

static float float_of_order(uint32_t order)
{
	uint32_t bits = order & 0x80000000 ? order & 0x7fffffff : ~order;
	float value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static void insertion_sort(uint64_t *keys, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint64_t key = keys[i];
		uint32_t at = i;
		for (; at > 0 && keys[at - 1] > key; at--)
			keys[at] = keys[at - 1];
		keys[at] = key;
	}
}

static void merge(const uint64_t *left, uint32_t left_count, const uint64_t *right, uint32_t right_count,
                  uint64_t *to)
{
	uint32_t i = 0;
	uint32_t j = 0;
	while (i < left_count && j < right_count) {
		bool from_right = right[j] < left[i];
		*to++ = from_right ? right[j] : left[i];
		j += from_right;
		i += !from_right;
	}
	memcpy(to, left + i, (left_count - i) * sizeof(*to));
	memcpy(to + (left_count - i), right + j, (right_count - j) * sizeof(*to));
}

/* Sort g->keys by merging sorted runs; returns where the result lies, keys or merged. */
static const uint64_t *sort_keys(struct grower *g, uint32_t count)
{
	uint64_t *from = g->keys;
	uint64_t *to = g->merged;
	for (uint32_t start = 0; start < count; start += INSERTION_SIZE)
		insertion_sort(from + start, count - start < INSERTION_SIZE ? count - start : INSERTION_SIZE);
	for (uint32_t run = INSERTION_SIZE; run < count; run *= 2) {
		for (uint32_t start = 0; start < count; start += 2 * run) {
			uint32_t left = count - start < run ? count - start : run;
			uint32_t right = count - start - left < run ? count - start - left : run;
			merge(from + start, left, from + start + left, right, to + start);
		}
		uint64_t *swap = from;
		from = to;
		to = swap;
	}
	return from;
}

static void count_classes(const struct grower *g, const struct range *range, uint32_t counts[CLASS_COUNT])
{
	memset(counts, 0, CLASS_COUNT * sizeof(*counts));
	for (uint32_t i = range->start; i < range->end; i++) {
		uint32_t row = g->order[i];
		counts[g->samples->classes[row]] += g->weight[row];
	}
}

static double sum_of_squares(const uint32_t counts[CLASS_COUNT])
{
	uint64_t sum = 0;
	for (int i = 0; i < CLASS_COUNT; i++)
		sum += (uint64_t)counts[i] * counts[i];
	return (double)sum;
}

/* Sort the range by the feature; false if it is constant there. */
static bool sort_by_feature(struct grower *g, const struct range *range, uint32_t feature,
                            const uint64_t **ret_sorted)
{
	const float *column = g->samples->values + (size_t)feature * g->samples->rows;
	uint32_t count = range->end - range->start;
	uint32_t first = order_of_float(column[g->order[range->start]]);
	bool constant = true;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t row = g->order[range->start + i];
		uint32_t value = order_of_float(column[row]);
		constant = constant && value == first;
		g->keys[i] = (uint64_t)value << 32 | row;
	}
	if (constant)
		return false;
	*ret_sorted = sort_keys(g, count);
	return true;
}

/* Take the best place to divide the sorted range, if it beats what *best has. */
static void try_places(const struct grower *g, const uint64_t *sorted, uint32_t count, uint32_t feature,
                       const uint32_t counts[CLASS_COUNT], struct split *best)
{
	uint32_t left[CLASS_COUNT] = {0};
	uint32_t right[CLASS_COUNT];
	memcpy(right, counts, sizeof(right));
	uint32_t left_weight = 0;
	uint32_t right_weight = 0;
	for (int i = 0; i < CLASS_COUNT; i++)
		right_weight += counts[i];

	for (uint32_t i = 0; i + 1 < count; i++) {
		uint32_t row = (uint32_t)sorted[i];
		uint32_t class = g->samples->classes[row];
		uint32_t weight = g->weight[row];
		left[class] += weight;
		right[class] -= weight;
		left_weight += weight;
		right_weight -= weight;
		uint32_t here = (uint32_t)(sorted[i] >> 32);
		uint32_t next = (uint32_t)(sorted[i + 1] >> 32);
		if (here == next)
			continue;
		double score = sum_of_squares(left) / left_weight + sum_of_squares(right) / right_weight;
		if (best->found && score <= best->score)
			continue;
		best->found = true;
		best->feature = feature;
		best->threshold = ((double)float_of_order(here) + (double)float_of_order(next)) / 2;
		best->score = score;
	}
}

/* Draw features until sqrt(n) of them were not constant, or all were drawn. */
static struct split find_split(struct grower *g, const struct range *range,
                               const uint32_t counts[CLASS_COUNT])
{
	struct split best = {.found = false};
	uint32_t columns = g->samples->columns;
	uint32_t wanted = (uint32_t)sqrt(columns);
	uint32_t useful = 0;
	for (uint32_t i = 0; i < columns && useful < wanted; i++) {
		uint32_t other = i + random_below(&g->random, columns - i);
		uint32_t feature = g->feature[other];
		g->feature[other] = g->feature[i];
		g->feature[i] = feature;
		const uint64_t *sorted;
		if (!sort_by_feature(g, range, feature, &sorted))
			continue;
		useful++;
		try_places(g, sorted, range->end - range->start, feature, counts, &best);
	}
	return best;
}

/* Reorder the range, rows of the left side first, each side in its old order; returns where the right side
 * begins. */
static uint32_t divide(struct grower *g, const struct range *range, const struct split *split)
{
	const float *column = g->samples->values + (size_t)split->feature * g->samples->rows;
	uint32_t left = range->start;
	uint32_t right = 0;
	for (uint32_t i = range->start; i < range->end; i++) {
		uint32_t row = g->order[i];
		if ((double)column[row] <= split->threshold)
			g->order[left++] = row;
		else
			g->spare[right++] = row;
	}
	memcpy(g->order + left, g->spare, right * sizeof(*g->order));
	return left;
}

static bool is_pure(const uint32_t counts[CLASS_COUNT])
{
	int present = 0;
	for (int i = 0; i < CLASS_COUNT; i++)
		present += counts[i] > 0;
	return present == 1;
}

/* Make the range's node, and its sides the next ranges: the left one first, so that nodes lie in preorder. */
static void grow_node(struct grower *g, const struct range *range)
{
	uint32_t index = g->node_count++;
	struct forest_node *node = &g->nodes[index];
	*node = (struct forest_node){.feature = LEAF};
	if (range->is_right)
		g->nodes[range->parent].right = index;
	count_classes(g, range, node->counts);
	if (is_pure(node->counts))
		return;
	struct split split = find_split(g, range, node->counts);
	if (!split.found)
		return;
	node->feature = (int32_t)split.feature;
	node->threshold = split.threshold;
	node->left = index + 1;
	uint32_t middle = divide(g, range, &split);
	g->todo[g->todo_count++] = (struct range){middle, range->end, index, true};
	g->todo[g->todo_count++] = (struct range){range->start, middle, index, false};
}

static void draw_rows(struct grower *g)
{
	uint32_t rows = g->samples->rows;
	for (uint32_t i = 0; i < rows; i++)
		g->weight[random_below(&g->random, rows)]++;
	uint32_t drawn = 0;
	for (uint32_t row = 0; row < rows; row++) {
		if (g->weight[row] > 0)
			g->order[drawn++] = row;
	}
	for (uint32_t i = 0; i < g->samples->columns; i++)
		g->feature[i] = i;
	g->todo[0] = (struct range){.end = drawn};
	g->todo_count = 1;
}

static void grower_done(struct grower *g)
{
	free(g->weight);
	free(g->order);
	free(g->spare);
	free(g->keys);
	free(g->merged);
	free(g->feature);
	free(g->todo);
}

static bool grower_init(struct grower *g, const struct samples *samples)
{
	g->samples = samples;
	g->weight = calloc(samples->rows, sizeof(*g->weight));
	g->order = calloc(samples->rows, sizeof(*g->order));
	g->spare = calloc(samples->rows, sizeof(*g->spare));
	g->keys = calloc(samples->rows, sizeof(*g->keys));
	g->merged = calloc(samples->rows, sizeof(*g->merged));
	g->feature = calloc(samples->columns, sizeof(*g->feature));
	g->todo = calloc(samples->rows + (size_t)1, sizeof(*g->todo));
	return g->weight && g->order && g->spare && g->keys && g->merged && g->feature && g->todo;
}

uint32_t tree_grow(const struct samples *samples, uint64_t seed, uint32_t index,
                   struct forest_node *ret_nodes)
{
	struct grower g __attribute__((cleanup(grower_done))) = {
		.random = random_stream(seed, index),
		.nodes = ret_nodes,
	};
	if (!grower_init(&g, samples))
		return 0;
	draw_rows(&g);
	while (g.todo_count > 0) {
		struct range range = g.todo[--g.todo_count];
		grow_node(&g, &range);
	}
	return g.node_count;
}
