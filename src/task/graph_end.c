/* How attempts and tasks end, and what follows; executors; the session's graph as a whole. */
#include "task/graph_state.h"

#include <stdlib.h>
#include <string.h>

#include "cella/task.h"

enum { BACKOFF_MAX_MS = 3600 * 1000, RETRIES_DEFAULT = 2, ESTIMATE_WEIGHT = 8 };

int graph_new(const struct graph_config *config, struct graph **ret_graph, struct error *err)
{
	struct graph *g = calloc(1, sizeof(*g));
	if (!g)
		return error_set(err, CELLA_ENOMEM, "no memory for a task graph");
	g->config = *config;
	slab_init(&g->tasks, sizeof(struct graph_task));
	slab_init(&g->data, sizeof(struct graph_datum));
	slab_init(&g->edges, sizeof(struct graph_edge));
	slab_init(&g->turns, sizeof(struct graph_turn));
	slab_init(&g->groups, sizeof(struct graph_group));
	slab_init(&g->waits, sizeof(struct graph_wait));
	*ret_graph = g;
	return 0;
}

/* Blocks too large for the pool of blocks. */
static void free_large_blocks(struct graph *g)
{
	for (uint32_t i = 1; i <= g->tasks.used; i++) {
		struct graph_task *t = task_at(g, i);
		if (t->item.handle)
			blocks_free(&g->blocks, t->block, t->block_size);
	}
	for (uint32_t i = 1; i <= g->waits.used; i++) {
		struct graph_wait *w = wait_at(g, i);
		if (w->item.handle)
			blocks_free(&g->blocks, w->data, w->data_count * sizeof(w->data[0]));
	}
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	free_large_blocks(g);
	blocks_done(&g->blocks);
	slab_done(&g->tasks);
	slab_done(&g->data);
	slab_done(&g->edges);
	slab_done(&g->turns);
	slab_done(&g->groups);
	slab_done(&g->waits);
	map_done(&g->tasks_by_id);
	map_done(&g->data_by_id);
	map_done(&g->groups_by_key);
	for (size_t i = 0; i < g->executors_end; i++)
		heap_done(&g->executors[i].bound);
	for (size_t i = 0; i < TASK_DEPTH_MAX; i++)
		heap_done(&g->ready[i]);
	heap_done(&g->delayed);
	for (uint32_t i = 0; i < g->function_count; i++)
		free(g->functions[i]);
	free(g->functions);
	free(g);
}

void graph_counts(const struct graph *g, struct graph_counts *ret_counts)
{
	*ret_counts = g->counts;
	ret_counts->waiting = (uint32_t)(g->counts.submitted - g->counts.done - g->counts.failed -
	                                 g->counts.cancelled) -
	                      g->counts.sent;
}

const struct graph_function *graph_function_at(const struct graph *g, uint32_t index)
{
	static const struct graph_function none;
	if (index >= g->function_count)
		return NULL;
	return g->functions[index] ? g->functions[index] : &none;
}

int graph_function(struct graph *g, const struct task_function *m, const struct message_name *name,
                   struct error *err)
{
	if (m->index >= g->function_count) {
		struct graph_function **functions = realloc(g->functions,
		                                            (m->index + 1) * sizeof(*functions));
		if (!functions)
			return error_set(err, CELLA_ENOMEM, "no memory for the task functions");
		for (; g->function_count <= m->index; g->function_count++)
			functions[g->function_count] = NULL;
		g->functions = functions;
	}
	if (g->functions[m->index])
		return 0; /* the first name stays: it is the cell that names, and names are only shown */
	struct graph_function *f = calloc(1, sizeof(*f));
	if (!f)
		return error_set(err, CELLA_ENOMEM, "no memory for a task function");
	memcpy(f->name, name->text, name->size);
	g->functions[m->index] = f;
	return 0;
}

int graph_executor_new(struct graph *g, uint32_t number, bool driver, struct error *err)
{
	if (number == 0 || number >= GRAPH_EXECUTORS_MAX || g->executors[number].known)
		return error_set(err, CELLA_ELIMIT, "no executor can have the number %u", number);
	struct graph_executor *e = &g->executors[number];
	g->executors_end = max_of(g->executors_end, number + 1);
	e->known = true;
	e->alive = true;
	e->driver = driver;
	if (!driver)
		g->workers[g->worker_count++] = (uint16_t)number;
	return 0;
}

bool graph_executor_busy(const struct graph *g, uint32_t number)
{
	return g->executors[number].queued != 0;
}

static void tell_outcome(struct graph *g, const struct graph_task *t, enum task_status status,
                         uint32_t on_failure, const struct message_done *m)
{
	struct graph_outcome outcome = {.executor = id_executor(t->id),
	                                .head = {.task = t->id,
	                                         .status = status,
	                                         .on_failure = on_failure,
	                                         .attempt = t->attempt,
	                                         .failure_size = m ? m->done->failure_size : 0},
	                                .failure = m ? m->failure : NULL};
	g->config.listener.outcome(g->config.listener.data, &outcome);
	struct graph_task *parent = map_get(&g->tasks_by_id, task_submitted(t)->parent);
	if (parent && on_failure == CELLA_ON_FAILURE_FAIL && group_belongs(g, t, parent))
		parent->flags |= TASK_FLAG_FUTILE;
}

/* What a task's end brings about. Ends of other tasks join g->ended. */
static void task_finish(struct graph *g, struct graph_task *t)
{
	const struct task_submit *s = task_submitted(t);
	const uint32_t *handles = task_data(t);
	bool well = t->end_status == TASK_OK || t->end_status == TASK_IGNORED;
	if (t->end_status == TASK_CANCELED || t->end_status == TASK_IMPOSSIBLE)
		tell_outcome(g, t, t->end_status,
		             t->end_status == TASK_IMPOSSIBLE ? CELLA_ON_FAILURE_FAIL
		                                              : CELLA_ON_FAILURE_CANCEL_SUCCESSORS,
		             NULL);
	group_orphan(g, t);
	for (uint32_t i = 0; i < s->input_count; i++)
		datum_unuse(g, datum_at(g, *handles++));
	for (uint32_t i = 0; i < s->output_count; i++, handles++)
		if (!well)
			datum_settle(g, datum_at(g, *handles), DATUM_FAILED);
	for (uint32_t i = 0; i < s->commutative_count; i++)
		turn_leave(g, datum_at(g, *handles++), !well);
	g->counts.done += well;
	g->counts.cancelled += t->end_status == TASK_CANCELED;
	g->counts.failed += !well && t->end_status != TASK_CANCELED;
	group_task_ended(g, t);
	map_take(&g->tasks_by_id, t->id);
	blocks_free(&g->blocks, t->block, t->block_size);
	t->block = NULL;
	if (t->missing == 0)
		slab_free(&g->tasks, t);
}

int settle(struct graph *g, struct error *err)
{
	while (g->ended) {
		struct graph_task *t = task_at(g, g->ended);
		g->ended = t->item.next;
		task_finish(g, t);
	}
	if (g->broken == CELLA_EBUG)
		return error_set(err, CELLA_EBUG, "the task graph is not consistent");
	if (g->broken)
		return error_set(err, g->broken, "the task graph cannot go on: %s",
		                 cella_error_name(g->broken));
	return 0;
}

/* Back from an executor without an end: it waits for what it needs again. */
static void task_return(struct graph *g, struct graph_task *t, uint64_t due_ns)
{
	const struct task_submit *s = task_submitted(t);
	task_leave_queue(g, t);
	turns_release(g, t);
	group_orphan(g, t);
	for (uint32_t i = 0; i < s->output_count; i++)
		datum_producer_sent(g, datum_at(g, task_data(t)[s->input_count + i]), false);
	t->due_ns = due_ns;
	task_move(g, t, due_ns ? TASK_EVENT_DELAY : TASK_EVENT_RETURN);
	if (due_ns)
		return;
	if (t->flags & (TASK_FLAG_DOOMED | TASK_FLAG_ORPHANED))
		task_cancel(g, t);
	else
		task_look(g, t);
}

static bool may_retry(const struct graph_task *t, enum task_status status)
{
	const struct task_submit *s = task_submitted(t);
	if (t->flags & TASK_FLAG_ORPHANED)
		return false;
	if (t->flags & TASK_FLAG_FALLBACK) /* not the function's own failure */
		return status == TASK_LOST && t->attempt < TASK_ATTEMPTS_MAX;
	return s->on_failure == CELLA_ON_FAILURE_RETRY && !(t->flags & TASK_FLAG_FUTILE) &&
	       t->attempt <= (s->retries ? s->retries : RETRIES_DEFAULT);
}

static uint64_t backoff_ns(const struct graph_task *t)
{
	const struct task_submit *s = task_submitted(t);
	uint64_t ms = s->backoff_ms;
	for (uint32_t i = 1; i < t->attempt && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return min_of(ms, (uint64_t)BACKOFF_MAX_MS) * 1000000;
}

static void attempt_failed(struct graph *g, uint64_t now_ns, struct graph_task *t, enum task_status status,
                           const struct message_done *m)
{
	const struct task_submit *s = task_submitted(t);
	g->functions[s->function]->failures++;
	if (t->flags & TASK_FLAG_DOOMED) {
		task_return(g, t, 0);
		return;
	}
	if (may_retry(t, status)) {
		uint64_t pause = t->flags & TASK_FLAG_FALLBACK ? 0 : backoff_ns(t);
		g->counts.retried++;
		task_return(g, t, pause ? now_ns + pause : 0);
	} else if (s->on_failure == CELLA_ON_FAILURE_IGNORE &&
	           !(t->flags & (TASK_FLAG_FALLBACK | TASK_FLAG_ORPHANED))) {
		tell_outcome(g, t, TASK_IGNORED, CELLA_ON_FAILURE_IGNORE, m);
		t->flags |= TASK_FLAG_FALLBACK;
		task_return(g, t, 0);
	} else {
		bool cancels = s->on_failure == CELLA_ON_FAILURE_CANCEL_SUCCESSORS;
		tell_outcome(g, t, status,
		             cancels ? CELLA_ON_FAILURE_CANCEL_SUCCESSORS : CELLA_ON_FAILURE_FAIL, m);
		task_end(g, t, status);
	}
}

/* Every output where it must be, under its name. */
static bool check_outputs(const struct graph *g, const struct graph_task *t, const struct message_done *m)
{
	const struct task_submit *s = task_submitted(t);
	const uint32_t *handles = task_data(t) + s->input_count;
	if (m->done->output_count != (uint32_t)s->output_count + s->commutative_count || t->missing ||
	    (t->flags & TASK_FLAG_DOOMED) ||
	    (m->done->status == TASK_IGNORED) != !!(t->flags & TASK_FLAG_FALLBACK))
		return false;
	for (uint32_t i = 0; i < m->done->output_count; i++) {
		const struct graph_datum *d = datum_at(g, handles[i]);
		uint64_t version = i < s->output_count ? 0 : d->version + 1;
		if (m->outputs[i].datum != d->id || m->outputs[i].version != version || !m->outputs[i].size)
			return false;
	}
	return true;
}

static void count_run(struct graph_function *f, const struct task_done *d)
{
	uint64_t took = min_of(d->end_ns - d->start_ns, (uint64_t)UINT32_MAX);
	f->runs++;
	f->total_ns += took;
	f->estimate_ns = f->runs == 1 ? took
	                              : (f->estimate_ns * (ESTIMATE_WEIGHT - 1) + took) / ESTIMATE_WEIGHT;
	f->estimate_ns = max_of(f->estimate_ns, (uint64_t)1);
}

static void attempt_done(struct graph *g, uint32_t executor, struct graph_task *t,
                         const struct message_done *m)
{
	const struct task_submit *s = task_submitted(t);
	const uint32_t *handles = task_data(t) + s->input_count;
	count_run(g->functions[s->function], m->done);
	group_count_receipt(g, t, m->done);
	task_leave_queue(g, t);
	for (uint32_t i = 0; i < m->done->output_count; i++) {
		struct graph_datum *d = datum_at(g, handles[i]);
		if (i < s->output_count) {
			datum_place(g, d, &m->outputs[i], executor);
			datum_settle(g, d, DATUM_AVAILABLE);
		} else {
			turn_advance(g, d, &m->outputs[i], executor);
		}
	}
	task_end(g, t, m->done->status);
}

int graph_done(struct graph *g, uint64_t now_ns, uint32_t executor, const struct message_done *m,
               struct error *err)
{
	struct graph_task *t = map_get(&g->tasks_by_id, m->done->task);
	if (!t || t->state != TASK_SENT || t->executor != executor || t->attempt != m->done->attempt)
		return error_set(err, CELLA_EFORMAT, "executor %u ends a task that it was not given",
		                 executor);
	waits_abandon(g, executor, t->item.handle);
	if (m->done->status == TASK_OK || m->done->status == TASK_IGNORED) {
		if (!check_outputs(g, t, m))
			return error_set(err, CELLA_EFORMAT,
			                 "executor %u ends a task with other outputs than it makes",
			                 executor);
		attempt_done(g, executor, t, m);
	} else if (m->done->status == TASK_MISSING && (t->flags & TASK_FLAG_CHAINED)) {
		t->attempt--;
		task_return(g, t, 0);
	} else {
		attempt_failed(g, now_ns, t, m->done->status, m);
	}
	return settle(g, err);
}

static void release_data_of(struct graph *g, uint32_t executor)
{
	for (uint32_t i = 1; i <= g->data.used; i++) {
		struct graph_datum *d = datum_at(g, i);
		if (d->item.handle && id_executor(d->id) == executor && !d->released)
			datum_release(g, d);
	}
}

int graph_executor_lost(struct graph *g, uint64_t now_ns, uint32_t number, struct error *err)
{
	struct graph_executor *e = &g->executors[number];
	if (!e->alive)
		return 0;
	e->alive = false;
	for (uint32_t i = 0; i < g->worker_count; i++)
		if (g->workers[i] == number)
			g->workers[i--] = g->workers[--g->worker_count];
	bool on_top = e->blocked == e->waiter_count; /* one more may have begun on top of those that wait */
	uint32_t depth = executor_least_depth(g, e);
	waits_abandon(g, number, 0);
	while (e->queue.first) {
		struct graph_task *t = task_at(g, e->queue.first);
		bool waited = t->flags & TASK_FLAG_WAITED;
		if (waited || (on_top && t->missing == 0 && t->depth >= depth)) { /* else it has not begun */
			on_top &= waited;
			attempt_failed(g, now_ns, t, TASK_LOST, NULL);
		} else {
			t->attempt--;
			task_return(g, t, 0);
		}
	}
	if (!e->driver)
		release_data_of(g, number);
	heap_done(&e->bound);
	return settle(g, err);
}

uint64_t graph_tick(struct graph *g, uint64_t now_ns)
{
	while (g->delayed.count) {
		struct heap_entry *first = &g->delayed.entries[0];
		bool valid = entry_valid(g, first, TASK_DELAYED);
		if (valid && first->order > now_ns)
			return first->order;
		struct graph_task *t = task_at(g, first->task);
		heap_pop(&g->delayed);
		if (!valid)
			continue;
		task_move(g, t, TASK_EVENT_RETURN);
		task_look(g, t);
	}
	return UINT64_MAX;
}

/* Inputs, then the commutatives' current states. */
int graph_run(struct graph *g, uint32_t task, struct graph_run *ret_run)
{
	struct graph_task *t = task_at(g, task);
	const struct task_submit *s = task_submitted(t);
	uint32_t count = (uint32_t)s->input_count + s->commutative_count;
	for (uint32_t i = 0; i < count; i++) {
		struct graph_datum *d = task_read_datum(g, t, i);
		g->locations[i] = (struct task_location){0};
		int rc = d ? datum_locate(g, d, &g->locations[i]) : 0;
		if (rc < 0)
			return rc;
	}
	*ret_run = (struct graph_run){
		.head = {.task = t->id,
	                 .attempt = t->attempt,
	                 .flags = t->flags & TASK_FLAG_FALLBACK ? TASK_RUN_FALLBACK : 0,
	                 .location_count = count,
	                 .depth = t->depth},
		.locations = g->locations,
		.body = t->block + t->body_at,
		.body_size = t->block_size - t->body_at,
	};
	return 0;
}
