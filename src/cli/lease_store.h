/*
 * Offline leases that this node keeps (attest/lease.h), each a file in ~/.config/cella/leases ($CELLA_LEASES
 * names another directory). Nothing in them is secret, and nothing in the clear is believed: the launcher
 * judges what is sealed. What stands beside it says what to tell a person.
 */
#ifndef CLI_LEASE_STORE_H
#define CLI_LEASE_STORE_H

#include "attest/lease.h"

/* Of which CAS (its pin), and for what. */
struct lease_name {
	const char *pin, *session, *service;
};
/* In the place of what is there. `keep`: the statement that it begins with. */
int lease_store_put(const struct lease_name *name, const void *keep, size_t keep_size, uint64_t offline_s,
                    const void *lease, size_t size, struct error *err) must_check;
/* Appended; *ret_left_s until it ends, as far as can be said here. CELLA_ENOENT: none; CELLA_EPERM: it has
 * ended. */
int lease_store_get(const struct lease_name *name, struct buf *ret_lease, uint64_t *ret_left_s,
                    struct error *err) must_check;
void lease_store_remove(const struct lease_name *name);

#endif
