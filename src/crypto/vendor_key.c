/* Makers' public keys, and the algorithms that they sign with. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/crypto.h"
#include "crypto/openssl.h"
#include "crypto/vendor_openssl.h"
#include "crypto/x509_openssl.h"

enum { FIELD_MAX = 48, SIGNATURE_DER_MAX = 128 };

const char *vendor_algorithm_name(enum vendor_algorithm algorithm)
{
	switch (algorithm) {
	case VENDOR_ECDSA_SHA256: return "ECDSA with SHA-256";
	case VENDOR_ECDSA_SHA384: return "ECDSA with SHA-384";
	case VENDOR_RSA_PSS_ANY_SHA256:
	case VENDOR_RSA_PSS_SHA256: return "RSA-PSS with SHA-256";
	case VENDOR_RSA_PSS_ANY_SHA384:
	case VENDOR_RSA_PSS_SHA384: return "RSA-PSS with SHA-384";
	case VENDOR_RSA_SHA256: return "RSA with SHA-256";
	case VENDOR_RSA_SHA384: return "RSA with SHA-384";
	}
	return "an unknown algorithm";
}

const char *vendor_key_kind_name(enum vendor_key_kind kind)
{
	static const char *const names[] = {
		[VENDOR_KEY_OTHER] = "another kind of key",
		[VENDOR_P256] = "P-256",
		[VENDOR_P384] = "P-384",
		[VENDOR_RSA] = "RSA",
	};
	return names[kind];
}

enum vendor_key_kind vendor_kind_of(const EVP_PKEY *pkey)
{
	char group[32];
	size_t size;
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return VENDOR_RSA;
	if (!EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_get_group_name(pkey, group, sizeof(group), &size) <= 0)
		return VENDOR_KEY_OTHER;
	if (strcmp(group, SN_X9_62_prime256v1) == 0)
		return VENDOR_P256;
	return strcmp(group, SN_secp384r1) == 0 ? VENDOR_P384 : VENDOR_KEY_OTHER;
}

static int nid_of(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object;
	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	return OBJ_obj2nid(object);
}

/* Are the parameters those of `hash` everywhere, with a salt as long? */
static bool pss_is(const RSA_PSS_PARAMS *pss, int hash, long size)
{
	if (!pss->hashAlgorithm || !pss->maskGenAlgorithm || !pss->saltLength ||
	    nid_of(pss->hashAlgorithm) != hash || nid_of(pss->maskGenAlgorithm) != NID_mgf1)
		return false;
	int type;
	const void *value;
	X509_ALGOR_get0(NULL, &type, &value, pss->maskGenAlgorithm);
	if (type != V_ASN1_SEQUENCE)
		return false;
	const unsigned char *at = ASN1_STRING_get0_data(value);
	X509_ALGOR *mask = d2i_X509_ALGOR(NULL, &at, ASN1_STRING_length(value));
	bool is = mask && nid_of(mask) == hash;
	X509_ALGOR_free(mask);
	return is && ASN1_INTEGER_get(pss->saltLength) == size &&
	       (!pss->trailerField || ASN1_INTEGER_get(pss->trailerField) == 1);
}

static enum vendor_algorithm pss_of(const X509_ALGOR *algorithm)
{
	int type;
	const void *value;
	enum vendor_algorithm found = 0;
	X509_ALGOR_get0(NULL, &type, &value, algorithm);
	if (type != V_ASN1_SEQUENCE)
		return 0;
	const unsigned char *at = ASN1_STRING_get0_data(value);
	RSA_PSS_PARAMS *pss = d2i_RSA_PSS_PARAMS(NULL, &at, ASN1_STRING_length(value));
	if (pss && pss_is(pss, NID_sha384, 48))
		found = VENDOR_RSA_PSS_SHA384;
	else if (pss && pss_is(pss, NID_sha256, 32))
		found = VENDOR_RSA_PSS_SHA256;
	RSA_PSS_PARAMS_free(pss);
	ERR_clear_error();
	return found;
}

enum vendor_algorithm vendor_algorithm_of(const X509_ALGOR *algorithm)
{
	switch (nid_of(algorithm)) {
	case NID_ecdsa_with_SHA256: return VENDOR_ECDSA_SHA256;
	case NID_ecdsa_with_SHA384: return VENDOR_ECDSA_SHA384;
	case NID_sha256WithRSAEncryption: return VENDOR_RSA_SHA256;
	case NID_sha384WithRSAEncryption: return VENDOR_RSA_SHA384;
	case NID_rsassaPss: return pss_of(algorithm);
	default: return 0;
	}
}

static bool is_ecdsa(enum vendor_algorithm algorithm)
{
	return algorithm == VENDOR_ECDSA_SHA256 || algorithm == VENDOR_ECDSA_SHA384;
}

bool vendor_key_suits(enum vendor_key_kind kind, enum vendor_algorithm algorithm)
{
	if (algorithm == 0 || kind == VENDOR_KEY_OTHER)
		return false;
	return is_ecdsa(algorithm) == (kind == VENDOR_P256 || kind == VENDOR_P384);
}

static size_t field_size(enum vendor_key_kind kind)
{
	return kind == VENDOR_P384 ? 48 : 32;
}

/* Takes *pkey over. */
static int wrap_key(EVP_PKEY **pkey, enum vendor_key_kind kind, struct vendor_key **ret_key,
                    struct error *err)
{
	struct vendor_key *key = OPENSSL_zalloc(sizeof(*key));
	if (!key)
		return error_set(err, CELLA_ENOMEM, "no memory for a public key");
	*key = (struct vendor_key){.pkey = take_ptr(pkey), .kind = kind};
	*ret_key = key;
	return 0;
}

int vendor_key_from_point(enum vendor_key_kind kind, const void *point, size_t size,
                          struct vendor_key **ret_key, struct error *err)
{
	uint8_t octets[1 + 2 * FIELD_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	if ((kind != VENDOR_P256 && kind != VENDOR_P384) || size != 2 * field_size(kind))
		return error_set(err, CELLA_EFORMAT, "%zu bytes are no point of %s", size,
		                 vendor_key_kind_name(kind));
	memcpy(octets + 1, point, size);
	const char *group = kind == VENDOR_P384 ? SN_secp384r1 : SN_X9_62_prime256v1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets, 1 + size),
		OSSL_PARAM_construct_end(),
	};
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	cleanup_pkey EVP_PKEY *pkey = NULL;
	if (!context || EVP_PKEY_fromdata_init(context) <= 0)
		return crypto_failed("reading a public key", err);
	if (EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
		ERR_clear_error();
		return error_set(err, CELLA_EFORMAT, "the public key is no point of %s",
		                 vendor_key_kind_name(kind));
	}
	return wrap_key(&pkey, kind, ret_key, err);
}

int vendor_key_from_rsa(const void *modulus, size_t size, uint32_t exponent, struct vendor_key **ret_key,
                        struct error *err)
{
	if (size * 8 < VENDOR_RSA_BITS_MIN || size * 8 > VENDOR_RSA_BITS_MAX || exponent < 3 ||
	    exponent % 2 == 0 || *(const uint8_t *)modulus < 0x80)
		return error_set(
			err, CELLA_EFORMAT,
			"an RSA key of %zu bytes and the exponent %u is not used: it has %d to %d bits", size,
			exponent, VENDOR_RSA_BITS_MIN, VENDOR_RSA_BITS_MAX);
	uint8_t *native = OPENSSL_malloc(size); /* little-endian, as machines are that this is compiled for */
	if (!native)
		return error_set(err, CELLA_ENOMEM, "no memory for a public key");
	for (size_t i = 0; i < size; i++)
		native[i] = ((const uint8_t *)modulus)[size - 1 - i];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, native, size),
		OSSL_PARAM_construct_uint32(OSSL_PKEY_PARAM_RSA_E, &exponent),
		OSSL_PARAM_construct_end(),
	};
	cleanup_pkey EVP_PKEY *pkey = NULL;
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	bool made = context && EVP_PKEY_fromdata_init(context) > 0 &&
	            EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) > 0;
	OPENSSL_free(native);
	if (!made)
		return crypto_failed("reading a public key", err);
	return wrap_key(&pkey, VENDOR_RSA, ret_key, err);
}

int vendor_key_hash(const struct vendor_key *key, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	uint8_t digest[CRYPTO_SHA256_SIZE];
	unsigned char *der = NULL;
	cert_start();
	const int size = i2d_PUBKEY(key->pkey, &der);
	bool hashed = size > 0 && EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL) > 0;
	OPENSSL_free(der);
	if (!hashed)
		return crypto_failed("hashing a public key", err);
	io_hex(digest, sizeof(digest), ret_hash);
	return 0;
}

void vendor_key_free(struct vendor_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	OPENSSL_free(key);
}

enum vendor_key_kind vendor_key_kind(const struct vendor_key *key)
{
	return key->kind;
}

/* An INTEGER from big-endian bytes; returns where it ends. */
static uint8_t *put_integer(uint8_t *to, const uint8_t *bytes, size_t size)
{
	while (size > 1 && *bytes == 0)
		bytes++, size--;
	const bool pad = *bytes >= 0x80;
	*to++ = V_ASN1_INTEGER;
	*to++ = (uint8_t)(size + pad);
	if (pad)
		*to++ = 0;
	memcpy(to, bytes, size);
	return to + size;
}

/* r || s as a SEQUENCE of two INTEGERs; each is at most 49 bytes, so that all lengths take one byte. */
static size_t ecdsa_der(const uint8_t *signature, size_t field, uint8_t to[SIGNATURE_DER_MAX])
{
	uint8_t *end = put_integer(to + 2, signature, field);
	end = put_integer(end, signature + field, field);
	to[0] = V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED;
	to[1] = (uint8_t)(end - to - 2);
	return (size_t)(end - to);
}

static const EVP_MD *digest_of(enum vendor_algorithm algorithm)
{
	switch (algorithm) {
	case VENDOR_ECDSA_SHA384:
	case VENDOR_RSA_SHA384:
	case VENDOR_RSA_PSS_ANY_SHA384:
	case VENDOR_RSA_PSS_SHA384: return crypto_algorithms()->sha384;
	default: return EVP_sha256();
	}
}

static bool set_padding(EVP_PKEY_CTX *context, enum vendor_algorithm algorithm)
{
	switch (algorithm) {
	case VENDOR_RSA_SHA256:
	case VENDOR_RSA_SHA384: return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
	case VENDOR_RSA_PSS_SHA256:
	case VENDOR_RSA_PSS_SHA384:
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
	case VENDOR_RSA_PSS_ANY_SHA256:
	case VENDOR_RSA_PSS_ANY_SHA384:
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_AUTO) > 0;
	default: return true;
	}
}

static int verify_digest(const struct vendor_key *key, enum vendor_algorithm algorithm, const uint8_t *digest,
                         size_t digest_size, const uint8_t *signature, size_t signature_size,
                         struct error *err)
{
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	if (!context || EVP_PKEY_verify_init(context) <= 0 || !set_padding(context, algorithm) ||
	    EVP_PKEY_CTX_set_signature_md(context, digest_of(algorithm)) <= 0)
		return crypto_failed("checking a signature", err);
	int holds = EVP_PKEY_verify(context, signature, signature_size, digest, digest_size);
	ERR_clear_error();
	return holds == 1 ? 0 : error_set(err, CELLA_EAUTH, "the signature does not hold");
}

int vendor_key_verify(const struct vendor_key *key, enum vendor_algorithm algorithm, const void *data,
                      size_t size, const void *signature, size_t signature_size, struct error *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE], der[SIGNATURE_DER_MAX];
	unsigned digest_size;
	if (!vendor_key_suits(key->kind, algorithm))
		return error_set(err, CELLA_EAUTH, "a key of the kind %s does not sign with %s",
		                 vendor_key_kind_name(key->kind), vendor_algorithm_name(algorithm));
	if (is_ecdsa(algorithm)) {
		if (signature_size != 2 * field_size(key->kind))
			return error_set(err, CELLA_EAUTH, "a signature of %s has %zu bytes, not %zu",
			                 vendor_key_kind_name(key->kind), 2 * field_size(key->kind),
			                 signature_size);
		signature_size = ecdsa_der(signature, field_size(key->kind), der);
		signature = der;
	}
	if (EVP_Digest(data, size, digest, &digest_size, digest_of(algorithm), NULL) <= 0)
		return crypto_failed("hashing what is signed", err);
	return verify_digest(key, algorithm, digest, digest_size, signature, signature_size, err);
}
