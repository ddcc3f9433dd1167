/* Function bodies, one instruction a line, as the validator tells them. */
#include <string.h>

#include "wasm/translate_body.h"

enum { LEAF_STEPS_MAX = 24 }; /* instructions of a function that may be inlined */

/* An expression of opcodes.c: "$0 + $1" */
static void put_expression(struct wasm_translation *t, const struct wasm_step *step)
{
	for (const char *c = step->op->c; *c; c++) {
		if (*c != '$') {
			buf_put_u8(&t->body, (uint8_t)*c);
			continue;
		}
		uint32_t operand = (uint32_t)(*++c - '0');
		body_put_slot(t, step->base + operand, step->signature[operand]);
	}
}

static bool has_address(const struct wasm_op *op)
{
	return op->immediate == IMMEDIATE_ADDRESS || op->immediate == IMMEDIATE_ADDRESS_LANE ||
	       op->immediate == IMMEDIATE_ATOMIC;
}

static void put_immediates(struct wasm_translation *t, const struct wasm_step *step)
{
	uint8_t immediate = step->op->immediate;
	if (has_address(step->op)) {
		body_put(t, ", ");
		wasm_put_number(&t->body, step->address.offset);
		body_put(t, "u");
	}
	if (immediate == IMMEDIATE_ADDRESS_LANE || immediate == IMMEDIATE_LANE) {
		body_put(t, ", ");
		body_put_number(t, step->address.lane);
	}
	for (size_t i = 0; immediate == IMMEDIATE_SHUFFLE && i < 16; i++) {
		body_put(t, ", ");
		body_put_number(t, step->constant.v128[i]);
	}
}

/* A call of the prelude's function for an instruction. */
static void put_prelude_call(struct wasm_translation *t, const struct wasm_step *step)
{
	const char *first = "";
	bool addresses = has_address(step->op);
	if (addresses && step->op->traps)
		first = "instance, memory";
	else if (addresses)
		first = "memory";
	else if (step->op->traps)
		first = "instance";
	t->uses_memory |= addresses;
	t->may_trap |= addresses || step->op->traps;
	body_put_name(t, step->op->name);
	body_put(t, "(");
	body_put(t, first);
	for (uint32_t i = 0; step->signature[i] != ':'; i++) {
		body_put(t, i || *first ? ", " : "");
		body_put_slot(t, step->base + i, step->signature[i]);
	}
	put_immediates(t, step);
	body_put(t, ")");
}

/* Do all operands come from constants, by the step before this one? Then the C compiler computes it, too. */
static bool is_folded(const struct wasm_translation *t, const struct wasm_step *step)
{
	const struct wasm_op *op = step->op;
	bool computes = op->signature[0] != ':' && !op->traps && op->immediate == IMMEDIATE_NONE;
	return computes && t->constant_step == t->step_count - 1 && step->base >= t->constants;
}

static bool gives_floats(const struct wasm_step *step)
{
	return step->type == TYPE_F32 || step->type == TYPE_F64 ||
	       (step->type == TYPE_V128 && step->op->name[0] == 'f');
}

/* Instructions of one fixed signature, from the table alone. */
static void put_plain(struct wasm_translation *t, const struct wasm_step *step)
{
	bool folded = is_folded(t, step), exact = folded && gives_floats(step);
	if (step->type)
		body_put_assignment(t, step->base, step->type);
	else
		body_put(t, "\t");
	if (exact) {
		body_put(t, "EXACT(");
		body_put(t, wasm_c_type(step->type));
		body_put(t, ", ");
	}
	if (step->op->c)
		put_expression(t, step);
	else
		put_prelude_call(t, step);
	body_put(t, exact ? ");\n" : ";\n");
	if (folded && !exact)
		t->constant_step = t->step_count;
}

static void put_select(struct wasm_translation *t, const struct wasm_step *step)
{
	body_put_assignment(t, step->base, step->type);
	body_put_slot(t, step->base + 2, TYPE_I32);
	body_put(t, " ? ");
	body_put_slot(t, step->base, step->type);
	body_put(t, " : ");
	body_put_slot(t, step->base + 1, step->type);
	body_put(t, ";\n");
}

static void put_local(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_LOCAL_GET) {
		t->read.data[step->index] = 1;
		body_put_assignment(t, step->base, step->type);
		body_put_label(t, 'x', step->index);
	} else {
		body_put(t, "\t");
		body_put_label(t, 'x', step->index);
		body_put(t, " = ");
		body_put_slot(t, step->base, step->type);
	}
	body_put(t, ";\n");
}

static void put_global(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_GLOBAL_GET) {
		body_put_assignment(t, step->base, step->type);
		body_put_global(t, step->index);
	} else {
		body_put(t, "\t");
		body_put_global(t, step->index);
		body_put(t, " = ");
		body_put_slot(t, step->base, step->type);
	}
	body_put(t, ";\n");
}

/* Constants that some compilers fold away (x - 0, x * 1), though that leaves a signaling NaN as it is. */
static const struct exact {
	char type;
	uint64_t bits;
} exact_constants[] = {
	{TYPE_F32, 0},
	{TYPE_F32, 0x80000000u},
	{TYPE_F32, 0x3f800000u},
	{TYPE_F32, 0xbf800000u},
	{TYPE_F64, 0},
	{TYPE_F64, 1ull << 63},
	{TYPE_F64, 0x3ff0000000000000u},
	{TYPE_F64, 0xbff0000000000000u},
};

/* Its number, or how many there are. */
static uint32_t find_exact(char type, uint64_t bits)
{
	uint32_t i = 0;
	while (i < array_count(exact_constants) &&
	       (exact_constants[i].type != type || exact_constants[i].bits != bits))
		i++;
	return i;
}

static bool is_exact(char type, uint64_t bits)
{
	return find_exact(type, bits) < array_count(exact_constants);
}

/* In any lane: one lane may be all that is computed. */
static bool has_exact_lane(const union cell_value *v)
{
	for (size_t i = 0; i < array_count(v->lanes); i++)
		if (is_exact(TYPE_F64, v->lanes[i]) || is_exact(TYPE_F32, v->lanes[i] & UINT32_MAX) ||
		    is_exact(TYPE_F32, v->lanes[i] >> 32))
			return true;
	return false;
}

/* One that computations of constants may begin with. */
static void put_open_constant(struct wasm_translation *t, const struct wasm_step *step, char type)
{
	bool more = t->constant_step == t->step_count - 1;
	wasm_put_constant(&t->body, type, &step->constant);
	t->constants = more ? min_of(t->constants, step->base) : step->base;
	t->constant_step = t->step_count;
}

static void put_constant(struct wasm_translation *t, const struct wasm_step *step, char type)
{
	uint64_t bits = type == TYPE_F32 ? step->constant.i32 : step->constant.i64;
	body_put_assignment(t, step->base, type);
	if (is_exact(type, bits)) {
		t->exact |= 1u << find_exact(type, bits);
		body_put_label(t, 'k', find_exact(type, bits));
	} else if (type == TYPE_V128 && has_exact_lane(&step->constant)) {
		body_put(t, "EXACT(v128, ");
		wasm_put_constant(&t->body, type, &step->constant);
		body_put(t, ")");
	} else {
		put_open_constant(t, step, type);
	}
	body_put(t, ";\n");
}

static void put_reference(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_REF_NULL) {
		body_put_assignment(t, step->base, step->type);
		body_put(t, "CELL_NO_FUNCTION");
	} else if (step->opcode == OP_REF_FUNC) {
		body_put_assignment(t, step->base, TYPE_FUNCREF);
		wasm_put_reference(t->m, step->index, &t->body);
	} else {
		body_put_assignment(t, step->base, TYPE_I32);
		body_put_slot(t, step->base, step->type);
		body_put(t, " == CELL_NO_FUNCTION");
	}
	body_put(t, ";\n");
}

static void put_any_call(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_RETURN_CALL || step->opcode == OP_RETURN_CALL_INDIRECT)
		body_put_tail_call(t, step);
	else
		body_put_call(t, step);
}

static void put_step(struct wasm_translation *t, const struct wasm_step *step)
{
	switch ((enum wasm_immediate)step->op->immediate) {
	case IMMEDIATE_NONE:
		if (step->opcode == OP_SELECT)
			put_select(t, step);
		else if (step->opcode == OP_REF_IS_NULL)
			put_reference(t, step);
		else if (step->op->signature)
			put_plain(t, step);
		else
			body_put_control(t, step);
		break;
	case IMMEDIATE_BLOCK_TYPE:
	case IMMEDIATE_LABEL:
	case IMMEDIATE_LABELS: body_put_control(t, step); break;
	case IMMEDIATE_FUNCTION:
		if (step->opcode == OP_REF_FUNC)
			put_reference(t, step);
		else
			put_any_call(t, step);
		break;
	case IMMEDIATE_TYPE_TABLE: put_any_call(t, step); break;
	case IMMEDIATE_TAG: body_put_throw(t, step); break;
	case IMMEDIATE_TYPES: put_select(t, step); break;
	case IMMEDIATE_LOCAL: put_local(t, step); break;
	case IMMEDIATE_GLOBAL: put_global(t, step); break;
	case IMMEDIATE_TABLE:
	case IMMEDIATE_TABLE_TABLE: body_put_table_instruction(t, step); break;
	case IMMEDIATE_ELEMENT:
	case IMMEDIATE_ELEMENT_TABLE:
	case IMMEDIATE_DATA:
	case IMMEDIATE_DATA_MEMORY: body_put_segment(t, step); break;
	case IMMEDIATE_MEMORY:
	case IMMEDIATE_MEMORY_MEMORY: body_put_memory(t, step); break;
	case IMMEDIATE_REF_TYPE: put_reference(t, step); break;
	case IMMEDIATE_I32:
	case IMMEDIATE_I64:
	case IMMEDIATE_F32:
	case IMMEDIATE_F64:
	case IMMEDIATE_V128: put_constant(t, step, step->type); break;
	default: put_plain(t, step);
	}
}

static int no_memory(struct error *err)
{
	return error_set(err, CELLA_ENOMEM, "no memory to translate a function");
}

static int visit_step(void *context, const struct wasm_step *step, struct error *err)
{
	struct wasm_translation *t = context;
	t->step_count++;
	t->uses_vectors |= step->opcode >= 0x200 && step->opcode < 0x300;
	t->uses_atomics |= step->opcode >= 0x300;
	body_put_line(t, step);
	size_t from = t->body.size;
	body_put_nans(t, step);
	if (step->opcode == OP_ELSE)
		body_put_else(t, step);
	else if (step->opcode == OP_END || step->opcode == OP_DELEGATE)
		body_put_end(t, step);
	else if (step->opcode == OP_CATCH || step->opcode == OP_CATCH_ALL)
		body_put_catch(t, step);
	else if (step->live)
		put_step(t, step);
	body_join_lines(t, &t->body, from);
	if (t->body.failed || t->slots.failed || t->nans.failed || t->read.failed || t->bodies.failed)
		return no_memory(err);
	if (t->bodies.size + t->body.size > WASM_TEXT_SIZE_MAX)
		return error_set(err, CELLA_ELIMIT, "the module becomes more than %d bytes of C",
		                 WASM_TEXT_SIZE_MAX);
	return 0;
}

static int visit_begin(void *context, const struct wasm_body *body, struct error *err)
{
	struct wasm_translation *t = context;
	t->body.size = t->slots.size = t->read.size = t->nans.size = 0;
	t->uses_memory = t->uses_state = t->uses_target = t->may_trap = t->loops = false;
	t->function = body->index;
	t->exact = 0;
	t->step_count = t->constant_step = t->constants = 0;
	t->line = NULL;
	buf_reserve(&t->read, (size_t)body->local_count + 1);
	return t->read.failed ? no_memory(err) : 0;
}

static const char *zero_of(char type)
{
	switch (type) {
	case TYPE_V128: return "(v128){0}";
	case TYPE_FUNCREF:
	case TYPE_EXTERNREF: return "CELL_NO_FUNCTION";
	default: return "0";
	}
}

/* The locals beyond the parameters, which start as zero each time that the body is entered. */
static void put_locals(struct wasm_translation *t, const struct wasm_body *body)
{
	struct buf *out = &t->bodies;
	uint32_t first = body->function->type->param_count;
	for (uint32_t i = first; i < body->local_count; i++) {
		char type = body->locals[i];
		buf_printf(out, "\t%s%s x%u = %s;\n", t->read.data[i] ? "" : "volatile ", wasm_c_type(type),
		           i, zero_of(type));
		t->uses_vectors |= type == TYPE_V128;
	}
	if (t->loops)
		wasm_put(out, "again:;\n");
	for (uint32_t i = first; t->loops && i < body->local_count; i++)
		buf_printf(out, "\tx%u = %s;\n", i, zero_of(body->locals[i]));
}

/* Variables: slots that were written, constants, locals. */
static void put_declarations(struct wasm_translation *t, const struct wasm_body *body)
{
	struct buf *out = &t->bodies;
	for (uint32_t height = 0; height < t->slots.size; height++)
		for (uint32_t k = 0; body_letters[k]; k++)
			if (t->slots.data[height] & 1u << k)
				buf_printf(out, "\t%s s%u%c;\n", wasm_c_type(body_letters[k]), height,
				           body_letters[k]);
	for (uint32_t i = 0; i < array_count(exact_constants); i++)
		if (t->exact & 1u << i) {
			const union cell_value value = {.i64 = exact_constants[i].bits};
			const char *type = wasm_c_type(exact_constants[i].type);
			buf_printf(out, "\tconst %s k%u = EXACT(%s, ", type, i, type);
			wasm_put_constant(out, exact_constants[i].type, &value);
			wasm_put(out, ");\n");
		}
	put_locals(t, body);
}

/* Up to its brace. A function that makes tail calls takes its parameters out of v. */
static void put_opening(struct wasm_translation *t, const struct wasm_body *body)
{
	struct buf *out = &t->bodies;
	const struct wasm_type *type = body->function->type;
	if (body->function->tails)
		wasm_put_tail_heading(body->index, out);
	else
		wasm_put_heading(t->m, body->index, out);
	wasm_put(out, "\n{\n");
	for (uint32_t i = 0; body->function->tails && i < type->param_count; i++) {
		buf_printf(out, "\t%s x%u = ", wasm_c_type(type->params[i]), i);
		wasm_put_value(out, i, type->params[i]);
		wasm_put(out, ";\n");
	}
}

static int visit_end(void *context, const struct wasm_body *body, struct error *err)
{
	struct wasm_translation *t = context;
	struct buf *out = &t->bodies;
	const char *idiom = wasm_find_idiom(t->m, body->index);
	bool leaf = idiom || (!t->may_trap && t->step_count <= LEAF_STEPS_MAX);
	t->pieces[body->index] = (struct wasm_piece){.start = out->size, .leaf = leaf};
	body_put_first_line(t);
	size_t from = out->size;
	put_opening(t, body);
	if (idiom) {
		buf_printf(out, "\treturn %s;\n}", idiom);
		body_join_lines(t, out, from);
		wasm_put(out, "\n");
		return out->failed ? no_memory(err) : 0;
	}
	if (t->uses_memory)
		wasm_put(out, "\tu8 *const memory = instance->memory;\n");
	if (t->uses_state)
		wasm_put(out, "\tstruct state *const state = STATE(instance);\n");
	if (t->uses_target)
		wasm_put(out, "\tstruct cell_target target;\n");
	put_declarations(t, body);
	body_join_lines(t, out, from);
	buf_put(out, t->body.data, t->body.size);
	wasm_put(out, "}\n");
	if (body->function->tails)
		wasm_put_tail_entry(t->m, body->index, out);
	return out->failed ? no_memory(err) : 0;
}

const struct wasm_visitor wasm_body_visitor = {.begin = visit_begin, .step = visit_step, .end = visit_end};
