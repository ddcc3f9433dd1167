/*
 * Validation of function bodies (core specification 3.3, by the algorithm of appendix 7.3), in
 * one pass that tells a visitor of every instruction once it is known to be valid.
 *
 * The visitor sees a step: the instruction with its immediates decoded, the types that it works
 * on, and where its operands lie. The operand stack of a wasm function has at every instruction
 * a height and types that are known beforehand; operand number k of an instruction that pops n lies at
 * height `base` + k, its results at `base`, `base` + 1, …. So a translator needs no stack of its own.
 *
 * A step is live if control can reach it. Steps that are not live are told too (block structure
 * goes on in them), with types and heights that mean nothing.
 */
#ifndef WASM_VALIDATE_H
#define WASM_VALIDATE_H

#include "wasm/module.h"
#include "wasm/opcodes.h"

/* A block that is open. The function's body is the outermost; its label is that of `return`. */
struct wasm_frame {
	uint32_t id;                  /* in order of opening, 0 for the body: unique in a function */
	/* OP_BLOCK (the body too), OP_LOOP, OP_IF, OP_ELSE, OP_TRY, OP_CATCH, OP_CATCH_ALL: of an if or a try
	 * the part that is open. */
	uint16_t opcode;
	uint32_t clauses; /* of a try, so far */
	const struct wasm_type *type; /* what the block takes and gives */
	uint32_t height; /* of the operand stack below what the block takes */
	uint32_t
		handler; /* which frame is the innermost try around it, in its first part; or WASM_NO_INDEX */
	bool entered; /* control can reach its beginning */
	bool targeted; /* a live branch to its label was seen */
	bool polymorphic; /* the rest of it is unreachable, by the specification's reckoning */
	bool live; /* control can reach the instruction at hand, if this is the innermost block */
};

/* What a branch to it carries: a loop's parameters, otherwise the block's results. */
static inline const char *wasm_label_types(const struct wasm_frame *frame)
{
	return frame->opcode == OP_LOOP ? frame->type->params : frame->type->results;
}
static inline uint32_t wasm_label_arity(const struct wasm_frame *frame)
{
	return frame->opcode == OP_LOOP ? frame->type->param_count : frame->type->result_count;
}

struct wasm_step {
	uint32_t opcode; /* index into wasm_ops */
	const struct wasm_op *op;
	/* Of an instruction that has one in its row: the same, but that addresses of a 64-bit memory are i64;
	 * valid during the call. */
	const char *signature;
	size_t offset;
	bool live;
	uint32_t base;
	const char *operands; /* types of the operand stack below `base`; valid during the call */
	/* Of the operand: drop, select, local.*, global.*, table.*, ref.*; of any other plain instruction
	 * the result, 0 if it has none. */
	char type;
	union {
		uint32_t index; /* local, global, function, table, segment */
		union cell_value constant; /* also the 16 lanes of a shuffle */
		struct wasm_address {
			uint64_t offset;
			uint8_t lane; /* also of instructions without address */
		} address;
	};
	uint32_t other; /* a second index: table.init's and table.copy's source, call_indirect's table */
	const struct wasm_type *callee; /* of calls, direct, indirect and tail; a tag's of throw and catch */
	/* block, loop, if, try: the frame just opened. else, catch, catch_all: the frame just turned. end,
	 * delegate: the frame just closed, `fell` telling whether control comes from within. br, br_if,
	 * return, rethrow: the target's. Tail calls: the body's. */
	const struct wasm_frame *frame;
	bool fell;
	const struct wasm_frame *frames; /* those that are open, outermost first */
	uint32_t handlers; /* how many of them are around an exception of this instruction (wasm_handler) */
	/* br_table: the targets, the default one last; valid during the call. */
	const struct wasm_frame *const *targets;
	uint32_t target_count;
};

/* The try that handles what this instruction throws; NULL if the exception leaves the function. */
static inline const struct wasm_frame *wasm_handler(const struct wasm_step *step)
{
	const struct wasm_frame *frame = &step->frames[step->handlers - 1];
	if (frame->opcode == OP_TRY)
		return frame;
	return frame->handler == WASM_NO_INDEX ? NULL : &step->frames[frame->handler];
}

/* What a body declares, told before its first step. */
struct wasm_body {
	uint32_t index; /* of the function */
	const struct wasm_function *function;
	const char *locals; /* letters: parameters, then locals */
	uint32_t local_count;
};

/* Any of them may fail: validation ends with what they return. */
struct wasm_visitor {
	int (*begin)(void *context, const struct wasm_body *body, struct error *err);
	int (*step)(void *context, const struct wasm_step *step, struct error *err);
	int (*end)(void *context, const struct wasm_body *body, struct error *err);
};

/* All bodies in order. `visitor` may be NULL. */
int wasm_validate(struct wasm_module *m, const struct wasm_visitor *visitor, void *context,
                  struct error *err) must_check;

#endif
