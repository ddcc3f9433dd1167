#include "agent/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { STORE_SIZE_MIN = 1 << 30 };

/* A unit of the store. `first` leads from any unit of an extent to its first, which holds the rest;
 * the last unit of a free run has `count` too, so that runs can be joined from both sides. */
struct unit {
	uint32_t first;
	uint32_t count;    /* units of the run */
	uint32_t live;     /* objects in the extent */
	uint16_t executor; /* 0: free */
	bool closed;
};

struct store {
	int fd;
	int spill_fd;
	char *directory;
	uint8_t *memory; /* the whole file, mapped when something is first moved */
	struct unit *units;
	uint32_t unit_count;
	uint32_t end;     /* units from here on were never used */
	uint32_t rover;   /* where the next search begins */
	uint64_t used, used_max, idle, limit;
	uint64_t spill_end, spilled, restored;
	uint32_t own;     /* the agent's open extent + 1, 0: none */
	uint64_t own_used;
};

int store_new(uint64_t limit, const char *directory, struct store **ret_store, struct error *err)
{
	if (limit == 0)
		limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	limit = min_of(limit, (uint64_t)1 << 44);
	uint64_t size = max_of(align_up(STORE_ADDRESSES * limit, (uint64_t)STORE_UNIT),
	                       (uint64_t)STORE_SIZE_MIN);
	struct store *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for the object store");
	s->spill_fd = -1;
	s->limit = limit;
	s->unit_count = (uint32_t)(size / STORE_UNIT);
	s->units = calloc(s->unit_count, sizeof(*s->units));
	s->directory = strdup(directory);
	s->fd = memfd_create("cella-store", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc = 0;
	if (!s->units || !s->directory)
		rc = error_set(err, CELLA_ENOMEM, "no memory for the object store");
	else if (s->fd < 0 || ftruncate(s->fd, (off_t)size) < 0 ||
	         fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		rc = error_errno(err, CELLA_ENOMEM, "cannot make the memory file of the object store");
	if (rc < 0) {
		store_free(s);
		return rc;
	}
	*ret_store = s;
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->memory)
		munmap(s->memory, store_size(s));
	cleanup_close_fn(&s->fd);
	cleanup_close_fn(&s->spill_fd);
	free(s->units);
	free(s->directory);
	free(s);
}

int store_fd(const struct store *s)
{
	return s->fd;
}

uint64_t store_size(const struct store *s)
{
	return (uint64_t)s->unit_count * STORE_UNIT;
}

void store_stats(const struct store *s, struct store_stats *ret_stats)
{
	*ret_stats = (struct store_stats){.used = s->used, .used_max = s->used_max, .spilled = s->spilled};
}

bool store_lacks(const struct store *s, uint64_t size)
{
	return size > s->limit || s->used > s->limit - size;
}

bool store_hopeless(const struct store *s, uint64_t size)
{
	return size > store_size(s) || size > STORE_OVERSHOOT * s->limit;
}

uint64_t store_take_restored(struct store *s)
{
	uint64_t bytes = s->restored;
	s->restored = 0;
	return bytes;
}

static void mark_free(struct store *s, uint32_t first, uint32_t count)
{
	s->units[first] = (struct unit){.first = first, .count = count};
	s->units[first + count - 1].first = first;
	s->units[first + count - 1].executor = 0;
}

/* The first free run of this size from `from` on, as a linear search over runs; unit_count if there
 * is none. */
static uint32_t search(const struct store *s, uint32_t from, uint32_t to, uint32_t count)
{
	while (from < to) {
		const struct unit *u = &s->units[from];
		if (u->executor == 0 && u->count >= count)
			return from;
		from += u->count;
	}
	return s->unit_count;
}

static uint32_t take_run(struct store *s, uint32_t count)
{
	uint32_t at = search(s, s->rover, s->end, count);
	if (at == s->unit_count)
		at = search(s, 0, s->rover, count);
	if (at < s->unit_count) {
		uint32_t rest = s->units[at].count - count;
		s->idle -= min_of(s->idle, (uint64_t)count * STORE_UNIT);
		if (rest)
			mark_free(s, at + count, rest);
		return at;
	}
	if (s->unit_count - s->end < count)
		return s->unit_count;
	at = s->end;
	s->end += count;
	return at;
}

int store_grant(struct store *s, uint32_t executor, uint64_t size, uint64_t *ret_offset, uint64_t *ret_size)
{
	if (size > store_size(s) || (s->used + size > STORE_OVERSHOOT * s->limit && executor != STORE_AGENT))
		return CELLA_ELIMIT;
	uint32_t count = (uint32_t)((size + STORE_UNIT - 1) / STORE_UNIT);
	uint32_t first = take_run(s, count);
	if (first == s->unit_count)
		return CELLA_ELIMIT;
	for (uint32_t i = 0; i < count; i++)
		s->units[first + i] = (struct unit){.first = first};
	s->units[first].count = count;
	s->units[first].executor = (uint16_t)executor;
	s->rover = first + count < s->end ? first + count : 0;
	s->used += (uint64_t)count * STORE_UNIT;
	s->used_max = max_of(s->used, s->used_max);
	*ret_offset = (uint64_t)first * STORE_UNIT;
	*ret_size = (uint64_t)count * STORE_UNIT;
	return 0;
}

/* Join the run with its free neighbours. */
static void free_run(struct store *s, uint32_t first)
{
	uint32_t count = s->units[first].count;
	uint64_t bytes = (uint64_t)count * STORE_UNIT;
	s->units[first] = (struct unit){.first = first};
	s->used -= bytes;
	s->idle += bytes;
	if (s->idle > STORE_IDLE_MAX && fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                                          (off_t)first * STORE_UNIT, (off_t)bytes) == 0)
		s->idle -= bytes;
	uint32_t after = first + count;
	if (after < s->end && s->units[after].executor == 0)
		count += s->units[after].count;
	if (first > 0) {
		uint32_t before = s->units[first - 1].first;
		if (s->units[before].executor == 0) {
			count += first - before;
			first = before;
		}
	}
	mark_free(s, first, count);
	if (s->rover > first && s->rover < first + count)
		s->rover = first;
}

static void maybe_free(struct store *s, uint32_t first)
{
	if (s->units[first].closed && s->units[first].live == 0)
		free_run(s, first);
}

static void close_extent(struct store *s, uint32_t first)
{
	s->units[first].closed = true;
	maybe_free(s, first);
}

int store_close(struct store *s, uint32_t executor, uint64_t offset)
{
	uint64_t first = offset / STORE_UNIT;
	if (offset % STORE_UNIT || first >= s->end || s->units[first].first != first ||
	    s->units[first].executor != executor || s->units[first].closed)
		return CELLA_EFORMAT;
	close_extent(s, (uint32_t)first);
	return 0;
}

void store_close_all(struct store *s, uint32_t executor)
{
	uint32_t next; /* the start of a run, or of what was one before it was joined with this one */
	for (uint32_t at = 0; at < s->end; at = next) {
		next = at + s->units[at].count;
		if (s->units[at].executor == executor && !s->units[at].closed)
			close_extent(s, at);
	}
}

static uint32_t extent_of(const struct store *s, uint64_t offset)
{
	return s->units[offset / STORE_UNIT].first;
}

bool store_may_write(const struct store *s, uint32_t executor, uint64_t offset, uint64_t size)
{
	if (executor == 0 || offset >= (uint64_t)s->end * STORE_UNIT || size == 0)
		return false;
	uint32_t first = extent_of(s, offset);
	uint64_t end = ((uint64_t)first + s->units[first].count) * STORE_UNIT;
	return s->units[first].executor == executor && !s->units[first].closed && offset < end &&
	       size <= end - offset;
}

bool store_may_spill(const struct store *s, uint64_t offset)
{
	return s->units[extent_of(s, offset)].closed;
}

void store_placed(struct store *s, uint64_t offset)
{
	s->units[extent_of(s, offset)].live++;
}

void store_dropped(struct store *s, uint64_t offset, uint64_t size, bool spilled)
{
	if (spilled) {
		int rc = fallocate(s->spill_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		                   (off_t)size);
		(void)rc; /* space on disk that is not given back is no harm */
		return;
	}
	uint32_t first = extent_of(s, offset);
	s->units[first].live--;
	maybe_free(s, first);
}

static int map_memory(struct store *s, struct error *err)
{
	if (s->memory)
		return 0;
	void *memory = mmap(NULL, store_size(s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->fd,
	                    0);
	if (memory == MAP_FAILED)
		return error_errno(err, CELLA_ENOMEM, "cannot map the object store");
	s->memory = memory;
	return 0;
}

static int open_spill_file(struct store *s, struct error *err)
{
	if (s->spill_fd >= 0)
		return 0;
	s->spill_fd = open(s->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->spill_fd >= 0)
		return 0;
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/cella-spill.XXXXXX", s->directory) < (int)sizeof(path)) {
		s->spill_fd = mkostemp(path, O_CLOEXEC);
		if (s->spill_fd >= 0)
			unlink(path);
	}
	if (s->spill_fd < 0)
		return error_errno(err, CELLA_EIO, "cannot make a spill file in %s", s->directory);
	return 0;
}

static int move_bytes(ssize_t (*io)(int, void *, size_t, off_t), int fd, uint8_t *memory, uint64_t size,
                      uint64_t at)
{
	while (size) {
		ssize_t n = io(fd, memory, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return CELLA_EIO;
		memory += n;
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

static ssize_t write_at(int fd, void *from, size_t size, off_t at)
{
	return pwrite(fd, from, size, at);
}

int store_spill(struct store *s, uint64_t *offset, uint64_t size, struct error *err)
{
	int rc = map_memory(s, err);
	if (rc == 0)
		rc = open_spill_file(s, err);
	if (rc < 0)
		return rc;
	uint64_t at = s->spill_end;
	if (move_bytes(write_at, s->spill_fd, s->memory + *offset, size, at) < 0)
		return error_errno(err, CELLA_EIO, "cannot write to the spill file in %s", s->directory);
	store_dropped(s, *offset, size, false);
	s->spill_end = align_up(at + size, (uint64_t)4096);
	s->spilled += size;
	*offset = at;
	return 0;
}

/* Room for an object of the agent's own. */
static int own_room(struct store *s, uint64_t size, uint64_t *ret_offset)
{
	uint64_t offset, granted;
	bool large = size > STORE_AGENT_EXTENT / 4;
	if (!large && s->own && s->own_used + size <= STORE_AGENT_EXTENT) {
		*ret_offset = (uint64_t)(s->own - 1) * STORE_UNIT + s->own_used;
		s->own_used += align_up(size, (uint64_t)16);
		return 0;
	}
	int rc = store_grant(s, STORE_AGENT, large ? size : STORE_AGENT_EXTENT, &offset, &granted);
	if (rc < 0)
		return rc;
	*ret_offset = offset;
	uint32_t first = (uint32_t)(offset / STORE_UNIT);
	if (large) {
		s->units[first].closed = true;
		return 0;
	}
	if (s->own)
		close_extent(s, s->own - 1);
	s->own = first + 1;
	s->own_used = align_up(size, (uint64_t)16);
	return 0;
}

int store_restore(struct store *s, uint64_t *offset, uint64_t size, struct error *err)
{
	uint64_t to;
	int rc = own_room(s, size, &to);
	if (rc < 0)
		return error_set(err, rc,
		                 "the object store has no room to bring %llu bytes back from the spill file",
		                 (unsigned long long)size);
	if (move_bytes(pread, s->spill_fd, s->memory + to, size, *offset) < 0)
		return error_errno(err, CELLA_EIO, "cannot read from the spill file in %s", s->directory);
	store_placed(s, to);
	store_dropped(s, *offset, size, true);
	s->restored += size;
	*offset = to;
	return 0;
}
