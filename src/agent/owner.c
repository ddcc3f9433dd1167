/* The owner's side: the job, progress, its end. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_message.h"
#include "agent/agent_state.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"

static int receive(struct agent *a, uint8_t bytes[AGENT_MESSAGE_MAX], struct agent_message *ret_message,
                   bool *ret_ended, int *ret_fd, struct error *err)
{
	size_t size, fd_count = 0;
	int fd = -1;
	int rc = io_receive_message(a->owner, bytes, AGENT_MESSAGE_MAX, &size, &fd, 1, &fd_count, err);
	if (rc < 0)
		return rc;
	*ret_fd = fd_count ? fd : -1;
	*ret_ended = size == 0;
	if (size == 0)
		return 0;
	rc = agent_message_decode(bytes, size, ret_message, err);
	return rc < 0 ? error_prefix(err, rc, "the owner sent ") : 0;
}

int owner_receive_start(struct agent *a, struct error *err)
{
	_Alignas(8) uint8_t bytes[AGENT_MESSAGE_MAX];
	struct agent_message m;
	bool ended;
	int rc = receive(a, bytes, &m, &ended, &a->bundle, err);
	if (rc < 0)
		return rc;
	if (ended)
		return error_set(err, CELLA_ELOST, "the owner is gone");
	if (m.type != AGENT_START || a->bundle < 0 || m.start->executors > AGENT_WORKERS_MAX ||
	    m.start->tasks_max > AGENT_TASKS_MAX)
		return error_set(err, CELLA_EFORMAT, "the owner sent a malformed job");
	a->job = *m.start;
	if (a->job.tasks_max == 0)
		a->job.tasks_max = AGENT_TASKS_DEFAULT;
	return 0;
}

int owner_send(struct agent *a, const void *head, size_t size, const void *rest, size_t rest_size, int fd,
               struct error *err)
{
	uint8_t bytes[AGENT_MESSAGE_MAX];
	if (size + rest_size > sizeof(bytes))
		return error_set(err, CELLA_EBUG, "a message of %zu bytes to the owner", size + rest_size);
	memcpy(bytes, head, size);
	if (rest_size)
		memcpy(bytes + size, rest, rest_size);
	int rc = io_send_message(a->owner, bytes, size + rest_size, &fd, fd >= 0, err);
	return rc < 0 ? error_prefix(err, CELLA_ELOST, "the owner is gone: ") : 0;
}

/* The owner says nothing but "stop". */
int owner_readable(struct agent *a, struct error *err)
{
	_Alignas(8) uint8_t bytes[AGENT_MESSAGE_MAX];
	struct agent_message m;
	bool ended;
	cleanup_close int fd = -1;
	int rc = receive(a, bytes, &m, &ended, &fd, err);
	if (rc < 0)
		return rc;
	if (ended && a->stopping) {
		a->over = true;
		return 0;
	}
	if (ended)
		return error_set(err, CELLA_ELOST, "the owner is gone");
	if (m.type != AGENT_STOP || a->stopping)
		return error_set(err, CELLA_EFORMAT, "the owner sent a malformed message");
	a->stopping = true;
	rc = executors_stop(a, err);
	return rc < 0 ? rc : owner_finished(a, err);
}

/* What it cannot take at once it does not get: the next one says it all. */
void owner_progress(struct agent *a)
{
	struct graph_counts counts;
	struct pollfd ready = {.fd = a->owner, .events = POLLOUT};
	struct error err;
	if (!(a->job.flags & AGENT_START_PROGRESS) || a->stopping ||
	    a->now_ns - a->progress_ns < AGENT_PROGRESS_NS)
		return;
	graph_counts(a->graph, &counts);
	struct agent_progress m = {.type = AGENT_PROGRESS,
	                           .done = counts.done,
	                           .running = counts.sent,
	                           .waiting = counts.waiting,
	                           .failed = counts.failed + counts.cancelled};
	a->progress_ns = a->now_ns;
	if (memcmp(&m, &a->progress, sizeof(m)) == 0 || poll(&ready, 1, 0) != 1)
		return;
	a->progress = m;
	if (owner_send(a, &m, sizeof(m), NULL, 0, -1, &err) < 0)
		log_info("%s", err.text);
}

int owner_finished(struct agent *a, struct error *err)
{
	struct graph_counts counts;
	struct store_stats stats;
	graph_counts(a->graph, &counts);
	store_stats(a->store, &stats);
	struct event_end end = {
		.time_ns = a->now_ns,
		.done = counts.done,
		.failed = counts.failed,
		.cancelled = counts.cancelled,
		.retried = counts.retried,
		.store_used_max = stats.used_max,
		.spilled = stats.spilled,
	};
	struct agent_finished m = {.type = AGENT_FINISHED,
	                           .done = counts.done,
	                           .failed = counts.failed + counts.cancelled,
	                           .retried = counts.retried};
	return owner_send(a, &m, sizeof(m), NULL, 0, event_log_finish(a->log, &end), err);
}

void owner_failed(struct agent *a, const struct error *why)
{
	struct agent_failed m = {.type = AGENT_FAILED, .error = why->code};
	struct error err;
	if (owner_send(a, &m, sizeof(m), why->text, strlen(why->text), -1, &err) < 0)
		log_info("%s", err.text);
}
