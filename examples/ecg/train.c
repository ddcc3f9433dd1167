#include "train.h"

#include <cella/task.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ecg_limits.h"

static inline size_t values_count(uint32_t rows, uint32_t columns)
{
	return (size_t)rows * columns;
}

CELLA_TASK(train_tree, CELLA_VALUE(uint64_t, seed), CELLA_VALUE(uint32_t, index), CELLA_VALUE(uint32_t, rows),
           CELLA_VALUE(uint32_t, columns), CELLA_IN(const float, values, values_count(rows, columns)),
           CELLA_IN(const uint8_t, classes, rows), CELLA_OUT(struct forest_node, nodes, tree_nodes_max(rows)),
           CELLA_OUT(uint32_t, node_count, 1))
{
	struct samples samples = {.rows = rows, .columns = columns, .values = values, .classes = classes};
	*node_count = tree_grow(&samples, seed, index, nodes);
	if (*node_count == 0)
		cella_fail("not enough memory to grow tree %" PRIu32 " on %" PRIu32 " rows", index, rows);
}

/* Where trees under way put their nodes: a ring, so that memory does not grow with the number of trees. */
struct places {
	uint32_t count;
	struct forest_node **nodes;
	uint32_t *node_counts;
};

static void places_done(struct places *p)
{
	for (uint32_t i = 0; p->nodes && i < p->count; i++)
		free(p->nodes[i]);
	free(p->nodes);
	free(p->node_counts);
}

static int places_init(struct places *p, uint32_t count, uint32_t rows, struct failure *why)
{
	p->count = count;
	p->nodes = calloc(count, sizeof(struct forest_node *));
	p->node_counts = calloc(count, sizeof(*p->node_counts));
	bool ok = p->nodes && p->node_counts;
	for (uint32_t i = 0; ok && i < count; i++) {
		p->nodes[i] = calloc(tree_nodes_max(rows), sizeof(struct forest_node));
		ok = p->nodes[i];
	}
	return ok ? 0 : failed_memory(why, "the trees that are being grown");
}

static int take_tree(struct places *p, uint32_t index, struct forest_tree *ret, struct failure *why)
{
	uint32_t place = index % p->count;
	struct forest_node *nodes = p->nodes[place];
	uint32_t *node_count = &p->node_counts[place];
	if (cella_wait_on(nodes) != 0 || cella_wait_on(node_count) != 0)
		return failed(why, "tree %" PRIu32 " was not grown: its task was cancelled", index);
	ret->nodes = malloc(*node_count * sizeof(*nodes));
	if (!ret->nodes)
		return failed_memory(why, "a tree");
	ret->count = *node_count;
	memcpy(ret->nodes, nodes, ret->count * sizeof(*nodes));
	cella_forget(nodes);
	cella_forget(node_count);
	return 0;
}

static int grow_trees(const struct samples *s, uint64_t seed, struct places *p, struct forest *f,
                      struct failure *why)
{
	for (uint32_t i = 0; i < f->count + p->count; i++) {
		if (i >= p->count && take_tree(p, i - p->count, &f->trees[i - p->count], why) < 0)
			return -1;
		if (i < f->count)
			train_tree(seed, i, s->rows, s->columns, s->values, s->classes,
			           p->nodes[i % p->count], &p->node_counts[i % p->count]);
	}
	cella_forget(s->values);
	cella_forget(s->classes);
	return 0;
}

int train_forest(const struct samples *samples, uint32_t trees, uint64_t seed, struct forest *ret,
                 struct failure *why)
{
	uint32_t under_way = (uint32_t)cella_executors() * TREES_PER_EXECUTOR;
	struct places places __attribute__((cleanup(places_done))) = {0};
	if (places_init(&places, under_way < trees ? under_way : trees, samples->rows, why) < 0)
		return -1;
	struct forest f;
	if (forest_new(samples->columns, trees, &f, why) < 0)
		return -1;
	if (grow_trees(samples, seed, &places, &f, why) < 0) {
		forest_done(&f);
		return -1;
	}
	*ret = f;
	return 0;
}
