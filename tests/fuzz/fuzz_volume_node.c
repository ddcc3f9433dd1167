/* Bytes that pass for a node of a volume's tree: can everything then be done to it that is done to nodes? */
#include <stdlib.h>
#include <string.h>

#include "volume/volume_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void find_all(const uint8_t *node)
{
	for (unsigned i = 0; i < node_count(node); i++) {
		struct item item = node_item(node, i);
		bool equal;
		demand(node_search(node, item.key, item.key_size, &equal) == i && equal);
		demand(item.key_size >= VOLUME_KEY_PREFIX);
	}
}

/* What is not given is zero, so that inputs may be short: the header, and then the end of the node. */
static uint8_t *node_of(const uint8_t *data, size_t size)
{
	uint8_t *node = calloc(1, VOLUME_NODE_SIZE);
	demand(node);
	size = min_of(size, (size_t)VOLUME_NODE_SIZE);
	size_t front = size < 2 ? size
	                        : min_of(size, VOLUME_NODE_HEADER_SIZE + (size_t)data[2] * VOLUME_SLOT_SIZE);
	memcpy(node, data, front);
	memcpy(node + VOLUME_NODE_SIZE - (size - front), data + front, size - front);
	return node;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < VOLUME_NODE_HEADER_SIZE)
		return 0;
	uint8_t *node = node_of(data, size), *other = calloc(1, VOLUME_NODE_SIZE);
	unsigned level = node[0];
	demand(other);
	if (level < VOLUME_LEVELS_MAX && node_check(node, level, NULL) == 0) {
		find_all(node);
		unsigned count = node_count(node);
		node_init(other, level);
		node_move_tail(node, count / 2, other);
		demand(node_count(node) + node_count(other) == count);
		demand(node_check(other, level, NULL) == 0 || level);
		find_all(node);
		find_all(other);
		while (node_count(node))
			node_remove(node, node_count(node) / 2);
	}
	free(node);
	free(other);
	return 0;
}
