/* Where the blocks of files lie: items of the tree with the pointers of VOLUME_GROUP_BLOCKS blocks each. */
#include <string.h>

#include "volume/volume_state.h"

struct group {
	struct volume_pointer at[VOLUME_GROUP_BLOCKS];
};

static bool is_hole(const struct volume_pointer *at)
{
	return at->segment == SEGMENT_NONE;
}

/* A group with the holes that its item leaves out. */
static int read_item(const struct item *item, struct group *ret_group, struct error *err)
{
	if (item->value_size > sizeof(*ret_group) || item->value_size % VOLUME_POINTER_SIZE ||
	    tree_number_of(item) > UINT32_MAX / VOLUME_GROUP_BLOCKS)
		return error_set(err, CELLA_EAUTH, "the places of a file's blocks are malformed");
	memset(ret_group, 0, sizeof(*ret_group));
	memcpy(ret_group, item->value, item->value_size);
	return 0;
}

static int load_group(struct volume *v, uint64_t inode, uint64_t number, struct group *ret_group,
                      struct error *err)
{
	struct tree_key key = tree_key_number(inode, VOLUME_ITEM_GROUP, number);
	struct item item;
	int rc = tree_get(v, &key, &item, err);
	if (rc == CELLA_ENOENT) {
		memset(ret_group, 0, sizeof(*ret_group));
		return 0;
	}
	return rc == 0 ? read_item(&item, ret_group, err) : rc;
}

static int store_group(struct volume *v, uint64_t inode, uint64_t number, const struct group *group,
                       struct error *err)
{
	struct tree_key key = tree_key_number(inode, VOLUME_ITEM_GROUP, number);
	size_t count = VOLUME_GROUP_BLOCKS;
	while (count && is_hole(&group->at[count - 1]))
		count--;
	return count ? tree_put(v, &key, group, count * VOLUME_POINTER_SIZE, err) : tree_remove(v, &key, err);
}

/* What these pointers lead to is in use no more. */
static int bury(struct volume *v, const struct volume_pointer *at, size_t count, struct error *err)
{
	int rc = 0;
	for (size_t i = 0, n; rc == 0 && i < count; i += n) {
		for (n = 1; i + n < count && at[i + n].segment == at[i].segment; n++)
			;
		rc = dead_add(v, at[i].segment, (uint32_t)n, err);
	}
	return rc;
}

int block_group_get(struct volume *v, uint64_t inode, uint64_t first, size_t count,
                    struct volume_pointer *ret, struct error *err)
{
	for (size_t done = 0; done < count;) {
		struct group group;
		uint64_t block = first + done;
		size_t from = block % VOLUME_GROUP_BLOCKS,
		       n = min_of(VOLUME_GROUP_BLOCKS - from, count - done);
		int rc = load_group(v, inode, block / VOLUME_GROUP_BLOCKS, &group, err);
		if (rc < 0)
			return rc;
		memcpy(ret + done, group.at + from, n * sizeof(*ret));
		done += n;
	}
	return 0;
}

int block_group_put(struct volume *v, uint64_t inode, uint64_t first, size_t count,
                    const struct volume_pointer *at, struct error *err)
{
	for (size_t done = 0; done < count;) {
		struct group group, old;
		uint64_t block = first + done, number = block / VOLUME_GROUP_BLOCKS;
		size_t from = block % VOLUME_GROUP_BLOCKS,
		       n = min_of(VOLUME_GROUP_BLOCKS - from, count - done);
		int rc = load_group(v, inode, number, &group, err);
		if (rc < 0)
			return rc;
		old = group;
		memcpy(group.at + from, at + done, n * sizeof(*at));
		rc = store_group(v, inode, number, &group, err);
		if (rc == 0)
			rc = bury(v, old.at + from, n, err);
		if (rc < 0)
			return rc;
		done += n;
	}
	return 0;
}

int block_group_cut(struct volume *v, uint64_t inode, uint64_t first, struct error *err)
{
	for (;;) {
		struct tree_key key = tree_key_number(inode, VOLUME_ITEM_GROUP, first / VOLUME_GROUP_BLOCKS);
		struct item item;
		struct group group, old;
		int rc = tree_next(v, &key, TREE_AT_OR_AFTER, &item, err);
		if (rc == CELLA_ENOENT || (rc == 0 && !tree_item_is(&item, inode, VOLUME_ITEM_GROUP)))
			return 0;
		if (rc == 0)
			rc = read_item(&item, &group, err);
		if (rc < 0)
			return rc;
		uint64_t number = tree_number_of(&item);
		size_t keep = number == first / VOLUME_GROUP_BLOCKS ? first % VOLUME_GROUP_BLOCKS : 0;
		old = group;
		memset(group.at + keep, 0, (VOLUME_GROUP_BLOCKS - keep) * sizeof(group.at[0]));
		rc = store_group(v, inode, number, &group, err);
		if (rc == 0)
			rc = bury(v, old.at + keep, VOLUME_GROUP_BLOCKS - keep, err);
		if (rc < 0)
			return rc;
		first = (number + 1) * VOLUME_GROUP_BLOCKS;
	}
}

int block_group_find(struct volume *v, uint64_t inode, uint64_t first, bool hole, uint64_t *ret_block,
                     struct error *err)
{
	for (;;) {
		struct tree_key key = tree_key_number(inode, VOLUME_ITEM_GROUP, first / VOLUME_GROUP_BLOCKS);
		struct item item;
		struct group group;
		int rc = tree_next(v, &key, TREE_AT_OR_AFTER, &item, err);
		bool none = rc == CELLA_ENOENT || (rc == 0 && !tree_item_is(&item, inode, VOLUME_ITEM_GROUP));
		if (rc < 0 && !none)
			return rc;
		uint64_t number = none ? UINT64_MAX : tree_number_of(&item);
		if (number != first / VOLUME_GROUP_BLOCKS) { /* a hole, up to that group */
			if (hole || none) {
				*ret_block = hole ? first : UINT64_MAX;
				return 0;
			}
			first = number * VOLUME_GROUP_BLOCKS;
		}
		rc = read_item(&item, &group, err);
		if (rc < 0)
			return rc;
		do {
			if (is_hole(&group.at[first % VOLUME_GROUP_BLOCKS]) == hole) {
				*ret_block = first;
				return 0;
			}
		} while (++first % VOLUME_GROUP_BLOCKS);
	}
}
