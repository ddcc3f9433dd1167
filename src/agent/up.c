/*
 * What executors say. Each record is copied out of the ring, decoded (task/message.h), checked
 * against what this executor may name (graph.h) and where it may write (store.h). One that breaks
 * a rule is ended.
 */
#include "agent/agent_state.h"

static int on_function(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	(void)x;
	event_log_function(a->log, m->function.head->index, &m->function.name);
	return graph_function(a->graph, m->function.head, &m->function.name, err);
}

static int on_group(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	event_log_group(a->log, x->number, m->group.head, &m->group.name);
	return graph_group(a->graph, x->number, m->group.head, err);
}

static int on_disband(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	return graph_disband(a->graph, x->number, m->disband, err);
}

static int on_submit(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	int rc = a->workers_wanted ? 0 : executors_want_workers(a, err);
	if (rc < 0)
		return rc;
	event_log_submit(a->log, a->now_ns, &m->submit); /* before what is said about it */
	rc = graph_submit(a->graph, x->number, &m->submit, err);
	if (rc == CELLA_EFORMAT)
		event_log_undo(a->log);
	return rc;
}

static int check_location(const struct agent *a, const struct executor *x, const struct task_location *l,
                          struct error *err)
{
	if (store_may_write(a->store, x->number, l->offset, l->size))
		return 0;
	return error_set(err, CELLA_EFORMAT, "executor %u claims bytes of the store that it was not granted",
	                 x->number);
}

static int on_done(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	uint32_t count = m->done.done->output_count;
	uint64_t bytes = 0;
	int rc = 0;
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		rc = check_location(a, x, &m->done.outputs[i], err);
		bytes += m->done.outputs[i].size;
	}
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < count; i++)
		store_placed(a->store, m->done.outputs[i].offset);
	rc = graph_done(a->graph, a->now_ns, x->number, &m->done, err);
	if (rc == 0)
		event_log_done(a->log, x->number, m->done.done, bytes);
	for (uint32_t i = 0; i < count && rc == CELLA_EFORMAT; i++)
		store_dropped(a->store, m->done.outputs[i].offset, m->done.outputs[i].size, false);
	return rc;
}

static int on_put(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; i < m->put.count && rc == 0; i++) {
		rc = check_location(a, x, &m->put.locations[i], err);
		if (rc == 0)
			rc = graph_put(a->graph, x->number, &m->put.locations[i], err);
		if (rc == 0)
			store_placed(a->store, m->put.locations[i].offset);
	}
	return rc;
}

static int on_wait(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	return graph_wait(a->graph, x->number, &m->wait, err);
}

static int on_taken(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; i < m->ids.count && rc == 0; i++)
		rc = graph_taken(a->graph, x->number, m->ids.ids[i], err);
	return rc;
}

static int on_release(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; i < m->ids.count && rc == 0; i++)
		rc = graph_release(a->graph, x->number, m->ids.ids[i], err);
	return rc;
}

static int on_cancel(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	return graph_cancel(a->graph, x->number, m->cancel, err);
}

static int on_extent(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	struct task_extent granted = {0};
	int rc = store_hopeless(a->store, m->extent->size) ? CELLA_ELIMIT : 0;
	if (rc == 0)
		rc = spill_for(a, m->extent->size, err);
	if (rc == 0)
		rc = store_grant(a->store, x->number, m->extent->size, &granted.offset, &granted.size);
	if (rc < 0 && rc != CELLA_ELIMIT)
		return rc;
	struct ring_part part = {&granted, sizeof(granted)};
	down_send(a, x, TASK_DOWN_EXTENT, &part, 1);
	return 0;
}

static int on_close(struct agent *a, struct executor *x, const struct message *m, struct error *err)
{
	if (store_close(a->store, x->number, m->extent->offset) < 0)
		return error_set(err, CELLA_EFORMAT, "executor %u closes an extent that it has not got",
		                 x->number);
	return 0;
}

static int (*const handlers[])(struct agent *a, struct executor *x, const struct message *m,
                               struct error *err) = {
	[TASK_UP_FUNCTION] = on_function, [TASK_UP_SUBMIT] = on_submit,   [TASK_UP_DONE] = on_done,
	[TASK_UP_PUT] = on_put,           [TASK_UP_WAIT] = on_wait,       [TASK_UP_TAKEN] = on_taken,
	[TASK_UP_CANCEL] = on_cancel,     [TASK_UP_RELEASE] = on_release, [TASK_UP_EXTENT] = on_extent,
	[TASK_UP_CLOSE] = on_close,       [TASK_UP_GROUP] = on_group,     [TASK_UP_DISBAND] = on_disband,
};

/* The main program may not run ahead without bound; its ring fills, and it waits. */
bool up_held_back(const struct agent *a, const struct executor *x)
{
	struct graph_counts counts;
	if (!x->driver)
		return false;
	graph_counts(a->graph, &counts);
	return counts.waiting >= a->job.tasks_max;
}

static int read_one(struct agent *a, struct executor *x, bool *ret_any, struct error *err)
{
	uint32_t type;
	size_t size;
	struct message m;
	int rc = ring_get(&x->up, &type, a->record, &size);
	if (rc < 0)
		return error_set(err, CELLA_EFORMAT, "executor %u broke its ring", x->number);
	*ret_any = type != 0;
	if (type == 0)
		return 0;
	rc = message_decode(type, a->record, size, &m, err);
	if (rc < 0)
		return error_prefix(err, rc, "executor %u sent ", x->number);
	return handlers[m.type](a, x, &m, err);
}

int up_read(struct agent *a, struct executor *x, bool *ret_any, struct error *err)
{
	struct error why;
	for (int i = 0; i < AGENT_BATCH && x->state == EXECUTOR_RUNS && !up_held_back(a, x); i++) {
		bool any;
		int rc = read_one(a, x, &any, &why);
		if (rc == CELLA_EFORMAT)
			return executor_misbehaves(a, x, &why, err);
		if (rc < 0)
			return error_set(err, rc, "%s", why.text);
		if (!any)
			return 0;
		*ret_any = true;
	}
	return 0;
}
