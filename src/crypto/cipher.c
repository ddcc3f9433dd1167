#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypto/crypto.h"
#include "crypto/openssl.h"

enum { UPDATE_MAX = 1 << 30 }; /* EVP counts in int */

struct crypto_aead {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

struct crypto_prf {
	EVP_CIPHER_CTX *ecb;
};

int crypto_aead_new(struct crypto_aead **ret, struct error *err)
{
	struct crypto_aead *a = OPENSSL_zalloc(sizeof(*a));
	if (!a)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cipher");
	const EVP_CIPHER *gcm = crypto_algorithms()->aes_256_gcm;
	a->seal = EVP_CIPHER_CTX_new();
	a->open = EVP_CIPHER_CTX_new();
	if (!a->seal || !a->open || EVP_EncryptInit_ex2(a->seal, gcm, NULL, NULL, NULL) <= 0 ||
	    EVP_DecryptInit_ex2(a->open, gcm, NULL, NULL, NULL) <= 0) {
		crypto_aead_free(a);
		return crypto_failed("AES-256-GCM", err);
	}
	*ret = a;
	return 0;
}

void crypto_aead_free(struct crypto_aead *a)
{
	if (!a)
		return;
	EVP_CIPHER_CTX_free(a->seal);
	EVP_CIPHER_CTX_free(a->open);
	OPENSSL_free(a);
}

/* Feed `size` bytes to the cipher; `out` NULL: as additional data. */
static bool update(EVP_CIPHER_CTX *c, uint8_t *out, const uint8_t *in, size_t size)
{
	for (size_t done = 0; done < size; done += UPDATE_MAX) {
		int part = (int)min_of((size_t)UPDATE_MAX, size - done), written;
		if (EVP_CipherUpdate(c, out ? out + done : NULL, &written, in + done, part) <= 0 ||
		    written != part)
			return false;
	}
	return true;
}

static int begin(EVP_CIPHER_CTX *c, const uint8_t *key, const uint8_t *nonce, const struct crypto_part *aad,
                 size_t aad_count, struct error *err)
{
	bool ok = EVP_CipherInit_ex2(c, NULL, key, nonce, -1, NULL) > 0;
	for (size_t i = 0; ok && i < aad_count; i++)
		ok = update(c, NULL, aad[i].data, aad[i].size);
	return ok ? 0 : crypto_failed("keying AES-256-GCM", err);
}

int crypto_aead_seal_begin(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                           const uint8_t nonce[CRYPTO_NONCE_SIZE], const struct crypto_part *aad,
                           size_t aad_count, struct error *err)
{
	return begin(a->seal, key, nonce, aad, aad_count, err);
}

int crypto_aead_seal_update(struct crypto_aead *a, const void *in, size_t size, void *out, struct error *err)
{
	return update(a->seal, out, in, size) ? 0 : crypto_failed("sealing with AES-256-GCM", err);
}

int crypto_aead_seal_finish(struct crypto_aead *a, uint8_t ret_tag[CRYPTO_TAG_SIZE], struct error *err)
{
	int written;
	uint8_t none[CRYPTO_TAG_SIZE];
	if (EVP_EncryptFinal_ex(a->seal, none, &written) <= 0 ||
	    EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_SIZE, ret_tag) <= 0)
		return crypto_failed("sealing with AES-256-GCM", err);
	return 0;
}

int crypto_aead_open_begin(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                           const uint8_t nonce[CRYPTO_NONCE_SIZE], const struct crypto_part *aad,
                           size_t aad_count, struct error *err)
{
	return begin(a->open, key, nonce, aad, aad_count, err);
}

int crypto_aead_open_update(struct crypto_aead *a, const void *in, size_t size, void *out, struct error *err)
{
	return update(a->open, out, in, size) ? 0 : crypto_failed("opening with AES-256-GCM", err);
}

int crypto_aead_open_finish(struct crypto_aead *a, const uint8_t tag[CRYPTO_TAG_SIZE], struct error *err)
{
	int written;
	uint8_t expected[CRYPTO_TAG_SIZE], none[CRYPTO_TAG_SIZE];
	memcpy(expected, tag, sizeof(expected));
	if (EVP_CIPHER_CTX_ctrl(a->open, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_SIZE, expected) <= 0)
		return crypto_failed("opening with AES-256-GCM", err);
	if (EVP_DecryptFinal_ex(a->open, none, &written) <= 0)
		return error_set(err, CELLA_EAUTH, "the tag does not verify");
	return 0;
}

int crypto_aead_seal(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                     const uint8_t nonce[CRYPTO_NONCE_SIZE], const void *aad, size_t aad_size, const void *in,
                     size_t size, void *out, uint8_t ret_tag[CRYPTO_TAG_SIZE], struct error *err)
{
	struct crypto_part part = {aad, aad_size};
	int rc = crypto_aead_seal_begin(a, key, nonce, &part, 1, err);
	if (rc == 0)
		rc = crypto_aead_seal_update(a, in, size, out, err);
	return rc < 0 ? rc : crypto_aead_seal_finish(a, ret_tag, err);
}

int crypto_aead_open(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                     const uint8_t nonce[CRYPTO_NONCE_SIZE], const void *aad, size_t aad_size, const void *in,
                     size_t size, const uint8_t tag[CRYPTO_TAG_SIZE], void *out, struct error *err)
{
	struct crypto_part part = {aad, aad_size};
	int rc = crypto_aead_open_begin(a, key, nonce, &part, 1, err);
	if (rc == 0)
		rc = crypto_aead_open_update(a, in, size, out, err);
	if (rc == 0)
		rc = crypto_aead_open_finish(a, tag, err);
	if (rc < 0)
		mem_wipe(out, size);
	return rc;
}

struct crypto_fixed {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

int crypto_fixed_new(const uint8_t key[CRYPTO_KEY_SIZE], struct crypto_fixed **ret, struct error *err)
{
	struct crypto_fixed *f = OPENSSL_zalloc(sizeof(*f));
	if (!f)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cipher");
	const EVP_CIPHER *gcm = crypto_algorithms()->aes_256_gcm;
	f->seal = EVP_CIPHER_CTX_new();
	f->open = EVP_CIPHER_CTX_new();
	if (!f->seal || !f->open || EVP_EncryptInit_ex2(f->seal, gcm, key, NULL, NULL) <= 0 ||
	    EVP_DecryptInit_ex2(f->open, gcm, key, NULL, NULL) <= 0) {
		crypto_fixed_free(f);
		return crypto_failed("AES-256-GCM", err);
	}
	*ret = f;
	return 0;
}

void crypto_fixed_free(struct crypto_fixed *f)
{
	if (!f)
		return;
	EVP_CIPHER_CTX_free(f->seal);
	EVP_CIPHER_CTX_free(f->open);
	OPENSSL_free(f);
}

int crypto_fixed_seal(struct crypto_fixed *f, const uint8_t nonce[CRYPTO_NONCE_SIZE], void *data, size_t size,
                      uint8_t ret_tag[CRYPTO_TAG_SIZE])
{
	int written;
	uint8_t none[CRYPTO_TAG_SIZE];
	if (EVP_EncryptInit_ex2(f->seal, NULL, NULL, nonce, NULL) <= 0 ||
	    !update(f->seal, data, data, size) || EVP_EncryptFinal_ex(f->seal, none, &written) <= 0 ||
	    EVP_CIPHER_CTX_ctrl(f->seal, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_SIZE, ret_tag) <= 0)
		return CELLA_EBUG;
	return 0;
}

int crypto_fixed_open(struct crypto_fixed *f, const uint8_t nonce[CRYPTO_NONCE_SIZE], void *data, size_t size,
                      const uint8_t tag[CRYPTO_TAG_SIZE])
{
	int written;
	uint8_t expected[CRYPTO_TAG_SIZE], none[CRYPTO_TAG_SIZE];
	memcpy(expected, tag, sizeof(expected));
	if (EVP_DecryptInit_ex2(f->open, NULL, NULL, nonce, NULL) <= 0 ||
	    EVP_CIPHER_CTX_ctrl(f->open, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_SIZE, expected) <= 0 ||
	    !update(f->open, data, data, size))
		return CELLA_EBUG;
	return EVP_DecryptFinal_ex(f->open, none, &written) <= 0 ? CELLA_EAUTH : 0;
}

int crypto_prf_new(const uint8_t key[CRYPTO_KEY_SIZE], struct crypto_prf **ret, struct error *err)
{
	struct crypto_prf *p = OPENSSL_zalloc(sizeof(*p));
	if (!p)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cipher");
	p->ecb = EVP_CIPHER_CTX_new();
	if (!p->ecb || EVP_EncryptInit_ex2(p->ecb, crypto_algorithms()->aes_256_ecb, key, NULL, NULL) <= 0 ||
	    EVP_CIPHER_CTX_set_padding(p->ecb, 0) <= 0) {
		crypto_prf_free(p);
		return crypto_failed("AES-256", err);
	}
	*ret = p;
	return 0;
}

void crypto_prf_free(struct crypto_prf *p)
{
	if (!p)
		return;
	EVP_CIPHER_CTX_free(p->ecb);
	OPENSSL_free(p);
}

int crypto_prf_block(struct crypto_prf *p, const uint8_t in[16], uint8_t out[16], struct error *err)
{
	int written;
	if (EVP_EncryptUpdate(p->ecb, out, &written, in, 16) <= 0 || written != 16)
		return crypto_failed("AES-256", err);
	return 0;
}
