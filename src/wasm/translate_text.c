/* Words that the translator writes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "wasm/translate.h"

void wasm_put(struct buf *out, const char *text)
{
	buf_put(out, text, strlen(text));
}

void wasm_put_number(struct buf *out, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	buf_put(out, digits + at, sizeof(digits) - at);
}

void wasm_put_literal(struct buf *out, const uint8_t *bytes, size_t size)
{
	buf_put_u8(out, '"');
	for (size_t i = 0; i < size; i++) {
		uint8_t c = bytes[i];
		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '?')
			buf_put_u8(out, c);
		else
			buf_printf(out, "\\%03o", c);
	}
	buf_put_u8(out, '"');
}

void wasm_put_function_name(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	const struct wasm_text name = m->functions[index].name;
	if (name.size)
		wasm_put(out, wasm_show(name).text);
	else
		buf_printf(out, "func[%u]", index);
}

const char *wasm_c_type(char letter)
{
	switch (letter) {
	case TYPE_I32: return "u32";
	case TYPE_I64: return "u64";
	case TYPE_F32: return "f32";
	case TYPE_F64: return "f64";
	case TYPE_V128: return "v128";
	default: return "ref";
	}
}

void wasm_put_result_type(const struct wasm_type *type, struct buf *out)
{
	if (type->result_count == 0)
		wasm_put(out, "void");
	else if (type->result_count == 1)
		wasm_put(out, wasm_c_type(type->results[0]));
	else
		buf_printf(out, "struct result%u", type->canonical);
}

void wasm_put_heading(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	const struct wasm_type *type = m->functions[index].type;
	wasm_put_result_type(type, out);
	buf_printf(out, " F%u(struct cell_instance *instance", index);
	for (uint32_t i = 0; i < type->param_count; i++)
		buf_printf(out, ", %s x%u", wasm_c_type(type->params[i]), i);
	wasm_put(out, ")");
}

static void put_f32(struct buf *out, uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof(value));
	if (isfinite(value))
		buf_printf(out, "%af", (double)value);
	else
		buf_printf(out, "f32_reinterpret_i32(0x%08xu)", bits);
}

static void put_f64(struct buf *out, uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof(value));
	if (isfinite(value))
		buf_printf(out, "%a", value);
	else
		buf_printf(out, "f64_reinterpret_i64(0x%016llxu)", (unsigned long long)bits);
}

void wasm_put_constant(struct buf *out, char type, const union cell_value *value)
{
	switch (type) {
	case TYPE_I64:
		wasm_put_number(out, value->i64);
		wasm_put(out, "u");
		break;
	case TYPE_F32: put_f32(out, value->i32); break;
	case TYPE_F64: put_f64(out, value->i64); break;
	case TYPE_V128:
		buf_printf(out, "v128_const(0x%016llxu, 0x%016llxu)", (unsigned long long)value->lanes[0],
		           (unsigned long long)value->lanes[1]);
		break;
	default: wasm_put_number(out, value->i32); wasm_put(out, "u");
	}
}
