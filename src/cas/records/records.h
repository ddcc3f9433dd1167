/*
 * What the CAS keeps: sessions, their secrets, the roots and leases of volumes, owners, launchers, what is
 * revoked, the last refusals, certificates of cells that are valid; and the audit log of all that.
 *
 * A directory that is this module's alone:
 *     vault       the keys (cas/records/vault.h)
 *     cas.db      the records and the audit log (cas/records/storage_sqlite.h), with its write-ahead log
 *     head        the audit log's newest head, a hint: written after each commit, without a sync
 *     lock        locked while a process has it open; a second one is refused
 *
 * Changes are made in *batches*, so that one sync and one signature serve many; a batch has *steps*, one for
 * each request, that are kept, with the audit entries that say what they did, or undone:
 *
 *     records_begin(r)
 *         records_step(r); records_session_put(r, ...); records_keep(r, &event, 1, now)
 *         records_step(r); records_volume_swap(r, ...) fails; records_undo(r)
 *     records_commit(r, &head)    durable; only now may anybody be told
 *
 * A change outside of a step, or a step that changed something and says nothing of it, is refused
 * (CELLA_EBUG). What was changed is read as changed at once, by this process. After a change that failed
 * nothing is read (CELLA_EIO) until its step is undone. A step that fails for want of room may take the batch
 * with it: then its commit fails, and the other steps are to be tried again.
 *
 * A commit that fails has changed nothing, unless the disk failed in making it durable: then everything
 * answers CELLA_EIO until it is opened again, which tells.
 *
 * Invariant: what is read is what was committed last, whoever writes to the files meanwhile, or is refused
 * (CELLA_EAUTH). It rests on the index in memory (index.h), and at opening on the digest of all records in
 * the last audit entry (state.h), which is signed. An old copy of the whole directory is not noticed here: it
 * is by who remembers a head.
 *
 * Time is the caller's, in ns since 1970. One thread.
 */
#ifndef CAS_RECORDS_H
#define CAS_RECORDS_H

#include "cas/audit/audit.h"
#include "cas/records/vault.h"
#include "volume/volume_format.h"

enum {
	RECORDS_NAME_MAX = 255, /* bytes of a session's, service's, secret's name, a label, a holder */
	RECORDS_POLICY_MAX = 1 << 20, /* bytes of a session's text */
	RECORDS_SECRET_MAX = 1 << 20, /* bytes of a secret */
	RECORDS_REASON_MAX = 8192, /* bytes of a refusal, a revocation */
	RECORDS_REFUSALS = 16, /* kept of each service */
	RECORDS_KEY_SIZE = 32, /* of an owner (SHA-256 of its public key), a launcher (Ed25519) */
	RECORDS_REVOKED_MAX = 64, /* bytes that name what is revoked */
	RECORDS_EPOCH_MAX = (1 << 24) - 1, /* tokens of leases begin with it */
	RECORDS_MACHINE_MAX = 1 << 20, /* bytes of an endorsement, a piece of collateral */
	RECORDS_SERIAL_SIZE = 16, /* of a certificate */
	RECORDS_IDENTITY_MAX = 335, /* bytes of a certificate's name */
};

struct records;

struct records_config {
	const char *directory;
	struct mem_pool *pool; /* the caller's thread's, for keys and plaintext; NULL: ordinary memory */
	struct vault_sealing sealing;
	uint64_t now_ns;
	uint64_t quota; /* bytes of the database at most; 0: no limit */
	const char *who; /* for the audit entry of creation, or of a rotation that is finished at opening */
	/* Open although the file "head" says that the database was newer, or is damaged. */
	bool insecure_older;
};

/* In a directory that is not there, or is empty: all of it or nothing. CELLA_EEXIST. */
int records_create(const struct records_config *config, struct records **ret_records,
                   struct error *err) must_check;
/* CELLA_EAGAIN: another process has it; CELLA_ENOENT: there is none; CELLA_EAUTH: the passphrase or key file
 * is wrong, or something was changed: the text says what. */
int records_open(const struct records_config *config, struct records **ret_records,
                 struct error *err) must_check;
/* What was not committed is lost. NULL is fine. */
void records_close(struct records *r);

const uint8_t *records_cas(const struct records *r); /* VAULT_CAS_SIZE bytes */
const uint8_t *records_public_key(const struct records *r); /* CRYPTO_ED25519_SIZE bytes */
const struct audit_head *records_head(const struct records *r);
const struct cas_storage *records_storage(const struct records *r); /* to read the log of */

/* ---- batches */

int records_begin(struct records *r, struct error *err) must_check;
int records_step(struct records *r, struct error *err) must_check;
/* With at least one event if anything was changed. One that fails has undone the step. */
int records_keep(struct records *r, const struct audit_event *events, size_t count, uint64_t now_ns,
                 struct error *err) must_check;
void records_undo(struct records *r);
/* 0, and the new head (may be NULL), or nothing has changed. */
int records_commit(struct records *r, struct audit_head *ret_head, struct error *err) must_check;
void records_abort(struct records *r);
/* A batch of one step with one event, for a caller that has one change: 0 or the change's failure. */
typedef int records_change_fn(struct records *r, void *arg, struct error *err);
int records_change(struct records *r, records_change_fn *change, void *arg, const struct audit_event *event,
                   uint64_t now_ns, struct error *err) must_check;

/* ---- lists */

enum records_kind {
	RECORDS_SESSION = 1, /* id: its name */
	RECORDS_SECRET = 2, /* session, NUL, name, NUL, u64 version, big-endian */
	RECORDS_VOLUME = 3, /* VOLUME_ID_SIZE bytes */
	RECORDS_OWNER = 4, /* RECORDS_KEY_SIZE bytes */
	RECORDS_LAS = 5, /* RECORDS_KEY_SIZE bytes */
	RECORDS_REVOKED = 6, /* u8 enum records_revoked, what is revoked */
	RECORDS_REFUSAL = 7, /* session, NUL, service, NUL, u8 slot */
	RECORDS_ENDORSEMENT = 8, /* 32 bytes of the launcher's key, u8 enum tee_kind */
	RECORDS_COLLATERAL = 9, /* u8 enum tee_kind, SHA-384 of the file */
	RECORDS_CERTIFICATE = 10, /* u64 end in seconds, big-endian, serial */
	RECORDS_KINDS
};
/* All ids that begin so, sorted; what `fn` returns below 0 ends it. `fn` changes nothing. */
typedef int records_list_fn(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err);
int records_list(const struct records *r, enum records_kind kind, const void *prefix, size_t prefix_size,
                 records_list_fn *fn, void *arg, struct error *err) must_check;
size_t records_count(const struct records *r, enum records_kind kind);

/* ---- sessions */

struct records_session {
	uint8_t hash[CRYPTO_SHA384_SIZE];
	uint8_t predecessor[CRYPTO_SHA384_SIZE]; /* zeros: it is the first */
	uint8_t creator[RECORDS_KEY_SIZE];
	uint64_t created_ns, updated_ns;
	uint64_t revision; /* how often it was put; read only */
	const void *policy; /* the text; may hold secrets */
	size_t policy_size;
	struct vault_bytes memory; /* that `policy` points into when it was read */
};
/* "namespace/name". CELLA_ENOENT. */
int records_session_get(struct records *r, const char *name, struct records_session *ret_session,
                        struct error *err) must_check;
void records_session_done(struct records_session *session);
/* In the place of the one whose hash is session->predecessor: compare and swap. created_ns and creator of an
 * update are those of the first. CELLA_EEXIST: there is one, and no predecessor is named; CELLA_ENOENT: the
 * named one is not there; CELLA_EAUTH: it is another. */
int records_session_put(struct records *r, const char *name, const struct records_session *session,
                        struct error *err) must_check;
/* With its secrets, and the refusals of its services. CELLA_EAUTH: its hash is another. */
int records_session_remove(struct records *r, const char *name, const uint8_t hash[CRYPTO_SHA384_SIZE],
                           struct error *err) must_check;

/* ---- secrets of a session */

struct records_secret {
	uint64_t version;
	uint64_t created_ns;
	uint32_t kind; /* the session language's */
	const void *data;
	size_t size;
	struct vault_bytes memory;
};
/* version 0: the newest. CELLA_ENOENT. */
int records_secret_get(struct records *r, const char *session, const char *name, uint64_t version,
                       struct records_secret *ret_secret, struct error *err) must_check;
void records_secret_done(struct records_secret *secret);
/* A further version, from 1. The session need not be there. */
int records_secret_put(struct records *r, const char *session, const char *name, uint32_t kind,
                       const void *data, size_t size, uint64_t now_ns, uint64_t *ret_version,
                       struct error *err) must_check;
/* All versions below this one; the newest as well for UINT64_MAX, after which versions begin anew. */
int records_secret_remove(struct records *r, const char *session, const char *name, uint64_t below,
                          struct error *err) must_check;

/* ---- volumes: what volume/keeper.h asks of a root keeper */

struct records_volume {
	uint8_t root[VOLUME_REFERENCE_SIZE]; /* zeros: none */
	uint64_t token; /* the largest given out; 0: none */
	uint64_t lease_until_ns; /* 0: nobody has it */
	char holder[RECORDS_NAME_MAX + 1];
};
/* Of a volume that is not known, zeros. */
int records_volume_get(struct records *r, const uint8_t volume[VOLUME_ID_SIZE],
                       struct records_volume *ret_volume, struct error *err) must_check;
/* CELLA_EAGAIN while another has it and its time is not over, unless `take_over`. The token is larger than
 * every one before, also than those that a restore has forgotten: it begins with the epoch. */
int records_volume_acquire(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], const char *holder,
                           bool take_over, uint64_t now_ns, uint64_t until_ns, uint64_t *ret_token,
                           struct error *err) must_check;
/* From one root to the next; 0 also if it holds that already. CELLA_EFENCED: the token is too old;
 * CELLA_EAUTH: it holds another root. A lease whose time is over still swaps, until another takes it. */
int records_volume_swap(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                        const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                        struct error *err) must_check;
/* CELLA_EFENCED. */
int records_volume_renew(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                         uint64_t until_ns, struct error *err) must_check;
/* Nothing, for a token that is not the largest. */
int records_volume_release(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                           struct error *err) must_check;

/* ---- owners and launchers; `kind` is RECORDS_OWNER or RECORDS_LAS */

struct records_party {
	uint64_t since_ns;
	uint8_t by[RECORDS_KEY_SIZE]; /* which owner let it in; zeros: the CAS itself */
	char label[RECORDS_NAME_MAX + 1];
};
/* CELLA_ENOENT. */
int records_party_get(struct records *r, enum records_kind kind, const uint8_t key[RECORDS_KEY_SIZE],
                      struct records_party *ret_party, struct error *err) must_check;
bool records_party_known(const struct records *r, enum records_kind kind,
                         const uint8_t key[RECORDS_KEY_SIZE]);
/* CELLA_EEXIST. */
int records_party_add(struct records *r, enum records_kind kind, const uint8_t key[RECORDS_KEY_SIZE],
                      const struct records_party *party, struct error *err) must_check;
/* CELLA_ENOENT. */
int records_party_remove(struct records *r, enum records_kind kind, const uint8_t key[RECORDS_KEY_SIZE],
                         struct error *err) must_check;

/* ---- revocations, which nothing takes back */

enum records_revoked {
	RECORDS_REVOKED_CELL = 1,
	RECORDS_REVOKED_BUILDER = 2,
	RECORDS_REVOKED_LAS = 3,
	RECORDS_REVOKED_OWNER = 4,
	RECORDS_REVOKED_CERTIFICATE = 5,
	RECORDS_REVOKED_EXECUTOR = 6,
};
struct records_revocation {
	uint64_t since_ns;
	char reason[RECORDS_REASON_MAX + 1];
};
/* CELLA_EEXIST: it is. */
int records_revoke(struct records *r, enum records_revoked kind, const void *what, size_t size,
                   const char *reason, uint64_t now_ns, struct error *err) must_check;
bool records_is_revoked(const struct records *r, enum records_revoked kind, const void *what, size_t size);
/* CELLA_ENOENT: it is not. */
int records_revocation_get(struct records *r, enum records_revoked kind, const void *what, size_t size,
                           struct records_revocation *ret_revocation, struct error *err) must_check;

/* ---- what hardware has said of launchers' machines, and what its makers publish to verify that */

struct records_endorsement {
	uint64_t time_ns; /* of its nonce */
	uint64_t revision; /* read only */
	const void *data; /* as it came: attest/endorsement_format.h */
	size_t size;
	struct vault_bytes memory; /* that `data` points into when it was read */
};
/* CELLA_ENOENT. */
int records_endorsement_get(struct records *r, const uint8_t launcher[RECORDS_KEY_SIZE], uint8_t kind,
                            struct records_endorsement *ret_endorsement, struct error *err) must_check;
void records_endorsement_done(struct records_endorsement *endorsement);
/* In the place of the one before. */
int records_endorsement_put(struct records *r, const uint8_t launcher[RECORDS_KEY_SIZE], uint8_t kind,
                            const struct records_endorsement *endorsement, struct error *err) must_check;
/* All of a launcher; 0 also if there is none. */
int records_endorsements_remove(struct records *r, const uint8_t launcher[RECORDS_KEY_SIZE],
                                struct error *err) must_check;

struct records_collateral {
	uint64_t since_ns;
	int64_t ends; /* seconds since 1970: the first of what is in it to end; INT64_MAX: nothing does */
	char label[RECORDS_NAME_MAX + 1]; /* the file's name */
	const void *data;
	size_t size;
	struct vault_bytes memory;
};
/* CELLA_ENOENT. */
int records_collateral_get(struct records *r, uint8_t kind, const uint8_t hash[CRYPTO_SHA384_SIZE],
                           struct records_collateral *ret_collateral, struct error *err) must_check;
void records_collateral_done(struct records_collateral *collateral);
/* Under the hash of its data, *ret_hash. CELLA_EEXIST: it is there. */
int records_collateral_add(struct records *r, uint8_t kind, const struct records_collateral *collateral,
                           uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err) must_check;
/* CELLA_ENOENT. */
int records_collateral_remove(struct records *r, uint8_t kind, const uint8_t hash[CRYPTO_SHA384_SIZE],
                              struct error *err) must_check;

/* ---- the last refusals of a session's service */

struct records_refusal {
	uint64_t number; /* of the service's refusals, from 1 */
	uint64_t time_ns;
	char text[RECORDS_REASON_MAX + 1];
};
/* The oldest one goes where there are RECORDS_REFUSALS. */
int records_refusal_add(struct records *r, const char *session, const char *service, const char *text,
                        uint64_t now_ns, struct error *err) must_check;
/* The `back`-th newest, from 0. CELLA_ENOENT: there are fewer. */
int records_refusal_get(struct records *r, const char *session, const char *service, unsigned back,
                        struct records_refusal *ret_refusal, struct error *err) must_check;

/* ---- certificates of cells */

struct records_certificate {
	uint64_t not_after_s;
	uint8_t serial[RECORDS_SERIAL_SIZE];
	uint64_t issued_ns;
	/* Of the evidence that it was given for. */
	uint8_t cell[CRYPTO_SHA384_SIZE], builder[CRYPTO_ED25519_SIZE], executor[CRYPTO_SHA384_SIZE],
		launcher[CRYPTO_ED25519_SIZE];
	char name[RECORDS_IDENTITY_MAX + 1];
};
/* CELLA_EEXIST. */
int records_certificate_add(struct records *r, const struct records_certificate *certificate,
                            struct error *err) must_check;
/* CELLA_ENOENT. */
int records_certificate_get(struct records *r, uint64_t not_after_s,
                            const uint8_t serial[RECORDS_SERIAL_SIZE],
                            struct records_certificate *ret_certificate, struct error *err) must_check;
/* Each, those that end first before the others; what `fn` returns below 0 ends it. `fn` changes nothing. */
typedef int records_certificate_fn(void *arg, uint64_t not_after_s, const uint8_t serial[RECORDS_SERIAL_SIZE],
                                   struct error *err);
int records_certificate_list(const struct records *r, records_certificate_fn *fn, void *arg,
                             struct error *err) must_check;
/* Is one of this serial number there? CELLA_ENOENT. */
int records_certificate_find(const struct records *r, const uint8_t serial[RECORDS_SERIAL_SIZE],
                             struct error *err) must_check;
/* A few of those that ended before then. */
int records_certificate_drop(struct records *r, uint64_t before_s, struct error *err) must_check;

/* ---- the whole; not within a batch */

/* Everything: SQLite's examination, the whole log against `remembered` (NULL: none), every record opened.
 * Codes as audit_verify. */
int records_verify(struct records *r, const struct audit_head *remembered, struct audit_summary *ret_summary,
                   struct error *err) must_check;
/* The audit log of a CAS that is not running, without what seals its vault: by the CAS's public key, which
 * the caller has from elsewhere (NULL: as the vault's file says, which shows damage but no forger). */
int records_verify_log(const char *directory, const uint8_t public_key[CRYPTO_ED25519_SIZE],
                       const struct audit_head *remembered, struct audit_summary *ret_summary,
                       struct error *err) must_check;
/* The vault sealed by something else; with an audit entry. */
int records_reseal(struct records *r, const struct vault_sealing *sealing, const char *who, uint64_t now_ns,
                   struct error *err) must_check;
/* A new master key, and every record sealed anew, in one transaction with an audit entry. What was cut short
 * is finished at the next opening. */
int records_rotate(struct records *r, const char *who, uint64_t now_ns, struct error *err) must_check;

/* All of it in one new file, with the vault, which opens by what it is sealed by now. CELLA_EEXIST. */
int records_backup(struct records *r, const char *path, const char *who, uint64_t now_ns,
                   struct error *err) must_check;

struct records_restore {
	const char *backup;
	/* directory, pool, sealing (of the backup's time), now_ns, quota; who: the owner who consents */
	struct records_config config;
	bool owner_consents; /* to go on from an older state: CELLA_EPERM without */
	uint64_t epoch; /* the new epoch at least: one more than any that a client has seen; 0: one more than
	                      * the backup's; RECORDS_EPOCH_MAX at most (CELLA_EINVAL) */
};
/* Into a directory that is not there, or is empty, after everything in the backup is verified. */
int records_restore(const struct records_restore *restore, struct records **ret_records,
                    struct error *err) must_check;

#endif
