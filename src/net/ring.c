/*
 * See ring.h. Positions count bytes from the beginning of time and never wrap in practice; a
 * position's place in the ring is its remainder modulo the capacity. head - tail is what lies
 * between: at most the capacity, or the peer lies.
 *
 * Order. The writer stores the record, then the head with release; the reader loads the head with
 * acquire, then the record; likewise the tail in the other direction. Sleeping is Dekker's
 * pattern: each side stores its word (flag or position), then a full fence, then loads the other's;
 * so at least one of them sees the other.
 */
#include "net/ring.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CACHE_LINE = 64, RECORD_HEAD = 8, RECORD_FILLER = 0, RING_HOME = 16384 };

struct ring_shared {
	/* The writer's line. */
	_Alignas(CACHE_LINE) _Atomic uint64_t head;
	_Atomic uint32_t writer_sleeps;
	/* The reader's line. */
	_Alignas(CACHE_LINE) _Atomic uint64_t tail;
	_Atomic uint32_t reader_sleeps;
};

/* The first word of a record. It may change under our eyes, so it is read and written whole. */
union record_head {
	_Atomic uint64_t word;
	struct {
		uint32_t size;
		uint32_t type;
	};
};

size_t ring_memory_size(size_t capacity)
{
	return sizeof(struct ring_shared) + capacity;
}

void ring_writer_init(struct ring_writer *w, void *memory, size_t capacity, int reader_bell)
{
	*w = (struct ring_writer){.shared = memory,
	                          .data = (uint8_t *)memory + sizeof(struct ring_shared),
	                          .capacity = capacity,
	                          .reader_bell = reader_bell};
}

void ring_reader_init(struct ring_reader *r, void *memory, size_t capacity, int bell, int writer_bell)
{
	*r = (struct ring_reader){.shared = memory,
	                          .data = (const uint8_t *)memory + sizeof(struct ring_shared),
	                          .capacity = capacity,
	                          .bell = bell,
	                          .writer_bell = writer_bell};
}

static void ring_bell(int fd)
{
	if (fd >= 0)
		eventfd_write(fd, 1);
}

/* After a position was stored: wake the peer if it sleeps. */
static void wake_peer(_Atomic uint32_t *peer_sleeps, int bell)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(peer_sleeps, memory_order_relaxed) &&
	    atomic_exchange_explicit(peer_sleeps, 0, memory_order_relaxed))
		ring_bell(bell);
}

static int look_at_tail(struct ring_writer *w)
{
	uint64_t tail = atomic_load_explicit(&w->shared->tail, memory_order_acquire);
	if (tail < w->tail || tail > w->published || tail % RECORD_HEAD)
		return CELLA_EFORMAT;
	w->tail = tail;
	return 0;
}

static void put_head(struct ring_writer *w, uint32_t size, uint32_t type)
{
	union record_head head = {.size = size, .type = type};
	union record_head *at = (union record_head *)(void *)(w->data + w->head % w->capacity);
	atomic_store_explicit(&at->word, head.word, memory_order_relaxed);
}

static void put_filler(struct ring_writer *w, uint64_t to_end)
{
	put_head(w, 0, RECORD_FILLER);
	w->head += to_end;
}

/* A reader that keeps up needs little of the ring: each time a stretch of it is full, and all has been
 * read, begin again at its start, where the memory is touched and cached. */
static int maybe_go_home(struct ring_writer *w, uint64_t size)
{
	uint64_t place = w->head % w->capacity;
	if (place == 0 || place / RING_HOME == (place + size) / RING_HOME || w->published != w->head)
		return 0;
	int rc = look_at_tail(w);
	if (rc == 0 && w->tail == w->head)
		put_filler(w, w->capacity - place);
	return rc;
}

/* Room for `size` bytes in one piece at w->head, with a filler before it if the end is too near. */
static int make_room(struct ring_writer *w, uint64_t size)
{
	uint64_t to_end = w->capacity - w->head % w->capacity;
	uint64_t needed = size > to_end ? to_end + size : size;
	if (w->capacity - (w->head - w->tail) < needed) {
		int rc = look_at_tail(w);
		if (rc < 0)
			return rc;
		if (w->capacity - (w->head - w->tail) < needed)
			return CELLA_EAGAIN;
	}
	if (size > to_end)
		put_filler(w, to_end);
	return 0;
}

int ring_put(struct ring_writer *w, uint32_t type, const struct ring_part *parts, size_t count)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].size > RING_RECORD_MAX - size)
			return CELLA_ELIMIT;
		size += parts[i].size;
	}
	uint64_t whole = RECORD_HEAD + align_up(size, (size_t)RECORD_HEAD);
	int rc = maybe_go_home(w, whole);
	if (rc == 0)
		rc = make_room(w, whole);
	if (rc < 0)
		return rc;
	uint8_t *to = w->data + w->head % w->capacity + RECORD_HEAD;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].size)
			memcpy(to, parts[i].data, parts[i].size);
		to += parts[i].size;
	}
	put_head(w, (uint32_t)size, type);
	w->head += whole;
	return 0;
}

void ring_flush(struct ring_writer *w)
{
	if (w->published == w->head)
		return;
	w->published = w->head;
	atomic_store_explicit(&w->shared->head, w->head, memory_order_release);
	wake_peer(&w->shared->reader_sleeps, w->reader_bell);
}

bool ring_writer_prepare_sleep(struct ring_writer *w)
{
	uint64_t before = w->tail;
	atomic_store_explicit(&w->shared->writer_sleeps, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (look_at_tail(w) == 0 && w->tail == before)
		return true;
	ring_writer_awake(w);
	return false;
}

void ring_writer_awake(struct ring_writer *w)
{
	atomic_store_explicit(&w->shared->writer_sleeps, 0, memory_order_relaxed);
}

static void release(struct ring_reader *r)
{
	if (r->released == r->tail)
		return;
	r->released = r->tail;
	atomic_store_explicit(&r->shared->tail, r->tail, memory_order_release);
	wake_peer(&r->shared->writer_sleeps, r->writer_bell);
}

static int look_at_head(struct ring_reader *r)
{
	uint64_t head = atomic_load_explicit(&r->shared->head, memory_order_acquire);
	if (head < r->head || head - r->tail > r->capacity || head % RECORD_HEAD)
		return CELLA_EFORMAT;
	r->head = head;
	return 0;
}

/* A record that lies whole between tail and head, or CELLA_EFORMAT. Fillers are skipped: the
 * second of two in a row would need more bytes than the ring has. */
static int next_record(struct ring_reader *r, union record_head *ret_head)
{
	while (r->tail != r->head) {
		uint64_t place = r->tail % r->capacity;
		uint64_t to_end = r->capacity - place;
		const union record_head *at = (const union record_head *)(const void *)(r->data + place);
		union record_head head = {.word = atomic_load_explicit(&at->word, memory_order_relaxed)};
		uint64_t whole = RECORD_HEAD + align_up((uint64_t)head.size, (uint64_t)RECORD_HEAD);
		if (head.type == RECORD_FILLER)
			whole = to_end;
		if (head.size > RING_RECORD_MAX || whole > to_end || whole > r->head - r->tail)
			return CELLA_EFORMAT;
		if (head.type != RECORD_FILLER) {
			*ret_head = head;
			return 0;
		}
		r->tail += whole;
	}
	*ret_head = (union record_head){.word = 0};
	return 0;
}

int ring_get(struct ring_reader *r, uint32_t *ret_type, void *body, size_t *ret_size)
{
	if (r->tail == r->head) {
		int rc = look_at_head(r);
		if (rc < 0)
			return rc;
	}
	union record_head head;
	int rc = next_record(r, &head);
	if (rc < 0)
		return rc;
	if (head.type == RECORD_FILLER) {
		release(r);
		*ret_type = 0;
		*ret_size = 0;
		return 0;
	}
	memcpy(body, r->data + r->tail % r->capacity + RECORD_HEAD, head.size);
	r->tail += RECORD_HEAD + align_up((uint64_t)head.size, (uint64_t)RECORD_HEAD);
	if (r->tail - r->released >= r->capacity / 4)
		release(r);
	*ret_type = head.type;
	*ret_size = head.size;
	return 0;
}

bool ring_prepare_sleep(struct ring_reader *r)
{
	release(r);
	atomic_store_explicit(&r->shared->reader_sleeps, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&r->shared->head, memory_order_relaxed) == r->tail)
		return true;
	atomic_store_explicit(&r->shared->reader_sleeps, 0, memory_order_relaxed);
	return false;
}

void ring_awake(struct ring_reader *r)
{
	atomic_store_explicit(&r->shared->reader_sleeps, 0, memory_order_relaxed);
	eventfd_t count;
	if (r->bell >= 0)
		eventfd_read(r->bell, &count);
}
