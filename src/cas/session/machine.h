/*
 * What a session demands of the hardware that vouches for a machine: a policy of attest/tee.h, in the
 * session's own text. What the session does not say is as the kind's defaults, but for what would let the
 * host read the machine's memory: that is refused unless the session says otherwise.
 */
#ifndef CAS_SESSION_MACHINE_H
#define CAS_SESSION_MACHINE_H

#include "attest/tee.h"
#include "cas/session/session.h"

/* False: of that class there is no evidence of hardware (soft). */
bool session_machine_kind(enum session_machine machine, enum tee_kind *ret_kind);
/* `json`: what differs from the defaults; NULL: nothing. The caller's to tee_policy_free. CELLA_EUNSUPPORTED:
 * this build does not verify that kind. */
int session_machine_policy(enum session_machine machine, const char *json, struct tee_policy **ret_policy,
                           struct error *err) must_check;

#endif
