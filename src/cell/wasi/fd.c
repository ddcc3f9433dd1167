/* Reading, writing and moving in open files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cell/wasi/state.h"

enum {
	IOVECS_AT_ONCE = 16,
	GATHER_MAX = 1024, /* small pieces of a stream go out in one record */
};
#define OFFSET_NONE UINT64_MAX /* the descriptor's own */

/* One call: which way, where, and how much it has moved. */
struct transfer {
	struct wasi *w;
	struct cell_instance *cell;
	struct wasi_descriptor *d;
	bool writing;
	uint64_t offset;
	uint64_t moved;
};

static uint32_t call_host(struct transfer *t, const struct iovec *parts, int count, uint64_t moved,
                          size_t *ret_moved)
{
	ssize_t n;
	int fd = t->d->fd;
	off_t offset = (off_t)(t->offset + moved);
	do {
		if (t->offset == OFFSET_NONE)
			n = t->writing ? writev(fd, parts, count) : readv(fd, parts, count);
		else
			n = t->writing ? pwritev(fd, parts, count, offset) : preadv(fd, parts, count, offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return wasi_errno_of(errno);
	*ret_moved = (size_t)n;
	return WASI_SUCCESS;
}

static uint32_t call_volume(struct transfer *t, const struct iovec *parts, int count, uint64_t moved,
                            size_t *ret_moved)
{
	bool own = t->offset == OFFSET_NONE;
	uint64_t at = own ? t->d->offset : t->offset + moved, start = at;
	if (t->writing && own && t->d->flags & WASI_FDFLAG_APPEND)
		start = at = wasi_volume_size(t->d);
	for (int i = 0; i < count; i++) {
		size_t size = parts[i].iov_len;
		uint32_t rc = t->writing ? wasi_volume_write(t->w, t->d, at, parts[i].iov_base, size)
		                         : wasi_volume_read(t->w, t->d, at, parts[i].iov_base, size, &size);
		if (rc != WASI_SUCCESS && at == start)
			return rc;
		if (rc != WASI_SUCCESS)
			break;
		at += size;
		if (size < parts[i].iov_len)
			break;
	}
	if (own)
		t->d->offset = at;
	*ret_moved = (size_t)(at - start);
	return WASI_SUCCESS;
}

/* As many of the parts as can be pinned at a time; the last one perhaps not whole. */
static int pin_parts(const struct transfer *t, const struct iovec *parts, int count,
                     struct iovec ret_pinned[IOVECS_AT_ONCE], size_t *ret_size)
{
	int pinned = 0;
	*ret_size = 0;
	for (int i = 0; i < count; i++) {
		size_t size = instance_pin(t->cell, parts[i].iov_base, parts[i].iov_len, !t->writing);
		if (size)
			ret_pinned[pinned++] = (struct iovec){parts[i].iov_base, size};
		*ret_size += size;
		if (size < parts[i].iov_len)
			break;
	}
	return pinned;
}

/* Take `size` bytes off the front. Returns how many parts are left. */
static int parts_skip(struct iovec *parts, int count, size_t size)
{
	int whole = 0;
	for (; whole < count && size >= parts[whole].iov_len; whole++)
		size -= parts[whole].iov_len;
	memmove(parts, parts + whole, (size_t)(count - whole) * sizeof(*parts));
	if (whole < count) {
		parts[0].iov_base = (uint8_t *)parts[0].iov_base + size;
		parts[0].iov_len -= size;
	}
	return count - whole;
}

/* Straight between the kernel, or a volume, and the cell's memory. What fails after something has moved is
 * for the next call. */
static uint32_t move_host(struct transfer *t, const struct iovec *parts, int count, size_t *ret_moved)
{
	struct iovec left[IOVECS_AT_ONCE], pinned[IOVECS_AT_ONCE];
	size_t wanted, step, moved = 0;
	memcpy(left, parts, (size_t)count * sizeof(*parts));
	do {
		int n = pin_parts(t, left, count, pinned, &wanted);
		step = 0;
		uint32_t rc = WASI_ENOMEM;
		if (n)
			rc = t->d->kind == WASI_VOLUME ? call_volume(t, pinned, n, t->moved + moved, &step)
			                               : call_host(t, pinned, n, t->moved + moved, &step);
		for (int i = 0; i < n; i++)
			instance_unpin(t->cell, pinned[i].iov_base, pinned[i].iov_len);
		if (rc != WASI_SUCCESS && moved == 0)
			return rc;
		moved += step;
		count = parts_skip(left, count, step);
	} while (count && step && step == wanted);
	*ret_moved = moved;
	return WASI_SUCCESS;
}

static uint32_t move_memory(struct transfer *t, const struct iovec *parts, int count, size_t *ret_moved)
{
	struct wasi_memory_file *file = t->d->file;
	bool own = t->offset == OFFSET_NONE;
	uint64_t at = own ? t->d->offset : t->offset + t->moved, start = at;
	if (t->writing && own && t->d->flags & WASI_FDFLAG_APPEND)
		start = at = file->size;
	for (int i = 0; i < count; i++) {
		size_t size = parts[i].iov_len;
		if (t->writing) {
			uint32_t rc = wasi_memory_write(t->w, file, at, parts[i].iov_base, size);
			if (rc != WASI_SUCCESS && at == start)
				return rc;
			if (rc !=
			    WASI_SUCCESS) /* what went before it is there: the cell must not write it again */
				break;
		} else {
			size = wasi_memory_read(file, at, parts[i].iov_base, size);
		}
		at += size;
		if (size < parts[i].iov_len)
			break;
	}
	if (own)
		t->d->offset = at;
	*ret_moved = (size_t)(at - start);
	return WASI_SUCCESS;
}

static uint32_t write_stream(struct transfer *t, const struct iovec *parts, int count, size_t *ret_moved)
{
	const struct wasi_host *host = &t->w->host;
	int stream = (int)t->d->offset;
	uint8_t gathered[GATHER_MAX];
	size_t waiting = 0, moved = 0;
	for (int i = 0; i < count; i++) {
		size_t size = parts[i].iov_len;
		bool fits = size <= sizeof(gathered) - waiting;
		if (waiting && !fits) {
			if (host->write_stream(host->data, stream, gathered, waiting) < 0)
				return WASI_EIO;
			waiting = 0;
		}
		if (size <= sizeof(gathered) - waiting) {
			memcpy(gathered + waiting, parts[i].iov_base, size);
			waiting += size;
		} else if (host->write_stream(host->data, stream, parts[i].iov_base, size) < 0) {
			return WASI_EIO;
		}
		moved += size;
	}
	if (waiting && host->write_stream(host->data, stream, gathered, waiting) < 0)
		return WASI_EIO;
	*ret_moved = moved;
	return WASI_SUCCESS;
}

static uint32_t move_stream(struct transfer *t, const struct iovec *parts, int count, size_t *ret_moved)
{
	if (t->writing)
		return write_stream(t, parts, count, ret_moved);
	const struct wasi_host *host = &t->w->host;
	ssize_t n = count ? host->read_input(host->data, parts[0].iov_base, parts[0].iov_len) : 0;
	if (n < 0)
		return WASI_EIO;
	*ret_moved = min_of((size_t)n, count ? parts[0].iov_len : 0);
	return WASI_SUCCESS;
}

static uint32_t move(struct transfer *t, const struct iovec *parts, int count, size_t *ret_moved)
{
	switch (t->d->kind) {
	case WASI_VOLUME:
	case WASI_FILE: return move_host(t, parts, count, ret_moved);
	case WASI_MEMORY: return move_memory(t, parts, count, ret_moved);
	case WASI_STREAM: return move_stream(t, parts, count, ret_moved);
	default: return WASI_EISDIR;
	}
}

/* Up to IOVECS_AT_ONCE of the cell's pieces as the host sees them; empty ones are left out. */
static uint32_t take_iovecs(struct cell_instance *cell, uint32_t address, uint32_t count,
                            struct iovec parts[IOVECS_AT_ONCE], int *ret_count, size_t *ret_size)
{
	struct wasi_iovec pieces[IOVECS_AT_ONCE];
	const void *from = wasi_bytes(cell, address, count * sizeof(*pieces));
	if (!from)
		return WASI_EFAULT;
	memcpy(pieces, from, count * sizeof(*pieces));
	*ret_count = 0;
	*ret_size = 0;
	for (uint32_t i = 0; i < count; i++) {
		void *bytes = wasi_bytes(cell, pieces[i].buffer, pieces[i].size);
		if (!bytes)
			return WASI_EFAULT;
		if (pieces[i].size)
			parts[(*ret_count)++] = (struct iovec){bytes, pieces[i].size};
		*ret_size += pieces[i].size;
	}
	return WASI_SUCCESS;
}

static uint32_t flush(struct wasi *w, const struct wasi_descriptor *d)
{
	if (!(d->flags & (WASI_FDFLAG_SYNC | WASI_FDFLAG_DSYNC)))
		return WASI_SUCCESS;
	if (d->kind == WASI_VOLUME)
		return wasi_volume_sync(w, d);
	if (d->kind != WASI_FILE)
		return WASI_SUCCESS;
	int rc = d->flags & WASI_FDFLAG_SYNC ? fsync(d->fd) : fdatasync(d->fd);
	return rc < 0 ? wasi_errno_of(errno) : WASI_SUCCESS;
}

/* An error after something has moved waits for the next call, as with read(2) and write(2). */
static uint32_t transfer(struct transfer *t, struct cell_instance *cell, uint32_t address, uint32_t count,
                         uint32_t result)
{
	void *ret = wasi_bytes(cell, result, sizeof(uint32_t));
	if (!ret)
		return WASI_EFAULT;
	if (count > WASI_IOVECS_MAX)
		return WASI_EINVAL;
	uint32_t rc = WASI_SUCCESS;
	for (uint32_t at = 0; at < count && rc == WASI_SUCCESS;) {
		struct iovec parts[IOVECS_AT_ONCE];
		uint32_t step = min_of(count - at, (uint32_t)IOVECS_AT_ONCE);
		size_t wanted = 0, moved = 0;
		int part_count;
		rc = take_iovecs(cell, address + at * (uint32_t)sizeof(struct wasi_iovec), step, parts,
		                 &part_count, &wanted);
		if (rc == WASI_SUCCESS && t->moved + wanted > UINT32_MAX)
			rc = WASI_EINVAL;
		if (rc == WASI_SUCCESS && part_count)
			rc = move(t, parts, part_count, &moved);
		t->moved += moved;
		if (moved < wanted)
			break;
		at += step;
	}
	if (rc != WASI_SUCCESS && t->moved == 0)
		return rc;
	uint32_t moved = (uint32_t)t->moved;
	memcpy(ret, &moved, sizeof(moved));
	return t->writing ? flush(t->w, t->d) : WASI_SUCCESS;
}

uint32_t wasi_fd_read(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct transfer t = {.w = w, .cell = cell, .offset = OFFSET_NONE};
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_READ, &t.d);
	return rc != WASI_SUCCESS ? rc : transfer(&t, cell, v[1].i32, v[2].i32, v[3].i32);
}

uint32_t wasi_fd_write(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct transfer t = {.w = w, .cell = cell, .writing = true, .offset = OFFSET_NONE};
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_WRITE, &t.d);
	return rc != WASI_SUCCESS ? rc : transfer(&t, cell, v[1].i32, v[2].i32, v[3].i32);
}

static uint32_t transfer_at(struct transfer *t, struct cell_instance *cell, const union cell_value *v,
                            uint64_t right)
{
	uint32_t rc = wasi_descriptor(t->w, v[0].i32, right, &t->d);
	if (rc == WASI_SUCCESS && t->d->kind == WASI_STREAM)
		rc = WASI_ESPIPE;
	if (rc == WASI_SUCCESS && v[3].i64 > INT64_MAX - (uint64_t)UINT32_MAX)
		rc = WASI_EINVAL;
	t->offset = v[3].i64;
	return rc != WASI_SUCCESS ? rc : transfer(t, cell, v[1].i32, v[2].i32, v[4].i32);
}

uint32_t wasi_fd_pread(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct transfer t = {.w = w, .cell = cell};
	return transfer_at(&t, cell, v, WASI_FD_READ);
}

uint32_t wasi_fd_pwrite(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct transfer t = {.w = w, .cell = cell, .writing = true};
	return transfer_at(&t, cell, v, WASI_FD_WRITE);
}

static uint64_t size_of(const struct wasi_descriptor *d)
{
	return d->kind == WASI_VOLUME ? wasi_volume_size(d) : d->file->size;
}

static uint32_t seek_here(struct wasi_descriptor *d, int64_t delta, uint32_t whence, uint64_t *ret)
{
	uint64_t from = whence == WASI_WHENCE_SET ? 0 : whence == WASI_WHENCE_CUR ? d->offset : size_of(d);
	int64_t to;
	if (__builtin_add_overflow((int64_t)from, delta, &to) || to < 0)
		return WASI_EINVAL;
	d->offset = *ret = (uint64_t)to;
	return WASI_SUCCESS;
}

static uint32_t seek(struct wasi_descriptor *d, int64_t delta, uint32_t whence, uint64_t *ret)
{
	static const int whence_of[] =
		{[WASI_WHENCE_SET] = SEEK_SET, [WASI_WHENCE_CUR] = SEEK_CUR, [WASI_WHENCE_END] = SEEK_END};
	if (whence >= array_count(whence_of))
		return WASI_EINVAL;
	if (d->kind == WASI_MEMORY || d->kind == WASI_VOLUME)
		return seek_here(d, delta, whence, ret);
	off_t to = lseek(d->fd, delta, whence_of[whence]);
	if (to < 0)
		return wasi_errno_of(errno);
	*ret = (uint64_t)to;
	return WASI_SUCCESS;
}

static uint32_t seek_and_tell(struct wasi *w, struct cell_instance *cell, uint32_t number, uint64_t right,
                              int64_t delta, uint32_t whence, uint32_t result)
{
	struct wasi_descriptor *d;
	void *ret = wasi_bytes(cell, result, sizeof(uint64_t));
	uint64_t to = 0;
	uint32_t rc = wasi_descriptor(w, number, right, &d);
	if (rc == WASI_SUCCESS && !ret)
		rc = WASI_EFAULT;
	if (rc == WASI_SUCCESS)
		rc = seek(d, delta, whence, &to);
	if (rc == WASI_SUCCESS)
		memcpy(ret, &to, sizeof(to));
	return rc;
}

uint32_t wasi_fd_seek(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	bool only_asks = v[1].i64 == 0 && v[2].i32 == WASI_WHENCE_CUR;
	return seek_and_tell(w, cell, v[0].i32, only_asks ? WASI_FD_TELL : WASI_FD_SEEK, (int64_t)v[1].i64,
	                     v[2].i32, v[3].i32);
}

uint32_t wasi_fd_tell(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	return seek_and_tell(w, cell, v[0].i32, WASI_FD_TELL, 0, WASI_WHENCE_CUR, v[1].i32);
}

uint32_t wasi_fd_close(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, 0, &d);
	if (rc == WASI_SUCCESS)
		wasi_descriptor_close(w, d);
	return rc;
}

uint32_t wasi_fd_renumber(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *from, *to;
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, 0, &from);
	if (rc == WASI_SUCCESS)
		rc = wasi_descriptor(w, v[1].i32, 0, &to);
	if (rc != WASI_SUCCESS || from == to)
		return rc;
	wasi_descriptor_close(w, to);
	*to = *from;
	*from = (struct wasi_descriptor){.fd = -1};
	return WASI_SUCCESS;
}

static uint32_t sync_descriptor(struct wasi *w, uint32_t number, uint64_t right, int (*sync_fd)(int))
{
	struct wasi_descriptor *d;
	uint32_t rc = wasi_descriptor(w, number, right, &d);
	if (rc == WASI_SUCCESS &&
	    (d->kind == WASI_VOLUME || (d->kind == WASI_DIRECTORY && w->roots[d->preopen].volume)))
		return wasi_volume_sync(w, d);
	if (rc == WASI_SUCCESS && (d->kind == WASI_FILE || d->kind == WASI_DIRECTORY) && d->fd >= 0 &&
	    sync_fd(d->fd) < 0)
		rc = wasi_errno_of(errno);
	return rc;
}

uint32_t wasi_fd_sync(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	(void)cell;
	return sync_descriptor(w, v[0].i32, WASI_FD_SYNC, fsync);
}

uint32_t wasi_fd_datasync(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	(void)cell;
	return sync_descriptor(w, v[0].i32, WASI_FD_DATASYNC, fdatasync);
}

uint32_t wasi_fd_advise(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	static const int advice_of[WASI_ADVICE_COUNT] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL,
	                                                 POSIX_FADV_RANDOM,   POSIX_FADV_WILLNEED,
	                                                 POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE};
	struct wasi_descriptor *d;
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_ADVISE, &d);
	if (rc != WASI_SUCCESS)
		return rc;
	if (v[3].i32 >= WASI_ADVICE_COUNT || v[1].i64 > INT64_MAX || v[2].i64 > INT64_MAX)
		return WASI_EINVAL;
	int number = 0;
	if (d->kind == WASI_FILE)
		number = posix_fadvise(d->fd, (off_t)v[1].i64, (off_t)v[2].i64, advice_of[v[3].i32]);
	return number ? wasi_errno_of(number) : WASI_SUCCESS;
}

uint32_t wasi_fd_allocate(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	struct wasi_descriptor *d;
	uint64_t offset = v[1].i64, size = v[2].i64;
	(void)cell;
	uint32_t rc = wasi_descriptor(w, v[0].i32, WASI_FD_ALLOCATE, &d);
	if (rc != WASI_SUCCESS)
		return rc;
	if (size == 0 || offset > INT64_MAX || size > INT64_MAX - offset)
		return WASI_EINVAL;
	if (d->kind == WASI_MEMORY)
		return offset + size > d->file->size ? wasi_memory_resize(w, d->file, offset + size)
		                                     : WASI_SUCCESS;
	if (d->kind == WASI_VOLUME)
		return offset + size > wasi_volume_size(d) ? wasi_volume_resize(w, d, offset + size)
		                                           : WASI_SUCCESS;
	return fallocate(d->fd, 0, (off_t)offset, (off_t)size) < 0 ? wasi_errno_of(errno) : WASI_SUCCESS;
}
