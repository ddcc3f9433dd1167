/*
 * What is still asked when a job has ended before its program has: CASes are told that its leases are given
 * up, so that who starts it again need not wait until they end.
 *
 * The program's executor has sealed the words for that when it took each lease (cell/owner/format.h, LAST).
 * They are said once nothing of the job runs, so that nobody writes any more. A CAS that does not answer
 * in time, and a second signal, end the waiting: the leases then end by themselves. (One look-up of the CAS's
 * name, where the connection was lost, is not bounded so.)
 */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/interrupt.h"
#include "cli/job/state.h"

struct leaving {
	int interrupt;
	uint64_t until_ns;
};

static int wait_for_cas(void *arg, struct pollfd *socket, int timeout_ms, struct error *err)
{
	const struct leaving *l = arg;
	const uint64_t now_ns = clock_ns();
	const int left_ms = now_ns < l->until_ns ? (int)((l->until_ns - now_ns) / 1000000) + 1 : 0;
	struct pollfd fds[] = {{.fd = socket->fd, .events = socket->events},
	                       {.fd = l->interrupt, .events = POLLIN}};
	if (poll(fds, array_count(fds), timeout_ms < 0 ? left_ms : min_of(left_ms, timeout_ms)) < 0 &&
	    errno != EINTR)
		return error_errno(err, CELLA_EIO, "cannot wait for the CAS");
	if (fds[1].revents)
		return error_set(err, CELLA_ECANCELED, "a signal came");
	if (!fds[0].revents && clock_ns() >= l->until_ns)
		return error_set(err, CELLA_ETIMEOUT, "the CAS did not answer within %d ms", JOB_LEAVE_MS);
	return fds[0].revents != 0;
}

/* Answers are sealed: that they have come is all that can be known here. The last `left` count; who asked the
 * others is gone. */
static int take_answers(struct job_questions *q, unsigned left, struct leaving *l, struct error *err)
{
	int rc = 0, first = 0;
	while (rc >= 0 && q->count) {
		uint64_t deadline_ns;
		struct job_question *asked = job_questions_take(q);
		if (!asked) {
			struct pollfd socket = {.events = POLLIN};
			socket.fd = q->grants->socket(q->grants->data, &deadline_ns);
			rc = wait_for_cas(l, &socket, -1, err);
			continue;
		}
		if (asked->rc < 0 && q->count < left && first == 0)
			first = error_set(err, asked->rc, "%s", asked->why.text);
		job_question_free(asked);
	}
	return rc < 0 ? rc : first;
}

void job_leave(struct job *job)
{
	const struct job_grants *grants = job->config->grants;
	struct leaving l = {job->interrupt, clock_ns() + JOB_LEAVE_MS * 1000000ull};
	struct error why;
	if (job->ended || !job->questions.last_count)
		return;
	const unsigned left = job->questions.last_count;
	const int number = job->result->signal ? interrupt_take(job->interrupt) : 0;
	if (grants->wait_by)
		grants->wait_by(grants->data, wait_for_cas, &l);
	job_questions_ask_last(&job->questions);
	if (take_answers(&job->questions, left, &l, &why) < 0)
		log_warn("the job's volumes stay leased, for five minutes at most (%s): to write to them at "
		         "once, cella session volume --take-over",
		         why.text);
	if (grants->wait_by)
		grants->wait_by(grants->data, NULL, NULL);
	if (number)
		interrupt_put_back(number);
}
