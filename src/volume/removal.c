/*
 * Segments that nothing refers to any more. Their blocks are counted as they die (VOLUME_ITEM_DEAD); one of
 * which all are dead is removed once the keeper has a root that does without it, and no snapshot needs it.
 */
#include <stdio.h>

#include "volume/volume_state.h"

static int note_size(void *arg, const char *name, uint64_t size)
{
	struct volume *v = arg;
	uint32_t number;
	uintptr_t blocks = (uintptr_t)(size / VOLUME_BLOCK_SIZE);
	if (segment_file_number(name, &number) < 0)
		return 0;
	if (number >= v->segments.next_number)
		v->segments.next_number = number + 1;
	return blocks ? map_put(&v->sizes, number, (void *)blocks) : 0;
}

int removal_scan(struct volume *v, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	return disk->list(disk->data, note_size, v, err);
}

static uint32_t size_of(const struct volume *v, uint32_t segment)
{
	uintptr_t found = (uintptr_t)map_get(&v->sizes, segment);
	return found ? (uint32_t)found : VOLUME_SEGMENT_BLOCKS;
}

/* Its header is no block that could die. */
int removal_consider(struct volume *v, uint32_t segment, uint32_t dead, struct error *err)
{
	bool writing = v->segments.writing && v->segments.writing->number == segment;
	if (writing || dead + 1 < size_of(v, segment) || dead + 1 < 2)
		return 0;
	if (map_put(&v->removable, segment, v) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory for a list of segments");
	return 0;
}

void removal_run(struct volume *v)
{
	const struct volume_disk *disk = &v->config.disk;
	const struct map_slot *slot;
	size_t at = 0;
	if (v->snapshots)
		return;
	while ((slot = map_next(&v->removable, &at))) {
		uint32_t segment = (uint32_t)slot->key;
		char name[VOLUME_DISK_NAME_MAX];
		struct tree_key key = tree_key_number(0, VOLUME_ITEM_DEAD, segment);
		snprintf(name, sizeof(name), VOLUME_FILE_SEGMENT, segment);
		map_take(&v->removable, segment);
		map_take(&v->sizes, segment);
		segment_forget(v, segment);
		bool changed = v->changed;
		if (disk->remove(disk->data, name, NULL) == 0 && tree_remove(v, &key, NULL) == 0)
			v->changed = changed; /* its count goes with the next commit that there is anyway */
		at = 0;
	}
}
