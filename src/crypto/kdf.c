#include "crypto/kdf.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "crypto/openssl.h"

struct crypto_deriver {
	EVP_MAC_CTX *hmac; /* keyed; started again for each derivation */
};

static void hmac_cleanup(EVP_MAC_CTX **c)
{
	EVP_MAC_CTX_free(*c);
}
#define cleanup_hmac __attribute__((cleanup(hmac_cleanup)))

static EVP_MAC_CTX *hmac_new(const void *key, size_t key_size)
{
	static const uint8_t empty[1];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(crypto_algorithms()->hmac);
	if (c && EVP_MAC_init(c, key_size ? key : empty, key_size, params) <= 0) {
		EVP_MAC_CTX_free(c);
		return NULL;
	}
	return c;
}

static bool hmac_run(EVP_MAC_CTX *c, const struct crypto_part *parts, size_t count,
                     uint8_t ret_mac[CRYPTO_SHA256_SIZE])
{
	size_t size;
	for (size_t i = 0; i < count; i++)
		if (parts[i].size && EVP_MAC_update(c, parts[i].data, parts[i].size) <= 0)
			return false;
	return EVP_MAC_final(c, ret_mac, &size, CRYPTO_SHA256_SIZE) > 0 && size == CRYPTO_SHA256_SIZE;
}

int kdf_hmac(const void *key, size_t key_size, const struct crypto_part *parts, size_t count,
             uint8_t ret_mac[CRYPTO_SHA256_SIZE], struct error *err)
{
	cleanup_hmac EVP_MAC_CTX *c = hmac_new(key, key_size);
	if (!c || !hmac_run(c, parts, count, ret_mac))
		return crypto_failed("HMAC-SHA256", err);
	return 0;
}

/* T(n) = HMAC(PRK, T(n-1) || info || n); the last block is cut. */
int kdf_expand(const uint8_t prk[CRYPTO_SHA256_SIZE], const struct crypto_part *info, size_t count, void *ret,
               size_t size, struct error *err)
{
	if (size > KDF_OUTPUT_MAX)
		return error_set(err, CELLA_EINVAL, "HKDF-SHA256 gives at most %d bytes", KDF_OUTPUT_MAX);
	cleanup_hmac EVP_MAC_CTX *c = hmac_new(prk, CRYPTO_SHA256_SIZE);
	if (!c)
		return crypto_failed("HKDF-SHA256", err);
	cleanup_wipe uint8_t block[CRYPTO_SHA256_SIZE];
	bool ok = true;
	for (size_t done = 0; ok && done < size; done += sizeof(block)) {
		uint8_t number = (uint8_t)(done / sizeof(block) + 1);
		struct crypto_part before = {block, done ? sizeof(block) : 0}, after = {&number, 1};
		ok = EVP_MAC_init(c, NULL, 0, NULL) > 0 &&
		     (!before.size || EVP_MAC_update(c, before.data, before.size) > 0);
		for (size_t i = 0; ok && i < count; i++)
			ok = !info[i].size || EVP_MAC_update(c, info[i].data, info[i].size) > 0;
		ok = ok && hmac_run(c, &after, 1, block);
		if (ok)
			memcpy((uint8_t *)ret + done, block, min_of(sizeof(block), size - done));
	}
	return ok ? 0 : crypto_failed("HKDF-SHA256", err);
}

int crypto_hkdf(const void *key, size_t key_size, const void *salt, size_t salt_size, const void *info,
                size_t info_size, void *ret_key, size_t size, struct error *err)
{
	cleanup_wipe uint8_t prk[CRYPTO_SHA256_SIZE];
	struct crypto_part in = {key, key_size}, context = {info, info_size};
	int rc = kdf_hmac(salt, salt_size, &in, 1, prk, err);
	return rc < 0 ? rc : kdf_expand(prk, &context, 1, ret_key, size, err);
}

int crypto_deriver_new(const uint8_t key[CRYPTO_KEY_SIZE], struct crypto_deriver **ret, struct error *err)
{
	struct crypto_deriver *d = OPENSSL_zalloc(sizeof(*d));
	if (!d)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a key");
	d->hmac = hmac_new(key, CRYPTO_KEY_SIZE);
	if (!d->hmac) {
		crypto_deriver_free(d);
		return crypto_failed("HMAC-SHA256", err);
	}
	*ret = d;
	return 0;
}

void crypto_deriver_free(struct crypto_deriver *d)
{
	if (!d)
		return;
	EVP_MAC_CTX_free(d->hmac);
	OPENSSL_free(d);
}

int crypto_derive(struct crypto_deriver *d, const void *info, size_t info_size,
                  uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err)
{
	static const uint8_t first = 1;
	struct crypto_part parts[] = {{info, info_size}, {&first, 1}};
	if (EVP_MAC_init(d->hmac, NULL, 0, NULL) <= 0 ||
	    !hmac_run(d->hmac, parts, array_count(parts), ret_key))
		return crypto_failed("HKDF-Expand", err);
	return 0;
}
