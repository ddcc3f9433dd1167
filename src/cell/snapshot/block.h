/* Blocks of a snapshot, encoded and decoded: 64 KiB of linear memory as its changed pages. */
#ifndef CELL_SNAPSHOT_BLOCK_H
#define CELL_SNAPSHOT_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cell/snapshot/format.h"

/* The size of the encoded block `now`, at most SNAPSHOT_ENCODED_MAX, written to `out` unless that is NULL;
 * 0: nothing has changed. `then` is the base's block, NULL: zeros. Pages whose bit in `touched` is 0 are zero
 * and are not looked at. */
size_t snapshot_encode_block(const uint8_t *now, uint64_t touched, const uint8_t *then, uint8_t *out);

/* Changes the block at `to`, which is the base's. `differs`: zero pages may come. CELLA_EFORMAT; `to` may
 * have changed then. */
int snapshot_decode_block(const uint8_t *in, size_t size, bool differs, uint8_t *to,
                          struct error *err) must_check;

#endif
