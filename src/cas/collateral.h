/*
 * Collateral: what makers of hardware publish to verify its evidence by (certificates, CRLs, Intel's TCB info
 * and QE identity), and of TPMs lists of files that may run (attest/tpm/ima_list.h), which count where a
 * session names them by their hashes. Owners add it; nothing is fetched. It is of one kind of evidence, and
 * it is read when it is added, so that what cannot be read never stands in the way of a verification.
 *
 * It has ends, of which owners are told: behind them evidence is refused.
 */
#ifndef CAS_COLLATERAL_H
#define CAS_COLLATERAL_H

#include "attest/tee.h"
#include "cas/requester.h"

enum {
	COLLATERAL_FILES_MAX = 24, /* of one kind */
	COLLATERAL_CERTIFICATES_MAX = 12, /* in them; nodes bring some, too (VENDOR_CERTS_MAX) */
	COLLATERAL_CRLS_MAX = 6,
};

/* For owners. */
/* CELLA_EFORMAT: it cannot be read; CELLA_EEXIST; CELLA_ELIMIT: there is too much of it; CELLA_EPERM.
 * *ret_ends: as records_collateral. */
int cas_collateral_add(struct cas *cas, const struct cas_requester *who, enum tee_kind kind,
                       const char *label, const void *data, size_t size, int64_t *ret_ends,
                       struct error *err) must_check;
int cas_collateral_remove(struct cas *cas, const struct cas_requester *who, enum tee_kind kind,
                          const uint8_t hash[CRYPTO_SHA384_SIZE], struct error *err) must_check;
struct cas_collateral {
	enum tee_kind kind;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	const char *label;
	uint64_t since_ns;
	int64_t ends; /* INT64_MAX: nothing in it ends */
};
typedef int cas_collateral_fn(void *arg, const struct cas_collateral *collateral, struct error *err);
int cas_collateral_list(struct cas *cas, const struct cas_requester *who, cas_collateral_fn *fn, void *arg,
                        struct error *err) must_check;

/* Of each kind the first end in all of it, in seconds since 1970; INT64_MAX: there is none. */
int cas_collateral_ends(struct cas *cas, int64_t ret_ends[TEE_KINDS], struct error *err) must_check;

/* For machines.c: all of one kind, in memory. Zeroed it is empty; what is loaded stays as it is. */
struct collateral_set {
	struct tee_blob blobs[COLLATERAL_FILES_MAX];
	struct buf bytes[COLLATERAL_FILES_MAX];
	size_t count;
	bool loaded;
};
int collateral_set_load(struct cas *cas, enum tee_kind kind, struct collateral_set *set,
                        struct error *err) must_check;
void collateral_set_done(struct collateral_set *set);

#endif
