/*
 * JSON Web Encryption (RFC 7516) to a guest's public key: a fresh key encrypts the content (A256GCM), and is
 * itself encrypted to the guest, by RSA-OAEP-256, or by ECDH-ES+A256KW (RFC 7518 sections 4.3 and 4.6: a
 * fresh key pair, Concat KDF with SHA-256, AES key wrap). RSA1_5 there is none: its padding tells whoever may
 * ask often what a key is (Bleichenbacher 1998).
 *
 * The header is written as Confidential Containers' guests write it anew to check it: its members in this
 * order, without blanks; `epk` has its own in the order of the alphabet. There are no apu and apv.
 */
#ifndef CRYPTO_JWE_H
#define CRYPTO_JWE_H

#include "crypto/crypto.h"
#include "crypto/jwk.h"

enum {
	JWE_HEADER_MAX = 384,
	JWE_KEY_MAX = JWK_RSA_BITS_MAX / 8, /* bytes of an encrypted key */
	JWE_WRAPPED_SIZE = CRYPTO_KEY_SIZE + 8,
};

/* "RSA-OAEP-256", "ECDH-ES+A256KW". */
const char *jwe_algorithm(enum jwk_kind kind);

/* All of it but the ciphertext, which is as long as the content. */
struct jwe {
	char header[JWE_HEADER_MAX + 1]; /* JSON; what is authenticated is its base64url */
	uint8_t key[JWE_KEY_MAX];
	size_t key_size;
	uint8_t nonce[CRYPTO_NONCE_SIZE];
	uint8_t tag[CRYPTO_TAG_SIZE];
};
/* `ciphertext` has room for `size` bytes. What lies on the stack is wiped; who encrypts secrets calls this on
 * a protected one. */
int jwe_encrypt(const struct jwk *to, const void *content, size_t size, void *ciphertext, struct jwe *ret,
                struct error *err) must_check;

/* ---- its steps, which have vectors of their own */

/* The Concat KDF of NIST SP 800-56A with SHA-256, as RFC 7518 section 4.6.2 fills it in. `size` bytes,
 * CRYPTO_SHA256_SIZE at most. */
struct jwe_agreement {
	const void *secret; /* Z */
	size_t secret_size;
	const char *algorithm;
	struct crypto_part apu, apv;
};
int jwe_derive(const struct jwe_agreement *agreement, void *ret_key, size_t size,
               struct error *err) must_check;
/* RFC 3394. */
int jwe_wrap(const uint8_t wrapping[CRYPTO_KEY_SIZE], const uint8_t key[CRYPTO_KEY_SIZE],
             uint8_t ret_wrapped[JWE_WRAPPED_SIZE], struct error *err) must_check;
/* With key, nonce and header given; fills in ret->tag. */
int jwe_seal(const uint8_t key[CRYPTO_KEY_SIZE], const void *content, size_t size, void *ciphertext,
             struct jwe *ret, struct error *err) must_check;

#endif
