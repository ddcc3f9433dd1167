#include <string.h>

#include "crypto/crypto.h"
#include "crypto/openssl.h"

static bool digest_part(EVP_MD_CTX *c, const struct crypto_part *part)
{
	uint8_t size[8];
	for (size_t i = 0; i < sizeof(size); i++)
		size[i] = (uint8_t)((uint64_t)part->size >> (8 * i));
	return EVP_DigestUpdate(c, size, sizeof(size)) > 0 && EVP_DigestUpdate(c, part->data, part->size) > 0;
}

int crypto_sha384(const void *data, size_t size, uint8_t ret_digest[CRYPTO_SHA384_SIZE], struct error *err)
{
	if (EVP_Digest(data, size, ret_digest, NULL, crypto_algorithms()->sha384, NULL) <= 0)
		return crypto_failed("SHA-384", err);
	return 0;
}

int crypto_sha384_parts(const struct crypto_part *parts, size_t count, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                        struct error *err)
{
	cleanup_digest EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestInit_ex2(c, crypto_algorithms()->sha384, NULL) > 0;
	for (size_t i = 0; ok && i < count; i++)
		ok = digest_part(c, &parts[i]);
	if (!ok || EVP_DigestFinal_ex(c, ret_digest, NULL) <= 0)
		return crypto_failed("SHA-384", err);
	return 0;
}

size_t crypto_hash_size(enum crypto_hash hash)
{
	static const size_t sizes[CRYPTO_HASHES] = {
		[CRYPTO_SHA1] = 20,
		[CRYPTO_SHA256] = 32,
		[CRYPTO_SHA384] = CRYPTO_SHA384_SIZE,
		[CRYPTO_SHA512] = CRYPTO_HASH_MAX,
	};
	return sizes[hash];
}

static const EVP_MD *digest_of(enum crypto_hash hash)
{
	switch (hash) {
	case CRYPTO_SHA1: return EVP_sha1();
	case CRYPTO_SHA256: return EVP_sha256();
	case CRYPTO_SHA384: return crypto_algorithms()->sha384;
	default: return EVP_sha512();
	}
}

int crypto_hash(enum crypto_hash hash, const struct crypto_part *parts, size_t count,
                uint8_t ret_digest[CRYPTO_HASH_MAX], struct error *err)
{
	cleanup_digest EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestInit_ex2(c, digest_of(hash), NULL) > 0;
	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(c, parts[i].data, parts[i].size) > 0;
	if (!ok || EVP_DigestFinal_ex(c, ret_digest, NULL) <= 0)
		return crypto_failed("hashing", err);
	return 0;
}
