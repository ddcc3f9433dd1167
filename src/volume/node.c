/*
 * A node of the tree: a page of slots and a heap (volume/volume_format.h). node_check decides whether bytes
 * from a disk are one; everything else may rely on it.
 */
#include <string.h>

#include "volume/volume_state.h"

struct header {
	uint8_t level, zero;
	uint16_t count;
	uint16_t heap; /* where the lowest byte in use of the heap is */
	uint16_t garbage;
	uint64_t zeros;
};

struct slot {
	uint16_t offset, key_size, value_size;
};

static_assert(sizeof(struct header) == VOLUME_NODE_HEADER_SIZE, "no padding");
static_assert(sizeof(struct slot) == VOLUME_SLOT_SIZE, "no padding");
static_assert(VOLUME_NODE_SIZE <= UINT16_MAX, "offsets fit a slot");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structures are stored as they are");

static struct header *header_of(uint8_t *node)
{
	return (struct header *)(void *)node;
}

static const struct header *header_in(const uint8_t *node)
{
	return (const struct header *)(const void *)node;
}

static struct slot *slots_of(uint8_t *node)
{
	return (struct slot *)(void *)(node + sizeof(struct header));
}

static const struct slot *slots_in(const uint8_t *node)
{
	return (const struct slot *)(const void *)(node + sizeof(struct header));
}

static size_t slots_end(const struct header *h)
{
	return sizeof(*h) + h->count * sizeof(struct slot);
}

void node_init(uint8_t *node, unsigned level)
{
	memset(node, 0, VOLUME_NODE_SIZE);
	*header_of(node) = (struct header){.level = (uint8_t)level, .heap = VOLUME_NODE_SIZE};
}

unsigned node_level(const uint8_t *node)
{
	return header_in(node)->level;
}

unsigned node_count(const uint8_t *node)
{
	return header_in(node)->count;
}

struct item node_item(const uint8_t *node, unsigned index)
{
	const struct slot *s = &slots_in(node)[index];
	return (struct item){.key = node + s->offset,
	                     .key_size = s->key_size,
	                     .value = node + s->offset + s->key_size,
	                     .value_size = s->value_size};
}

static int compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
	int order = memcmp(a, b, min_of(a_size, b_size));
	if (order == 0 && a_size != b_size)
		order = a_size < b_size ? -1 : 1;
	return order;
}

unsigned node_search(const uint8_t *node, const void *key, size_t key_size, bool *ret_equal)
{
	unsigned low = 0, high = node_count(node);
	*ret_equal = false;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct slot *s = &slots_in(node)[middle];
		int order = compare(node + s->offset, s->key_size, key, key_size);
		if (order < 0) {
			low = middle + 1;
		} else {
			high = middle;
			*ret_equal |= order == 0;
		}
	}
	return low;
}

size_t node_used(const uint8_t *node)
{
	const struct header *h = header_in(node);
	return h->count * sizeof(struct slot) + VOLUME_NODE_SIZE - h->heap - h->garbage;
}

bool node_has_room(const uint8_t *node, size_t key_size, size_t value_size)
{
	return node_used(node) + sizeof(struct slot) + key_size + value_size <=
	       VOLUME_NODE_SIZE - VOLUME_NODE_HEADER_SIZE;
}

/* Push the heap together, so that all that is free lies in one piece, and is zero. */
static void gather(uint8_t *node)
{
	uint8_t copy[VOLUME_NODE_SIZE];
	struct header *h = header_of(node);
	struct slot *slots = slots_of(node);
	size_t heap = VOLUME_NODE_SIZE;
	memcpy(copy, node, sizeof(copy));
	for (unsigned i = 0; i < h->count; i++) {
		size_t size = slots[i].key_size + slots[i].value_size;
		heap -= size;
		memcpy(node + heap, copy + slots[i].offset, size);
		slots[i].offset = (uint16_t)heap;
	}
	memset(node + slots_end(h), 0, heap - slots_end(h));
	h->heap = (uint16_t)heap;
	h->garbage = 0;
	mem_wipe(copy, sizeof(copy));
}

void node_insert(uint8_t *node, unsigned index, const void *key, size_t key_size, const void *value,
                 size_t value_size)
{
	struct header *h = header_of(node);
	size_t size = key_size + value_size;
	if (h->heap < slots_end(h) + sizeof(struct slot) + size)
		gather(node);
	struct slot *s = &slots_of(node)[index];
	memmove(s + 1, s, (h->count - index) * sizeof(*s));
	h->heap = (uint16_t)(h->heap - size);
	h->count++;
	*s = (struct slot){h->heap, (uint16_t)key_size, (uint16_t)value_size};
	memcpy(node + h->heap, key, key_size);
	if (value_size)
		memcpy(node + h->heap + key_size, value, value_size);
}

void node_remove(uint8_t *node, unsigned index)
{
	struct header *h = header_of(node);
	struct slot *s = &slots_of(node)[index];
	size_t size = (size_t)s->key_size + s->value_size;
	memset(node + s->offset, 0, size);
	h->garbage = (uint16_t)(h->garbage + size);
	h->count--;
	memmove(s, s + 1, (h->count - index) * sizeof(*s));
	memset(&slots_of(node)[h->count], 0, sizeof(*s));
	if (h->count == 0) {
		h->heap = VOLUME_NODE_SIZE;
		h->garbage = 0;
	}
}

void node_overwrite(uint8_t *node, unsigned index, const void *value)
{
	const struct slot *s = &slots_in(node)[index];
	if (s->value_size)
		memcpy(node + s->offset + s->key_size, value, s->value_size);
}

void node_move_tail(uint8_t *node, unsigned index, uint8_t *to)
{
	struct header *h = header_of(node);
	for (unsigned i = index; i < h->count; i++) {
		struct item item = node_item(node, i);
		node_insert(to, node_count(to), item.key, item.key_size, item.value, item.value_size);
	}
	while (h->count > index)
		node_remove(node, h->count - 1u);
	gather(node);
}

/* Keys are as long as their kind has them: a number is then all that tells one from its neighbours. */
static bool key_holds(const uint8_t *key, size_t size)
{
	switch (key[VOLUME_KEY_PREFIX - 1]) {
	case VOLUME_ITEM_INODE: return size == VOLUME_KEY_PREFIX;
	case VOLUME_ITEM_ENTRY: return size > VOLUME_KEY_PREFIX;
	case VOLUME_ITEM_GROUP:
	case VOLUME_ITEM_DEAD:
	case VOLUME_ITEM_ORPHAN: return size == VOLUME_KEY_PREFIX + sizeof(uint64_t);
	default: return false;
	}
}

static bool slot_holds(const uint8_t *node, const struct slot *s)
{
	const struct header *h = header_in(node);
	size_t end = (size_t)s->offset + s->key_size + s->value_size;
	if (s->offset < h->heap || end > VOLUME_NODE_SIZE || s->key_size < VOLUME_KEY_PREFIX ||
	    s->key_size > VOLUME_TREE_KEY_MAX || s->value_size > VOLUME_TREE_VALUE_MAX)
		return false;
	if (h->level == 0)
		return key_holds(node + s->offset, s->key_size);
	struct volume_pointer child = {0};
	if (s->value_size == sizeof(child))
		memcpy(&child, node + s->offset + s->key_size, sizeof(child));
	return child.segment != SEGMENT_NONE && child.segment != SEGMENT_UNWRITTEN;
}

/* Slots that lie within the heap, in order of their keys, and that leave just the garbage. */
static bool slots_hold(const uint8_t *node)
{
	const struct header *h = header_in(node);
	const struct slot *slots = slots_in(node);
	size_t sum = h->garbage;
	for (unsigned i = 0; i < h->count; i++) {
		size_t size = (size_t)slots[i].key_size + slots[i].value_size;
		if (!slot_holds(node, &slots[i]))
			return false;
		if (i && compare(node + slots[i - 1].offset, slots[i - 1].key_size, node + slots[i].offset,
		                 slots[i].key_size) >= 0)
			return false;
		sum += size;
	}
	return sum == VOLUME_NODE_SIZE - (size_t)h->heap;
}

int node_check(const uint8_t *node, unsigned level, struct error *err)
{
	const struct header *h = header_in(node);
	if (h->level != level || h->zero || h->zeros || h->heap > VOLUME_NODE_SIZE ||
	    slots_end(h) > h->heap || (level && h->count == 0) || !slots_hold(node))
		return error_set(err, CELLA_EAUTH, "a node of the volume's tree is malformed");
	return 0;
}
