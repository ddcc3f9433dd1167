/* Secrets that a session has generated: made where there is none yet, in the order in which they need each
 * other. */
#ifndef CAS_GENERATE_H
#define CAS_GENERATE_H

#include "cas/records/records.h"
#include "cas/session/session.h"

/* Within a step of a batch, at a stack in protected memory. `now_ns`: certificates begin then.
 * CELLA_EINVAL: one cannot be made as the session says, such as a certificate whose issuer's key is no
 * private key. */
int secrets_generate(struct records *r, const char *name, const struct session *session, uint64_t now_ns,
                     struct error *err) must_check;

#endif
