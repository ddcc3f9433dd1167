#include "train.h"

#include <cella/task.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ecg_limits.h"
#include "sizes.h"

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

/* Where a tree under way puts its nodes. */
struct place {
	struct forest_node *nodes;
	uint32_t node_count;
};

/* A ring, so that memory does not grow with the number of trees. */
struct places {
	uint32_t count;
	struct place *each;
};

static void places_done(struct places *p)
{
	for (uint32_t i = 0; p->each && i < p->count; i++)
		free(p->each[i].nodes);
	free(p->each);
}

static int places_init(struct places *p, uint32_t count, uint32_t rows, struct failure *why)
{
	p->count = count;
	p->each = calloc(count, sizeof(*p->each));
	bool ok = p->each;
	for (uint32_t i = 0; ok && i < count; i++) {
		p->each[i].nodes = calloc(tree_nodes_max(rows), sizeof(struct forest_node));
		ok = p->each[i].nodes;
	}
	return ok ? 0 : failed_memory(why, "the trees that are being grown");
}

static struct place *place_of(const struct places *p, uint32_t index)
{
	return &p->each[p->count > 1 ? index % p->count : 0];
}

static int take_tree(struct place *place, uint32_t index, struct forest_tree *ret, struct failure *why)
{
	if (cella_wait_on(place->nodes) != 0 || cella_wait_on(&place->node_count) != 0)
		return failed(why, "tree %" PRIu32 " was not grown: its task was cancelled", index);
	size_t size = place->node_count * sizeof(*place->nodes);
	ret->nodes = malloc(size);
	if (!ret->nodes)
		return failed_memory(why, "a tree");
	ret->count = place->node_count;
	memcpy(ret->nodes, place->nodes, size);
	cella_forget(place->nodes);
	cella_forget(&place->node_count);
	return 0;
}

static int grow_trees(const struct samples *s, uint64_t seed, const struct places *p, struct forest *f,
                      struct failure *why)
{
	for (uint32_t i = 0; i < f->count + p->count; i++) {
		struct place *place = place_of(p, i);
		uint32_t oldest = i - p->count;
		if (i >= p->count && take_tree(place, oldest, &f->trees[oldest], why) < 0)
			return -1;
		if (i < f->count)
			train_tree(seed, i, s->rows, s->columns, s->values, s->classes, place->nodes,
			           &place->node_count);
	}
	cella_forget(s->values);
	cella_forget(s->classes);
	return 0;
}

int train_forest(const struct samples *samples, uint32_t trees, uint64_t seed, struct forest *ret,
                 struct failure *why)
{
	uint32_t under_way = tasks_under_way(TREES_PER_EXECUTOR);
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
