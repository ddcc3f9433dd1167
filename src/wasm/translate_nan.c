/*
 * NaNs that are the same on every processor (the deterministic profile of the specification's third edition).
 *
 * What sign and payload a computed NaN has differs between processors, and where two NaNs meet it is
 * the C compiler that decides by the order of operands. If a custom section of the module asks for it,
 * CANONICAL_NANS is defined and every computed NaN is the positive canonical one. Not after each
 * instruction: what only goes on into another computation, a comparison or a truncation need not be
 * canonical yet, as none of these tells NaNs apart. So a value that may be such a NaN is followed on the
 * operand stack, and a line CANON(…) makes it canonical before the first instruction that moves it,
 * stores it, returns it, looks at its bits, or leaves the straight line of code. Values that were loaded
 * or moved keep their bits.
 */
#include <string.h>

#include "wasm/translate_body.h"
#include "wasm/wasm.h"

enum nan_shape { NAN_NONE, NAN_F32, NAN_F64, NAN_F32X4, NAN_F64X2 };

static const char *const shape_names[] =
	{[NAN_F32] = "f32", [NAN_F64] = "f64", [NAN_F32X4] = "f32x4", [NAN_F64X2] = "f64x2"};

/* What `text` begins with. */
static enum nan_shape shape_of(const char *text)
{
	if (text[0] != 'f')
		return NAN_NONE;
	bool wide = text[1] == '6';
	if (text[3] != 'x')
		return wide ? NAN_F64 : NAN_F32;
	return wide ? NAN_F64X2 : NAN_F32X4;
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(name, *names) != 0)
		names++;
	return *names;
}

/* Of an instruction that computes: what it gives, and in *ret_taken what it takes. */
static enum nan_shape computes(const struct wasm_op *op, enum nan_shape *ret_taken)
{
	static const char *const names[] = {"add", "sub",  "mul",   "div",   "sqrt",    "min",
	                                    "max", "ceil", "floor", "trunc", "nearest", NULL};
	const char *dot = strchr(op->name, '.');
	enum nan_shape given = shape_of(op->name);
	if (!given || !dot)
		return NAN_NONE;
	*ret_taken = given;
	if (is_one_of(dot + 1, names))
		return given;
	if (strncmp(dot, ".demote_", 8) == 0)
		*ret_taken = shape_of(dot + 8);
	else if (strncmp(dot, ".promote_low_", 13) == 0)
		*ret_taken = shape_of(dot + 13);
	else if (strncmp(dot, ".promote_", 9) == 0)
		*ret_taken = shape_of(dot + 9);
	else
		return NAN_NONE;
	return given;
}

/* The same of one that compares or truncates. */
static enum nan_shape tells_nothing(const struct wasm_op *op)
{
	static const char *const names[] = {"eq", "ne", "lt", "gt", "le", "ge", NULL};
	const char *dot = strchr(op->name, '.');
	if (!dot)
		return NAN_NONE;
	if (is_one_of(dot + 1, names))
		return shape_of(op->name);
	if (op->name[0] == 'i' && strncmp(dot, ".trunc_sat_", 11) == 0)
		return shape_of(dot + 11);
	if (op->name[0] == 'i' && strncmp(dot, ".trunc_", 7) == 0)
		return shape_of(dot + 7);
	return NAN_NONE;
}

/* Does the instruction leave the floats on the stack alone? Drop does with them what does not show. */
static bool is_elsewhere(const struct wasm_step *step)
{
	switch (step->opcode) {
	case OP_NOP:
	case OP_DROP:
	case OP_LOCAL_GET:
	case OP_GLOBAL_GET: return true;
	default: break;
	}
	const char *signature = step->op->signature;
	for (; signature && *signature != ':'; signature++)
		if (strchr("fdv", *signature))
			return false;
	return signature;
}

static bool is_store(const struct wasm_step *step)
{
	return step->opcode == OP_F32_STORE || step->opcode == OP_F64_STORE || step->opcode == OP_V128_STORE;
}

static void make_canonical(struct wasm_translation *t, const struct wasm_step *step)
{
	for (uint32_t height = 0; height < t->nans.size; height++) {
		enum nan_shape shape = t->nans.data[height];
		if (!shape)
			continue;
		body_put(t, is_store(step) ? "\tCANON_STORED(" : "\tCANON(");
		body_put(t, shape_names[shape]);
		body_put(t, ", ");
		body_put_slot(t, height,
		              shape == NAN_F32   ? TYPE_F32
		              : shape == NAN_F64 ? TYPE_F64
		                                 : TYPE_V128);
		body_put(t, ");\n");
	}
	t->nans.size = 0;
}

/* Are all operands that may be NaNs of this shape? */
static bool are_all(const struct wasm_translation *t, uint32_t base, enum nan_shape shape)
{
	for (size_t height = base; height < t->nans.size; height++)
		if (t->nans.data[height] && t->nans.data[height] != shape)
			return false;
	return true;
}

void body_put_nans(struct wasm_translation *t, const struct wasm_step *step)
{
	enum nan_shape taken = NAN_NONE, given = computes(step->op, &taken);
	if (!given && t->nans.size)
		taken = tells_nothing(step->op);
	bool leaves = taken ? !are_all(t, step->base, taken) : !is_elsewhere(step);
	if (!step->live)
		t->nans.size = 0;
	else if (leaves)
		make_canonical(t, step);
	t->nans.size = min_of(t->nans.size, (size_t)step->base);
	if (!given || !step->live)
		return;
	uint8_t *at = buf_reserve(&t->nans, step->base + 1 - t->nans.size);
	if (at)
		t->nans.data[step->base] = (uint8_t)given;
}

void wasm_put_canonical_nans(struct buf *module)
{
	static const char name[] = WASM_SECTION_CANONICAL_NANS;
	_Static_assert(sizeof(name) < 0x80, "sizes of one byte");
	buf_put_u8(module, SECTION_CUSTOM);
	buf_put_u8(module, sizeof(name));
	buf_put_u8(module, sizeof(name) - 1);
	buf_put(module, name, sizeof(name) - 1);
}
