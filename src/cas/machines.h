/*
 * What hardware says of launchers' machines, judged by what sessions demand.
 *
 * The endorsement that lies in the records is verified again for each question, by the need's own policy, at
 * the time of the question, with the collateral that the CAS has: what was revoked, or has ended, since then
 * counts. What was accepted is remembered for a minute, by the endorsement and the policy; collateral that is
 * added or removed ends that.
 */
#ifndef CAS_MACHINES_H
#define CAS_MACHINES_H

#include "attest/endorsement_format.h"
#include "cas/service.h"

enum { MACHINE_REMEMBERED_S = 60 };

struct machines;
int machines_new(struct machines **ret_machines, struct error *err) must_check;
void machines_free(struct machines *m);
/* The collateral in the records is another one. */
void machines_forget(struct machines *m);

/* By one need; `endorsement` is fresh, or lies in the records. As session_hardware_fn. */
int machines_verify(struct cas *cas, const struct endorsement *endorsement, const struct session_need *need,
                    bool *ret_holds, session_fail_fn *tell, void *arg, struct error *err) must_check;

/* Any evidence, with the collateral that the CAS has for its kind, now; all else of `input` is the caller's.
 * As tee_verify. */
int machines_evidence(struct cas *cas, struct tee_input *input, struct tee_verdict *ret_verdict,
                      struct error *err) must_check;

/* A launcher; for session_claims. */
struct machine {
	struct cas *cas;
	const uint8_t *launcher; /* RECORDS_KEY_SIZE bytes */
};
session_hardware_fn machine_judge;

#endif
