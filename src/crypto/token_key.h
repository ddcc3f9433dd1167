/*
 * Keys that sign tokens for others to read (JWT, RFC 7519): ES384 and RS256 of RFC 7518 section 3.
 *
 * Not attest/jws.h, which is for our own tokens and knows Ed25519 alone: these go to programs that are not
 * ours, and to what those of them know.
 */
#ifndef CRYPTO_TOKEN_KEY_H
#define CRYPTO_TOKEN_KEY_H

#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"

enum token_algorithm { TOKEN_ES384, TOKEN_RS256, TOKEN_ALGORITHMS };
enum {
	TOKEN_RSA_BITS = 3072,
	TOKEN_SIGNATURE_MAX = TOKEN_RSA_BITS / 8,
	TOKEN_KEY_PEM_MAX = 4096,
	TOKEN_KEY_ID_SIZE = 44, /* base64url of a SHA-256, and the end of the string */
};
/* "ES384", "RS256". */
const char *token_algorithm_name(enum token_algorithm algorithm);

struct token_key;
int token_key_generate(enum token_algorithm algorithm, struct token_key **ret_key,
                       struct error *err) must_check;
/* PEM (PKCS#8, not encrypted). CELLA_EFORMAT: none, or one of another algorithm. */
int token_key_read(enum token_algorithm algorithm, const void *pem, size_t size, struct token_key **ret_key,
                   struct error *err) must_check;
/* As PEM into `to`, TOKEN_KEY_PEM_MAX bytes of protected memory; without an end of the string. */
int token_key_write(const struct token_key *key, char *to, size_t *ret_size, struct error *err) must_check;
void token_key_free(struct token_key *key);

enum token_algorithm token_key_algorithm(const struct token_key *key);
/* The JWK's thumbprint (RFC 7638). */
const char *token_key_id(const struct token_key *key);
/* The public half as a JWK: JSON, with `alg`, `kid` and `use`. */
const char *token_key_jwk(const struct token_key *key);

/* As a JWS has signatures: r || s for ES384. Into TOKEN_SIGNATURE_MAX bytes. */
int token_key_sign(const struct token_key *key, const void *data, size_t size,
                   uint8_t ret_signature[TOKEN_SIGNATURE_MAX], size_t *ret_size,
                   struct error *err) must_check;
/* CELLA_EAUTH. */
int token_key_verify(const struct token_key *key, const void *data, size_t size, const void *signature,
                     size_t signature_size, struct error *err) must_check;

#endif
