/*
 * The object store: a memory file shared by the executors of one session, holding sealed objects.
 *
 * It is divided into extents of whole units. An extent is granted to one executor, which fills it
 * from its beginning and closes it; it is free again when it is closed and every object in it was
 * dropped. Objects that nobody reads can be moved to a spill file and back (the agent's own
 * extents); what is moved is ciphertext.
 *
 * Executors write into the file at any time: nothing in it is parsed here. They cannot shrink it.
 */
#ifndef AGENT_STORE_H
#define AGENT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	STORE_UNIT = 65536,
	STORE_AGENT = UINT16_MAX,       /* the owner of the agent's own extents */
	STORE_IDLE_MAX = 64 << 20,      /* freed memory that is kept for the next extent */
	STORE_AGENT_EXTENT = 1 << 20,
	STORE_OVERSHOOT = 2, /* times the limit, when what is in use keeps more from being spilled */
	STORE_ADDRESSES = 4, /* times the limit: room for what comes back from the spill file */
};

struct store;

struct store_stats {
	uint64_t used;     /* bytes in extents */
	uint64_t used_max; /* the most so far */
	uint64_t spilled; /* bytes written to the spill file so far */
};

/* `limit` 0: half of the machine's memory. The spill file is made in `directory` when it is needed,
 * and has no name. */
int store_new(uint64_t limit, const char *directory, struct store **ret_store, struct error *err) must_check;
void store_free(struct store *s);
int store_fd(const struct store *s);
uint64_t store_size(const struct store *s); /* address space */
void store_stats(const struct store *s, struct store_stats *ret_stats);

/* Could an extent of this size never be granted, whatever is moved away? */
bool store_hopeless(const struct store *s, uint64_t size);
/* An extent of at least `size` bytes for an executor. CELLA_ELIMIT past the overshoot. */
int store_grant(struct store *s, uint32_t executor, uint64_t size, uint64_t *ret_offset,
                uint64_t *ret_size) must_check;
/* CELLA_EFORMAT if this is no open extent of that executor. */
int store_close(struct store *s, uint32_t executor, uint64_t offset) must_check;
void store_close_all(struct store *s, uint32_t executor);
/* Does it lie in an open extent of this executor? */
bool store_may_write(const struct store *s, uint32_t executor, uint64_t offset, uint64_t size);

void store_placed(struct store *s, uint64_t offset);
void store_dropped(struct store *s, uint64_t offset, uint64_t size, bool spilled);

/* Would an extent of this size exceed the limit? */
bool store_lacks(const struct store *s, uint64_t size);
/* Bytes brought back since the last call. */
uint64_t store_take_restored(struct store *s);
/* Would moving this object away help: is its extent closed? */
bool store_may_spill(const struct store *s, uint64_t offset);
int store_spill(struct store *s, uint64_t *offset, uint64_t size, struct error *err) must_check;
int store_restore(struct store *s, uint64_t *offset, uint64_t size, struct error *err) must_check;

#endif
