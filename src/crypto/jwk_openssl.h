/* The inside of a guest's public key, for crypto/jw*.c. */
#ifndef CRYPTO_JWK_OPENSSL_H
#define CRYPTO_JWK_OPENSSL_H

#include <openssl/evp.h>

#include "crypto/jwk.h"

struct jwk {
	EVP_PKEY *pkey;
	enum jwk_kind kind;
};

/* OpenSSL's name of the curve. */
const char *jwk_group(enum jwk_kind kind);

#endif
