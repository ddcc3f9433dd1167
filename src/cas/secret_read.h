/*
 * Single secrets of a session, for cells whose identity its access_policy.read names: over HTTPS, by the
 * certificate that this CAS gave them. Keys of people may not, whatever they are named for: what a CAS has
 * generated is shown to cells alone. What the session imports is for its own services and is not read so.
 */
#ifndef CAS_SECRET_READ_H
#define CAS_SECRET_READ_H

#include "cas/requester.h"

/* `take` gets it once, in protected memory that it does not keep, when it is in the audit log that the
 * cell has it. CELLA_EPERM; CELLA_ENOENT: the session has none of this name, or imports it, or nobody
 * has uploaded it. */
typedef void cas_secret_fn(void *arg, const void *data, size_t size);
int cas_secret_read(struct cas *cas, const struct cas_requester *who, const char *session, const char *name,
                    cas_secret_fn *take, void *arg, struct error *err) must_check;

#endif
