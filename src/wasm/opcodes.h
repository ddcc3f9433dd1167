/*
 * Every instruction of WebAssembly 2.0, tail calls and atomics: one row of a table each.
 *
 * An opcode is a number below 0x400: the byte itself, 0x100 + n for the prefix 0xfc, 0x200 + n
 * for the prefix 0xfd, 0x300 + n for the prefix 0xfe. A row says what follows the opcode
 * (immediate), what the instruction pops and pushes (signature, as in cell_abi.h; NULL if it depends
 * on immediates, locals or control), and how it reads in C: an expression over $0, $1, $2, or NULL
 * for a call of the prelude's function of the same name with '_' for '.'.
 */
#ifndef WASM_OPCODES_H
#define WASM_OPCODES_H

#include <stdbool.h>
#include <stdint.h>

enum wasm_opcode {
	OP_UNREACHABLE = 0x00,
	OP_NOP = 0x01,
	OP_BLOCK = 0x02,
	OP_LOOP = 0x03,
	OP_IF = 0x04,
	OP_ELSE = 0x05,
	OP_TRY = 0x06,
	OP_CATCH = 0x07,
	OP_THROW = 0x08,
	OP_RETHROW = 0x09,
	OP_END = 0x0b,
	OP_BR = 0x0c,
	OP_BR_IF = 0x0d,
	OP_BR_TABLE = 0x0e,
	OP_RETURN = 0x0f,
	OP_CALL = 0x10,
	OP_CALL_INDIRECT = 0x11,
	OP_RETURN_CALL = 0x12,
	OP_RETURN_CALL_INDIRECT = 0x13,
	OP_DELEGATE = 0x18,
	OP_CATCH_ALL = 0x19,
	OP_DROP = 0x1a,
	OP_SELECT = 0x1b,
	OP_SELECT_T = 0x1c,
	OP_LOCAL_GET = 0x20,
	OP_LOCAL_SET = 0x21,
	OP_LOCAL_TEE = 0x22,
	OP_GLOBAL_GET = 0x23,
	OP_GLOBAL_SET = 0x24,
	OP_TABLE_GET = 0x25,
	OP_TABLE_SET = 0x26,
	OP_F32_STORE = 0x38,
	OP_F64_STORE = 0x39,
	OP_MEMORY_SIZE = 0x3f,
	OP_MEMORY_GROW = 0x40,
	OP_I32_CONST = 0x41,
	OP_I64_CONST = 0x42,
	OP_F32_CONST = 0x43,
	OP_F64_CONST = 0x44,
	OP_I32_ADD = 0x6a,
	OP_I32_SUB = 0x6b,
	OP_I32_MUL = 0x6c,
	OP_I64_ADD = 0x7c,
	OP_I64_SUB = 0x7d,
	OP_I64_MUL = 0x7e,
	OP_REF_NULL = 0xd0,
	OP_REF_IS_NULL = 0xd1,
	OP_REF_FUNC = 0xd2,
	OP_PREFIX_FC = 0xfc,
	OP_PREFIX_FD = 0xfd,
	OP_PREFIX_FE = 0xfe,
	OP_MEMORY_INIT = 0x108,
	OP_DATA_DROP = 0x109,
	OP_MEMORY_COPY = 0x10a,
	OP_MEMORY_FILL = 0x10b,
	OP_TABLE_INIT = 0x10c,
	OP_ELEM_DROP = 0x10d,
	OP_TABLE_COPY = 0x10e,
	OP_TABLE_GROW = 0x10f,
	OP_TABLE_SIZE = 0x110,
	OP_TABLE_FILL = 0x111,
	OP_V128_STORE = 0x20b,
	OP_V128_CONST = 0x20c,
	OP_ATOMIC_FENCE = 0x303,
	OP_COUNT = 0x400,
};

enum wasm_immediate {
	IMMEDIATE_NONE,
	IMMEDIATE_BLOCK_TYPE,
	IMMEDIATE_LABEL,
	IMMEDIATE_LABELS,
	IMMEDIATE_FUNCTION,
	IMMEDIATE_TAG,
	IMMEDIATE_TYPE_TABLE, /* of call_indirect */
	IMMEDIATE_TYPES,      /* of select */
	IMMEDIATE_LOCAL,
	IMMEDIATE_GLOBAL,
	IMMEDIATE_TABLE,
	IMMEDIATE_TABLE_TABLE,
	IMMEDIATE_ELEMENT,
	IMMEDIATE_ELEMENT_TABLE,
	IMMEDIATE_MEMORY,
	IMMEDIATE_MEMORY_MEMORY,
	IMMEDIATE_DATA,
	IMMEDIATE_DATA_MEMORY,
	IMMEDIATE_REF_TYPE,
	IMMEDIATE_I32,
	IMMEDIATE_I64,
	IMMEDIATE_F32,
	IMMEDIATE_F64,
	IMMEDIATE_V128,
	IMMEDIATE_LANE,          /* below .lanes */
	IMMEDIATE_SHUFFLE,       /* 16 lanes, each below 32 */
	IMMEDIATE_ADDRESS,       /* alignment, at most .align, and offset */
	IMMEDIATE_ADDRESS_LANE,  /* the same, then a lane below .lanes */
	IMMEDIATE_ATOMIC,        /* alignment, exactly .align, and offset */
	IMMEDIATE_FENCE,
};

struct wasm_op {
	const char *name; /* NULL: no such instruction */
	const char *signature;
	const char *c;
	uint8_t immediate; /* enum wasm_immediate */
	uint8_t align;     /* natural alignment, log2 */
	uint8_t lanes;
	bool traps; /* the prelude's function takes the instance first */
};

extern const struct wasm_op wasm_ops[OP_COUNT];

/* The proposal that an opcode outside of the table belongs to, for errors; NULL if none does. */
const char *wasm_op_proposal(uint32_t prefix, uint32_t opcode);

#endif
