/*
 * Reading everything, from the root directory down: what is damaged is reported, and what lies behind it is
 * read all the same, as far as the tree leads there.
 */
#include <stdio.h>
#include <string.h>

#include "volume/volume_state.h"

enum { LOST_GROUPS_MAX = 1 << 16 }; /* in one file, one after another; what follows is given up */

struct verify {
	struct volume *v;
	const struct volume_report *report;
	struct volume_counts counts;
	char path[VOLUME_PATH_MAX];
	uint8_t *blocks; /* BATCH_BLOCKS */
	uint8_t *to[BATCH_BLOCKS]; /* each of them */
	struct volume_pointer at[BATCH_BLOCKS]; /* not on the stack, on which directories are nested */
	unsigned depth;
};

static void damaged(struct verify *w, int64_t block, const struct error *why)
{
	w->counts.damaged++;
	if (w->report->damaged)
		w->report->damaged(w->report->data, w->path, block, why);
}

/* Is it the volume that is at fault, or what reads it? */
static bool is_damage(int rc)
{
	return rc == CELLA_EAUTH || rc == CELLA_EFORMAT || rc == CELLA_ENOENT;
}

/* Blocks of one batch are damaged: which ones? */
static int check_each(struct verify *w, uint64_t first, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error err = {0};
		size_t bad;
		int rc = segment_read_data(w->v, w->at + i, 1, w->to, &bad, &err);
		if (rc < 0 && !is_damage(rc))
			return rc;
		if (rc < 0)
			damaged(w, (int64_t)(first + i), &err);
	}
	return 0;
}

static int check_blocks(struct verify *w, uint64_t number, uint64_t first, size_t count, struct error *err)
{
	size_t bad;
	int rc = block_group_get(w->v, number, first, count, w->at, err);
	if (rc < 0)
		return rc;
	rc = segment_read_data(w->v, w->at, count, w->to, &bad, err);
	return rc < 0 && is_damage(rc) ? check_each(w, first, count) : rc;
}

static int check_data(struct verify *w, uint64_t number, const struct inode_record *record, struct error *err)
{
	uint64_t end = block_count_of(record->size), block = 0;
	unsigned lost = 0;
	int rc = 0;
	if (record->flags & VOLUME_INODE_INLINE)
		end = 0;
	while (rc == 0 && block < end) {
		struct error why = {0};
		rc = block_group_find(w->v, number, block, false, &block, &why);
		if (rc == 0 && block >= end)
			break;
		size_t count = (size_t)min_of((uint64_t)BATCH_BLOCKS, end - block);
		if (rc == 0)
			rc = check_blocks(w, number, block, count, &why);
		if (rc < 0 && is_damage(rc)) {
			damaged(w, (int64_t)block, &why); /* where its blocks lie cannot be told */
			rc = 0;
			block = ++lost < LOST_GROUPS_MAX
			                ? block - block % VOLUME_GROUP_BLOCKS + VOLUME_GROUP_BLOCKS
			                : end;
			continue;
		}
		if (rc < 0 && err)
			*err = why;
		block += count;
	}
	w->counts.bytes += record->size;
	return rc;
}

static int check_directory(struct verify *w, uint64_t number, struct error *err);

static int check_inode(struct verify *w, const struct volume_entry *entry, struct error *err)
{
	struct inode_record record;
	struct error why = {0};
	size_t size;
	int rc = inode_get(w->v, entry->inode, &record, NULL, &size, &why);
	if (rc == 0 && record.type != entry->type)
		rc = error_set(&why, CELLA_EAUTH, "its entry and its inode are of different types");
	if (rc < 0 && is_damage(rc)) {
		damaged(w, -1, &why);
		return 0;
	}
	if (rc < 0)
		return error_set(err, rc, "%s", why.text);
	w->counts.files += record.type == VOLUME_FILE;
	w->counts.symlinks += record.type == VOLUME_SYMLINK;
	w->counts.directories += record.type == VOLUME_DIRECTORY;
	if (w->report->progress)
		w->report->progress(w->report->data, w->counts.files, w->counts.bytes);
	if (record.type == VOLUME_FILE)
		return check_data(w, entry->inode, &record, err);
	return record.type == VOLUME_DIRECTORY ? check_directory(w, entry->inode, err) : 0;
}

static int lose_long(struct verify *w, const struct volume_entry *entry)
{
	struct error why = {0};
	error_set(&why, CELLA_ELIMIT, "the path of its %s is longer than %d bytes", entry->name,
	          VOLUME_PATH_MAX - 1);
	damaged(w, -1, &why);
	return 0;
}

static int check_entry(struct verify *w, const struct volume_entry *entry, struct error *err)
{
	size_t size = strlen(w->path);
	const char *slash = size ? "/" : "";
	if (size + strlen(entry->name) + 2 > sizeof(w->path))
		return lose_long(w, entry);
	snprintf(w->path + size, sizeof(w->path) - size, "%s%s", slash, entry->name);
	int rc = check_inode(w, entry, err);
	w->path[size] = 0;
	return rc;
}

/* A directory that was moved so deep that no path leads into it. */
static int lose_depth(struct verify *w)
{
	struct error why = {0};
	error_set(&why, CELLA_ELIMIT,
	          "nested deeper than %d: what is in it cannot be read until it is moved up",
	          VOLUME_DEPTH_MAX);
	damaged(w, -1, &why);
	return 0;
}

static int check_directory(struct verify *w, uint64_t number, struct error *err)
{
	struct volume_entry entry = {0};
	int rc;
	if (w->depth == VOLUME_DEPTH_MAX)
		return lose_depth(w);
	w->depth++;
	while ((rc = entry_next(w->v, number, entry.name, ENTRY_PASS_DAMAGE, &entry, err)) == 0) {
		if (entry.after_damage) {
			struct error why = {0};
			error_set(&why, CELLA_EAUTH, "entries before %s are lost", entry.name);
			damaged(w, -1, &why);
		}
		rc = check_entry(w, &entry, err);
		if (rc < 0)
			break;
	}
	if (rc == CELLA_EAUTH && err) { /* up to its end */
		damaged(w, -1, err);
		rc = 0;
	}
	w->depth--;
	return rc == CELLA_ENOENT ? 0 : rc;
}

int volume_verify(struct volume *v, const struct volume_report *report, struct volume_counts *ret_counts,
                  struct error *err)
{
	volume_locked(v);
	static const struct volume_report silent;
	struct volume_entry root = {.inode = ROOT_INODE, .type = VOLUME_DIRECTORY};
	struct verify *w = volume_alloc(v, sizeof(*w));
	uint8_t *blocks = mem_alloc(v->pool, BATCH_BLOCKS * VOLUME_BLOCK_SIZE);
	int rc = w && blocks ? 0 : error_set(err, CELLA_ENOMEM, "no protected memory to verify a volume");
	if (rc == 0) {
		*w = (struct verify){.v = v, .report = report ? report : &silent, .blocks = blocks};
		for (size_t i = 0; i < BATCH_BLOCKS; i++)
			w->to[i] = blocks + i * VOLUME_BLOCK_SIZE;
		rc = check_inode(w, &root, err);
	}
	if (rc == 0)
		*ret_counts = w->counts;
	if (w)
		mem_free(v->pool, w);
	if (blocks)
		mem_free(v->pool, blocks);
	return rc;
}
