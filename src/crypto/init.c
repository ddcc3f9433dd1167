/*
 * Start-up, and the way of OpenSSL's allocations into the protected pool.
 *
 * What OpenSSL allocates while crypto_init runs is its own tables of algorithms (400 KB, no
 * secret among them), so that comes from the ordinary heap; a first touch of as much protected
 * memory would cost milliseconds. Everything after that comes from the pool, by one thread at a time.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypto/crypto.h"
#include "crypto/openssl.h"

static struct crypto_algorithms algorithms;
static struct mem_pool *openssl_pool; /* NULL: the ordinary heap */
/* Held for an allocation, which is shorter than to fall asleep over it. */
static pthread_mutex_t pool_lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
static bool started;

const struct crypto_algorithms *crypto_algorithms(void)
{
	return started ? &algorithms : NULL;
}

int crypto_failed(const char *what, struct error *err)
{
	unsigned long code = ERR_peek_last_error();
	ERR_clear_error();
	if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
		return error_set(err, CELLA_ENOMEM, "%s: no protected memory is left: raise --heap", what);
	return error_set(err, CELLA_EBUG, "%s failed in OpenSSL (error %#lx)", what, code);
}

static void *openssl_alloc(size_t size, const char *file not_used, int line not_used)
{
	if (!started)
		return malloc(size);
	pthread_mutex_lock(&pool_lock);
	void *p = mem_alloc(openssl_pool, size);
	pthread_mutex_unlock(&pool_lock);
	return p;
}

static void openssl_free(void *p, const char *file not_used, int line not_used)
{
	pthread_mutex_lock(&pool_lock);
	bool owned = mem_owns(openssl_pool, p);
	if (owned)
		mem_free(openssl_pool, p);
	pthread_mutex_unlock(&pool_lock);
	if (!owned)
		free(p);
}

/* A table of the start that grows later stays in the ordinary heap. */
static void *openssl_realloc(void *p, size_t size, const char *file, int line)
{
	if (!p)
		return openssl_alloc(size, file, line);
	if (size == 0) {
		openssl_free(p, file, line);
		return NULL;
	}
	pthread_mutex_lock(&pool_lock);
	bool owned = mem_owns(openssl_pool, p);
	void *grown = owned ? mem_realloc(openssl_pool, p, size) : NULL;
	pthread_mutex_unlock(&pool_lock);
	return owned ? grown : realloc(p, size);
}

/* A key type brings its tables with the first key; here that is one that is no secret. */
static int load_key_type(int type)
{
	static const uint8_t public_key[32] = {9};
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(type, NULL, public_key, sizeof(public_key));
	EVP_PKEY_free(key);
	return key ? 0 : -1;
}

static int fetch_algorithms(struct error *err)
{
	algorithms = (struct crypto_algorithms){
		.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
		.aes_256_ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL),
		.sha384 = EVP_MD_fetch(NULL, "SHA384", NULL),
		.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL),
		.scrypt = EVP_KDF_fetch(NULL, "SCRYPT", NULL),
	};
	if (!algorithms.aes_256_gcm || !algorithms.aes_256_ecb || !algorithms.sha384 || !algorithms.hmac ||
	    !algorithms.scrypt || load_key_type(EVP_PKEY_X25519) < 0 || load_key_type(EVP_PKEY_ED25519) < 0)
		return crypto_failed("fetching its algorithms", err);
	return 0;
}

int crypto_init(struct mem_pool *pool, struct error *err)
{
	if (started)
		return error_set(err, CELLA_EBUG, "crypto_init is called twice");
	openssl_pool = pool;
	if (pool && !CRYPTO_set_mem_functions(openssl_alloc, openssl_realloc, openssl_free))
		return error_set(err, CELLA_EBUG, "OpenSSL was used before crypto_init");
	uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
	                   OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS |
	                   OPENSSL_INIT_NO_ATEXIT;
	if (OPENSSL_init_crypto(options, NULL) <= 0)
		return crypto_failed("its start", err);
	int rc = fetch_algorithms(err);
	if (rc < 0)
		return rc;
	started = true;
	return 0;
}
