/*
 * What a server does with bytes: is each request that breaks the rules refused, is what follows the rules
 * answered however it comes (in pieces, several at once, after a 100), and does it live on after garbage?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "https_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strictness), cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_pieces),     cmocka_unit_test(test_continue),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests(tests, people_set_up, people_tear_down);
}
