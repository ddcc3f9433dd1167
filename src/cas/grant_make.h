/*
 * What a service of a session gets, as a grant for one executor (cell/provision.h): its variables and
 * arguments with secrets in their places, the files of its image, and its volumes with keys and roots.
 * Everything lies in the desk's pool and is wiped.
 */
#ifndef CAS_GRANT_MAKE_H
#define CAS_GRANT_MAKE_H

#include "attest/evidence.h"
#include "cas/attest.h"

/* Appends the grant for what `evidence` was parsed from (for_whom), sealed to the executor's key.
 * CELLA_EINVAL: the session cannot give it: what it imports is not exported to it, a volume was not handed
 * over; the text is for the session's owner. */
int grant_make(struct cas_desk *desk, const struct cas_session *session,
               const struct session_service *service, const struct cas_attestation *for_whom,
               const struct evidence *evidence, struct buf *ret_sealed, struct error *err) must_check;

/*
 * What a node may keep of the same (attest/lease.h), sealed to its launcher's keep key: volumes are for
 * reading only, at the root that counts now, no key for the root keeper is in it, and the files of an
 * identity are empty, as there is nobody to certify it.
 */
struct lease_keep;
int grant_make_lease(struct cas_desk *desk, const struct cas_session *session,
                     const struct session_service *service, const struct cas_attestation *for_whom,
                     const struct evidence *evidence, const struct lease_keep *keep, struct buf *ret_sealed,
                     struct error *err) must_check;

#endif
