#include "forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int forest_new(uint32_t columns, uint32_t count, struct forest *ret, struct failure *why)
{
	struct forest_tree *trees = calloc(count, sizeof(*trees));
	if (!trees)
		return failed_memory(why, "a forest");
	*ret = (struct forest){.columns = columns, .count = count, .trees = trees};
	return 0;
}

void forest_done(struct forest *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		free(f->trees[i].nodes);
	free(f->trees);
	*f = (struct forest){0};
}

/* The greatest float that is not above the threshold: x <= threshold says the same of both for every float x.
 * */
static float round_down(double threshold)
{
	float nearest = (float)threshold;
	return (double)nearest > threshold ? nextafterf(nearest, -INFINITY) : nearest;
}

static void leaf_votes(const struct forest_node *leaf, double ret_votes[CLASS_COUNT])
{
	double sum = 0;
	for (int i = 0; i < CLASS_COUNT; i++)
		sum += leaf->counts[i];
	for (int i = 0; i < CLASS_COUNT; i++)
		ret_votes[i] = leaf->counts[i] / sum;
}

enum { SHARED_ANSWERS = 64 };

/* The slot of the answer `votes`, appended at `*end` unless it is among the first SHARED_ANSWERS already. */
static uint32_t pack_votes(union tree_slot *slots, uint32_t first, uint32_t *end,
                           const double votes[CLASS_COUNT])
{
	size_t size = CLASS_COUNT * sizeof(votes[0]);
	for (uint32_t at = first; at < *end && at < first + 2 * SHARED_ANSWERS; at += 2) {
		if (memcmp(&slots[at], votes, size) == 0)
			return at;
	}
	memcpy(&slots[*end], votes, size);
	*end += 2;
	return *end - 2;
}

int forest_pack(const struct forest_tree *tree, union tree_slot **ret_slots, uint32_t *ret_count,
                struct failure *why)
{
	uint32_t leaves = 0;
	for (uint32_t i = 0; i < tree->count; i++)
		leaves += tree->nodes[i].feature == LEAF;
	union tree_slot *slots = calloc(tree->count + 2 * (size_t)leaves + 1, sizeof(*slots));
	if (!slots)
		return failed_memory(why, "a tree");
	uint32_t end = tree->count;
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct forest_node *node = &tree->nodes[i];
		slots[i].node.feature = node->feature;
		if (node->feature == LEAF) {
			double votes[CLASS_COUNT];
			leaf_votes(node, votes);
			slots[i].node.left = pack_votes(slots, tree->count, &end, votes);
			continue;
		}
		slots[i].node.threshold = round_down(node->threshold);
		slots[i].node.left = node->left;
		slots[i].node.right = node->right;
	}
	*ret_slots = slots;
	*ret_count = end;
	return 0;
}

void tree_answer(const union tree_slot *slots, const float *row, double ret_votes[CLASS_COUNT])
{
	uint32_t at = 0;
	while (slots[at].node.feature != LEAF)
		at = row[slots[at].node.feature] <= slots[at].node.threshold ? slots[at].node.left
		                                                             : slots[at].node.right;
	memcpy(ret_votes, &slots[slots[at].node.left], CLASS_COUNT * sizeof(*ret_votes));
}
