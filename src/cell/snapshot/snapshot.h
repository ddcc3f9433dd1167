/*
 * Snapshots of idle cells: captured, sealed, opened, and written back block by block.
 *
 * A snapshot holds all that a cell is made of (wasm/cell_abi.h): its state and its linear memory. What
 * WASI or the tasks keep for it, open files above all, is the executor's and not in it. The format is in
 * cell/snapshot/format.h, the story in docs/protocols/snapshot.md.
 *
 * In the clear a snapshot lies in protected memory, whole. One that was opened from its sealed form has its
 * body there and leaves the blocks sealed, each until it is asked for: so a large cell goes on at once.
 *
 * Threats: a sealed snapshot lies in untrusted memory, which may change at any time: its header is copied
 * once, then checked by the body's seal. Blocks belong to that header by its random series. A difference
 * names its base by digest. An older snapshot of the same object is told apart by the version that the
 * caller expects.
 */
#ifndef CELL_SNAPSHOT_H
#define CELL_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cell/snapshot/format.h"
#include "mem/mem.h"
#include "seal/seal.h"

struct snapshot;

/* What is captured. */
struct snapshot_source {
	const uint8_t *identity; /* CRYPTO_SHA384_SIZE bytes */
	uint32_t abi_version;
	uint32_t translator_version;
	const uint8_t *state;
	uint64_t state_size;
	const uint8_t *memory;
	uint64_t memory_size;
	struct mem_region *region; /* of the memory; NULL: every page is looked at */
	bool paged;                /* the region is a pager's (page/page.h) */
};

/* Into protected memory of `pool`. With a base, which is in the clear and no difference itself, only what
 * differs from it, and a reference to it. */
int snapshot_capture(struct mem_pool *pool, const struct snapshot_source *source, struct snapshot *base,
                     struct snapshot **ret_snapshot, struct error *err) must_check;
struct snapshot *snapshot_ref(struct snapshot *snapshot);
/* The last one wipes and frees it. NULL is fine. */
void snapshot_unref(struct snapshot *snapshot);

const struct snapshot_header *snapshot_header(const struct snapshot *snapshot);
const uint8_t *snapshot_state(const struct snapshot *snapshot);
/* Bytes that it takes in the clear, that of its base apart. */
uint64_t snapshot_size(const struct snapshot *snapshot);
/* The form in the clear, snapshot_size bytes; NULL while blocks are sealed. */
const uint8_t *snapshot_bytes(const struct snapshot *snapshot);
/* From that form, which is copied. CELLA_EFORMAT, CELLA_EUNSUPPORTED; `base`: as snapshot_open. */
int snapshot_read(struct mem_pool *pool, const uint8_t *bytes, uint64_t size, struct snapshot *base,
                  struct snapshot **ret_snapshot, struct error *err) must_check;
/* SHA-384 of the form in the clear: a base's name. CELLA_EINVAL while blocks are sealed. */
int snapshot_digest(struct snapshot *snapshot, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                    struct error *err) must_check;

/* Write block `number` of the memory to `to`, SNAPSHOT_BLOCK_SIZE zero bytes. CELLA_EAUTH: what was sealed
 * does not verify; CELLA_EFORMAT: it is malformed, and `to` may have changed. Allocates nothing. */
int snapshot_read_block(struct snapshot *snapshot, uint64_t number, uint8_t *to,
                        struct error *err) must_check;
/* Has it, or has its base, content in the blocks [from, to)? */
bool snapshot_has_blocks(const struct snapshot *snapshot, uint64_t from, uint64_t to);

/* Sealing, of one in the clear: `out` has room for snapshot_sealed_size bytes and may be untrusted. */
uint64_t snapshot_sealed_size(const struct snapshot *snapshot);
int snapshot_seal(const struct snapshot *snapshot, struct seal_session *session, uint64_t object,
                  uint64_t version, uint8_t *out, struct error *err) must_check;
/* Borrows `in` and the session until the snapshot's end. `base` is what a difference was made against, else
 * NULL. CELLA_EFORMAT, CELLA_EUNSUPPORTED, CELLA_EAUTH. */
struct snapshot_sealed {
	const uint8_t *in;
	uint64_t size;
	uint64_t object;
	uint64_t version;
};
int snapshot_open(struct mem_pool *pool, struct seal_session *session, const struct snapshot_sealed *sealed,
                  struct snapshot *base, struct snapshot **ret_snapshot, struct error *err) must_check;
/* Bring all blocks into the clear: then it needs neither `in` nor the session. */
int snapshot_unseal(struct snapshot *snapshot, struct error *err) must_check;

#endif
