#include "cli/job/questions.h"

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

int job_questions_ask(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
                      struct buf *ret_answer, struct error *err)
{
	struct job_questions *q = data;
	if (!q->grants || grant > q->grants->count)
		return error_set(err, CELLA_EFORMAT, "the job has no session %u", grant);
	const struct buf *evidence = &q->evidence[executor - 1];
	if (executor == q->driver) {
		if (!q->renew_ns)
			q->renew_ns = clock_ns() + RENEW_NS;
		q->asked[grant - 1] = true;
	}
	return q->grants->ask(q->grants->data, grant - 1, evidence->data, evidence->size, question, size,
	                      ret_answer, err);
}

bool job_questions_may_ask(void *data)
{
	const struct job_questions *q = data;
	return !q->asking;
}

int job_questions_wait_ms(const struct job_questions *q)
{
	uint64_t now = clock_ns();
	if (!q->renew_ns)
		return -1;
	return now < q->renew_ns ? (int)((q->renew_ns - now) / 1000000u) + 1 : 0;
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

void job_questions_done(struct job_questions *q)
{
	for (uint32_t i = 0; i < JOB_EXECUTORS_MAX; i++)
		buf_done(&q->evidence[i]);
}
