/* Function bodies: expressions of a wanted type, statements, and control around them. */
#include <string.h>

#include "wasm/wasm_format.h"
#include "wasm_generator_state.h"

const char generator_types[] = "ilfdvrx";

static void expression(struct generator *g, char type, uint32_t depth);
static void statements(struct generator *g, uint32_t depth);

uint32_t generator_choose(struct generator *g, uint32_t count)
{
	if (g->left == 0)
		return 0;
	g->left--;
	return *g->bytes++ % count;
}

void generator_op(struct generator *g, uint32_t opcode)
{
	static const uint8_t prefixes[] = {0, OP_PREFIX_FC, OP_PREFIX_FD, OP_PREFIX_FE};
	if (opcode >= 0x100)
		buf_put_u8(g->out, prefixes[opcode >> 8]);
	if (opcode >= 0x100)
		generator_leb(g->out, opcode & 0xff);
	else
		buf_put_u8(g->out, (uint8_t)opcode);
}

static void indexed(struct generator *g, uint32_t opcode, uint32_t index)
{
	generator_op(g, opcode);
	generator_leb(g->out, index);
}

static void i32_constant(struct generator *g, int32_t value)
{
	generator_op(g, OP_I32_CONST);
	generator_signed(g->out, value);
}

static uint64_t bits(struct generator *g)
{
	static const uint64_t telling[] = {0,
	                                   1,
	                                   UINT64_MAX,
	                                   INT64_MAX,
	                                   1ull << 63,
	                                   0x7fffffff,
	                                   0x80000000,
	                                   0x3ff0000000000000,
	                                   0x7ff0000000000000,
	                                   0xfff0000000000000,
	                                   0x3f8000003f800000,
	                                   0x7f8000007f800000,
	                                   0x8000000080000000,
	                                   0x41dfffffffc00000,
	                                   0x4f000000cf000000};
	uint64_t value = 0;
	if (generator_choose(g, 2))
		return telling[generator_choose(g, array_count(telling))];
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | generator_choose(g, 256);
	return value;
}

void generator_constant(struct generator *g, char type)
{
	uint64_t value = strchr("rx", type) ? 0 : bits(g);
	switch (type) {
	case TYPE_I32: i32_constant(g, (int32_t)value); break;
	case TYPE_I64:
		generator_op(g, OP_I64_CONST);
		generator_signed(g->out, (int64_t)value);
		break;
	case TYPE_F32:
		generator_op(g, OP_F32_CONST);
		buf_put_u32(g->out, (uint32_t)value);
		break;
	case TYPE_F64:
		generator_op(g, OP_F64_CONST);
		buf_put_u64(g->out, value);
		break;
	case TYPE_V128:
		generator_op(g, OP_V128_CONST);
		buf_put_u64(g->out, value);
		buf_put_u64(g->out, bits(g));
		break;
	default: indexed(g, OP_REF_NULL, generator_type_byte(type));
	}
}

/* A local of this type: behind the parameters there are LOCALS_EACH of each, and a scratch one. */
static uint32_t local_of(struct generator *g, char type, uint32_t number)
{
	uint32_t row = generator_row(type) - 1;
	return (uint32_t)strlen(g->functions[g->function].params) + row * (LOCALS_EACH + 1) + number;
}

static uint32_t any_local(struct generator *g, char type)
{
	const char *params = g->functions[g->function].params;
	for (uint32_t i = 0; params[i] && generator_choose(g, 2); i++)
		if (params[i] == type)
			return i;
	return local_of(g, type, generator_choose(g, LOCALS_EACH));
}

static uint32_t loop_local(struct generator *g)
{
	return local_of(g, generator_types[0], 0) + (LOCALS_EACH + 1) * (uint32_t)strlen(generator_types) +
	       g->loops;
}

static uint32_t global_of(char type)
{
	return GLOBAL_FUEL + generator_row(type);
}

static void leaf(struct generator *g, char type)
{
	switch (generator_choose(g, 8)) {
	case 1: indexed(g, OP_LOCAL_GET, any_local(g, type)); break;
	case 2: indexed(g, OP_GLOBAL_GET, global_of(type)); break;
	default: generator_constant(g, type);
	}
}

/* Replaces a NaN on the stack by the canonical one: whoever computed it may have made another. */
static void canonicalize(struct generator *g, const struct wasm_op *op, char type)
{
	uint32_t scratch = local_of(g, type, LOCALS_EACH);
	bool wide = op->name[1] == '6';
	if (op->name[0] != 'f')
		return;
	indexed(g, OP_LOCAL_SET, scratch);
	indexed(g, OP_LOCAL_GET, scratch);
	generator_op(g, type == TYPE_V128 ? OP_V128_CONST : wide ? OP_F64_CONST : OP_F32_CONST);
	for (unsigned i = 0; i < (type == TYPE_V128 ? 2 : 1); i++)
		if (wide)
			buf_put_u64(g->out, 0x7ff8000000000000u);
		else if (type == TYPE_F32)
			buf_put_u32(g->out, 0x7fc00000u);
		else
			buf_put_u64(g->out, 0x7fc000007fc00000u);
	indexed(g, OP_LOCAL_GET, scratch);
	indexed(g, OP_LOCAL_GET, scratch);
	generator_op(g, type == TYPE_V128 ? (wide ? 0x247 : 0x241) : wide ? 0x61 : 0x5b); /* eq */
	generator_op(g, type == TYPE_V128 ? 0x252 : OP_SELECT); /* or bitselect */
}

static void immediates(struct generator *g, const struct wasm_op *op)
{
	struct buf *out = g->out;
	switch ((enum wasm_immediate)op->immediate) {
	case IMMEDIATE_ADDRESS:
	case IMMEDIATE_ADDRESS_LANE:
		generator_leb(out, generator_choose(g, op->align + 1u));
		generator_leb(out, generator_choose(g, 256));
		break;
	case IMMEDIATE_ATOMIC:
		generator_leb(out, op->align);
		generator_leb(out, 8 * generator_choose(g, 16));
		break;
	case IMMEDIATE_MEMORY_MEMORY: buf_put_u16(out, 0); break;
	case IMMEDIATE_FENCE:
	case IMMEDIATE_MEMORY: buf_put_u8(out, 0); break;
	case IMMEDIATE_DATA: generator_leb(out, generator_choose(g, SEGMENTS)); break;
	case IMMEDIATE_DATA_MEMORY:
		generator_leb(out, generator_choose(g, SEGMENTS));
		buf_put_u8(out, 0);
		break;
	case IMMEDIATE_ELEMENT: generator_leb(out, generator_choose(g, SEGMENTS)); break;
	case IMMEDIATE_ELEMENT_TABLE:
		generator_leb(out, generator_choose(g, SEGMENTS));
		buf_put_u8(out, 1);
		break;
	case IMMEDIATE_TABLE_TABLE: buf_put_u16(out, 0x0101); break;
	case IMMEDIATE_TABLE: generator_leb(out, generator_choose(g, 3)); break;
	case IMMEDIATE_FUNCTION: generator_leb(out, generator_choose(g, g->function_count)); break;
	case IMMEDIATE_SHUFFLE:
		for (unsigned i = 0; i < 16; i++)
			buf_put_u8(out, (uint8_t)generator_choose(g, 32));
		break;
	default: break;
	}
	if (op->lanes)
		buf_put_u8(out, (uint8_t)generator_choose(g, op->lanes));
}

/* Mostly addresses and sizes that are there. */
static void keep_within(struct generator *g, const struct wasm_op *op)
{
	int32_t mask;
	switch ((enum wasm_immediate)op->immediate) {
	case IMMEDIATE_ADDRESS:
	case IMMEDIATE_ADDRESS_LANE: mask = 0x7fff; break;
	case IMMEDIATE_ATOMIC: mask = 0x7ff8; break;
	case IMMEDIATE_MEMORY:
	case IMMEDIATE_MEMORY_MEMORY: mask = 0xff; break;
	case IMMEDIATE_DATA_MEMORY: mask = DATA_SIZE / 2 - 1; break;
	case IMMEDIATE_ELEMENT_TABLE:
	case IMMEDIATE_TABLE_TABLE: mask = 1; break;
	default: return;
	}
	if (generator_choose(g, 256) == 255)
		return;
	i32_constant(g, mask);
	generator_op(g, 0x71);
}

static bool is_address(const struct wasm_op *op, uint32_t operand)
{
	switch ((enum wasm_immediate)op->immediate) {
	case IMMEDIATE_ADDRESS:
	case IMMEDIATE_ADDRESS_LANE:
	case IMMEDIATE_ATOMIC:
	case IMMEDIATE_DATA_MEMORY: return operand == 0;
	case IMMEDIATE_MEMORY: return operand != 1;
	case IMMEDIATE_MEMORY_MEMORY: return true;
	default: return false;
	}
}

static void operands(struct generator *g, const struct wasm_op *op, uint32_t depth)
{
	bool all = op->immediate != IMMEDIATE_ADDRESS && op->immediate != IMMEDIATE_ADDRESS_LANE &&
	           op->immediate != IMMEDIATE_ATOMIC;
	for (uint32_t i = 0; op->signature[i] != ':'; i++) {
		expression(g, op->signature[i], depth);
		if (op->signature[i] == TYPE_I32 && (all || i == 0))
			keep_within(g, op);
		if (g->memory64 && is_address(op, i))
			generator_op(g, 0xad);
	}
}

/* An instruction of the table that leaves `type`, or nothing. */
static void instruction(struct generator *g, char type, uint32_t depth)
{
	uint32_t row = generator_row(type), count = g->choice_counts[row];
	uint32_t choice = generator_choose(g, 256) << 8 | generator_choose(g, 256);
	uint32_t opcode = g->choices[row][choice % count];
	const struct wasm_op *op = &wasm_ops[opcode];
	/* Those that trap for many operands, seldom. */
	if (type && op->traps && op->immediate == IMMEDIATE_NONE && generator_choose(g, 32)) {
		leaf(g, type);
		return;
	}
	operands(g, op, depth);
	generator_op(g, opcode);
	immediates(g, op);
	if (g->memory64 && (opcode == OP_MEMORY_SIZE || opcode == OP_MEMORY_GROW))
		generator_op(g, 0xa7);
	if (type == TYPE_F32 || type == TYPE_F64 || type == TYPE_V128)
		canonicalize(g, op, type);
}

static void arguments(struct generator *g, const char *types, uint32_t depth)
{
	for (; *types; types++)
		expression(g, *types, depth);
}

/* A later function, by its index or through table 0; type n is that of function n. */
static void call(struct generator *g, uint32_t callee, bool tail)
{
	if (generator_choose(g, 2)) {
		indexed(g, tail ? OP_RETURN_CALL : OP_CALL, callee);
		return;
	}
	i32_constant(g, (int32_t)callee);
	indexed(g, tail ? OP_RETURN_CALL_INDIRECT : OP_CALL_INDIRECT, callee);
	generator_leb(g->out, 0);
}

/* Results go to locals. */
static void call_statement(struct generator *g, uint32_t depth)
{
	uint32_t callee = g->function + 1 + generator_choose(g, FUNCTIONS_MAX);
	if (callee >= g->function_count)
		return;
	const struct signature *signature = &g->functions[callee];
	const char *own = g->functions[g->function].results;
	bool tail = strcmp(signature->results, own) == 0 && generator_choose(g, 2);
	if (tail)
		expression(g, TYPE_I32, 0);
	if (tail)
		indexed(g, OP_IF, TYPE_BYTE_EMPTY);
	arguments(g, signature->params, depth);
	call(g, callee, tail);
	if (tail)
		generator_op(g, OP_END);
	for (size_t i = tail ? 0 : strlen(signature->results); i > 0; i--)
		indexed(g, OP_LOCAL_SET, any_local(g, signature->results[i - 1]));
}

/* Runs a few times. */
static void loop_statement(struct generator *g, uint32_t depth)
{
	uint32_t counter = loop_local(g);
	if (g->loops == LOOPS_MAX)
		return;
	i32_constant(g, 1 + (int32_t)generator_choose(g, 4));
	indexed(g, OP_LOCAL_SET, counter);
	indexed(g, OP_LOOP, TYPE_BYTE_EMPTY);
	g->loops++;
	statements(g, depth);
	g->loops--;
	indexed(g, OP_LOCAL_GET, counter);
	i32_constant(g, 1);
	generator_op(g, 0x6b);
	indexed(g, OP_LOCAL_TEE, counter);
	indexed(g, OP_BR_IF, 0);
	generator_op(g, OP_END);
}

/* Three blocks, and a br_table that goes to the end of one of them. */
static void switch_statement(struct generator *g, uint32_t depth)
{
	for (unsigned i = 0; i < 3; i++)
		indexed(g, OP_BLOCK, TYPE_BYTE_EMPTY);
	expression(g, TYPE_I32, depth);
	indexed(g, OP_BR_TABLE, 2);
	for (unsigned i = 0; i < 3; i++)
		generator_leb(g->out, generator_choose(g, 3));
	for (unsigned i = 0; i < 3; i++) {
		generator_op(g, OP_END);
		statements(g, depth);
	}
}

static void if_statement(struct generator *g, uint32_t depth)
{
	expression(g, TYPE_I32, depth);
	indexed(g, OP_IF, TYPE_BYTE_EMPTY);
	statements(g, depth);
	if (generator_choose(g, 2)) {
		generator_op(g, OP_ELSE);
		statements(g, depth);
	}
	generator_op(g, OP_END);
}

/* A block that is left early, taking a value along and leaving another behind. */
static void block_statement(struct generator *g, uint32_t depth)
{
	char type = generator_types[generator_choose(g, 7)], other = generator_types[generator_choose(g, 7)];
	indexed(g, OP_BLOCK, generator_type_byte(type));
	expression(g, other, depth);
	expression(g, type, depth);
	expression(g, TYPE_I32, depth);
	indexed(g, OP_BR_IF, 0);
	indexed(g, OP_LOCAL_SET, any_local(g, type));
	generator_op(g, OP_DROP);
	statements(g, depth);
	expression(g, type, depth);
	if (generator_choose(g, 2))
		indexed(g, OP_BR, 0);
	generator_op(g, OP_END);
	indexed(g, OP_LOCAL_SET, any_local(g, type));
}

static void table_statement(struct generator *g, uint32_t depth)
{
	static const struct {
		uint16_t opcode;
		bool sized;
	} kinds[] = {{OP_TABLE_SET, false}, {OP_TABLE_FILL, true}, {OP_TABLE_GROW, true}};
	uint32_t kind = generator_choose(g, 3), table = 1 + generator_choose(g, 2);
	char type = table == 1 ? TYPE_FUNCREF : TYPE_EXTERNREF;
	if (kinds[kind].opcode != OP_TABLE_GROW)
		i32_constant(g, (int32_t)generator_choose(g, TABLE_SIZE / 2));
	expression(g, type, depth);
	if (kinds[kind].sized)
		i32_constant(g, (int32_t)generator_choose(g, 3));
	indexed(g, kinds[kind].opcode, table);
	if (kinds[kind].opcode == OP_TABLE_GROW)
		indexed(g, OP_LOCAL_SET, any_local(g, TYPE_I32));
}

static void set_statement(struct generator *g, uint32_t depth)
{
	char type = generator_types[generator_choose(g, 7)];
	expression(g, type, depth);
	switch (generator_choose(g, 3)) {
	case 0: indexed(g, OP_LOCAL_SET, any_local(g, type)); break;
	case 1: indexed(g, OP_GLOBAL_SET, global_of(type)); break;
	default: generator_op(g, OP_DROP);
	}
}

static void statement(struct generator *g, uint32_t depth)
{
	switch (generator_choose(g, 16)) {
	case 0: generator_op(g, OP_NOP); break;
	case 1: if_statement(g, depth); break;
	case 2: loop_statement(g, depth); break;
	case 3: switch_statement(g, depth); break;
	case 4: block_statement(g, depth); break;
	case 5: call_statement(g, depth); break;
	case 6: table_statement(g, depth); break;
	case 7:
	case 8:
	case 9:
	case 10: set_statement(g, depth); break;
	default: instruction(g, 0, depth);
	}
}

static void statements(struct generator *g, uint32_t depth)
{
	for (uint32_t i = 0; depth > 0 && i < 3 && g->left; i++)
		statement(g, depth - 1);
}

static void reference(struct generator *g, char type, uint32_t depth)
{
	bool functions = type == TYPE_FUNCREF;
	if (functions && generator_choose(g, 2)) {
		indexed(g, OP_REF_FUNC, generator_choose(g, g->function_count));
	} else if (generator_choose(g, 2)) {
		expression(g, TYPE_I32, depth);
		i32_constant(g, TABLE_SIZE / 2 - 1);
		generator_op(g, 0x71);
		indexed(g, OP_TABLE_GET, functions ? 1 : 2);
	} else {
		leaf(g, type);
	}
}

static void select_expression(struct generator *g, char type, uint32_t depth)
{
	bool typed = strchr("rx", type) || generator_choose(g, 2);
	expression(g, type, depth);
	expression(g, type, depth);
	expression(g, TYPE_I32, depth);
	generator_op(g, typed ? OP_SELECT_T : OP_SELECT);
	if (typed) {
		buf_put_u8(g->out, 1);
		buf_put_u8(g->out, generator_type_byte(type));
	}
}

static void if_expression(struct generator *g, char type, uint32_t depth)
{
	expression(g, TYPE_I32, depth);
	indexed(g, OP_IF, generator_type_byte(type));
	statements(g, depth);
	expression(g, type, depth);
	generator_op(g, OP_ELSE);
	expression(g, type, depth);
	generator_op(g, OP_END);
}

static void expression(struct generator *g, char type, uint32_t depth)
{
	if (depth == 0 || g->left == 0) {
		leaf(g, type);
		return;
	}
	depth--;
	switch (generator_choose(g, 16)) {
	case 0: leaf(g, type); break;
	case 1: select_expression(g, type, depth); break;
	case 2: if_expression(g, type, depth); break;
	case 3:
		expression(g, type, depth);
		indexed(g, OP_LOCAL_TEE, any_local(g, type));
		break;
	case 4:
		if (type == TYPE_I32) {
			expression(g, generator_types[5 + generator_choose(g, 2)], depth);
			generator_op(g, OP_REF_IS_NULL);
			break;
		}
		leaf(g, type);
		break;
	default:
		if (strchr("rx", type))
			reference(g, type, depth);
		else
			instruction(g, type, depth);
	}
}

/* Gives up when too many functions were called; otherwise there is one fewer left. */
static void take_fuel(struct generator *g)
{
	const char *results = g->functions[g->function].results;
	indexed(g, OP_GLOBAL_GET, GLOBAL_FUEL);
	generator_op(g, 0x45);
	indexed(g, OP_IF, TYPE_BYTE_EMPTY);
	for (uint32_t i = 0; results[i]; i++)
		generator_constant(g, results[i]);
	generator_op(g, OP_RETURN);
	generator_op(g, OP_END);
	indexed(g, OP_GLOBAL_GET, GLOBAL_FUEL);
	i32_constant(g, 1);
	generator_op(g, 0x6b);
	indexed(g, OP_GLOBAL_SET, GLOBAL_FUEL);
}

void generator_body(struct generator *g, struct buf *to)
{
	const struct signature *signature = &g->functions[g->function];
	g->out = to;
	g->loops = 0;
	generator_leb(to, strlen(generator_types) + 1);
	for (uint32_t i = 0; generator_types[i]; i++) {
		generator_leb(to, LOCALS_EACH + 1);
		buf_put_u8(to, generator_type_byte(generator_types[i]));
	}
	generator_leb(to, LOOPS_MAX);
	buf_put_u8(to, TYPE_BYTE_I32);
	take_fuel(g);
	for (uint32_t i = 0; i < 4; i++)
		statements(g, DEPTH);
	arguments(g, signature->results, DEPTH);
	generator_op(g, OP_END);
}
