/* Signatures by the keys of connections. */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

int cert_key_sign(const struct cert_key *key, const void *data, size_t size,
                  uint8_t ret_signature[CERT_SIGNATURE_MAX], size_t *ret_size, struct error *err)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t written = CERT_SIGNATURE_MAX;
	cert_start();
	bool signed_ = c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key->pkey) > 0 &&
	               EVP_DigestSign(c, ret_signature, &written, data, size) > 0;
	EVP_MD_CTX_free(c);
	if (!signed_)
		return crypto_failed("signing", err);
	*ret_size = written;
	return 0;
}

static int verify(EVP_PKEY *key, const void *data, size_t size, const void *signature, size_t signature_size,
                  struct error *err)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool begun = c && EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) > 0;
	bool holds = begun && EVP_DigestVerify(c, signature, signature_size, data, size) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	if (!begun)
		return error_set(err, CELLA_EIO, "cannot verify a signature");
	return holds ? 0 : error_set(err, CELLA_EAUTH, "the signature does not hold");
}

int cert_public_verify(const void *public_key, size_t public_size, const void *data, size_t size,
                       const void *signature, size_t signature_size, char ret_hash[CERT_KEY_HASH_SIZE],
                       struct error *err)
{
	const uint8_t *at = public_key;
	cert_start();
	cleanup_pkey EVP_PKEY *key = public_size <= CERT_PUBLIC_MAX ? d2i_PUBKEY(NULL, &at, (long)public_size)
	                                                            : NULL;
	ERR_clear_error();
	if (!key || at != (const uint8_t *)public_key + public_size)
		return error_set(err, CELLA_EFORMAT, "it is no public key in DER");
	if (!cert_key_is_p256(key))
		return error_set(err, CELLA_EUNSUPPORTED, "it is no key of P-256");
	const struct cert_key named = {.pkey = key};
	int rc = verify(key, data, size, signature, signature_size, err);
	return rc == 0 ? cert_key_hash(&named, ret_hash, err) : rc;
}
