/*
 * HTTPS: whom does the client trust and whom does the server let in, by their certificates and what has
 * become of these meanwhile; who is it that asks; and is nothing older than TLS 1.3 spoken?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/x509_openssl.h"
#include "https_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),          cmocka_unit_test(test_client_trust),
		cmocka_unit_test(test_server_trust),      cmocka_unit_test(test_revoked_and_renewed),
		cmocka_unit_test(test_expires_meanwhile), cmocka_unit_test(test_versions),
		cmocka_unit_test(test_no_tickets),
	};
	return cmocka_run_group_tests(tests, people_set_up, people_tear_down);
}
