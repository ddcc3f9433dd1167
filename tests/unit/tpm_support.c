/* The keys of a TPM of our own: public areas, signatures, credentials. */
#include "tpm_support.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>

#include "tpm_soft.h"

EVP_PKEY *soft_ak_keys[SOFT_KINDS], *soft_ek_keys[SOFT_EKS], *soft_root_key, *soft_other_rsa, *soft_other_ec,
	*soft_iak_key;

int soft_start(void)
{
	EVP_add_digest(EVP_sha256());
	EVP_add_digest(EVP_sha384());
	soft_ak_keys[SOFT_RSASSA] = EVP_RSA_gen(2048);
	soft_ak_keys[SOFT_RSAPSS] = EVP_RSA_gen(2048);
	soft_ak_keys[SOFT_P256] = EVP_EC_gen("P-256");
	soft_ak_keys[SOFT_P384] = EVP_EC_gen("P-384");
	soft_ek_keys[SOFT_EK_RSA] = EVP_RSA_gen(2048);
	soft_ek_keys[SOFT_EK_P256] = EVP_EC_gen("P-256");
	soft_ek_keys[SOFT_EK_P384] = EVP_EC_gen("P-384");
	soft_root_key = EVP_EC_gen("P-256");
	soft_iak_key = EVP_EC_gen("P-256");
	soft_other_rsa = EVP_RSA_gen(2048);
	soft_other_ec = EVP_EC_gen("P-256");
	return soft_other_ec && soft_other_rsa && soft_root_key ? 0 : -1;
}

void soft_stop(void)
{
	for (size_t i = 0; i < SOFT_KINDS; i++)
		EVP_PKEY_free(soft_ak_keys[i]);
	for (size_t i = 0; i < SOFT_EKS; i++)
		EVP_PKEY_free(soft_ek_keys[i]);
	EVP_PKEY_free(soft_root_key);
	EVP_PKEY_free(soft_iak_key);
	EVP_PKEY_free(soft_other_rsa);
	EVP_PKEY_free(soft_other_ec);
}

/* ---- public areas ---- */

static void put_modulus(const EVP_PKEY *key, struct buf *to)
{
	BIGNUM *n = NULL;
	uint8_t bytes[512];
	must(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n));
	const int size = BN_bn2bin(n, bytes);
	tpm_put_2b(to, bytes, (size_t)size);
	BN_free(n);
}

static size_t point_of(const EVP_PKEY *key, uint8_t point[97])
{
	size_t size = 0;
	must(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, 97, &size));
	return (size - 1) / 2;
}

static void put_point(const EVP_PKEY *key, struct buf *to)
{
	uint8_t point[97];
	const size_t field = point_of(key, point);
	tpm_put_2b(to, point + 1, field);
	tpm_put_2b(to, point + 1 + field, field);
}

static uint16_t curve_of(const EVP_PKEY *key)
{
	return EVP_PKEY_get_bits(key) == 384 ? TPM_CURVE_P384 : TPM_CURVE_P256;
}

uint16_t soft_hash_of(enum soft_kind kind)
{
	return kind == SOFT_P384 ? TPM_ALG_SHA384 : TPM_ALG_SHA256;
}

uint16_t soft_scheme_of(enum soft_kind kind)
{
	static const uint16_t schemes[] = {TPM_ALG_RSASSA, TPM_ALG_RSAPSS, TPM_ALG_ECDSA, TPM_ALG_ECDSA};
	return schemes[kind];
}

void soft_ak_public(enum soft_kind kind, uint32_t attributes, struct buf *to)
{
	const EVP_PKEY *key = soft_ak_keys[kind];
	const bool is_rsa = kind == SOFT_RSASSA || kind == SOFT_RSAPSS;
	tpm_put_u16(to, is_rsa ? TPM_ALG_RSA : TPM_ALG_ECC);
	tpm_put_u16(to, soft_hash_of(kind));
	tpm_put_u32(to, attributes);
	tpm_put_2b(to, "", 0);
	tpm_put_u16(to, TPM_ALG_NULL);
	tpm_put_u16(to, soft_scheme_of(kind));
	tpm_put_u16(to, soft_hash_of(kind));
	if (is_rsa) {
		tpm_put_u16(to, 2048);
		tpm_put_u32(to, 0);
		put_modulus(key, to);
	} else {
		tpm_put_u16(to, curve_of(key));
		tpm_put_u16(to, TPM_ALG_NULL);
		put_point(key, to);
	}
}

void soft_ek_public(enum soft_ek ek, struct buf *to)
{
	static const uint8_t policy[32] = {0x83, 0x71, 0x97};
	const EVP_PKEY *key = soft_ek_keys[ek];
	tpm_put_u16(to, ek == SOFT_EK_RSA ? TPM_ALG_RSA : TPM_ALG_ECC);
	tpm_put_u16(to, ek == SOFT_EK_P384 ? TPM_ALG_SHA384 : TPM_ALG_SHA256);
	tpm_put_u32(to, TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN | TPM_RESTRICTED |
	                        TPM_DECRYPT | 1 << 7);
	tpm_put_2b(to, policy, sizeof(policy));
	tpm_put_u16(to, TPM_ALG_AES);
	tpm_put_u16(to, ek == SOFT_EK_P384 ? 256 : 128);
	tpm_put_u16(to, TPM_ALG_CFB);
	tpm_put_u16(to, TPM_ALG_NULL);
	if (ek == SOFT_EK_RSA) {
		tpm_put_u16(to, 2048);
		tpm_put_u32(to, 0);
		put_modulus(key, to);
	} else {
		tpm_put_u16(to, curve_of(key));
		tpm_put_u16(to, TPM_ALG_NULL);
		put_point(key, to);
	}
}

/* ---- signatures ---- */

static void put_ecdsa(const uint8_t *der, size_t size, struct buf *to)
{
	const unsigned char *at = der;
	const BIGNUM *numbers[2];
	uint8_t bytes[64];
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)size);
	must(pair);
	ECDSA_SIG_get0(pair, &numbers[0], &numbers[1]);
	for (size_t i = 0; i < 2; i++) { /* as short as they are: a TPM may leave zeros out, too */
		const int length = BN_bn2bin(numbers[i], bytes);
		tpm_put_2b(to, bytes, (size_t)length);
	}
	ECDSA_SIG_free(pair);
}

void soft_sign(EVP_PKEY *key, uint16_t scheme, uint16_t hash, const struct buf *data, struct buf *to)
{
	uint8_t signature[512];
	size_t size = sizeof(signature);
	EVP_PKEY_CTX *context;
	const EVP_MD *md = hash == TPM_ALG_SHA384 ? EVP_sha384() : EVP_sha256();
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	must(c && EVP_DigestSignInit(c, &context, md, NULL, key) > 0);
	if (scheme == TPM_ALG_RSAPSS) /* a TPM's salt is as long as fits, or as the hash */
		must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_MAX) > 0);
	must(EVP_DigestSign(c, signature, &size, data->data, data->size) > 0);
	EVP_MD_CTX_free(c);
	tpm_put_u16(to, scheme);
	tpm_put_u16(to, hash);
	if (scheme == TPM_ALG_ECDSA)
		put_ecdsa(signature, size, to);
	else
		tpm_put_2b(to, signature, size);
}

/* ---- credentials: OpenSSL's own KDFs, where Cella writes them out ---- */

/* KDFa is KBKDF in counter mode with a 32-bit counter (SP 800-108): label, zero, context, bits. */
static void kdf_a(const char *hash, const uint8_t *seed, size_t seed_size, const char *label,
                  const void *context, size_t context_size, uint8_t *to, size_t size)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
	char mac[] = "HMAC", mode[] = "COUNTER";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("mac", mac, 0),
		OSSL_PARAM_construct_utf8_string("mode", mode, 0),
		OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t)hash, 0),
		OSSL_PARAM_construct_octet_string("key", (void *)(uintptr_t)seed, seed_size),
		OSSL_PARAM_construct_octet_string("salt", (void *)(uintptr_t)label, strlen(label)),
		OSSL_PARAM_construct_octet_string("info", (void *)(uintptr_t)context, context_size),
		OSSL_PARAM_construct_end(),
	};
	must(c && EVP_KDF_derive(c, to, size, params) > 0);
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
}

/* KDFe is the one-step KDF of SP 800-56C, which OpenSSL calls SSKDF. */
static void kdf_e(const char *hash, const uint8_t *z, size_t field, const void *info, size_t info_size,
                  uint8_t *to, size_t size)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SSKDF", NULL);
	EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t)hash, 0),
		OSSL_PARAM_construct_octet_string("key", (void *)(uintptr_t)z, field),
		OSSL_PARAM_construct_octet_string("info", (void *)(uintptr_t)info, info_size),
		OSSL_PARAM_construct_end(),
	};
	must(c && EVP_KDF_derive(c, to, size, params) > 0);
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
}

static bool rsa_seed(EVP_PKEY *key, struct tpm_bytes wrapped, uint8_t seed[64])
{
	uint8_t plain[512];
	size_t size = sizeof(plain);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	void *label = OPENSSL_memdup("IDENTITY", 9);
	must(c && EVP_PKEY_decrypt_init(c) > 0 &&
	     EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) > 0 &&
	     EVP_PKEY_CTX_set_rsa_oaep_md_name(c, "SHA256", NULL) > 0 &&
	     EVP_PKEY_CTX_set0_rsa_oaep_label(c, label, 9) > 0);
	const bool opened = EVP_PKEY_decrypt(c, plain, &size, wrapped.data, wrapped.size) > 0 && size == 32;
	EVP_PKEY_CTX_free(c);
	if (opened)
		memcpy(seed, plain, 32);
	return opened;
}

static EVP_PKEY *peer_of(EVP_PKEY *own, struct tpm_bytes x, struct tpm_bytes y)
{
	uint8_t point[97] = {4};
	EVP_PKEY *peer = EVP_PKEY_new();
	memcpy(point + 1, x.data, x.size);
	memcpy(point + 1 + x.size, y.data, y.size);
	must(peer && EVP_PKEY_copy_parameters(peer, own) > 0);
	if (EVP_PKEY_set1_encoded_public_key(peer, point, 1 + x.size + y.size) <= 0) {
		EVP_PKEY_free(peer);
		return NULL;
	}
	return peer;
}

static bool ecc_seed(EVP_PKEY *key, const char *hash, struct tpm_bytes wrapped, uint8_t *seed, size_t size)
{
	struct reader r = reader_of(wrapped.data, wrapped.size);
	const struct tpm_bytes x = tpm_2b(&r), y = tpm_2b(&r);
	uint8_t own[97], z[48], info[9 + 96] = "IDENTITY";
	const size_t field = point_of(key, own);
	size_t z_size = field;
	if (!reader_finished(&r) || x.size != field || y.size != field)
		return false;
	EVP_PKEY *peer = peer_of(key, x, y);
	if (!peer)
		return false;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	must(c && EVP_PKEY_derive_init(c) > 0 && EVP_PKEY_derive_set_peer(c, peer) > 0 &&
	     EVP_PKEY_derive(c, z, &z_size) > 0);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(peer);
	memcpy(info + 9, x.data, field);
	memcpy(info + 9 + field, own + 1, field);
	kdf_e(hash, z, field, info, 9 + 2 * field, seed, size);
	return true;
}

static bool open_blob(const char *hash, size_t size, size_t key_size, const uint8_t *seed,
                      const struct tpm_name *ak, const struct buf *blob, uint8_t *ret_secret,
                      size_t *ret_size)
{
	static const uint8_t iv[16];
	struct reader outer = reader_of(blob->data, blob->size);
	const struct tpm_bytes whole = tpm_2b(&outer);
	struct reader r = reader_of(whole.data, whole.size);
	const struct tpm_bytes mac = tpm_2b(&r);
	const size_t hidden_size = reader_left(&r);
	const uint8_t *hidden = reader_bytes(&r, hidden_size);
	uint8_t key[64], covered[256], found[64], plain[128];
	int done = 0;
	if (!reader_finished(&outer) || !hidden || mac.size != size || hidden_size > 66)
		return false;
	kdf_a(hash, seed, size, "INTEGRITY", "", 0, key, size);
	memcpy(covered, hidden, hidden_size);
	memcpy(covered + hidden_size, ak->bytes, ak->size);
	const EVP_MD *md = size == 48 ? EVP_sha384() : EVP_sha256();
	must(HMAC(md, key, (int)size, covered, hidden_size + ak->size, found, NULL));
	if (!crypto_equal(found, mac.data, size))
		return false;
	kdf_a(hash, seed, size, "STORAGE", ak->bytes, ak->size, key, key_size);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	must(c &&
	     EVP_DecryptInit_ex(c, key_size == 32 ? EVP_aes_256_cfb128() : EVP_aes_128_cfb128(), NULL, key,
	                        iv) &&
	     EVP_DecryptUpdate(c, plain, &done, hidden, (int)hidden_size));
	EVP_CIPHER_CTX_free(c);
	struct reader text = reader_of(plain, (size_t)done);
	const struct tpm_bytes secret = tpm_2b(&text);
	if (!reader_finished(&text) || secret.size > CRYPTO_HASH_MAX)
		return false;
	memcpy(ret_secret, secret.data, secret.size);
	*ret_size = secret.size;
	return true;
}

bool soft_activate(enum soft_ek ek, const struct tpm_name *ak, const struct tpm_credential *credential,
                   uint8_t ret_secret[CRYPTO_HASH_MAX], size_t *ret_size)
{
	const char *hash = ek == SOFT_EK_P384 ? "SHA384" : "SHA256";
	const size_t size = ek == SOFT_EK_P384 ? 48 : 32;
	uint8_t seed[64];
	struct reader r = reader_of(credential->secret.data, credential->secret.size);
	const struct tpm_bytes wrapped = tpm_2b(&r);
	if (!reader_finished(&r))
		return false;
	const bool opened = ek == SOFT_EK_RSA ? rsa_seed(soft_ek_keys[ek], wrapped, seed)
	                                      : ecc_seed(soft_ek_keys[ek], hash, wrapped, seed, size);
	return opened && open_blob(hash, size, ek == SOFT_EK_P384 ? 32 : 16, seed, ak, &credential->blob,
	                           ret_secret, ret_size);
}
