/*
 * A snapshot of an idle cell: header, body, blocks. All integers are little-endian; every processor
 * writes the same bytes for the same cell (docs/protocols/snapshot.md).
 *
 * The header, SNAPSHOT_HEADER_SIZE bytes:
 *     at  size
 *      0     4  magic               "CSN1"
 *      4     2  version             1
 *      6     2  flags               1: a difference against a base
 *      8     4  ABI version         of wasm/cell_abi.h
 *     12     4  translator version
 *     16     8  state size          globals, tables, flags of dropped segments
 *     24     8  memory size         a multiple of 64 KiB
 *     32     8  body size           in the clear
 *     40     4  block count
 *     44     4  reserved            0
 *     48    48  identity            of the cell
 *     96    48  base                the base's digest; zeros without one
 *    144    16  series              of a sealed snapshot: random; zeros in the clear
 *
 * The body is sections, in the order of their kinds, each u32 kind, u32 reserved (0), u64 size, bytes:
 *     1  state   the bytes behind struct cell_instance, `state size` of them
 *     2  blocks  per block with content: u32 number, u32 size; numbers ascend
 *     3  stack   reserved: the frames of calls that were under way
 *
 * A block is 64 KiB of linear memory: its changed pages of 4 KiB, in ascending order, each
 *     u8 page (0-15), u8 kind, u16 count
 *     kind 1  zero   the page is zero; count is 0. In differences only
 *     kind 2  whole  4,096 bytes follow; count is 0
 *     kind 3  runs   `count` runs follow, each u16 offset, u16 size, bytes; they ascend and do not touch
 * Pages that are left out are as in the base, or zero without one. No block is empty.
 *
 * In the clear header, body and blocks stand one after another. Sealed, the header stays as it is and is
 * authenticated by the body's seal; body and blocks are sealed objects (seal/seal_format.h) of kind
 * SEAL_KIND_SNAPSHOT with the caller's object and version. extra 0 and the whole header as additional data
 * make the body; extra 1 + i, and series || u64 i, the block in the table's row i.
 */
#ifndef CELL_SNAPSHOT_FORMAT_H
#define CELL_SNAPSHOT_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto.h"
#include "wasm/cell_abi.h"

#define SNAPSHOT_MAGIC 0x314e5343u /* "CSN1" */

enum {
	SNAPSHOT_VERSION = 1,
	SNAPSHOT_HEADER_SIZE = 160,
	SNAPSHOT_AT_SERIES = 144,
	SNAPSHOT_SERIES_SIZE = 16,
	SNAPSHOT_PAGE_SIZE = 4096,
	SNAPSHOT_BLOCK_SIZE = 65536,
	SNAPSHOT_BLOCK_PAGES = SNAPSHOT_BLOCK_SIZE / SNAPSHOT_PAGE_SIZE,
	SNAPSHOT_PAGE_HEADER_SIZE = 4,
	SNAPSHOT_RUN_HEADER_SIZE = 4,
	SNAPSHOT_GRAIN = 8, /* bytes that are compared and written together */
	SNAPSHOT_ENCODED_MAX = SNAPSHOT_BLOCK_PAGES * (SNAPSHOT_PAGE_HEADER_SIZE + SNAPSHOT_PAGE_SIZE),
	SNAPSHOT_SECTION_HEADER_SIZE = 16,
	SNAPSHOT_ROW_SIZE = 8, /* of the table of blocks */
};
/* Limits of what is decoded. */
#define SNAPSHOT_STATE_MAX (1ull << 30)   /* as CODE_SIZE_MAX in code.c */
#define SNAPSHOT_MEMORY_MAX (1ull << 40)

enum snapshot_flag { SNAPSHOT_DIFFERENCE = 1 };
enum snapshot_section { SNAPSHOT_STATE = 1, SNAPSHOT_BLOCKS = 2, SNAPSHOT_STACK = 3 };
enum snapshot_page { SNAPSHOT_ZERO = 1, SNAPSHOT_WHOLE = 2, SNAPSHOT_RUNS = 3 };

/* The header, decoded. */
struct snapshot_header {
	uint16_t flags;
	uint32_t abi_version;
	uint32_t translator_version;
	uint64_t state_size;
	uint64_t memory_size;
	uint64_t body_size;
	uint32_t block_count;
	uint8_t identity[CRYPTO_SHA384_SIZE];
	uint8_t base[CRYPTO_SHA384_SIZE];
	uint8_t series[SNAPSHOT_SERIES_SIZE];
};

static_assert(SNAPSHOT_AT_SERIES + SNAPSHOT_SERIES_SIZE == SNAPSHOT_HEADER_SIZE,
              "the series ends the header");
static_assert((int)SNAPSHOT_SERIES_SIZE == (int)CRYPTO_SALT_SIZE, "it is drawn like a salt");
static_assert(SNAPSHOT_BLOCK_SIZE == CELL_PAGE_SIZE, "a linear memory is whole blocks");
static_assert(SNAPSHOT_PAGE_SIZE % SNAPSHOT_GRAIN == 0 && SNAPSHOT_GRAIN == sizeof(uint64_t), "words");
static_assert(SNAPSHOT_PAGE_SIZE / SNAPSHOT_GRAIN == 512, "a page's words are 8 times 64");

#endif
