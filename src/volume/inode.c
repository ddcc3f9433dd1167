/*
 * Inodes. One that is open lies in memory, shared by all who have it open, and goes to the tree when it is
 * flushed; every other is read from the tree and written back at once.
 */
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "volume/volume_state.h"

uint64_t volume_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)clock_ns_of(&now);
}

static void put(uint8_t **at, uint64_t value, size_t size)
{
	memcpy(*at, &value, size);
	*at += size;
}

static int record_read(const struct item *item, struct inode_record *ret, struct error *err)
{
	struct reader r = reader_of(item->value, item->value_size);
	struct inode_record record = {.type = reader_u8(&r), .flags = reader_u8(&r)};
	record.mode = reader_u16(&r);
	record.links = reader_u32(&r);
	record.size = reader_u64(&r);
	record.modified_ns = reader_u64(&r);
	record.changed_ns = reader_u64(&r);
	size_t payload = reader_left(&r);
	bool small = record.type == VOLUME_SYMLINK || record.flags & VOLUME_INODE_INLINE;
	if (r.failed || record.type < VOLUME_FILE || record.type > VOLUME_SYMLINK ||
	    record.size > VOLUME_FILE_MAX || payload != (small ? record.size : 0) ||
	    payload > (record.type == VOLUME_SYMLINK ? (size_t)VOLUME_TARGET_MAX : (size_t)VOLUME_INLINE_MAX))
		return error_set(err, CELLA_EAUTH, "an inode of the volume is malformed");
	*ret = record;
	return 0;
}

int inode_get(struct volume *v, uint64_t number, struct inode_record *ret_record, uint8_t *payload,
              size_t *ret_size, struct error *err)
{
	struct tree_key key = tree_key(number, VOLUME_ITEM_INODE);
	const struct inode *open = map_get(&v->inodes, number);
	struct item item;
	if (open) {
		size_t size = open->inline_data ? (size_t)open->record.size : 0;
		if (payload && size)
			memcpy(payload, open->inline_data, size);
		*ret_size = size;
		*ret_record = open->record;
		return 0;
	}
	int rc = tree_get(v, &key, &item, err);
	if (rc == CELLA_ENOENT)
		return error_set(err, CELLA_ENOENT, "inode %llu of the volume is missing",
		                 (unsigned long long)number);
	if (rc == 0)
		rc = record_read(&item, ret_record, err);
	if (rc < 0)
		return rc;
	*ret_size = item.value_size - VOLUME_INODE_SIZE;
	if (payload && *ret_size)
		memcpy(payload, item.value + VOLUME_INODE_SIZE, *ret_size);
	return 0;
}

void inode_stat(uint64_t number, const struct inode_record *record, struct volume_stat *ret_stat)
{
	*ret_stat = (struct volume_stat){.inode = number,
	                                 .type = record->type,
	                                 .mode = record->mode,
	                                 .links = record->links,
	                                 .size = record->size,
	                                 .modified_ns = record->modified_ns,
	                                 .changed_ns = record->changed_ns};
}

int inode_put(struct volume *v, uint64_t number, const struct inode_record *record, const void *payload,
              size_t size, struct error *err)
{
	struct tree_key key = tree_key(number, VOLUME_ITEM_INODE);
	uint8_t value[VOLUME_TREE_VALUE_MAX], *at = value;
	put(&at, record->type, 1);
	put(&at, record->flags, 1);
	put(&at, record->mode, 2);
	put(&at, record->links, 4);
	put(&at, record->size, 8);
	put(&at, record->modified_ns, 8);
	put(&at, record->changed_ns, 8);
	if (size)
		memcpy(at, payload, size);
	int rc = tree_put(v, &key, value, VOLUME_INODE_SIZE + size, err);
	mem_wipe(value, VOLUME_INODE_SIZE + size);
	return rc;
}

int inode_update(struct volume *v, uint64_t number, const struct inode_record *record, struct error *err)
{
	struct inode *open = map_get(&v->inodes, number);
	uint8_t payload[VOLUME_TARGET_MAX + 1];
	struct inode_record old;
	size_t size;
	if (open) {
		open->record = *record;
		open->dirty = true;
		v->changed = true;
		return 0;
	}
	int rc = inode_get(v, number, &old, payload, &size, err);
	if (rc == 0)
		rc = inode_put(v, number, record, payload, size, err);
	mem_wipe(payload, sizeof(payload));
	return rc;
}

static void inode_free(struct volume *v, struct inode *inode)
{
	map_take(&v->inodes, inode->number);
	if (inode->inline_data)
		mem_free(v->pool, inode->inline_data);
	mem_free(v->pool, inode);
}

int inode_open(struct volume *v, uint64_t number, struct inode **ret_inode, struct error *err)
{
	struct inode *inode = map_get(&v->inodes, number);
	size_t size;
	if (inode) {
		inode->opens++;
		*ret_inode = inode;
		return 0;
	}
	inode = volume_alloc(v, sizeof(*inode));
	uint8_t *data = volume_alloc(v, VOLUME_INLINE_MAX);
	if (!inode || !data) {
		if (inode)
			mem_free(v->pool, inode);
		if (data)
			mem_free(v->pool, data);
		return error_set(err, CELLA_ENOMEM, "no protected memory for an open file");
	}
	*inode = (struct inode){.number = number, .opens = 1, .inline_data = data};
	struct inode_record *record = &inode->record;
	int rc = inode_get(v, number, record, NULL, &size, err);
	if (rc == 0 && record->type != VOLUME_FILE)
		rc = error_set(err, CELLA_EISDIR, "it is no regular file");
	if (rc == 0)
		rc = inode_get(v, number, record, data, &size, err);
	if (rc == 0 && map_put(&v->inodes, number, inode) < 0)
		rc = error_set(err, CELLA_ENOMEM, "no memory for an open file");
	if (rc < 0) {
		inode_free(v, inode);
		return rc;
	}
	if (!(record->flags & VOLUME_INODE_INLINE) && record->size) {
		mem_free(v->pool, data);
		inode->inline_data = NULL;
	}
	*ret_inode = inode;
	return 0;
}

int inode_flush(struct volume *v, struct inode *inode, struct error *err)
{
	size_t size = inode->inline_data ? (size_t)inode->record.size : 0;
	if (!inode->dirty)
		return 0;
	inode->record.flags = size ? VOLUME_INODE_INLINE : 0;
	int rc = inode_put(v, inode->number, &inode->record, inode->inline_data, size, err);
	if (rc == 0)
		inode->dirty = false;
	return rc;
}

/* One that nobody has open, but that could not be written when it was closed. */
static struct inode *find_closed(struct volume *v)
{
	size_t at = 0;
	const struct map_slot *slot;
	while ((slot = map_next(&v->inodes, &at))) {
		struct inode *inode = slot->value;
		if (inode->opens == 0)
			return inode;
	}
	return NULL;
}

int inode_flush_all(struct volume *v, struct error *err)
{
	size_t at = 0;
	const struct map_slot *slot;
	struct inode *inode;
	int rc = 0;
	while (rc == 0 && (slot = map_next(&v->inodes, &at)))
		rc = inode_flush(v, slot->value, err);
	while (rc == 0 && (inode = find_closed(v)))
		inode_free(v, inode);
	return rc;
}

/* Nothing leads to it any more. */
static int inode_remove(struct volume *v, uint64_t number, uint64_t size, struct error *err)
{
	struct tree_key key = tree_key(number, VOLUME_ITEM_INODE);
	block_cache_drop_from(v, number, 0, block_count_of(size));
	int rc = block_group_cut(v, number, 0, err);
	return rc == 0 ? tree_remove(v, &key, err) : rc;
}

static struct tree_key orphan_key(uint64_t number)
{
	return tree_key_number(0, VOLUME_ITEM_ORPHAN, number);
}

void inode_close(struct volume *v, struct inode *inode)
{
	struct tree_key key = orphan_key(inode->number);
	uint64_t number = inode->number, size = inode->record.size;
	bool writable = v->config.writable && v->failure.code == 0, nameless = inode->record.links == 0;
	if (--inode->opens)
		return;
	if (writable && !nameless && inode_flush(v, inode, NULL) < 0)
		return; /* it stays in memory: the commit tries again */
	inode_free(v, inode);
	if (writable && nameless && inode_remove(v, number, size, NULL) == 0 &&
	    tree_remove(v, &key, NULL) < 0)
		return; /* it stays an orphan, which the next writer reaps */
}

int inode_drop_link(struct volume *v, uint64_t number, struct error *err)
{
	struct inode_record record;
	size_t size;
	int rc = inode_get(v, number, &record, NULL, &size, err);
	if (rc < 0)
		return rc;
	record.changed_ns = volume_now_ns();
	record.links -= record.links > 0;
	bool open = map_get(&v->inodes, number);
	if (record.links == 0 && !open)
		return inode_remove(v, number, record.size, err);
	if (record.links == 0) {
		struct tree_key key = orphan_key(number);
		rc = tree_put(v, &key, NULL, 0, err);
	}
	return rc == 0 ? inode_update(v, number, &record, err) : rc;
}

int inode_reap_orphans(struct volume *v, struct error *err)
{
	for (;;) {
		struct tree_key key = orphan_key(0);
		struct item item;
		struct inode_record record;
		size_t size;
		int rc = tree_limit(v, err);
		if (rc == 0)
			rc = tree_next(v, &key, TREE_AT_OR_AFTER, &item, err);
		if (rc == CELLA_ENOENT || (rc == 0 && !tree_item_is(&item, 0, VOLUME_ITEM_ORPHAN)))
			return 0;
		if (rc < 0)
			return rc;
		uint64_t number = tree_number_of(&item);
		key = orphan_key(number);
		rc = inode_get(v, number, &record, NULL, &size, err);
		if (rc == 0)
			rc = inode_remove(v, number, record.size, err);
		if (rc == 0 || rc == CELLA_ENOENT)
			rc = tree_remove(v, &key, err);
		if (rc < 0)
			return rc;
	}
}
