/* Private keys of connections, and the hashes that name keys. */
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/crypto.h"
#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

static void add_digests(void)
{
	EVP_add_digest(EVP_sha256());
	EVP_add_digest(EVP_sha384());
}

void cert_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, add_digests);
}

static bool has_group(const EVP_PKEY *key, const char *group)
{
	char name[32];
	size_t size;
	return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, name, sizeof(name), &size) > 0 &&
	       strcmp(name, group) == 0;
}

bool cert_key_is_p256(const EVP_PKEY *key)
{
	return has_group(key, SN_X9_62_prime256v1);
}

bool cert_key_accepted(const EVP_PKEY *key)
{
	return cert_key_is_p256(key) || has_group(key, SN_secp384r1) || EVP_PKEY_is_a(key, "ED25519");
}

/* Takes over `pkey`. */
static int key_wrap(EVP_PKEY *pkey, struct cert_key **ret_key, struct error *err)
{
	struct cert_key *key = OPENSSL_zalloc(sizeof(*key));
	if (!key) {
		EVP_PKEY_free(pkey);
		return error_set(err, CELLA_ENOMEM, "no protected memory for a private key");
	}
	key->pkey = pkey;
	*ret_key = key;
	return 0;
}

int cert_key_generate(struct cert_key **ret_key, struct error *err)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	if (!pkey)
		return crypto_failed("making a P-256 key", err);
	return key_wrap(pkey, ret_key, err);
}

/* Without it OpenSSL would ask at the terminal. */
static int no_passphrase(char *to not_used, int size not_used, int writes not_used, void *arg not_used)
{
	return -1;
}

int cert_key_read(const void *pem, size_t size, struct cert_key **ret_key, struct error *err)
{
	if (size > CERT_TEXT_MAX)
		return error_set(err, CELLA_ELIMIT, "a private key in PEM has %d bytes at most, not %zu",
		                 CERT_TEXT_MAX, size);
	cleanup_bio BIO *bio = BIO_new_mem_buf(pem, (int)size);
	cleanup_pkey EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	if (!pkey)
		return error_set(err, CELLA_EFORMAT, "this is no private key in PEM (PKCS#8, not encrypted)");
	if (!cert_key_is_p256(pkey))
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "the private key is of another kind than P-256: make one with cella, or "
		                 "with openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
	return key_wrap(take_ptr(&pkey), ret_key, err);
}

int cert_key_write(const struct cert_key *key, char *to, size_t *ret_size, struct error *err)
{
	char *text;
	cleanup_bio BIO *bio = BIO_new(BIO_s_secmem());
	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) <= 0)
		return crypto_failed("writing a private key", err);
	long size = BIO_get_mem_data(bio, &text);
	if (size <= 0 || size > CERT_KEY_PEM_MAX)
		return error_set(err, CELLA_EBUG, "a private key takes %ld bytes", size);
	memcpy(to, text, (size_t)size);
	mem_wipe(text, (size_t)size);
	*ret_size = (size_t)size;
	return 0;
}

int cert_key_public(const struct cert_key *key, uint8_t *to, size_t *ret_size, struct error *err)
{
	int size = i2d_PUBKEY(key->pkey, NULL);
	if (size <= 0 || size > CERT_PUBLIC_MAX || i2d_PUBKEY(key->pkey, &to) != size)
		return crypto_failed("writing a public key", err);
	*ret_size = (size_t)size;
	return 0;
}

int cert_key_write_public(const struct cert_key *key, struct buf *to, struct error *err)
{
	char *text;
	cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
	if (!bio || PEM_write_bio_PUBKEY(bio, key->pkey) <= 0)
		return crypto_failed("writing a public key", err);
	long size = BIO_get_mem_data(bio, &text);
	buf_put(to, text, (size_t)size);
	return to->failed ? error_set(err, CELLA_ENOMEM, "no memory for a public key") : 0;
}

static int hash_text(const void *der, size_t size, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	uint8_t digest[CRYPTO_SHA256_SIZE];
	if (EVP_Digest(der, size, digest, NULL, EVP_sha256(), NULL) <= 0)
		return crypto_failed("SHA-256", err);
	io_hex(digest, sizeof(digest), ret_hash);
	return 0;
}

int cert_key_hash(const struct cert_key *key, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	uint8_t der[CERT_PUBLIC_MAX];
	size_t size = 0;
	int rc = cert_key_public(key, der, &size, err);
	return rc < 0 ? rc : hash_text(der, size, ret_hash, err);
}

int cert_hash_of(const X509 *x509, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	unsigned char *der = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &der);
	if (size <= 0)
		return crypto_failed("reading a certificate's key", err);
	int rc = hash_text(der, (size_t)size, ret_hash, err);
	OPENSSL_free(der);
	return rc;
}

int cert_key_hash_parse(const char *text, const char *what, char ret_hash[CERT_KEY_HASH_SIZE],
                        struct error *err)
{
	char hash[CERT_KEY_HASH_SIZE];
	size_t size = strlen(text);
	if (size != CERT_KEY_HASH_SIZE - 1 || strspn(text, "0123456789abcdefABCDEF") != size)
		return error_set(err, CELLA_EINVAL,
		                 "%s is no hash of a key: it has 64 digits of hexadecimal, the SHA-256 of "
		                 "a public key",
		                 what);
	for (size_t i = 0; i < sizeof(hash); i++)
		hash[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

void cert_key_free(struct cert_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	OPENSSL_free(key);
}
