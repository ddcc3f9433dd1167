#include "crypto/token_key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64url.h"
#include "base/cleanup.h"
#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

enum { FIELD = 48, DER_MAX = 128, NUMBER_MAX = TOKEN_RSA_BITS / 8 };

struct token_key {
	EVP_PKEY *pkey;
	enum token_algorithm algorithm;
	char id[TOKEN_KEY_ID_SIZE];
	struct buf jwk; /* a string */
};

const char *token_algorithm_name(enum token_algorithm algorithm)
{
	return algorithm == TOKEN_ES384 ? "ES384" : "RS256";
}

/* ---- what others see of it */

/* As base64url; `size` 0: as long as it is. */
static int put_number(const EVP_PKEY *key, const char *which, size_t size, char *to, struct error *err)
{
	uint8_t bytes[NUMBER_MAX];
	cleanup_number BIGNUM *n = NULL;
	if (EVP_PKEY_get_bn_param(key, which, &n) <= 0)
		return crypto_failed("reading a public key", err);
	if (size == 0)
		size = (size_t)BN_num_bytes(n);
	if (size > sizeof(bytes) || BN_bn2binpad(n, bytes, (int)size) != (int)size)
		return crypto_failed("reading a public key", err);
	base64url_encode(bytes, size, to);
	to[base64url_size(size)] = '\0';
	return 0;
}

/* The members that a thumbprint is of, in its order (RFC 7638 section 3.2). */
static int write_members(const struct token_key *key, struct buf *to, struct error *err)
{
	char first[2 * NUMBER_MAX], second[2 * NUMBER_MAX];
	const bool ec = key->algorithm == TOKEN_ES384;
	int rc = put_number(key->pkey, ec ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_RSA_E, ec ? FIELD : 0,
	                    first, err);
	if (rc == 0)
		rc = put_number(key->pkey, ec ? OSSL_PKEY_PARAM_EC_PUB_Y : OSSL_PKEY_PARAM_RSA_N,
		                ec ? FIELD : 0, second, err);
	if (rc < 0)
		return rc;
	if (ec)
		buf_printf(to, "{\"crv\":\"P-384\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"", first, second);
	else
		buf_printf(to, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"", first, second);
	return 0;
}

static int describe(struct token_key *key, struct error *err)
{
	uint8_t digest[CRYPTO_HASH_MAX];
	struct buf *jwk = &key->jwk;
	int rc = write_members(key, jwk, err);
	if (rc == 0 && jwk->failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for a public key");
	const struct crypto_part parts[] = {{jwk->data, jwk->size}, {"}", 1}};
	if (rc == 0)
		rc = crypto_hash(CRYPTO_SHA256, parts, array_count(parts), digest, err);
	if (rc < 0)
		return rc;
	base64url_encode(digest, CRYPTO_SHA256_SIZE, key->id);
	key->id[base64url_size(CRYPTO_SHA256_SIZE)] = '\0';
	buf_printf(jwk, ",\"alg\":\"%s\",\"kid\":\"%s\",\"use\":\"sig\"}",
	           token_algorithm_name(key->algorithm), key->id);
	buf_put_u8(jwk, 0);
	return jwk->failed ? error_set(err, CELLA_ENOMEM, "no memory for a public key") : 0;
}

/* ---- making, reading, writing */

/* Takes over `pkey`. */
static int key_wrap(EVP_PKEY *pkey, enum token_algorithm algorithm, struct token_key **ret_key,
                    struct error *err)
{
	struct token_key *key = OPENSSL_zalloc(sizeof(*key));
	if (!key) {
		EVP_PKEY_free(pkey);
		return error_set(err, CELLA_ENOMEM, "no protected memory for a private key");
	}
	*key = (struct token_key){.pkey = pkey, .algorithm = algorithm};
	int rc = describe(key, err);
	if (rc < 0)
		token_key_free(key);
	else
		*ret_key = key;
	return rc;
}

int token_key_generate(enum token_algorithm algorithm, struct token_key **ret_key, struct error *err)
{
	EVP_PKEY *pkey = algorithm == TOKEN_ES384 ? EVP_EC_gen("P-384") : EVP_RSA_gen(TOKEN_RSA_BITS);
	if (!pkey)
		return crypto_failed("making a key that signs tokens", err);
	return key_wrap(pkey, algorithm, ret_key, err);
}

/* Without it OpenSSL would ask at the terminal. */
static int no_passphrase(char *to not_used, int size not_used, int writes not_used, void *arg not_used)
{
	return -1;
}

static bool suits(const EVP_PKEY *pkey, enum token_algorithm algorithm)
{
	char group[32];
	size_t size;
	if (algorithm == TOKEN_RS256)
		return EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) == TOKEN_RSA_BITS;
	return EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof(group), &size) > 0 &&
	       strcmp(group, SN_secp384r1) == 0;
}

int token_key_read(enum token_algorithm algorithm, const void *pem, size_t size, struct token_key **ret_key,
                   struct error *err)
{
	cleanup_bio BIO *bio = size <= TOKEN_KEY_PEM_MAX ? BIO_new_mem_buf(pem, (int)size) : NULL;
	cleanup_pkey EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	if (!pkey || !suits(pkey, algorithm))
		return error_set(err, CELLA_EFORMAT, "this is no private key for %s in PEM",
		                 token_algorithm_name(algorithm));
	return key_wrap(take_ptr(&pkey), algorithm, ret_key, err);
}

int token_key_write(const struct token_key *key, char *to, size_t *ret_size, struct error *err)
{
	char *text;
	cleanup_bio BIO *bio = BIO_new(BIO_s_secmem());
	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) <= 0)
		return crypto_failed("writing a private key", err);
	long size = BIO_get_mem_data(bio, &text);
	if (size <= 0 || size > TOKEN_KEY_PEM_MAX)
		return error_set(err, CELLA_EBUG, "a private key takes %ld bytes", size);
	memcpy(to, text, (size_t)size);
	mem_wipe(text, (size_t)size);
	*ret_size = (size_t)size;
	return 0;
}

void token_key_free(struct token_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	buf_done(&key->jwk);
	OPENSSL_free(key);
}

enum token_algorithm token_key_algorithm(const struct token_key *key)
{
	return key->algorithm;
}

const char *token_key_id(const struct token_key *key)
{
	return key->id;
}

const char *token_key_jwk(const struct token_key *key)
{
	return (const char *)key->jwk.data;
}

/* ---- signatures */

static const EVP_MD *digest_of(enum token_algorithm algorithm)
{
	return algorithm == TOKEN_ES384 ? crypto_algorithms()->sha384 : EVP_sha256();
}

/* DER to r || s. */
static bool unpack(const uint8_t *der, size_t size, uint8_t to[2 * FIELD])
{
	const BIGNUM *r, *s;
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
	if (!signature)
		return false;
	ECDSA_SIG_get0(signature, &r, &s);
	bool done = BN_bn2binpad(r, to, FIELD) == FIELD && BN_bn2binpad(s, to + FIELD, FIELD) == FIELD;
	ECDSA_SIG_free(signature);
	return done;
}

/* r || s to DER; 0: no memory. */
static size_t pack(const uint8_t *signature, uint8_t to[DER_MAX])
{
	ECDSA_SIG *both = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, FIELD, NULL), *s = BN_bin2bn(signature + FIELD, FIELD, NULL);
	int size = 0;
	if (both && r && s && ECDSA_SIG_set0(both, r, s) > 0) {
		r = s = NULL; /* both's */
		size = i2d_ECDSA_SIG(both, &to);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(both);
	return size > 0 ? (size_t)size : 0;
}

int token_key_sign(const struct token_key *key, const void *data, size_t size,
                   uint8_t ret_signature[TOKEN_SIGNATURE_MAX], size_t *ret_size, struct error *err)
{
	uint8_t signature[TOKEN_SIGNATURE_MAX];
	size_t written = sizeof(signature);
	cleanup_digest EVP_MD_CTX *md = EVP_MD_CTX_new();
	if (!md || EVP_DigestSignInit(md, NULL, digest_of(key->algorithm), NULL, key->pkey) <= 0 ||
	    EVP_DigestSign(md, signature, &written, data, size) <= 0)
		return crypto_failed("signing a token", err);
	if (key->algorithm == TOKEN_RS256)
		memcpy(ret_signature, signature, written);
	else if (!unpack(signature, written, ret_signature))
		return crypto_failed("signing a token", err);
	*ret_size = key->algorithm == TOKEN_RS256 ? written : 2 * FIELD;
	return 0;
}

int token_key_verify(const struct token_key *key, const void *data, size_t size, const void *signature,
                     size_t signature_size, struct error *err)
{
	uint8_t der[DER_MAX];
	cleanup_digest EVP_MD_CTX *md = EVP_MD_CTX_new();
	const size_t wanted = key->algorithm == TOKEN_ES384 ? 2 * FIELD : TOKEN_RSA_BITS / 8;
	if (signature_size != wanted)
		return error_set(err, CELLA_EAUTH, "a signature of %s has %zu bytes, not %zu",
		                 token_algorithm_name(key->algorithm), wanted, signature_size);
	if (key->algorithm == TOKEN_ES384) {
		signature_size = pack(signature, der);
		signature = der;
	}
	if (!md || !signature_size ||
	    EVP_DigestVerifyInit(md, NULL, digest_of(key->algorithm), NULL, key->pkey) <= 0)
		return crypto_failed("checking a token", err);
	bool holds = EVP_DigestVerify(md, signature, signature_size, data, size) == 1;
	ERR_clear_error();
	return holds ? 0 : error_set(err, CELLA_EAUTH, "the signature does not hold");
}
