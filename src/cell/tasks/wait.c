#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/tasks/state.h"
#include "cell/wasi/wasi.h"

enum { FAILURE_CHAIN = 300 }; /* characters of "task a failed on attempt 1: task b failed..." */

/* What the agent says about tasks of submitters here. */

void tasks_fail_submitter(struct tasks *t, struct tasks_submitter *s, const char *text)
{
	if (s->failure)
		return;
	size_t size = strlen(text) + 1;
	s->failure = mem_alloc(t->config.pool, size);
	if (s->failure)
		memcpy(s->failure, text, size);
	else
		error_set(&t->lost, CELLA_ENOMEM, "no protected memory to say why a task failed");
}

static const char *function_name(const struct tasks *t, uint64_t task)
{
	size_t index = task & (TASK_FUNCTIONS_MAX - 1);
	return index < t->function_count ? t->functions[index].name : "";
}

static bool may_fail(const struct tasks *t, uint64_t task, uint32_t on_failure)
{
	size_t index = task & (TASK_FUNCTIONS_MAX - 1);
	return index < t->function_count && t->functions[index].on_failure == on_failure;
}

static const char *status_text(uint32_t status)
{
	switch (status) {
	case TASK_FAILED: return "it failed";
	case TASK_TIMED_OUT: return "it timed out";
	case TASK_REFUSED: return "its invocation or an input does not verify";
	case TASK_LOST: return "its executor was lost";
	case TASK_CANCELED: return "it was cancelled";
	case TASK_IMPOSSIBLE: return "no executor meets its constraints, or it is nested too deep";
	default: return "it did not end well";
	}
}

/* The sealed text of the attempt that failed last, or what its status says. */
static void read_failure(struct tasks *t, const struct down_outcome *d, char *text, size_t capacity)
{
	const struct task_outcome *o = &d->outcome;
	struct seal_id id = {.kind = SEAL_KIND_FAILURE, .object = o->task, .attempt = o->attempt};
	size_t size = o->failure_size > SEAL_OVERHEAD ? o->failure_size - SEAL_OVERHEAD : 0;
	if (size && size < capacity &&
	    seal_open(t->config.session, &id, NULL, 0, d->failure, o->failure_size, (uint8_t *)text, size,
	              NULL) == 0)
		text[size] = '\0';
	else
		snprintf(text, capacity, "%s", status_text(o->status));
}

/* The innermost cause stays legible: past some length, tasks on the way out add nothing. */
static void end_by_failure(struct tasks *t, struct tasks_submitter *s, const struct down_outcome *d)
{
	const char *name = function_name(t, d->outcome.task);
	char reason[TASK_FAILURE_MAX], text[TASK_FAILURE_MAX + 128];
	read_failure(t, d, reason, sizeof(reason));
	if (s->task && strcspn(reason, "\n") > FAILURE_CHAIN)
		snprintf(text, sizeof(text), "%s", reason);
	else if (d->outcome.attempt)
		snprintf(text, sizeof(text), "task %s failed on attempt %u: %s", name, d->outcome.attempt,
		         reason);
	else
		snprintf(text, sizeof(text), "task %s failed: %s", name, reason);
	tasks_fail_submitter(t, s, text);
}

static int amend_ledgers(struct tasks *t, struct tasks_submitter *s, uint64_t task, bool ignored,
                         struct error *err)
{
	uint64_t sequence = task >> TASK_FUNCTION_BITS;
	struct seal_receipt good, other;
	int rc = seal_receipt_make(t->config.session, task, TASK_OK, &good, err);
	if (rc == 0 && ignored)
		rc = seal_receipt_make(t->config.session, task, TASK_IGNORED, &other, err);
	if (rc < 0)
		return rc;
	ledger_amend(&s->ledger, &good, ignored ? &other : NULL);
	struct tasks_group *group;
	LIST_FOREACH(group, &s->groups, link)
	if (ledger_has(&group->ledger, sequence))
		ledger_amend(&group->ledger, &good, ignored ? &other : NULL);
	return 0;
}

static struct tasks_submitter *submitter_of(struct tasks *t, uint64_t task)
{
	for (size_t i = t->depth + 1; i-- > 0;)
		if (ledger_has(&t->levels[i]->submitter.ledger, task >> TASK_FUNCTION_BITS))
			return &t->levels[i]->submitter;
	return NULL;
}

/* The agent cannot invent what a task's policy does not allow. Outcomes of tasks whose submitter has
 * ended say nothing any more. */
int tasks_outcome(struct tasks *t, const struct down_outcome *d, struct error *err)
{
	const struct task_outcome *o = &d->outcome;
	struct tasks_submitter *s = submitter_of(t, o->task);
	if (!s)
		return 0;
	bool ignored = o->status == TASK_IGNORED;
	if (o->status == TASK_CANCELED)
		s->canceled |= !t->cancels;
	else if (ignored && !may_fail(t, o->task, CELLA_ON_FAILURE_IGNORE))
		return error_set(err, CELLA_EAUTH,
		                 "the agent ignores the failure of task %s, which its options do not allow",
		                 function_name(t, o->task));
	else if (!ignored && !may_fail(t, o->task, CELLA_ON_FAILURE_CANCEL_SUCCESSORS))
		end_by_failure(t, s, d);
	return amend_ledgers(t, s, o->task, ignored, err);
}

static int send_taken(struct tasks *t, uint64_t wait, struct error *err)
{
	struct ring_part part = {&wait, sizeof(wait)};
	return tasks_send(t, TASK_UP_TAKEN, &part, 1, err);
}

/* Its submitter may have ended meanwhile. */
int tasks_ready(struct tasks *t, const struct down_ready *d, struct error *err)
{
	for (size_t i = t->depth + 1; i-- > 0;) {
		struct tasks_waiting *w = &t->levels[i]->submitter.waiting;
		if (!w->id || w->id != d->ready.wait || w->ready)
			continue;
		size_t size = d->ready.location_count * sizeof(*w->locations);
		w->locations = malloc(size + 1);
		if (!w->locations)
			return error_set(err, CELLA_ENOMEM, "no memory for the answer to a wait");
		if (size)
			memcpy(w->locations, d->locations, size);
		w->answer = d->ready;
		w->ready = true;
		return 0;
	}
	return d->ready.location_count ? send_taken(t, d->ready.wait, err) : 0;
}

/* Waiting. */

static int check_submitter(const struct tasks_submitter *s, struct error *err)
{
	if (s->failure)
		return error_set(err, CELLA_ETRAP, "%s", s->failure);
	if (s->deadline_ns && clock_ns() >= s->deadline_ns)
		return error_set(err, CELLA_ETIMEOUT, "time-out");
	return 0;
}

/* Until the wait that was sent is answered. */
static int await(struct tasks *t, struct tasks_submitter *s, struct error *err)
{
	struct spin spin = {0};
	int rc = 0;
	while (rc == 0 && !s->waiting.ready) {
		bool any, helped = false;
		rc = tasks_receive(t, &any, err);
		if (rc == 0 && !s->waiting.ready)
			rc = check_submitter(s, err);
		if (rc == 0 && !s->waiting.ready)
			rc = tasks_run_queued(t, &helped, err);
		if (rc == 0 && !any && !helped)
			rc = tasks_idle(t, &spin, s->deadline_ns, err);
		else
			spin_reset(&spin);
	}
	if (rc == 0 && s->failure)
		rc = check_submitter(s, err);
	if (rc == 0 && s->canceled)
		rc = error_set(err, CELLA_EAUTH,
		               "the agent says that tasks were cancelled, but nothing cancelled them");
	return rc;
}

int tasks_waiting_done(struct tasks *t, struct tasks_waiting *w, struct error *err)
{
	uint64_t taken = w->ready && w->answer.location_count ? w->id : 0;
	free(w->locations);
	*w = (struct tasks_waiting){0};
	return taken ? send_taken(t, taken, err) : 0;
}

int tasks_ask(struct tasks *t, struct tasks_submitter *s, enum task_up type, const struct ring_part *parts,
              size_t count, struct error *err)
{
	int rc = tasks_waiting_done(t, &s->waiting, err);
	s->waiting.id = t->next_wait - 1;
	if (rc == 0)
		rc = tasks_release(t, s, err);
	if (rc == 0)
		rc = tasks_send(t, type, parts, count, err);
	return rc < 0 ? rc : await(t, s, err);
}

int tasks_check_proof(const struct tasks_submitter *s, const struct ledger *ledger, struct error *err)
{
	const struct task_ready *a = &s->waiting.answer;
	if (!ledger_proved(ledger, a->ok_count, a->receipt_low, a->receipt_high))
		return error_set(
			err, CELLA_EAUTH,
			"the agent says that all tasks have ended, but its receipts do not prove it (%" PRIu64
			" of %" PRIu64 " tasks)",
			a->ok_count, ledger->task_count);
	return 0;
}

int tasks_barrier(struct tasks *t, struct tasks_submitter *s, struct error *err)
{
	if (!s->ledger.range_count)
		return 0;
	struct task_wait wait = {.wait = t->next_wait++, .kind = TASK_WAIT_ALL, .parent = s->task};
	struct ring_part part = {&wait, sizeof(wait)};
	int rc = tasks_ask(t, s, TASK_UP_WAIT, &part, 1, err);
	if (rc == 0)
		rc = tasks_check_proof(s, &s->ledger, err);
	return rc;
}

/* Data. */

/* Until the source's data are there: s->waiting has their locations. */
static int wait_for_data(struct tasks *t, struct tasks_submitter *s, const struct version_source *source,
                         struct error *err)
{
	struct task_wait wait = {
		.wait = t->next_wait++,
		.kind = TASK_WAIT_DATA,
		.parent = s->task,
		.data_count = (uint32_t)(1 + source->part_count),
	};
	struct ring_part parts[] = {
		{&wait, sizeof(wait)},
		{&source->base.id, sizeof(source->base.id)},
		{source->parts, source->part_count * sizeof(*source->parts)},
	};
	int rc = tasks_ask(t, s, TASK_UP_WAIT, parts, array_count(parts), err);
	if (rc < 0)
		return rc;
	const struct task_ready *a = &s->waiting.answer;
	bool there = a->status == TASK_OK;
	if (a->location_count != wait.data_count)
		return error_set(err, CELLA_EFORMAT, "the agent did not answer what was asked");
	for (size_t i = 0; i < wait.data_count; i++)
		there &= s->waiting.locations[i].size != 0;
	if (there)
		return 0;
	if (!t->cancels)
		return error_set(err, CELLA_EAUTH,
		                 "the agent says that a datum will not be made, but nothing was cancelled");
	return error_set(err, CELLA_ECANCELED, "a task that makes the datum was cancelled");
}

/* Ends a wait for data, and with it the submitter's or the tasks' hold on the piece. */
static int finish_data(struct tasks *t, struct tasks_submitter *s, const struct version_name *name,
                       bool unchanged, int rc, struct error *err)
{
	if (rc < 0 && rc != CELLA_ECANCELED)
		return rc;
	versions_return(s->versions, name, unchanged && rc == 0);
	int sent = tasks_waiting_done(t, &s->waiting, err);
	if (sent == 0)
		sent = tasks_release(t, s, err);
	return sent < 0 ? sent : rc;
}

int tasks_wait_buffer(struct tasks *t, struct instance *instance, uint64_t address, bool unchanged,
                      struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	struct version_name name = {.address = address};
	struct version_source source;
	uint64_t size;
	bool resident;
	if (!s->versions || versions_current(s->versions, &name, &source, &size, &resident) < 0)
		return 0;
	int rc = resident ? 0 : wait_for_data(t, s, &source, err);
	if (rc == 0 && !resident) {
		void *to = instance_bytes(instance, address, size);
		rc = to ? tasks_read(t, &source, s->waiting.locations, to, size, err)
		        : error_set(err, CELLA_EINVAL, "the buffer lies outside the cell's memory");
	}
	return finish_data(t, s, &name, unchanged, rc, err);
}

static int bring_file(struct tasks *t, struct tasks_submitter *s, const char *path,
                      const struct version_source *source, struct error *err)
{
	uint8_t *data;
	uint64_t size;
	int rc = tasks_read_file(t, source, s->waiting.locations, &data, &size, err);
	if (rc < 0)
		return rc;
	rc = tasks_owns_file(t, path) ? wasi_file_put(t->config.wasi, path, data, size, err)
	                              : wasi_file_write(t->config.wasi, path, data, size, err);
	mem_free(t->config.pool, data);
	return rc;
}

int tasks_wait_file(struct tasks *t, const char *path, struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	struct version_name name = {.path = path};
	struct version_source source;
	uint64_t size;
	bool resident;
	if (!s->versions || versions_current(s->versions, &name, &source, &size, &resident) < 0)
		return 0;
	int rc = resident ? 0 : wait_for_data(t, s, &source, err);
	if (rc == 0 && !resident && bring_file(t, s, path, &source, err) < 0) {
		/* The datum is there, its place is not. CELLA_ENOENT would say the opposite. */
		rc = tasks_waiting_done(t, &s->waiting, NULL);
		return rc < 0 ? rc : error_prefix(err, CELLA_EIO, "cannot bring a file from its tasks: ");
	}
	return finish_data(t, s, &name, false, rc, err);
}

void tasks_submitter_done(struct tasks *t, struct tasks_submitter *s)
{
	struct tasks_group *group;
	while ((group = LIST_FIRST(&s->groups)))
		tasks_group_free(t, group);
	versions_free(s->versions);
	ledger_done(&s->ledger);
	free(s->waiting.locations);
	mem_free(t->config.pool, s->failure);
	*s = (struct tasks_submitter){0};
	LIST_INIT(&s->groups);
}
