/* What follows an opcode (core specification 5.4), with the checks that need no operand types. */
#include <stdlib.h>

#include "wasm/validator.h"

void wasm_read_opcode(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_decoder *d = &v->d;
	step->offset = d->r.at;
	uint32_t prefix = wasm_read_u8(d);
	uint32_t opcode = prefix;
	bool has_prefix = prefix >= 0xfb && prefix <= 0xfe;
	if (has_prefix)
		opcode = wasm_read_u32(d);
	uint32_t page = prefix == OP_PREFIX_FC   ? 0x100
	                : prefix == OP_PREFIX_FD ? 0x200
	                : prefix == OP_PREFIX_FE ? 0x300
	                                         : 0;
	bool known = opcode < 0x100 && (!has_prefix || page) && wasm_ops[page + opcode].name;
	if (d->rc < 0)
		return;
	if (known) {
		step->opcode = page + opcode;
		step->op = &wasm_ops[step->opcode];
		return;
	}
	const char *proposal = wasm_op_proposal(has_prefix ? prefix : 0, opcode);
	if (has_prefix)
		wasm_fail_at(d, step->offset, CELLA_EFORMAT, "opcode 0x%02x 0x%02x is not supported%s%s%s",
		             prefix, opcode, proposal ? " (" : "", proposal ? proposal : "",
		             proposal ? ")" : "");
	else
		wasm_fail_at(d, step->offset, CELLA_EFORMAT, "opcode 0x%02x is not supported%s%s%s", opcode,
		             proposal ? " (" : "", proposal ? proposal : "", proposal ? ")" : "");
}

/* A block type that is one value type: its result. */
static const struct wasm_type *short_block_type(uint8_t byte)
{
#define SHORT(byte, text) \
	{byte, {.signature = text, .params = text, .results = &text[1], .result_count = sizeof(text) - 2}}
	static const struct {
		uint8_t byte;
		struct wasm_type type;
	} shorts[] = {
		SHORT(TYPE_BYTE_EMPTY, ":"),    SHORT(TYPE_BYTE_I32, ":i"),       SHORT(TYPE_BYTE_I64, ":l"),
		SHORT(TYPE_BYTE_F32, ":f"),     SHORT(TYPE_BYTE_F64, ":d"),       SHORT(TYPE_BYTE_V128, ":v"),
		SHORT(TYPE_BYTE_FUNCREF, ":r"), SHORT(TYPE_BYTE_EXTERNREF, ":x"),
	};
#undef SHORT
	for (size_t i = 0; i < array_count(shorts); i++)
		if (shorts[i].byte == byte)
			return &shorts[i].type;
	return NULL;
}

static void read_block_type(struct wasm_validator *v)
{
	struct wasm_decoder *d = &v->d;
	size_t start = d->r.at;
	uint8_t byte = reader_left(&d->r) ? d->r.data[d->r.at] : 0;
	v->block_type = short_block_type(byte);
	if (v->block_type) {
		wasm_read_u8(d);
		return;
	}
	int64_t index = wasm_read_signed(d, 33);
	if (d->rc == 0 && index < 0)
		wasm_fail_at(d, start, CELLA_EFORMAT, "0x%02x is no block type", byte);
	else if (d->rc == 0 && index >= d->m->type_count)
		wasm_fail_at(d, start, CELLA_EFORMAT, "unknown type %lld; there are %u", (long long)index,
		             d->m->type_count);
	else if (d->rc == 0)
		v->block_type = &d->m->types[index];
}

/* Room for one more label; the targets that go with them are filled by the validator. */
static bool label_room(struct wasm_validator *v)
{
	if (v->label_count < v->label_capacity)
		return true;
	uint32_t capacity = max_of(64u, v->label_capacity * 2);
	uint32_t *labels = realloc(v->labels, capacity * sizeof(*labels));
	if (labels)
		v->labels = labels;
	const struct wasm_frame **targets = realloc(v->targets, capacity * sizeof(*targets));
	if (targets)
		v->targets = targets;
	if (!labels || !targets) {
		wasm_fail(&v->d, CELLA_ENOMEM, "no memory for %u labels", capacity);
		return false;
	}
	v->label_capacity = capacity;
	return true;
}

static void read_labels(struct wasm_validator *v, uint32_t count)
{
	v->label_count = 0;
	for (uint32_t i = 0; i < count && v->d.rc == 0 && label_room(v); i++)
		v->labels[v->label_count++] = wasm_read_index(&v->d, v->depth, "label");
}

static void check_memory(struct wasm_validator *v, size_t offset)
{
	if (v->d.rc == 0 && v->d.m->memory_count == 0)
		wasm_fail_at(&v->d, offset, CELLA_EFORMAT, "unknown memory 0; there are 0");
}

static void read_memory(struct wasm_validator *v)
{
	size_t start = v->d.r.at;
	if (wasm_read_u8(&v->d) != 0)
		wasm_fail_at(&v->d, start, CELLA_EFORMAT,
		             "a memory other than 0 is not supported (multiple memories)");
	check_memory(v, start);
}

static void read_address(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_decoder *d = &v->d;
	size_t start = d->r.at;
	uint32_t align = wasm_read_u32(d);
	if (d->rc == 0 && align > step->op->align)
		wasm_fail_at(d, start, CELLA_EFORMAT, "%s: alignment 2^%u is above the natural 2^%u",
		             step->op->name, align, step->op->align);
	if (d->rc == 0 && step->op->immediate == IMMEDIATE_ATOMIC && align != step->op->align)
		wasm_fail_at(d, start, CELLA_EFORMAT, "%s: alignment 2^%u is not the natural 2^%u",
		             step->op->name, align, step->op->align);
	step->address.offset = d->m->memory64 ? wasm_read_u64(d) : wasm_read_u32(d);
	check_memory(v, start);
}

static void read_fence(struct wasm_validator *v)
{
	size_t start = v->d.r.at;
	if (wasm_read_u8(&v->d) != 0)
		wasm_fail_at(&v->d, start, CELLA_EFORMAT, "atomic.fence: a zero byte was expected");
}

static void read_lane(struct wasm_validator *v, struct wasm_step *step)
{
	size_t start = v->d.r.at;
	step->address.lane = wasm_read_u8(&v->d);
	if (v->d.rc == 0 && step->address.lane >= step->op->lanes)
		wasm_fail_at(&v->d, start, CELLA_EFORMAT, "%s: lane %u of %u", step->op->name,
		             step->address.lane, step->op->lanes);
}

static void read_v128(struct wasm_validator *v, struct wasm_step *step)
{
	step->constant.lanes[0] = wasm_read_fixed(&v->d, 8);
	step->constant.lanes[1] = wasm_read_fixed(&v->d, 8);
}

static void read_shuffle(struct wasm_validator *v, struct wasm_step *step)
{
	size_t start = v->d.r.at;
	for (size_t i = 0; i < 16; i++) {
		step->constant.v128[i] = wasm_read_u8(&v->d);
		if (step->constant.v128[i] >= 32)
			wasm_fail_at(&v->d, start + i, CELLA_EFORMAT, "%s: lane %u of 32", step->op->name,
			             step->constant.v128[i]);
	}
}

static void read_selected_type(struct wasm_validator *v)
{
	size_t start = v->d.r.at;
	if (wasm_read_u32(&v->d) != 1)
		wasm_fail_at(&v->d, start, CELLA_EFORMAT, "select: exactly one type is supported");
	v->selected = wasm_read_value_type(&v->d);
}

static uint32_t read_data_segment(struct wasm_validator *v)
{
	struct wasm_decoder *d = &v->d;
	if (d->m->declared_data_count == WASM_NO_INDEX) {
		wasm_fail(d, CELLA_EFORMAT, "data segments are used, but there is no data count section");
		return 0;
	}
	return wasm_read_index(d, d->m->data_count, "data segment");
}

static void read_indices(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_decoder *d = &v->d;
	const struct wasm_module *m = d->m;
	switch ((enum wasm_immediate)step->op->immediate) {
	case IMMEDIATE_FUNCTION: step->index = wasm_read_index(d, m->function_count, "function"); break;
	case IMMEDIATE_TAG: step->index = wasm_read_index(d, m->tag_count, "tag"); break;
	case IMMEDIATE_TYPE_TABLE:
		step->index = wasm_read_index(d, m->type_count, "type");
		step->other = wasm_read_index(d, m->table_count, "table");
		break;
	case IMMEDIATE_LOCAL: step->index = wasm_read_index(d, v->body.local_count, "local"); break;
	case IMMEDIATE_GLOBAL: step->index = wasm_read_index(d, m->global_count, "global"); break;
	case IMMEDIATE_TABLE: step->index = wasm_read_index(d, m->table_count, "table"); break;
	case IMMEDIATE_TABLE_TABLE:
		step->index = wasm_read_index(d, m->table_count, "table");
		step->other = wasm_read_index(d, m->table_count, "table");
		break;
	case IMMEDIATE_ELEMENT: step->index = wasm_read_index(d, m->element_count, "element segment"); break;
	case IMMEDIATE_ELEMENT_TABLE:
		step->index = wasm_read_index(d, m->element_count, "element segment");
		step->other = wasm_read_index(d, m->table_count, "table");
		break;
	default: break;
	}
}

void wasm_read_immediates(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_decoder *d = &v->d;
	switch ((enum wasm_immediate)step->op->immediate) {
	case IMMEDIATE_NONE: break;
	case IMMEDIATE_BLOCK_TYPE: read_block_type(v); break;
	case IMMEDIATE_LABEL: read_labels(v, 1); break;
	case IMMEDIATE_LABELS: read_labels(v, wasm_read_count(d, WASM_LABELS_MAX, "labels") + 1); break;
	case IMMEDIATE_MEMORY: read_memory(v); break;
	case IMMEDIATE_MEMORY_MEMORY:
		read_memory(v);
		read_memory(v);
		break;
	case IMMEDIATE_DATA: step->index = read_data_segment(v); break;
	case IMMEDIATE_DATA_MEMORY:
		step->index = read_data_segment(v);
		read_memory(v);
		break;
	case IMMEDIATE_REF_TYPE: step->type = wasm_read_reference_type(d); break;
	case IMMEDIATE_TYPES: read_selected_type(v); break;
	case IMMEDIATE_I32: step->constant.i32 = (uint32_t)wasm_read_signed(d, 32); break;
	case IMMEDIATE_I64: step->constant.i64 = (uint64_t)wasm_read_signed(d, 64); break;
	case IMMEDIATE_F32: step->constant.i32 = (uint32_t)wasm_read_fixed(&v->d, 4); break;
	case IMMEDIATE_F64: step->constant.i64 = wasm_read_fixed(&v->d, 8); break;
	case IMMEDIATE_V128: read_v128(v, step); break;
	case IMMEDIATE_LANE: read_lane(v, step); break;
	case IMMEDIATE_SHUFFLE: read_shuffle(v, step); break;
	case IMMEDIATE_ATOMIC:
	case IMMEDIATE_ADDRESS: read_address(v, step); break;
	case IMMEDIATE_FENCE: read_fence(v); break;
	case IMMEDIATE_ADDRESS_LANE:
		read_address(v, step);
		read_lane(v, step);
		break;
	default: read_indices(v, step);
	}
}
