/* The names are those of RFC 9180; the numbers in comments are its sections. */
#include "crypto/hpke.h"

#include <string.h>

#include "crypto/kdf.h"
#include "crypto/keys.h"

enum { SUITE_MAX = 10, MODE_BASE = 0 };

struct suite {
	uint8_t id[SUITE_MAX];
	size_t size;
};

/* 4.1 and 5.1: KEM 0x0020 DHKEM(X25519, HKDF-SHA256), KDF 0x0001 HKDF-SHA256. */
static const struct suite kem_suite = {.id = {'K', 'E', 'M', 0, 0x20}, .size = 5};

static struct suite hpke_suite(enum hpke_aead aead)
{
	return (struct suite){.id = {'H', 'P', 'K', 'E', 0, 0x20, 0, 1, 0, (uint8_t)aead}, .size = 10};
}

static const char version[] = "HPKE-v1";

/* 4: LabeledExtract. */
static int labeled_extract(const struct suite *suite, const char *label, const void *ikm, size_t ikm_size,
                           const void *salt, size_t salt_size, uint8_t ret_prk[CRYPTO_SHA256_SIZE],
                           struct error *err)
{
	const struct crypto_part parts[] = {
		{version, sizeof(version) - 1},
		{suite->id, suite->size},
		{label, strlen(label)},
		{ikm, ikm_size},
	};
	return kdf_hmac(salt, salt_size, parts, array_count(parts), ret_prk, err);
}

/* 4: LabeledExpand. */
static int labeled_expand(const struct suite *suite, const uint8_t prk[CRYPTO_SHA256_SIZE], const char *label,
                          const void *info, size_t info_size, void *ret, size_t size, struct error *err)
{
	const uint8_t length[2] = {(uint8_t)(size >> 8), (uint8_t)size};
	const struct crypto_part parts[] = {
		{length, sizeof(length)}, {version, sizeof(version) - 1},
		{suite->id, suite->size}, {label, strlen(label)},
		{info, info_size},
	};
	return kdf_expand(prk, parts, array_count(parts), ret, size, err);
}

int hpke_shared_secret(const uint8_t private_key[CRYPTO_X25519_SIZE], const uint8_t peer[CRYPTO_X25519_SIZE],
                       const uint8_t enc[CRYPTO_X25519_SIZE], const uint8_t receiver[CRYPTO_X25519_SIZE],
                       uint8_t ret_secret[CRYPTO_SHA256_SIZE], struct error *err)
{
	cleanup_wipe uint8_t dh[CRYPTO_X25519_SIZE];
	cleanup_wipe uint8_t prk[CRYPTO_SHA256_SIZE];
	uint8_t kem_context[2 * CRYPTO_X25519_SIZE];
	memcpy(kem_context, enc, CRYPTO_X25519_SIZE);
	memcpy(kem_context + CRYPTO_X25519_SIZE, receiver, CRYPTO_X25519_SIZE);
	int rc = keys_x25519(private_key, peer, dh, err);
	if (rc == 0)
		rc = labeled_extract(&kem_suite, "eae_prk", dh, sizeof(dh), NULL, 0, prk, err);
	if (rc == 0)
		rc = labeled_expand(&kem_suite, prk, "shared_secret", kem_context, sizeof(kem_context),
		                    ret_secret, CRYPTO_SHA256_SIZE, err);
	return rc;
}

/* 5.1: key_schedule_context = mode || psk_id_hash || info_hash, without a pre-shared key. */
static int schedule_context(const struct suite *suite, const void *info, size_t info_size,
                            uint8_t ret_context[1 + 2 * CRYPTO_SHA256_SIZE], struct error *err)
{
	ret_context[0] = MODE_BASE;
	int rc = labeled_extract(suite, "psk_id_hash", NULL, 0, NULL, 0, ret_context + 1, err);
	if (rc == 0)
		rc = labeled_extract(suite, "info_hash", info, info_size, NULL, 0,
		                     ret_context + 1 + CRYPTO_SHA256_SIZE, err);
	return rc;
}

int hpke_key_schedule(const uint8_t shared_secret[CRYPTO_SHA256_SIZE], const void *info, size_t info_size,
                      enum hpke_aead aead, struct hpke_keys *ret_keys, struct error *err)
{
	struct suite suite = hpke_suite(aead);
	uint8_t context[1 + 2 * CRYPTO_SHA256_SIZE];
	cleanup_wipe uint8_t secret[CRYPTO_SHA256_SIZE];
	size_t key_size = aead == HPKE_AES_128_GCM ? 16 : 32;
	int rc = schedule_context(&suite, info, info_size, context, err);
	if (rc == 0)
		rc = labeled_extract(&suite, "secret", NULL, 0, shared_secret, CRYPTO_SHA256_SIZE, secret,
		                     err);
	if (rc == 0)
		rc = labeled_expand(&suite, secret, "key", context, sizeof(context), ret_keys->key, key_size,
		                    err);
	if (rc == 0)
		rc = labeled_expand(&suite, secret, "base_nonce", context, sizeof(context), ret_keys->nonce,
		                    CRYPTO_NONCE_SIZE, err);
	return rc;
}

static int setup(const uint8_t private_key[CRYPTO_X25519_SIZE], const uint8_t peer[CRYPTO_X25519_SIZE],
                 const uint8_t enc[CRYPTO_X25519_SIZE], const uint8_t receiver[CRYPTO_X25519_SIZE],
                 const void *info, size_t info_size, struct hpke_keys *ret_keys, struct error *err)
{
	cleanup_wipe uint8_t secret[CRYPTO_SHA256_SIZE];
	int rc = hpke_shared_secret(private_key, peer, enc, receiver, secret, err);
	if (rc == 0)
		rc = hpke_key_schedule(secret, info, info_size, HPKE_AES_256_GCM, ret_keys, err);
	return rc;
}

static void aead_cleanup(struct crypto_aead **a)
{
	crypto_aead_free(*a);
}
#define cleanup_aead __attribute__((cleanup(aead_cleanup)))

static void keys_wipe(struct hpke_keys *keys)
{
	mem_wipe(keys, sizeof(*keys));
}
#define cleanup_keys __attribute__((cleanup(keys_wipe)))

int hpke_seal_with(const struct crypto_key_pair *ephemeral, const uint8_t public_key[CRYPTO_X25519_SIZE],
                   const void *info, size_t info_size, const void *aad, size_t aad_size, const void *in,
                   size_t size, uint8_t *out, struct error *err)
{
	cleanup_keys struct hpke_keys keys;
	cleanup_aead struct crypto_aead *aead = NULL;
	uint8_t *ct = out + CRYPTO_X25519_SIZE;
	int rc = crypto_aead_new(&aead, err);
	if (rc == 0)
		rc = setup(ephemeral->private_key, public_key, ephemeral->public_key, public_key, info,
		           info_size, &keys, err);
	if (rc == 0)
		rc = crypto_aead_seal(aead, keys.key, keys.nonce, aad, aad_size, in, size, ct, ct + size,
		                      err);
	if (rc == 0)
		memcpy(out, ephemeral->public_key, CRYPTO_X25519_SIZE);
	return rc;
}

int crypto_hpke_seal(const uint8_t public_key[CRYPTO_X25519_SIZE], const void *info, size_t info_size,
                     const void *aad, size_t aad_size, const void *in, size_t size, uint8_t *out,
                     struct error *err)
{
	struct crypto_key_pair ephemeral;
	int rc = crypto_x25519_generate(&ephemeral, err);
	if (rc == 0)
		rc = hpke_seal_with(&ephemeral, public_key, info, info_size, aad, aad_size, in, size, out,
		                    err);
	mem_wipe(&ephemeral, sizeof(ephemeral));
	return rc;
}

int crypto_hpke_open(const struct crypto_key_pair *pair, const void *info, size_t info_size, const void *aad,
                     size_t aad_size, const uint8_t *in, size_t size, uint8_t *out, struct error *err)
{
	if (size < CRYPTO_HPKE_OVERHEAD)
		return error_set(err, CELLA_EFORMAT, "%zu bytes are too few for an HPKE message", size);
	cleanup_keys struct hpke_keys keys;
	cleanup_aead struct crypto_aead *aead = NULL;
	size_t plain_size = size - CRYPTO_HPKE_OVERHEAD;
	const uint8_t *ct = in + CRYPTO_X25519_SIZE;
	int rc = crypto_aead_new(&aead, err);
	if (rc == 0)
		rc = setup(pair->private_key, in, in, pair->public_key, info, info_size, &keys, err);
	if (rc == 0)
		rc = crypto_aead_open(aead, keys.key, keys.nonce, aad, aad_size, ct, plain_size,
		                      ct + plain_size, out, err);
	return rc;
}
