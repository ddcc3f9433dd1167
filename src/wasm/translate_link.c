/*
 * What modules share, and what is constant: where globals and tables lie, references to functions,
 * constant expressions, elements.
 *
 * Of all this a module pays for what it uses. An imported global or table is reached through the
 * instance's links, the module's own through its state. A reference is a function's index, a
 * constant, unless the module shares references (wasm_shares_references); then it is counted from
 * the instance's first_reference, and an indirect call may end in another module.
 */
#include <string.h>

#include "wasm/translate.h"

static bool passes_references(const struct wasm_module *m, enum wasm_kind kind, uint32_t index)
{
	switch (kind) {
	case KIND_FUNCTION: return strchr(m->functions[index].type->signature, TYPE_FUNCREF);
	case KIND_TABLE: return m->tables[index].type == TYPE_FUNCREF;
	case KIND_GLOBAL: return m->globals[index].type == TYPE_FUNCREF;
	default: return false;
	}
}

bool wasm_shares_references(const struct wasm_module *m)
{
	for (uint32_t i = 0; i < m->import_count; i++)
		if (passes_references(m, m->imports[i].kind, m->imports[i].index))
			return true;
	for (uint32_t i = 0; i < m->export_count; i++)
		if (passes_references(m, m->exports[i].kind, m->exports[i].index))
			return true;
	return false;
}

void wasm_put_global(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	const struct wasm_global *global = &m->globals[index];
	if (index < m->global_import_count)
		buf_printf(out, "LINKED_GLOBAL(%s, %u)", wasm_c_type(global->type), global->import);
	else
		buf_printf(out, "STATE(instance)->g%u", index);
}

void wasm_put_table(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	if (index < m->table_import_count)
		buf_printf(out, "TABLE(LINKED_TABLE(%u)->elements)", m->tables[index].import);
	else
		buf_printf(out, "TABLE(STATE(instance)->t%u)", index);
}

void wasm_put_table_room(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	if (index < m->table_import_count)
		buf_printf(out, "LINKED_TABLE(%u)->room", m->tables[index].import);
	else
		buf_printf(out, "%uu", wasm_table_room(&m->tables[index]));
}

uint32_t wasm_table_room(const struct wasm_table *table)
{
	uint64_t minimum = table->limits.minimum;
	uint64_t growth = min_of(table->limits.maximum - minimum, (uint64_t)WASM_TABLE_GROWTH_MAX);
	return (uint32_t)(minimum + (table->grows ? growth : 0));
}

bool wasm_elements_vary(const struct wasm_module *m, uint32_t index)
{
	const struct wasm_element_segment *segment = &m->elements[index];
	return segment->varies || (m->shares_references && segment->type == TYPE_FUNCREF);
}

void wasm_put_elements(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	buf_printf(out, "%se%u", wasm_elements_vary(m, index) ? "STATE(instance)->" : "", index);
}

void wasm_put_reference(const struct wasm_module *m, uint32_t function, struct buf *out)
{
	if (m->shares_references)
		wasm_put(out, "instance->first_reference + ");
	wasm_put_number(out, function);
	wasm_put(out, "u");
}

static bool pushes(const struct wasm_constant_step *step)
{
	return step->opcode == OP_I32_CONST || step->opcode == OP_I64_CONST || step->opcode == OP_GLOBAL_GET;
}

/* The step's line on the stack c, which has this height before it. */
static void put_step(const struct wasm_module *m, const struct wasm_constant_step *step, uint32_t height,
                     struct buf *out)
{
	char sign = '*';
	if (step->opcode == OP_I32_ADD || step->opcode == OP_I64_ADD)
		sign = '+';
	if (step->opcode == OP_I32_SUB || step->opcode == OP_I64_SUB)
		sign = '-';
	if (step->opcode == OP_GLOBAL_GET) {
		buf_printf(out, "c[%u] = ", height);
		wasm_put_global(m, (uint32_t)step->operand, out);
		wasm_put(out, "; ");
	} else if (pushes(step)) {
		buf_printf(out, "c[%u] = %lluu; ", height, (unsigned long long)step->operand);
	} else {
		buf_printf(out, "c[%u] %c= c[%u]; ", height - 2, sign, height - 1);
	}
}

void wasm_begin_constant(const struct wasm_module *m, const struct wasm_constant *constant, char type,
                         struct buf *out)
{
	wasm_put(out, "\t");
	if (constant->kind != CONSTANT_STEPS)
		return;
	uint32_t height = 0, most = 0;
	for (uint32_t i = 0; i < constant->step_count; i++) {
		height += pushes(&constant->steps[i]) ? 1 : -1u;
		most = max_of(most, height);
	}
	buf_printf(out, "{ %s c[%u]; ", wasm_c_type(type), most);
	height = 0;
	for (uint32_t i = 0; i < constant->step_count; i++) {
		put_step(m, &constant->steps[i], height, out);
		height += pushes(&constant->steps[i]) ? 1 : -1u;
	}
}

void wasm_put_constant_value(const struct wasm_module *m, const struct wasm_constant *constant, char type,
                             struct buf *out)
{
	switch (constant->kind) {
	case CONSTANT_VALUE: wasm_put_constant(out, type, &constant->value); break;
	case CONSTANT_FUNCTION: wasm_put_reference(m, constant->index, out); break;
	case CONSTANT_GLOBAL: wasm_put_global(m, constant->index, out); break;
	case CONSTANT_STEPS: wasm_put(out, "c[0]"); break;
	}
}

void wasm_end_constant(const struct wasm_constant *constant, struct buf *out)
{
	wasm_put(out, constant->kind == CONSTANT_STEPS ? "; }\n" : ";\n");
}
