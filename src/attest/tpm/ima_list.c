#include "attest/tpm/ima_list.h"

#include <string.h>

#include "base/io.h"
#include "crypto/crypto.h"

enum { DIGITS = 2 * CRYPTO_SHA256_SIZE };

static bool read_line(const char *line, size_t size, uint8_t ret_digest[CRYPTO_SHA256_SIZE])
{
	if (size > 0 && *line == '\\') {
		line++;
		size--;
	}
	return size > DIGITS + 2 && line[DIGITS] == ' ' &&
	       (line[DIGITS + 1] == ' ' || line[DIGITS + 1] == '*') &&
	       io_unhex(line, CRYPTO_SHA256_SIZE, ret_digest);
}

static size_t line_size(const char *at, const char *end)
{
	const char *next = memchr(at, '\n', (size_t)(end - at));
	return (size_t)((next ? next : end) - at);
}

bool ima_list_is(const void *data, size_t size)
{
	uint8_t digest[CRYPTO_SHA256_SIZE];
	return size > 0 && read_line(data, line_size(data, (const char *)data + size), digest);
}

int ima_list_read(const struct tee_blob *list, struct buf *ret_digests, struct error *err)
{
	const char *at = list->data, *end = at + list->size;
	for (size_t line = 1; at < end; line++) {
		uint8_t digest[CRYPTO_SHA256_SIZE];
		const size_t size = line_size(at, end);
		if (!read_line(at, size, digest))
			return error_set(err, CELLA_EFORMAT,
			                 "%s: line %zu of a list of files is not as sha256sum writes it",
			                 list->name ? list->name : "collateral", line);
		buf_put(ret_digests, digest, sizeof(digest));
		at += size + (at + size < end);
	}
	return ret_digests->failed ? error_set(err, CELLA_ENOMEM, "no memory for a list of files") : 0;
}
