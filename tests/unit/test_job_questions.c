/*
 * Questions of a job's executors to its CASes, several under way: does each get what was said to it, in
 * order, also where one could not be sent, or was refused for a reason that can be mended? And is what the
 * program's executor left asked when it is to be, behind all others?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/job/questions.h"

enum { QUESTIONS_MAX = 128 };

/* CASes that answer as a script says, a letter for each question: y yes, r refused, l lost; s: it cannot be
 * sent. */
struct cas {
	const char *script;
	size_t asked, answered, there; /* so many answers have come */
	char questions[QUESTIONS_MAX];
	bool mends; /* what is refused is not when it is asked again */
	size_t mended;
};

static struct cas cas;
static struct job_questions questions;
static struct error err;

static char letter(size_t at)
{
	return at < strlen(cas.script) ? cas.script[at] : 'y';
}

static int fake_ask(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                    const void *question, size_t size, struct error *why)
{
	(void)data;
	(void)number;
	assert_int_equal(evidence_size, 2);
	assert_int_equal(size, 1);
	assert_int_equal(*(const char *)evidence, 'e');
	if (letter(cas.asked) == 's') {
		cas.asked++;
		return error_set(why, CELLA_EIO, "not reached");
	}
	memcpy(&cas.questions[cas.asked++], question, 1);
	return 0;
}

static int say(char question, struct buf *ret_answer)
{
	buf_put(ret_answer, &question, 1);
	return 0;
}

static int fake_answer(void *data, uint32_t number, struct buf *ret_answer, struct error *why)
{
	(void)data;
	(void)number;
	while (letter(cas.answered) == 's')
		cas.answered++;
	assert_true(cas.answered < cas.asked);
	const size_t at = cas.answered++;
	switch (letter(at)) {
	case 'r': return error_set(why, CELLA_EAUTH, "refused");
	case 'l': return error_set(why, CELLA_ELOST, "lost");
	default: return say(cas.questions[at], ret_answer);
	}
}

static int fake_ask_again(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                          const void *question, size_t size, struct buf *ret_answer, struct error *why)
{
	(void)data;
	(void)number;
	(void)evidence;
	(void)why;
	assert_int_equal(evidence_size, 2);
	assert_int_equal(size, 1);
	assert_int_equal(cas.answered, cas.asked); /* none is under way */
	cas.mended++;
	return cas.mends ? say(*(const char *)question, ret_answer) : CELLA_EAUTH;
}

static bool fake_has_answer(void *data)
{
	(void)data;
	return cas.answered < cas.there;
}

static int fake_socket(void *data, uint64_t *ret_deadline_ns)
{
	(void)data;
	*ret_deadline_ns = UINT64_MAX;
	return 5;
}

static void begin(const char *script)
{
	static const struct job_grants grants = {.count = 2,
	                                         .ask = fake_ask,
	                                         .answer = fake_answer,
	                                         .ask_again = fake_ask_again,
	                                         .socket = fake_socket,
	                                         .has_answer = fake_has_answer};
	cas = (struct cas){.script = script};
	job_questions_init(&questions, &grants);
	for (uint32_t i = 1; i <= 3; i++) {
		const char evidence[] = {'e', (char)i};
		job_questions_note(&questions, i, i == 1, evidence, sizeof(evidence));
	}
}

/* Of executor 1, 2, 3, 1, ... */
static void ask(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const char question = (char)('A' + i % 26);
		assert_int_equal(job_questions_ask(&questions, 1 + i % 3, 1 + i % 2, &question, 1, &err), 0);
	}
}

/* The next one is the i-th, and was answered with itself, or with that error. */
static void assert_next(unsigned i, int rc)
{
	struct job_question *q = job_questions_take(&questions);
	assert_non_null(q);
	assert_int_equal(q->executor, 1 + i % 3);
	assert_int_equal(q->grant, 1 + i % 2);
	assert_int_equal(q->rc, rc);
	assert_int_equal(q->answer.size, rc == 0);
	if (rc == 0)
		assert_int_equal(q->answer.data[0], 'A' + i % 26);
	job_question_free(q);
}

static void answers_are_passed_on_as_they_come(void **state)
{
	(void)state;
	begin("");
	assert_int_equal(job_questions_socket(&questions), -1);
	ask(5);
	assert_int_equal(job_questions_socket(&questions), 5);
	assert_null(job_questions_take(&questions));
	cas.there = 2;
	assert_next(0, 0);
	assert_next(1, 0);
	assert_null(job_questions_take(&questions));
	cas.there = 4;
	assert_next(2, 0);
	assert_int_equal(job_questions_ask(&questions, 1, 3, "x", 1, &err), CELLA_EFORMAT);
	job_questions_done(&questions); /* with two under way */
}

static void there_is_room_for_so_many(void **state)
{
	(void)state;
	begin("");
	ask(JOB_QUESTIONS_MAX - 1);
	assert_true(job_questions_may_ask(&questions));
	ask(1);
	assert_false(job_questions_may_ask(&questions));
	cas.there = 1;
	assert_next(0, 0);
	assert_true(job_questions_may_ask(&questions));
	job_questions_done(&questions);
}

/* What could not be sent is told in its turn: of what is before it some may have an answer. */
static void what_fails_is_told_in_its_turn(void **state)
{
	(void)state;
	begin("ylsyl");
	ask(5);
	assert_null(job_questions_take(&questions));
	cas.there = 5;
	assert_next(0, 0);
	assert_next(1, CELLA_ELOST);
	assert_next(2, CELLA_EIO);
	assert_next(3, 0);
	assert_next(4, CELLA_ELOST);
	assert_null(job_questions_take(&questions));
	job_questions_done(&questions);
}

static void what_was_refused_is_asked_again_once_all_have_come(void **state)
{
	(void)state;
	for (unsigned mends = 0; mends < 2; mends++) {
		begin("yrryr");
		cas.mends = mends;
		ask(5);
		cas.there = 5;
		assert_next(0, 0);
		assert_int_equal(cas.mended, 0);
		assert_next(1, mends ? 0 : CELLA_EAUTH);
		assert_int_equal(cas.mended, 3);
		assert_next(2, mends ? 0 : CELLA_EAUTH);
		assert_next(3, 0);
		assert_next(4, mends ? 0 : CELLA_EAUTH);
		assert_int_equal(cas.mended, 3); /* each once */
		job_questions_done(&questions);
	}
}

static int keep(uint32_t executor, uint32_t grant, char question)
{
	return job_questions_keep_last(&questions, executor, grant, &question, 1, &err);
}

static void what_is_left_is_asked_last(void **state)
{
	(void)state;
	begin("yrys");
	assert_int_equal(keep(1, 2, 'Y'), 0);
	ask(2);
	assert_int_equal(keep(1, 1, 'Z'), 0);
	assert_int_equal(cas.asked, 2); /* none of these yet */
	cas.there = 4;
	cas.mends = true;
	job_questions_ask_last(&questions);
	assert_int_equal(questions.last_count, 0);
	assert_int_equal(cas.asked, 4);
	assert_memory_equal(cas.questions, "ABY", 3);
	assert_next(0, 0);
	assert_next(1, CELLA_EAUTH);
	assert_int_equal(cas.mended, 0); /* who asked it is gone */
	struct job_question *q = job_questions_take(&questions);
	assert_true(q && q->executor == 1 && q->grant == 2 && q->rc == 0 && q->answer.data[0] == 'Y');
	job_question_free(q);
	q = job_questions_take(&questions);
	assert_true(q && q->executor == 1 && q->grant == 1 && q->rc == CELLA_EIO);
	job_question_free(q);
	job_questions_done(&questions);
}

/* Each would look for the CAS anew. */
static void after_one_that_cannot_be_sent_none_is_tried(void **state)
{
	(void)state;
	begin("ys");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(keep(1, 1, (char)('X' + i)), 0);
	cas.there = 2;
	job_questions_ask_last(&questions);
	assert_int_equal(cas.asked, 2);
	for (unsigned i = 0; i < 3; i++) {
		struct job_question *q = job_questions_take(&questions);
		assert_true(q && q->rc == (i ? CELLA_EIO : 0));
		assert_string_equal(i ? q->why.text : "", i ? "not reached" : "");
		job_question_free(q);
	}
	job_questions_done(&questions);
}

static void only_the_program_leaves_any(void **state)
{
	(void)state;
	begin("");
	assert_int_equal(keep(2, 1, 'A'), CELLA_EFORMAT);
	assert_int_equal(keep(1, 3, 'A'), CELLA_EFORMAT);
	for (unsigned i = 0; i < PROVISION_VOLUMES_MAX; i++)
		assert_int_equal(keep(1, 1, 'A'), 0);
	assert_int_equal(keep(1, 1, 'A'), CELLA_EFORMAT);
	assert_int_equal(cas.asked, 0);
	job_questions_done(&questions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_passed_on_as_they_come),
		cmocka_unit_test(there_is_room_for_so_many),
		cmocka_unit_test(what_fails_is_told_in_its_turn),
		cmocka_unit_test(what_was_refused_is_asked_again_once_all_have_come),
		cmocka_unit_test(what_is_left_is_asked_last),
		cmocka_unit_test(after_one_that_cannot_be_sent_none_is_tried),
		cmocka_unit_test(only_the_program_leaves_any),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
