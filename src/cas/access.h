/*
 * May who asks do that with a session? By the session's access_policy, over the key that the connection has
 * proven and those that have signed the request; what is denied is in the log. Who is no owner and may not
 * read a session is not told whether there is one.
 */
#ifndef CAS_ACCESS_H
#define CAS_ACCESS_H

#include "cas/requester.h"
#include "cas/session/signature.h"

struct access_request {
	const struct cas_requester *who;
	const char *action;    /* SIGNATURE_PUT or the like */
	const char *session;   /* its name */
	const uint8_t *digest; /* what is signed, CRYPTO_SHA384_SIZE bytes; NULL: the session's hash */
};

/* By `access` of this session; `what` continues "may not ". CELLA_EPERM. */
int access_demand(struct cas *cas, const struct access_request *q, const struct cas_session *session,
                  const struct session_access *access, const char *what, struct error *err) must_check;
/* By `read` of the session that is asked for, whose hash then it tells (may be NULL). CELLA_EPERM;
 * CELLA_ENOENT, which owners alone are told. */
int access_demand_read(struct cas *cas, const struct access_request *q, uint8_t ret_hash[CRYPTO_SHA384_SIZE],
                       struct error *err) must_check;
/* Of a session that is not there. CELLA_EPERM. */
int access_demand_owner(struct cas *cas, const struct access_request *q, const char *what,
                        struct error *err) must_check;
/* By its own key alone, and without a note. */
bool access_may_read(struct cas *cas, const struct cas_requester *who, const struct cas_session *session);

#endif
