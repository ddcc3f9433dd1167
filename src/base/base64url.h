/*
 * base64url without padding: RFC 4648 section 5, as RFC 7515 section 2 has it. Each string of bytes has
 * exactly one text, which is why this is not OpenSSL's decoder: that takes white space, padding and stray
 * bits. For what is public: the time that it takes tells what it read.
 */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for so many bytes. */
static inline size_t base64url_size(size_t size)
{
	return size / 3 * 4 + (size % 3 ? size % 3 + 1 : 0);
}

/* Bytes that so many characters stand for, if they are right. */
static inline size_t base64url_bytes(size_t size)
{
	return size / 4 * 3 + size % 4 * 3 / 4;
}

/* `to` gets base64url_size(size) characters and no terminator. */
void base64url_encode(const void *data, size_t size, char *to);

/* `to` gets base64url_bytes(size) bytes. False for another character, padding, a length that no bytes have,
 * and bits behind the last byte that are not zero; `to` is undefined then. */
bool base64url_decode(const char *text, size_t size, void *to);

#endif
