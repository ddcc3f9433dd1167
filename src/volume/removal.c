/*
 * Blocks that nothing refers to any more, and segments of them. Blocks are counted as they die, in memory
 * first, in the tree (VOLUME_ITEM_DEAD) by each commit. A segment of which all are dead is removed once the
 * keeper has a root that does without it, and no snapshot needs it.
 *
 * What lies behind the segment of the last root when a writer opens a volume was never committed: strays,
 * which go at once, unless there is a root among them: of another keeper's, maybe. So a disk that ran full
 * has the room again that the failure took.
 */
#include <stdio.h>
#include <string.h>

#include "volume/volume_state.h"

struct scan {
	struct volume *v;
	struct error *err;
};

static int note_size(void *arg, const char *name, uint64_t size)
{
	const struct scan *scan = arg;
	struct volume *v = scan->v;
	uint32_t number;
	uintptr_t blocks = (uintptr_t)max_of(size / VOLUME_BLOCK_SIZE, (uint64_t)1);
	if (segment_file_number(name, &number) < 0 || map_put(&v->sizes, number, (void *)blocks) == 0)
		return 0;
	return error_set(scan->err, CELLA_ENOMEM, "no memory for a list of segments");
}

int removal_scan(struct volume *v, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	struct scan scan = {.v = v, .err = err};
	return disk->list(disk->data, note_size, &scan, err);
}

static void note_root(void *arg, const struct volume_pointer *at, const uint8_t block[VOLUME_BLOCK_SIZE])
{
	(void)at;
	(void)block;
	*(bool *)arg = true;
}

/* Of another keeper, maybe, whose commits these are. */
static bool strays_have_roots(struct volume *v)
{
	const struct map_slot *slot;
	size_t at = 0;
	bool found = false;
	while (!found && (slot = map_next(&v->strays, &at)))
		if (segment_each_root(v, (uint32_t)slot->key, 1, note_root, &found, NULL) < 0)
			return true;
	return found;
}

int removal_note_strays(struct volume *v, struct error *err)
{
	const struct map_slot *slot;
	size_t at = 0;
	int rc = 0;
	while ((slot = map_next(&v->sizes, &at)))
		if (slot->key > v->opened_segment && map_put(&v->strays, slot->key, v) < 0)
			return error_set(err, CELLA_ENOMEM, "no memory for a list of segments");
	bool kept = strays_have_roots(v);
	for (at = 0; rc == 0 && !kept && (slot = map_next(&v->strays, &at));)
		rc = map_put(&v->removable, slot->key, (void *)(uintptr_t)v->root.counter);
	return rc < 0 ? error_set(err, CELLA_ENOMEM, "no memory for a list of segments") : 0;
}

static uint32_t size_of(const struct volume *v, uint32_t segment)
{
	uintptr_t found = (uintptr_t)map_get(&v->sizes, segment);
	return found ? (uint32_t)found : VOLUME_SEGMENT_BLOCKS;
}

int removal_add(struct volume *v, uint32_t segment, struct error *err)
{
	uintptr_t counter = (uintptr_t)v->root.counter + 1;
	if (map_put(&v->removable, segment, (void *)counter) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory for a list of segments");
	return 0;
}

/* Its header is no block that could die. */
static int consider(struct volume *v, uint32_t segment, uint32_t dead, struct error *err)
{
	bool writing = v->segments.writing && v->segments.writing->number == segment;
	if (writing || dead + 1 < size_of(v, segment) || dead + 1 < 2)
		return 0;
	return removal_add(v, segment, err);
}

int dead_add(struct volume *v, uint32_t segment, uint32_t blocks, struct error *err)
{
	if (segment == SEGMENT_NONE || blocks == 0)
		return 0;
	uintptr_t sum = (uintptr_t)map_get(&v->tree.dead, segment) + blocks;
	if (map_put(&v->tree.dead, segment, (void *)sum) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory for a count of dead blocks");
	return 0;
}

static int settle_one(struct volume *v, uint32_t segment, uint32_t blocks, struct error *err)
{
	struct tree_key key = tree_key_number(0, VOLUME_ITEM_DEAD, segment);
	struct item item;
	uint32_t sum = 0;
	int rc = tree_get(v, &key, &item, err);
	if (rc == 0)
		memcpy(&sum, item.value, min_of(sizeof(sum), item.value_size));
	if (rc < 0 && rc != CELLA_ENOENT)
		return rc;
	sum += blocks;
	rc = tree_put(v, &key, &sum, sizeof(sum), err);
	return rc == 0 ? consider(v, segment, sum, err) : rc;
}

/* Each step may make a node dirty, whose old place then is dead, too; but a node becomes dirty once. */
int dead_settle(struct volume *v, struct error *err)
{
	struct map *dead = &v->tree.dead;
	const struct map_slot *slot;
	size_t at = 0;
	while ((slot = map_next(dead, &at))) {
		uint32_t segment = (uint32_t)slot->key, blocks = (uint32_t)(uintptr_t)slot->value;
		int rc = tree_limit(v, err);
		if (rc == 0)
			rc = settle_one(v, segment, blocks, err);
		if (rc < 0)
			return rc;
		/* by now more of it may be dead */
		uintptr_t left = (uintptr_t)map_take(dead, segment) - blocks;
		if (left && map_put(dead, segment, (void *)left) < 0)
			return error_set(err, CELLA_ENOMEM, "no memory for a count of dead blocks");
		at = 0;
	}
	return 0;
}

static void remove_due(struct volume *v)
{
	const struct volume_disk *disk = &v->config.disk;
	const struct map_slot *slot;
	size_t at = 0;
	while ((slot = map_next(&v->removable, &at))) {
		uint32_t segment = (uint32_t)slot->key;
		if ((uintptr_t)slot->value > v->root.counter)
			continue; /* the commit that does without it is still to come */
		char name[VOLUME_DISK_NAME_MAX];
		struct tree_key key = tree_key_number(0, VOLUME_ITEM_DEAD, segment);
		snprintf(name, sizeof(name), VOLUME_FILE_SEGMENT, segment);
		map_take(&v->removable, segment);
		if (!map_take(&v->strays, segment)) /* the number of a stray stays taken */
			map_take(&v->sizes, segment);
		segment_forget(v, segment);
		bool changed = v->changed;
		if (disk->remove(disk->data, name, NULL) == 0 && tree_remove(v, &key, NULL) == 0)
			v->changed = changed; /* its count goes with the next commit that there is anyway */
		at = 0;
	}
}

/* Is there a segment that the last commit does without? */
static bool is_due(const struct volume *v)
{
	const struct map_slot *slot;
	size_t at = 0;
	while ((slot = map_next(&v->removable, &at)))
		if ((uintptr_t)slot->value <= v->root.counter)
			return true;
	return false;
}

void removal_run(struct volume *v)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	if (v->snapshots || !is_due(v) ||
	    (keeper->begin_removal && keeper->begin_removal(keeper->data, v->id, NULL) < 0))
		return;
	remove_due(v);
	if (keeper->end_removal)
		keeper->end_removal(keeper->data, v->id);
}
