#include "crypto/wrap.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "crypto/openssl.h"
#include "crypto/vendor_openssl.h"
#include "crypto/x509_openssl.h"

enum { IV_SIZE = 16, POINT_MAX = 1 + 2 * WRAP_FIELD_MAX };

static void cipher_cleanup(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}
static void mac_cleanup(EVP_MAC_CTX **context)
{
	EVP_MAC_CTX_free(*context);
}
#define cleanup_cipher __attribute__((cleanup(cipher_cleanup)))
#define cleanup_mac __attribute__((cleanup(mac_cleanup)))

static const char *hash_name(enum crypto_hash hash)
{
	static const char *const names[CRYPTO_HASHES] = {
		[CRYPTO_SHA1] = SN_sha1,
		[CRYPTO_SHA256] = SN_sha256,
		[CRYPTO_SHA384] = SN_sha384,
		[CRYPTO_SHA512] = SN_sha512,
	};
	return names[hash];
}

/* OpenSSL frees the label itself. */
static bool set_label(EVP_PKEY_CTX *context, const void *label, size_t size)
{
	void *copy = OPENSSL_memdup(label, size);
	if (copy && EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, (int)size) > 0)
		return true;
	OPENSSL_free(copy);
	return false;
}

int wrap_oaep(const struct vendor_key *key, enum crypto_hash hash, const void *label, size_t label_size,
              const void *secret, size_t size, struct buf *ret, struct error *err)
{
	size_t wrapped = (size_t)EVP_PKEY_get_size(key->pkey);
	if (key->kind != VENDOR_RSA)
		return error_set(err, CELLA_EINVAL, "a key of the kind %s does not encrypt with RSA-OAEP",
		                 vendor_key_kind_name(key->kind));
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	if (!context || EVP_PKEY_encrypt_init(context) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md_name(context, hash_name(hash), NULL) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, hash_name(hash), NULL) <= 0 ||
	    !set_label(context, label, label_size))
		return crypto_failed("preparing RSA-OAEP", err);
	uint8_t *to = buf_reserve(ret, wrapped);
	if (!to)
		return error_set(err, CELLA_ENOMEM, "no memory for a wrapped secret");
	if (EVP_PKEY_encrypt(context, to, &wrapped, secret, size) <= 0)
		return crypto_failed("encrypting with RSA-OAEP", err);
	return 0;
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, struct wrap_exchange *to)
{
	size_t size = to->field;
	cleanup_pkey_context EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	return context && EVP_PKEY_derive_init(context) > 0 && EVP_PKEY_derive_set_peer(context, peer) > 0 &&
	       EVP_PKEY_derive(context, to->shared, &size) > 0 && size == to->field;
}

int wrap_exchange(const struct vendor_key *key, struct wrap_exchange *ret, struct error *err)
{
	struct wrap_exchange made = {.field = key->kind == VENDOR_P384 ? 48 : 32};
	uint8_t point[POINT_MAX];
	size_t size = 0;
	if (key->kind != VENDOR_P256 && key->kind != VENDOR_P384)
		return error_set(err, CELLA_EINVAL, "a key of the kind %s does not agree on secrets",
		                 vendor_key_kind_name(key->kind));
	const char *group = key->kind == VENDOR_P384 ? SN_secp384r1 : SN_X9_62_prime256v1;
	cleanup_pkey EVP_PKEY *own = EVP_EC_gen(group);
	if (!own ||
	    EVP_PKEY_get_octet_string_param(own, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &size) <= 0 ||
	    size != 1 + 2 * made.field || !derive(own, key->pkey, &made))
		return crypto_failed("agreeing on a secret", err);
	memcpy(made.x, point + 1, made.field);
	memcpy(made.y, point + 1 + made.field, made.field);
	*ret = made;
	mem_wipe(&made, sizeof(made));
	return 0;
}

int wrap_hmac(enum crypto_hash hash, const void *key, size_t key_size, const struct crypto_part *parts,
              size_t count, uint8_t ret_mac[CRYPTO_HASH_MAX], struct error *err)
{
	size_t size;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)hash_name(hash),
	                                         0),
		OSSL_PARAM_construct_end(),
	};
	cleanup_mac EVP_MAC_CTX *context = EVP_MAC_CTX_new(crypto_algorithms()->hmac);
	bool ok = context && EVP_MAC_init(context, key, key_size, params) > 0;
	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_MAC_update(context, parts[i].data, parts[i].size) > 0;
	if (!ok || EVP_MAC_final(context, ret_mac, &size, CRYPTO_HASH_MAX) <= 0)
		return crypto_failed("HMAC", err);
	return 0;
}

int wrap_cfb(const void *key, size_t key_size, const void *in, size_t size, void *out, struct error *err)
{
	static const uint8_t iv[IV_SIZE];
	int done = 0;
	const EVP_CIPHER *cipher = key_size == 16   ? EVP_aes_128_cfb128()
	                           : key_size == 24 ? EVP_aes_192_cfb128()
	                                            : EVP_aes_256_cfb128();
	if (key_size != (size_t)EVP_CIPHER_get_key_length(cipher) || size > WRAP_SECRET_MAX + 2)
		return error_set(err, CELLA_EINVAL, "AES-CFB of %zu bytes with a key of %zu", size, key_size);
	cleanup_cipher EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	if (!context || EVP_EncryptInit_ex2(context, cipher, key, iv, NULL) <= 0 ||
	    EVP_EncryptUpdate(context, out, &done, in, (int)size) <= 0 || (size_t)done != size)
		return crypto_failed("AES-CFB", err);
	return 0;
}
