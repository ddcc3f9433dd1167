/*
 * Attestation: evidence comes in, a grant goes out, or a refusal (RFC 9334: this is verifier and relying
 * party in one).
 *
 * The launcher's signature makes evidence what its launcher says; whether that launcher counts is for the
 * records (enrolled, not revoked), and the rest for the session's own text (session_verdict). Every
 * requirement that fails is told to the session's owner, in the audit log and in the service's last refusals;
 * whoever asked is told that it was refused, and no more.
 *
 * A grant (cell/provision.h) is sealed to the executor's key by HPKE, so anybody may carry it.
 */
#ifndef CAS_ATTEST_H
#define CAS_ATTEST_H

#include "cas/service.h"

/* For evidence: u64 milliseconds since 1970, 8 random bytes, and a MAC of these, so that the CAS remembers
 * none. */
int cas_nonce(struct cas *cas, uint8_t ret_nonce[CAS_NONCE_SIZE], struct error *err) must_check;

struct cas_attestation {
	const char *session, *service;
	const void *evidence;
	size_t evidence_size;
	const char *peer; /* from where it came, for the audit log */
};
struct cas_granted {
	enum session_machine machine; /* what vouches for the executor's machine */
	uint64_t offline_s;           /* how long its node may keep the like (cas_lease); 0: not at all */
};
/* Appends the sealed grant; *ret_granted may be NULL. CELLA_EAUTH: refused; the error says that and nothing
 * else. */
int cas_attest(struct cas *cas, const struct cas_attestation *attestation, struct buf *ret_grant,
               struct cas_granted *ret_granted, struct error *err) must_check;

/* For whoever may be granted the service now: what its node may keep, for so long, sealed to its launcher,
 * whose statement (attest/lease.h) this is. CELLA_EAUTH: refused; CELLA_ENOENT: the service is not to be
 * kept. */
int cas_lease(struct cas *cas, const struct cas_attestation *attestation, const void *keep, size_t keep_size,
              struct buf *ret_lease, struct error *err) must_check;

#endif
