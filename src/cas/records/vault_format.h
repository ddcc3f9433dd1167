/*
 * The vault's file, and what is sealed under its keys. All integers are little-endian.
 *
 * The file:
 *     at  size
 *      0     4  magic          "CCV1"
 *      4     2  version        1
 *      6     2  sealing        enum vault_sealing_kind
 *      8    16  CAS            random; names it
 *     24    32  public key     Ed25519, of what the CAS signs
 *     56    12  cost           of scrypt: u32 log2 N, r, p; zeros for a key file
 *     68     4  count          of master keys: 1; 2 while one replaces the other
 *     72    16  password salt  of scrypt; zeros for a key file
 *     88    16  salt           fresh at each writing
 *    104     -  ciphertext     32 bytes Ed25519 private key; `count` times u32 generation, 32 bytes key,
 *                              the newer one first
 *      -    16  tag
 *
 * Key = HKDF-SHA256(scrypt(passphrase, password salt) or the key file's 32 bytes, salt = password salt ||
 * salt, info = "cella vault 1"); AES-256-GCM, nonce zero (the key is used once), additional data the header.
 *
 * The key file: two lines of text, "cella cas key 1" and "key " with 64 hexadecimal digits.
 *
 * A sealed record:
 *      0     2  version        1
 *      2     2  kind
 *      4     4  generation     of the master key
 *      8     8  revision       of the record
 *     16    16  salt           fresh for this sealing
 *     32     -  ciphertext
 *      -    16  tag
 *
 * Key = HKDF-Expand(master key, "cella cas record" || CAS || header || record id); AES-256-GCM, nonce zero
 * (the salt makes the key another one at each sealing), additional data header || record id. So a record
 * opens only as what it is: this CAS's, of this kind, id and revision.
 *
 * Two more labels of the master key, neither a prefix of another: "cella cas row", "cella cas state"
 * (state.h).
 */
#ifndef CAS_VAULT_FORMAT_H
#define CAS_VAULT_FORMAT_H

#include <assert.h>

#include "cas/records/vault.h"

#define VAULT_MAGIC 0x31564343u /* "CCV1" */
#define VAULT_LABEL_FILE "cella vault 1"
#define VAULT_LABEL_RECORD "cella cas record"
#define VAULT_LABEL_ROW "cella cas row"
#define VAULT_LABEL_STATE "cella cas state"
#define VAULT_KEY_FILE_FIRST "cella cas key 1\n"
#define VAULT_KEY_FILE_WORD "key "

enum {
	VAULT_VERSION = 1,
	VAULT_AT_CIPHERTEXT = 104,
	VAULT_MASTER_SIZE = 4 + CRYPTO_KEY_SIZE,
	VAULT_FILE_MAX = VAULT_AT_CIPHERTEXT + CRYPTO_ED25519_SIZE + VAULT_MASTERS_MAX * VAULT_MASTER_SIZE +
	                 CRYPTO_TAG_SIZE,
	VAULT_KEY_FILE_SIZE = sizeof(VAULT_KEY_FILE_FIRST) - 1 + sizeof(VAULT_KEY_FILE_WORD) - 1 +
	                      2 * CRYPTO_KEY_SIZE + 1,
	VAULT_RECORD_VERSION = 1,
	VAULT_RECORD_HEADER_SIZE = 32,
	VAULT_RECORD_AT_SALT = 16,
};

/* The file, but for what is sealed in it. */
struct vault_header {
	enum vault_sealing_kind sealing;
	uint8_t cas[VAULT_CAS_SIZE];
	uint8_t public_key[CRYPTO_ED25519_SIZE];
	struct crypto_scrypt cost;
	uint32_t master_count;
	uint8_t password_salt[CRYPTO_SALT_SIZE];
	uint8_t salt[CRYPTO_SALT_SIZE];
};

void vault_header_encode(const struct vault_header *h, uint8_t ret_bytes[VAULT_AT_CIPHERTEXT]);
/* Of a whole file. CELLA_EFORMAT, CELLA_EUNSUPPORTED for another version, CELLA_ELIMIT for a cost out of
 * bounds. */
int vault_header_decode(const void *data, size_t size, struct vault_header *ret_header,
                        struct error *err) must_check;

static_assert((int)VAULT_RECORD_OVERHEAD == VAULT_RECORD_HEADER_SIZE + CRYPTO_TAG_SIZE, "as vault.h says");
static_assert((int)VAULT_RECORD_AT_SALT + CRYPTO_SALT_SIZE == VAULT_RECORD_HEADER_SIZE, "the salt ends it");

#endif
