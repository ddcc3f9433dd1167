/*
 * Exceptions. One that is under way stands in the instance's state, as `thrown`: its tag's index plus
 * one, or 0, and what it carries. Who calls a function that an exception may leave (throws.h) asks
 * afterwards, and goes to its handler, or returns as well. Who makes a tail call is gone by then: it only
 * returns.
 *
 * A try of frame n is a chain of labels C<n>_0, C<n>_1, …, one for each clause and, if none of them
 * catches all, one at its end that goes on outwards. A clause takes the exception over into c<n>,
 * for rethrow.
 */
#include <stdio.h>

#include "wasm/translate_body.h"

static void put_thrown(struct wasm_translation *t)
{
	t->uses_state = true;
	body_put(t, "state->thrown");
}

static void put_clause_name(struct wasm_translation *t, uint32_t frame, uint32_t clause)
{
	body_put_label(t, 'C', frame);
	body_put_label(t, '_', clause);
}

/* "THROWN(u32, c3, 1)": a value of an exception; vectors take two words. */
static uint32_t put_value(struct wasm_translation *t, const char *exception, uint32_t word, char type)
{
	body_put(t, "THROWN(");
	body_put(t, wasm_c_type(type));
	body_put(t, ", ");
	body_put(t, exception);
	body_put(t, ", ");
	body_put_number(t, word);
	body_put(t, ")");
	return word + (type == TYPE_V128 ? 2 : 1);
}

/* Leaves this function with the exception under way; what it returns nobody looks at. */
static void put_leave(struct wasm_translation *t, const struct wasm_type *type)
{
	body_put(t, "return");
	if (t->m->functions[t->function].tails) {
		body_put(t, " 0");
	} else if (type->result_count > 1) {
		body_put(t, " (struct result");
		body_put_number(t, type->canonical);
		body_put(t, "){0}");
	} else if (type->result_count == 1) {
		body_put(t, type->results[0] == TYPE_V128 ? " (v128){0}" : " 0");
	}
	body_put(t, ";");
}

/* To the handler of what is thrown here, leaving the operands below `height` behind. */
static void put_unwind(struct wasm_translation *t, const struct wasm_step *step, uint32_t height)
{
	const struct wasm_frame *handler = wasm_handler(step);
	uint32_t kept = handler ? handler->height : 0;
	for (; kept < height; kept++)
		body_put_keep(t, kept, step->operands[kept]);
	if (handler) {
		body_put(t, "goto ");
		put_clause_name(t, handler->id, 0);
		body_put(t, ";");
	} else {
		put_leave(t, step->frames[0].type);
	}
}

void body_put_thrown_check(struct wasm_translation *t, const struct wasm_step *step)
{
	bool direct = step->opcode == OP_CALL, indirect = step->opcode == OP_CALL_INDIRECT;
	uint32_t node = direct ? step->index : t->m->function_count + step->callee->canonical;
	if ((!direct && !indirect) || !t->throws[node])
		return;
	body_put(t, "\tif (UNLIKELY(");
	put_thrown(t);
	body_put(t, ".tag)) { ");
	put_unwind(t, step, step->base);
	body_put(t, " }\n");
}

void body_put_throw(struct wasm_translation *t, const struct wasm_step *step)
{
	uint32_t word = 0;
	t->may_trap = true;
	for (uint32_t i = 0; i < step->callee->param_count; i++) {
		body_put(t, "\t");
		word = put_value(t, "state->thrown", word, step->callee->params[i]);
		body_put(t, " = ");
		body_put_slot(t, step->base + i, step->callee->params[i]);
		body_put(t, ";\n");
	}
	body_put(t, "\t");
	put_thrown(t);
	body_put(t, ".tag = ");
	body_put_number(t, step->index + 1);
	body_put(t, "u;\n\t");
	put_unwind(t, step, step->base);
	body_put(t, "\n");
}

void body_put_rethrow(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put(t, "\t");
	put_thrown(t);
	body_put(t, " = ");
	body_put_label(t, 'c', step->frame->id);
	body_put(t, ";\n\t");
	put_unwind(t, step, step->base);
	body_put(t, "\n");
}

/* Ends what came before in this try, and begins the part for what no clause so far has caught. */
static void put_next(struct wasm_translation *t, const struct wasm_step *step, uint32_t clause)
{
	if (step->fell) {
		body_put(t, "\tgoto ");
		body_put_label(t, 'L', step->frame->id);
		body_put(t, ";\n");
	}
	put_clause_name(t, step->frame->id, clause);
	body_put(t, ":;\n");
}

void body_put_catch(struct wasm_translation *t, const struct wasm_step *step)
{
	const struct wasm_frame *frame = step->frame;
	char caught[16];
	uint32_t word = 0;
	if (!frame->entered)
		return;
	t->may_trap = true;
	put_next(t, step, frame->clauses - 1);
	if (step->callee) {
		body_put(t, "\tif (");
		put_thrown(t);
		body_put(t, ".tag != ");
		body_put_number(t, step->index + 1);
		body_put(t, "u) goto ");
		put_clause_name(t, frame->id, frame->clauses);
		body_put(t, ";\n");
	}
	snprintf(caught, sizeof(caught), "c%u", frame->id);
	body_put(t, frame->clauses == 1 ? "\tstruct exception " : "\t");
	body_put(t, caught);
	body_put(t, " = ");
	put_thrown(t);
	body_put(t, ";\n\t");
	put_thrown(t);
	body_put(t, ".tag = 0;\n");
	for (uint32_t i = 0; step->callee && i < step->callee->param_count; i++) {
		body_put_assignment(t, step->base + i, step->callee->params[i]);
		word = put_value(t, caught, word, step->callee->params[i]);
		body_put(t, ";\n");
	}
}

void body_put_uncaught(struct wasm_translation *t, const struct wasm_step *step)
{
	const struct wasm_frame *frame = step->frame;
	if (!frame->entered)
		return;
	put_next(t, step, frame->clauses);
	body_put(t, "\t");
	put_unwind(t, step, frame->height);
	body_put(t, "\n");
}
