/*
 * A connection: from the handshake to its end, one request after another.
 *
 *     HANDSHAKE -> HEAD -> BODY -> HANDLER -> ANSWER -> HEAD -> ...
 *                    \________________________^  \-> LINGER -> (closed)
 *
 * Each state has a step, which does what can be done without waiting and says how it goes on; each has a time
 * by which it must be over. What a peer sends while its request is handled stays in the socket, so that it
 * cannot make anything grow; pipelined requests therefore wait their turn.
 *
 * A peer that is refused while it still sends would lose the reason if the socket were closed at once (the
 * kernel answers unread bytes with a reset), so the connection lingers: it reads and drops for a short while.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/https_state.h"

enum state { HANDSHAKE, HEAD, BODY, HANDLER, ANSWER, LINGER, STATES };
/* How a step ends: wait for the socket or for the handler, run the step of the state that is now, close. */
enum step { WAIT, WAIT_HANDLER, GO_ON, CLOSE };

struct https_connection {
	LIST_ENTRY(https_connection) link;
	struct https_server *server;
	int fd;
	struct tls *tls;
	struct event *readable, *writable, *timer;
	enum state state;
	uint64_t deadline_ns;
	uint64_t address_key;
	char address[INET6_ADDRSTRLEN];
	struct https_block input; /* of a head, and what came behind it */
	size_t scanned;
	struct https_request *request; /* being read, or with its handler */
	struct https_block output;
	size_t sent;
	enum state after; /* the answer */
	size_t dropped;   /* while it lingers */
};

static void set_state(struct https_connection *c, enum state state, unsigned ms)
{
	c->state = state;
	c->deadline_ns = clock_ns() + (uint64_t)ms * 1000000;
}

static void refused(struct https_server *s, enum https_refused reason)
{
	metric_add(s->metrics.refused[reason], 1);
}

static void drop_body(struct https_server *s, struct https_request *r)
{
	s->bodies -= r->body.capacity;
	https_block_free(&s->memory, &r->body);
}

/* The request is with nobody else. */
static void drop_request(struct https_connection *c)
{
	if (!c->request)
		return;
	drop_body(c->server, c->request);
	https_request_free(c->request);
	c->request = NULL;
}

/* Its handler has it; it is freed when it is answered. */
static void leave_request(struct https_connection *c)
{
	c->request->connection = NULL;
	c->request = NULL;
}

void https_connection_free(struct https_connection *c)
{
	struct https_server *s = c->server;
	if (c->request && c->state == HANDLER)
		leave_request(c);
	drop_request(c);
	https_block_free(&s->memory, &c->input);
	https_block_free(&s->memory, &c->output);
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->timer)
		event_free(c->timer);
	tls_free(c->tls);
	close(c->fd);
	LIST_REMOVE(c, link);
	uint64_t key = c->address_key;
	free(c);
	https_connection_gone(s, key);
}

/* Answers. */

static void count_answer(struct https_server *s, const struct https_request *r)
{
	metric_add(s->metrics.answers[min_of(r->status / 100, 5u)], 1);
	metric_observe_us(s->metrics.seconds, (clock_ns() - r->began_ns) / 1000);
}

/* Take the request's answer over and send it. */
static void take_answer(struct https_connection *c, struct https_request *r)
{
	count_answer(c->server, r);
	c->output = r->answer;
	r->answer = (struct https_block){0};
	c->sent = 0;
	c->after = r->close || c->server->stopping ? LINGER : HEAD;
	set_state(c, ANSWER, c->server->limits.answer_ms);
}

/* Refuse what is being read. Unless it has come whole, its end is not known, and the connection ends. */
static enum step refuse(struct https_connection *c, unsigned status, const char *detail)
{
	struct https_request *r = c->request;
	log_debug("https: %s: %u: %s", c->address, status, detail);
	r->close = r->close || !r->http.method || r->body.size < r->http.body_size;
	https_problem_answer(r, status, detail);
	take_answer(c, r);
	drop_request(c);
	return GO_ON;
}

static enum step step_answer(struct https_connection *c)
{
	while (c->sent < c->output.size) {
		size_t n;
		int rc = tls_write(c->tls, c->output.data + c->sent, c->output.size - c->sent, &n, NULL);
		if (rc < 0)
			return rc == CELLA_EAGAIN ? WAIT : CLOSE;
		c->sent += n;
	}
	bool none = c->output.size == 0; /* there was no memory for it */
	https_block_free(&c->server->memory, &c->output);
	if (none)
		return CLOSE;
	if (c->after == LINGER) {
		tls_end(c->tls);
		shutdown(c->fd, SHUT_WR);
		set_state(c, LINGER, HTTPS_LINGER_MS);
	} else if (c->after == HEAD) {
		set_state(c, HEAD,
		          c->input.size > 0 ? c->server->limits.request_ms : c->server->limits.idle_ms);
	} else { /* 100 Continue is out */
		c->state = c->after;
		c->deadline_ns = c->request->began_ns + (uint64_t)c->server->limits.request_ms * 1000000;
	}
	return GO_ON;
}

static enum step step_linger(struct https_connection *c)
{
	char dropped[4096];
	ssize_t n;
	while ((n = recv(c->fd, dropped, sizeof(dropped), 0)) > 0) {
		c->dropped += (size_t)n;
		if (c->dropped > HTTPS_LINGER_MAX)
			return CLOSE;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? WAIT : CLOSE;
}

/* Requests. */

/* Its handler has given the request back, with the answer. */
static void answer(struct https_connection *c, struct https_request *r)
{
	c->request = NULL;
	take_answer(c, r);
	drop_body(c->server, r);
	https_request_free(r);
}

/* Out of the queue of answers, if it is there already. */
static bool take_back(struct https_server *s, struct https_request *r)
{
	pthread_mutex_lock(&s->lock);
	bool answered = r->answered;
	if (answered)
		STAILQ_REMOVE(&s->answers, r, https_request, link);
	pthread_mutex_unlock(&s->lock);
	return answered;
}

static enum step dispatch(struct https_connection *c)
{
	struct https_request *r = c->request;
	struct https_server *s = c->server;
	r->connection = c;
	s->outstanding++;
	set_state(c, HANDLER, s->limits.handler_ms);
	if (r->route->on_worker && https_workers_take(s->workers, r))
		return WAIT_HANDLER;
	if (r->route->on_worker) {
		s->outstanding--;
		refused(s, HTTPS_REFUSED_REQUESTS);
		https_add_header(r, "Retry-After", "1");
		return refuse(c, 503, "too many requests wait here; try again");
	}
	s->dispatched = r;
	r->route->handle(r->route->arg, r);
	s->dispatched = NULL;
	if (!take_back(s, r))
		return WAIT_HANDLER;
	s->outstanding--;
	answer(c, r);
	return GO_ON;
}

static enum step step_body(struct https_connection *c)
{
	struct https_block *body = &c->request->body;
	size_t wanted = (size_t)c->request->http.body_size;
	size_t there = min_of(c->input.size, wanted - body->size);
	if (there > 0) {
		memcpy(body->data + body->size, c->input.data, there);
		memmove(c->input.data, c->input.data + there, c->input.size - there);
		body->size += there;
		c->input.size -= there;
		c->scanned = 0;
	}
	while (body->size < wanted) {
		size_t n;
		int rc = tls_read(c->tls, body->data + body->size, wanted - body->size, &n, NULL);
		if (rc == CELLA_EAGAIN)
			return WAIT;
		if (rc < 0 || n == 0)
			return CLOSE;
		body->size += n;
	}
	return dispatch(c);
}

static enum step start_body(struct https_connection *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct https_request *r = c->request;
	struct https_server *s = c->server;
	uint64_t size = r->http.body_size;
	if (size > r->route->body_max)
		return refuse(c, 413, "the body is larger than this route takes");
	if (size > s->limits.bodies - s->bodies ||
	    (size > 0 && !https_block_new(&s->memory, (size_t)size, &r->body))) {
		https_add_header(r, "Retry-After", "1");
		return refuse(c, 503, "there is no room for the body; try again");
	}
	s->bodies += r->body.capacity;
	c->state = BODY;
	if (!r->http.wants_continue || c->input.size > 0 || size == 0)
		return GO_ON;
	if (!https_block_new(&s->memory, sizeof(go_on), &c->output))
		return CLOSE;
	memcpy(c->output.data, go_on, sizeof(go_on) - 1);
	c->output.size = sizeof(go_on) - 1;
	c->sent = 0;
	c->after = BODY;
	c->state = ANSWER;
	return GO_ON;
}

/* Of several routes with the path, the one with the method; *ret_allowed lists the methods there are. */
static const struct https_route *find_route(const struct https_server *s, const struct http_request *http,
                                            char *ret_allowed, size_t room)
{
	const char *method = strcmp(http->method, "HEAD") == 0 ? "GET" : http->method;
	size_t at = 0;
	ret_allowed[0] = '\0';
	for (size_t i = 0; i < s->options.route_count; i++) {
		const struct https_route *route = &s->options.routes[i];
		if (!http_pattern_matches(route->pattern, http))
			continue;
		if (strcmp(route->method, method) == 0)
			return route;
		if (at < room)
			at += (size_t)snprintf(ret_allowed + at, room - at, "%s%s", at > 0 ? ", " : "",
			                       route->method);
	}
	return NULL;
}

static bool has_tokens(const struct https_server *s, const struct https_connection *c)
{
	const struct tls_peer *peer = tls_peer(c->tls);
	return https_buckets_take(s->requests,
	                          peer->key_hash[0] ? https_peer_of_key(peer->key_hash) : c->address_key,
	                          clock_ns());
}

/* The head has been read: may it go on? */
static enum step route(struct https_connection *c)
{
	char allowed[128];
	struct https_request *r = c->request;
	struct https_server *s = c->server;
	const struct https_server_options *o = &s->options;
	if (!has_tokens(s, c)) {
		refused(s, HTTPS_REFUSED_REQUESTS);
		https_add_header(r, "Retry-After", "1");
		return refuse(c, 429, "this client asks more often than it may");
	}
	if (r->peer.key_hash[0] && r->peer.not_after < o->now(o->now_arg))
		return refuse(c, 403, "the client's certificate has expired since the connection began");
	r->route = find_route(s, &r->http, allowed, sizeof(allowed));
	if (!r->route && !allowed[0])
		return refuse(c, 404, "there is nothing at this path");
	if (!r->route) {
		https_add_header(r, "Allow", allowed);
		return refuse(c, 405, "this path does not take this method");
	}
	if (r->route->needs_certificate && !r->peer.key_hash[0])
		return refuse(c, 403, "a client's certificate is needed here");
	return start_body(c);
}

/* The first `size` bytes of the input are a head. */
static enum step take_head(struct https_connection *c, size_t size)
{
	struct http_refusal why;
	struct https_server *s = c->server;
	struct https_request *r = c->request;
	if (!https_block_new(&s->memory, size, &r->head))
		return CLOSE;
	memcpy(r->head.data, c->input.data, size);
	memmove(c->input.data, c->input.data + size, c->input.size - size);
	c->input.size -= size;
	c->scanned = 0;
	if (http_request_read((char *)r->head.data, size, &r->http, &why) < 0)
		return refuse(c, why.status, why.text);
	r->close = r->http.close;
	return route(c);
}

/* Something of a request has come. */
static bool begin_request(struct https_connection *c)
{
	struct https_request *r = c->request = https_request_new(c->server);
	if (!r)
		return false;
	r->peer = *tls_peer(c->tls);
	memcpy(r->address, c->address, sizeof(r->address));
	set_state(c, HEAD, c->server->limits.request_ms);
	return true;
}

static enum step step_head(struct https_connection *c)
{
	struct https_block *in = &c->input;
	if (!in->data && !https_block_new(&c->server->memory, HTTP_HEAD_MAX, in))
		return CLOSE;
	for (;;) {
		if (in->size > 0 && !c->request && !begin_request(c))
			return CLOSE;
		size_t n, head = in->size > 0 ? http_head_size((char *)in->data, in->size, &c->scanned) : 0;
		if (head > 0)
			return take_head(c, head);
		if (in->size == in->capacity)
			return refuse(c, 431, "the head of a request has 16384 bytes at most");
		int rc = tls_read(c->tls, in->data + in->size, in->capacity - in->size, &n, NULL);
		if (rc == CELLA_EAGAIN) {
			if (in->size == 0) /* idle connections take little */
				https_block_free(&c->server->memory, in);
			return WAIT;
		}
		if (rc == 0 && n == 0)
			tls_end(c->tls);
		if (rc < 0 || n == 0)
			return CLOSE;
		in->size += n;
	}
}

static enum step step_handshake(struct https_connection *c)
{
	struct error err;
	int rc = tls_handshake(c->tls, &err);
	if (rc == 0) {
		set_state(c, HEAD, c->server->limits.idle_ms);
		return c->server->stopping ? CLOSE : GO_ON;
	}
	if (rc == CELLA_EAGAIN)
		return WAIT;
	refused(c->server, HTTPS_REFUSED_TLS);
	log_debug("https: %s: handshake: %s", c->address, err.text);
	if (rc != CELLA_EAUTH && rc != CELLA_EUNSUPPORTED)
		return CLOSE;
	shutdown(c->fd, SHUT_WR); /* behind the alert that says why */
	set_state(c, LINGER, HTTPS_LINGER_MS);
	return GO_ON;
}

static enum step step_handler(struct https_connection *c not_used)
{
	return WAIT_HANDLER;
}

static enum step (*const steps[STATES])(struct https_connection *c) = {
	[HANDSHAKE] = step_handshake, [HEAD] = step_head,     [BODY] = step_body,
	[HANDLER] = step_handler,     [ANSWER] = step_answer, [LINGER] = step_linger,
};

/* A state that was not over in time. */
static enum step step_late(struct https_connection *c)
{
	if (c->state == HANDLER) {
		struct https_request *own = https_request_new(c->server);
		if (!own)
			return CLOSE;
		own->began_ns = c->request->began_ns;
		own->close = true;
		https_problem_answer(own, 504,
		                     "the request was not answered in time; it may still be carried out");
		leave_request(c);
		take_answer(c, own);
		https_request_free(own);
		return GO_ON;
	}
	if (c->state != LINGER && (c->state != HEAD || c->request))
		refused(c->server, HTTPS_REFUSED_SLOW);
	if (c->request && (c->state == HEAD || c->state == BODY))
		return refuse(c, 408, "the request did not come whole in time");
	if (c->state == HEAD)
		tls_end(c->tls);
	return CLOSE;
}

static void run(struct https_connection *c, enum step step);

static void on_event(int fd not_used, short what, void *arg)
{
	struct https_connection *c = arg;
	run(c, what & EV_TIMEOUT ? step_late(c) : GO_ON);
}

/* While a handler has the request nothing is read: time alone wakes the connection. */
static void wait_for(struct https_connection *c, enum step step)
{
	uint64_t now = clock_ns(), ns = c->deadline_ns > now ? c->deadline_ns - now : 0;
	struct timeval left = {(time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000 / 1000)};
	bool writes = c->state != LINGER && tls_wants(c->tls) == POLLOUT;
	struct event *event = step == WAIT_HANDLER ? c->timer : writes ? c->writable : c->readable;
	if (event_add(event, &left) < 0)
		https_connection_free(c);
}

static void run(struct https_connection *c, enum step step)
{
	while (step == GO_ON)
		step = steps[c->state](c);
	if (step == CLOSE)
		https_connection_free(c);
	else
		wait_for(c, step);
}

static struct https_request *next_answer(struct https_server *s)
{
	pthread_mutex_lock(&s->lock);
	struct https_request *r = STAILQ_FIRST(&s->answers);
	if (r)
		STAILQ_REMOVE_HEAD(&s->answers, link);
	pthread_mutex_unlock(&s->lock);
	return r;
}

void https_take_answers(struct https_server *s)
{
	for (struct https_request *r; (r = next_answer(s));) {
		struct https_connection *c = r->connection;
		s->outstanding--;
		if (c) {
			event_del(c->timer);
			answer(c, r);
			run(c, GO_ON);
		} else {
			drop_body(s, r);
			https_request_free(r);
		}
	}
}

static bool make_events(struct https_connection *c)
{
	struct event_base *base = c->server->options.base;
	c->readable = event_new(base, c->fd, EV_READ, on_event, c);
	c->writable = event_new(base, c->fd, EV_WRITE, on_event, c);
	c->timer = event_new(base, -1, 0, on_event, c);
	return c->readable && c->writable && c->timer;
}

bool https_connection_start(struct https_server *s, int fd, uint64_t address_key, const char *address)
{
	struct https_connection *c = calloc(1, sizeof(*c));
	if (!c)
		return false;
	c->server = s;
	c->fd = fd;
	c->address_key = address_key;
	memcpy(c->address, address, strnlen(address, sizeof(c->address) - 1));
	LIST_INSERT_HEAD(&s->connections, c, link);
	set_state(c, HANDSHAKE, s->limits.handshake_ms);
	bool ok = make_events(c) && tls_new(s->tls, fd, NULL, &c->tls, NULL) == 0;
	run(c, ok ? GO_ON : CLOSE);
	return true;
}

static bool is_idle(const struct https_connection *c)
{
	return c->state == HEAD && !c->request;
}

void https_connections_end(struct https_server *s, bool all)
{
	for (struct https_connection *c = LIST_FIRST(&s->connections), *next; c; c = next) {
		next = LIST_NEXT(c, link);
		if (is_idle(c))
			tls_end(c->tls);
		if (all || is_idle(c) || c->state == HANDSHAKE)
			https_connection_free(c);
	}
}

bool https_connections_yield(struct https_server *s)
{
	uint64_t ends = clock_ns() + (uint64_t)s->limits.idle_ms * 1000000;
	ends -= min_of(ends, (uint64_t)s->limits.yield_ms * 1000000); /* of who has been idle for so long */
	struct https_connection *longest = NULL;
	for (struct https_connection *c = LIST_FIRST(&s->connections); c; c = LIST_NEXT(c, link)) {
		if (is_idle(c) && c->deadline_ns <= ends &&
		    (!longest || c->deadline_ns < longest->deadline_ns))
			longest = c;
	}
	if (!longest)
		return false;
	tls_end(longest->tls);
	https_connection_free(longest);
	return true;
}
