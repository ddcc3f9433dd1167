/* Do several requests go out over one connection before the first is answered, does each get its own answer,
 * and does each learn when there will be none? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "https_support.h"

static struct error err;

static struct https_client *patient_client(const struct served *s, unsigned request_ms)
{
	const struct https_client_options options = {.url = s->url,
	                                             .key_hash = people.server.hash,
	                                             .now = test_clock,
	                                             .request_ms = request_ms,
	                                             .pool = people.pool};
	struct https_client *c;
	assert_int_equal(https_client_new(&options, &c, NULL), 0);
	return c;
}

static int send(struct https_client *c, const char *method, const char *target, const void *body, size_t size)
{
	const struct https_message m = {.method = method,
	                                .target = target,
	                                .type = body ? "text/plain" : NULL,
	                                .body = body,
	                                .size = size};
	return https_client_send(c, &m, &err);
}

static void wait_for_answer(struct https_client *c)
{
	while (!https_client_has_answer(c)) {
		uint64_t deadline_ns;
		struct pollfd p = {.fd = https_client_socket(c, &deadline_ns), .events = POLLIN};
		assert_true(poll(&p, 1, TEST_MS) > 0);
	}
}

static void each_has_its_own_answer(void **state not_used)
{
	static char bodies[HTTPS_SENT_MAX][300];
	struct served s;
	struct https_reply r;
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < HTTPS_SENT_MAX; i++) {
			memset(bodies[i], 'a' + (int)i % 26, sizeof(bodies[i]));
			assert_int_equal(send(c, "POST", i % 2 ? "/work" : "/echo", bodies[i], 1 + 4 * i), 0);
		}
		assert_int_equal(https_client_sent(c), HTTPS_SENT_MAX);
		assert_int_equal(send(c, "POST", "/echo", "x", 1), CELLA_ELIMIT);
		for (unsigned i = 0; i < HTTPS_SENT_MAX; i++) {
			wait_for_answer(c);
			assert_int_equal(https_client_receive(c, &r, &err), 0);
			assert_int_equal(r.status, 200);
			assert_int_equal(r.size, 1 + 4 * i);
			assert_memory_equal(r.body, bodies[i], r.size);
			https_reply_done(&r);
		}
		assert_false(https_client_has_answer(c));
		assert_int_equal(https_client_receive(c, &r, &err), CELLA_EBUG);
		assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200); /* and one by one */
	}
	https_client_free(c);
	served_stop(&s);
}

static void nothing_is_there_before_it_comes(void **state not_used)
{
	struct served s;
	struct https_reply r;
	assert_int_equal(sem_init(&gate.open, 0, 0), 0);
	atomic_store(&gate.entered, 0);
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	assert_int_equal(send(c, "GET", "/block", NULL, 0), 0);
	assert_int_equal(send(c, "HEAD", "/", NULL, 0), 0);
	while (atomic_load(&gate.entered) == 0)
		;
	assert_false(https_client_has_answer(c));
	const struct https_message m = {.method = "GET", .target = "/"};
	assert_int_equal(https_client_ask(c, &m, &r, &err), CELLA_EBUG);
	assert_int_equal(sem_post(&gate.open), 0);
	for (unsigned i = 0; i < 2; i++) {
		wait_for_answer(c);
		assert_int_equal(https_client_receive(c, &r, &err), 0);
		assert_int_equal(r.status, 200);
		https_reply_done(&r);
	}
	https_client_free(c);
	served_stop(&s);
	sem_destroy(&gate.open);
}

/* The server closes the connection behind the second answer. */
static void a_lost_connection_loses_all_that_is_under_way(void **state not_used)
{
	const struct https_message last = {.method = "GET",
	                                   .target = "/block",
	                                   .header = "Connection: close"};
	struct served s;
	struct https_reply r;
	assert_int_equal(sem_init(&gate.open, 0, 0), 0);
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	struct https_client *c = client_of(&s, NULL);
	assert_int_equal(send(c, "GET", "/", NULL, 0), 0);
	assert_int_equal(https_client_send(c, &last, &err), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(send(c, "GET", "/", NULL, 0), 0);
	assert_int_equal(sem_post(&gate.open), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(https_client_receive(c, &r, &err), 0);
		https_reply_done(&r);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_true(https_client_has_answer(c));
		assert_int_equal(https_client_receive(c, &r, &err), CELLA_ELOST);
		assert_non_null(strstr(err.text, "whether it was carried out is not known"));
	}
	assert_int_equal(https_client_sent(c), 0);
	assert_int_equal(status_of(c, "GET", "/", NULL, 0), 200); /* on another one */
	https_client_free(c);
	served_stop(&s);
	sem_destroy(&gate.open);
}

/* What is asked on the next connection is not taken for what was lost with this one. */
static void an_answer_has_its_time(void **state not_used)
{
	struct served s;
	struct https_reply r;
	served_start(&s, &wide, TLS_CLIENTS_ANONYMOUS);
	s.stop_ms = 50;
	struct https_client *c = patient_client(&s, 100);
	assert_int_equal(send(c, "GET", "/never", NULL, 0), 0);
	assert_int_equal(send(c, "GET", "/", NULL, 0), 0);
	assert_int_equal(https_client_receive(c, &r, &err), CELLA_ETIMEOUT);
	assert_true(https_client_has_answer(c));
	assert_int_equal(send(c, "POST", "/echo", "text", 4), 0);
	assert_int_equal(https_client_receive(c, &r, &err), CELLA_ELOST);
	assert_int_equal(https_client_receive(c, &r, &err), 0);
	assert_int_equal(r.size, 4);
	https_reply_done(&r);
	https_client_free(c);
	served_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_its_own_answer),
		cmocka_unit_test(nothing_is_there_before_it_comes),
		cmocka_unit_test(a_lost_connection_loses_all_that_is_under_way),
		cmocka_unit_test(an_answer_has_its_time),
	};
	return cmocka_run_group_tests(tests, people_set_up, people_tear_down);
}
