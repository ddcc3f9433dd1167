/* HMAC-SHA256 contexts, and HKDF's two steps over them; for this layer's own use. */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include <openssl/evp.h>

#include "crypto/crypto.h"

enum { KDF_OUTPUT_MAX = 255 * CRYPTO_SHA256_SIZE };

/* HMAC-SHA256 of the parts one after another. A context without a key takes `key`. */
int kdf_hmac(const void *key, size_t key_size, const struct crypto_part *parts, size_t count,
             uint8_t ret_mac[CRYPTO_SHA256_SIZE], struct error *err) must_check;
/* HKDF-Expand of RFC 5869, `info` in parts. */
int kdf_expand(const uint8_t prk[CRYPTO_SHA256_SIZE], const struct crypto_part *info, size_t count, void *ret,
               size_t size, struct error *err) must_check;

#endif
