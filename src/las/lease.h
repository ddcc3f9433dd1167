/*
 * Offline leases (attest/lease.h): the launcher's statement of its keep key, and leases that it opens for
 * executors that it has started. What it opens lies in memory as its own key does, and is wiped.
 *
 * Which executor it is for says the launcher's own evidence, which comes back to it: so it remembers none.
 * The grant goes on to that executor's public key, so evidence of one that is gone is of no use.
 */
#ifndef LAS_LEASE_H
#define LAS_LEASE_H

#include "attest/lease.h"
#include "las/launcher.h"

enum { LAS_LEASE_MAX = (1 << 20) + 4096 }; /* bytes, sealed */

/* CELLA_EUNSUPPORTED: this machine's clocks do not tell how long a lease lasts: it keeps none. */
int lease_statement(struct launcher *launcher, uint8_t ret_bytes[LEASE_KEEP_SIZE],
                    struct error *err) must_check;
/* A lease in a file, for the executor of this evidence: appends the grant, sealed to it. CELLA_EAUTH: it is
 * not for it, or not for this launcher; CELLA_EPERM: it has ended. */
int lease_open(struct launcher *launcher, const void *evidence, size_t evidence_size, int file,
               struct buf *ret_grant, struct error *err) must_check;

#endif
