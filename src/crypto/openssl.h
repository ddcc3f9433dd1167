/*
 * What the files of this layer share: the algorithms, fetched once by crypto_init, and OpenSSL's
 * failures as errors.
 */
#ifndef CRYPTO_OPENSSL_H
#define CRYPTO_OPENSSL_H

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/error.h"

struct crypto_algorithms {
	EVP_CIPHER *aes_256_gcm;
	EVP_CIPHER *aes_256_ecb;
	EVP_MD *sha384;
	EVP_MAC *hmac;
	EVP_KDF *scrypt;
};

/* NULL before crypto_init. */
const struct crypto_algorithms *crypto_algorithms(void);

static inline void crypto_pkey_context_cleanup(EVP_PKEY_CTX **context)
{
	EVP_PKEY_CTX_free(*context);
}
static inline void crypto_digest_cleanup(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}
static inline void crypto_number_cleanup(BIGNUM **number)
{
	BN_free(*number);
}
#define cleanup_pkey_context __attribute__((cleanup(crypto_pkey_context_cleanup)))
#define cleanup_digest __attribute__((cleanup(crypto_digest_cleanup)))
#define cleanup_number __attribute__((cleanup(crypto_number_cleanup)))

/* The failure of OpenSSL in `what`, mostly for want of memory; empties its queue of errors. */
int crypto_failed(const char *what, struct error *err);

#endif
