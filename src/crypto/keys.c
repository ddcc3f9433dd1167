#include "crypto/keys.h"

#include <string.h>

#include "crypto/crypto.h"
#include "crypto/openssl.h"

static void pkey_cleanup(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
#define cleanup_pkey __attribute__((cleanup(pkey_cleanup)))

/* The public key that belongs to a private one. */
static int public_of(int type, const uint8_t private_key[32], uint8_t ret_public[32], struct error *err)
{
	size_t size = 32;
	cleanup_pkey EVP_PKEY *key = EVP_PKEY_new_raw_private_key(type, NULL, private_key, 32);
	if (!key || EVP_PKEY_get_raw_public_key(key, ret_public, &size) <= 0 || size != 32)
		return crypto_failed("making a key pair", err);
	return 0;
}

static int generate(int type, uint8_t ret_private[32], uint8_t ret_public[32], struct error *err)
{
	cleanup_wipe uint8_t private_key[32];
	uint8_t public_key[32];
	int rc = crypto_random(private_key, sizeof(private_key), err);
	if (rc == 0)
		rc = public_of(type, private_key, public_key, err);
	if (rc < 0)
		return rc;
	memcpy(ret_private, private_key, sizeof(private_key));
	memcpy(ret_public, public_key, sizeof(public_key));
	return 0;
}

int crypto_x25519_generate(struct crypto_key_pair *ret, struct error *err)
{
	return generate(EVP_PKEY_X25519, ret->private_key, ret->public_key, err);
}

int crypto_x25519_derive(const uint8_t key[CRYPTO_KEY_SIZE], const void *info, size_t info_size,
                         struct crypto_key_pair *ret, struct error *err)
{
	cleanup_wipe uint8_t private_key[CRYPTO_X25519_SIZE];
	struct crypto_deriver *deriver;
	int rc = crypto_deriver_new(key, &deriver, err);
	if (rc < 0)
		return rc;
	rc = crypto_derive(deriver, info, info_size, private_key, err);
	crypto_deriver_free(deriver);
	return rc == 0 ? keys_x25519_load(private_key, ret, err) : rc;
}

int keys_x25519_load(const uint8_t private_key[CRYPTO_X25519_SIZE], struct crypto_key_pair *ret,
                     struct error *err)
{
	uint8_t public_key[CRYPTO_X25519_SIZE];
	int rc = public_of(EVP_PKEY_X25519, private_key, public_key, err);
	if (rc < 0)
		return rc;
	memcpy(ret->private_key, private_key, CRYPTO_X25519_SIZE);
	memcpy(ret->public_key, public_key, CRYPTO_X25519_SIZE);
	return 0;
}

int keys_x25519(const uint8_t private_key[CRYPTO_X25519_SIZE], const uint8_t public_key[CRYPTO_X25519_SIZE],
                uint8_t ret_shared[CRYPTO_X25519_SIZE], struct error *err)
{
	size_t size = CRYPTO_X25519_SIZE;
	cleanup_pkey EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, size);
	cleanup_pkey EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, size);
	cleanup_pkey_context EVP_PKEY_CTX *c = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
	if (!c || !peer || EVP_PKEY_derive_init(c) <= 0 || EVP_PKEY_derive_set_peer(c, peer) <= 0)
		return crypto_failed("X25519", err);
	/* Fails, by RFC 7748 section 6.1, only where the shared secret is zero. */
	if (EVP_PKEY_derive(c, ret_shared, &size) <= 0 || size != CRYPTO_X25519_SIZE) {
		(void)crypto_failed("X25519", NULL);
		return error_set(err, CELLA_EAUTH, "a public key of X25519 has small order");
	}
	return 0;
}

int crypto_signer_generate(struct crypto_signer *ret, struct error *err)
{
	return generate(EVP_PKEY_ED25519, ret->private_key, ret->public_key, err);
}

int crypto_signer_load(const uint8_t private_key[CRYPTO_ED25519_SIZE], struct crypto_signer *ret,
                       struct error *err)
{
	uint8_t public_key[CRYPTO_ED25519_SIZE];
	int rc = public_of(EVP_PKEY_ED25519, private_key, public_key, err);
	if (rc < 0)
		return rc;
	memcpy(ret->private_key, private_key, CRYPTO_ED25519_SIZE);
	memcpy(ret->public_key, public_key, CRYPTO_ED25519_SIZE);
	return 0;
}

int crypto_sign(const struct crypto_signer *signer, const void *data, size_t size,
                uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE], struct error *err)
{
	size_t written = CRYPTO_SIGNATURE_SIZE;
	cleanup_pkey EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, signer->private_key,
	                                                          CRYPTO_ED25519_SIZE);
	cleanup_digest EVP_MD_CTX *c = EVP_MD_CTX_new();
	if (!key || !c || EVP_DigestSignInit(c, NULL, NULL, NULL, key) <= 0 ||
	    EVP_DigestSign(c, ret_signature, &written, data, size) <= 0 || written != CRYPTO_SIGNATURE_SIZE)
		return crypto_failed("signing with Ed25519", err);
	return 0;
}

int crypto_verify(const uint8_t public_key[CRYPTO_ED25519_SIZE], const void *data, size_t size,
                  const uint8_t signature[CRYPTO_SIGNATURE_SIZE], struct error *err)
{
	cleanup_pkey EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key,
	                                                         CRYPTO_ED25519_SIZE);
	cleanup_digest EVP_MD_CTX *c = EVP_MD_CTX_new();
	if (!key || !c || EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) <= 0)
		return crypto_failed("verifying with Ed25519", err);
	if (EVP_DigestVerify(c, signature, CRYPTO_SIGNATURE_SIZE, data, size) != 1) {
		(void)crypto_failed("verifying with Ed25519", NULL);
		return error_set(err, CELLA_EAUTH, "the Ed25519 signature does not hold");
	}
	return 0;
}
