/*
 * Public keys of guests, as JSON Web Keys have them (RFC 7517, RFC 7518 section 6): RSA, and elliptic curves.
 *
 * They come from whoever asks, so that what is no key, or one that is too weak or too large to compute with,
 * is refused here. That somebody has the private half is for others to find out: what is encrypted to a key
 * (crypto/jwe.h) is of no use to anybody else.
 */
#ifndef CRYPTO_JWK_H
#define CRYPTO_JWK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	JWK_RSA_BITS_MIN = 2048,
	JWK_RSA_BITS_MAX = 4096,
	JWK_FIELD_MAX = 66, /* bytes of a coordinate: P-521 */
};

enum jwk_kind { JWK_RSA, JWK_P256, JWK_P384, JWK_P521, JWK_KINDS };
/* "P-256" for `crv`; "RSA". */
const char *jwk_kind_name(enum jwk_kind kind);
/* Bytes of a coordinate; 0 for RSA. */
size_t jwk_field_size(enum jwk_kind kind);

struct jwk;
/* Modulus and exponent, big-endian. CELLA_EFORMAT: too few or too many bits, an even modulus, a bad
 * exponent. */
int jwk_from_rsa(const void *n, size_t n_size, const void *e, size_t e_size, struct jwk **ret_key,
                 struct error *err) must_check;
/* Coordinates of jwk_field_size bytes, big-endian. CELLA_EFORMAT: the curve has no such point. */
int jwk_from_point(enum jwk_kind kind, const void *x, const void *y, struct jwk **ret_key,
                   struct error *err) must_check;
void jwk_free(struct jwk *key);
enum jwk_kind jwk_kind(const struct jwk *key);

#endif
