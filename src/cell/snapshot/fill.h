/*
 * A linear memory that is filled from a snapshot: at once if there is little, else as it is touched.
 *
 * What is filled later is veiled (mem/mem.h) until then. A cell's own touch raises SIGSEGV, whose handler
 * calls snapshot_fill_fault; host code asks for what it is about to touch with snapshot_fill_range, as a
 * fault in the middle of a system call or of OpenSSL would come too late. So nothing here allocates.
 *
 * A paged memory is filled at once, through its pager, which takes it out of the window again.
 *
 * A run of blocks is made accessible and then written, by the only thread that runs in the cell: a second
 * one could see it half written. When cells have several threads they must be filled through a second
 * mapping, or while the others stand still.
 */
#ifndef CELL_SNAPSHOT_FILL_H
#define CELL_SNAPSHOT_FILL_H

#include "cell/snapshot/snapshot.h"
#include "page/page.h"

enum {
	FILL_AT_ONCE_MAX = 2 << 20, /* bytes of a snapshot: up to this copying costs less than faults */
	FILL_AHEAD_MAX = 32, /* times the least that a fault fills, where faults go up through memory */
	FILL_MAPPINGS_MAX = 8192, /* into how many pieces faults may divide a memory */
};

struct snapshot_fill;

/* What of a memory that is not paged is to be veiled before it is filled. */
void snapshot_fill_veil(const struct snapshot *snapshot, uint64_t *ret_from, uint64_t *ret_to);

struct snapshot_target {
	struct mem_pool *pool;     /* for what the fill is made of */
	struct mem_region *region; /* zero, of the snapshot's memory size at least, veiled as is said below */
	bool paged; /* it is a pager's (page/page.h) */
};
/* References the snapshot. *ret_fill is NULL if nothing is left to be filled. */
int snapshot_fill_new(const struct snapshot_target *target, struct snapshot *snapshot,
                      struct snapshot_fill **ret_fill, struct error *err) must_check;
void snapshot_fill_free(struct snapshot_fill *fill);

/* All of [at, at + size) that is not there yet. What fails to verify stays inaccessible. */
int snapshot_fill_range(struct snapshot_fill *fill, uint64_t at, uint64_t size, struct error *err) must_check;
/* PAGE_FOREIGN: the fault at `address` was none of these; PAGE_LOST: with the error. */
enum page_outcome snapshot_fill_fault(struct snapshot_fill *fill, const void *address, struct error *err);

#endif
