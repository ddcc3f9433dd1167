/*
 * The certificate that the CAS shows as a server: for its TLS key, from its own CA (cas/identity.h), under
 * the names that its clients call it by. Who pins the key looks at none of this. Who knows the CA and a name
 * (guests, curl) may: the CA stays the same when the CAS starts again, and no cell's certificate has a name
 * or an address of a host.
 */
#ifndef CAS_SERVER_CERTIFICATE_H
#define CAS_SERVER_CERTIFICATE_H

#include "cas/service.h"

enum {
	SERVER_CERTIFICATE_S = 398 * 86400, /* what clients of TLS take at most */
	SERVER_CERTIFICATE_HOSTS_MAX = CERT_NAMES_MAX - 3, /* beside those of this machine */
};

/* CELLA_EINVAL: one of `hosts` is neither a DNS name nor an address, or there are too many. */
int server_certificate_check(const char *const *hosts, size_t count, struct error *err) must_check;

/* For localhost, 127.0.0.1, ::1 and `hosts`, which were checked; from a day before `now` on. */
int server_certificate_issue(const struct cas *cas, const char *const *hosts, size_t count, int64_t now,
                             struct cert **ret_certificate, struct error *err) must_check;

#endif
