/*
 * Compacting: what is in use is copied out of segments that are mostly dead, to the end of the log, and one
 * commit later they are removed. Copying all of it is how everything comes to lie under a new key.
 */
#include <stdlib.h>
#include <string.h>

#include "volume/volume_state.h"

struct compact {
	struct volume *v;
	bool all;           /* whatever the disk lists: it may leave out what the tree refers to */
	uint32_t end;       /* segments from here on are this writer's new ones */
	struct map victims; /* segments that are listed */
	uint8_t *blocks;    /* VOLUME_GROUP_BLOCKS of them */
};

static bool is_victim(void *arg, uint32_t segment)
{
	const struct compact *c = arg;
	if (c->all)
		return segment != SEGMENT_NONE && segment < c->end;
	return map_get(&c->victims, segment);
}

static int dead_blocks(struct volume *v, uint32_t segment, uint32_t *ret_blocks, struct error *err)
{
	struct tree_key key = tree_key_number(0, VOLUME_ITEM_DEAD, segment);
	struct item item;
	int rc = tree_get(v, &key, &item, err);
	*ret_blocks = 0;
	if (rc == 0)
		memcpy(ret_blocks, item.value, min_of(sizeof(*ret_blocks), item.value_size));
	return rc == CELLA_ENOENT ? 0 : rc;
}

struct choice {
	struct compact *c;
	unsigned least_dead;
	struct error *err;
};

static int choose(void *arg, const char *name, uint64_t size)
{
	const struct choice *choice = arg;
	struct volume *v = choice->c->v;
	uint32_t number, dead;
	uint64_t blocks = size / VOLUME_BLOCK_SIZE;
	if (segment_file_number(name, &number) < 0)
		return 0;
	int rc = dead_blocks(v, number, &dead, choice->err);
	if (rc < 0)
		return rc;
	bool stray = map_get(&v->strays, number);
	bool worth = blocks < 2 || (uint64_t)(dead + 1) * 100 >= blocks * choice->least_dead;
	if (!stray && (!worth || number >= choice->c->end))
		return 0;
	return map_put(&choice->c->victims, number, v) < 0
	               ? error_set(choice->err, CELLA_ENOMEM, "no memory for a list of segments")
	               : 0;
}

/* The blocks of one group that lie in victims are written again. */
static int move_group(struct compact *c, uint64_t inode, uint64_t first, const struct volume_pointer *at,
                      size_t count, struct error *err)
{
	uint8_t *to[VOLUME_GROUP_BLOCKS];
	const uint8_t *plain[VOLUME_GROUP_BLOCKS];
	struct volume_pointer moved[VOLUME_GROUP_BLOCKS];
	for (size_t i = 0, n; i < count; i += n) {
		bool victim = is_victim(c, at[i].segment);
		for (n = 1; i + n < count && is_victim(c, at[i + n].segment) == victim; n++)
			;
		if (!victim)
			continue;
		size_t bad = 0;
		for (size_t j = 0; j < n; j++)
			plain[j] = to[j] = c->blocks + j * VOLUME_BLOCK_SIZE;
		int rc = segment_read_data(c->v, at + i, n, to, &bad, err);
		if (rc < 0)
			return error_prefix(err, rc, "inode %llu, block %llu: ", (unsigned long long)inode,
			                    (unsigned long long)(first + i + bad));
		rc = tree_limit(c->v, err);
		if (rc == 0)
			rc = segment_append(c->v, VOLUME_KIND_DATA, plain, n, VOLUME_BLOCK_SIZE, moved, err);
		if (rc == 0)
			rc = block_group_put(c->v, inode, first + i, n, moved, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int move_data(struct compact *c, struct error *err)
{
	struct tree_key key = tree_key(0, 0);
	struct item item;
	int rc;
	while ((rc = tree_next(c->v, &key, TREE_AFTER, &item, err)) == 0) {
		struct volume_pointer at[VOLUME_GROUP_BLOCKS];
		uint64_t inode = tree_inode_of(&item), number = tree_number_of(&item);
		memcpy(key.bytes, item.key, item.key_size);
		key.size = item.key_size;
		if (!tree_item_is(&item, inode, VOLUME_ITEM_GROUP))
			continue;
		size_t count = min_of(item.value_size, sizeof(at)) / VOLUME_POINTER_SIZE;
		memcpy(at, item.value, count * VOLUME_POINTER_SIZE);
		rc = move_group(c, inode, number * VOLUME_GROUP_BLOCKS, at, count, err);
		if (rc < 0)
			return rc;
	}
	return rc == CELLA_ENOENT ? 0 : rc;
}

/* Nothing refers to these now, but the root that the keeper still has. */
static int release_victims(struct compact *c, struct error *err)
{
	const struct map_slot *slot;
	size_t at = 0;
	int rc = 0;
	while (rc == 0 && (slot = map_next(&c->victims, &at)))
		rc = removal_add(c->v, (uint32_t)slot->key, err);
	return rc;
}

static int compact(struct compact *c, unsigned least_dead, struct error *err)
{
	struct volume *v = c->v;
	const struct volume_disk *disk = &v->config.disk;
	struct choice choice = {.c = c, .least_dead = least_dead, .err = err};
	int rc = commit_locked(v, err);
	if (rc == 0)
		rc = segment_close_writing(v, err);
	c->all = least_dead == 0;
	c->end = v->segments.next_number;
	if (rc == 0)
		rc = disk->list(disk->data, choose, &choice, err);
	if (rc < 0 || (!c->all && c->victims.count == 0))
		return rc;
	rc = move_data(c, err);
	if (rc == 0)
		rc = tree_move_nodes(v, is_victim, c, err);
	if (rc < 0)
		return rc;
	v->changed = true; /* the root has to leave, too */
	rc = release_victims(c, err);
	if (rc == 0)
		rc = commit_locked(v, err);
	if (rc == 0)
		rc = publish_locked(v, err);
	return rc == 0 && c->all ? volume_write_header(v, err) : rc;
}

int volume_compact(struct volume *v, unsigned least_dead, struct error *err)
{
	volume_locked(v);
	struct compact c = {.v = v};
	int rc = volume_may_write(v, err);
	if (rc < 0)
		return rc;
	c.blocks = mem_alloc(v->pool, VOLUME_GROUP_BLOCKS * VOLUME_BLOCK_SIZE);
	if (!c.blocks)
		return error_set(err, CELLA_ENOMEM, "no protected memory to compact a volume");
	rc = compact(&c, least_dead, err);
	mem_free(v->pool, c.blocks);
	map_done(&c.victims);
	return rc;
}
