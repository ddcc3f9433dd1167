/* Blocks, branches and calls: structure becomes labels and gotos. */
#include "wasm/translate_body.h"

void body_put_return(struct wasm_translation *t, const struct wasm_type *type, uint32_t base)
{
	if (t->m->functions[t->function].tails) {
		body_put_values(t, type->results, type->result_count, base);
		body_put(t, "return 0;");
		return;
	}
	body_put(t, "return");
	if (type->result_count == 1) {
		body_put(t, " ");
		body_put_slot(t, base, type->results[0]);
	} else if (type->result_count > 1) {
		body_put(t, " (struct result");
		body_put_number(t, type->canonical);
		body_put(t, "){");
		for (uint32_t i = 0; i < type->result_count; i++) {
			body_put(t, i ? ", " : "");
			body_put_slot(t, base + i, type->results[i]);
		}
		body_put(t, "}");
	}
	body_put(t, ";");
}

/* What a branch leaves behind: operands between those that its target has and those that it takes along. */
void body_put_left_behind(struct wasm_translation *t, const struct wasm_step *step,
                          const struct wasm_frame *frame)
{
	for (uint32_t height = frame->height; height < step->base; height++)
		body_put_keep(t, height, step->operands[height]);
}

/* Moves what a branch carries down to where its target wants it. Upwards, so that nothing is lost. */
static void put_moves(struct wasm_translation *t, uint32_t base, const struct wasm_frame *frame)
{
	const char *types = wasm_label_types(frame);
	for (uint32_t i = 0; base != frame->height && i < wasm_label_arity(frame); i++) {
		body_put_result(t, frame->height + i, types[i]);
		body_put(t, " = ");
		body_put_slot(t, base + i, types[i]);
		body_put(t, "; ");
	}
}

static void put_branch(struct wasm_translation *t, const struct wasm_step *step,
                       const struct wasm_frame *frame)
{
	body_put_left_behind(t, step, frame);
	if (frame->id == 0) {
		body_put_return(t, frame->type, step->base);
		return;
	}
	put_moves(t, step->base, frame);
	body_put(t, "goto ");
	body_put_label(t, 'L', frame->id);
	body_put(t, ";");
}

static void put_br_if(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put(t, "\tif (");
	body_put_slot(t, step->base + wasm_label_arity(step->frame), TYPE_I32);
	body_put(t, ") { ");
	put_branch(t, step, step->frame);
	body_put(t, " }\n");
}

static void put_br_table(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put(t, "\tswitch (");
	body_put_slot(t, step->base + wasm_label_arity(step->frame), TYPE_I32);
	body_put(t, ") {\n");
	for (uint32_t i = 0; i + 1 < step->target_count && t->body.size <= WASM_TEXT_SIZE_MAX; i++) {
		body_put(t, "\tcase ");
		body_put_number(t, i);
		body_put(t, ": ");
		if (step->targets[i] != step->targets[i + 1])
			put_branch(t, step, step->targets[i]);
		body_put(t, "\n");
	}
	body_put(t, "\tdefault: ");
	put_branch(t, step, step->targets[step->target_count - 1]);
	body_put(t, "\n\t}\n");
}

static void put_label_line(struct wasm_translation *t, char kind, uint32_t id)
{
	body_put_label(t, kind, id);
	body_put(t, ":;\n");
}

static void put_if(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put(t, "\tif (!");
	body_put_slot(t, step->base + step->frame->type->param_count, TYPE_I32);
	body_put(t, ") goto ");
	body_put_label(t, 'E', step->frame->id);
	body_put(t, ";\n");
}

void body_put_else(struct wasm_translation *t, const struct wasm_step *step)
{
	if (!step->frame->entered)
		return;
	if (step->fell) {
		body_put(t, "\tgoto ");
		body_put_label(t, 'L', step->frame->id);
		body_put(t, ";\n");
	}
	put_label_line(t, 'E', step->frame->id);
}

void body_put_end(struct wasm_translation *t, const struct wasm_step *step)
{
	const struct wasm_frame *frame = step->frame;
	if (frame->id == 0) {
		if (!step->fell)
			return;
		body_put(t, "\t");
		body_put_return(t, frame->type, step->base);
		body_put(t, "\n");
		return;
	}
	if (frame->entered && frame->opcode == OP_IF)
		put_label_line(t, 'E', frame->id);
	if (frame->opcode == OP_TRY || frame->opcode == OP_CATCH)
		body_put_uncaught(t, step);
	if (frame->targeted && frame->opcode != OP_LOOP)
		put_label_line(t, 'L', frame->id);
}

/* Does the call end wherever a reference leads, maybe in another module? */
static bool goes_anywhere(const struct wasm_translation *t, const struct wasm_step *step)
{
	return t->m->shares_references &&
	       (step->opcode == OP_CALL_INDIRECT || step->opcode == OP_RETURN_CALL_INDIRECT);
}

static void put_arguments(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put(t, goes_anywhere(t, step) ? "(target.instance" : "(instance");
	for (uint32_t i = 0; i < step->callee->param_count; i++) {
		body_put(t, ", ");
		body_put_slot(t, step->base + i, step->callee->params[i]);
	}
	body_put(t, ")");
}

void body_put_look_up(struct wasm_translation *t, const struct wasm_step *step, const char *function)
{
	body_put(t, function);
	body_put(t, "(instance, ");
	body_put_table(t, step->other);
	body_put(t, ", ");
	body_put_slot(t, step->base + step->callee->param_count, TYPE_I32);
	body_put(t, ", functions, FUNCTION_COUNT, ");
	body_put_number(t, step->callee->canonical);
}

void body_put_target(struct wasm_translation *t, const struct wasm_step *step)
{
	t->uses_target = true;
	body_put(t, "\ttarget = ");
	body_put_look_up(t, step, "callee_anywhere");
	body_put(t, ", \"");
	body_put(t, step->callee->signature);
	body_put(t, "\");\n");
}

static void put_callee(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_CALL || step->opcode == OP_RETURN_CALL) {
		body_put_label(t, 'F', step->index);
		return;
	}
	body_put(t, "((type");
	body_put_number(t, step->callee->canonical);
	body_put(t, " *)");
	if (goes_anywhere(t, step))
		body_put(t, "target.code");
	else if (step->opcode == OP_RETURN_CALL_INDIRECT)
		body_put(t, "functions[f].code");
	else
		body_put_look_up(t, step, "callee");
	body_put(t, goes_anywhere(t, step) || step->opcode == OP_RETURN_CALL_INDIRECT ? ")" : "))");
}

void body_put_call(struct wasm_translation *t, const struct wasm_step *step)
{
	const struct wasm_type *type = step->callee;
	t->may_trap = true;
	if (goes_anywhere(t, step) && step->opcode == OP_CALL_INDIRECT)
		body_put_target(t, step);
	if (type->result_count == 1)
		body_put_assignment(t, step->base, type->results[0]);
	else if (type->result_count == 0)
		body_put(t, "\t");
	else {
		body_put(t, "\t{ struct result");
		body_put_number(t, type->canonical);
		body_put(t, " r = ");
	}
	put_callee(t, step);
	put_arguments(t, step);
	body_put(t, ";");
	for (uint32_t i = 0; type->result_count > 1 && i < type->result_count; i++) {
		body_put(t, " ");
		body_put_result(t, step->base + i, type->results[i]);
		body_put(t, " = r.");
		body_put_label(t, 'r', i);
		body_put(t, ";");
	}
	body_put(t, type->result_count > 1 ? " }\n" : "\n");
	if (goes_anywhere(t, step))
		body_put(t, "\tcheck_target(instance, &target);\n");
	body_put_thrown_check(t, step);
}

void body_put_control(struct wasm_translation *t, const struct wasm_step *step)
{
	t->may_trap |= step->opcode != OP_DROP;
	switch (step->opcode) {
	case OP_UNREACHABLE: body_put(t, "\ttrap(instance, CELL_TRAP_UNREACHABLE);\n"); break;
	case OP_LOOP: put_label_line(t, 'L', step->frame->id); break;
	case OP_IF: put_if(t, step); break;
	case OP_BR:
	case OP_RETURN:
		body_put(t, "\t");
		put_branch(t, step, step->frame);
		body_put(t, "\n");
		break;
	case OP_BR_IF: put_br_if(t, step); break;
	case OP_RETHROW: body_put_rethrow(t, step); break;
	case OP_BR_TABLE: put_br_table(t, step); break;
	case OP_DROP:
		body_put(t, "\t");
		body_put_keep(t, step->base, step->type);
		body_put(t, "\n");
		break;
	default: break;
	}
}
