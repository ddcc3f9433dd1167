#include <string.h>

#include "crypto/crypto.h"
#include "crypto/openssl.h"

static void digest_cleanup(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

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
	EVP_MD_CTX *c __attribute__((cleanup(digest_cleanup))) = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestInit_ex2(c, crypto_algorithms()->sha384, NULL) > 0;
	for (size_t i = 0; ok && i < count; i++)
		ok = digest_part(c, &parts[i]);
	if (!ok || EVP_DigestFinal_ex(c, ret_digest, NULL) <= 0)
		return crypto_failed("SHA-384", err);
	return 0;
}
