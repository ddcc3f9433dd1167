#include "net/https_client.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/printable.h"
#include "net/https_link.h"

enum {
	PORT_MAX = 8,
	BODY_FIRST = 16384,
	EXPECT_FROM = 65536, /* bytes of a body: ask first whether the server takes it */
	EXPECT_MS = 2000,    /* and send it without a word from a server that does not know of it */
	INTERIM_MAX = 4,     /* answers before the answer */
};

/* A request whose answer is to come. */
struct sent {
	const char *method;
	uint64_t deadline_ns;
	bool lost; /* with its connection */
};

struct https_client {
	char url[HTTPS_URL_MAX];
	char host[HTTPS_URL_MAX];
	char port[PORT_MAX];
	struct tls_context *tls;
	struct https_link link;
	uint8_t *in; /* of the link, HTTP_HEAD_MAX: what has come and belongs to no answer yet */
	size_t in_size;
	struct sent sent[HTTPS_SENT_MAX]; /* in order */
	size_t sent_count;
	unsigned connect_ms, request_ms;
	size_t answer_max;
	struct mem_pool *pool;
};

static int bad_url(const char *url, struct error *err)
{
	return error_set(err, CELLA_EINVAL,
	                 "\"%.200s\" is no URL of a server: it is to be https://HOST or https://HOST:PORT",
	                 url);
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	return digits > 0 && digits <= 5 && text[digits] == '\0';
}

static int read_url(struct https_client *c, const char *url, struct error *err)
{
	static const char scheme[] = "https://";
	size_t size = strlen(url);
	if (size >= sizeof(c->url) || strncmp(url, scheme, strlen(scheme)) != 0)
		return bad_url(url, err);
	if (url[size - 1] == '/')
		size--;
	memcpy(c->url, url, size);
	const char *host = c->url + strlen(scheme), *end;
	bool bracket = *host == '[';
	host += bracket;
	end = host + strcspn(host, bracket ? "]" : ":");
	memcpy(c->host, host, (size_t)(end - host));
	if (bracket && *end++ != ']')
		return bad_url(url, err);
	if (c->host[0] == '\0' || strpbrk(c->host, "/?#@ ") || (*end != '\0' && *end != ':') ||
	    (*end == ':' && !is_port(end + 1)))
		return bad_url(url, err);
	snprintf(c->port, sizeof(c->port), "%.5s", *end == ':' ? end + 1 : "443");
	return 0;
}

static bool is_address(const char *host)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static int make_context(struct https_client *c, const struct https_client_options *o, struct error *err)
{
	const struct cert_name host = {is_address(c->host) ? CERT_IP : CERT_DNS, c->host};
	const struct tls_options tls = {
		.key = o->key,
		.chain = o->chain,
		.chain_count = o->chain_count,
		.now = o->now,
		.now_arg = o->now_arg,
		.protocol = "http/1.1",
		.key_hash = o->key_hash,
		.ca_key_hash = o->ca_key_hash,
		.cas = o->cas,
		.ca_count = o->ca_count,
		.name = o->name ? o->name : &host,
	};
	return tls_client_context(&tls, &c->tls, err);
}

int https_client_new(const struct https_client_options *o, struct https_client **ret_client,
                     struct error *err)
{
	struct https_client *c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no memory for an HTTPS client");
	c->link.fd = -1;
	c->connect_ms = o->connect_ms ? o->connect_ms : 10000;
	c->request_ms = o->request_ms ? o->request_ms : 60000;
	c->answer_max = o->answer_max ? o->answer_max : 16 << 20;
	c->pool = o->pool;
	int rc = read_url(c, o->url, err);
	if (rc == 0)
		rc = make_context(c, o, err);
	if (rc < 0)
		https_client_free(c);
	else
		*ret_client = c;
	return rc;
}

static uint8_t *body_alloc(struct mem_pool *pool, size_t size)
{
	return pool ? mem_alloc(pool, size) : malloc(size);
}

static void body_free(struct mem_pool *pool, uint8_t *body, size_t size)
{
	if (body && pool) {
		mem_free(pool, body);
	} else if (body) {
		mem_wipe(body, size);
		free(body);
	}
}

/* Whatever was sent has no answer any more. */
static void close_link(struct https_client *c)
{
	https_link_close(&c->link);
	body_free(c->pool, c->in, HTTP_HEAD_MAX);
	c->in = NULL;
	c->in_size = 0;
	for (size_t i = 0; i < c->sent_count; i++)
		c->sent[i].lost = true;
}

void https_client_free(struct https_client *c)
{
	if (!c)
		return;
	close_link(c);
	tls_context_unref(c->tls);
	free(c);
}

void https_client_wait_by(struct https_client *c, https_wait_fn *wait, void *arg)
{
	c->link.wait = wait;
	c->link.wait_arg = arg;
}

const struct tls_peer *https_client_peer(const struct https_client *c)
{
	return c->link.tls ? tls_peer(c->link.tls) : NULL;
}

/* Answers' bodies. */

/* An answer while it comes. */
struct coming {
	struct https_client *client;
	uint64_t deadline_ns;
	struct https_reply reply;
	size_t capacity; /* of the reply's body, but for the NUL */
	bool begun;      /* something has come */
	bool unsent;     /* the server did not want the body: the connection is of no more use */
};

static void coming_done(struct coming *a)
{
	if (a->reply.body)
		body_free(a->client->pool, a->reply.body, a->capacity + 1);
	free(a->reply.head);
}

/* Room for `size` more bytes of the body. */
static int make_room(struct coming *a, size_t size, struct error *err)
{
	size_t wanted = a->reply.size + size;
	struct mem_pool *pool = a->client->pool;
	if (wanted > a->client->answer_max)
		return error_set(err, CELLA_ELIMIT, "its answer is larger than %zu bytes",
		                 a->client->answer_max);
	if (a->reply.body && wanted <= a->capacity)
		return 0;
	size_t capacity = min_of(max_of(wanted, max_of(2 * a->capacity, (size_t)BODY_FIRST)),
	                         a->client->answer_max);
	uint8_t *body = body_alloc(pool, capacity + 1);
	if (!body)
		return error_set(err, CELLA_ENOMEM, "no memory for its answer of %zu bytes", wanted);
	if (a->reply.body)
		memcpy(body, a->reply.body, a->reply.size);
	body_free(pool, a->reply.body, a->capacity + 1);
	a->reply.body = body;
	a->capacity = capacity;
	return 0;
}

static int put_body(struct coming *a, const void *bytes, size_t size, struct error *err)
{
	int rc = size > 0 ? make_room(a, size, err) : 0;
	if (rc < 0 || size == 0)
		return rc;
	memcpy(a->reply.body + a->reply.size, bytes, size);
	a->reply.size += size;
	a->reply.body[a->reply.size] = '\0';
	return 0;
}

/* More bytes behind those that are there; *ret_end: there are no more. */
static int more(struct coming *a, bool *ret_end, struct error *err)
{
	size_t n;
	struct https_client *c = a->client;
	int rc = https_link_read(&c->link, c->in + c->in_size, HTTP_HEAD_MAX - c->in_size, &n, a->deadline_ns,
	                         err);
	if (rc < 0)
		return rc;
	a->begun = a->begun || n > 0;
	c->in_size += n;
	*ret_end = n == 0;
	return 0;
}

static int more_of_body(struct coming *a, struct error *err)
{
	bool end = false;
	int rc = more(a, &end, err);
	return rc == 0 && end ? error_set(err, CELLA_ELOST, "its answer ends in the middle") : rc;
}

static void drop_in(struct https_client *c, size_t size)
{
	memmove(c->in, c->in + size, c->in_size - size);
	c->in_size -= size;
}

static int read_sized(struct coming *a, struct error *err)
{
	uint64_t left = a->reply.http.body_size;
	int rc = left > a->client->answer_max
	                 ? error_set(err, CELLA_ELIMIT, "its answer is larger than %zu bytes",
	                             a->client->answer_max)
	                 : 0;
	while (rc == 0 && left > 0) {
		size_t part = (size_t)min_of(left, (uint64_t)a->client->in_size);
		rc = put_body(a, a->client->in, part, err);
		drop_in(a->client, part);
		left -= part;
		if (rc == 0 && left > 0)
			rc = more_of_body(a, err);
	}
	return rc;
}

static int read_chunked(struct coming *a, struct error *err)
{
	struct http_chunks chunks = {0};
	struct https_client *c = a->client;
	int rc = 0;
	while (rc == 0 && !chunks.ended) {
		size_t used, size;
		const char *data;
		if (c->in_size == 0)
			rc = more_of_body(a, err);
		if (rc == 0)
			rc = http_chunks_read(&chunks, (char *)c->in, c->in_size, &used, &data, &size, err);
		if (rc < 0)
			break;
		rc = put_body(a, data, size, err);
		drop_in(c, used);
	}
	return rc;
}

static int read_to_end(struct coming *a, struct error *err)
{
	bool end = false;
	int rc = 0;
	while (rc == 0 && !end) {
		rc = put_body(a, a->client->in, a->client->in_size, err);
		a->client->in_size = 0;
		if (rc == 0)
			rc = more(a, &end, err);
	}
	return rc;
}

static int read_body(struct coming *a, struct error *err)
{
	switch (a->reply.http.body) {
	case HTTP_BODY_SIZED: return read_sized(a, err);
	case HTTP_BODY_CHUNKED: return read_chunked(a, err);
	case HTTP_BODY_TO_END: return read_to_end(a, err);
	default: return 0;
	}
}

/* One head into the reply. */
static int read_head(struct coming *a, const char *method, struct error *err)
{
	struct https_client *c = a->client;
	size_t head, scanned = 0;
	while ((head = http_head_size((char *)c->in, c->in_size, &scanned)) == 0) {
		bool end = false;
		if (c->in_size == HTTP_HEAD_MAX)
			return error_set(err, CELLA_ELIMIT, "its answer's head is larger than %d bytes",
			                 HTTP_HEAD_MAX);
		int rc = more(a, &end, err);
		if (rc < 0)
			return rc;
		if (end)
			return error_set(err, CELLA_ELOST, "it has closed the connection without an answer");
	}
	free(a->reply.head);
	a->reply.head = malloc(head);
	if (!a->reply.head)
		return error_set(err, CELLA_ENOMEM, "no memory for its answer");
	memcpy(a->reply.head, c->in, head);
	drop_in(c, head);
	int rc = http_response_read(a->reply.head, head, method, &a->reply.http, err);
	return rc < 0 ? error_prefix(err, rc, "its answer is not understood: ") : 0;
}

/* The head of the answer, behind those of what is none yet. */
static int read_final_head(struct coming *a, const char *method, struct error *err)
{
	int rc = 0;
	for (int i = 0; rc == 0 && a->reply.http.status / 100 <= 1; i++)
		rc = i < INTERIM_MAX ? read_head(a, method, err)
		                     : error_set(err, CELLA_EFORMAT, "it does not come to an answer");
	return rc;
}

static int read_reply(struct coming *a, const char *method, struct error *err)
{
	int rc = read_final_head(a, method, err);
	if (rc == 0)
		rc = read_body(a, err);
	a->reply.status = a->reply.http.status;
	return rc;
}

/* Requests. */

static bool is_harmless(const struct https_message *m)
{
	return strcmp(m->method, "GET") == 0 || strcmp(m->method, "HEAD") == 0;
}

static bool asks_first(const struct https_message *m)
{
	return m->size >= EXPECT_FROM;
}

static int send_head(struct https_client *c, const struct https_message *m, uint64_t deadline_ns,
                     struct error *err)
{
	cleanup_buf struct buf head = {0};
	buf_printf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\n", m->method, m->target,
	           c->url + strlen("https://"));
	if (m->type)
		buf_printf(&head, "Content-Type: %s\r\n", m->type);
	if (m->header)
		buf_printf(&head, "%s\r\n", m->header);
	if (m->size > 0 || !is_harmless(m))
		buf_printf(&head, "Content-Length: %zu\r\n", m->size);
	buf_printf(&head, "%s\r\n", asks_first(m) ? "Expect: 100-continue\r\n" : "");
	if (head.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a request");
	return https_link_write(&c->link, head.data, head.size, deadline_ns, err);
}

/* A connection by which answers are to come is used as it is. */
static int open_link(struct https_client *c, struct error *err)
{
	if (c->link.tls && c->sent_count == 0 && https_link_is_stale(&c->link))
		close_link(c);
	if (c->link.tls)
		return 0;
	c->in = body_alloc(c->pool, HTTP_HEAD_MAX);
	int rc = c->in ? https_link_open(&c->link, c->tls, c->host, c->port,
	                                 clock_ns() + (uint64_t)c->connect_ms * 1000000, err)
	               : error_set(err, CELLA_ENOMEM, "no memory for an answer");
	if (rc == 0)
		return 0;
	close_link(c);
	return error_prefix(err, rc, "cannot reach %s: ", c->url);
}

/* Does the server want the body? It does, too, when it says nothing. */
static int ask_first(struct coming *a, const struct https_message *m, struct error *err)
{
	uint64_t deadline_ns = a->deadline_ns;
	a->deadline_ns = min_of(deadline_ns, clock_ns() + EXPECT_MS * 1000000ull);
	int rc = read_head(a, m->method, err);
	a->deadline_ns = deadline_ns;
	if (rc < 0 && (rc != CELLA_ETIMEOUT || a->begun))
		return rc;
	a->unsent = rc == 0 && a->reply.http.status / 100 != 1;
	return 0;
}

static int send_request(struct coming *a, const struct https_message *m, struct error *err)
{
	int rc = send_head(a->client, m, a->deadline_ns, err);
	if (rc == 0 && asks_first(m))
		rc = ask_first(a, m, err);
	if (rc < 0 || a->unsent)
		return rc;
	return https_link_write(&a->client->link, m->body, m->size, a->deadline_ns, err);
}

static uint64_t deadline_of(const struct https_client *c)
{
	return clock_ns() + (uint64_t)c->request_ms * 1000000;
}

/* Behind the answer: the connection serves for more, or is closed. */
static int finish(struct coming *a, int rc, struct https_reply *ret_reply)
{
	struct https_client *c = a->client;
	if (rc < 0 || a->reply.http.close || a->unsent || (c->in_size > 0 && c->sent_count == 0))
		close_link(c);
	if (rc < 0)
		coming_done(a);
	else
		*ret_reply = a->reply;
	return rc;
}

/* *ret_again: nothing of an answer has come, and asking again does no harm. */
static int ask_once(struct https_client *c, const struct https_message *m, struct https_reply *ret_reply,
                    bool *ret_again, struct error *err)
{
	struct coming a = {.client = c, .deadline_ns = deadline_of(c), .reply.pool = c->pool};
	int rc = send_request(&a, m, err);
	if (rc == 0)
		rc = read_reply(&a, m->method, err);
	*ret_again = !a.begun && (rc == CELLA_EIO || rc == CELLA_ELOST) && is_harmless(m);
	return finish(&a, rc, ret_reply);
}

/* Does `code` leave open whether the server has carried it out? */
static bool is_in_doubt(int code)
{
	return code == CELLA_EIO || code == CELLA_ELOST || code == CELLA_ETIMEOUT;
}

int https_client_ask(struct https_client *c, const struct https_message *m, struct https_reply *ret_reply,
                     struct error *err)
{
	bool kept = c->link.tls, again = false;
	int rc = c->sent_count ? error_set(err, CELLA_EBUG, "an answer of %s is still to come", c->url)
	                       : open_link(c, err);
	if (rc < 0)
		return rc;
	rc = ask_once(c, m, ret_reply, &again, err);
	if (rc < 0 && again && kept) {
		rc = open_link(c, err);
		if (rc == 0)
			rc = ask_once(c, m, ret_reply, &again, err);
	}
	if (rc == 0)
		return 0;
	bool doubt = is_in_doubt(rc) && !is_harmless(m);
	return error_prefix(err, rc, "%s %s%s: %s", m->method, c->url, m->target,
	                    doubt ? "whether it was carried out is not known: " : "");
}

/* Several at once. */

int https_client_send(struct https_client *c, const struct https_message *m, struct error *err)
{
	struct coming a = {.client = c, .deadline_ns = deadline_of(c)};
	if (c->sent_count == HTTPS_SENT_MAX || asks_first(m))
		return error_set(err, CELLA_ELIMIT, "too much is sent to %s at once", c->url);
	int rc = open_link(c, err);
	if (rc < 0)
		return rc;
	rc = send_request(&a, m, err);
	if (rc < 0) {
		close_link(c);
		return error_prefix(err, rc, "%s %s%s: whether it was carried out is not known: ", m->method,
		                    c->url, m->target);
	}
	c->sent[c->sent_count++] = (struct sent){.method = m->method, .deadline_ns = a.deadline_ns};
	return 0;
}

size_t https_client_sent(const struct https_client *c)
{
	return c->sent_count;
}

int https_client_socket(const struct https_client *c, uint64_t *ret_deadline_ns)
{
	*ret_deadline_ns = c->sent_count ? c->sent[0].deadline_ns : UINT64_MAX;
	return c->sent_count ? c->link.fd : -1;
}

bool https_client_has_answer(struct https_client *c)
{
	size_t n = 0;
	if (c->sent_count == 0)
		return false;
	if (c->sent[0].lost || c->in_size > 0 || clock_ns() >= c->sent[0].deadline_ns)
		return true;
	if (tls_read(c->link.tls, c->in, HTTP_HEAD_MAX, &n, NULL) == CELLA_EAGAIN)
		return false;
	c->in_size = n;
	return true;
}

int https_client_receive(struct https_client *c, struct https_reply *ret_reply, struct error *err)
{
	if (c->sent_count == 0)
		return error_set(err, CELLA_EBUG, "nothing was sent to %s", c->url);
	const struct sent sent = c->sent[0];
	struct coming a = {.client = c, .deadline_ns = sent.deadline_ns, .reply.pool = c->pool};
	c->sent_count--;
	memmove(c->sent, c->sent + 1, c->sent_count * sizeof(sent));
	int rc = sent.lost ? error_set(err, CELLA_ELOST, "the connection is lost")
	                   : read_reply(&a, sent.method, err);
	if (!sent.lost)
		rc = finish(&a, rc, ret_reply);
	return rc < 0 ? error_prefix(err, rc, "%s: whether it was carried out is not known: ", c->url) : 0;
}

/* Answers. */

const char *https_reply_header(const struct https_reply *r, const char *name)
{
	return http_field(r->http.fields, r->http.field_count, name);
}

void https_reply_done(struct https_reply *r)
{
	if (r->body)
		body_free(r->pool, r->body, r->size + 1);
	free(r->head);
	*r = (struct https_reply){0};
}

static int code_of(unsigned status)
{
	switch (status) {
	case 401:
	case 403: return CELLA_EAUTH;
	case 404:
	case 410: return CELLA_ENOENT;
	case 409:
	case 412: return CELLA_EEXIST;
	case 413:
	case 422:
	case 431: return CELLA_ELIMIT;
	case 408:
	case 504: return CELLA_ETIMEOUT;
	case 429:
	case 503: return CELLA_EAGAIN;
	case 501:
	case 505: return CELLA_EUNSUPPORTED;
	case 507: return CELLA_ENOSPC;
	default: return status / 100 == 4 ? CELLA_EINVAL : CELLA_EIO;
	}
}

/* The member's text, fit for a terminal: it is the server's, which may be anybody's. */
static void read_text(const json_t *json, const char *name, char *to, size_t room)
{
	const char *text = json_string_value(json_object_get(json, name));
	snprintf(to, room, "%s", text ? text : "");
	printable(to, strlen(to), false);
}

int https_reply_check(const struct https_client *c, const struct https_reply *r, struct error *err)
{
	char title[200] = "", detail[600] = "";
	const char *type = https_reply_header(r, "content-type");
	if (r->status / 100 == 2)
		return 0;
	if (r->body && type && strncmp(type, "application/problem+json", 24) == 0) {
		json_t *json = json_loadb((const char *)r->body, r->size, JSON_REJECT_DUPLICATES, NULL);
		read_text(json, "title", title, sizeof(title));
		read_text(json, "detail", detail, sizeof(detail));
		json_decref(json);
	}
	return error_set(err, code_of(r->status), "%s answers %u, %s%s%s", c->url, r->status,
	                 title[0] ? title : http_status_name(r->status), detail[0] ? ": " : "", detail);
}
