/* Tables, segments, and the memory as a whole. */
#include "wasm/translate_body.h"

/* ", s3i, s4i, s5i);": operands base … base + 2, of these types */
static void put_three(struct wasm_translation *t, const struct wasm_step *step, const char *types)
{
	for (uint32_t i = 0; i < 3; i++) {
		body_put(t, ", ");
		body_put_slot(t, step->base + i, types[i]);
	}
	body_put(t, ");\n");
}

void body_put_segment(struct wasm_translation *t, const struct wasm_step *step)
{
	t->may_trap = true;
	bool data = step->opcode == OP_DATA_DROP || step->opcode == OP_MEMORY_INIT;
	const char *flags = data ? "state->data_dropped[" : "state->elements_dropped[";
	t->uses_state = true;
	body_put(t, "\t");
	if (step->opcode == OP_MEMORY_INIT) {
		body_put(t, "memory_init(instance, ");
		body_put_number(t, step->index);
		body_put(t, ", ");
	} else if (step->opcode == OP_TABLE_INIT) {
		body_put(t, "table_init(instance, ");
		body_put_table(t, step->other);
		body_put(t, ", ");
		wasm_put_elements(t->m, step->index, &t->body);
		body_put(t, ", ");
	}
	body_put(t, flags);
	body_put_number(t, step->index);
	if (step->opcode == OP_DATA_DROP || step->opcode == OP_ELEM_DROP) {
		body_put(t, "] = 1;\n");
		return;
	}
	body_put(t, "]");
	if (step->opcode == OP_TABLE_INIT) {
		body_put(t, " ? 0 : ");
		body_put_number(t, t->m->elements[step->index].count);
	}
	put_three(t, step, step->signature ? step->signature : "iii");
}

void body_put_memory(struct wasm_translation *t, const struct wasm_step *step)
{
	t->may_trap = true;
	if (step->opcode == OP_MEMORY_SIZE || step->opcode == OP_MEMORY_GROW) {
		body_put_assignment(t, step->base, step->type);
		body_put_name(t, step->op->name);
		body_put(t, "(instance");
		if (step->opcode == OP_MEMORY_GROW) {
			body_put(t, ", ");
			body_put_slot(t, step->base, step->type);
		}
		body_put(t, ");\n");
		return;
	}
	body_put(t, "\t");
	body_put_name(t, step->op->name);
	body_put(t, "(instance");
	put_three(t, step, step->signature);
}

static void put_table_access(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_TABLE_GET)
		body_put_assignment(t, step->base, step->type);
	else
		body_put(t, "\t");
	body_put_name(t, step->op->name);
	body_put(t, "(instance, ");
	body_put_table(t, step->index);
	body_put(t, ", ");
	body_put_slot(t, step->base, TYPE_I32);
	if (step->opcode == OP_TABLE_SET) {
		body_put(t, ", ");
		body_put_slot(t, step->base + 1, step->type);
	}
	body_put(t, ");\n");
}

void body_put_table_instruction(struct wasm_translation *t, const struct wasm_step *step)
{
	t->may_trap = true;
	switch (step->opcode) {
	case OP_TABLE_SIZE:
		body_put_assignment(t, step->base, TYPE_I32);
		body_put_table(t, step->index);
		body_put(t, "->size;\n");
		break;
	case OP_TABLE_GROW:
		body_put_assignment(t, step->base, TYPE_I32);
		body_put(t, "table_grow(");
		body_put_table(t, step->index);
		body_put(t, ", ");
		wasm_put_table_room(t->m, step->index, &t->body);
		body_put(t, ", ");
		body_put_slot(t, step->base, step->type);
		body_put(t, ", ");
		body_put_slot(t, step->base + 1, TYPE_I32);
		body_put(t, ");\n");
		break;
	case OP_TABLE_FILL:
		body_put(t, "\ttable_fill(instance, ");
		body_put_table(t, step->index);
		put_three(t, step, step->type == TYPE_FUNCREF ? "iri" : "ixi");
		break;
	case OP_TABLE_COPY:
		body_put(t, "\ttable_copy(instance, ");
		body_put_table(t, step->index);
		body_put(t, ", ");
		body_put_table(t, step->other);
		put_three(t, step, "iii");
		break;
	default: put_table_access(t, step);
	}
}
