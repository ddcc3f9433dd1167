/*
 * The vault: the CAS's master key and signing key, sealed in a file, and the sealing of records under them.
 *
 * The file is sealed by a passphrase (scrypt, RFC 7914; the cost is stored and bounded) or by a key file.
 * Every record is sealed under a key of its own that is derived from the master key and from what the record
 * is, so that one that was moved to another place, or put back from another revision, does not open as it.
 *
 * Keys and plaintext lie in the pool that the vault is given, which belongs to the thread that uses the vault
 * (NULL: the ordinary heap, wiped all the same), and in OpenSSL's allocations (crypto_init).
 *
 * Threats: the file and the records are the attacker's to read, change and put back. What is changed does
 * not open. An old copy of the whole file does, with the passphrase of its time: docs/protocols/cas-store.md.
 *
 * Format: cas/records/vault_format.h.
 */
#ifndef CAS_VAULT_H
#define CAS_VAULT_H

#include "base/buf.h"
#include "crypto/crypto.h"

enum {
	VAULT_CAS_SIZE = 16,
	VAULT_MASTERS_MAX = 2,
	VAULT_RECORD_OVERHEAD = 48,
	VAULT_PASSPHRASE_MIN = 8, /* bytes */
	VAULT_PASSPHRASE_MAX = 1024,
	/* 32 MiB and about 0.1 s on one core. The least that is taken, written or stored, is 16 MiB. */
	VAULT_SCRYPT_LOG_N = 15,
	VAULT_SCRYPT_LOG_N_MIN = 14,
};

enum vault_sealing_kind { VAULT_PASSPHRASE = 1, VAULT_KEY_FILE = 2 };

/* What a vault is sealed by; borrowed. */
struct vault_sealing {
	enum vault_sealing_kind kind;
	const void *passphrase; /* in protected memory; the caller wipes it */
	size_t passphrase_size;
	uint32_t scrypt_log_n; /* 0: VAULT_SCRYPT_LOG_N; for what is written, what is opened says its own */
	const char *key_file;  /* regular, of mode 0600 or less, this user's or root's */
	/* The key file may lie in the vault's directory, where who copies the one copies the other. */
	bool insecure_key_inside;
};

struct vault;

/* Bytes in the vault's pool. */
struct vault_bytes {
	struct mem_pool *pool;
	uint8_t *data;
	size_t size;
};
int vault_bytes_new(struct mem_pool *pool, size_t size, struct vault_bytes *ret_bytes,
                    struct error *err) must_check;
/* Wiped. Zeroed bytes are fine. */
void vault_bytes_done(struct vault_bytes *bytes);
#define cleanup_vault_bytes __attribute__((cleanup(vault_bytes_done)))

/* 32 random bytes in a new file with mode 0600. CELLA_EEXIST. */
int vault_key_file_create(const char *path, struct error *err) must_check;

/* A new one, with new keys, in a new file (CELLA_EEXIST). `path` is borrowed for the call. */
int vault_create(const char *path, const struct vault_sealing *sealing, struct mem_pool *pool,
                 struct vault **ret_vault, struct error *err) must_check;
/* CELLA_EAUTH: the passphrase or key file is wrong, or the file was changed: these cannot be told apart. */
int vault_open(const char *path, const struct vault_sealing *sealing, struct mem_pool *pool,
               struct vault **ret_vault, struct error *err) must_check;
/* The same from the bytes of a file; `path` is where it will be written to (vault_write), and names it. */
int vault_open_bytes(const void *data, size_t size, const char *path, const struct vault_sealing *sealing,
                     struct mem_pool *pool, struct vault **ret_vault, struct error *err) must_check;
void vault_free(struct vault *v);

const uint8_t *vault_cas(const struct vault *v);        /* VAULT_CAS_SIZE bytes */
const uint8_t *vault_public_key(const struct vault *v); /* CRYPTO_ED25519_SIZE bytes */
struct mem_pool *vault_pool(const struct vault *v);

/* The file, again: durable, or as it was. A file that does not yet exist is made. */
int vault_write(struct vault *v, struct error *err) must_check;
/* The file's bytes, appended. */
int vault_export(struct vault *v, struct buf *ret, struct error *err) must_check;
/* Sealed by something else from now on. A failure leaves it as it was. */
int vault_reseal(struct vault *v, const struct vault_sealing *sealing, struct error *err) must_check;

/*
 * Master keys have generations. vault_renew adds one, which seals from then on; vault_retire drops the one
 * before, when nothing is sealed by it any more. Both write the file.
 */
uint32_t vault_generation(const struct vault *v);
/* The one before; 0: there is none. */
uint32_t vault_generation_before(const struct vault *v);
int vault_renew(struct vault *v, struct error *err) must_check;
int vault_retire(struct vault *v, struct error *err) must_check;

/* What a record is. The id is bytes. */
struct vault_id {
	uint16_t kind;
	uint64_t revision;
	const void *id;
	size_t id_size;
};

/* Appends the sealed form of the parts, one after another. */
int vault_seal(struct vault *v, const struct vault_id *id, const struct crypto_part *parts, size_t count,
               struct buf *ret, struct error *err) must_check;
/* CELLA_EAUTH: it is not that record, or was changed. */
int vault_unseal(struct vault *v, const struct vault_id *id, const void *sealed, size_t size,
                 struct vault_bytes *ret_bytes, struct error *err) must_check;

/* What a sealed record says it is, unverified. Together salt and tag are its *mark*: no two sealings share
 * one. CELLA_EFORMAT. */
enum { VAULT_MARK_SIZE = CRYPTO_SALT_SIZE + CRYPTO_TAG_SIZE };
struct vault_record {
	uint16_t kind;
	uint32_t generation;
	uint64_t revision;
	uint8_t mark[VAULT_MARK_SIZE];
};
int vault_record_decode(const void *sealed, size_t size, struct vault_record *ret_record,
                        struct error *err) must_check;

/* HKDF-Expand(master key of that generation, info). The info begins with a label of vault_format.h. */
int vault_derive(struct vault *v, uint32_t generation, const void *info, size_t size,
                 uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err) must_check;
int vault_sign(struct vault *v, const void *data, size_t size, uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE],
               struct error *err) must_check;

#endif
