/*
 * An executor's end of the way to its agent: two rings, the store of sealed objects, and room in
 * the store to write to.
 *
 * Threats: the agent writes to all of it at any time. The files cannot shrink under us (checked),
 * records are copied out whole, and offsets into the store are checked before use.
 */
#ifndef CELL_AGENT_LINK_H
#define CELL_AGENT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/ring.h"
#include "task/task_format.h"

struct agent_link {
	int agent; /* borrowed sockets: closed by the peer means that it is gone */
	int owner;
	int bell;       /* the eventfd that we sleep on */
	int agent_bell; /* the eventfd that the agent sleeps on */
	uint8_t *rings;
	size_t rings_size;
	uint8_t *store;
	uint64_t store_size;
	struct ring_writer up;
	struct ring_reader down;
	struct task_extent extent; /* granted; from its beginning on, `extent_used` bytes are written */
	uint64_t extent_used;
};

/* Receives rings and store (struct launch_rings) on `agent`, and maps them. A failed link is still
 * closed with agent_link_close. */
int agent_link_open(struct agent_link *l, int agent, int owner, struct error *err) must_check;
void agent_link_close(struct agent_link *l);

/* `size` bytes at `offset` of the store, or NULL if any of it is outside. */
uint8_t *agent_link_store(const struct agent_link *l, uint64_t offset, uint64_t size);

/* Sleep until the agent rings, `deadline_ns` (0: none) has come, or a peer is gone (CELLA_ELOST).
 * Returns at once if there is something to read, or, with `for_room`, room to write. */
int agent_link_sleep(struct agent_link *l, bool for_room, uint64_t deadline_ns, struct error *err) must_check;

#endif
