#include <stdio.h>
#include <string.h>

#include "cas/session/reference.h"

static const char mark[] = "$$CELLA::", foreign_mark[] = "$$SCONE::";
enum { MARK_SIZE = sizeof(mark) - 1, FORMAT_MAX = 16 };

static const char *const format_names[] = {
	[REFERENCE_PLAIN] = "",
	[REFERENCE_HEX] = "hex",
	[REFERENCE_BASE64] = "base64",
	[REFERENCE_PEM] = "pem",
};

/* Characters of a name or format from `at` on, copied; 0 if there are none or too many. */
static size_t read_word(const char *at, char *to, size_t size)
{
	size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
	if (length >= size)
		return 0;
	memcpy(to, at, length);
	to[length] = '\0';
	return length;
}

static const char *read_reference(const char *text, struct reference *ret)
{
	const char *at = text + ret->begin;
	if (strncmp(at, foreign_mark, MARK_SIZE) == 0)
		return "begins with $$SCONE::; here it is $$CELLA::";
	at += MARK_SIZE;
	if (*at == '<')
		return "is to be filled in: what stands between < and > behind $$CELLA::";
	size_t size = read_word(at, ret->name, sizeof(ret->name));
	at += size;
	if (size == 0)
		return "has no name of a secret behind $$CELLA::";
	char format[FORMAT_MAX] = "";
	if (*at == ':') {
		size = read_word(at + 1, format, sizeof(format));
		at += 1 + size;
		if (size == 0)
			return "has no format behind its second colon";
	}
	if (strncmp(at, "$$", 2) != 0)
		return "does not end with $$ behind its name or format";
	for (size_t i = 0; i < array_count(format_names); i++) {
		if (strcmp(format, format_names[i]) == 0) {
			ret->format = (enum reference_format)i;
			ret->end = (size_t)(at + 2 - text);
			return NULL;
		}
	}
	return "has a format that is none of hex, base64 and pem";
}

bool reference_next(const char *text, size_t from, struct reference *ret)
{
	const char *found = strstr(text + from, "$$");
	while (found && strncmp(found, mark, MARK_SIZE) != 0 && strncmp(found, foreign_mark, MARK_SIZE) != 0)
		found = strstr(found + 1, "$$");
	if (!found)
		return false;
	*ret = (struct reference){.begin = (size_t)(found - text)};
	ret->problem = read_reference(text, ret);
	if (ret->problem)
		ret->end = ret->begin + MARK_SIZE;
	return true;
}

const char *reference_refused(enum session_kind kind, enum reference_format format, enum session_place place)
{
	bool pem = kind != SESSION_ASCII && kind != SESSION_BINARY;
	if (pem && (format == REFERENCE_HEX || format == REFERENCE_BASE64))
		return "is a key or certificate, whose format is pem (or none) alone";
	if (!pem && format == REFERENCE_PEM)
		return "is no key or certificate: its format cannot be pem";
	if (kind == SESSION_BINARY && format == REFERENCE_PLAIN && place == SESSION_IN_STRING)
		return "is binary: outside of files it needs a format, hex or base64";
	return NULL;
}

/* ---- putting in what they stand for */

/* Arithmetic instead of tables: which addresses are read tells nothing of a secret. */
static char hex_digit(unsigned v)
{
	return (char)(v + '0' + ((9u - v) >> 8 & ('a' - '0' - 10)));
}

static char base64_digit(unsigned v)
{
	/* 'A'.., 'a'.., '0'.., '+', '/': each border passed adds the distance to the next range. */
	unsigned digit = v + 'A';
	digit += (25u - v) >> 8 & ('a' - 'Z' - 1);
	digit -= (51u - v) >> 8 & ('z' + 1 - '0');
	digit -= (61u - v) >> 8 & ('9' + 1 - '+');
	digit += (62u - v) >> 8 & ('/' - '+' - 1);
	return (char)(digit & 0xff);
}

static void put_hex(struct session_text *to, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char digits[2] = {hex_digit(data[i] >> 4), hex_digit(data[i] & 0xf)};
		session_text_put(to, digits, sizeof(digits));
		mem_wipe(digits, sizeof(digits));
	}
}

/* RFC 4648 section 4, with padding, on one line. */
static void put_base64(struct session_text *to, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t count = min_of(size - i, (size_t)3);
		unsigned group = (unsigned)data[i] << 16 | (count > 1 ? (unsigned)data[i + 1] << 8 : 0) |
		                 (count > 2 ? data[i + 2] : 0);
		char digits[4] = {base64_digit(group >> 18), base64_digit(group >> 12 & 63),
		                  base64_digit(group >> 6 & 63), base64_digit(group & 63)};
		memset(digits + count + 1, '=', 3 - count);
		session_text_put(to, digits, sizeof(digits));
		mem_wipe(digits, sizeof(digits));
	}
}

static int put_value(const struct reference *r, const struct session_value *value, enum session_place place,
                     struct session_text *to, struct error *err)
{
	const char *refused = reference_refused(value->kind, r->format, place);
	if (refused)
		return error_set(err, CELLA_EFORMAT, "the secret %s %s", r->name, refused);
	if (r->format == REFERENCE_HEX)
		put_hex(to, value->data, value->size);
	else if (r->format == REFERENCE_BASE64)
		put_base64(to, value->data, value->size);
	else if (place == SESSION_IN_STRING && value->size && memchr(value->data, 0, value->size))
		return error_set(err, CELLA_EFORMAT,
		                 "the secret %s holds a zero byte, which no argument or variable can",
		                 r->name);
	else
		session_text_put(to, value->data, value->size);
	return 0;
}

int session_expand(const char *text, enum session_place place, session_lookup *lookup, void *data,
                   struct session_text *ret, struct error *err)
{
	struct reference r;
	size_t at = 0;
	while (reference_next(text, at, &r)) {
		if (r.problem)
			return error_set(err, CELLA_EFORMAT, "a reference to a secret %s", r.problem);
		session_text_put(ret, text + at, r.begin - at);
		struct session_value value;
		int rc = lookup(data, r.name, &value, err);
		if (rc == 0)
			rc = put_value(&r, &value, place, ret, err);
		if (rc < 0)
			return rc;
		at = r.end;
	}
	session_text_put(ret, text + at, strlen(text + at));
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory to put secrets into a text") : 0;
}
