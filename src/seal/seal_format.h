/*
 * A sealed object: header || ciphertext || tag, all integers little-endian.
 *
 *     at  size
 *      0     4  magic       "CSO1"
 *      4     2  version     1
 *      6     2  kind        enum seal_kind
 *      8     8  key id      which data key; derived from it, tells nothing about it
 *     16     8  object
 *     24     8  version     of the object
 *     32     4  attempt
 *     36     4  reserved    0
 *     40     8  extra
 *     48     8  length      of the plaintext
 *     56    16  salt        fresh random bytes
 *     72     -  ciphertext  `length` bytes
 *      -    16  tag
 *
 * Key = HKDF-Expand(data key, "cella object" || header). The nonce is zero: AES-GCM needs a nonce
 * that does not repeat under one key, and here each object has a key of its own, because the
 * salt in its header is drawn anew for every sealing. Two objects share a key only if 128 random
 * bits and all other fields collide. The header is authenticated twice: it makes the key, and it
 * stands, before the caller's own bytes, in the additional data.
 *
 * Other secrets of a session come from the same data key under labels of their own, none of
 * which is a prefix of another or of "cella object".
 */
#ifndef SEAL_SEAL_FORMAT_H
#define SEAL_SEAL_FORMAT_H

#include <assert.h>
#include <stddef.h>

#include "seal/seal.h"

enum {
	SEAL_VERSION = 1,
	SEAL_KEY_ID_SIZE = 8,
	SEAL_AT_KEY_ID = 8,
	SEAL_AT_LENGTH = 48,
	SEAL_AT_SALT = 56,
	SEAL_HEADER_SIZE = 72,
};

#define SEAL_MAGIC 0x314f5343u /* "CSO1" */
#define SEAL_LABEL_OBJECT "cella object"
#define SEAL_LABEL_KEY_ID "cella key id"
#define SEAL_LABEL_RECEIPT "cella receipt"

/* The header, decoded. */
struct seal_header {
	struct seal_id id;
	uint8_t key_id[SEAL_KEY_ID_SIZE];
	uint64_t length;
};

static_assert(SEAL_AT_SALT + CRYPTO_SALT_SIZE == SEAL_HEADER_SIZE, "the salt ends the header");
static_assert(SEAL_OVERHEAD == SEAL_HEADER_SIZE + CRYPTO_TAG_SIZE, "as seal.h says");

#endif
