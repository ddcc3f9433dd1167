/*
 * Cryptography: the only user of OpenSSL's EVP.
 *
 * Keys are passed as structures in protected memory or as byte arrays on a protected stack; the
 * contexts that OpenSSL allocates come from the process's protected pool once crypto_init was
 * called with one. Nothing here logs, formats or compares secrets other than in constant time.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/mem.h"

enum {
	CRYPTO_KEY_SIZE = 32,    /* AES-256, HKDF-SHA256 output */
	CRYPTO_NONCE_SIZE = 12,  /* AES-GCM */
	CRYPTO_TAG_SIZE = 16,    /* AES-GCM */
	CRYPTO_SALT_SIZE = 16,
	CRYPTO_SHA256_SIZE = 32,
	CRYPTO_SHA384_SIZE = 48,
	CRYPTO_X25519_SIZE = 32, /* public and private key */
	CRYPTO_ED25519_SIZE = 32,
	CRYPTO_SIGNATURE_SIZE = 64,
	CRYPTO_HPKE_OVERHEAD = CRYPTO_X25519_SIZE + CRYPTO_TAG_SIZE,
};

/* `cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];`: a key, or what is as long and gives one away, is wiped on
 * every way out of its block. */
static inline void crypto_wipe_key(uint8_t (*key)[CRYPTO_KEY_SIZE])
{
	mem_wipe(key, sizeof(*key));
}
#define cleanup_wipe __attribute__((cleanup(crypto_wipe_key)))

/* Before any other use of OpenSSL in the process: its allocations come from `pool` (NULL: the
 * ordinary heap), no configuration file is read, no engine is loaded. Once. Threads may use OpenSSL
 * then, one at a time in `pool`; whoever else uses that pool is the one thread that it belongs to. */
int crypto_init(struct mem_pool *pool, struct error *err) must_check;

int crypto_random(void *to, size_t size, struct error *err) must_check;
bool crypto_equal(const void *a, const void *b, size_t size); /* constant time */

/* Random salts, drawn from the kernel a few at a time; never the same ones in a forked child. For
 * salts only, which are no secrets. One thread. */
struct crypto_salts;
int crypto_salts_new(struct crypto_salts **ret_salts, struct error *err) must_check;
void crypto_salts_free(struct crypto_salts *salts);
int crypto_salt(struct crypto_salts *salts, uint8_t ret_salt[CRYPTO_SALT_SIZE], struct error *err) must_check;

int crypto_sha384(const void *data, size_t size, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                  struct error *err) must_check;
struct crypto_part {
	const void *data;
	size_t size;
};

/* What logs and evidence of hardware are hashed with; for those alone, SHA-1 being among them. */
enum crypto_hash { CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512, CRYPTO_HASHES };
enum { CRYPTO_HASH_MAX = 64 };
size_t crypto_hash_size(enum crypto_hash hash);
/* Of parts one after another, with nothing between them, crypto_hash_size bytes. */
int crypto_hash(enum crypto_hash hash, const struct crypto_part *parts, size_t count,
                uint8_t ret_digest[CRYPTO_HASH_MAX], struct error *err) must_check;

/* Of several parts one after another, each preceded by its 64-bit little-endian size, so that
 * no two lists of parts hash alike. */
int crypto_sha384_parts(const struct crypto_part *parts, size_t count, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                        struct error *err) must_check;

/* HKDF-SHA256 (RFC 5869). */
int crypto_hkdf(const void *key, size_t key_size, const void *salt, size_t salt_size, const void *info,
                size_t info_size, void *ret_key, size_t size, struct error *err) must_check;

/*
 * scrypt (RFC 7914) of a password, N = 2^log_n. It takes crypto_scrypt_size bytes of protected memory while
 * it runs, and time in proportion to them and to p. CELLA_EINVAL beyond the bounds, which keep a stored cost
 * from taking more than 1 GiB; CELLA_ENOMEM.
 */
enum { CRYPTO_SCRYPT_LOG_N_MAX = 20, CRYPTO_SCRYPT_R_MAX = 8, CRYPTO_SCRYPT_P_MAX = 16 };
struct crypto_scrypt {
	uint32_t log_n, r, p;
};
uint64_t crypto_scrypt_size(const struct crypto_scrypt *cost);
int crypto_scrypt(const void *password, size_t password_size, const void *salt, size_t salt_size,
                  const struct crypto_scrypt *cost, void *ret_key, size_t size, struct error *err) must_check;

/*
 * A deriver holds a 32-byte uniform key K ready for fast derivation:
 * HKDF-Expand(K, info, 32) of RFC 5869 with one block of output (K is a PRK, section 3.3).
 */
struct crypto_deriver;
int crypto_deriver_new(const uint8_t key[CRYPTO_KEY_SIZE], struct crypto_deriver **ret,
                       struct error *err) must_check;
void crypto_deriver_free(struct crypto_deriver *d);
int crypto_derive(struct crypto_deriver *d, const void *info, size_t info_size,
                  uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err) must_check;

/*
 * AES-256-GCM with contexts that are set up once and re-keyed per message (re-keying costs a
 * key expansion, not an allocation). `out` may equal `in`. Open returns CELLA_EAUTH and wipes
 * `out` when the tag does not verify. One thread.
 */
struct crypto_aead;
int crypto_aead_new(struct crypto_aead **ret, struct error *err) must_check;
void crypto_aead_free(struct crypto_aead *a);
int crypto_aead_seal(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                     const uint8_t nonce[CRYPTO_NONCE_SIZE], const void *aad, size_t aad_size, const void *in,
                     size_t size, void *out, uint8_t ret_tag[CRYPTO_TAG_SIZE], struct error *err) must_check;
int crypto_aead_open(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                     const uint8_t nonce[CRYPTO_NONCE_SIZE], const void *aad, size_t aad_size, const void *in,
                     size_t size, const uint8_t tag[CRYPTO_TAG_SIZE], void *out,
                     struct error *err) must_check;
/*
 * The same in steps: one begin, any number of updates, one finish, on one key at a time. The
 * additional data comes in parts, authenticated as if they were one: the caller sees to it that
 * no two lists of parts join to the same bytes. Nothing that open_update gave may be used before
 * open_finish returned 0; the caller wipes it otherwise.
 *
 * OpenSSL reads ciphertext twice, once to hash and once to decrypt, and what it encrypted again
 * from `out` to hash it. So neither may lie in memory that another process can write to.
 */
int crypto_aead_seal_begin(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                           const uint8_t nonce[CRYPTO_NONCE_SIZE], const struct crypto_part *aad,
                           size_t aad_count, struct error *err) must_check;
int crypto_aead_seal_update(struct crypto_aead *a, const void *in, size_t size, void *out,
                            struct error *err) must_check;
int crypto_aead_seal_finish(struct crypto_aead *a, uint8_t ret_tag[CRYPTO_TAG_SIZE],
                            struct error *err) must_check;
int crypto_aead_open_begin(struct crypto_aead *a, const uint8_t key[CRYPTO_KEY_SIZE],
                           const uint8_t nonce[CRYPTO_NONCE_SIZE], const struct crypto_part *aad,
                           size_t aad_count, struct error *err) must_check;
int crypto_aead_open_update(struct crypto_aead *a, const void *in, size_t size, void *out,
                            struct error *err) must_check;
int crypto_aead_open_finish(struct crypto_aead *a, const uint8_t tag[CRYPTO_TAG_SIZE],
                            struct error *err) must_check;

/*
 * AES-256-GCM under one key that stays, for many pieces of data under nonces that the caller counts (a
 * nonce under which two things are sealed gives both away). In place. After crypto_fixed_new it neither
 * allocates nor locks, so that it may be used where a signal has interrupted either. Open returns
 * CELLA_EAUTH when the tag does not verify, and what lies at `data` then is to be wiped. One thread.
 */
struct crypto_fixed;
int crypto_fixed_new(const uint8_t key[CRYPTO_KEY_SIZE], struct crypto_fixed **ret,
                     struct error *err) must_check;
void crypto_fixed_free(struct crypto_fixed *f);
int crypto_fixed_seal(struct crypto_fixed *f, const uint8_t nonce[CRYPTO_NONCE_SIZE], void *data, size_t size,
                      uint8_t ret_tag[CRYPTO_TAG_SIZE]) must_check;
int crypto_fixed_open(struct crypto_fixed *f, const uint8_t nonce[CRYPTO_NONCE_SIZE], void *data, size_t size,
                      const uint8_t tag[CRYPTO_TAG_SIZE]) must_check;

/*
 * A pseudo-random function on 16-byte blocks (AES-256, one block), for receipts:
 * docs/protocols/seal.md.
 */
struct crypto_prf;
int crypto_prf_new(const uint8_t key[CRYPTO_KEY_SIZE], struct crypto_prf **ret, struct error *err) must_check;
void crypto_prf_free(struct crypto_prf *p);
int crypto_prf_block(struct crypto_prf *p, const uint8_t in[16], uint8_t out[16],
                     struct error *err) must_check;

/*
 * HPKE base mode, single shot (RFC 9180 sections 5.1.1 and 6.1):
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The sealed form is enc || ct || tag,
 * CRYPTO_HPKE_OVERHEAD bytes longer than the plaintext.
 */
struct crypto_key_pair {
	uint8_t private_key[CRYPTO_X25519_SIZE];
	uint8_t public_key[CRYPTO_X25519_SIZE];
};
int crypto_x25519_generate(struct crypto_key_pair *ret, struct error *err) must_check;
/* Always the same pair of a uniform key: HKDF-Expand(key, info, 32) is its private key. */
int crypto_x25519_derive(const uint8_t key[CRYPTO_KEY_SIZE], const void *info, size_t info_size,
                         struct crypto_key_pair *ret, struct error *err) must_check;
int crypto_hpke_seal(const uint8_t public_key[CRYPTO_X25519_SIZE], const void *info, size_t info_size,
                     const void *aad, size_t aad_size, const void *in, size_t size, uint8_t *out,
                     struct error *err) must_check;
int crypto_hpke_open(const struct crypto_key_pair *pair, const void *info, size_t info_size, const void *aad,
                     size_t aad_size, const uint8_t *in, size_t size, uint8_t *out,
                     struct error *err) must_check;

/* Ed25519 (RFC 8032). verify: CELLA_EAUTH when it does not hold. */
struct crypto_signer {
	uint8_t private_key[CRYPTO_ED25519_SIZE];
	uint8_t public_key[CRYPTO_ED25519_SIZE];
};
int crypto_signer_generate(struct crypto_signer *ret, struct error *err) must_check;
/* From the private key's 32 bytes. */
int crypto_signer_load(const uint8_t private_key[CRYPTO_ED25519_SIZE], struct crypto_signer *ret,
                       struct error *err) must_check;
int crypto_sign(const struct crypto_signer *signer, const void *data, size_t size,
                uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE], struct error *err) must_check;
int crypto_verify(const uint8_t public_key[CRYPTO_ED25519_SIZE], const void *data, size_t size,
                  const uint8_t signature[CRYPTO_SIGNATURE_SIZE], struct error *err) must_check;
/* Before a key of somebody else is trusted. CELLA_EINVAL: it is none (no point of the curve, or written in
 * another way than its own), or one of small order, under which signatures hold that anybody can make. */
int crypto_ed25519_check(const uint8_t public_key[CRYPTO_ED25519_SIZE], struct error *err) must_check;

#endif
