/* What the two files of the generator share: wasm_generator.c the module, wasm_generator_body.c its code. */
#ifndef TESTS_FUZZ_WASM_GENERATOR_STATE_H
#define TESTS_FUZZ_WASM_GENERATOR_STATE_H

#include "base/attributes.h"
#include "wasm/opcodes.h"
#include "wasm_generator.h"

enum {
	FUNCTIONS_MAX = 6,
	VALUES_MAX = 3,    /* parameters, and results, of a function */
	LOCALS_EACH = 2,   /* of each type, behind the parameters */
	LOOPS_MAX = 3,     /* within each other */
	DEPTH = 5,         /* of expressions and blocks */
	CALLS_MAX = 300,   /* of generated functions, in one call of an export */
	MEMORY_PAGES = 1,
	MEMORY_PAGES_MAX = 3,
	DATA_SIZE = 32,
	SEGMENTS = 2,      /* of data, and of elements; both passive */
	TABLE_SIZE = 8, /* of table 1, of functions, and table 2, of externref; 0 holds each function once */
	GLOBAL_FUEL = 0, /* then one of each type */
};

/* In the order in which locals and globals of them are declared. */
extern const char generator_types[]; /* "ilfdvrx" */

struct signature {
	char params[VALUES_MAX + 1];
	char results[VALUES_MAX + 1];
};

struct generator {
	const uint8_t *bytes; /* choices; zeros when they are used up */
	size_t left;
	struct wasm_generator_options options;
	struct signature functions[FUNCTIONS_MAX];
	uint32_t function_count;
	bool memory64; /* addresses are made as i32 and extended */
	/* The function at hand */
	struct buf *out;
	uint32_t function;
	uint32_t loops;
	uint32_t label_count;
	/* By type of result (generator_row): opcodes to choose from. */
	uint16_t choices[8][OP_COUNT];
	uint32_t choice_counts[8];
};

uint32_t generator_choose(struct generator *g, uint32_t count);
void generator_leb(struct buf *to, uint64_t value);
void generator_signed(struct buf *to, int64_t value);
uint8_t generator_type_byte(char type);
/* 0 for no type, then the types in their order. */
uint32_t generator_row(char type);

/* The code of function g->function, with its locals, into `to`. */
void generator_body(struct generator *g, struct buf *to);
/* A constant or null of the type. */
void generator_constant(struct generator *g, char type);
void generator_op(struct generator *g, uint32_t opcode);

#endif
