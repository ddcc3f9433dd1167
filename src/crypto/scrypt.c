#include <openssl/core_names.h>

#include "crypto/crypto.h"
#include "crypto/openssl.h"

static void kdf_context_cleanup(EVP_KDF_CTX **c)
{
	EVP_KDF_CTX_free(*c);
}

uint64_t crypto_scrypt_size(const struct crypto_scrypt *cost)
{
	return (uint64_t)128 * cost->r << cost->log_n;
}

static bool is_bounded(const struct crypto_scrypt *cost)
{
	return cost->log_n >= 1 && cost->log_n <= CRYPTO_SCRYPT_LOG_N_MAX && cost->r >= 1 &&
	       cost->r <= CRYPTO_SCRYPT_R_MAX && cost->p >= 1 && cost->p <= CRYPTO_SCRYPT_P_MAX;
}

int crypto_scrypt(const void *password, size_t password_size, const void *salt, size_t salt_size,
                  const struct crypto_scrypt *cost, void *ret_key, size_t size, struct error *err)
{
	if (!is_bounded(cost))
		return error_set(err, CELLA_EINVAL,
		                 "scrypt with N = 2^%u, r = %u, p = %u: at most 2^%d, %d, %d are taken",
		                 cost->log_n, cost->r, cost->p, CRYPTO_SCRYPT_LOG_N_MAX, CRYPTO_SCRYPT_R_MAX,
		                 CRYPTO_SCRYPT_P_MAX);
	uint64_t n = (uint64_t)1 << cost->log_n, most = 2 * crypto_scrypt_size(cost) + (1 << 20);
	uint32_t r = cost->r, p = cost->p;
	static char nothing[1];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD,
	                                          password_size ? (void *)(uintptr_t)password : nothing,
	                                          password_size),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
	                                          salt_size ? (void *)(uintptr_t)salt : nothing, salt_size),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &most),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *c
		__attribute__((cleanup(kdf_context_cleanup))) = EVP_KDF_CTX_new(crypto_algorithms()->scrypt);
	if (!c || EVP_KDF_derive(c, ret_key, size, params) <= 0)
		return crypto_failed("scrypt", err);
	return 0;
}
