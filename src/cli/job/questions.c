#include "cli/job/questions.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

static const uint64_t RENEW_NS = JOB_RENEW_S * 1000000000ull;

void job_questions_note(struct job_questions *q, uint32_t executor, bool driver, const void *evidence,
                        size_t size)
{
	if (!q->grants)
		return;
	if (driver)
		q->driver = executor;
	buf_put(&q->evidence[executor - 1], evidence, size);
}

void job_questions_init(struct job_questions *q, const struct job_grants *grants)
{
	*q = (struct job_questions){.grants = grants};
	STAILQ_INIT(&q->list);
	STAILQ_INIT(&q->last);
}

void job_question_free(struct job_question *question)
{
	buf_done(&question->question);
	buf_done(&question->answer);
	free(question);
}

static void note_driver(struct job_questions *q, uint32_t executor, uint32_t grant)
{
	if (executor != q->driver)
		return;
	if (!q->renew_ns)
		q->renew_ns = clock_ns() + RENEW_NS;
	q->asked[grant - 1] = true;
}

static int new_question(uint32_t executor, uint32_t grant, const void *question, size_t size,
                        struct job_question **ret_question, struct error *err)
{
	struct job_question *q = calloc(1, sizeof(*q));
	if (q)
		buf_put(&q->question, question, size);
	if (!q || q->question.failed) {
		free(q);
		return error_set(err, CELLA_ENOMEM, "no memory for a question");
	}
	q->executor = executor;
	q->grant = grant;
	*ret_question = q;
	return 0;
}

/* Below 0: it could not be sent. */
static void note_asked(struct job_questions *q, struct job_question *asked, int rc)
{
	asked->rc = rc;
	asked->answered = rc < 0;
	STAILQ_INSERT_TAIL(&q->list, asked, link);
	q->count++;
}

static void send_question(struct job_questions *q, struct job_question *asked)
{
	const struct buf *evidence = &q->evidence[asked->executor - 1];
	note_asked(q, asked,
	           q->grants->ask(q->grants->data, asked->grant - 1, evidence->data, evidence->size,
	                          asked->question.data, asked->question.size, &asked->why));
}

int job_questions_ask(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
                      struct error *err)
{
	struct job_questions *q = data;
	if (!q->grants || grant > q->grants->count)
		return error_set(err, CELLA_EFORMAT, "the job has no session %u", grant);
	struct job_question *asked;
	int rc = new_question(executor, grant, question, size, &asked, err);
	if (rc < 0)
		return rc;
	note_driver(q, executor, grant);
	send_question(q, asked);
	return 0;
}

int job_questions_keep_last(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
                            struct error *err)
{
	struct job_questions *q = data;
	struct job_question *kept;
	if (!q->grants || grant > q->grants->count || executor != q->driver ||
	    q->last_count == PROVISION_VOLUMES_MAX)
		return error_set(err, CELLA_EFORMAT, "executor %u may not leave a question for session %u",
		                 executor, grant);
	int rc = new_question(executor, grant, question, size, &kept, err);
	if (rc < 0)
		return rc;
	STAILQ_INSERT_TAIL(&q->last, kept, link);
	q->last_count++;
	return 0;
}

void job_questions_ask_last(struct job_questions *q)
{
	struct job_question *asked, *unsent = NULL;
	while ((asked = STAILQ_FIRST(&q->last))) {
		STAILQ_REMOVE_HEAD(&q->last, link);
		q->last_count--;
		if (unsent) {
			asked->why = unsent->why;
			note_asked(q, asked, unsent->rc);
			continue;
		}
		send_question(q, asked);
		unsent = asked->rc < 0 ? asked : NULL;
	}
	STAILQ_FOREACH(asked, &q->list, link)
	{
		asked->again = true;
	}
}

static void receive(struct job_questions *q, struct job_question *asked)
{
	asked->rc = q->grants->answer(q->grants->data, asked->grant - 1, &asked->answer, &asked->why);
	asked->answered = true;
}

/* One was refused. Those behind it were so, too, most likely: what can be done about the reason is done once
 * all have come, and then they are asked again, one after the other. */
static void ask_again(struct job_questions *q)
{
	struct job_question *asked;
	STAILQ_FOREACH(asked, &q->list, link)
	{
		if (!asked->answered)
			receive(q, asked);
	}
	STAILQ_FOREACH(asked, &q->list, link)
	{
		const struct buf *evidence = &q->evidence[asked->executor - 1];
		if (asked->rc != CELLA_EAUTH || asked->again)
			continue;
		asked->again = true;
		asked->rc = q->grants->ask_again(q->grants->data, asked->grant - 1, evidence->data,
		                                 evidence->size, asked->question.data, asked->question.size,
		                                 &asked->answer, &asked->why);
		if (asked->rc == CELLA_ECANCELED)
			return;
	}
}

struct job_question *job_questions_take(struct job_questions *q)
{
	struct job_question *first = STAILQ_FIRST(&q->list);
	if (!first || (!first->answered && !q->grants->has_answer(q->grants->data)))
		return NULL;
	if (!first->answered)
		receive(q, first);
	if (first->rc == CELLA_EAUTH && !first->again)
		ask_again(q);
	STAILQ_REMOVE_HEAD(&q->list, link);
	q->count--;
	return first;
}

bool job_questions_may_ask(void *data)
{
	const struct job_questions *q = data;
	return !q->asking && q->count < JOB_QUESTIONS_MAX;
}

int job_questions_socket(const struct job_questions *q)
{
	uint64_t deadline_ns;
	return q->count ? q->grants->socket(q->grants->data, &deadline_ns) : -1;
}

int job_questions_wait_ms(const struct job_questions *q)
{
	uint64_t now = clock_ns(), due_ns = UINT64_MAX;
	if (q->count)
		q->grants->socket(q->grants->data, &due_ns);
	if (q->renew_ns)
		due_ns = min_of(due_ns, q->renew_ns);
	if (due_ns == UINT64_MAX)
		return -1;
	return now < due_ns ? (int)((due_ns - now) / 1000000u) + 1 : 0;
}

/* Where that fails the leases last a while longer, and the next commit says what is wrong. */
void job_questions_renew(struct job_questions *q)
{
	struct error why;
	if (!q->renew_ns || clock_ns() < q->renew_ns)
		return;
	const struct buf *evidence = &q->evidence[q->driver - 1];
	for (uint32_t i = 0; i < q->grants->count; i++)
		if (q->asked[i] &&
		    q->grants->renew(q->grants->data, i, evidence->data, evidence->size, &why) < 0)
			log_warn("the leases of the job's volumes were not renewed: %s", why.text);
	q->renew_ns = clock_ns() + RENEW_NS;
}

static void free_all(struct job_question_list *list)
{
	struct job_question *q;
	while ((q = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, link);
		job_question_free(q);
	}
}

void job_questions_done(struct job_questions *q)
{
	free_all(&q->list);
	free_all(&q->last);
	for (uint32_t i = 0; i < JOB_EXECUTORS_MAX; i++)
		buf_done(&q->evidence[i]);
}
