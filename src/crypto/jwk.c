#include "crypto/jwk.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include "base/cleanup.h"
#include "crypto/crypto.h"
#include "crypto/jwk_openssl.h"
#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

static const struct {
	const char *name, *group;
	size_t field;
} kinds[JWK_KINDS] = {
	[JWK_RSA] = {"RSA", NULL, 0},
	[JWK_P256] = {"P-256", SN_X9_62_prime256v1, 32},
	[JWK_P384] = {"P-384", SN_secp384r1, 48},
	[JWK_P521] = {"P-521", SN_secp521r1, 66},
};

const char *jwk_kind_name(enum jwk_kind kind)
{
	return kinds[kind].name;
}

size_t jwk_field_size(enum jwk_kind kind)
{
	return kinds[kind].field;
}

const char *jwk_group(enum jwk_kind kind)
{
	return kinds[kind].group;
}

static void params_cleanup(OSSL_PARAM **params)
{
	OSSL_PARAM_free(*params);
}
static void builder_cleanup(OSSL_PARAM_BLD **builder)
{
	OSSL_PARAM_BLD_free(*builder);
}
#define cleanup_params __attribute__((cleanup(params_cleanup)))
#define cleanup_builder __attribute__((cleanup(builder_cleanup)))

/* Takes over `pkey`. */
static int key_wrap(EVP_PKEY *pkey, enum jwk_kind kind, struct jwk **ret_key, struct error *err)
{
	struct jwk *key = OPENSSL_zalloc(sizeof(*key));
	if (!key) {
		EVP_PKEY_free(pkey);
		return error_set(err, CELLA_ENOMEM, "no memory for a public key");
	}
	*key = (struct jwk){.pkey = pkey, .kind = kind};
	*ret_key = key;
	return 0;
}

static int key_of(const char *type, OSSL_PARAM *params, enum jwk_kind kind, struct jwk **ret_key,
                  struct error *err)
{
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;
	if (!context || EVP_PKEY_fromdata_init(context) <= 0)
		return crypto_failed("reading a public key", err);
	if (EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
		ERR_clear_error();
		return error_set(err, CELLA_EFORMAT, "it is no public key of the kind %s", kinds[kind].name);
	}
	return key_wrap(pkey, kind, ret_key, err);
}

/* An exponent that is odd, and not so small that what is encrypted without padding would be plain to see. */
static int check_rsa(const BIGNUM *n, const BIGNUM *e, struct error *err)
{
	enum { EXPONENT_MIN = 65537, EXPONENT_BITS_MAX = 32 };
	const int bits = BN_num_bits(n);
	if (bits < JWK_RSA_BITS_MIN || bits > JWK_RSA_BITS_MAX)
		return error_set(err, CELLA_EFORMAT, "a key of RSA has %d to %d bits, not %d",
		                 JWK_RSA_BITS_MIN, JWK_RSA_BITS_MAX, bits);
	if (!BN_is_odd(n))
		return error_set(err, CELLA_EFORMAT, "the modulus of the key of RSA is even");
	if (!BN_is_odd(e) || BN_num_bits(e) > EXPONENT_BITS_MAX || BN_get_word(e) < EXPONENT_MIN)
		return error_set(
			err, CELLA_EFORMAT,
			"the exponent of the key of RSA is not an odd number of %d or more and %d bits "
			"at most",
			EXPONENT_MIN, EXPONENT_BITS_MAX);
	return 0;
}

int jwk_from_rsa(const void *n, size_t n_size, const void *e, size_t e_size, struct jwk **ret_key,
                 struct error *err)
{
	if (n_size > JWK_RSA_BITS_MAX / 8 + 1 || e_size > JWK_RSA_BITS_MAX / 8)
		return error_set(err, CELLA_EFORMAT, "a key of RSA has %d bits at most", JWK_RSA_BITS_MAX);
	cleanup_number BIGNUM *modulus = BN_bin2bn(n, (int)n_size, NULL);
	cleanup_number BIGNUM *exponent = BN_bin2bn(e, (int)e_size, NULL);
	if (!modulus || !exponent)
		return crypto_failed("reading a public key", err);
	int rc = check_rsa(modulus, exponent, err);
	if (rc < 0)
		return rc;
	cleanup_builder OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	cleanup_params OSSL_PARAM *params = NULL;
	if (builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) > 0 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) > 0)
		params = OSSL_PARAM_BLD_to_param(builder);
	return params ? key_of("RSA", params, JWK_RSA, ret_key, err)
	              : crypto_failed("reading a public key", err);
}

int jwk_from_point(enum jwk_kind kind, const void *x, const void *y, struct jwk **ret_key, struct error *err)
{
	uint8_t point[1 + 2 * JWK_FIELD_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	const size_t field = kinds[kind].field;
	if (field == 0)
		return error_set(err, CELLA_EINVAL, "a key of the kind %s has no point", kinds[kind].name);
	memcpy(point + 1, x, field);
	memcpy(point + 1 + field, y, field);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
	                                         (char *)(uintptr_t)kinds[kind].group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * field),
		OSSL_PARAM_construct_end(),
	};
	return key_of("EC", params, kind, ret_key, err);
}

void jwk_free(struct jwk *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	OPENSSL_free(key);
}

enum jwk_kind jwk_kind(const struct jwk *key)
{
	return key->kind;
}
