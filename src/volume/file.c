/*
 * Open files. A small one lies in its inode; a larger one in blocks, through the cache, but for long runs of
 * whole blocks, which go straight between the caller's memory and the disk.
 *
 * What lies past a file's end in its last block is zero, always.
 */
#include <string.h>

#include "base/clock.h"
#include "volume/volume_state.h"

enum { DIRECT_BLOCKS = 16 }; /* runs from here on do not go through the cache */

struct volume_file {
	struct volume *v;
	struct inode *inode;
	uint64_t expected; /* the block behind the last read: the next one, if they follow one another */
	uint32_t ahead;    /* blocks to read then */
	bool writable;
};

static int open_inode(struct volume *v, uint64_t number, unsigned flags, struct volume_file **ret_file,
                      struct error *err)
{
	struct volume_file *f = volume_alloc(v, sizeof(*f));
	if (!f)
		return error_set(err, CELLA_ENOMEM, "no protected memory for an open file");
	*f = (struct volume_file){.v = v, .writable = flags & VOLUME_WRITE};
	int rc = inode_open(v, number, &f->inode, err);
	if (rc == 0 && flags & VOLUME_TRUNCATE && f->inode->record.size) {
		rc = file_truncate(v, f->inode, 0, err);
		if (rc < 0)
			inode_close(v, f->inode);
	}
	if (rc < 0) {
		mem_free(v->pool, f);
		return rc;
	}
	*ret_file = f;
	return 0;
}

int volume_file_open(struct volume *v, const char *path, unsigned flags, uint16_t mode,
                     struct volume_file **ret_file, struct error *err)
{
	volume_locked(v);
	uint64_t number;
	int rc = flags & (VOLUME_WRITE | VOLUME_CREATE | VOLUME_TRUNCATE) ? volume_may_write(v, err) : 0;
	if (rc == 0)
		rc = path_open(v, path, flags, mode, &number, err);
	return rc == 0 ? open_inode(v, number, flags, ret_file, err) : rc;
}

void volume_file_close(struct volume_file *f)
{
	if (!f)
		return;
	struct volume *v = f->v;
	volume_locked(v);
	inode_close(v, f->inode);
	mem_free(v->pool, f);
}

void volume_file_stat(const struct volume_file *f, struct volume_stat *ret_stat)
{
	volume_locked(f->v);
	inode_stat(f->inode->number, &f->inode->record, ret_stat);
}

/* ---- reading */

/* Blocks that are not in the cache, from the disk to `to`. */
static int read_blocks(struct volume *v, const struct inode *inode, uint64_t first, size_t count,
                       uint8_t *const *to, struct error *err)
{
	struct volume_pointer at[BATCH_BLOCKS];
	size_t bad = 0;
	int rc = block_group_get(v, inode->number, first, count, at, err);
	if (rc < 0)
		for (size_t i = 0; i < count; i++)
			memset(to[i], 0, VOLUME_BLOCK_SIZE);
	if (rc == 0)
		rc = segment_read_data(v, at, count, to, &bad, err);
	return rc < 0 ? error_prefix(err, rc, "block %llu: ", (unsigned long long)(first + bad)) : 0;
}

/* Blocks of the file that are not in the cache, `count` at most. */
static size_t uncached(const struct volume *v, const struct inode *inode, uint64_t block, size_t count)
{
	size_t n = 0;
	while (n < count && !block_cache_has(v, inode->number, block + n))
		n++;
	return n;
}

/* Into the cache: this block, and those that are likely to follow. */
static int fill_cache(struct volume_file *f, uint64_t block, uint8_t **ret_bytes, struct error *err)
{
	struct volume *v = f->v;
	const struct inode *inode = f->inode;
	uint8_t *to[READ_AHEAD_BLOCKS];
	size_t count;
	uint64_t end = block_count_of(inode->record.size);
	f->ahead = block == f->expected ? min_of(2 * f->ahead + 1, (uint32_t)READ_AHEAD_BLOCKS) : 1;
	size_t want = (size_t)min_of((uint64_t)f->ahead, end - block);
	int rc = block_cache_take_run(v, inode->number, block, want, to, &count, err);
	if (rc < 0)
		return rc;
	rc = read_blocks(v, inode, block, count, to, err);
	if (rc < 0 && count > 1) { /* what is read ahead may be damaged: only what is wanted matters */
		for (size_t i = 1; i < count; i++)
			block_cache_drop(v, inode->number, block + i);
		count = 1;
		rc = read_blocks(v, inode, block, 1, to, err);
	}
	if (rc < 0) {
		block_cache_drop(v, inode->number, block);
		return rc;
	}
	f->expected = block + count;
	*ret_bytes = to[0];
	return 0;
}

static int read_cached(struct volume_file *f, uint64_t offset, void *to, size_t size, struct error *err)
{
	uint64_t block = offset / VOLUME_BLOCK_SIZE;
	uint8_t *bytes = block_cache_find(f->v, f->inode->number, block);
	int rc = bytes ? 0 : fill_cache(f, block, &bytes, err);
	if (rc == 0)
		memcpy(to, bytes + offset % VOLUME_BLOCK_SIZE, size);
	return rc;
}

/* Whole blocks, none of them in the cache. */
static int read_direct(struct volume_file *f, uint64_t block, size_t count, uint8_t *to, struct error *err)
{
	uint8_t *parts[BATCH_BLOCKS];
	for (size_t i = 0; i < count; i++) {
		parts[i] = to + i * VOLUME_BLOCK_SIZE;
		block_cache_note(f->v, f->inode->number, block + i);
	}
	f->v->cache.misses += count;
	f->expected = block + count;
	f->ahead = 0;
	return read_blocks(f->v, f->inode, block, count, parts, err);
}

/* Blocks from here on that are better read past the cache: of a long run, and one that is read for the
 * first time and does not follow on the last. What is read again is worth a place in the cache, if the file
 * fits. */
static size_t direct_blocks(const struct volume_file *f, uint64_t block, size_t whole)
{
	const struct volume *v = f->v;
	bool fits = block_count_of(f->inode->record.size) <= v->cache.count / 2;
	bool again = block_cache_noted(v, f->inode->number, block);
	size_t run = uncached(v, f->inode, block, min_of(whole, (size_t)BATCH_BLOCKS));
	if (run >= DIRECT_BLOCKS)
		return again && fits ? 0 : run;
	return run && !again && block != f->expected ? 1 : 0;
}

/* One step: as much as one way of reading gives. */
static int read_step(struct volume_file *f, uint64_t offset, uint8_t *to, size_t size, size_t *ret_size,
                     struct error *err)
{
	uint64_t block = offset / VOLUME_BLOCK_SIZE;
	size_t within = offset % VOLUME_BLOCK_SIZE;
	size_t direct = within ? 0 : direct_blocks(f, block, size / VOLUME_BLOCK_SIZE);
	if (direct) {
		*ret_size = direct * VOLUME_BLOCK_SIZE;
		return read_direct(f, block, direct, to, err);
	}
	*ret_size = min_of(size, VOLUME_BLOCK_SIZE - within);
	return read_cached(f, offset, to, *ret_size, err);
}

int volume_file_read(struct volume_file *f, uint64_t offset, void *to, size_t size, size_t *ret_size,
                     struct error *err)
{
	volume_locked(f->v);
	const struct inode *inode = f->inode;
	uint64_t end = inode->record.size;
	size_t done = 0;
	int rc = 0;
	size = offset >= end ? 0 : (size_t)min_of((uint64_t)size, end - offset);
	if (inode->inline_data && size) {
		memcpy(to, inode->inline_data + offset, size);
		done = size;
	}
	while (rc == 0 && done < size) {
		size_t step;
		rc = read_step(f, offset + done, (uint8_t *)to + done, size - done, &step, err);
		done += step;
	}
	if (rc < 0) {
		mem_wipe(to, size);
		return rc;
	}
	*ret_size = size;
	return 0;
}

/* ---- writing */

static void touch(struct volume *v, struct inode *inode)
{
	inode->record.modified_ns = inode->record.changed_ns = volume_now_ns();
	inode->dirty = true;
	v->changed = true;
}

/* A block in the cache to be changed in part. */
static int block_for_change(struct volume *v, struct inode *inode, uint64_t block, uint8_t **ret_bytes,
                            struct error *err)
{
	int rc = block_cache_limit(v, err);
	if (rc < 0)
		return rc;
	*ret_bytes = block_cache_find(v, inode->number, block);
	if (*ret_bytes)
		return 0;
	rc = block_cache_take(v, inode->number, block, ret_bytes, err);
	if (rc < 0)
		return rc;
	if (inode->inline_data || block >= block_count_of(inode->record.size)) {
		memset(*ret_bytes, 0, VOLUME_BLOCK_SIZE);
		return 0;
	}
	rc = read_blocks(v, inode, block, 1, ret_bytes, err);
	if (rc < 0)
		block_cache_drop(v, inode->number, block);
	return rc;
}

/* The file has outgrown its inode: what is in it becomes its first block. */
static int leave_inode(struct volume *v, struct inode *inode, struct error *err)
{
	uint8_t *bytes;
	if (!inode->inline_data)
		return 0;
	if (inode->record.size) {
		int rc = block_for_change(v, inode, 0, &bytes, err);
		if (rc < 0)
			return rc;
		memcpy(bytes, inode->inline_data, (size_t)inode->record.size);
		block_cache_set_dirty(v, bytes);
	}
	mem_free(v->pool, inode->inline_data);
	inode->inline_data = NULL;
	inode->dirty = true;
	v->changed = true;
	return 0;
}

static int write_cached(struct volume *v, struct inode *inode, uint64_t offset, const void *from, size_t size,
                        struct error *err)
{
	uint64_t block = offset / VOLUME_BLOCK_SIZE;
	int rc = block_cache_limit(v, err);
	if (rc < 0)
		return rc;
	uint8_t *bytes = size == VOLUME_BLOCK_SIZE ? block_cache_find(v, inode->number, block) : NULL;
	if (size < VOLUME_BLOCK_SIZE)
		rc = block_for_change(v, inode, block, &bytes, err);
	else if (!bytes)
		rc = block_cache_take(v, inode->number, block, &bytes, err);
	if (rc < 0)
		return rc;
	memcpy(bytes + offset % VOLUME_BLOCK_SIZE, from, size);
	block_cache_set_dirty(v, bytes);
	return 0;
}

/* Whole blocks, sealed from where they are. */
static int write_direct(struct volume *v, struct inode *inode, uint64_t block, const uint8_t *from,
                        size_t count, struct error *err)
{
	const uint8_t *plain[BATCH_BLOCKS];
	struct volume_pointer at[BATCH_BLOCKS];
	for (size_t i = 0; i < count; i++)
		plain[i] = from + i * VOLUME_BLOCK_SIZE;
	int rc = tree_limit(v, err);
	if (rc == 0)
		rc = segment_append(v, VOLUME_KIND_DATA, plain, count, VOLUME_BLOCK_SIZE, at, err);
	for (size_t done = 0, n; rc == 0 && done < count; done += n) {
		n = min_of(VOLUME_GROUP_BLOCKS - (size_t)((block + done) % VOLUME_GROUP_BLOCKS),
		           count - done);
		rc = block_group_put(v, inode->number, block + done, n, at + done, err);
		if (rc == 0)
			block_cache_drop_from(v, inode->number, block + done, block + done + n);
	}
	return rc;
}

static int write_step(struct volume *v, struct inode *inode, uint64_t offset, const uint8_t *from,
                      size_t size, size_t *ret_size, struct error *err)
{
	size_t within = offset % VOLUME_BLOCK_SIZE, whole = within ? 0 : size / VOLUME_BLOCK_SIZE;
	if (whole >= DIRECT_BLOCKS) {
		whole = min_of(whole, (size_t)BATCH_BLOCKS);
		*ret_size = whole * VOLUME_BLOCK_SIZE;
		return write_direct(v, inode, offset / VOLUME_BLOCK_SIZE, from, whole, err);
	}
	*ret_size = min_of(size, VOLUME_BLOCK_SIZE - within);
	return write_cached(v, inode, offset, from, *ret_size, err);
}

static int write_blocks(struct volume *v, struct inode *inode, uint64_t offset, const uint8_t *from,
                        size_t size, struct error *err)
{
	int rc = leave_inode(v, inode, err);
	for (size_t done = 0, step; rc == 0 && done < size; done += step) {
		rc = write_step(v, inode, offset + done, from + done, size - done, &step, err);
		if (rc == 0 && offset + done + step > inode->record.size) {
			inode->record.size = offset + done + step;
			inode->dirty = true;
		}
	}
	return rc;
}

int volume_file_write(struct volume_file *f, uint64_t offset, const void *from, size_t size,
                      struct error *err)
{
	volume_locked(f->v);
	struct inode *inode = f->inode;
	int rc = volume_may_write(f->v, err);
	if (rc == 0 && !f->writable)
		rc = error_set(err, CELLA_EROFS, "the file was opened for reading only");
	if (rc < 0 || size == 0)
		return rc;
	if (offset > VOLUME_FILE_MAX || size > VOLUME_FILE_MAX - offset)
		return error_set(err, CELLA_ELIMIT, "a file of a volume ends at 16 TiB");
	uint64_t end = offset + size, old = inode->record.size;
	if (inode->inline_data && end <= VOLUME_INLINE_MAX) {
		memcpy(inode->inline_data + offset, from, size);
		if (end > old)
			inode->record.size = end;
	} else {
		rc = write_blocks(f->v, inode, offset, from, size, err);
		if (rc < 0 && end > old && file_truncate(f->v, inode, old, NULL) < 0)
			return rc; /* longer, then, than it should be; what it says is what was written */
	}
	if (rc == 0)
		touch(f->v, inode);
	return rc;
}

/* ---- truncating */

/* What lies past the end in the last block becomes zero. */
static int clear_tail(struct volume *v, struct inode *inode, uint64_t size, struct error *err)
{
	uint8_t *bytes;
	if (size % VOLUME_BLOCK_SIZE == 0)
		return 0;
	int rc = block_for_change(v, inode, size / VOLUME_BLOCK_SIZE, &bytes, err);
	if (rc < 0)
		return rc;
	memset(bytes + size % VOLUME_BLOCK_SIZE, 0, VOLUME_BLOCK_SIZE - size % VOLUME_BLOCK_SIZE);
	block_cache_set_dirty(v, bytes);
	return 0;
}

int file_truncate(struct volume *v, struct inode *inode, uint64_t size, struct error *err)
{
	uint64_t old = inode->record.size;
	int rc = 0;
	if (inode->inline_data) {
		if (size < old)
			memset(inode->inline_data + size, 0, (size_t)(old - size));
		else if (size > VOLUME_INLINE_MAX)
			rc = leave_inode(v, inode, err);
	} else if (size <= old) { /* equal: a write failed that had begun to put blocks behind the end */
		rc = size < old ? clear_tail(v, inode, size, err) : 0;
		if (rc == 0)
			rc = block_group_cut(v, inode->number, block_count_of(size), err);
		if (rc == 0)
			block_cache_drop_from(v, inode->number, block_count_of(size),
			                      size < old ? block_count_of(old) : UINT64_MAX);
	}
	if (rc < 0)
		return rc;
	if (size == 0 && !inode->inline_data)
		inode->inline_data = volume_alloc(v, VOLUME_INLINE_MAX); /* NULL: it may stay without */
	inode->record.size = size;
	touch(v, inode);
	return 0;
}

int volume_file_truncate(struct volume_file *f, uint64_t size, struct error *err)
{
	volume_locked(f->v);
	int rc = volume_may_write(f->v, err);
	if (rc == 0 && !f->writable)
		rc = error_set(err, CELLA_EROFS, "the file was opened for reading only");
	if (rc == 0 && size > VOLUME_FILE_MAX)
		rc = error_set(err, CELLA_ELIMIT, "a file of a volume ends at 16 TiB");
	return rc == 0 ? file_truncate(f->v, f->inode, size, err) : rc;
}

int volume_file_set_modified(struct volume_file *f, uint64_t modified_ns, struct error *err)
{
	volume_locked(f->v);
	int rc = volume_may_write(f->v, err);
	if (rc < 0)
		return rc;
	touch(f->v, f->inode);
	f->inode->record.modified_ns = modified_ns;
	return 0;
}

int volume_file_seek_data(struct volume_file *f, uint64_t offset, uint64_t *ret_data, uint64_t *ret_hole,
                          struct error *err)
{
	volume_locked(f->v);
	struct volume *v = f->v;
	uint64_t end = f->inode->record.size, data = offset / VOLUME_BLOCK_SIZE, hole;
	if (f->inode->inline_data || offset >= end) {
		*ret_data = min_of(offset, end);
		*ret_hole = end;
		return 0;
	}
	int rc = v->cache.dirty ? block_cache_flush(v, err) : 0;
	if (rc == 0)
		rc = block_group_find(v, f->inode->number, data, false, &data, err);
	if (rc < 0)
		return rc;
	if (data == UINT64_MAX) {
		*ret_data = *ret_hole = end;
		return 0;
	}
	rc = block_group_find(v, f->inode->number, data, true, &hole, err);
	if (rc < 0)
		return rc;
	*ret_data = min_of(end, data * VOLUME_BLOCK_SIZE > offset ? data * VOLUME_BLOCK_SIZE : offset);
	*ret_hole = min_of(end, hole * VOLUME_BLOCK_SIZE);
	return 0;
}
