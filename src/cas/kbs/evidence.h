/*
 * Evidence of guests as Confidential Containers' attestation agent writes it: JSON by its crates' serde,
 * which is a report's fields one by one for SEV-SNP, and base64 of a quote for TDX and SGX. What comes out is
 * what attest/tee.h verifies. A pure function of its input, which is an attacker's.
 */
#ifndef CAS_KBS_EVIDENCE_H
#define CAS_KBS_EVIDENCE_H

#include <jansson.h>

#include "attest/tee.h"

enum { KBS_CERTS_MAX = 4 }; /* those of a chain; the CAS has its own beside them */

/* Zeroed, it is empty and valid. */
struct kbs_evidence {
	struct buf report; /* a report of SEV-SNP, or a quote */
	struct buf certs[KBS_CERTS_MAX]; /* DER */
	size_t cert_count;
	struct buf event_log; /* may be empty */
};
void kbs_evidence_done(struct kbs_evidence *evidence);
#define cleanup_kbs_evidence __attribute__((cleanup(kbs_evidence_done)))

/* `json`: an object, or a string that holds one. CELLA_EFORMAT: the member, and what of it is wrong;
 * CELLA_EUNSUPPORTED: a kind of evidence that has no form here. *ret is to be done in any case. */
int kbs_evidence_read(enum tee_kind kind, const json_t *json, struct kbs_evidence *ret,
                      struct error *err) must_check;

/* Bytes of base64, of either alphabet (RFC 4648 sections 4 and 5), with or without padding, appended. */
int kbs_base64(const char *text, size_t size, size_t most, struct buf *ret, struct error *err) must_check;

#endif
