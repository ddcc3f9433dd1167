/*
 * JSON Web Signature (RFC 7515): the compact serialisation, signed with EdDSA over Ed25519 (RFC 8037).
 *
 * The one algorithm is not negotiable: another `alg`, "none" above all, is refused, and so is every member
 * of the header that is not one of `alg`, `kid` and `typ` (of `crit`, `jku`, `jwk`, `x5u` none has a
 * meaning here). There are exactly three parts, each base64url without padding, in its one form: a token
 * that differs in a character is another token.
 */
#ifndef ATTEST_JWS_H
#define ATTEST_JWS_H

#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"

enum {
	JWS_SIZE_MAX = 4096,  /* characters of a token */
	JWS_HEADER_MAX = 256, /* bytes of its header */
	JWS_TEXT_MAX = 63,    /* of `kid` and `typ` */
};

struct jws_header {
	char key_id[JWS_TEXT_MAX + 1]; /* `kid`; "": there is none */
	char type[JWS_TEXT_MAX + 1];   /* `typ`; "": there is none */
};

/* Appends the token. CELLA_ELIMIT beyond JWS_SIZE_MAX. */
int jws_sign(const struct jws_header *header, const void *payload, size_t size,
             const struct crypto_signer *signer, struct buf *ret, struct error *err) must_check;

/* A token whose signature is not checked yet: its header says by which key to check it. Points into the
 * token, which must outlive it. */
struct jws {
	struct jws_header header;
	const char *token;
	const char *payload; /* in it */
	size_t payload_size; /* characters */
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

/* CELLA_EFORMAT for anything but a token as above, with what is wrong. The payload is not read. */
int jws_parse(const void *token, size_t size, struct jws *ret_jws, struct error *err) must_check;

/* Appends the payload, if it was signed with this key. CELLA_EAUTH if not, CELLA_EFORMAT if it is no
 * base64url. */
int jws_verify(const struct jws *jws, const uint8_t public_key[CRYPTO_ED25519_SIZE], struct buf *ret_payload,
               struct error *err) must_check;

#endif
