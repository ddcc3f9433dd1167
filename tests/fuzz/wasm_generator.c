#include "wasm_generator.h"

#include <string.h>

#include "wasm/wasm_format.h"
#include "wasm_generator_state.h"

void generator_leb(struct buf *to, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		buf_put_u8(to, (uint8_t)(value | 0x80));
	buf_put_u8(to, (uint8_t)value);
}

void generator_signed(struct buf *to, int64_t value)
{
	while (value < -64 || value > 63) {
		buf_put_u8(to, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	buf_put_u8(to, (uint8_t)(value & 0x7f));
}

uint8_t generator_type_byte(char type)
{
	switch (type) {
	case TYPE_I32: return TYPE_BYTE_I32;
	case TYPE_I64: return TYPE_BYTE_I64;
	case TYPE_F32: return TYPE_BYTE_F32;
	case TYPE_F64: return TYPE_BYTE_F64;
	case TYPE_V128: return TYPE_BYTE_V128;
	case TYPE_FUNCREF: return TYPE_BYTE_FUNCREF;
	default: return TYPE_BYTE_EXTERNREF;
	}
}

/* Instructions that bodies write in ways of their own, or not at all. */
static bool is_special(const struct generator *g, const struct wasm_op *op)
{
	switch ((enum wasm_immediate)op->immediate) {
	case IMMEDIATE_I32:
	case IMMEDIATE_I64:
	case IMMEDIATE_F32:
	case IMMEDIATE_F64:
	case IMMEDIATE_V128: return true;
	case IMMEDIATE_FENCE: return !g->options.waits;
	default: return !g->options.waits && strncmp(op->name, "memory.atomic.", 14) == 0;
	}
}

uint32_t generator_row(char type)
{
	return type ? 1 + (uint32_t)(strchr(generator_types, type) - generator_types) : 0;
}

static void fill_choices(struct generator *g)
{
	for (uint32_t i = 0; i < OP_COUNT; i++) {
		const struct wasm_op *op = &wasm_ops[i];
		if (!op->name || !op->signature || is_special(g, op))
			continue;
		uint32_t row = generator_row(strchr(op->signature, ':')[1]);
		g->choices[row][g->choice_counts[row]++] = (uint16_t)i;
	}
}

static void put_section(struct buf *to, uint8_t id, struct buf *section)
{
	buf_put_u8(to, id);
	generator_leb(to, section->size);
	buf_put(to, section->data, section->size);
	section->size = 0;
}

static void put_types(const char *types, struct buf *to)
{
	size_t count = strnlen(types, VALUES_MAX);
	generator_leb(to, count);
	for (size_t i = 0; i < count; i++)
		buf_put_u8(to, generator_type_byte(types[i]));
}

static void put_type(const struct signature *signature, struct buf *to)
{
	buf_put_u8(to, TYPE_BYTE_FUNCTION);
	put_types(signature->params, to);
	put_types(signature->results, to);
}

static void choose_types(struct generator *g, char *types)
{
	uint32_t count = generator_choose(g, VALUES_MAX + 1);
	for (uint32_t i = 0; i < count; i++)
		types[i] = generator_types[generator_choose(g, 7)];
}

/* Type n is that of function n, the last one that of the exports. */
static void put_type_section(struct generator *g, struct buf *to)
{
	static const uint8_t exported[] = {TYPE_BYTE_FUNCTION, 0, 1, TYPE_BYTE_I64};
	cleanup_buf struct buf section = {0};
	g->function_count = 1 + generator_choose(g, FUNCTIONS_MAX);
	for (uint32_t i = 0; i < g->function_count; i++) {
		choose_types(g, g->functions[i].params);
		if (i > 0 && generator_choose(g, 2))
			memcpy(g->functions[i].results, g->functions[i - 1].results, VALUES_MAX);
		else
			choose_types(g, g->functions[i].results);
	}
	generator_leb(&section, g->function_count + 1);
	for (uint32_t i = 0; i < g->function_count; i++)
		put_type(&g->functions[i], &section);
	buf_put(&section, exported, sizeof(exported));
	put_section(to, SECTION_TYPE, &section);
}

/* The exports follow the functions: one of each, of memory, of globals. */
static uint32_t export_count(const struct generator *g)
{
	return g->function_count + 2;
}

static void put_declarations(struct generator *g, struct buf *to)
{
	cleanup_buf struct buf section = {0};
	generator_leb(&section, g->function_count + export_count(g));
	for (uint32_t i = 0; i < g->function_count + export_count(g); i++)
		generator_leb(&section, min_of(i, g->function_count));
	put_section(to, SECTION_FUNCTION, &section);
	const uint8_t tables[] = {3,
	                          TYPE_BYTE_FUNCREF,
	                          0,
	                          (uint8_t)g->function_count,
	                          TYPE_BYTE_FUNCREF,
	                          1,
	                          TABLE_SIZE,
	                          2 * TABLE_SIZE,
	                          TYPE_BYTE_EXTERNREF,
	                          1,
	                          TABLE_SIZE,
	                          2 * TABLE_SIZE};
	buf_put(&section, tables, sizeof(tables));
	put_section(to, SECTION_TABLE, &section);
	g->memory64 = generator_choose(g, 4) == 3;
	const uint8_t memory[] = {1, LIMITS_MAXIMUM | (g->memory64 ? LIMITS_64 : 0), MEMORY_PAGES,
	                          MEMORY_PAGES_MAX};
	buf_put(&section, memory, sizeof(memory));
	put_section(to, SECTION_MEMORY, &section);
}

static void put_globals(struct generator *g, struct buf *to)
{
	cleanup_buf struct buf section = {0};
	g->out = &section;
	generator_leb(&section, 1 + strlen(generator_types));
	buf_put_u8(&section, TYPE_BYTE_I32);
	buf_put_u8(&section, 1);
	generator_op(g, OP_I32_CONST);
	generator_signed(&section, CALLS_MAX);
	generator_op(g, OP_END);
	for (uint32_t i = 0; generator_types[i]; i++) {
		buf_put_u8(&section, generator_type_byte(generator_types[i]));
		buf_put_u8(&section, 1);
		generator_constant(g, generator_types[i]);
		generator_op(g, OP_END);
	}
	put_section(to, SECTION_GLOBAL, &section);
}

static void put_exports(const struct generator *g, struct buf *to)
{
	cleanup_buf struct buf section = {0}, name = {0};
	generator_leb(&section, export_count(g));
	for (uint32_t i = 0; i < export_count(g); i++) {
		name.size = 0;
		if (i < g->function_count)
			buf_printf(&name, "f%u", i);
		else
			buf_printf(&name, i == g->function_count ? "memory" : "globals");
		generator_leb(&section, name.size);
		buf_put(&section, name.data, name.size);
		buf_put_u8(&section, KIND_FUNCTION);
		generator_leb(&section, g->function_count + i);
	}
	put_section(to, SECTION_EXPORT, &section);
}

/* All functions into table 0, and passive segments of some. */
static void put_elements(struct generator *g, struct buf *to)
{
	static const uint8_t active[] = {0, OP_I32_CONST, 0, OP_END};
	cleanup_buf struct buf section = {0};
	generator_leb(&section, SEGMENTS + 1);
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		buf_put_u8(&section, 1);
		buf_put_u8(&section, 0);
		generator_leb(&section, 4);
		for (uint32_t k = 0; k < 4; k++)
			generator_leb(&section, generator_choose(g, g->function_count));
	}
	buf_put(&section, active, sizeof(active));
	generator_leb(&section, g->function_count);
	for (uint32_t i = 0; i < g->function_count; i++)
		generator_leb(&section, i);
	put_section(to, SECTION_ELEMENT, &section);
	generator_leb(&section, SEGMENTS);
	put_section(to, SECTION_DATA_COUNT, &section);
}

static void put_data(struct generator *g, struct buf *to)
{
	cleanup_buf struct buf section = {0};
	generator_leb(&section, SEGMENTS);
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		buf_put_u8(&section, 1);
		generator_leb(&section, DATA_SIZE);
		for (uint32_t k = 0; k < DATA_SIZE; k++)
			buf_put_u8(&section, (uint8_t)generator_choose(g, 256));
	}
	put_section(to, SECTION_DATA, &section);
}

/* From a value on the stack to an i64. */
static void put_as_i64(struct generator *g, char type)
{
	switch (type) {
	case TYPE_I32: generator_op(g, 0xac); break;
	case TYPE_I64: break;
	case TYPE_F32:
		generator_op(g, 0xbc);
		generator_op(g, 0xac);
		break;
	case TYPE_F64: generator_op(g, 0xbd); break;
	case TYPE_V128: /* both lanes of x * 3 */
		generator_op(g, OP_V128_CONST);
		buf_put_u64(g->out, 3);
		buf_put_u64(g->out, 5);
		generator_op(g, 0x2d5);
		generator_op(g, 0x27d); /* sums of neighbours, then of all */
		generator_op(g, 0x27f);
		generator_op(g, 0x21d);
		buf_put_u8(g->out, 1);
		break;
	default: generator_op(g, OP_REF_IS_NULL); generator_op(g, 0xad);
	}
}

/* local 0 = rotl(local 0, 7) ^ what lies on the stack, of this type */
static void put_mix(struct generator *g, char type)
{
	put_as_i64(g, type);
	generator_op(g, OP_LOCAL_GET);
	generator_leb(g->out, 0);
	generator_op(g, OP_I64_CONST);
	generator_signed(g->out, 7);
	generator_op(g, 0x89);
	generator_op(g, 0x85);
	generator_op(g, OP_LOCAL_SET);
	generator_leb(g->out, 0);
}

static void put_function_export(struct generator *g, uint32_t number)
{
	const struct signature *signature = &g->functions[number];
	for (uint32_t i = 0; signature->params[i]; i++)
		generator_constant(g, signature->params[i]);
	generator_op(g, OP_CALL);
	generator_leb(g->out, number);
	for (size_t i = strlen(signature->results); i > 0; i--)
		put_mix(g, signature->results[i - 1]);
}

/* loop (mix (i64.load local 1)) (br_if (local 1 += 8) < 65536) */
static void put_memory_export(struct generator *g)
{
	static const uint8_t head[] = {OP_LOOP, TYPE_BYTE_EMPTY, OP_LOCAL_GET, 1}, load[] = {0x29, 3, 0};
	static const uint8_t tail[] = {OP_LOCAL_GET, 1,    OP_I32_CONST, 8,    0x6a,
	                               OP_LOCAL_TEE, 1,    OP_I32_CONST, 0x80, 0x80,
	                               0x04,         0x49, OP_BR_IF,     0,    OP_END};
	buf_put(g->out, head, sizeof(head));
	if (g->memory64)
		generator_op(g, 0xad);
	buf_put(g->out, load, sizeof(load));
	put_mix(g, TYPE_I64);
	buf_put(g->out, tail, sizeof(tail));
}

static void put_globals_export(struct generator *g)
{
	for (uint32_t i = 0; generator_types[i]; i++) {
		generator_op(g, OP_GLOBAL_GET);
		generator_leb(g->out, 1 + i);
		put_mix(g, generator_types[i]);
	}
}

static void put_export_body(struct generator *g, uint32_t number)
{
	static const uint8_t locals[] = {2, 1, TYPE_BYTE_I64, 1, TYPE_BYTE_I32};
	buf_put(g->out, locals, sizeof(locals));
	generator_op(g, OP_I32_CONST);
	generator_signed(g->out, CALLS_MAX);
	generator_op(g, OP_GLOBAL_SET);
	generator_leb(g->out, GLOBAL_FUEL);
	if (number < g->function_count)
		put_function_export(g, number);
	else if (number == g->function_count)
		put_memory_export(g);
	else
		put_globals_export(g);
	generator_op(g, OP_LOCAL_GET);
	generator_leb(g->out, 0);
	generator_op(g, OP_END);
}

static void put_code(struct generator *g, struct buf *to)
{
	cleanup_buf struct buf section = {0}, body = {0};
	generator_leb(&section, g->function_count + export_count(g));
	for (uint32_t i = 0; i < g->function_count + export_count(g); i++) {
		body.size = 0;
		g->function = i;
		g->out = &body;
		if (i < g->function_count)
			generator_body(g, &body);
		else
			put_export_body(g, i - g->function_count);
		generator_leb(&section, body.size);
		buf_put(&section, body.data, body.size);
	}
	put_section(to, SECTION_CODE, &section);
}

void wasm_generate(const uint8_t *bytes, size_t size, const struct wasm_generator_options *options,
                   struct buf *to)
{
	struct generator g = {.bytes = bytes, .left = size, .options = *options};
	buf_put_u32(to, WASM_MAGIC);
	buf_put_u32(to, WASM_VERSION);
	fill_choices(&g);
	put_type_section(&g, to);
	put_declarations(&g, to);
	put_globals(&g, to);
	put_exports(&g, to);
	put_elements(&g, to);
	put_code(&g, to);
	put_data(&g, to);
}
