/* What executors are told: runs, answers, outcomes, room in the store. */
#include <string.h>

#include "agent/agent_state.h"
#include "base/log.h"
#include "task/scheduler.h"

static void backlog_add(struct executor *x, uint32_t type, const struct ring_part *parts, size_t count)
{
	uint32_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += (uint32_t)parts[i].size;
	buf_put_u32(&x->backlog, type);
	buf_put_u32(&x->backlog, size);
	for (size_t i = 0; i < count; i++)
		buf_put(&x->backlog, parts[i].data, parts[i].size);
}

/* An executor that cannot be told any more is ended. */
static void lose(struct agent *a, struct executor *x, const char *why)
{
	struct error reason, err;
	error_set(&reason, CELLA_ELIMIT, "executor %u %s", x->number, why);
	if (executor_misbehaves(a, x, &reason, &err) < 0)
		log_error("%s", err.text);
}

void down_send(struct agent *a, struct executor *x, uint32_t type, const struct ring_part *parts,
               size_t count)
{
	if (x->state != EXECUTOR_RUNS)
		return;
	int rc = x->backlog.size ? CELLA_EAGAIN : ring_put(&x->down, type, parts, count);
	if (rc == 0)
		return;
	if (rc == CELLA_EAGAIN)
		backlog_add(x, type, parts, count);
	if (rc != CELLA_EAGAIN)
		lose(a, x, "broke its ring");
	else if (x->backlog.failed || x->backlog.size - x->backlog_at > AGENT_BACKLOG_MAX)
		lose(a, x, "does not read what it is told");
}

/* The first record of the backlog. */
static void backlog_first(const struct executor *x, uint32_t *ret_type, struct ring_part *ret_part)
{
	struct reader r = reader_of(x->backlog.data + x->backlog_at, x->backlog.size - x->backlog_at);
	*ret_type = reader_u32(&r);
	ret_part->size = reader_u32(&r);
	ret_part->data = reader_bytes(&r, ret_part->size);
}

/* What was sent is freed once it is more than half: each byte is moved once or so. */
static void backlog_compact(struct executor *x)
{
	struct buf *b = &x->backlog;
	if (x->backlog_at <= b->size / 2)
		return;
	memmove(b->data, b->data + x->backlog_at, b->size - x->backlog_at);
	b->size -= x->backlog_at;
	x->backlog_at = 0;
}

static void backlog_send(struct agent *a, struct executor *x)
{
	while (x->backlog_at < x->backlog.size) {
		uint32_t type;
		struct ring_part part;
		backlog_first(x, &type, &part);
		int rc = ring_put(&x->down, type, &part, 1);
		if (rc == CELLA_EAGAIN)
			return backlog_compact(x);
		if (rc < 0)
			return lose(a, x, "broke its ring");
		x->backlog_at += 2 * sizeof(uint32_t) + part.size;
	}
	buf_done(&x->backlog);
	x->backlog_at = 0;
}

void down_flush(struct agent *a, struct executor *x)
{
	if (x->backlog.size)
		backlog_send(a, x);
	ring_flush(&x->down);
}

bool down_prepare_sleep(struct executor *x)
{
	return x->backlog.size == 0 || ring_writer_prepare_sleep(&x->down);
}

void down_awake(struct executor *x)
{
	if (x->backlog.size)
		ring_writer_awake(&x->down);
}

static void on_outcome(void *data, const struct graph_outcome *o)
{
	struct agent *a = data;
	struct ring_part parts[] = {{&o->head, sizeof(o->head)}, {o->failure, o->head.failure_size}};
	event_log_outcome(a->log, a->now_ns, &o->head);
	down_send(a, a->numbered[o->executor], TASK_DOWN_OUTCOME, parts, array_count(parts));
}

static void on_answer(void *data, const struct graph_answer *answer)
{
	struct agent *a = data;
	struct ring_part parts[] = {{&answer->head, sizeof(answer->head)},
	                            {answer->locations,
	                             answer->head.location_count * sizeof(*answer->locations)}};
	down_send(a, a->numbered[answer->executor], TASK_DOWN_READY, parts, array_count(parts));
}

static void on_dropped(void *data, uint64_t offset, uint64_t size, bool spilled)
{
	struct agent *a = data;
	store_dropped(a->store, offset, size, spilled);
}

static void send_forgotten(struct agent *a, struct executor *x)
{
	struct ring_part part = {x->forgotten, x->forgotten_count * sizeof(x->forgotten[0])};
	x->forgotten_count = 0;
	if (part.size)
		down_send(a, x, TASK_DOWN_FORGET, &part, 1);
}

/* Told with the next task, or when there are many: it is not worth waking anybody. */
static void on_forgotten(void *data, uint64_t datum, uint64_t holders)
{
	struct agent *a = data;
	for (; holders; holders &= holders - 1) {
		uint32_t number = (uint32_t)__builtin_ctzll(holders);
		for (; number <= a->number_count; number += 64) {
			struct executor *x = a->numbered[number];
			if (!x || x->state != EXECUTOR_RUNS)
				continue;
			x->forgotten[x->forgotten_count++] = datum;
			if (x->forgotten_count == AGENT_FORGET_BATCH)
				send_forgotten(a, x);
		}
	}
}

static int on_restore(void *data, uint64_t *offset, uint64_t size)
{
	struct agent *a = data;
	struct error err;
	int rc = store_restore(a->store, offset, size, &err);
	if (rc < 0)
		log_error("%s", err.text);
	return rc;
}

struct graph_listener down_listener(struct agent *a)
{
	return (struct graph_listener){a, on_outcome, on_answer, on_dropped, on_forgotten, on_restore};
}

int spill_for(struct agent *a, uint64_t size, struct error *err)
{
	struct graph_spill victim;
	uint64_t bytes = 0;
	uint32_t looked = 0;
	int rc = 0;
	while (rc == 0 && store_lacks(a->store, size) && graph_spill_next(a->graph, &looked, &victim)) {
		if (!store_may_spill(a->store, victim.offset))
			continue;
		rc = store_spill(a->store, &victim.offset, victim.size, err);
		if (rc < 0)
			break;
		graph_spilled(a->graph, &victim);
		bytes += victim.size;
	}
	event_log_spill(a->log, a->now_ns, bytes);
	return rc;
}

struct schedule {
	struct agent *agent;
	int rc;
};

static void send_run(void *data, uint32_t executor, uint32_t task)
{
	struct schedule *s = data;
	struct graph_run run;
	int rc = graph_run(s->agent->graph, task, &run);
	if (rc < 0) {
		s->rc = rc;
		return;
	}
	struct ring_part parts[] = {{&run.head, sizeof(run.head)},
	                            {run.locations, run.head.location_count * sizeof(*run.locations)},
	                            {run.body, run.body_size}};
	struct executor *x = s->agent->numbered[executor];
	send_forgotten(s->agent, x);
	down_send(s->agent, x, TASK_DOWN_RUN, parts, array_count(parts));
}

int down_schedule(struct agent *a, struct error *err)
{
	struct schedule s = {.agent = a};
	int rc = scheduler_run(a->graph, send_run, &s, err);
	if (rc == 0 && s.rc < 0)
		rc = error_set(err, s.rc, "the object store cannot bring an input back from the spill file");
	if (rc == 0 && (a->restored += store_take_restored(a->store)) > AGENT_RESTORED_MAX) {
		a->restored = 0;
		rc = spill_for(a, 0, err);
	}
	return rc;
}
