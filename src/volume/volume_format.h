/*
 * A volume as it is stored: a flat directory of plain files (docs/protocols/volume.md). All integers are
 * little-endian, but for those in keys of the tree, which are big-endian so that bytes sort as numbers.
 *
 *   volume             what it is: struct of 64 bytes, below
 *   head               a hint where the newest root lies, in the clear: a root reference (64 bytes), the u64
 *                      fencing token of who wrote it, and a u64, VOLUME_HEAD_SETTLED if no root counts
 *                      behind it that the keeper does not know
 *   XXXXXXXX.segment   segment 0xXXXXXXXX: a header block, then sealed blocks of 4 KiB
 *
 * A segment is written by one writer in one go, each block once, and what a commit refers to never changes.
 * While it is written, blocks of one commit come in any order, and there may be zeros behind them.
 *
 *   header block       magic "CVS1", u16 version, u16 zero, u32 number, u32 zero, 16 bytes volume, 8 bytes
 *                      key id, 16 bytes salt, zeros to the end of the block
 *   data block         4096 bytes of a file (what lies past its end: zeros)
 *   node               2 blocks: a node of the tree, below
 *   root               1 block: a root, below, and 16 bytes tag
 *
 * Key of a segment = HKDF-Expand(volume key, "cella volume segment" || header without its zeros). Each
 * block, node or root is one AES-256-GCM message under it; nonce = u32 number of its first block, u8 kind,
 * seven zeros. So no nonce is used twice: a place in a segment is sealed once, and every segment has a
 * fresh salt. Tags do not lie beside what they belong to, but in the pointer to it: the tree is a Merkle
 * tree. A root has its own beside it as well, so that the log can be searched for roots.
 *
 *   pointer (24)       u32 segment, u32 block, 16 bytes tag. Segment 0: a hole, all zeros.
 *
 *   root reference (64) u64 counter, pointer, 32 bytes zero. What a keeper keeps.
 *
 *   root               struct volume_root, then zeros
 *
 *   node               u8 level (0: leaf), u8 zero, u16 count, u16 heap, u16 garbage, u64 zero; then
 *                      `count` slots of u16 offset, u16 key size, u16 value size, in the order of the
 *                      keys; keys and values (behind their key) from `heap` on to the end of the node;
 *                      `garbage` bytes there belong to no slot. The value in a node above the leaves is a
 *                      pointer to the node with the keys from this one on; the first key counts as the
 *                      least there is.
 *
 * Keys of the tree: u64 inode (big-endian), u8 kind, then
 *   VOLUME_ITEM_INODE    nothing    -> inode, below
 *   VOLUME_ITEM_ENTRY    name       -> u64 inode, u8 type         of a directory
 *   VOLUME_ITEM_GROUP    u64 group  -> 64 pointers to the data blocks 64 * group on (fewer: holes follow)
 * and, of inode 0,
 *   VOLUME_ITEM_DEAD     u64 segment -> u32 blocks of it that nothing refers to
 *   VOLUME_ITEM_ORPHAN   u64 inode   -> nothing; an inode without a name, which was open at the commit
 *
 *   inode              u8 type, u8 flags, u16 mode, u32 links, u64 size, u64 modified, u64 changed (ns since
 *                      1970); then the data of a small file (flag VOLUME_INODE_INLINE), or a symlink's target
 */
#ifndef VOLUME_VOLUME_FORMAT_H
#define VOLUME_VOLUME_FORMAT_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "crypto/crypto.h"

enum {
	VOLUME_VERSION = 2,
	VOLUME_ID_SIZE = 16,
	VOLUME_KEY_ID_SIZE = 8,
	VOLUME_BLOCK_SIZE = 4096,
	VOLUME_NODE_BLOCKS = 2,
	VOLUME_NODE_SIZE = VOLUME_NODE_BLOCKS * VOLUME_BLOCK_SIZE,
	VOLUME_SEGMENT_BLOCKS = (64 << 20) / VOLUME_BLOCK_SIZE, /* then the next one begins */
	VOLUME_GROUP_BLOCKS = 64,
	VOLUME_INLINE_MAX = 2048,
	VOLUME_NAME_MAX = 255,
	VOLUME_TARGET_MAX = 2047,
	VOLUME_LEVELS_MAX = 16,
	VOLUME_LINKS_MAX = 65000,
	VOLUME_DEPTH_MAX = 512, /* directories on a path, the root among them */

	VOLUME_HEADER_SIZE = 64,  /* of the file "volume" */
	VOLUME_SEGMENT_HEADER_SIZE = 56,
	VOLUME_POINTER_SIZE = 24,
	VOLUME_REFERENCE_SIZE = 64,
	VOLUME_HEAD_SIZE = VOLUME_REFERENCE_SIZE + 16,
	VOLUME_HEAD_SETTLED = 1,
	VOLUME_NODE_HEADER_SIZE = 16,
	VOLUME_SLOT_SIZE = 6,
	VOLUME_INODE_SIZE = 32,
	VOLUME_ENTRY_SIZE = 9,
	VOLUME_KEY_PREFIX = 9,
	VOLUME_TREE_KEY_MAX = VOLUME_KEY_PREFIX + VOLUME_NAME_MAX,
	VOLUME_TREE_VALUE_MAX = VOLUME_INODE_SIZE + VOLUME_INLINE_MAX,
};

/* 16 TiB less a block; a file's blocks are counted in 32 bits. */
#define VOLUME_FILE_MAX ((uint64_t)UINT32_MAX * VOLUME_BLOCK_SIZE)

#define VOLUME_MAGIC 0x314c5643u         /* "CVL1" */
#define VOLUME_SEGMENT_MAGIC 0x31535643u /* "CVS1" */
#define VOLUME_LABEL_SEGMENT "cella volume segment"
#define VOLUME_LABEL_KEY_ID "cella volume key id"
#define VOLUME_LABEL_HEADER "cella volume header"
#define VOLUME_FILE_HEADER "volume"
#define VOLUME_FILE_HEAD "head"
#define VOLUME_FILE_SEGMENT "%08x.segment"

/* What is sealed; a byte of its nonce. */
enum volume_block_kind { VOLUME_KIND_DATA = 1, VOLUME_KIND_NODE, VOLUME_KIND_ROOT };

enum volume_item {
	VOLUME_ITEM_INODE = 1,
	VOLUME_ITEM_ENTRY,
	VOLUME_ITEM_GROUP,
	VOLUME_ITEM_DEAD,
	VOLUME_ITEM_ORPHAN
};

enum volume_inode_flag { VOLUME_INODE_INLINE = 1 };

struct volume_pointer {
	uint32_t segment, block;
	uint8_t tag[CRYPTO_TAG_SIZE];
};
static_assert(sizeof(struct volume_pointer) == VOLUME_POINTER_SIZE, "no padding");

/* The counter and the place that a root reference names. */
static inline uint64_t volume_counter_of(const uint8_t reference[VOLUME_REFERENCE_SIZE])
{
	uint64_t counter;
	memcpy(&counter, reference, sizeof(counter));
	return counter;
}
static inline struct volume_pointer volume_place_of(const uint8_t reference[VOLUME_REFERENCE_SIZE])
{
	struct volume_pointer at;
	memcpy(&at, reference + sizeof(uint64_t), sizeof(at));
	return at;
}

enum volume_root_flag { VOLUME_ROOT_COUNTS = 1 }; /* without the keeper: it was no commit in strict mode */

struct volume_root {
	uint64_t counter, time_ns; /* since 1970 */
	struct volume_pointer top; /* of the tree */
	uint32_t level;            /* of that node */
	uint32_t flags;
	uint64_t next_inode;
	uint8_t before[VOLUME_REFERENCE_SIZE]; /* the reference of the commit before; zeros: none */
	uint64_t token; /* of the writer */
};
static_assert(sizeof(struct volume_root) == 128, "no padding");
static_assert(VOLUME_GROUP_BLOCKS * VOLUME_POINTER_SIZE <= VOLUME_TREE_VALUE_MAX, "a group fits an item");
static_assert(3 * (VOLUME_SLOT_SIZE + VOLUME_TREE_KEY_MAX + VOLUME_TREE_VALUE_MAX) <=
                      VOLUME_NODE_SIZE - VOLUME_NODE_HEADER_SIZE,
              "a leaf that is split has room for any item");

#endif
