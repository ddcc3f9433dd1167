/*
 * The audit log for those who ask over the network: each is shown what they may see.
 *
 * An entry that names a session is for who may read that session, as it is now, and only since it was
 * created: what an earlier one of its name did is nobody's any more. All others, which are of owners,
 * launchers, revocations and of the CAS itself, are for owners. Entries of sessions that are not there are
 * shown by nothing but the CAS's own machine (cas/records/upkeep.h).
 */
#ifndef CAS_AUDIT_LIST_H
#define CAS_AUDIT_LIST_H

#include <jansson.h>

#include "cas/requester.h"

enum { AUDIT_PAGE_ENTRIES = 4096, AUDIT_PAGE_BYTES = 1 << 20 }; /* that are looked at for one request */

struct cas_audit_query {
	const char *session; /* NULL: all */
	uint64_t from; /* the number to begin with */
	uint64_t since_ns; /* in time */
};
/* Appended to `list`, as audit_entry_json makes them; *ret_next is where to go on, 0 at the end.
 * CELLA_EPERM, CELLA_ENOENT: of the session that is named. */
int cas_audit_list(struct cas *cas, const struct cas_requester *who, const struct cas_audit_query *query,
                   json_t *list, uint64_t *ret_next, struct error *err) must_check;

#endif
