#include "values.h"

#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

static const struct {
	const char *name;
	char letter;
	unsigned bits;
} types[] = {
	{"i32", 'i', 32},     {"i64", 'l', 64},       {"f32", 'f', 32}, {"f64", 'd', 64}, {"v128", 'v', 128},
	{"funcref", 'r', 32}, {"externref", 'x', 32}, {"i8", 'b', 8},   {"i16", 'h', 16},
};

static size_t type_row(const char *name)
{
	size_t row = 0;
	while (row < array_count(types) && (!name || strcmp(types[row].name, name) != 0))
		row++;
	return row;
}

char value_letter(const json_t *value)
{
	size_t row = type_row(json_string_value(json_object_get(value, "type")));
	return row < array_count(types) ? types[row].letter : 0;
}

static void put_lane(union cell_value *v, size_t lane, unsigned bits, uint64_t value)
{
	for (unsigned i = 0; i < bits / 8; i++)
		v->v128[lane * bits / 8 + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_lane(const union cell_value *v, size_t lane, unsigned bits)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bits / 8; i++)
		value |= (uint64_t)v->v128[lane * bits / 8 + i] << (8 * i);
	return value;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;
	*ret = text && *text == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text ? text : "", &end, 0);
	return text && *text && !*end;
}

/* What a NaN pattern leaves open: the sign; for the arithmetic one the payload but its highest bit. */
static bool nan_matches(bool canonical, unsigned bits, uint64_t found)
{
	unsigned quiet = bits == 32 ? 22 : 51;
	uint64_t exponent = bits == 32 ? 0xffull << 23 : 0x7ffull << 52;
	uint64_t wanted = exponent | 1ull << quiet;
	uint64_t magnitude = found & ~(1ull << (bits - 1));
	return canonical ? magnitude == wanted : (magnitude & wanted) == wanted;
}

static bool lane_matches(const char *expected, unsigned bits, uint64_t found)
{
	uint64_t number;
	if (expected && strcmp(expected, "nan:canonical") == 0)
		return nan_matches(true, bits, found);
	if (expected && strcmp(expected, "nan:arithmetic") == 0)
		return nan_matches(false, bits, found);
	return parse_number(expected, &number) && number << (64 - bits) == found << (64 - bits);
}

static size_t lane_row(const json_t *value)
{
	return type_row(json_string_value(json_object_get(value, "lane_type")));
}

bool value_parse(const json_t *value, union cell_value *ret)
{
	size_t row = type_row(json_string_value(json_object_get(value, "type")));
	const json_t *content = json_object_get(value, "value");
	const char *text = json_string_value(content);
	uint64_t number;
	*ret = (union cell_value){0};
	if (row == array_count(types))
		return false;
	if (types[row].letter == 'v') {
		size_t lane_type = lane_row(value);
		for (size_t i = 0; lane_type < array_count(types) && i < json_array_size(content); i++) {
			if (!parse_number(json_string_value(json_array_get(content, i)), &number))
				return false;
			put_lane(ret, i, types[lane_type].bits, number);
		}
		return lane_type < array_count(types);
	}
	if ((types[row].letter == 'r' || types[row].letter == 'x') && text && strcmp(text, "null") == 0) {
		ret->ref = CELL_NO_FUNCTION;
		return true;
	}
	if (!parse_number(text, &number))
		return false;
	put_lane(ret, 0, types[row].bits, number);
	return true;
}

bool value_matches(const json_t *expected, const union cell_value *found)
{
	size_t row = type_row(json_string_value(json_object_get(expected, "type")));
	const json_t *content = json_object_get(expected, "value");
	const char *text = json_string_value(content);
	if (row == array_count(types))
		return false;
	if (types[row].letter == 'v') {
		size_t lane_type = lane_row(expected);
		bool good = lane_type < array_count(types);
		for (size_t i = 0; good && i < json_array_size(content); i++)
			good = lane_matches(json_string_value(json_array_get(content, i)),
			                    types[lane_type].bits, get_lane(found, i, types[lane_type].bits));
		return good;
	}
	if (types[row].letter == 'r' || types[row].letter == 'x') {
		if (text && strcmp(text, "null") == 0)
			return found->ref == CELL_NO_FUNCTION;
		if (types[row].letter == 'r')
			return found->ref != CELL_NO_FUNCTION;
	}
	return lane_matches(text, types[row].bits, get_lane(found, 0, types[row].bits));
}
