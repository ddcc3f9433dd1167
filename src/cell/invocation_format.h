/*
 * The plaintext of a sealed invocation: how a task's frame is laid out and where its bytes come
 * from. Written by the submitter's executor (tasks/submit.c), read by the one that runs the task.
 *
 *   struct invocation_head
 *   struct invocation_part, one for each value, buffer, collection and file; behind each:
 *     VALUE        its bytes
 *     BUFFER       struct invocation_state if INVOCATION_STATE is set
 *     COLLECTION   u32 columns (0: pointers to buffers); its buffers are the next parts, row by row
 *     FILE         u32 size and bytes of the path; struct invocation_state as with BUFFER
 *
 * A part takes its data from the submission's arrays, each in order:
 *   IN           1 + parts inputs
 *   OUT                           1 output
 *   INOUT        1 + parts inputs 1 output
 *   CONCURRENT   1 input          1 output
 *   COMMUTATIVE                             1 commutative
 *
 * Packed, little-endian. The submission itself is the additional data of the seal, so this says
 * nothing twice.
 */
#ifndef CELL_INVOCATION_FORMAT_H
#define CELL_INVOCATION_FORMAT_H

#include <assert.h>
#include <stdint.h>

enum {
	INVOCATION_VERSION = 1,
	INVOCATION_INLINE_MAX = 4096, /* a larger value travels as a datum */
	INVOCATION_PATH_MAX = 4095,
};

enum invocation_kind {
	INVOCATION_VALUE = 1,
	INVOCATION_BUFFER,
	INVOCATION_COLLECTION,
	INVOCATION_FILE,
};

enum invocation_flag {
	INVOCATION_STATE = 1, /* the (first) input, or a commutative's base, is the end of a membership */
};

struct invocation_head {
	uint16_t version;
	uint16_t parameter_count;
};

struct invocation_part {
	uint8_t kind;
	uint8_t access; /* enum version_access, of BUFFER and FILE */
	uint8_t flags;  /* enum invocation_flag */
	uint8_t parts;  /* inputs whose changes are put over the first */
	uint32_t size;  /* bytes; a collection's rows; 0 for a file */
};

/* What proves a commutative datum complete: how many took their turn, and the sum of their numbers. */
struct invocation_state {
	uint64_t members;
	uint64_t sum_low, sum_high;
};

static_assert(sizeof(struct invocation_head) == 4, "no padding");
static_assert(sizeof(struct invocation_part) == 8, "no padding");
static_assert(sizeof(struct invocation_state) == 24, "no padding");

#endif
