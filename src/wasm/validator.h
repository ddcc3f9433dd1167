/* The state of validating one body, shared by validate.c (types, control) and immediates.c. */
#ifndef WASM_VALIDATOR_H
#define WASM_VALIDATOR_H

#include "wasm/validate.h"

struct wasm_validator {
	struct wasm_decoder d;
	struct wasm_body body;
	bool live;
	char *locals;
	char *operands; /* a letter each */
	uint32_t height;
	uint32_t operand_capacity;
	struct wasm_frame *frames; /* the innermost last */
	uint32_t depth;
	uint32_t frame_capacity;
	uint32_t frame_ids; /* given out so far */
	uint32_t *labels;   /* of the br_table at hand */
	uint32_t label_count;
	uint32_t label_capacity;
	const struct wasm_frame **targets; /* of the same, as many */
	const struct wasm_type *block_type;
	char signature[8]; /* of the instruction at hand */
	char selected;           /* the type that a typed select names */
	struct wasm_frame closed; /* what `end` has just closed */
	const struct wasm_visitor *visitor;
	void *context;
};

/* The opcode with its prefix; step->op is its row. */
void wasm_read_opcode(struct wasm_validator *v, struct wasm_step *step);
/* What follows it, by step->op->immediate: into the step, or labels, block_type and selected. */
void wasm_read_immediates(struct wasm_validator *v, struct wasm_step *step);

#endif
