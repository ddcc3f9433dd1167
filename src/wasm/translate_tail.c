/*
 * Tail calls.
 *
 * A chain of tail calls runs in constant stack whatever the signatures of its functions, but a C compiler
 * promises a jump in place of a call, if at all, only between functions of one prototype. So a function
 * from which tail calls lead to others has its body in T<n>, and these all have the same prototype
 * (tail_function of the prelude): arguments and results stand in an array v, which belongs to the
 * ordinary call that began the chain. That call is F<n>, which everything else calls. clang makes the
 * jumps; for gcc T<n> returns the address of the next one, and F<n> loops.
 *
 * A call of itself is a jump to the beginning. What makes no tail calls has no T<n> and is called as
 * ever: with it the chain ends, one frame deeper.
 */
#include "wasm/translate_body.h"

void wasm_put_tail_heading(uint32_t index, struct buf *out)
{
	buf_printf(out, "const void *T%u(struct cell_instance *instance, union cell_value *v)", index);
}

void wasm_put_tail_entry(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	const struct wasm_type *type = m->functions[index].type;
	wasm_put(out, "STUB ");
	wasm_put_heading(m, index, out);
	buf_printf(out, "\n{\n\tunion cell_value v[%u];\n", max_of(m->tail_values, 1u));
	for (uint32_t i = 0; i < type->param_count; i++) {
		wasm_put(out, "\t");
		wasm_put_value(out, i, type->params[i]);
		buf_printf(out, " = x%u;\n", i);
	}
	buf_printf(out, "\trun_tail_calls(instance, T%u, v);\n", index);
	wasm_put_value_return(type, out);
	wasm_put(out, "}\n");
}

void wasm_put_tails(const struct wasm_module *m, bool first, struct buf *out)
{
	if (!m->tails_indirectly)
		return;
	if (!first) {
		wasm_put(out, "extern SHARED const void *const tails[];\n");
		return;
	}
	wasm_put(out, "SHARED const void *const tails[] = {\n");
	for (uint32_t i = 0; i < m->function_count; i++)
		if (m->functions[i].tails)
			buf_printf(out, "\tT%u,\n", i);
		else
			wasm_put(out, "\t0,\n");
	wasm_put(out, "};\n");
}

void body_put_values(struct wasm_translation *t, const char *types, uint32_t count, uint32_t base)
{
	for (uint32_t i = 0; i < count; i++) {
		wasm_put_value(&t->body, i, types[i]);
		body_put(t, " = ");
		body_put_slot(t, base + i, types[i]);
		body_put(t, "; ");
	}
}

static void put_jump_to_self(struct wasm_translation *t, const struct wasm_step *step)
{
	t->loops = true;
	for (uint32_t i = 0; i < step->callee->param_count; i++) {
		body_put_label(t, 'x', i);
		body_put(t, " = ");
		body_put_slot(t, step->base + i, step->callee->params[i]);
		body_put(t, "; ");
	}
	body_put(t, "goto again;\n");
}

static void put_jump(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put_values(t, step->callee->params, step->callee->param_count, step->base);
	body_put(t, "GO_ON(");
	if (step->opcode == OP_RETURN_CALL)
		body_put_label(t, 'T', step->index);
	else
		body_put(t, "tails[f]");
	body_put(t, ");");
}

/* Whom the table names: f, which everything up to the end of the block may use. A function of another module
 * has a number beyond this one's; it is called as ever, by what `target` says. */
static void put_lookup(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put(t, "{\n");
	if (t->m->shares_references) {
		body_put_target(t, step);
		body_put(t, "\tconst u32 f = ");
		body_put_table(t, step->other);
		body_put(t, "->elements[");
		body_put_slot(t, step->base + step->callee->param_count, TYPE_I32);
		body_put(t, "] - instance->first_reference;\n\tif (f < FUNCTION_COUNT && tails[f]) { ");
	} else {
		body_put(t, "\tconst u32 f = ");
		body_put_look_up(t, step, "callee_index");
		body_put(t, ");\n\tif (tails[f]) { ");
	}
	put_jump(t, step);
	body_put(t, " }\n");
}

static void put_plain_call(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put_call(t, step);
	body_put(t, "\t");
	body_put_return(t, step->callee, step->base);
	body_put(t, "\n");
}

void body_put_tail_call(struct wasm_translation *t, const struct wasm_step *step)
{
	bool direct = step->opcode == OP_RETURN_CALL;
	t->may_trap = true;
	body_put(t, "\t");
	body_put_left_behind(t, step, step->frame);
	if (direct && step->index == t->function) {
		put_jump_to_self(t, step);
	} else if (direct && t->m->functions[step->index].tails) {
		put_jump(t, step);
		body_put(t, "\n");
	} else if (direct) {
		body_put(t, "\n");
		put_plain_call(t, step);
	} else {
		put_lookup(t, step);
		put_plain_call(t, step);
		body_put(t, "\t}\n");
	}
}
