/* X25519 (RFC 7748) on raw keys; for this layer's own use. */
#ifndef CRYPTO_KEYS_H
#define CRYPTO_KEYS_H

#include "crypto/crypto.h"

int keys_x25519_load(const uint8_t private_key[CRYPTO_X25519_SIZE], struct crypto_key_pair *ret,
                     struct error *err) must_check;
/* CELLA_EAUTH if the peer's key has small order, which makes the secret zero. */
int keys_x25519(const uint8_t private_key[CRYPTO_X25519_SIZE], const uint8_t public_key[CRYPTO_X25519_SIZE],
                uint8_t ret_shared[CRYPTO_X25519_SIZE], struct error *err) must_check;

#endif
