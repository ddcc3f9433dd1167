/* The inside of HPKE, apart so that the RFC's test vectors reach it; for this layer's own use. */
#ifndef CRYPTO_HPKE_H
#define CRYPTO_HPKE_H

#include "crypto/crypto.h"

/* RFC 9180 section 7.3. The vectors of appendix A.1 have the first; Cella seals with the second. */
enum hpke_aead { HPKE_AES_128_GCM = 1, HPKE_AES_256_GCM = 2 };

struct hpke_keys {
	uint8_t key[CRYPTO_KEY_SIZE]; /* 16 bytes of it for HPKE_AES_128_GCM */
	uint8_t nonce[CRYPTO_NONCE_SIZE];
};

/* Section 4.1, the part that sender and receiver share: DH with the own private key, and
 * ExtractAndExpand over the encapsulated key and the receiver's public key. */
int hpke_shared_secret(const uint8_t private_key[CRYPTO_X25519_SIZE], const uint8_t peer[CRYPTO_X25519_SIZE],
                       const uint8_t enc[CRYPTO_X25519_SIZE], const uint8_t receiver[CRYPTO_X25519_SIZE],
                       uint8_t ret_secret[CRYPTO_SHA256_SIZE], struct error *err) must_check;
/* Section 5.1, KeySchedule in base mode; the keys of sequence number 0. */
int hpke_key_schedule(const uint8_t secret[CRYPTO_SHA256_SIZE], const void *info, size_t info_size,
                      enum hpke_aead aead, struct hpke_keys *ret_keys, struct error *err) must_check;
/* crypto_hpke_seal with the ephemeral key given. */
int hpke_seal_with(const struct crypto_key_pair *ephemeral, const uint8_t public_key[CRYPTO_X25519_SIZE],
                   const void *info, size_t info_size, const void *aad, size_t aad_size, const void *in,
                   size_t size, uint8_t *out, struct error *err) must_check;

#endif
