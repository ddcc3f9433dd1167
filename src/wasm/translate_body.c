/* Function bodies, one instruction a line, as the validator tells them. */
#include <string.h>

#include "wasm/translate.h"

enum { LEAF_STEPS_MAX = 24 }; /* instructions of a function that may be inlined */

static const char letters[] = "ilfdvrx";

/* The variable of an operand, to read it. */
static void put_slot(struct wasm_translation *t, uint32_t height, char type)
{
	char text[16];
	size_t at = sizeof(text);
	text[--at] = type;
	do
		text[--at] = (char)('0' + height % 10);
	while (height /= 10);
	text[--at] = 's';
	buf_put(&t->body, text + at, sizeof(text) - at);
}

/* The same, to write it: it will be declared. */
static void put_result(struct wasm_translation *t, uint32_t height, char type)
{
	if (height >= t->slots.size && !buf_reserve(&t->slots, height + 1 - t->slots.size))
		t->slots.failed = true;
	else
		t->slots.data[height] |= (uint8_t)(1u << (strchr(letters, type) - letters));
	put_slot(t, height, type);
}

static void put(struct wasm_translation *t, const char *text)
{
	wasm_put(&t->body, text);
}

static void put_number(struct wasm_translation *t, uint32_t n)
{
	wasm_put_number(&t->body, n);
}

static void put_label(struct wasm_translation *t, char kind, uint32_t id)
{
	buf_put_u8(&t->body, (uint8_t)kind);
	put_number(t, id);
}

/* "\ts3i = ", the beginning of most lines */
static void put_assignment(struct wasm_translation *t, uint32_t height, char type)
{
	put(t, "\t");
	put_result(t, height, type);
	put(t, " = ");
}

static void put_state(struct wasm_translation *t, char member, uint32_t index)
{
	t->uses_state = true;
	put(t, "state->");
	put_label(t, member, index);
}

static void put_table(struct wasm_translation *t, uint32_t index)
{
	put(t, "TABLE(");
	put_state(t, 't', index);
	put(t, ")");
}

/* An expression of opcodes.c: "$0 + $1" */
static void put_expression(struct wasm_translation *t, const struct wasm_step *step)
{
	for (const char *c = step->op->c; *c; c++) {
		if (*c != '$') {
			buf_put_u8(&t->body, (uint8_t)*c);
			continue;
		}
		uint32_t operand = (uint32_t)(*++c - '0');
		put_slot(t, step->base + operand, step->op->signature[operand]);
	}
}

/* "i32_add" of "i32.add" */
static void put_function(struct wasm_translation *t, const char *name)
{
	for (; *name; name++)
		buf_put_u8(&t->body, *name == '.' ? '_' : (uint8_t)*name);
}

static void put_immediates(struct wasm_translation *t, const struct wasm_step *step)
{
	uint8_t immediate = step->op->immediate;
	if (immediate == IMMEDIATE_ADDRESS || immediate == IMMEDIATE_ADDRESS_LANE) {
		put(t, ", ");
		put_number(t, step->address.offset);
		put(t, "u");
	}
	if (immediate == IMMEDIATE_ADDRESS_LANE || immediate == IMMEDIATE_LANE) {
		put(t, ", ");
		put_number(t, step->address.lane);
	}
	for (size_t i = 0; immediate == IMMEDIATE_SHUFFLE && i < 16; i++) {
		put(t, ", ");
		put_number(t, step->constant.v128[i]);
	}
}

/* A call of the prelude's function for an instruction. */
static void put_prelude_call(struct wasm_translation *t, const struct wasm_step *step)
{
	const char *first = "";
	bool addresses = step->op->immediate == IMMEDIATE_ADDRESS || step->op->immediate == IMMEDIATE_ADDRESS_LANE;
	if (addresses)
		first = "memory";
	else if (step->op->traps)
		first = "instance";
	t->uses_memory |= addresses;
	t->may_trap |= addresses || step->op->traps;
	put_function(t, step->op->name);
	put(t, "(");
	put(t, first);
	for (uint32_t i = 0; step->op->signature[i] != ':'; i++) {
		put(t, i || *first ? ", " : "");
		put_slot(t, step->base + i, step->op->signature[i]);
	}
	put_immediates(t, step);
	put(t, ")");
}

/* Instructions of one fixed signature, from the table alone. */
static void put_plain(struct wasm_translation *t, const struct wasm_step *step)
{
	const char *result = strchr(step->op->signature, ':') + 1;
	if (*result)
		put_assignment(t, step->base, *result);
	else
		put(t, "\t");
	if (step->op->c)
		put_expression(t, step);
	else
		put_prelude_call(t, step);
	put(t, ";\n");
}

static void put_return(struct wasm_translation *t, const struct wasm_type *type, uint32_t base)
{
	put(t, "return");
	if (type->result_count == 1) {
		put(t, " ");
		put_slot(t, base, type->results[0]);
	} else if (type->result_count > 1) {
		put(t, " (struct result");
		put_number(t, type->canonical);
		put(t, "){");
		for (uint32_t i = 0; i < type->result_count; i++) {
			put(t, i ? ", " : "");
			put_slot(t, base + i, type->results[i]);
		}
		put(t, "}");
	}
	put(t, ";");
}

/* What is taken from the stack unused is computed all the same: it may hold a load that traps. */
static void put_keep(struct wasm_translation *t, uint32_t height, char type)
{
	put(t, type == TYPE_F32 || type == TYPE_F64 || type == TYPE_V128 ? "KEEP_VECTOR(" : "KEEP(");
	put_slot(t, height, type);
	put(t, "); ");
}

/* What a branch leaves behind: operands between those that its target has and those that it takes along. */
static void put_left_behind(struct wasm_translation *t, const struct wasm_step *step, const struct wasm_frame *frame)
{
	for (uint32_t height = frame->height; height < step->base; height++)
		put_keep(t, height, step->operands[height]);
}

/* Moves what a branch carries down to where its target wants it. Upwards, so that nothing is lost. */
static void put_moves(struct wasm_translation *t, uint32_t base, const struct wasm_frame *frame)
{
	const char *types = wasm_label_types(frame);
	for (uint32_t i = 0; base != frame->height && i < wasm_label_arity(frame); i++) {
		put_result(t, frame->height + i, types[i]);
		put(t, " = ");
		put_slot(t, base + i, types[i]);
		put(t, "; ");
	}
}

static void put_branch(struct wasm_translation *t, const struct wasm_step *step, const struct wasm_frame *frame)
{
	put_left_behind(t, step, frame);
	if (frame->id == 0) {
		put_return(t, frame->type, step->base);
		return;
	}
	put_moves(t, step->base, frame);
	put(t, "goto ");
	put_label(t, 'L', frame->id);
	put(t, ";");
}

static void put_br_if(struct wasm_translation *t, const struct wasm_step *step)
{
	put(t, "\tif (");
	put_slot(t, step->base + wasm_label_arity(step->frame), TYPE_I32);
	put(t, ") { ");
	put_branch(t, step, step->frame);
	put(t, " }\n");
}

static void put_br_table(struct wasm_translation *t, const struct wasm_step *step)
{
	put(t, "\tswitch (");
	put_slot(t, step->base + wasm_label_arity(step->frame), TYPE_I32);
	put(t, ") {\n");
	for (uint32_t i = 0; i + 1 < step->target_count; i++) {
		put(t, "\tcase ");
		put_number(t, i);
		put(t, ": ");
		if (step->targets[i] != step->targets[i + 1])
			put_branch(t, step, step->targets[i]);
		put(t, "\n");
	}
	put(t, "\tdefault: ");
	put_branch(t, step, step->targets[step->target_count - 1]);
	put(t, "\n\t}\n");
}

static void put_label_line(struct wasm_translation *t, char kind, uint32_t id)
{
	put_label(t, kind, id);
	put(t, ":;\n");
}

static void put_if(struct wasm_translation *t, const struct wasm_step *step)
{
	put(t, "\tif (!");
	put_slot(t, step->base + step->frame->type->param_count, TYPE_I32);
	put(t, ") goto ");
	put_label(t, 'E', step->frame->id);
	put(t, ";\n");
}

static void put_else(struct wasm_translation *t, const struct wasm_step *step)
{
	if (!step->frame->entered)
		return;
	if (step->fell) {
		put(t, "\tgoto ");
		put_label(t, 'L', step->frame->id);
		put(t, ";\n");
	}
	put_label_line(t, 'E', step->frame->id);
}

static void put_end(struct wasm_translation *t, const struct wasm_step *step)
{
	const struct wasm_frame *frame = step->frame;
	if (frame->id == 0) {
		if (!step->fell)
			return;
		put(t, "\t");
		put_return(t, frame->type, step->base);
		put(t, "\n");
		return;
	}
	if (frame->entered && frame->opcode == OP_IF)
		put_label_line(t, 'E', frame->id);
	if (frame->targeted && frame->opcode != OP_LOOP)
		put_label_line(t, 'L', frame->id);
}

static void put_arguments(struct wasm_translation *t, const struct wasm_step *step)
{
	put(t, "(instance");
	for (uint32_t i = 0; i < step->callee->param_count; i++) {
		put(t, ", ");
		put_slot(t, step->base + i, step->callee->params[i]);
	}
	put(t, ")");
}

static void put_callee(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_CALL) {
		put_label(t, 'F', step->index);
		return;
	}
	put(t, "((type");
	put_number(t, step->callee->canonical);
	put(t, " *)callee(instance, ");
	put_table(t, step->other);
	put(t, ", ");
	put_slot(t, step->base + step->callee->param_count, TYPE_I32);
	put(t, ", functions, FUNCTION_COUNT, ");
	put_number(t, step->callee->canonical);
	put(t, "))");
}

static void put_call(struct wasm_translation *t, const struct wasm_step *step)
{
	const struct wasm_type *type = step->callee;
	t->may_trap = true;
	if (type->result_count == 1)
		put_assignment(t, step->base, type->results[0]);
	else if (type->result_count == 0)
		put(t, "\t");
	else {
		put(t, "\t{ struct result");
		put_number(t, type->canonical);
		put(t, " r = ");
	}
	put_callee(t, step);
	put_arguments(t, step);
	put(t, ";");
	for (uint32_t i = 0; type->result_count > 1 && i < type->result_count; i++) {
		put(t, " ");
		put_result(t, step->base + i, type->results[i]);
		put(t, " = r.");
		put_label(t, 'r', i);
		put(t, ";");
	}
	put(t, type->result_count > 1 ? " }\n" : "\n");
}

static void put_select(struct wasm_translation *t, const struct wasm_step *step)
{
	put_assignment(t, step->base, step->type);
	put_slot(t, step->base + 2, TYPE_I32);
	put(t, " ? ");
	put_slot(t, step->base, step->type);
	put(t, " : ");
	put_slot(t, step->base + 1, step->type);
	put(t, ";\n");
}

static void put_local(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_LOCAL_GET) {
		t->read.data[step->index] = 1;
		put_assignment(t, step->base, step->type);
		put_label(t, 'x', step->index);
	} else {
		put(t, "\t");
		put_label(t, 'x', step->index);
		put(t, " = ");
		put_slot(t, step->base, step->type);
	}
	put(t, ";\n");
}

static void put_global(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_GLOBAL_GET) {
		put_assignment(t, step->base, step->type);
		put_state(t, 'g', step->index);
	} else {
		put(t, "\t");
		put_state(t, 'g', step->index);
		put(t, " = ");
		put_slot(t, step->base, step->type);
	}
	put(t, ";\n");
}

/* Constants that some compilers fold away (x - 0, x * 1), though that leaves a signaling NaN as it is. */
static const struct exact {
	char type;
	uint64_t bits;
} exact_constants[] = {
	{TYPE_F32, 0},          {TYPE_F32, 0x80000000u}, {TYPE_F32, 0x3f800000u},         {TYPE_F32, 0xbf800000u},
	{TYPE_F64, 0},          {TYPE_F64, 1ull << 63},  {TYPE_F64, 0x3ff0000000000000u}, {TYPE_F64, 0xbff0000000000000u},
};

static bool put_exact(struct wasm_translation *t, const struct wasm_step *step, char type)
{
	uint64_t bits = type == TYPE_F32 ? step->constant.i32 : step->constant.i64;
	for (uint32_t i = 0; i < array_count(exact_constants); i++) {
		if (exact_constants[i].type != type || exact_constants[i].bits != bits)
			continue;
		t->exact |= 1u << i;
		put_label(t, 'k', i);
		return true;
	}
	return false;
}

static void put_constant(struct wasm_translation *t, const struct wasm_step *step, char type)
{
	put_assignment(t, step->base, type);
	if (!put_exact(t, step, type))
		wasm_put_constant(&t->body, type, &step->constant);
	put(t, ";\n");
}

static void put_reference(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_REF_NULL) {
		put_assignment(t, step->base, step->type);
		put(t, "CELL_NO_FUNCTION");
	} else if (step->opcode == OP_REF_FUNC) {
		put_assignment(t, step->base, TYPE_FUNCREF);
		put_number(t, step->index);
		put(t, "u");
	} else {
		put_assignment(t, step->base, TYPE_I32);
		put_slot(t, step->base, step->type);
		put(t, " == CELL_NO_FUNCTION");
	}
	put(t, ";\n");
}

/* ", s3i, s4i, s5i);": operands base … base + 2, the second one of type `middle` */
static void put_three(struct wasm_translation *t, const struct wasm_step *step, char middle)
{
	for (uint32_t i = 0; i < 3; i++) {
		put(t, ", ");
		put_slot(t, step->base + i, i == 1 ? middle : TYPE_I32);
	}
	put(t, ");\n");
}

static void put_segment(struct wasm_translation *t, const struct wasm_step *step)
{
	bool data = step->opcode == OP_DATA_DROP || step->opcode == OP_MEMORY_INIT;
	const char *flags = data ? "state->data_dropped[" : "state->elements_dropped[";
	t->uses_state = true;
	put(t, "\t");
	if (step->opcode == OP_MEMORY_INIT) {
		put(t, "memory_init(instance, ");
		put_number(t, step->index);
		put(t, ", ");
	} else if (step->opcode == OP_TABLE_INIT) {
		put(t, "table_init(instance, ");
		put_table(t, step->other);
		put(t, ", ");
		put_label(t, 'e', step->index);
		put(t, ", ");
	}
	put(t, flags);
	put_number(t, step->index);
	if (step->opcode == OP_DATA_DROP || step->opcode == OP_ELEM_DROP) {
		put(t, "] = 1;\n");
		return;
	}
	put(t, "]");
	if (step->opcode == OP_TABLE_INIT) {
		put(t, " ? 0 : ");
		put_number(t, t->m->elements[step->index].count);
	}
	put_three(t, step, TYPE_I32);
}

static void put_memory(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_MEMORY_SIZE || step->opcode == OP_MEMORY_GROW) {
		put_assignment(t, step->base, TYPE_I32);
		put_function(t, step->op->name);
		put(t, "(instance");
		if (step->opcode == OP_MEMORY_GROW) {
			put(t, ", ");
			put_slot(t, step->base, TYPE_I32);
		}
		put(t, ");\n");
		return;
	}
	put(t, "\t");
	put_function(t, step->op->name);
	put(t, "(instance");
	put_three(t, step, TYPE_I32);
}

uint32_t wasm_table_room(const struct wasm_table *table)
{
	uint32_t minimum = table->limits.minimum;
	uint32_t growth = table->grows ? min_of(table->limits.maximum - minimum, (uint32_t)WASM_TABLE_GROWTH_MAX) : 0;
	return minimum + growth;
}

static void put_table_access(struct wasm_translation *t, const struct wasm_step *step)
{
	if (step->opcode == OP_TABLE_GET)
		put_assignment(t, step->base, step->type);
	else
		put(t, "\t");
	put_function(t, step->op->name);
	put(t, "(instance, ");
	put_table(t, step->index);
	put(t, ", ");
	put_slot(t, step->base, TYPE_I32);
	if (step->opcode == OP_TABLE_SET) {
		put(t, ", ");
		put_slot(t, step->base + 1, step->type);
	}
	put(t, ");\n");
}

static void put_table_instruction(struct wasm_translation *t, const struct wasm_step *step)
{
	switch (step->opcode) {
	case OP_TABLE_SIZE:
		put_assignment(t, step->base, TYPE_I32);
		put_table(t, step->index);
		put(t, "->size;\n");
		break;
	case OP_TABLE_GROW:
		put_assignment(t, step->base, TYPE_I32);
		put(t, "table_grow(");
		put_table(t, step->index);
		put(t, ", ");
		put_number(t, wasm_table_room(&t->m->tables[step->index]));
		put(t, "u, ");
		put_slot(t, step->base, step->type);
		put(t, ", ");
		put_slot(t, step->base + 1, TYPE_I32);
		put(t, ");\n");
		break;
	case OP_TABLE_FILL:
		put(t, "\ttable_fill(instance, ");
		put_table(t, step->index);
		put_three(t, step, step->type);
		break;
	case OP_TABLE_COPY:
		put(t, "\ttable_copy(instance, ");
		put_table(t, step->index);
		put(t, ", ");
		put_table(t, step->other);
		put_three(t, step, TYPE_I32);
		break;
	default:
		put_table_access(t, step);
	}
}

static void put_control(struct wasm_translation *t, const struct wasm_step *step)
{
	switch (step->opcode) {
	case OP_UNREACHABLE:
		put(t, "\ttrap(instance, CELL_TRAP_UNREACHABLE);\n");
		break;
	case OP_LOOP:
		put_label_line(t, 'L', step->frame->id);
		break;
	case OP_IF:
		put_if(t, step);
		break;
	case OP_BR:
	case OP_RETURN:
		put(t, "\t");
		put_branch(t, step, step->frame);
		put(t, "\n");
		break;
	case OP_BR_IF:
		put_br_if(t, step);
		break;
	case OP_BR_TABLE:
		put_br_table(t, step);
		break;
	case OP_DROP:
		put(t, "\t");
		put_keep(t, step->base, step->type);
		put(t, "\n");
		break;
	default:
		break;
	}
}

static void put_step(struct wasm_translation *t, const struct wasm_step *step)
{
	t->may_trap |= step->op->signature == NULL && step->opcode != OP_SELECT && step->opcode != OP_DROP &&
	               step->op->immediate != IMMEDIATE_LOCAL && step->op->immediate != IMMEDIATE_GLOBAL;
	switch ((enum wasm_immediate)step->op->immediate) {
	case IMMEDIATE_NONE:
		if (step->opcode == OP_SELECT)
			put_select(t, step);
		else if (step->opcode == OP_REF_IS_NULL)
			put_reference(t, step);
		else if (step->op->signature)
			put_plain(t, step);
		else
			put_control(t, step);
		break;
	case IMMEDIATE_BLOCK_TYPE:
	case IMMEDIATE_LABEL:
	case IMMEDIATE_LABELS:
		put_control(t, step);
		break;
	case IMMEDIATE_FUNCTION:
		if (step->opcode == OP_REF_FUNC)
			put_reference(t, step);
		else
			put_call(t, step);
		break;
	case IMMEDIATE_TYPE_TABLE:
		put_call(t, step);
		break;
	case IMMEDIATE_TYPES:
		put_select(t, step);
		break;
	case IMMEDIATE_LOCAL:
		put_local(t, step);
		break;
	case IMMEDIATE_GLOBAL:
		put_global(t, step);
		break;
	case IMMEDIATE_TABLE:
	case IMMEDIATE_TABLE_TABLE:
		put_table_instruction(t, step);
		break;
	case IMMEDIATE_ELEMENT:
	case IMMEDIATE_ELEMENT_TABLE:
	case IMMEDIATE_DATA:
	case IMMEDIATE_DATA_MEMORY:
		put_segment(t, step);
		break;
	case IMMEDIATE_MEMORY:
	case IMMEDIATE_MEMORY_MEMORY:
		put_memory(t, step);
		break;
	case IMMEDIATE_REF_TYPE:
		put_reference(t, step);
		break;
	case IMMEDIATE_I32:
	case IMMEDIATE_I64:
	case IMMEDIATE_F32:
	case IMMEDIATE_F64:
	case IMMEDIATE_V128:
		put_constant(t, step, step->op->signature[1]);
		break;
	default:
		put_plain(t, step);
	}
}

static int visit_step(void *context, const struct wasm_step *step, struct error *err)
{
	struct wasm_translation *t = context;
	t->step_count++;
	t->uses_vectors |= step->opcode >= 0x200;
	if (step->opcode == OP_ELSE)
		put_else(t, step);
	else if (step->opcode == OP_END)
		put_end(t, step);
	else if (step->live)
		put_step(t, step);
	if (t->body.failed || t->slots.failed || t->read.failed || t->bodies.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to translate a function");
	if (t->bodies.size + t->body.size > WASM_TEXT_SIZE_MAX)
		return error_set(err, CELLA_ELIMIT, "the module becomes more than %d bytes of C", WASM_TEXT_SIZE_MAX);
	return 0;
}

static int visit_begin(void *context, const struct wasm_body *body, struct error *err)
{
	struct wasm_translation *t = context;
	t->body.size = t->slots.size = t->read.size = 0;
	t->uses_memory = t->uses_state = t->may_trap = false;
	t->exact = 0;
	t->step_count = 0;
	buf_reserve(&t->read, (size_t)body->local_count + 1);
	return t->read.failed ? error_set(err, CELLA_ENOMEM, "no memory to translate a function") : 0;
}

/* The slots that were written, and the locals beyond the parameters, which start as zero. */
static void put_declarations(struct wasm_translation *t, const struct wasm_body *body)
{
	struct buf *out = &t->bodies;
	for (uint32_t i = body->function->type->param_count; i < body->local_count; i++) {
		char type = body->locals[i];
		const char *zero = type == TYPE_V128 ? "{0}" :
		                   type == TYPE_FUNCREF || type == TYPE_EXTERNREF ? "CELL_NO_FUNCTION" :
		                                                                      "0";
		buf_printf(out, "\t%s%s x%u = %s;\n", t->read.data[i] ? "" : "volatile ", wasm_c_type(type), i, zero);
		t->uses_vectors |= type == TYPE_V128;
	}
	for (uint32_t height = 0; height < t->slots.size; height++)
		for (uint32_t k = 0; letters[k]; k++)
			if (t->slots.data[height] & 1u << k)
				buf_printf(out, "\t%s s%u%c;\n", wasm_c_type(letters[k]), height, letters[k]);
	for (uint32_t i = 0; i < array_count(exact_constants); i++)
		if (t->exact & 1u << i) {
			const union cell_value value = {.i64 = exact_constants[i].bits};
			const char *type = wasm_c_type(exact_constants[i].type);
			buf_printf(out, "\tconst %s k%u = EXACT(%s, ", type, i, type);
			wasm_put_constant(out, exact_constants[i].type, &value);
			wasm_put(out, ");\n");
		}
}

static int visit_end(void *context, const struct wasm_body *body, struct error *err)
{
	struct wasm_translation *t = context;
	struct buf *out = &t->bodies;
	(void)err;
	bool leaf = !t->may_trap && t->step_count <= LEAF_STEPS_MAX;
	wasm_put(out, "\n/* ");
	wasm_put_function_name(t->m, body->index, out);
	wasm_put(out, leaf ? " */\nLEAF " : " */\nFUNCTION ");
	wasm_put_heading(t->m, body->index, out);
	wasm_put(out, "\n{\n");
	if (t->uses_memory)
		wasm_put(out, "\tu8 *const memory = instance->memory;\n");
	if (t->uses_state)
		wasm_put(out, "\tstruct state *const state = STATE(instance);\n");
	put_declarations(t, body);
	buf_put(out, t->body.data, t->body.size);
	wasm_put(out, "}\n");
	return 0;
}

const struct wasm_visitor wasm_body_visitor = {.begin = visit_begin, .step = visit_step, .end = visit_end};
