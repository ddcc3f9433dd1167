/*
 * HTTPS, client and server over 127.0.0.1. Does an exchange give what it should; who is let in; is every
 * limit kept, told to the peer, and counted, with the server serving on; and does the end come in order?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/x509_openssl.h"
#include "https_support.h"

static const struct https_limits wide = {.handshakes_per_s = 100000, .requests_per_s = 100000};

static int set_up(void **state not_used)
{
	signal(SIGPIPE, SIG_DFL); /* writing to who has gone must not need more */
	people_init();
	return 0;
}

static int tear_down(void **state not_used)
{
	people_done();
	return 0;
}

static json_t *json_of(const struct https_reply *r)
{
	json_t *json = json_loadb((const char *)r->body, r->size, 0, NULL);
	assert_non_null(json);
	return json;
}

static void assert_member(json_t *json, const char *name, const char *value)
{
	const char *found = json_string_value(json_object_get(json, name));
	if (!found || !value)
		assert_true(found == value);
	else
		assert_string_equal(found, value);
}

static void test_exchange(void **state not_used)
{
	struct served s;
	struct https_reply r;
	served_start(&s, &wide, TLS_CLIENTS_MAY_HAVE);
	struct https_client *c = client_of(&s, NULL);
	ask(c, "GET", "/", NULL, 0, &r);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.size, 5);
	assert_string_equal((char *)r.body, "hello");
	assert_string_equal(https_reply_header(&r, "content-type"), "text/plain");
	assert_string_equal(https_reply_header(&r, "cache-control"), "no-store");
	assert_string_equal(https_reply_header(&r, "date"), "Sun, 29 Nov 2026 03:00:00 GMT");
	https_reply_done(&r);
	ask(c, "HEAD", "/", NULL, 0, &r);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.size, 0);
	assert_string_equal(https_reply_header(&r, "content-length"), "5");
	https_reply_done(&r);
	ask(c, "GET", "/echo/hospital%2Fclassify/%C3%A9?q=a+b%26c&other=", NULL, 0, &r);
	json_t *json = json_of(&r);
	assert_member(json, "a", "hospital/classify");
	assert_member(json, "b", "é");
	assert_member(json, "q", "a b&c");
	assert_member(json, "x", NULL);
	assert_member(json, "address", "127.0.0.1");
	assert_member(json, "key", "");
	assert_string_equal(https_reply_header(&r, "x-answer"), "yes");
	assert_null(https_reply_header(&r, "x-injected"));
	json_decref(json);
	https_reply_done(&r);
	ask(c, "GET", "/later", NULL, 0, &r);
	assert_string_equal((char *)r.body, "later");
	https_reply_done(&r);
	assert_string_equal(https_client_peer(c)->key_hash, people.server.hash);
	https_client_free(c);
	served_stop(&s);
}

static void test_bodies(void **state not_used)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 100000, 1 << 20};
	struct served s;
	struct https_reply r;
	uint8_t *body = malloc(1 << 20);
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	for (size_t i = 0; i < array_count(sizes); i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			body[k] = (uint8_t)(k * 7 + i + (k >> 8));
		ask(c, i % 2 ? "POST" : "PUT", "/echo", body, sizes[i], &r);
		assert_int_equal(r.status, 200);
		assert_int_equal(r.size, sizes[i]);
		if (r.size > 0)
			assert_memory_equal(r.body, body, r.size);
		https_reply_done(&r);
		ask(c, "POST", "/work", body, sizes[i], &r);
		assert_int_equal(r.size, sizes[i]);
		if (r.size > 0)
			assert_memory_equal(r.body, body, r.size);
		https_reply_done(&r);
	}
	https_client_free(c);
	free(body);
	served_stop(&s);
}

static void assert_problem(struct https_client *c, const char *method, const char *target, size_t size,
                           unsigned status, const char *says)
{
	static char body[4096];
	struct https_reply r;
	struct error err;
	ask(c, method, target, body, size, &r);
	assert_int_equal(r.status, status);
	assert_string_equal(https_reply_header(&r, "content-type"), "application/problem+json");
	json_t *json = json_of(&r);
	assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
	assert_member(json, "type", "about:blank");
	assert_true(https_reply_check(c, &r, &err) < 0);
	if (!strstr(err.text, says))
		fail_msg("it says: %s", err.text);
	json_decref(json);
	https_reply_done(&r);
}

static void test_refusals(void **state not_used)
{
	struct served s;
	struct https_reply r;
	served_start(&s, &wide, TLS_CLIENTS_MAY_HAVE);
	struct https_client *c = client_of(&s, NULL);
	assert_problem(c, "GET", "/nothing", 0, 404, "Not Found: there is nothing at this path");
	assert_problem(c, "GET", "/echo/a", 0, 404, "");
	assert_problem(c, "GET", "/echo/a/b/c", 0, 404, "");
	assert_problem(c, "DELETE", "/echo", 0, 405, "does not take this method");
	assert_problem(c, "GET", "/own", 0, 403, "certificate is needed");
	assert_problem(c, "POST", "/tiny", 101, 413, "larger than this route takes");
	assert_problem(c, "GET", "/echo/%2", 0, 400, "escape");
	assert_problem(c, "GET", "/echo/../x", 0, 400, "\"..\"");
	assert_problem(c, "GET", "/?a=1&a=2", 0, 400, "twice");
	assert_problem(c, "GET", "/fails/9", 0, 404, "the reason");
	assert_problem(c, "GET", "/fails/8", 0, 403, "the reason");
	assert_problem(c, "GET", "/fails/22", 0, 409, "the reason");
	assert_problem(c, "GET", "/fails/16", 0, 500, "Internal Server Error");
	ask(c, "GET", "/fails/16", NULL, 0, &r);
	assert_null(strstr((char *)r.body, "the reason"));
	https_reply_done(&r);
	ask(c, "DELETE", "/echo", NULL, 0, &r);
	assert_string_equal(https_reply_header(&r, "allow"), "POST, PUT");
	https_reply_done(&r);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200); /* the control */
	https_client_free(c);
	served_stop(&s);
}

static void test_identity(void **state not_used)
{
	struct served s;
	struct https_reply r;
	const struct {
		const struct holder *who;
		bool by_ca;
		const char *uri;
	} cases[] = {{&people.node, true, "cella://test/cas/node"}, {&people.owner, false, NULL}};
	served_start(&s, &wide, TLS_CLIENTS_MUST_HAVE);
	for (size_t i = 0; i < array_count(cases); i++) {
		struct https_client *c = client_of(&s, cases[i].who);
		ask(c, "GET", "/own", NULL, 0, &r);
		assert_int_equal(r.status, 200);
		json_t *json = json_of(&r);
		assert_member(json, "key", cases[i].who->hash);
		assert_member(json, "uri", cases[i].uri);
		assert_int_equal(json_is_true(json_object_get(json, "by_ca")), cases[i].by_ca);
		json_decref(json);
		https_reply_done(&r);
		https_client_free(c);
	}
	served_stop(&s);
}

/* What a client of the server with these options gets: 0, or the error, which says so. */
static void assert_ask(struct https_client_options o, const struct served *s, int code, const char *says)
{
	struct error err = {0};
	struct https_client *c;
	struct https_reply r;
	const struct https_message m = {.method = "GET", .target = "/"};
	o.url = o.url ? o.url : s->url;
	o.now = test_clock;
	int rc = https_client_new(&o, &c, &err);
	if (rc == 0) {
		rc = https_client_ask(c, &m, &r, &err);
		if (rc == 0)
			https_reply_done(&r);
		https_client_free(c);
	}
	if (rc != code || !strstr(err.text, says))
		fail_msg("%d (not %d): %s (not: %s)", rc, code, err.text, says);
}

static struct https_client_options as(const struct holder *who)
{
	return (struct https_client_options){.key_hash = people.server.hash,
	                                     .key = who->key,
	                                     .chain = who->chain,
	                                     .chain_count = who->count};
}

/* Whom does the client trust? */
static void test_client_trust(void **state not_used)
{
	struct served s;
	char url[64];
	const struct cert_name wrong = {CERT_URI, "cella://test/cas/other"},
			       right = {CERT_URI, "cella://test/cas/server"};
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	assert_ask((struct https_client_options){.key_hash = people.server.hash}, &s, 0, "");
	assert_ask((struct https_client_options){.ca_key_hash = people.ca.hash}, &s, 0, "");
	assert_ask((struct https_client_options){.cas = people.ca.chain, .ca_count = 1, .name = &right}, &s,
	           0, "");
	assert_ask((struct https_client_options){.key_hash = people.owner.hash}, &s, CELLA_EAUTH,
	           people.server.hash);
	assert_ask((struct https_client_options){.key_hash = people.owner.hash}, &s, CELLA_EAUTH,
	           people.owner.hash);
	assert_ask((struct https_client_options){.ca_key_hash = people.other_ca.hash}, &s, CELLA_EAUTH,
	           people.other_ca.hash);
	assert_ask((struct https_client_options){.cas = people.other_ca.chain, .ca_count = 1}, &s,
	           CELLA_EAUTH, "");
	assert_ask(
		(struct https_client_options){.ca_key_hash = people.ca.hash, .name = &wrong}, &s, CELLA_EAUTH,
		"is to bear the URI cella://test/cas/other, and it bears 127.0.0.1, localhost, cella://test/cas/server");
	assert_ask((struct https_client_options){.url = ""}, &s, CELLA_EINVAL, "is no URL");
	assert_ask((struct https_client_options){0}, &s, CELLA_EINVAL, "hash of the server's key");
	assert_ask((struct https_client_options){.key_hash = "abc"}, &s, CELLA_EINVAL, "64 digits");
	snprintf(url, sizeof(url), "https://localhost:%s/", s.port);
	assert_ask((struct https_client_options){.ca_key_hash = people.ca.hash, .url = url}, &s, 0, "");
	snprintf(url, sizeof(url), "https://[::ffff:127.0.0.1]:%s", s.port);
	assert_ask((struct https_client_options){.ca_key_hash = people.ca.hash, .url = url}, &s, CELLA_EAUTH,
	           "is to bear the IP address");
	atomic_fetch_add(&test_now, 2 * TEST_HOUR);
	assert_ask((struct https_client_options){.key_hash = people.server.hash}, &s, CELLA_EAUTH,
	           "has expired");
	atomic_fetch_sub(&test_now, 4 * TEST_HOUR);
	assert_ask((struct https_client_options){.key_hash = people.server.hash}, &s, CELLA_EAUTH,
	           "not valid yet");
	atomic_fetch_add(&test_now, 2 * TEST_HOUR);
	served_stop(&s);
	assert_ask((struct https_client_options){.key_hash = people.server.hash}, &s, CELLA_EIO,
	           "connection is refused");
}

/* Whom does the server let in? The reason reaches the client. */
static void test_server_trust(void **state not_used)
{
	struct served s;
	struct https_client_options mixed = as(&people.node);
	mixed.key = people.owner.key;
	served_start(&s, &wide, TLS_CLIENTS_MUST_HAVE);
	assert_ask((struct https_client_options){.key_hash = people.server.hash}, &s, CELLA_EAUTH,
	           "demands a client's certificate");
	assert_ask(as(&people.foreign), &s, CELLA_EAUTH, "refuses our certificate");
	assert_ask(mixed, &s, CELLA_EINVAL, "does not belong to the private key");
	assert_ask(as(&people.server), &s, CELLA_EAUTH, "refuses our certificate"); /* not for clients */
	assert_ask(as(&people.node), &s, 0, "");
	assert_true(served_refused(&s, "tls") >= 3);
	served_stop(&s);
}

static int refuse_node(void *arg, const struct tls_peer *peer, struct error *err)
{
	const atomic_int *revoked = arg;
	if (!atomic_load(revoked) || strcmp(peer->key_hash, people.node.hash) != 0)
		return 0;
	return error_set(err, CELLA_EPERM, "%s is revoked", peer->key_hash);
}

/* Whom the callback refuses is refused, and nobody else. The server's own certificate is renewed while it
 * runs, with another key; a connection that is open stays. */
static void test_revoked_and_renewed(void **state not_used)
{
	struct served s;
	atomic_int revoked = 0;
	struct https_client_options node = as(&people.node), owner = as(&people.owner);
	served_start(&s, &wide, TLS_CLIENTS_MAY_HAVE);
	struct https_client *kept = client_of(&s, NULL);
	assert_int_equal(status_of(kept, "GET", "/", NULL, 0), 200);
	served_renew(&s, server_context(&people.server2, TLS_CLIENTS_MAY_HAVE, refuse_node, &revoked));
	assert_int_equal(status_of(kept, "GET", "/", NULL, 0), 200);
	assert_ask(node, &s, CELLA_EAUTH, people.server2.hash);
	node.key_hash = owner.key_hash = people.server2.hash;
	assert_ask(node, &s, 0, "");
	atomic_store(&revoked, 1);
	assert_ask(node, &s, CELLA_EAUTH, "refuses our certificate");
	assert_ask(owner, &s, 0, "");
	https_client_free(kept);
	served_stop(&s);
}

/* A kept connection does not outlive the certificate that it began with. */
static void test_expires_meanwhile(void **state not_used)
{
	struct served s;
	served_start(&s, &wide, TLS_CLIENTS_MAY_HAVE);
	struct https_client *c = client_of(&s, &people.node);
	assert_int_equal(status_of(c, "GET", "/own", NULL, 0), 200);
	atomic_fetch_add(&test_now, 2 * TEST_HOUR);
	assert_int_equal(status_of(c, "GET", "/own", NULL, 0), 403);
	atomic_fetch_sub(&test_now, 2 * TEST_HOUR);
	assert_int_equal(status_of(c, "GET", "/own", NULL, 0), 200);
	https_client_free(c);
	served_stop(&s);
}

static int connect_plain(const struct served *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)strtoul(s->port, NULL, 10)),
	                         .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Reads to the end; how many bytes. Ends the test when the end does not come. */
static size_t read_to_end(int fd)
{
	char bytes[4096];
	size_t size = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	for (;;) {
		assert_int_equal(poll(&p, 1, TEST_MS), 1);
		ssize_t n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			return size;
		size += (size_t)n;
	}
}

/* A client of OpenSSL's that speaks nothing above `version`: does it get through? */
static bool speaks(int fd, int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(context, version);
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	bool ok = SSL_connect(ssl) == 1;
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
	return ok;
}

static void *serve_old(void *arg)
{
	int fd = *(int *)arg;
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_use_certificate(context, people.server.chain[0]->x509);
	SSL_CTX_use_PrivateKey(context, people.server.key->pkey);
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	SSL_accept(ssl);
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
	return NULL;
}

/* The control: the probe gets through where TLS 1.2 is allowed. And the client refuses such a server. */
static void test_versions(void **state not_used)
{
	struct served s;
	int pair[2];
	pthread_t thread;
	struct error err;
	struct tls_context *tls;
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	assert_false(speaks(connect_plain(&s), TLS1_2_VERSION));
	assert_false(speaks(connect_plain(&s), TLS1_1_VERSION));
	assert_true(speaks(connect_plain(&s), TLS1_3_VERSION));
	served_stop(&s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_old, &pair[1]), 0);
	assert_true(speaks(pair[0], TLS1_2_VERSION));
	pthread_join(thread, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_old, &pair[1]), 0);
	const struct tls_options options = {.key_hash = people.server.hash, .now = test_clock};
	struct tls *t;
	assert_int_equal(tls_client_context(&options, &tls, NULL), 0);
	assert_int_equal(tls_new(tls, pair[0], NULL, &t, NULL), 0);
	assert_int_equal(tls_handshake(t, &err), CELLA_EUNSUPPORTED); /* the socket blocks */
	assert_non_null(strstr(err.text, "TLS 1.3"));
	pthread_join(thread, NULL);
	tls_free(t);
	close(pair[0]);
	tls_context_unref(tls);
}

/* No session is resumed, so that every connection proves its keys: the server gives no tickets. */
static void test_no_tickets(void **state not_used)
{
	struct served s;
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
	SSL *ssl = SSL_new(context);
	int fd = connect_plain(&s);
	char answer[4096];
	SSL_set_fd(ssl, fd);
	assert_int_equal(SSL_connect(ssl), 1);
	assert_true(SSL_write(ssl, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 46) > 0);
	while (SSL_read(ssl, answer, sizeof(answer)) > 0)
		continue;
	assert_int_equal(SSL_SESSION_is_resumable(SSL_get_session(ssl)), 0);
	assert_int_equal(SSL_get_early_data_status(ssl), SSL_EARLY_DATA_NOT_SENT);
	assert_string_equal(SSL_get_cipher(ssl), "TLS_AES_256_GCM_SHA384");
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
	served_stop(&s);
}

/* Bytes, and what the first line of each answer is to be. */
static void test_strictness(void **state not_used)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK"},
		{"\r\n\r\n", "HTTP/1.1 400"},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
		{"GET /\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400"},
		{"GET / HTTP/1.1\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "HTTP/1.1 400"},
		{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "HTTP/1.1 400"},
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	         "HTTP/1.1 400"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", "HTTP/1.1 400"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nx",
	         "HTTP/1.1 400"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	         "HTTP/1.1 411"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
	         "HTTP/1.1 400"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", "HTTP/1.1 417"},
	};
	struct served s;
	char heard[4096];
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	for (size_t i = 0; i < array_count(cases); i++) {
		struct https_link link;
		link_to(&s, NULL, &link);
		link_say(&link, cases[i].request);
		link_hear(&link, heard, sizeof(heard), "\r\n\r\n", 1);
		if (strncmp(heard, cases[i].answer, strlen(cases[i].answer)) != 0)
			fail_msg("case %zu: %s", i, heard);
		https_link_close(&link);
	}
	served_stop(&s);
}

/* A request that is refused and has come whole does not cost its connection; one that has not, does. */
static void test_kept_when_refused(void **state not_used)
{
	static const struct {
		const char *method, *target;
		size_t size;
		bool kept;
	} cases[] = {
		{"GET", "/nothing", 0, true}, {"DELETE", "/echo", 0, true},  {"GET", "/own", 0, true},
		{"GET", "/fails/9", 0, true}, {"POST", "/tiny", 101, false}, {"POST", "/nothing", 1, false},
	};
	static const char body[101];
	struct served s;
	served_start(&s, &wide, TLS_CLIENTS_MAY_HAVE);
	for (size_t i = 0; i < array_count(cases); i++) {
		struct https_client *c = client_of(&s, NULL);
		assert_true(status_of(c, cases[i].method, cases[i].target, body, cases[i].size) >= 400);
		if ((https_client_peer(c) != NULL) != cases[i].kept)
			fail_msg("case %zu", i);
		assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
		https_client_free(c);
	}
	served_stop(&s);
}

static void test_pipelining(void **state not_used)
{
	struct served s;
	struct https_link link;
	char heard[8192];
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	link_to(&s, NULL, &link);
	link_say(&link, "POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
	                "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
	                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nthree"
	                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	                "GET /echo/not/answered HTTP/1.1\r\nHost: a\r\n\r\n");
	link_hear(&link, heard, sizeof(heard), NULL, 0);
	const char *one = strstr(heard, "\r\n\r\none"), *two = strstr(heard, "\r\n\r\nlater"),
		   *three = strstr(heard, "\r\n\r\nthree"), *four = strstr(heard, "\r\n\r\nhello");
	assert_true(one && two && three && four && one < two && two < three && three < four);
	assert_null(strstr(heard, "answered"));
	https_link_close(&link);
	served_stop(&s);
}

/* Byte after byte is as good as at once; and who ends its side after the request still gets the answer. */
static void test_pieces(void **state not_used)
{
	static const char request[] = "POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
	struct served s;
	struct https_link link;
	char heard[4096], one[2] = "";
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	link_to(&s, NULL, &link);
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		one[0] = request[i];
		link_say(&link, one);
	}
	link_hear(&link, heard, sizeof(heard), "body", 1);
	link_say(&link, request);
	tls_end(link.tls);
	shutdown(link.fd, SHUT_WR);
	link_hear(&link, heard, sizeof(heard), NULL, 0);
	assert_non_null(strstr(heard, "\r\n\r\nbody"));
	https_link_close(&link);
	served_stop(&s);
}

static void test_continue(void **state not_used)
{
	struct served s;
	struct https_link link;
	char heard[4096];
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	link_to(&s, NULL, &link);
	link_say(&link,
	         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	link_hear(&link, heard, sizeof(heard), "\r\n\r\n", 1);
	assert_string_equal(heard, "HTTP/1.1 100 Continue\r\n\r\n");
	link_say(&link, "body");
	link_hear(&link, heard, sizeof(heard), "body", 1);
	assert_non_null(strstr(heard, "HTTP/1.1 200 OK"));
	link_say(&link,
	         "POST /tiny HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n");
	link_hear(&link, heard, sizeof(heard), NULL, 0);
	assert_int_equal(strncmp(heard, "HTTP/1.1 413", 12), 0);
	https_link_close(&link);
	served_stop(&s);
}

/* A head, and a body, that are too large: the reason arrives although the client goes on sending. */
static void test_oversize(void **state not_used)
{
	struct served s;
	struct https_link link;
	struct https_reply r;
	char heard[4096], *large = calloc(1, 2 << 20);
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	memset(large, 'x', (2 << 20) - 1);
	link_to(&s, NULL, &link);
	link_say(&link, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	large[HTTP_HEAD_MAX] = '\0';
	link_say(&link, large);
	link_hear(&link, heard, sizeof(heard), NULL, 0);
	assert_int_equal(strncmp(heard, "HTTP/1.1 431", 12), 0);
	https_link_close(&link);
	struct https_client *c = client_of(&s, NULL);
	static const size_t sizes[] = {101, 60000, 200000, (2 << 20) - 1};
	for (size_t i = 0; i < array_count(sizes); i++) {
		ask(c, "POST", "/tiny", large, sizes[i], &r);
		assert_int_equal(r.status, 413);
		https_reply_done(&r);
	}
	assert_int_equal(status_of(c, "POST", "/tiny", large, 100), 200);
	https_client_free(c);
	free(large);
	served_stop(&s);
}

/* Who is slow is cut off, at every stage, and told where there is somebody to tell. Each stage has a server
 * of its own at which it alone has little time: what comes before it may take longer. */
static void test_slow_handshakes(void **state not_used)
{
	const struct https_limits limits = {.handshake_ms = 100};
	struct served s;
	served_start(&s, &limits, TLS_CLIENTS_ANONYMOUS);
	int fd = connect_plain(&s); /* says nothing */
	assert_int_equal(read_to_end(fd), 0);
	close(fd);
	fd = connect_plain(&s); /* begins a handshake */
	assert_int_equal(send(fd, "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL), 6);
	read_to_end(fd);
	close(fd);
	assert_int_equal(served_refused(&s, "slow"), 2);
	served_stop(&s);
}

static void test_slow(void **state not_used)
{
	static const struct {
		struct https_limits limits;
		const char *said, *heard;
		unsigned counted;
	} stages[] = {
		{{.request_ms = 100}, "GET / HT", "HTTP/1.1 408", 1},
		{{.request_ms = 100},
	         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbo",
	         "HTTP/1.1 408",
	         1},
		{{.idle_ms = 100}, NULL, "", 0}, /* an end without words */
		{{.handler_ms = 100}, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 504", 0},
	};
	for (size_t i = 0; i < array_count(stages); i++) {
		struct served s;
		struct https_link link;
		char heard[4096];
		served_start(&s, &stages[i].limits, TLS_CLIENTS_ANONYMOUS);
		link_to(&s, NULL, &link);
		if (stages[i].said)
			link_say(&link, stages[i].said);
		size_t size = link_hear(&link, heard, sizeof(heard), NULL, 0);
		assert_int_equal(strncmp(heard, stages[i].heard, strlen(stages[i].heard)), 0);
		assert_true(size > 0 || !stages[i].heard[0]);
		assert_int_equal(served_refused(&s, "slow"), stages[i].counted);
		https_link_close(&link);
		served_stop(&s);
	}
}

/* Many more connections than there may be: those beyond are closed, those within go on, and when they have
 * gone there is room again. */
static void test_connections(void **state not_used)
{
	enum { MOST = 32, BEYOND = 1000 };
	const struct https_limits limits = {.connections = MOST,
	                                    .yield_ms = 60000,
	                                    .address_connections = MOST,
	                                    .handshakes_per_s = 100000,
	                                    .requests_per_s = 100000};
	struct served s;
	struct https_link links[MOST];
	char heard[4096];
	served_start(&s, &limits, TLS_CLIENTS_ANONYMOUS);
	for (size_t i = 0; i < MOST; i++)
		link_to(&s, NULL, &links[i]);
	for (size_t i = 0; i < BEYOND; i++) {
		int fd = connect_plain(&s);
		assert_int_equal(read_to_end(fd), 0);
		close(fd);
	}
	assert_int_equal(served_refused(&s, "connections"), BEYOND);
	for (size_t i = 0; i < MOST; i++) {
		link_say(&links[i], "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
		link_hear(&links[i], heard, sizeof(heard), NULL, 0);
		assert_non_null(strstr(heard, "hello"));
		https_link_close(&links[i]);
	}
	/* The server sees the ends when it gets to them; until then it may refuse. */
	struct https_client *c = client_of(&s, NULL);
	struct https_reply r;
	const struct https_message m = {.method = "GET", .target = "/"};
	uint64_t end = clock_ns() + TEST_MS * 1000000ull;
	while (https_client_ask(c, &m, &r, NULL) < 0)
		assert_true(clock_ns() < end);
	assert_int_equal(r.status, 200);
	https_reply_done(&r);
	https_client_free(c);
	served_stop(&s);
}

/* Who is idle makes room, the longest first; who has begun a request does not. */
static void test_yield(void **state not_used)
{
	const struct https_limits limits = {.connections = 3, .yield_ms = 1, .handshakes_per_s = 1000};
	struct served s;
	struct https_link busy, first, second, third;
	char heard[4096];
	served_start(&s, &limits, TLS_CLIENTS_ANONYMOUS);
	link_to(&s, NULL, &busy);
	link_say(&busy, "GET / HTTP/1.1\r\nHo");
	link_to(&s, NULL, &first);
	link_say(&first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); /* its answer shows where the server is */
	link_hear(&first, heard, sizeof(heard), "hello", 1);
	link_to(&s, NULL, &second);
	link_say(&second, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	link_hear(&second, heard, sizeof(heard), "hello", 1);
	uint64_t end = clock_ns() + 2000000; /* more than a millisecond of the server's clock, too */
	while (clock_ns() < end)
		continue;
	link_to(&s, NULL, &third);
	assert_int_equal(link_hear(&first, heard, sizeof(heard), NULL, 0), 0);
	link_say(&busy, "st: a\r\n\r\n");
	link_hear(&busy, heard, sizeof(heard), "hello", 1);
	assert_non_null(strstr(heard, "200 OK"));
	assert_int_equal(served_refused(&s, "connections"), 0);
	https_link_close(&busy);
	https_link_close(&first);
	https_link_close(&second);
	https_link_close(&third);
	served_stop(&s);
}

/* One worker, one request that waits for it: the next is told to come again, and those before are answered.
 * */
static void test_queue(void **state not_used)
{
	static const char block[] = "GET /block HTTP/1.1\r\nHost: a\r\n\r\n";
	const struct https_limits limits = {.workers = 1, .queue = 1, .handshakes_per_s = 1000};
	struct served s;
	struct https_link links[2];
	struct https_reply r;
	char heard[4096];
	assert_int_equal(sem_init(&gate.open, 0, 0), 0);
	atomic_store(&gate.entered, 0);
	served_start(&s, &limits, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	for (size_t i = 0; i < array_count(links); i++) {
		link_to(&s, NULL, &links[i]);
		link_say(&links[i], block);
		while (i == 0 && atomic_load(&gate.entered) == 0)
			sched_yield();
	}
	/* The loop reads in the order of what came, so with this answer it has the second, too. */
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
	ask(c, "GET", "/block", NULL, 0, &r);
	assert_int_equal(r.status, 503);
	assert_string_equal(https_reply_header(&r, "retry-after"), "1");
	https_reply_done(&r);
	assert_int_equal(served_refused(&s, "requests"), 1);
	for (size_t i = 0; i < array_count(links); i++)
		assert_int_equal(sem_post(&gate.open), 0);
	for (size_t i = 0; i < array_count(links); i++) {
		link_hear(&links[i], heard, sizeof(heard), "passed", 1);
		assert_non_null(strstr(heard, "200 OK"));
		https_link_close(&links[i]);
	}
	https_client_free(c);
	served_stop(&s);
	sem_destroy(&gate.open);
}

/* Bodies have room for one of the largest. */
static void test_bodies_together(void **state not_used)
{
	static const char first[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n";
	const struct https_limits limits = {.bodies = 1 << 20, .handshakes_per_s = 1000};
	struct served s;
	struct https_link link;
	struct https_reply r;
	served_start(&s, &limits, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	link_to(&s, NULL, &link);
	link_say(&link, first);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
	ask(c, "POST", "/echo", "x", 1, &r);
	assert_int_equal(r.status, 503);
	https_reply_done(&r);
	assert_int_equal(status_of(c, "POST", "/echo", "", 0), 200); /* which takes no room */
	https_link_close(&link);
	unsigned status = 503;
	uint64_t end = clock_ns() + TEST_MS * 1000000ull;
	while (status == 503) { /* until the server has seen the end */
		assert_true(clock_ns() < end);
		status = status_of(c, "POST", "/echo", "x", 1);
	}
	assert_int_equal(status, 200);
	https_client_free(c);
	served_stop(&s);
}

static void test_address_limit(void **state not_used)
{
	const struct https_limits limits = {.address_connections = 4,
	                                    .handshakes_per_s = 1000,
	                                    .requests_per_s = 1000};
	struct served s;
	struct https_link links[4];
	served_start(&s, &limits, TLS_CLIENTS_ANONYMOUS);
	for (size_t i = 0; i < array_count(links); i++)
		link_to(&s, NULL, &links[i]);
	int fd = connect_plain(&s);
	assert_int_equal(read_to_end(fd), 0);
	close(fd);
	assert_int_equal(served_refused(&s, "address"), 1);
	for (size_t i = 0; i < array_count(links); i++)
		https_link_close(&links[i]);
	served_stop(&s);
}

/* A key has its own bucket, so that others at the same address are not hit. */
static void test_rates(void **state not_used)
{
	const struct https_limits limits = {.handshakes_per_s = 1000, .requests_per_s = 5};
	struct served s;
	struct https_reply r;
	served_start(&s, &limits, TLS_CLIENTS_MAY_HAVE);
	struct https_client *c = client_of(&s, &people.node), *other = client_of(&s, &people.owner);
	unsigned status = 200, asked = 0;
	for (; status == 200; asked++) { /* refused, it keeps its connection */
		ask(c, "GET", "/", NULL, 0, &r);
		status = r.status;
		if (status != 200)
			assert_string_equal(https_reply_header(&r, "retry-after"), "1");
		https_reply_done(&r);
	}
	assert_int_equal(status, 429);
	assert_true(asked > 5);
	assert_non_null(https_client_peer(c));
	assert_int_equal(served_refused(&s, "requests"), 1);
	assert_int_equal(status_of(other, "GET", "/", NULL, 0), 200);
	https_client_free(c);
	https_client_free(other);
	served_stop(&s);
}

static void test_garbage(void **state not_used)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct served s;
	unsigned seed = 1;
	served_start(&s, &wide, TLS_CLIENTS_MAY_HAVE);
	for (int turn = 0; turn < 100; turn++) {
		char bytes[512];
		int fd = connect_plain(&s);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
		ssize_t n = turn == 0 ? send(fd, http, sizeof(http) - 1, MSG_NOSIGNAL)
		                      : send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		assert_true(n > 0);
		shutdown(fd, SHUT_WR);
		read_to_end(fd);
		close(fd);
	}
	struct https_client *c = client_of(&s, NULL);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
	https_client_free(c);
	served_stop(&s);
}

/* Without a descriptor for it a connection is ended, not left to wait, and later there are others. */
static void test_descriptors(void **state not_used)
{
	struct rlimit before, none;
	struct served s;
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)strtoul(s.port, NULL, 10)),
	                         .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), lowest = dup(0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(read_to_end(fd), 0);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200); /* who is there goes on */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd);
	https_client_free(c);
	c = client_of(&s, NULL);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
	https_client_free(c);
	assert_true(served_refused(&s, "connections") >= 1);
	served_stop(&s);
}

/* A server that could not keep its limit of connections does not start. */
static void test_too_few_descriptors(void **state not_used)
{
	struct error err;
	struct https_server *server;
	const struct https_server_options options = {.address = "127.0.0.1",
	                                             .limits = {.connections = 1 << 30},
	                                             .now = test_clock};
	assert_int_equal(https_server_new(&options, &server, &err), CELLA_ELIMIT);
	assert_non_null(strstr(err.text, "ulimit -n"));
}

/* The end: an idle connection is ended, a request that is under way is answered, then nobody is let in. */
static void test_stop(void **state not_used)
{
	struct served s;
	struct https_link idle, busy;
	char heard[4096];
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	link_to(&s, NULL, &idle);
	link_to(&s, NULL, &busy);
	link_say(&busy, "POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
	struct https_client *c = client_of(&s,
	                                   NULL); /* its answer shows that the server has got to the others */
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
	uint64_t one = 1;
	assert_int_equal(write(s.stop_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(link_hear(&idle, heard, sizeof(heard), NULL, 0), 0);
	link_say(&busy, "dy");
	link_hear(&busy, heard, sizeof(heard), NULL, 0);
	assert_non_null(strstr(heard, "\r\n\r\nbody"));
	https_link_close(&idle);
	https_link_close(&busy);
	https_client_free(c);
	assert_ask((struct https_client_options){.key_hash = people.server.hash}, &s, CELLA_EIO, "refused");
	served_stop(&s);
}

/* Who does not come to an end is ended. */
static void test_stop_by_force(void **state not_used)
{
	struct served s;
	struct https_link busy;
	char heard[4096];
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	s.stop_ms = 50;
	link_to(&s, NULL, &busy);
	link_say(&busy, "POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
	struct https_client *c = client_of(&s, NULL);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200);
	served_stop(&s);
	assert_int_equal(link_hear(&busy, heard, sizeof(heard), NULL, 0), 0);
	https_link_close(&busy);
	https_client_free(c);
}

/* Clients in threads, over kept connections and new ones, on the loop and on workers. */
struct crowd {
	const struct served *served;
	unsigned number;
};

static void *crowd_member(void *arg)
{
	const struct crowd *m = arg;
	char text[64];
	for (int turn = 0; turn < 10; turn++) {
		struct https_client *c = client_of(m->served, m->number % 2 ? &people.node : NULL);
		for (int i = 0; i < 5; i++) {
			struct https_reply r;
			int size = snprintf(text, sizeof(text), "%u of %d in %d", m->number, i, turn);
			ask(c, "POST", i % 2 ? "/work" : "/echo", text, (size_t)size, &r);
			if (r.size != (size_t)size || memcmp(r.body, text, r.size) != 0)
				abort();
			https_reply_done(&r);
		}
		if (status_of(c, "GET", "/later", NULL, 0) != 200)
			abort();
		https_client_free(c);
	}
	return NULL;
}

static void test_crowd(void **state not_used)
{
	struct served s;
	struct crowd members[8];
	pthread_t threads[8];
	served_start(&s, &wide, TLS_CLIENTS_MAY_HAVE);
	for (unsigned i = 0; i < array_count(members); i++) {
		members[i] = (struct crowd){&s, i};
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &members[i]), 0);
	}
	for (size_t i = 0; i < array_count(members); i++)
		pthread_join(threads[i], NULL);
	struct https_client *c = client_of(&s, NULL);
	struct https_reply r;
	ask(c, "GET", "/metrics", NULL, 0, &r);
	assert_non_null(strstr((char *)r.body, "cella_https_accepted_total 81\n"));
	assert_non_null(strstr((char *)r.body, "cella_https_answers_total{status=\"2xx\"} 480\n"));
	https_reply_done(&r);
	https_client_free(c);
	served_stop(&s);
}

static void test_health(void **state not_used)
{
	struct served s;
	struct https_reply r;
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	ask(c, "GET", "/health", NULL, 0, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal((char *)r.body,
	                    "{\"status\":\"pass\",\"checks\":{\"store\":{\"status\":\"pass\"},"
	                    "\"log\":{\"status\":\"pass\"}}}");
	https_reply_done(&r);
	ask(c, "GET", "/health?ill=disk+full", NULL, 0, &r);
	assert_int_equal(r.status, 503);
	assert_non_null(strstr((char *)r.body, "\"output\":\"disk full\""));
	https_reply_done(&r);
	https_client_free(c);
	served_stop(&s);
}

/* A server that answers one connection with given bytes. */
struct scripted {
	int listener;
	const char *answer;
	bool holds; /* does not end the connection by itself */
};

static void *serve_script(void *arg)
{
	const struct scripted *script = arg;
	struct tls_context *tls;
	struct https_link link = {.fd = accept4(script->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)};
	char heard[4096];
	const struct tls_options options = {.key = people.server.key,
	                                    .chain = people.server.chain,
	                                    .chain_count = people.server.count,
	                                    .now = test_clock};
	if (tls_server_context(&options, &tls, NULL) < 0 || tls_new(tls, link.fd, NULL, &link.tls, NULL) < 0)
		abort();
	struct pollfd p = {.fd = link.fd};
	while (tls_handshake(link.tls, NULL) == CELLA_EAGAIN) {
		p.events = tls_wants(link.tls);
		poll(&p, 1, TEST_MS);
	}
	link_hear(&link, heard, sizeof(heard), "\r\n\r\n", 1);
	link_say(&link, script->answer);
	if (script->holds)
		link_hear(&link, heard, sizeof(heard), NULL, 0);
	https_link_close(&link);
	tls_context_unref(tls);
	return NULL;
}

/* Of the request that a scripted server gets. */
static size_t script_body;

static void assert_script(const char *answer, bool holds, int code, const char *says, const char *body)
{
	struct served s = {0};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);
	struct scripted script = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), answer, holds};
	pthread_t thread;
	struct error err = {0};
	struct https_reply r;
	struct https_client *c;
	static const char body_sent[100000];
	const struct https_message m = {.method = "POST",
	                                .target = "/x",
	                                .body = body_sent,
	                                .size = script_body};
	assert_int_equal(bind(script.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(script.listener, 1), 0);
	assert_int_equal(getsockname(script.listener, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_script, &script), 0);
	snprintf(s.url, sizeof(s.url), "https://127.0.0.1:%u", ntohs(at.sin_port));
	const struct https_client_options options = {.url = s.url,
	                                             .key_hash = people.server.hash,
	                                             .now = test_clock,
	                                             .answer_max = 1000,
	                                             .pool = people.pool,
	                                             .request_ms = code == CELLA_ETIMEOUT ? 100 : 0};
	assert_int_equal(https_client_new(&options, &c, NULL), 0);
	int rc = https_client_ask(c, &m, &r, &err);
	if (rc != code || !strstr(err.text, says))
		fail_msg("%d (not %d): %s (not: %s)", rc, code, err.text, says);
	if (rc == 0) {
		assert_int_equal(r.size, strlen(body));
		assert_string_equal(r.body ? (char *)r.body : "", body);
		https_reply_done(&r);
	}
	if (script_body >= 65536) /* which the server did not want */
		assert_null(https_client_peer(c));
	https_client_free(c);
	pthread_join(thread, NULL);
	close(script.listener);
}

static void test_answers(void **state not_used)
{
	char large[1200];
	memset(large, 'x', sizeof(large));
	memcpy(large, "HTTP/1.1 200 OK\r\n\r\n", 19);
	large[sizeof(large) - 1] = '\0';
	assert_script("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, 0, "", "ok");
	assert_script(
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nA: b\r\n\r\n",
		true, 0, "", "Wikipedia");
	assert_script("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true, 0, "",
	              "");
	assert_script("HTTP/1.1 200 OK\r\n\r\nto the end", false, 0, "", "to the end");
	assert_script("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false, CELLA_ELOST,
	              "ends in the middle", "");
	assert_script("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", true, CELLA_ELIMIT,
	              "larger than 1000", "");
	assert_script(large, false, CELLA_ELIMIT, "larger than 1000", "");
	assert_script("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", false, CELLA_ELOST, "",
	              "");
	assert_script("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, CELLA_EFORMAT,
	              "chunks", "");
	assert_script("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false, CELLA_EUNSUPPORTED,
	              "encoding", "");
	assert_script("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false,
	              CELLA_EFORMAT, "leaves open", "");
	assert_script("ICY 200 OK\r\n\r\n", false, CELLA_EFORMAT, "is not HTTP/1.1", "");
	assert_script("", false, CELLA_ELOST, "whether it was carried out is not known", "");
	assert_script("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, CELLA_ETIMEOUT, "took too long",
	              "");
	script_body = 100000;
	assert_script("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno", true, 0, "", "no");
	script_body = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_client_trust),
		cmocka_unit_test(test_server_trust),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_too_few_descriptors),
		cmocka_unit_test(test_revoked_and_renewed),
		cmocka_unit_test(test_kept_when_refused),
		cmocka_unit_test(test_yield),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_bodies_together),
		cmocka_unit_test(test_expires_meanwhile),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_no_tickets),
		cmocka_unit_test(test_strictness),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_continue),
		cmocka_unit_test(test_oversize),
		cmocka_unit_test(test_slow_handshakes),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_address_limit),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_by_force),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_answers),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
