/*
 * HTTPS, client and server over 127.0.0.1. Does an exchange give what it should, from many at once, too; is a
 * refusal told with its reason; and does the end come in order?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "https_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange), cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_kept_when_refused),
		cmocka_unit_test(test_crowd),    cmocka_unit_test(test_health),
		cmocka_unit_test(test_stop),     cmocka_unit_test(test_stop_by_force),
	};
	return cmocka_run_group_tests(tests, people_set_up, people_tear_down);
}
