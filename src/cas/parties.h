/*
 * Whom the CAS knows, and what it does not trust any more: owners, launchers, revocations. All of it is for
 * owners.
 */
#ifndef CAS_PARTIES_H
#define CAS_PARTIES_H

#include "cas/requester.h"

/* `kind`: RECORDS_OWNER (a key hash) or RECORDS_LAS (an Ed25519 key). CELLA_EINVAL: it was revoked, or is no
 * key that a launcher can have made; CELLA_EEXIST. */
int cas_party_add(struct cas *cas, const struct cas_requester *who, enum records_kind kind,
                  const uint8_t key[RECORDS_KEY_SIZE], const char *label, struct error *err) must_check;
int cas_party_remove(struct cas *cas, const struct cas_requester *who, enum records_kind kind,
                     const uint8_t key[RECORDS_KEY_SIZE], struct error *err) must_check;
int cas_revoke(struct cas *cas, const struct cas_requester *who, enum records_revoked kind, const void *what,
               size_t size, const char *reason, struct error *err) must_check;

/* Each of that kind, sorted by its key. What `fn` returns below 0 ends it. */
struct cas_party {
	uint8_t key[RECORDS_KEY_SIZE];
	struct records_party party;
	bool revoked;
};
typedef int cas_party_fn(void *arg, const struct cas_party *party, struct error *err);
int cas_party_list(struct cas *cas, const struct cas_requester *who, enum records_kind kind, cas_party_fn *fn,
                   void *arg, struct error *err) must_check;

/* "cell", "builder", "las", "owner", "certificate", "executor". */
struct cas_revocable {
	const char *name, *called; /* "a cell's identity" */
	enum records_revoked kind;
	size_t size; /* bytes of what it is named by */
};
extern const struct cas_revocable cas_revocable[];
extern const size_t cas_revocable_count;

/* Each revocation; the same rules. */
struct cas_revoked {
	const struct cas_revocable *kind;
	const void *what; /* kind->size bytes */
	struct records_revocation revocation;
};
typedef int cas_revoked_fn(void *arg, const struct cas_revoked *revoked, struct error *err);
int cas_revoked_list(struct cas *cas, const struct cas_requester *who, cas_revoked_fn *fn, void *arg,
                     struct error *err) must_check;

#endif
