/*
 * How secrets are wrapped for the keys of TPMs (attest/tpm/credential.h): RSA-OAEP, ECDH, HMAC with any hash,
 * AES-CFB. For that alone: what Cella encrypts itself is AES-GCM.
 */
#ifndef CRYPTO_WRAP_H
#define CRYPTO_WRAP_H

#include "base/buf.h"
#include "crypto/crypto.h"
#include "crypto/vendor_cert.h"

enum { WRAP_FIELD_MAX = 48, WRAP_SECRET_MAX = 64 };

/* RSA-OAEP with MGF1 of the same hash. The label's bytes are as given, with a zero byte at its end if that is
 * to be there. Appends as many bytes as the modulus has. */
int wrap_oaep(const struct vendor_key *key, enum crypto_hash hash, const void *label, size_t label_size,
              const void *secret, size_t size, struct buf *ret, struct error *err) must_check;

/* With a fresh key on the other's curve: its point, and the x of the shared one, which is a secret. */
struct wrap_exchange {
	size_t field; /* bytes of a coordinate */
	uint8_t x[WRAP_FIELD_MAX], y[WRAP_FIELD_MAX], shared[WRAP_FIELD_MAX];
};
int wrap_exchange(const struct vendor_key *key, struct wrap_exchange *ret, struct error *err) must_check;

int wrap_hmac(enum crypto_hash hash, const void *key, size_t key_size, const struct crypto_part *parts,
              size_t count, uint8_t ret_mac[CRYPTO_HASH_MAX], struct error *err) must_check;

/* AES-128, AES-192 or AES-256 by the key's size, CFB over whole blocks of 128 bits, from an IV of zeros: a
 * key is for one message. */
int wrap_cfb(const void *key, size_t key_size, const void *in, size_t size, void *out,
             struct error *err) must_check;

#endif
