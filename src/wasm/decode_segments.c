/* Constant expressions, element and data segments, and the names that functions have. */
#include <string.h>

#include "wasm/module.h"
#include "wasm/opcodes.h"
#include "wasm/wasm.h"

/* A constant expression, so far. */
struct constant_reader {
	struct wasm_constant *ret; /* what the last step gives */
	struct wasm_constant_step last;
	struct buf steps; /* those before the last */
	char stack[WASM_CONSTANT_DEPTH_MAX];
	uint32_t height;
	uint32_t step_count;
};

static char read_global_constant(struct wasm_decoder *d, struct wasm_constant *ret)
{
	size_t start = d->r.at;
	uint32_t index = wasm_read_index(d, d->m->global_import_count, "imported global");
	if (d->rc < 0)
		return 0;
	const struct wasm_global *global = &d->m->globals[index];
	if (global->changes)
		wasm_fail_at(d, start, CELLA_EFORMAT, "global %u may change, so it is not constant", index);
	ret->kind = CONSTANT_GLOBAL;
	ret->index = index;
	return global->type;
}

static uint32_t read_function_reference(struct wasm_decoder *d)
{
	uint32_t index = wasm_read_index(d, d->m->function_count, "function");
	if (d->rc == 0)
		d->m->functions[index].referenced = true;
	return index;
}

static char read_function_constant(struct wasm_decoder *d, struct wasm_constant *ret)
{
	ret->kind = CONSTANT_FUNCTION;
	ret->index = read_function_reference(d);
	return TYPE_FUNCREF;
}

/* One instruction but for arithmetic; the type that it leaves, 0 when it is none that may stand here. */
static char read_constant_instruction(struct wasm_decoder *d, uint8_t opcode, struct wasm_constant *ret)
{
	union cell_value *v = &ret->value;
	switch (opcode) {
	case OP_I32_CONST: v->i32 = (uint32_t)wasm_read_signed(d, 32); return TYPE_I32;
	case OP_I64_CONST: v->i64 = (uint64_t)wasm_read_signed(d, 64); return TYPE_I64;
	case OP_F32_CONST: v->i32 = (uint32_t)wasm_read_fixed(d, 4); return TYPE_F32;
	case OP_F64_CONST: v->i64 = wasm_read_fixed(d, 8); return TYPE_F64;
	case OP_REF_NULL: v->ref = CELL_NO_FUNCTION; return wasm_read_reference_type(d);
	case OP_REF_FUNC: return read_function_constant(d, ret);
	case OP_GLOBAL_GET: return read_global_constant(d, ret);
	case OP_PREFIX_FD:
		if (wasm_read_u32(d) == (OP_V128_CONST & 0xff)) {
			v->lanes[0] = wasm_read_fixed(d, 8);
			v->lanes[1] = wasm_read_fixed(d, 8);
			return TYPE_V128;
		}
		return 0;
	default: return 0;
	}
}

/* i32 and i64: add, sub, mul. The type, 0 if the opcode is another. */
static char arithmetic_type(uint8_t opcode)
{
	switch (opcode) {
	case OP_I32_ADD:
	case OP_I32_SUB:
	case OP_I32_MUL: return TYPE_I32;
	case OP_I64_ADD:
	case OP_I64_SUB:
	case OP_I64_MUL: return TYPE_I64;
	default: return 0;
	}
}

static void check_arithmetic(struct wasm_decoder *d, size_t start, struct constant_reader *c, char type)
{
	for (uint32_t i = 1; i <= 2 && d->rc == 0; i++) {
		if (c->height < 2)
			wasm_fail_at(d, start, CELLA_EFORMAT, "a constant expression misses an operand");
		else if (c->stack[c->height - i] != type)
			wasm_fail_at(d, start, CELLA_EFORMAT,
			             "an operand of a constant expression is %s; %s was expected",
			             wasm_type_name(c->stack[c->height - i]), wasm_type_name(type));
	}
	c->height -= c->height < 2 ? c->height : 2;
}

static void read_constant_step(struct wasm_decoder *d, size_t start, uint8_t opcode,
                               struct constant_reader *c)
{
	char type = arithmetic_type(opcode);
	*c->ret = (struct wasm_constant){.kind = CONSTANT_VALUE};
	if (type)
		check_arithmetic(d, start, c, type);
	else
		type = read_constant_instruction(d, opcode, c->ret);
	if (!type)
		wasm_fail_at(d, start, CELLA_EFORMAT, "opcode 0x%02x may not stand in a constant expression",
		             opcode);
	else if (c->height == WASM_CONSTANT_DEPTH_MAX)
		wasm_fail_at(d, start, CELLA_ELIMIT, "a constant expression needs more than %d operands",
		             WASM_CONSTANT_DEPTH_MAX);
	if (d->rc < 0)
		return;
	c->stack[c->height++] = type;
	if (c->step_count++ > 0)
		buf_put(&c->steps, &c->last, sizeof(c->last));
	c->last.opcode = opcode;
	c->last.operand = c->ret->kind == CONSTANT_GLOBAL ? c->ret->index : c->ret->value.i64;
}

static void keep_steps(struct wasm_decoder *d, struct constant_reader *c)
{
	buf_put(&c->steps, &c->last, sizeof(c->last));
	struct wasm_constant_step *steps = wasm_array(d, c->step_count, sizeof(*steps));
	if (c->steps.failed)
		wasm_fail(d, CELLA_ENOMEM, "no memory for a constant expression");
	else if (steps && c->steps.data)
		memcpy(steps, c->steps.data, c->steps.size);
	*c->ret = (struct wasm_constant){.kind = CONSTANT_STEPS, .steps = steps, .step_count = c->step_count};
}

void wasm_read_constant(struct wasm_decoder *d, char type, struct wasm_constant *ret)
{
	size_t first = d->r.at, start = first;
	struct constant_reader c = {.ret = ret};
	*ret = (struct wasm_constant){.kind = CONSTANT_VALUE};
	uint8_t opcode = wasm_read_u8(d);
	for (; d->rc == 0 && opcode != OP_END; opcode = wasm_read_u8(d)) {
		read_constant_step(d, start, opcode, &c);
		start = d->r.at;
	}
	if (d->rc == 0 && c.height != 1)
		wasm_fail_at(d, first, CELLA_EFORMAT, "a constant expression gives %u values instead of one",
		             c.height);
	if (d->rc == 0 && c.stack[0] != type)
		wasm_fail_at(d, first, CELLA_EFORMAT, "a constant is %s; %s was expected",
		             wasm_type_name(c.stack[0]), wasm_type_name(type));
	if (d->rc == 0 && c.step_count > 1)
		keep_steps(d, &c);
	buf_done(&c.steps);
}

enum element_flags {
	ELEMENT_PASSIVE_OR_DECLARED = 1,
	ELEMENT_TABLE_OR_DECLARED = 2,
	ELEMENT_EXPRESSIONS = 4,
};

static enum wasm_segment_mode element_mode(uint32_t flags)
{
	if (!(flags & ELEMENT_PASSIVE_OR_DECLARED))
		return SEGMENT_ACTIVE;
	return flags & ELEMENT_TABLE_OR_DECLARED ? SEGMENT_DECLARED : SEGMENT_PASSIVE;
}

static void read_element_type(struct wasm_decoder *d, uint32_t flags, struct wasm_element_segment *segment)
{
	size_t start = d->r.at;
	segment->type = TYPE_FUNCREF;
	if (!(flags & (ELEMENT_PASSIVE_OR_DECLARED | ELEMENT_TABLE_OR_DECLARED)))
		return;
	if (flags & ELEMENT_EXPRESSIONS)
		segment->type = wasm_read_reference_type(d);
	else if (wasm_read_u8(d) != 0)
		wasm_fail_at(d, start, CELLA_EFORMAT, "only functions can be elements without expressions");
}

static void read_active_place(struct wasm_decoder *d, uint32_t flags, struct wasm_element_segment *segment)
{
	size_t start = d->r.at;
	segment->table = flags & ELEMENT_TABLE_OR_DECLARED ? wasm_read_u32(d) : 0;
	if (d->rc == 0 && segment->table >= d->m->table_count)
		wasm_fail_at(d, start, CELLA_EFORMAT, "unknown table %u; there are %u", segment->table,
		             d->m->table_count);
	wasm_read_constant(d, TYPE_I32, &segment->offset);
}

static void read_elements(struct wasm_decoder *d, bool expressions, struct wasm_element_segment *segment)
{
	segment->count = wasm_read_count(d, WASM_TABLE_ELEMENTS_MAX, "elements");
	segment->elements = wasm_array(d, segment->count, sizeof(*segment->elements));
	for (uint32_t i = 0; segment->elements && i < segment->count && d->rc == 0; i++) {
		if (expressions)
			wasm_read_constant(d, segment->type, &segment->elements[i]);
		else
			read_function_constant(d, &segment->elements[i]);
		segment->varies |= segment->elements[i].kind == CONSTANT_GLOBAL;
	}
}

static void decode_element_segment(struct wasm_decoder *d, struct wasm_element_segment *segment)
{
	size_t start = d->r.at;
	uint32_t flags = wasm_read_u32(d);
	if (flags > 7) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "element segment of kind %u is not supported", flags);
		return;
	}
	segment->mode = element_mode(flags);
	if (segment->mode == SEGMENT_ACTIVE)
		read_active_place(d, flags, segment);
	read_element_type(d, flags, segment);
	if (d->rc == 0 && segment->mode == SEGMENT_ACTIVE) {
		char type = d->m->tables[segment->table].type;
		if (type != segment->type)
			wasm_fail_at(d, start, CELLA_EFORMAT, "elements of type %s for a table of %s",
			             wasm_type_name(segment->type), wasm_type_name(type));
	}
	read_elements(d, flags & ELEMENT_EXPRESSIONS, segment);
}

void wasm_decode_element_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	uint32_t count = wasm_read_count(d, WASM_SEGMENTS_MAX, "element segments");
	m->elements = wasm_array(d, count, sizeof(*m->elements));
	for (; m->elements && m->element_count < count && d->rc == 0; m->element_count++)
		decode_element_segment(d, &m->elements[m->element_count]);
}

static void decode_data_segment(struct wasm_decoder *d, struct wasm_data_segment *segment)
{
	size_t start = d->r.at;
	uint32_t flags = wasm_read_u32(d);
	if (flags > 2) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "data segment of kind %u is not supported", flags);
		return;
	}
	segment->mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
	if (segment->mode == SEGMENT_ACTIVE) {
		uint32_t memory = flags == 2 ? wasm_read_u32(d) : 0;
		if (d->rc == 0 && memory >= d->m->memory_count)
			wasm_fail_at(d, start, CELLA_EFORMAT, "unknown memory %u; there are %u", memory,
			             d->m->memory_count);
		wasm_read_constant(d, wasm_address_type(d->m), &segment->offset);
	}
	segment->size = wasm_read_u32(d);
	segment->bytes = wasm_read_bytes(d, segment->size, "a data segment");
}

void wasm_decode_data_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	uint32_t count = wasm_read_count(d, WASM_SEGMENTS_MAX, "data segments");
	m->data = wasm_array(d, count, sizeof(*m->data));
	for (; m->data && m->data_count < count && d->rc == 0; m->data_count++)
		decode_data_segment(d, &m->data[m->data_count]);
}

static void decode_function_names(struct wasm_decoder *d)
{
	uint32_t count = wasm_read_count(d, WASM_FUNCTIONS_MAX, "names");
	for (uint32_t i = 0; i < count && d->rc == 0; i++) {
		uint32_t index = wasm_read_u32(d);
		struct wasm_text name = wasm_read_name(d);
		if (d->rc == 0 && index < d->m->function_count)
			d->m->functions[index].name = name;
	}
}

void wasm_decode_names(struct wasm_decoder *outer)
{
	struct wasm_decoder d = {.r = outer->r, .m = outer->m, .function = WASM_NO_INDEX};
	while (d.rc == 0 && reader_left(&d.r) > 0) {
		uint8_t id = wasm_read_u8(&d);
		uint32_t size = wasm_read_u32(&d);
		if (size > reader_left(&d.r))
			return;
		size_t section_size = d.r.size;
		d.r.size = d.r.at + size;
		if (id == NAME_SUBSECTION_FUNCTIONS)
			decode_function_names(&d);
		d.r.at = d.r.size;
		d.r.size = section_size;
	}
}

int wasm_data_segments(const struct wasm_module *m, struct buf *ret, struct error *err)
{
	buf_put_u32(ret, m->data_count);
	for (uint32_t i = 0; i < m->data_count; i++) {
		buf_put_u64(ret, m->data[i].size);
		buf_put(ret, m->data[i].bytes, m->data[i].size);
	}
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for the data segments") : 0;
}
