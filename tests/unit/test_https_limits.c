/*
 * Is every limit of an HTTPS server kept (time, connections, descriptors, workers, sizes, rates), told to the
 * peer, and counted, with the server serving on?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "https_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),     cmocka_unit_test(test_too_few_descriptors),
		cmocka_unit_test(test_yield),           cmocka_unit_test(test_queue),
		cmocka_unit_test(test_bodies_together), cmocka_unit_test(test_oversize),
		cmocka_unit_test(test_slow_handshakes), cmocka_unit_test(test_slow),
		cmocka_unit_test(test_connections),     cmocka_unit_test(test_address_limit),
		cmocka_unit_test(test_rates),
	};
	return cmocka_run_group_tests(tests, people_set_up, people_tear_down);
}
