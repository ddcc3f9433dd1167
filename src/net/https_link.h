/* The client's connection: a socket and TLS on it, blocking until a time; for https_client.c. */
#ifndef NET_HTTPS_LINK_H
#define NET_HTTPS_LINK_H

#include "net/https_client.h"
#include "net/tls.h"

struct https_link {
	int fd; /* -1: there is none */
	struct tls *tls;
	https_wait_fn *wait; /* NULL: poll */
	void *wait_arg;
};

void https_link_close(struct https_link *link);
/* `link` is closed, or zeros; how it waits stays. `host` and `port` as in a URL; errors begin with why.
 * `deadline_ns` is of the monotonic clock. */
int https_link_open(struct https_link *link, struct tls_context *tls, const char *host, const char *port,
                    uint64_t deadline_ns, struct error *err) must_check;
int https_link_write(struct https_link *link, const void *bytes, size_t size, uint64_t deadline_ns,
                     struct error *err) must_check;
/* At least one byte; *ret_size 0 at the end. */
int https_link_read(struct https_link *link, void *to, size_t size, size_t *ret_size, uint64_t deadline_ns,
                    struct error *err) must_check;
/* Has the server closed it, or sent what nobody asked for? */
bool https_link_is_stale(struct https_link *link);

#endif
