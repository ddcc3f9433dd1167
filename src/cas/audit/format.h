/*
 * An entry of the audit log, and a head. All integers are little-endian.
 *
 * Entry:
 *     at  size
 *      0     4  magic     "CAL1"
 *      4     2  version   1
 *      6     2  kind      enum audit_kind
 *      8     4  flags     1: it closes a commit; no others
 *     12     4  generation of the master key that `state` is made with; 0 unless it closes
 *     16     8  epoch     from 1
 *     24     8  number    from 1, one more than the entry before, whatever the epoch
 *     32     8  time      ns since 1970, by the CAS's clock
 *     40    48  before    hash of the entry before; zeros for the first
 *     88     -  who       u32 size, then UTF-8, AUDIT_WHO_MAX bytes at most
 *      -     -  what      u32 size, then UTF-8 (JSON), AUDIT_WHAT_MAX bytes at most
 *   and, of an entry that closes,
 *      -    32  state     what the records are after this commit (state.h)
 *      -    64  signature Ed25519 of the head that this entry is
 *
 * Hash of an entry = SHA-384("cella audit entry 1", CAS, entry without its signature), the parts each
 * preceded by their size (crypto_sha384_parts).
 *
 * Head, which is what is signed, what clients remember, and what the file "head" holds:
 *      0     4  magic     "CAH1"
 *      4     4  version   1
 *      8    16  CAS
 *     24     8  epoch
 *     32     8  number
 *     40    48  hash      of the entry
 *     88    64  signature of the 88 bytes before
 */
#ifndef CAS_AUDIT_FORMAT_H
#define CAS_AUDIT_FORMAT_H

#include <assert.h>

#include "cas/audit/audit.h"

#define AUDIT_MAGIC 0x314c4143u      /* "CAL1" */
#define AUDIT_HEAD_MAGIC 0x31484143u /* "CAH1" */
#define AUDIT_LABEL "cella audit entry 1"

enum {
	AUDIT_VERSION = 1,
	AUDIT_CLOSES = 1 << 0,
	AUDIT_FIXED_SIZE = 88,
	AUDIT_STATE_SIZE = 32,
	AUDIT_ENTRY_MAX = AUDIT_FIXED_SIZE + 4 + AUDIT_WHO_MAX + 4 + AUDIT_WHAT_MAX + AUDIT_STATE_SIZE +
	                  CRYPTO_SIGNATURE_SIZE,
	AUDIT_HEAD_SIGNED_SIZE = AUDIT_HEAD_SIZE - CRYPTO_SIGNATURE_SIZE,
};

/* An entry decoded; the texts point into it. */
struct audit_entry {
	enum audit_kind kind;
	bool closes;
	uint32_t generation;
	uint64_t epoch, number, time_ns;
	uint8_t before[CRYPTO_SHA384_SIZE];
	const char *who, *what; /* not terminated */
	size_t who_size, what_size;
	uint8_t state[AUDIT_STATE_SIZE];
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

/* CELLA_EFORMAT; CELLA_EUNSUPPORTED for another version. */
int audit_entry_decode(const void *data, size_t size, struct audit_entry *ret_entry,
                       struct error *err) must_check;
void audit_entry_encode(const struct audit_entry *e, struct buf *ret);
int audit_entry_hash(const uint8_t cas[VAULT_CAS_SIZE], const void *data, size_t size, bool closes,
                     uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err) must_check;

static_assert(AUDIT_HEAD_SIGNED_SIZE == 4 + 4 + VAULT_CAS_SIZE + 8 + 8 + CRYPTO_SHA384_SIZE, "as laid out");

#endif
