/*
 * An HTTPS client and servers that answer with given bytes: is every answer that HTTP/1.1 allows understood,
 * and is every other one, whether cut, too large, ambiguous or late, an error that says which?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "https_support.h"

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
		cmocka_unit_test(test_answers),
	};
	return cmocka_run_group_tests(tests, people_set_up, people_tear_down);
}
