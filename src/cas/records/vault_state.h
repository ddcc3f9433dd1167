/* The inside of the vault, shared by its files. */
#ifndef CAS_VAULT_STATE_H
#define CAS_VAULT_STATE_H

#include "cas/records/vault_format.h"

struct vault_master {
	uint32_t generation;
	uint8_t key[CRYPTO_KEY_SIZE];
	struct crypto_deriver *deriver;
};

/* In protected memory, all of it. */
struct vault {
	struct mem_pool *pool;
	char *path;
	struct crypto_aead *aead;
	struct vault_header header;
	uint8_t sealing_key[CRYPTO_KEY_SIZE]; /* of scrypt, or the key file's */
	struct crypto_signer signer;
	struct vault_master masters[VAULT_MASTERS_MAX]; /* header.master_count of them, the newest first */
};

/* The key that `sealing` stands for, with the header's cost and password salt. */
int vault_sealing_key(const struct vault *v, const struct vault_sealing *sealing,
                      uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err) must_check;
/* Refuses a passphrase that is too short, an unknown kind. */
int vault_sealing_check(const struct vault_sealing *sealing, struct error *err) must_check;
/* Fills in header.sealing, cost and password salt for what is to be sealed anew. */
int vault_sealing_choose(const struct vault_sealing *sealing, struct vault_header *header,
                         struct error *err) must_check;

/* `bytes` into a file with mode 0600 beside `path`, durable, then in its place. `replace`: over what is
 * there; else CELLA_EEXIST. */
int vault_file_write(const char *path, const void *bytes, size_t size, bool replace,
                     struct error *err) must_check;

#endif
