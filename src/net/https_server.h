/*
 * An HTTPS server: HTTP/1.1 (net/http.h) over TLS 1.3 (net/tls.h), driven by a loop of libevent.
 *
 * One thread runs the caller's event_base: it accepts, does handshakes, reads requests and writes answers,
 * and never waits for anything but the loop. A route's handler runs there, or on one of the server's worker
 * threads (`on_worker`) if it computes for long or waits for a disk; either may answer at once, or keep the
 * request and let any thread answer it later. A connection's requests are answered one after another, in
 * order.
 *
 * Everything that a peer can make grow has a limit (struct https_limits): connections in all and from an
 * address, handshakes and requests per second, heads, bodies in all and by route, time to shake hands, to
 * send a request, to take an answer, and to be idle. What is refused is told by status and reason as
 * problem+json (RFC 9457) where the peer got so far as to ask, and is counted. docs/protocols/https.md has
 * the table.
 *
 * Heads, bodies and answers lie in `pool`, which the server locks for itself: it must be nobody else's, that
 * of crypto_init included. Bodies are wiped when the request is answered.
 */
#ifndef NET_HTTPS_SERVER_H
#define NET_HTTPS_SERVER_H

#include <jansson.h>

#include "mem/mem.h"
#include "net/metrics.h"
#include "net/tls.h"

struct event_base;
struct https_request;

/* Answers `request` once, now or later. `arg` is the route's. */
typedef void https_handler(void *arg, struct https_request *request);

struct https_route {
	const char *method;  /* "GET", which answers HEAD, too */
	const char *pattern; /* "/v1/sessions/{namespace}/{name}" (net/http.h) */
	size_t body_max;     /* bytes; 0: a body is refused */
	bool on_worker;
	bool needs_certificate; /* 403 without one */
	https_handler *handle;
	void *arg;
};

/* 0 stands for the value in brackets. */
struct https_limits {
	unsigned connections;         /* [1024]; fewer than the process may have descriptors */
	unsigned address_connections; /* [256] from one IPv4 address or IPv6 /64 */
	unsigned handshakes_per_s;    /* [200] from such an address, and as many at once */
	unsigned requests_per_s;      /* [200] from a key, or from an address without a certificate */
	unsigned handshake_ms;        /* [10000] */
	unsigned request_ms;          /* [30000] from the first byte of a request to its last */
	unsigned handler_ms;          /* [60000] until it is answered */
	unsigned answer_ms;           /* [30000] until the peer has taken it */
	unsigned idle_ms;             /* [60000] between requests */
	unsigned yield_ms; /* [5000] who is idle for longer makes room when all connections are taken */
	unsigned workers; /* [2] threads */
	unsigned queue; /* [256] requests that wait for a worker */
	size_t bodies; /* [64 MiB] of all requests together */
};

struct https_server_options {
	struct event_base *base;
	struct tls_context *tls; /* a server's; the server takes a reference */
	const char *address; /* numeric, "127.0.0.1" or "::" */
	uint16_t port; /* 0: any */
	const struct https_route *routes; /* stay the caller's, and stay */
	size_t route_count;
	struct https_limits limits;
	struct mem_pool *pool; /* NULL: the ordinary heap, wiped */
	struct metrics *metrics; /* NULL: nothing is counted; outlives the server */
	int64_t (*now)(void *arg); /* seconds since 1970, for Date and for the ends of certificates */
	void *now_arg;
};

struct https_server;
/* Listens from then on; connections are accepted while the base's loop runs. */
int https_server_new(const struct https_server_options *options, struct https_server **ret_server,
                     struct error *err) must_check;
uint16_t https_server_port(const struct https_server *server);
/* For connections from then on, as when the certificate is renewed. The loop's thread. */
void https_server_set_tls(struct https_server *server, struct tls_context *tls);
/* Accept no more, end idle connections, answer what has come, and end the others; after `timeout_ms` end
 * what is left. Then `stopped`, from the loop. The loop's thread; once. */
void https_server_stop(struct https_server *server, unsigned timeout_ms, void (*stopped)(void *arg),
                       void *arg);
/* The loop's thread, not from a handler. Ends everything; returns when the workers have ended. Requests that
 * others still hold may be answered until the server is freed, not after. */
void https_server_free(struct https_server *server);

/* What was asked. Strings live until the request is answered. */
const char *https_method(const struct https_request *request);
/* What {name} of the pattern matched; NULL if the pattern has none of that name. */
const char *https_segment(const struct https_request *request, const char *name);
const char *https_parameter(const struct https_request *request,
                            const char *name); /* of the query, or NULL */
const char *https_header(const struct https_request *request, const char *name); /* in lower case; or NULL */
const void *https_body(const struct https_request *request, size_t *ret_size);
/* The client: key_hash is "" without a certificate. */
const struct tls_peer *https_peer(const struct https_request *request);
const char *https_address(const struct https_request *request);

/*
 * Answers, from any thread; each ends the request. Before that, https_add_header adds fields, 4 KiB in all;
 * one whose value has control characters is left out. An answer carries `Cache-Control: no-store` and, unless
 * it has no body, its type.
 */
void https_add_header(struct https_request *request, const char *name, const char *value);
void https_answer(struct https_request *request, unsigned status, const char *type, const void *body,
                  size_t size);
void https_answer_json(struct https_request *request, unsigned status, const json_t *json);

/* RFC 9457. */
struct https_problem {
	unsigned status;
	const char *type; /* a URI; NULL: about:blank, and the title is the status's */
	const char *title; /* the same for all problems of the type; NULL: the status's */
	const char *detail; /* of this one; NULL: none */
	const json_t *others; /* an object whose members are added; NULL: none */
};
void https_answer_problem(struct https_request *request, const struct https_problem *problem);
/* An error of Cella: the status that its code stands for. The text of what is the server's own failure (5xx)
 * goes to the log, not to the peer. */
void https_answer_error(struct https_request *request, const struct error *error);

/* Helpers for the routes that every daemon has: 200 with all metrics; 200 or 503 with {"status": "pass" or
 * "fail", "checks": {NAME: {"status": …, "output": why}}}. */
void https_answer_metrics(struct https_request *request, const struct metrics *metrics);
struct https_check {
	const char *name;
	const char *failure; /* NULL: it passes */
};
void https_answer_health(struct https_request *request, const struct https_check *checks, size_t count);

#endif
