#include "net/https_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

void https_link_close(struct https_link *link)
{
	if (link->tls)
		tls_end(link->tls);
	tls_free(link->tls);
	if (link->fd >= 0)
		close(link->fd);
	*link = (struct https_link){.fd = -1, .wait = link->wait, .wait_arg = link->wait_arg};
}

/* Until the socket is ready, there was something else to do, or the time is over: > 0, 0, or CELLA_E*. */
static int wait_once(const struct https_link *link, struct pollfd *socket, int ms, struct error *err)
{
	if (link->wait)
		return link->wait(link->wait_arg, socket, ms, err);
	int n = poll(socket, 1, ms);
	return n < 0 && errno != EINTR ? error_errno(err, CELLA_EIO, "cannot wait for the server")
	                               : max_of(n, 0);
}

static int wait_for(const struct https_link *link, int fd, short what, uint64_t deadline_ns,
                    struct error *err)
{
	struct pollfd p = {.fd = fd, .events = what};
	for (;;) {
		uint64_t now = clock_ns();
		int ms = now < deadline_ns ? (int)min_of((deadline_ns - now + 999999) / 1000000, 1u << 30)
		                           : 0;
		int n = wait_once(link, &p, ms, err);
		if (n != 0)
			return min_of(n, 0);
		if (clock_ns() >= deadline_ns)
			return error_set(err, CELLA_ETIMEOUT, "it took too long");
	}
}

static int connect_to(const struct https_link *link, const struct addrinfo *to, uint64_t deadline_ns,
                      int *ret_fd, struct error *err)
{
	int on = 1, failure = 0;
	socklen_t size = sizeof(failure);
	cleanup_close int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot make a socket");
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS)
		return error_errno(err, CELLA_EIO, "cannot connect");
	int rc = wait_for(link, fd, POLLOUT, deadline_ns, err);
	if (rc < 0)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
		failure = errno;
	errno = failure;
	if (failure == ECONNREFUSED)
		return error_set(
			err, CELLA_EIO,
			"the connection is refused: nothing listens there; is the server running, and "
			"is this its port?");
	if (failure)
		return error_errno(err, CELLA_EIO, "cannot connect");
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Each address of the host in turn. */
static int connect_any(const struct https_link *link, const char *host, const char *port,
                       uint64_t deadline_ns, int *ret_fd, struct error *err)
{
	struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	int rc = getaddrinfo(host, port, &hints, &found);
	if (rc != 0)
		return error_set(err, CELLA_EIO,
		                 "%s is not known: %s; give its address, or look at /etc/hosts", host,
		                 gai_strerror(rc));
	rc = CELLA_EIO;
	for (const struct addrinfo *to = found; to && rc < 0 && rc != CELLA_ECANCELED; to = to->ai_next)
		rc = connect_to(link, to, deadline_ns, ret_fd, err);
	freeaddrinfo(found);
	return rc;
}

static int shake_hands(struct https_link *link, uint64_t deadline_ns, struct error *err)
{
	int rc;
	while ((rc = tls_handshake(link->tls, err)) == CELLA_EAGAIN) {
		rc = wait_for(link, link->fd, tls_wants(link->tls), deadline_ns, err);
		if (rc < 0)
			break;
	}
	return rc;
}

int https_link_open(struct https_link *link, struct tls_context *tls, const char *host, const char *port,
                    uint64_t deadline_ns, struct error *err)
{
	struct https_link opened = {.fd = -1, .wait = link->wait, .wait_arg = link->wait_arg};
	int rc = connect_any(&opened, host, port, deadline_ns, &opened.fd, err);
	if (rc == 0)
		rc = tls_new(tls, opened.fd, host, &opened.tls, err);
	if (rc == 0)
		rc = shake_hands(&opened, deadline_ns, err);
	if (rc < 0)
		https_link_close(&opened);
	else
		*link = opened;
	return rc;
}

int https_link_write(struct https_link *link, const void *bytes, size_t size, uint64_t deadline_ns,
                     struct error *err)
{
	const uint8_t *at = bytes;
	while (size > 0) {
		size_t n = 0;
		int rc = tls_write(link->tls, at, size, &n, err);
		if (rc == CELLA_EAGAIN)
			rc = wait_for(link, link->fd, tls_wants(link->tls), deadline_ns, err);
		if (rc < 0)
			return rc;
		at += n;
		size -= n;
	}
	return 0;
}

int https_link_read(struct https_link *link, void *to, size_t size, size_t *ret_size, uint64_t deadline_ns,
                    struct error *err)
{
	for (;;) {
		int rc = tls_read(link->tls, to, size, ret_size, err);
		if (rc != CELLA_EAGAIN)
			return rc;
		rc = wait_for(link, link->fd, tls_wants(link->tls), deadline_ns, err);
		if (rc < 0)
			return rc;
	}
}

bool https_link_is_stale(struct https_link *link)
{
	uint8_t byte;
	size_t n;
	return tls_read(link->tls, &byte, 1, &n, NULL) != CELLA_EAGAIN;
}
