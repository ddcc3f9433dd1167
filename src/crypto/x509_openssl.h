/* The inside of keys and certificates, for this layer's own use and for net/tls.c, which gives them to
 * libssl. */
#ifndef CRYPTO_X509_OPENSSL_H
#define CRYPTO_X509_OPENSSL_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/x509.h"

struct cert_key {
	EVP_PKEY *pkey;
};

struct cert {
	X509 *x509;
};

/* Digests by the numbers that signatures name them with, which crypto_init leaves out. */
void cert_start(void);

/* Takes over `x509`, also when it fails. */
int cert_wrap(X509 *x509, struct cert **ret_cert, struct error *err) must_check;
/* Is it P-256, P-384 or Ed25519? */
bool cert_key_accepted(const EVP_PKEY *key);
bool cert_key_is_p256(const EVP_PKEY *key);
int cert_hash_of(const X509 *x509, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err) must_check;
/* CELLA_EFORMAT when there are more than CERT_NAMES_MAX, or one is too long or not printable; other kinds of
 * names are passed over. */
int cert_names_of(const X509 *x509, struct cert_names *ret_names, struct error *err) must_check;
int cert_time_of(const ASN1_TIME *time, int64_t *ret_time, struct error *err) must_check;

static inline void cert_pkey_cleanup(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
static inline void cert_bio_cleanup(BIO **bio)
{
	BIO_free(*bio);
}
static inline void cert_x509_cleanup(X509 **x509)
{
	X509_free(*x509);
}
#define cleanup_pkey __attribute__((cleanup(cert_pkey_cleanup)))
#define cleanup_bio __attribute__((cleanup(cert_bio_cleanup)))
#define cleanup_x509 __attribute__((cleanup(cert_x509_cleanup)))

#endif
