/*
 * A ring of records in shared memory between two processes that need not trust each other: one
 * writes, one reads, each on one thread.
 *
 * The shared part is a header (positions, a sleeping flag for each side) and `capacity` bytes. A record is
 * u32 size, u32 type, body, padded to 8 bytes, never wrapped (a filler record of type 0 skips the end). Every
 * word that the peer may write is read once and checked before use: a false peer can make the
 * ring fail with CELLA_EFORMAT, never read or write out of bounds. A record's body is copied
 * out before it is parsed. The memory must be a file that the peer cannot truncate (F_SEAL_SHRINK).
 *
 * Waking. A reader that finds nothing sets its sleeping flag, looks again, and sleeps on its
 * eventfd; a writer rings the eventfd only if the flag is set. Writers publish in batches:
 * ring_put makes a record ready, ring_flush publishes all of them and wakes the reader. A writer
 * that finds no room may sleep in the same way; the reader rings it when it has made some.
 */
#ifndef NET_RING_H
#define NET_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { RING_RECORD_MAX = 65536 }; /* a body's size */

size_t ring_memory_size(size_t capacity); /* capacity: a power of two, at least 4 * RING_RECORD_MAX */

struct ring_writer {
	struct ring_shared *shared;
	uint8_t *data;
	uint64_t capacity;
	uint64_t head;      /* ours: where the next record goes */
	uint64_t published; /* what the reader may see */
	uint64_t tail;      /* last seen of the reader's position */
	int reader_bell;    /* the eventfd that the reader sleeps on */
};

struct ring_reader {
	struct ring_shared *shared;
	const uint8_t *data;
	uint64_t capacity;
	uint64_t head;     /* last seen of the writer's */
	uint64_t tail;     /* ours: the next record to read */
	uint64_t released; /* what the writer may overwrite */
	int bell;          /* the eventfd that we sleep on; the event loop polls it */
	int writer_bell;   /* the eventfd that the writer sleeps on when the ring is full */
};

/* Views on `memory` (ring_memory_size(capacity) bytes, zeroed by its creator). The eventfds are
 * borrowed and non-blocking; -1: that side never sleeps. */
void ring_writer_init(struct ring_writer *w, void *memory, size_t capacity, int reader_bell);
void ring_reader_init(struct ring_reader *r, void *memory, size_t capacity, int bell, int writer_bell);

/* Room for a record whose body is the parts one after another. CELLA_EAGAIN when the ring is full
 * (flush, then wait for the reader), CELLA_ELIMIT past RING_RECORD_MAX, CELLA_EFORMAT when the peer
 * broke the ring. `type` is not 0. */
struct ring_part {
	const void *data;
	size_t size;
};
int ring_put(struct ring_writer *w, uint32_t type, const struct ring_part *parts, size_t count) must_check;
void ring_flush(struct ring_writer *w);

/* Before sleeping for room (after CELLA_EAGAIN and ring_flush): true if the reader will ring our
 * eventfd once it has read something; false: try again. After waking: ring_writer_awake. */
bool ring_writer_prepare_sleep(struct ring_writer *w);
void ring_writer_awake(struct ring_writer *w);

/* Copies the next record's body to `body` (RING_RECORD_MAX bytes). 0 and *ret_type 0 when there
 * is none. CELLA_EFORMAT when the peer broke the ring. */
int ring_get(struct ring_reader *r, uint32_t *ret_type, void *body, size_t *ret_size) must_check;

/* Before sleeping: true if the ring is empty and the writer will ring; false: look again. After
 * waking: ring_awake, which also empties the eventfd. */
bool ring_prepare_sleep(struct ring_reader *r);
void ring_awake(struct ring_reader *r);

#endif
