#include "base/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { WRONG = 0xff };

static uint8_t value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 52);
	return c == '-' ? 62 : c == '_' ? 63 : WRONG;
}

void base64url_encode(const void *data, size_t size, char *to)
{
	const uint8_t *bytes = data;
	uint32_t bits = 0;
	unsigned count = 0; /* of bits that wait */
	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | bytes[i];
		for (count += 8; count >= 6; count -= 6)
			*to++ = alphabet[bits >> (count - 6) & 63];
	}
	if (count)
		*to = alphabet[bits << (6 - count) & 63];
}

bool base64url_decode(const char *text, size_t size, void *to)
{
	uint8_t *bytes = to;
	uint32_t bits = 0;
	unsigned count = 0;
	for (size_t i = 0; i < size; i++) {
		uint8_t value = value_of(text[i]);
		if (value == WRONG)
			return false;
		bits = bits << 6 | value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			*bytes++ = (uint8_t)(bits >> count);
		}
	}
	return count < 6 && (bits & ((1u << count) - 1)) == 0;
}
