/*
 * JSON Web Encryption and the keys of tokens. Are the steps those of the RFCs' examples, does the guest that
 * has the private key read what was encrypted to it, by OpenSSL alone, and nobody else; and is what is no
 * key, or a bad one, refused?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/base64url.h"
#include "crypto/jwe.h"
#include "crypto/token_key.h"

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL);
}

static size_t decode(const char *text, uint8_t *to)
{
	assert_true(base64url_decode(text, strlen(text), to));
	return base64url_bytes(strlen(text));
}

/* ---- vectors */

static EVP_PKEY *p256(const char *x, const char *y, const char *d)
{
	uint8_t point[65] = {4}, number[32];
	EVP_PKEY *key = NULL;
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_int_equal(decode(x, point + 1), 32);
	assert_int_equal(decode(y, point + 33), 32);
	OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	if (d)
		assert_int_equal(decode(d, number), 32);
	BIGNUM *n = BN_bin2bn(number, d ? 32 : 0, NULL);
	if (d)
		OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, n);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	assert_true(EVP_PKEY_fromdata_init(c) > 0 &&
	            EVP_PKEY_fromdata(c, &key, d ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) > 0);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	BN_free(n);
	EVP_PKEY_CTX_free(c);
	return key;
}

static size_t ecdh(EVP_PKEY *own, EVP_PKEY *other, uint8_t secret[66])
{
	size_t size = 66;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	assert_true(EVP_PKEY_derive_init(c) > 0 && EVP_PKEY_derive_set_peer(c, other) > 0 &&
	            EVP_PKEY_derive(c, secret, &size) > 0);
	EVP_PKEY_CTX_free(c);
	return size;
}

/* RFC 7518, appendix C. */
static void test_agreement(void **state)
{
	(void)state;
	EVP_PKEY *alice = p256("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
	                       "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
	                       "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
	EVP_PKEY *bob = p256("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
	                     "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck", NULL);
	uint8_t secret[66], key[16];
	char text[32] = "";
	size_t size = ecdh(alice, bob, secret);
	const struct jwe_agreement a = {secret, size, "A128GCM", {"Alice", 5}, {"Bob", 3}};
	assert_int_equal(jwe_derive(&a, key, sizeof(key), NULL), 0);
	base64url_encode(key, sizeof(key), text);
	assert_string_equal(text, "VqqN6vgjbSBcIijNcacQGg");
	assert_int_equal(jwe_derive(&a, key, 33, NULL), CELLA_EINVAL);
	EVP_PKEY_free(alice);
	EVP_PKEY_free(bob);
}

/* RFC 3394, section 4.6. */
static void test_wrap(void **state)
{
	(void)state;
	static const uint8_t wanted[] = {0x28, 0xc9, 0xf4, 0x04, 0xc4, 0xb8, 0x10, 0xf4, 0xcb, 0xcc,
	                                 0xb3, 0x5c, 0xfb, 0x87, 0xf8, 0x26, 0x3f, 0x57, 0x86, 0xe2,
	                                 0xd8, 0x0e, 0xd3, 0x26, 0xcb, 0xc7, 0xf0, 0xe7, 0x1a, 0x99,
	                                 0xf4, 0x3b, 0xfb, 0x98, 0x8b, 0x9b, 0x7a, 0x02, 0xdd, 0x21};
	uint8_t wrapping[32], key[32], wrapped[JWE_WRAPPED_SIZE];
	for (unsigned i = 0; i < 32; i++) {
		wrapping[i] = (uint8_t)i;
		key[i] = (uint8_t)(i < 16 ? i * 0x11 : i - 16);
	}
	assert_int_equal(jwe_wrap(wrapping, key, wrapped, NULL), 0);
	assert_memory_equal(wrapped, wanted, sizeof(wanted));
}

/* RFC 7516, appendix A.1: the content, which does not depend on how its key is encrypted. */
static void test_content(void **state)
{
	(void)state;
	static const char content[] = "The true sign of intelligence is not knowledge but imagination.";
	static const uint8_t key[32] = {177, 161, 244, 128, 84,  143, 225, 115, 63, 180, 3,
	                                255, 107, 154, 212, 246, 138, 7,   110, 91, 112, 46,
	                                34,  105, 47,  130, 203, 46,  122, 234, 64, 252};
	struct jwe jwe = {.header = "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}"};
	uint8_t ciphertext[sizeof(content) - 1];
	char text[128] = "";
	assert_int_equal(decode("48V1_ALb6US04U3b", jwe.nonce), CRYPTO_NONCE_SIZE);
	assert_int_equal(jwe_seal(key, content, sizeof(ciphertext), ciphertext, &jwe, NULL), 0);
	base64url_encode(ciphertext, sizeof(ciphertext), text);
	assert_string_equal(text,
	                    "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBt"
	                    "QD_A");
	memset(text, 0, sizeof(text));
	base64url_encode(jwe.tag, sizeof(jwe.tag), text);
	assert_string_equal(text, "XFBoMYUZodetZdvTiFvSkQ");
}

/* ---- to a key and back */

static const struct {
	enum jwk_kind kind;
	const char *group;
} curves[] = {{JWK_P256, "P-256"}, {JWK_P384, "P-384"}, {JWK_P521, "P-521"}};

static size_t number_of(const EVP_PKEY *key, const char *which, size_t size, uint8_t to[512])
{
	BIGNUM *n = NULL;
	assert_true(EVP_PKEY_get_bn_param(key, which, &n) > 0);
	if (size == 0)
		size = (size_t)BN_num_bytes(n);
	assert_int_equal(BN_bn2binpad(n, to, (int)size), (int)size);
	BN_free(n);
	return size;
}

static struct jwk *public_of(const EVP_PKEY *key, enum jwk_kind kind)
{
	uint8_t a[512], b[512];
	struct jwk *jwk = NULL;
	const size_t field = jwk_field_size(kind);
	if (kind == JWK_RSA) {
		size_t n = number_of(key, OSSL_PKEY_PARAM_RSA_N, 0, a);
		size_t e = number_of(key, OSSL_PKEY_PARAM_RSA_E, 0, b);
		assert_int_equal(jwk_from_rsa(a, n, b, e, &jwk, NULL), 0);
	} else {
		number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, field, a);
		number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, field, b);
		assert_int_equal(jwk_from_point(kind, a, b, &jwk, NULL), 0);
	}
	return jwk;
}

static bool open_rsa(EVP_PKEY *key, const struct jwe *jwe, uint8_t ret_key[512])
{
	size_t size = 512;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool opened = EVP_PKEY_decrypt_init(c) > 0 &&
	              EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) > 0 &&
	              EVP_PKEY_CTX_set_rsa_oaep_md(c, EVP_sha256()) > 0 &&
	              EVP_PKEY_CTX_set_rsa_mgf1_md(c, EVP_sha256()) > 0 &&
	              EVP_PKEY_decrypt(c, ret_key, &size, jwe->key, jwe->key_size) > 0 && size == 32;
	EVP_PKEY_CTX_free(c);
	return opened;
}

static bool unwrap(const uint8_t wrapping[32], const struct jwe *jwe, uint8_t ret_key[512])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int size = 0;
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	bool done = EVP_DecryptInit_ex(c, EVP_aes_256_wrap(), NULL, wrapping, NULL) > 0 &&
	            EVP_DecryptUpdate(c, ret_key, &size, jwe->key, (int)jwe->key_size) > 0 && size == 32;
	EVP_CIPHER_CTX_free(c);
	return done;
}

static bool open_curve(EVP_PKEY *key, enum jwk_kind kind, const struct jwe *jwe, uint8_t ret_key[512])
{
	const size_t field = jwk_field_size(kind);
	uint8_t point[1 + 2 * JWK_FIELD_MAX] = {4}, secret[66], wrapping[32];
	json_t *header = json_loads(jwe->header, 0, NULL), *epk = json_object_get(header, "epk");
	assert_string_equal(json_string_value(json_object_get(epk, "crv")), jwk_kind_name(kind));
	assert_string_equal(json_string_value(json_object_get(epk, "kty")), "EC");
	assert_int_equal(decode(json_string_value(json_object_get(epk, "x")), point + 1), field);
	assert_int_equal(decode(json_string_value(json_object_get(epk, "y")), point + 1 + field), field);
	json_decref(header);
	EVP_PKEY *ephemeral = EVP_PKEY_new();
	assert_true(EVP_PKEY_copy_parameters(ephemeral, key) > 0 &&
	            EVP_PKEY_set1_encoded_public_key(ephemeral, point, 1 + 2 * field) > 0);
	size_t size = ecdh(key, ephemeral, secret);
	const struct jwe_agreement a = {secret, size, "ECDH-ES+A256KW", {0}, {0}};
	assert_int_equal(jwe_derive(&a, wrapping, sizeof(wrapping), NULL), 0);
	EVP_PKEY_free(ephemeral);
	return unwrap(wrapping, jwe, ret_key);
}

/* As a guest does it. */
static bool open_jwe(EVP_PKEY *key, enum jwk_kind kind, const struct jwe *jwe, const uint8_t *ciphertext,
                     size_t size, uint8_t *to)
{
	uint8_t content_key[512];
	char aad[600] = "";
	struct crypto_aead *aead;
	bool opened = kind == JWK_RSA ? open_rsa(key, jwe, content_key)
	                              : open_curve(key, kind, jwe, content_key);
	if (!opened)
		return false;
	base64url_encode(jwe->header, strlen(jwe->header), aad);
	assert_int_equal(crypto_aead_new(&aead, NULL), 0);
	int rc = crypto_aead_open(aead, content_key, jwe->nonce, aad, strlen(aad), ciphertext, size, jwe->tag,
	                          to, NULL);
	crypto_aead_free(aead);
	return rc == 0;
}

static void check_both_ways(EVP_PKEY *key, EVP_PKEY *other, enum jwk_kind kind)
{
	static const char secret[] = "a secret of the clinic";
	uint8_t ciphertext[sizeof(secret)], plain[sizeof(secret)];
	struct jwe jwe, again;
	struct jwk *to = public_of(key, kind);
	assert_int_equal(jwk_kind(to), kind);
	assert_int_equal(jwe_encrypt(to, secret, sizeof(secret), ciphertext, &jwe, NULL), 0);
	json_t *header = json_loads(jwe.header, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(header, "alg")), jwe_algorithm(kind));
	assert_string_equal(json_string_value(json_object_get(header, "enc")), "A256GCM");
	json_decref(header);
	assert_true(open_jwe(key, kind, &jwe, ciphertext, sizeof(secret), plain));
	assert_string_equal(plain, secret);
	assert_false(open_jwe(other, kind, &jwe, ciphertext, sizeof(secret), plain));
	ciphertext[3] ^= 1;
	assert_false(open_jwe(key, kind, &jwe, ciphertext, sizeof(secret), plain));
	ciphertext[3] ^= 1;
	jwe.header[strlen(jwe.header) - 1] = ' ';
	assert_false(kind == JWK_RSA && open_jwe(key, kind, &jwe, ciphertext, sizeof(secret), plain));
	assert_int_equal(jwe_encrypt(to, secret, sizeof(secret), ciphertext, &again, NULL), 0);
	assert_memory_not_equal(again.nonce, jwe.nonce, sizeof(jwe.nonce));
	assert_memory_not_equal(again.key, jwe.key, jwe.key_size);
	jwk_free(to);
}

static void test_curves(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(curves); i++) {
		EVP_PKEY *key = EVP_EC_gen(curves[i].group), *other = EVP_EC_gen(curves[i].group);
		check_both_ways(key, other, curves[i].kind);
		EVP_PKEY_free(key);
		EVP_PKEY_free(other);
	}
}

static void test_rsa(void **state)
{
	(void)state;
	EVP_PKEY *key = EVP_RSA_gen(2048), *other = EVP_RSA_gen(2048);
	check_both_ways(key, other, JWK_RSA);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

/* A header is what serde_json makes of the same members, so that guests find the same bytes. */
static void test_header(void **state)
{
	(void)state;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct jwk *to = public_of(key, JWK_P256);
	struct jwe jwe;
	char x[44], y[44];
	assert_int_equal(jwe_encrypt(to, "", 0, NULL, &jwe, NULL), 0);
	assert_int_equal(sscanf(jwe.header,
	                        "{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"epk\":{\"crv\":\"P-256\","
	                        "\"kty\":\"EC\",\"x\":\"%43[^\"]\",\"y\":\"%43[^\"]\"}}",
	                        x, y),
	                 2);
	jwk_free(to);
	EVP_PKEY_free(key);
}

/* ---- what is no key */

static void test_bad_keys(void **state)
{
	(void)state;
	static const uint8_t exponent[] = {1, 0, 1}, three[] = {3}, even[] = {1, 0, 2},
			     wide[] = {1, 0, 0, 0, 1};
	uint8_t n[JWK_RSA_BITS_MAX / 8 + 2], x[JWK_FIELD_MAX] = {1}, y[JWK_FIELD_MAX] = {2};
	struct jwk *jwk = NULL;
	memset(n, 0xff, sizeof(n));
	const struct {
		size_t size;
		const uint8_t *e;
		size_t e_size;
		bool even;
	} rows[] = {{255, exponent, 3, false}, {513, exponent, 3, false}, {514, exponent, 3, false},
	            {0, exponent, 3, false},   {256, exponent, 3, true},  {256, three, 1, false},
	            {256, even, 3, false},     {256, wide, 5, false},     {256, exponent, 0, false}};
	for (size_t i = 0; i < array_count(rows); i++) {
		n[rows[i].size ? rows[i].size - 1 : 0] = rows[i].even ? 0xfe : 0xff;
		assert_int_equal(jwk_from_rsa(n, rows[i].size, rows[i].e, rows[i].e_size, &jwk, NULL),
		                 CELLA_EFORMAT);
	}
	n[255] = 0xff;
	assert_int_equal(jwk_from_rsa(n, 256, exponent, 3, &jwk, NULL), 0);
	jwk_free(jwk);
	for (size_t i = 0; i < array_count(curves); i++)
		assert_int_equal(jwk_from_point(curves[i].kind, x, y, &jwk, NULL), CELLA_EFORMAT);
	memset(x, 0, sizeof(x));
	memset(y, 0, sizeof(y));
	assert_int_equal(jwk_from_point(JWK_P256, x, y, &jwk, NULL), CELLA_EFORMAT);
	memset(x, 0xff, sizeof(x)); /* not below the field's number */
	assert_int_equal(jwk_from_point(JWK_P256, x, y, &jwk, NULL), CELLA_EFORMAT);
	assert_int_equal(jwk_from_point(JWK_RSA, x, y, &jwk, NULL), CELLA_EINVAL);
	jwk_free(NULL);
}

/* ---- keys of tokens */

static void test_token_keys(void **state)
{
	(void)state;
	static const char text[] = "header.payload";
	for (enum token_algorithm a = 0; a < TOKEN_ALGORITHMS; a++) {
		struct token_key *key, *read, *other;
		uint8_t signature[TOKEN_SIGNATURE_MAX];
		char pem[TOKEN_KEY_PEM_MAX];
		size_t size, pem_size;
		assert_int_equal(token_key_generate(a, &key, NULL), 0);
		assert_int_equal(token_key_generate(a, &other, NULL), 0);
		assert_int_equal(token_key_write(key, pem, &pem_size, NULL), 0);
		assert_int_equal(token_key_read(a, pem, pem_size, &read, NULL), 0);
		assert_string_equal(token_key_id(read), token_key_id(key));
		assert_string_not_equal(token_key_id(other), token_key_id(key));
		assert_int_equal(token_key_sign(key, text, sizeof(text), signature, &size, NULL), 0);
		assert_int_equal(size, a == TOKEN_ES384 ? 96 : 384);
		assert_int_equal(token_key_verify(read, text, sizeof(text), signature, size, NULL), 0);
		assert_int_equal(token_key_verify(other, text, sizeof(text), signature, size, NULL),
		                 CELLA_EAUTH);
		assert_int_equal(token_key_verify(read, text, sizeof(text) - 1, signature, size, NULL),
		                 CELLA_EAUTH);
		assert_int_equal(token_key_verify(read, text, sizeof(text), signature, size - 1, NULL),
		                 CELLA_EAUTH);
		signature[5] ^= 1;
		assert_int_equal(token_key_verify(read, text, sizeof(text), signature, size, NULL),
		                 CELLA_EAUTH);
		struct token_key *none = NULL;
		enum token_algorithm wrong = a == TOKEN_ES384 ? TOKEN_RS256 : TOKEN_ES384;
		assert_int_equal(token_key_read(wrong, pem, pem_size, &none, NULL), CELLA_EFORMAT);
		assert_int_equal(token_key_read(a, pem, pem_size / 2, &none, NULL), CELLA_EFORMAT);
		token_key_free(key);
		token_key_free(read);
		token_key_free(other);
	}
}

/* RFC 7638 section 3.1 has one of RSA; ours is the same function over what our keys are. */
static void test_thumbprint(void **state)
{
	(void)state;
	struct token_key *key;
	uint8_t digest[CRYPTO_HASH_MAX];
	char text[64] = "", bare[1024];
	assert_int_equal(token_key_generate(TOKEN_ES384, &key, NULL), 0);
	json_t *jwk = json_loads(token_key_jwk(key), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(jwk, "alg")), "ES384");
	assert_string_equal(json_string_value(json_object_get(jwk, "kid")), token_key_id(key));
	snprintf(bare, sizeof(bare), "{\"crv\":\"P-384\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
	         json_string_value(json_object_get(jwk, "x")), json_string_value(json_object_get(jwk, "y")));
	const struct crypto_part part = {bare, strlen(bare)};
	assert_int_equal(crypto_hash(CRYPTO_SHA256, &part, 1, digest, NULL), 0);
	base64url_encode(digest, CRYPTO_SHA256_SIZE, text);
	assert_string_equal(text, token_key_id(key));
	json_decref(jwk);
	token_key_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreement),  cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_content),    cmocka_unit_test(test_curves),
		cmocka_unit_test(test_rsa),        cmocka_unit_test(test_header),
		cmocka_unit_test(test_token_keys), cmocka_unit_test(test_thumbprint),
		cmocka_unit_test(test_bad_keys),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
