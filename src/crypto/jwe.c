#include "crypto/jwe.h"

#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "base/base64url.h"
#include "base/cleanup.h"
#include "crypto/jwk_openssl.h"
#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

const char *jwe_algorithm(enum jwk_kind kind)
{
	return kind == JWK_RSA ? "RSA-OAEP-256" : "ECDH-ES+A256KW";
}

static void aead_cleanup(struct crypto_aead **a)
{
	crypto_aead_free(*a);
}
#define cleanup_aead __attribute__((cleanup(aead_cleanup)))

static void encode(const void *bytes, size_t size, char *to)
{
	base64url_encode(bytes, size, to);
	to[base64url_size(size)] = '\0';
}

/* ---- the content */

int jwe_seal(const uint8_t key[CRYPTO_KEY_SIZE], const void *content, size_t size, void *ciphertext,
             struct jwe *ret, struct error *err)
{
	char aad[JWE_HEADER_MAX / 3 * 4 + 4];
	cleanup_aead struct crypto_aead *aead = NULL;
	encode(ret->header, strlen(ret->header), aad);
	int rc = crypto_aead_new(&aead, err);
	return rc == 0 ? crypto_aead_seal(aead, key, ret->nonce, aad, strlen(aad), content, size, ciphertext,
	                                  ret->tag, err)
	               : rc;
}

/* ---- RSA */

static int encrypt_to_rsa(const struct jwk *to, const uint8_t key[CRYPTO_KEY_SIZE], struct jwe *ret,
                          struct error *err)
{
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, to->pkey, NULL);
	ret->key_size = sizeof(ret->key);
	snprintf(ret->header, sizeof(ret->header), "{\"alg\":\"%s\",\"enc\":\"A256GCM\"}",
	         jwe_algorithm(JWK_RSA));
	if (!context || EVP_PKEY_encrypt_init(context) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) <= 0 ||
	    EVP_PKEY_encrypt(context, ret->key, &ret->key_size, key, CRYPTO_KEY_SIZE) <= 0)
		return crypto_failed("encrypting to a key of RSA", err);
	return 0;
}

/* ---- elliptic curves */

static void put_u32(uint8_t to[4], size_t v)
{
	for (size_t i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - 8 * i));
}

int jwe_derive(const struct jwe_agreement *a, void *ret_key, size_t size, struct error *err)
{
	static const uint8_t first[4] = {0, 0, 0, 1};
	const size_t algorithm_size = strlen(a->algorithm);
	uint8_t digest[CRYPTO_HASH_MAX], sizes[4][4];
	if (size > CRYPTO_SHA256_SIZE)
		return error_set(err, CELLA_EINVAL, "at most %d bytes are derived, not %zu",
		                 CRYPTO_SHA256_SIZE, size);
	put_u32(sizes[0], algorithm_size);
	put_u32(sizes[1], a->apu.size);
	put_u32(sizes[2], a->apv.size);
	put_u32(sizes[3], 8 * size);
	const struct crypto_part parts[] = {{first, sizeof(first)}, {a->secret, a->secret_size},
	                                    {sizes[0], 4},          {a->algorithm, algorithm_size},
	                                    {sizes[1], 4},          a->apu,
	                                    {sizes[2], 4},          a->apv,
	                                    {sizes[3], 4}};
	int rc = crypto_hash(CRYPTO_SHA256, parts, array_count(parts), digest, err);
	if (rc == 0)
		memcpy(ret_key, digest, size);
	mem_wipe(digest, sizeof(digest));
	return rc;
}

int jwe_wrap(const uint8_t wrapping[CRYPTO_KEY_SIZE], const uint8_t key[CRYPTO_KEY_SIZE],
             uint8_t ret_wrapped[JWE_WRAPPED_SIZE], struct error *err)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written = 0, more = 0;
	if (context)
		EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	bool done = cipher && context && EVP_EncryptInit_ex2(context, cipher, wrapping, NULL, NULL) > 0 &&
	            EVP_EncryptUpdate(context, ret_wrapped, &written, key, CRYPTO_KEY_SIZE) > 0 &&
	            EVP_EncryptFinal_ex(context, ret_wrapped + written, &more) > 0 &&
	            written + more == JWE_WRAPPED_SIZE;
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	return done ? 0 : crypto_failed("AES key wrap", err);
}

static int agree(EVP_PKEY *ephemeral, const struct jwk *to, uint8_t ret_wrapping[CRYPTO_KEY_SIZE],
                 struct error *err)
{
	uint8_t secret[JWK_FIELD_MAX];
	size_t size = sizeof(secret);
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, ephemeral, NULL);
	if (!context || EVP_PKEY_derive_init(context) <= 0 ||
	    EVP_PKEY_derive_set_peer(context, to->pkey) <= 0 ||
	    EVP_PKEY_derive(context, secret, &size) <= 0) {
		mem_wipe(secret, sizeof(secret));
		return crypto_failed("agreeing on a key", err);
	}
	const struct jwe_agreement agreement = {secret, size, jwe_algorithm(to->kind), {0}, {0}};
	int rc = jwe_derive(&agreement, ret_wrapping, CRYPTO_KEY_SIZE, err);
	mem_wipe(secret, sizeof(secret));
	return rc;
}

static int put_coordinate(const EVP_PKEY *key, const char *which, size_t field, char *to, struct error *err)
{
	uint8_t bytes[JWK_FIELD_MAX];
	cleanup_number BIGNUM *n = NULL;
	if (EVP_PKEY_get_bn_param(key, which, &n) <= 0 || BN_bn2binpad(n, bytes, (int)field) != (int)field)
		return crypto_failed("reading a public key", err);
	encode(bytes, field, to);
	return 0;
}

static int write_header(EVP_PKEY *ephemeral, enum jwk_kind kind, struct jwe *ret, struct error *err)
{
	char x[JWK_FIELD_MAX * 2], y[JWK_FIELD_MAX * 2];
	int rc = put_coordinate(ephemeral, OSSL_PKEY_PARAM_EC_PUB_X, jwk_field_size(kind), x, err);
	if (rc == 0)
		rc = put_coordinate(ephemeral, OSSL_PKEY_PARAM_EC_PUB_Y, jwk_field_size(kind), y, err);
	if (rc == 0)
		snprintf(
			ret->header, sizeof(ret->header),
			"{\"alg\":\"%s\",\"enc\":\"A256GCM\",\"epk\":{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\","
			"\"y\":\"%s\"}}",
			jwe_algorithm(kind), jwk_kind_name(kind), x, y);
	return rc;
}

static int encrypt_to_curve(const struct jwk *to, const uint8_t key[CRYPTO_KEY_SIZE], struct jwe *ret,
                            struct error *err)
{
	cleanup_wipe uint8_t wrapping[CRYPTO_KEY_SIZE];
	cleanup_pkey EVP_PKEY *ephemeral = EVP_EC_gen(jwk_group(to->kind));
	if (!ephemeral)
		return crypto_failed("making a key", err);
	int rc = write_header(ephemeral, to->kind, ret, err);
	if (rc == 0)
		rc = agree(ephemeral, to, wrapping, err);
	ret->key_size = JWE_WRAPPED_SIZE;
	return rc == 0 ? jwe_wrap(wrapping, key, ret->key, err) : rc;
}

/* ---- all of it */

int jwe_encrypt(const struct jwk *to, const void *content, size_t size, void *ciphertext, struct jwe *ret,
                struct error *err)
{
	struct jwe jwe = {0};
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	int rc = crypto_random(key, sizeof(key), err);
	if (rc == 0)
		rc = crypto_random(jwe.nonce, sizeof(jwe.nonce), err);
	if (rc == 0)
		rc = to->kind == JWK_RSA ? encrypt_to_rsa(to, key, &jwe, err)
		                         : encrypt_to_curve(to, key, &jwe, err);
	if (rc == 0)
		rc = jwe_seal(key, content, size, ciphertext, &jwe, err);
	if (rc == 0)
		*ret = jwe;
	return rc;
}
