/*
 * Questions of an executor to root keepers whose answers it takes later: does each asker get its own,
 * whatever comes between them on the channel, and is an answer in another's place none? Is what it leaves to
 * be asked last numbered behind all that it asks?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "cell/keeper_question.h"
#include "cell/owner/owner.h"

enum { EXECUTOR = 3, GRANTS = 2 };

static struct mem_pool *pool;
static struct error err;

struct there {
	struct owner *executor;
	struct seal_session *sessions[1 + GRANTS];
	uint64_t answered[1 + GRANTS]; /* so many questions to each keeper */
	int fd; /* the owner's end */
};

static const char first[1], second[1]; /* askers */
static const struct owner_keeper_request swap = {.operation = OWNER_KEEPER_SWAP};

static int setup(void **state)
{
	struct there *t = calloc(1, sizeof(*t));
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(owner_new(fds[0], pool, &t->executor, NULL), 0);
	for (uint32_t i = 0; i <= GRANTS; i++) {
		const uint8_t key[32] = {(uint8_t)i};
		assert_int_equal(seal_session_new(key, &t->sessions[i], NULL), 0);
		if (i)
			owner_set_grant(t->executor, i, t->sessions[i]);
		else
			owner_set_session(t->executor, t->sessions[i], EXECUTOR);
	}
	t->fd = fds[1];
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct there *t = *state;
	owner_free(t->executor);
	for (unsigned i = 0; i <= GRANTS; i++)
		seal_session_free(t->sessions[i]);
	close(t->fd);
	free(t);
	return 0;
}

static void frame(const struct there *t, uint32_t type, const void *body, size_t size)
{
	const struct owner_frame head = {.type = type, .size = (uint32_t)size};
	assert_int_equal(io_write_full(t->fd, &head, sizeof(head), NULL), 0);
	assert_int_equal(io_write_full(t->fd, body, size, NULL), 0);
}

/* The keeper says to question n: this error, and a text. */
static void answer_nth(const struct there *t, uint32_t grant, uint64_t n, int error, const char *text)
{
	struct owner_keeper_head head = {.grant = grant};
	struct owner_keeper_reply reply = {.error = error, .text_size = (uint32_t)strlen(text)};
	const size_t text_size = reply.text_size, size = sizeof(reply) + text_size;
	uint8_t plain[sizeof(reply) + 64], body[sizeof(head) + sizeof(plain) + SEAL_OVERHEAD];
	const struct seal_id id = owner_keeper_id(grant ? 0 : EXECUTOR, true, n);
	memcpy(plain, &reply, sizeof(reply));
	for (size_t i = 0; i < text_size; i++)
		plain[sizeof(reply) + i] = (uint8_t)text[i];
	memcpy(body, &head, sizeof(head));
	assert_int_equal(seal_object(t->sessions[grant], &id, NULL, 0, plain, size, body + sizeof(head),
	                             NULL),
	                 0);
	frame(t, OWNER_KEEPER, body, sizeof(head) + seal_size(size));
}

static void answer(struct there *t, uint32_t grant, int error, const char *text)
{
	answer_nth(t, grant, t->answered[grant]++, error, text);
}

static void ask(struct there *t, uint32_t grant, const void *asker)
{
	assert_int_equal(owner_ask_later(t->executor, grant, &swap, asker, &err), 0);
}

static void assert_says(struct there *t, const void *asker, int rc, const char *text)
{
	err = (struct error){0};
	assert_int_equal(owner_take_answer(t->executor, asker, &err), rc);
	assert_non_null(strstr(err.text, text));
}

static void each_asker_has_its_answers_in_order(void **state)
{
	struct there *t = *state;
	ask(t, 1, first);
	ask(t, 2, second);
	ask(t, 1, second);
	ask(t, 1, first);
	assert_false(owner_has_answer(t->executor, first));
	answer(t, 2, CELLA_EIO, "second's first");
	assert_false(owner_has_answer(t->executor, first));
	assert_true(owner_has_answer(t->executor, second));
	answer(t, 1, 0, "");
	answer(t, 1, CELLA_EFENCED, "second's second");
	answer(t, 1, CELLA_EAGAIN, "first's second");
	assert_true(owner_has_answer(t->executor, first));
	assert_says(t, first, 0, "");
	assert_says(t, first, CELLA_EAGAIN, "first's second");
	assert_says(t, second, CELLA_EIO, "second's first");
	assert_says(t, second, CELLA_EFENCED, "second's second");
	assert_false(owner_has_answer(t->executor, first));
	assert_says(t, first, CELLA_EBUG, "nobody asked");
}

/* Answers to what is waited for come behind them, or before. */
static void answers_come_between_others(void **state)
{
	struct there *t = *state;
	const struct wasi_host host = owner_wasi_host(t->executor);
	const struct owner_path_request request = {.operation = OWNER_PATH_STAT, .path_size = 1};
	const struct owner_path_reply reply = {.error = 7};
	const struct owner_keeper_request get = {.operation = OWNER_KEEPER_GET};
	struct owner_path_reply path_reply;
	struct owner_keeper_reply keeper_reply;
	int fd = -1;
	ask(t, 1, first);
	ask(t, 1, first);
	answer(t, 1, CELLA_EIO, "one");
	frame(t, OWNER_PATH, &reply, sizeof(reply));
	assert_int_equal(host.path(host.data, &request, "a", "", &path_reply, NULL, 0, &fd), 0);
	assert_int_equal(path_reply.error, 7);
	answer(t, 0, CELLA_ENOENT, "the owner's");
	answer(t, 1, CELLA_EIO, "two");
	answer(t, 1, CELLA_ELIMIT, "three");
	assert_int_equal(owner_ask_keeper(t->executor, 0, &get, &keeper_reply, &err), CELLA_ENOENT);
	assert_int_equal(owner_ask_keeper(t->executor, 1, &get, &keeper_reply, &err), CELLA_ELIMIT);
	assert_says(t, first, CELLA_EIO, "one");
	assert_says(t, first, CELLA_EIO, "two");
}

static void an_answer_in_anothers_place_is_none(void **state)
{
	struct there *t = *state;
	ask(t, 1, first);
	ask(t, 1, first);
	answer_nth(t, 1, 1, 0, "");
	answer_nth(t, 1, 0, 0, "");
	assert_says(t, first, CELLA_EAUTH, "the root keeper");
	assert_says(t, first, CELLA_EAUTH, "the root keeper");
	ask(t, 1, first); /* while the right one is taken */
	answer_nth(t, 1, 2, 0, "");
	assert_says(t, first, 0, "");
}

static void that_there_is_none_is_told(void **state)
{
	static const char why[] = "the CAS took too long";
	struct there *t = *state;
	const struct owner_keeper_head head = {.grant = 1, .error = CELLA_ETIMEOUT};
	uint8_t body[sizeof(head) + sizeof(why)];
	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), why, sizeof(why));
	ask(t, 1, first);
	ask(t, 1, first);
	frame(t, OWNER_KEEPER, body, sizeof(body));
	assert_says(t, first, CELLA_ETIMEOUT, why);
	assert_false(owner_has_answer(t->executor, first));
	shutdown(t->fd, SHUT_RDWR);
	assert_true(owner_has_answer(t->executor, first)); /* none will come */
	assert_says(t, first, CELLA_ELOST, "gone");
}

static void what_nobody_asked_is_no_answer(void **state)
{
	struct there *t = *state;
	ask(t, 1, first);
	answer(t, 2, 0, "");
	assert_says(t, first, CELLA_EFORMAT, "nobody asked");
	ask(t, 1, first); /* and is not taken by its asker */
}

/* What the owner is sent, whole: of this type, for this keeper, and with this number. */
static void assert_sent(const struct there *t, uint32_t type, uint32_t grant, uint64_t number)
{
	uint8_t plain[sizeof(swap)], sealed[sizeof(plain) + SEAL_OVERHEAD];
	struct owner_keeper_head head;
	struct owner_frame frame;
	const struct seal_id id = owner_keeper_id(0, false, number);
	const struct seal_id other = owner_keeper_id(0, false, ~number);
	assert_int_equal(io_read_full(t->fd, &frame, sizeof(frame), NULL), 0);
	assert_int_equal(frame.type, type);
	assert_int_equal(frame.size, sizeof(head) + sizeof(sealed));
	assert_int_equal(io_read_full(t->fd, &head, sizeof(head), NULL), 0);
	assert_int_equal(head.grant, grant);
	assert_int_equal(head.error, 0);
	assert_int_equal(io_read_full(t->fd, sealed, sizeof(sealed), NULL), 0);
	assert_int_equal(seal_open(t->sessions[grant], &other, NULL, 0, sealed, sizeof(sealed), plain,
	                           sizeof(plain), NULL),
	                 CELLA_EAUTH);
	assert_int_equal(seal_open(t->sessions[grant], &id, NULL, 0, sealed, sizeof(sealed), plain,
	                           sizeof(plain), NULL),
	                 0);
	assert_memory_equal(plain, &swap, sizeof(plain));
}

static void what_is_left_is_numbered_behind_all(void **state)
{
	struct there *t = *state;
	for (uint64_t i = 0; i < 3; i++) {
		ask(t, 1, first);
		assert_sent(t, OWNER_KEEPER, 1, i);
		assert_int_equal(owner_leave_last(t->executor, 1, &swap, &err), 0);
		assert_sent(t, OWNER_LAST, 1, ((uint64_t)1 << 63) + i);
	}
	assert_int_equal(owner_leave_last(t->executor, 2, &swap, &err), 0);
	assert_sent(t, OWNER_LAST, 2, (uint64_t)1 << 63);
	for (unsigned i = 0; i < 3; i++) { /* it has no answer */
		answer(t, 1, 0, "");
		assert_says(t, first, 0, "");
	}
}

static int start(void **state)
{
	(void)state;
	return mem_pool_new(MEM_INSECURE_NONE, 16 << 20, &pool, NULL) < 0 || crypto_init(pool, NULL) < 0 ? -1
	                                                                                                 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_asker_has_its_answers_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_come_between_others, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_in_anothers_place_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(that_there_is_none_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(what_nobody_asked_is_no_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_left_is_numbered_behind_all, setup, teardown),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
