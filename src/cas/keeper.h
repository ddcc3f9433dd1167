/*
 * The CAS as the root keeper of its sessions' volumes (volume/keeper.h): executors that were granted a
 * service ask it, through whoever carries their questions (cell/keeper_question.h).
 *
 * A question is sealed by the data key of its executor's grant, which the CAS makes anew from session,
 * service and evidence: so it remembers no grants, a restart of it disturbs no job, and what was not granted
 * can ask nothing. Each time the evidence is judged as for a grant, but for the nonce's age: a cell that was
 * revoked meanwhile, or that the session's text no longer accepts, commits nothing.
 *
 * Questions are numbered: one that was asked before is refused, in one run of the CAS; after a restart a swap
 * of the same roots yields the same, and an old token is refused. An answer belongs to its question by the
 * number.
 *
 * On the same way executors ask for certificates (cas/identity.h).
 */
#ifndef CAS_KEEPER_H
#define CAS_KEEPER_H

#include "cas/attest.h"

/* What a grant and the questions after it are sealed by; in protected memory. */
int cas_grant_key(const struct cas *cas, const struct cas_attestation *attestation,
                  uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err) must_check;

/* Appends the sealed answer. CELLA_EAUTH: refused, or the question is not of this executor. */
int cas_keeper_ask(struct cas *cas, const struct cas_attestation *attestation, const void *question,
                   size_t size, struct buf *ret_answer, struct error *err) must_check;

/* The leases that this executor has of the service's volumes last for CAS_LEASE_S from now on. Whoever has
 * its evidence may say so. */
int cas_keeper_renew(struct cas *cas, const struct cas_attestation *attestation,
                     struct error *err) must_check;

#endif
