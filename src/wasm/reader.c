/* What every part of a module is read through: integers, names, types, and how a failure is told. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wasm/module.h"

struct wasm_shown wasm_show(struct wasm_text name)
{
	struct wasm_shown shown = {0};
	for (uint32_t i = 0; i < min_of(name.size, (uint32_t)WASM_NAME_SHOWN_MAX); i++) {
		char c = (char)name.bytes[i];
		bool plain = c > ' ' && c < 0x7f && !strchr("\"\\*?%", c);
		shown.text[i] = plain ? c : '_';
	}
	return shown;
}

static void describe_place(const struct wasm_decoder *d, size_t offset, char *to, size_t size)
{
	size_t n = 0;
	if (d->section)
		n += (size_t)snprintf(to, size, "%s section, ", d->section);
	if (d->function != WASM_NO_INDEX) {
		const struct wasm_text name = d->m->functions[d->function].name;
		n += (size_t)snprintf(to + n, size - n, "function %u", d->function);
		if (name.size)
			n += (size_t)snprintf(to + n, size - n, " ($%s)", wasm_show(name).text);
		n += (size_t)snprintf(to + n, size - n, ", ");
	}
	snprintf(to + n, size - n, "offset 0x%zx", offset);
}

int wasm_fail_at(struct wasm_decoder *d, size_t offset, int code, const char *format, ...)
{
	if (d->rc < 0)
		return d->rc;
	char place[WASM_NAME_SHOWN_MAX + 100];
	char what[500];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	describe_place(d, offset, place, sizeof(place));
	d->r.failed = true;
	d->rc = error_set(d->err, code, "%s: %s", place, what);
	return d->rc;
}

static bool ended(struct wasm_decoder *d, const char *what)
{
	if (d->rc == 0 && d->r.failed)
		wasm_fail(d, CELLA_EFORMAT, "%s ends beyond the end", what);
	return d->r.failed;
}

uint8_t wasm_read_u8(struct wasm_decoder *d)
{
	uint8_t v = reader_u8(&d->r);
	return ended(d, "a byte") ? 0 : v;
}

const uint8_t *wasm_read_bytes(struct wasm_decoder *d, size_t size, const char *what)
{
	const uint8_t *bytes = reader_bytes(&d->r, size);
	return ended(d, what) ? NULL : bytes;
}

uint64_t wasm_read_fixed(struct wasm_decoder *d, size_t size)
{
	const uint8_t *bytes = wasm_read_bytes(d, size, "a constant");
	uint64_t v = 0;
	for (size_t i = 0; bytes && i < size; i++)
		v |= (uint64_t)bytes[i] << (8 * i);
	return v;
}

/* LEB128 (section 5.2.2): at most ceil(bits / 7) bytes, unused bits of the last one zero or the sign. */
static uint64_t read_unsigned(struct wasm_decoder *d, unsigned bits)
{
	size_t start = d->r.at;
	uint64_t v = 0;
	for (unsigned shift = 0; shift < bits; shift += 7) {
		uint8_t byte = reader_u8(&d->r);
		if (ended(d, "an integer"))
			return 0;
		if (shift + 7 > bits && byte >> (bits - shift))
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	wasm_fail_at(d, start, CELLA_EFORMAT, "an integer is longer than %u bits", bits);
	return 0;
}

uint32_t wasm_read_u32(struct wasm_decoder *d)
{
	return (uint32_t)read_unsigned(d, 32);
}

uint64_t wasm_read_u64(struct wasm_decoder *d)
{
	return read_unsigned(d, 64);
}

int64_t wasm_read_signed(struct wasm_decoder *d, unsigned bits)
{
	size_t start = d->r.at;
	uint64_t v = 0;
	for (unsigned shift = 0; shift < bits; shift += 7) {
		uint8_t byte = reader_u8(&d->r);
		if (ended(d, "an integer"))
			return 0;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (shift + 7 < bits)
			return (int64_t)(v << (57 - shift)) >> (57 - shift);
		int8_t top = (int8_t)((int8_t)(byte << 1) >> (bits - shift));
		if (top != 0 && top != -1)
			break;
		return bits == 64 ? (int64_t)v : (int64_t)(v << (64 - bits)) >> (64 - bits);
	}
	wasm_fail_at(d, start, CELLA_EFORMAT, "an integer is longer than %u bits", bits);
	return 0;
}

/* The length of a UTF-8 sequence by its first byte, and its least second byte and the range of it. */
static unsigned utf8_length(uint8_t first, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static bool utf8_valid(const uint8_t *s, size_t size)
{
	for (size_t i = 0; i < size;) {
		uint8_t low, high;
		unsigned length = utf8_length(s[i], &low, &high);
		if (length == 0 || length > size - i)
			return false;
		if (length > 1 && (s[i + 1] < low || s[i + 1] > high))
			return false;
		for (unsigned k = 2; k < length; k++)
			if ((s[i + k] & 0xc0) != 0x80)
				return false;
		i += length;
	}
	return true;
}

struct wasm_text wasm_read_name(struct wasm_decoder *d)
{
	size_t start = d->r.at;
	uint32_t size = wasm_read_u32(d);
	const uint8_t *bytes = wasm_read_bytes(d, size, "a name");
	if (!bytes)
		return (struct wasm_text){0};
	if (!utf8_valid(bytes, size)) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "a name is not UTF-8");
		return (struct wasm_text){0};
	}
	return (struct wasm_text){.bytes = bytes, .size = size};
}

uint32_t wasm_read_count(struct wasm_decoder *d, uint32_t most, const char *what)
{
	size_t start = d->r.at;
	uint32_t count = wasm_read_u32(d);
	if (count > reader_left(&d->r)) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "%u %s are more than the section holds", count, what);
		return 0;
	}
	if (count > most) {
		wasm_fail_at(d, start, CELLA_ELIMIT, "%u %s; at most %u are supported", count, what, most);
		return 0;
	}
	return count;
}

uint32_t wasm_read_index(struct wasm_decoder *d, uint32_t count, const char *what)
{
	size_t start = d->r.at;
	uint32_t index = wasm_read_u32(d);
	if (d->rc == 0 && index >= count) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "unknown %s %u; there are %u", what, index, count);
		return 0;
	}
	return index;
}

static char type_letter(uint8_t byte)
{
	switch (byte) {
	case TYPE_BYTE_I32: return TYPE_I32;
	case TYPE_BYTE_I64: return TYPE_I64;
	case TYPE_BYTE_F32: return TYPE_F32;
	case TYPE_BYTE_F64: return TYPE_F64;
	case TYPE_BYTE_V128: return TYPE_V128;
	case TYPE_BYTE_FUNCREF: return TYPE_FUNCREF;
	case TYPE_BYTE_EXTERNREF: return TYPE_EXTERNREF;
	default: return 0;
	}
}

char wasm_read_value_type(struct wasm_decoder *d)
{
	size_t start = d->r.at;
	uint8_t byte = wasm_read_u8(d);
	char letter = type_letter(byte);
	if (!letter)
		wasm_fail_at(d, start, CELLA_EFORMAT, "0x%02x is no value type", byte);
	return letter;
}

char wasm_read_reference_type(struct wasm_decoder *d)
{
	size_t start = d->r.at;
	char letter = wasm_read_value_type(d);
	if (letter == TYPE_FUNCREF || letter == TYPE_EXTERNREF)
		return letter;
	wasm_fail_at(d, start, CELLA_EFORMAT, "a reference type was expected");
	return 0;
}

const char *wasm_type_name(char letter)
{
	switch (letter) {
	case TYPE_I32: return "i32";
	case TYPE_I64: return "i64";
	case TYPE_F32: return "f32";
	case TYPE_F64: return "f64";
	case TYPE_V128: return "v128";
	case TYPE_FUNCREF: return "funcref";
	case TYPE_EXTERNREF: return "externref";
	default: return "anything";
	}
}
