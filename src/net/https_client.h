/*
 * An HTTPS client: one request after another over one connection that is kept, blocking, each within a time;
 * or several, whose answers are received later.
 *
 * The server is known by the hash of its key, or by its CA and name (net/tls.h); a system's store of CAs is
 * never asked. A connection that the server has meanwhile closed is made again before anything is sent. A
 * request that was sent and not answered is not sent again, but for GET and HEAD: whether it was carried out
 * is not known, and the error says so.
 *
 * A client belongs to one thread. Names are looked up by getaddrinfo, which keeps no time: where that
 * matters, give an address. Answers lie in `pool`, or in the ordinary heap, and are wiped when they are
 * released.
 */
#ifndef NET_HTTPS_CLIENT_H
#define NET_HTTPS_CLIENT_H

#include <poll.h>

#include "mem/mem.h"
#include "net/http.h"
#include "net/tls.h"

enum { HTTPS_URL_MAX = 512 };

/* 0 and NULL stand for what is in brackets. */
struct https_client_options {
	const char *url;         /* "https://cas:8081", "https://[::1]:8081"; nothing behind it */
	const char *key_hash;    /* the pin of the server's key; or: */
	const char *ca_key_hash; /* of its CA's, or: */
	const struct cert *const *cas;
	size_t ca_count;
	const struct cert_name *name; /* with a CA [the URL's host, a DNS name or an address] */
	const struct cert_key *key;   /* the client's own [none] */
	const struct cert *const *chain;
	size_t chain_count;
	int64_t (*now)(void *arg); /* seconds since 1970 */
	void *now_arg;
	unsigned connect_ms; /* with the handshake [10000] */
	unsigned request_ms; /* to the end of the answer [60000] */
	size_t answer_max;   /* bytes of a body [16 MiB] */
	struct mem_pool *pool;
};

struct https_client;
/* Connects when the first request is made. CELLA_EINVAL for a URL or a hash that is none. */
int https_client_new(const struct https_client_options *options, struct https_client **ret_client,
                     struct error *err) must_check;
void https_client_free(struct https_client *client);
/* How to wait for the server instead of by poll(2), for who has other things to do meanwhile: until the
 * socket is ready (> 0; `revents` is not looked at), something else came, or so much time has gone (0); an
 * error ends the request with it. NULL: by poll(2). `wait` asks nothing of this client. */
typedef int https_wait_fn(void *arg, struct pollfd *socket, int timeout_ms, struct error *err);
void https_client_wait_by(struct https_client *client, https_wait_fn *wait, void *arg);

struct https_message {
	const char *method;
	const char *target; /* "/v1/sessions/a?x=y", encoded (http_encode) */
	const char *type; /* of the body */
	const void *body;
	size_t size;
	const char *header; /* one field more, "name: value" of what may stand in it; NULL: none */
};

struct https_reply {
	unsigned status;
	struct mem_pool *pool;
	char *head; /* what `http` points into */
	struct http_response http;
	uint8_t *body; /* with a NUL behind it; NULL when it is empty */
	size_t size;
};

/* CELLA_EIO (refused, broken), CELLA_ETIMEOUT, CELLA_EAUTH (a pin, a certificate), CELLA_EUNSUPPORTED (no TLS
 * 1.3), CELLA_EFORMAT, CELLA_ELIMIT (the answer is larger than it may be), CELLA_ELOST (sent, not answered).
 * An answer of any status is a success here. */
int https_client_ask(struct https_client *client, const struct https_message *message,
                     struct https_reply *ret_reply, struct error *err) must_check;

/* The same in two halves, so that several requests are under way over the connection (RFC 9112, 9.3.2); the
 * answers come in order. Nothing is asked by https_client_ask meanwhile. A connection that is lost takes all
 * answers along; each is still received, as CELLA_ELOST. CELLA_ELIMIT: there are HTTPS_SENT_MAX. */
enum { HTTPS_SENT_MAX = 64 };
int https_client_send(struct https_client *client, const struct https_message *message,
                      struct error *err) must_check;
size_t https_client_sent(const struct https_client *client); /* so many are under way */
/* To wait for the next answer by: until then by the monotonic clock. -1: nothing is to be waited for. */
int https_client_socket(const struct https_client *client, uint64_t *ret_deadline_ns);
/* It has begun to come, or none will. Asked before each wait, as it may have come with the one before. */
bool https_client_has_answer(struct https_client *client);
int https_client_receive(struct https_client *client, struct https_reply *ret_reply,
                         struct error *err) must_check;
/* NULL without a connection. */
const struct tls_peer *https_client_peer(const struct https_client *client);

const char *https_reply_header(const struct https_reply *reply,
                               const char *name); /* in lower case; or NULL */
void https_reply_done(struct https_reply *reply);
/* 0 for 2xx. Otherwise an error with what the server says (problem+json, RFC 9457), and a code that fits. */
int https_reply_check(const struct https_client *client, const struct https_reply *reply,
                      struct error *err) must_check;

#endif
