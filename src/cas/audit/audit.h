/*
 * The audit log: what the CAS did, for whom and why, so that nobody can take a word out of it unseen.
 *
 * Entries are numbered and chained by hash; the last entry of each commit is signed by the CAS, and carries
 * a digest of all records as they are then. Number, epoch and hash of the last entry are the log's *head*: a
 * client that remembers one finds out when it is shown a log that does not contain it. The epoch is raised
 * when the CAS goes on from a backup, which only its owner can consent to.
 *
 * An entry is written in the transaction of the change that it stands for, hence durable with it and before
 * any answer; one signature and one sync serve all entries of a commit.
 *
 * What finds what: a changed, removed, inserted or moved entry breaks the chain or a number; one cut off
 * behind a commit's end ends in a head that is older than the remembered one; one cut elsewhere ends in no
 * signature. Without a remembered head, an old copy of everything looks like what it once was.
 *
 * Format: cas/audit/format.h. Entries are in the clear: never a secret in one.
 */
#ifndef CAS_AUDIT_H
#define CAS_AUDIT_H

#include "base/buf.h"
#include "cas/records/storage.h"
#include "cas/records/vault.h"
#include "crypto/crypto.h"

enum {
	AUDIT_WHO_MAX = 256,
	AUDIT_WHAT_MAX = 8192,
	AUDIT_HEAD_SIZE = 152,
	AUDIT_BATCH_MAX = 4096, /* entries of one commit */
};

enum audit_kind {
	AUDIT_CREATED = 1,
	AUDIT_OPENED = 2,
	AUDIT_RESTORED = 3, /* raises the epoch */
	AUDIT_BACKED_UP = 4,
	AUDIT_MASTER_ROTATED = 5,
	AUDIT_RESEALED = 6,
	AUDIT_SESSION_CREATED = 7,
	AUDIT_SESSION_UPDATED = 8,
	AUDIT_SESSION_DELETED = 9,
	AUDIT_SECRET_SET = 10,
	AUDIT_SECRET_DELETED = 11,
	AUDIT_PROVISIONED = 12,
	AUDIT_REFUSED = 13,
	AUDIT_VOLUME_LEASED = 14,
	AUDIT_VOLUME_COMMITTED = 15,
	AUDIT_VOLUME_RELEASED = 16,
	AUDIT_OWNER_ADDED = 17,
	AUDIT_OWNER_REMOVED = 18,
	AUDIT_LAS_ENROLLED = 19,
	AUDIT_LAS_REMOVED = 20,
	AUDIT_REVOKED = 21,
	AUDIT_CERTIFIED = 22,
	AUDIT_DENIED = 23, /* a request that its sender had no right to */
	AUDIT_ENDORSED = 24, /* a launcher, by its machine's hardware */
	AUDIT_COLLATERAL_ADDED = 25,
	AUDIT_COLLATERAL_REMOVED = 26,
	AUDIT_KINDS
};
/* "session-created"; NULL for what is no kind. */
const char *audit_kind_name(unsigned kind);

/* Texts are UTF-8 without control characters. */
struct audit_event {
	enum audit_kind kind;
	const char *who;  /* a key hash, a name; "" where there is nobody */
	const char *what; /* JSON */
	uint64_t epoch;   /* AUDIT_RESTORED alone: the new one, larger than the one before */
};

/* epoch 0: none. */
struct audit_head {
	uint8_t cas[VAULT_CAS_SIZE];
	uint64_t epoch, number;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};
void audit_head_encode(const struct audit_head *head, uint8_t ret_bytes[AUDIT_HEAD_SIZE]);
/* Checks form and signature: CELLA_EFORMAT, CELLA_EAUTH. */
int audit_head_decode(const void *data, size_t size, const uint8_t public_key[CRYPTO_ED25519_SIZE],
                      struct audit_head *ret_head, struct error *err) must_check;

/*
 * The end of a log, to append to. Entries are made by audit_add and written by audit_close, which appends
 * them to the storage, within a transaction that the caller then commits, and signs; audit_advance makes the
 * new head the log's when the commit has succeeded. Without it, audit_forget.
 */
struct audit;
int audit_new(const struct audit_head *head, struct audit **ret_audit, struct error *err) must_check;
void audit_free(struct audit *a);
const struct audit_head *audit_head(const struct audit *a);
int audit_add(struct audit *a, const struct audit_event *event, uint64_t time_ns,
              struct error *err) must_check;
size_t audit_count(const struct audit *a); /* added, not yet part of the log */
void audit_cut(struct audit *a, size_t count); /* forget all but the first `count` */
/* What audit_close will call the last entry. */
void audit_next(const struct audit *a, uint64_t *ret_epoch, uint64_t *ret_number);
int audit_close(struct audit *a, struct vault *v, const struct cas_storage *storage,
                const uint8_t state[CRYPTO_KEY_SIZE], uint32_t generation, struct error *err) must_check;
void audit_advance(struct audit *a);
void audit_forget(struct audit *a);

/* The last entry: its head, which is checked to be signed, and what it says of the records. */
struct audit_end {
	struct audit_head head;
	uint32_t generation;
	uint8_t state[CRYPTO_KEY_SIZE];
};
int audit_read_end(const struct cas_storage *storage, const uint8_t cas[VAULT_CAS_SIZE],
                   const uint8_t public_key[CRYPTO_ED25519_SIZE], struct audit_end *ret_end,
                   struct error *err) must_check;

/* Is the log that this head was the end of, with this head's entry, still there? CELLA_EAUTH: it is not. */
int audit_contains(const struct cas_storage *storage, const struct audit_head *head,
                   struct error *err) must_check;
/* The hash of an entry, by its number. CELLA_ENOENT. */
int audit_entry_at(const struct cas_storage *storage, const uint8_t cas[VAULT_CAS_SIZE], uint64_t number,
                   uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err) must_check;

struct audit_summary {
	uint64_t entries, commits, restores;
	uint64_t first_time_ns, last_time_ns;
	struct audit_head head;
};
/*
 * The whole log, without the vault; of the storage it asks log_each alone. `remembered` (NULL: none) must be
 * in it.
 *
 * CELLA_EFORMAT, CELLA_EAUTH: which entry does not hold, and why. CELLA_ELOST: the log is whole, but was
 * continued from a backup that lacks what is remembered: the text says who consented.
 */
int audit_verify(const struct cas_storage *storage, const uint8_t cas[VAULT_CAS_SIZE],
                 const uint8_t public_key[CRYPTO_ED25519_SIZE], const struct audit_head *remembered,
                 struct audit_summary *ret_summary, struct error *err) must_check;

#endif
