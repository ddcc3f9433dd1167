#include "task/scheduler.h"

#include "task/graph_state.h"

struct pass {
	struct graph *g;
	scheduler_send *send;
	void *data;
	uint32_t units_free;
	bool reserved; /* a task waits for computing units: nothing overtakes it */
};

static uint32_t task_units(const struct graph_task *t)
{
	return max_of(task_submitted(t)->computing_units, 1u);
}

static bool is_blocked(const struct graph_executor *e, const struct graph_task *t)
{
	for (uint32_t i = 0; i < e->blocked; i++)
		if (e->waiters[i].task == t->item.handle)
			return true;
	return false;
}

/* An executor runs one task at a time: it takes the most that one of its queue needs. Blocked ones
 * take nothing. */
static uint32_t executor_units(const struct graph *g, const struct graph_executor *e)
{
	uint32_t units = e->queued > e->blocked ? 1 : 0;
	if (e->queued_wide == 0)
		return units;
	for (uint32_t at = e->queue.first; at; at = task_at(g, at)->line_next)
		if (!is_blocked(e, task_at(g, at)))
			units = max_of(units, task_units(task_at(g, at)));
	return units;
}

static const struct graph_function *task_function(const struct graph *g, const struct graph_task *t)
{
	return g->functions[task_submitted(t)->function];
}

static uint32_t task_estimate(const struct graph *g, const struct graph_task *t)
{
	uint64_t ns = task_function(g, t)->estimate_ns;
	return ns == 0 ? UINT32_MAX : (uint32_t)min_of(ns + SCHEDULER_TASK_NS, (uint64_t)UINT32_MAX);
}

/* What an executor has to run before a task that it is given now. */
struct ahead {
	uint32_t count;
	uint64_t ns; /* estimated */
	const struct graph_task *last; /* NULL: nothing */
};

/* While tasks wait, those of the queue that lie no deeper wait beneath them. */
static struct ahead queue_ahead(const struct graph *g, const struct graph_executor *e)
{
	if (!e->blocked)
		return (struct ahead){e->queued, e->queued_ns, task_at(g, e->queue.last)};
	struct ahead ahead = {0};
	uint32_t depth = executor_least_depth(g, e);
	for (uint32_t at = e->queue.first; at; at = task_at(g, at)->line_next) {
		const struct graph_task *t = task_at(g, at);
		if (t->depth < depth)
			continue;
		ahead.count++;
		ahead.ns += t->estimate_ns;
		ahead.last = t;
	}
	return ahead;
}

/* May a task with this estimate be queued behind what the executor has? */
static bool has_room(const struct graph *g, const struct ahead *ahead, uint32_t estimate_ns)
{
	if (!ahead->last)
		return true;
	if (ahead->count >= SCHEDULER_AHEAD_TASKS || task_function(g, ahead->last)->nests ||
	    ahead->last->estimate_ns == UINT32_MAX)
		return false;
	if (ahead->ns + estimate_ns <= SCHEDULER_AHEAD_NS)
		return true;
	return ahead->count == 1 && ahead->ns <= SCHEDULER_ONE_AHEAD_NS &&
	       estimate_ns <= SCHEDULER_ONE_AHEAD_NS;
}

static const struct heap_entry *heap_first(struct graph *g, struct heap *heap, enum task_state state)
{
	while (heap->count && !entry_valid(g, &heap->entries[0], state))
		heap_pop(heap);
	return heap->count ? &heap->entries[0] : NULL;
}

/* The first ready task that lies at least so deep. */
static struct graph_task *first_ready(struct graph *g, uint32_t depth)
{
	const struct heap_entry *best = NULL;
	uint64_t depths = depth < TASK_DEPTH_MAX ? g->ready_depths >> depth << depth : 0;
	for (; depths; depths &= depths - 1) {
		uint32_t at = (uint32_t)__builtin_ctzll(depths);
		const struct heap_entry *entry = heap_first(g, &g->ready[at], TASK_READY);
		if (!entry)
			g->ready_depths &= ~((uint64_t)1 << at);
		else if (!best || heap_before(entry, best))
			best = entry;
	}
	return best ? task_at(g, best->task) : NULL;
}

/* What opening the inputs that the executor does not hold would cost. */
static uint64_t input_cost(const struct graph *g, const struct graph_task *t, uint32_t executor)
{
	const struct task_submit *s = task_submitted(t);
	uint64_t cost = 0;
	for (uint32_t i = 0; i < (uint32_t)s->input_count + s->commutative_count; i++) {
		const struct graph_datum *d = task_read_datum(g, t, i);
		if (d && !(d->holders >> executor % 64 & 1))
			cost += SCHEDULER_OBJECT_NS + d->size / SCHEDULER_BYTES_PER_NS;
	}
	return cost;
}

static void send(struct pass *p, struct graph_task *t, uint32_t executor)
{
	struct graph_executor *e = &p->g->executors[executor];
	uint32_t before = executor_units(p->g, e);
	task_send(p->g, t, executor, task_estimate(p->g, t));
	p->units_free += before;
	p->units_free -= min_of(executor_units(p->g, e), p->units_free);
	p->send(p->data, executor, t->item.handle);
}

static bool units_suffice(const struct pass *p, const struct graph_task *t, const struct graph_executor *e)
{
	return task_units(t) <= p->units_free + executor_units(p->g, e);
}

/* The executor with room where the task would end first, 0 if there is none. */
static uint32_t best_executor(struct pass *p, const struct graph_task *t)
{
	const struct graph *g = p->g;
	uint32_t estimate = task_estimate(g, t), best = 0;
	uint64_t best_cost = UINT64_MAX;
	for (uint32_t i = 0; i < g->worker_count; i++) {
		uint32_t number = g->workers[i];
		const struct graph_executor *e = &g->executors[number];
		const struct ahead ahead = queue_ahead(g, e);
		if (!has_room(g, &ahead, estimate) || executor_least_depth(g, e) > t->depth ||
		    !units_suffice(p, t, e))
			continue;
		uint64_t cost = ahead.ns + input_cost(g, t, number);
		if (cost < best_cost) {
			best_cost = cost;
			best = number;
		}
	}
	return best;
}

/* The least depth that some executor would take, TASK_DEPTH_MAX if none has room for anything. */
static uint32_t least_depth_of_all(const struct graph *g)
{
	uint32_t depth = TASK_DEPTH_MAX;
	for (uint32_t i = 0; i < g->worker_count; i++) {
		const struct graph_executor *e = &g->executors[g->workers[i]];
		const struct ahead ahead = queue_ahead(g, e);
		if (has_room(g, &ahead, 0))
			depth = min_of(depth, executor_least_depth(g, e));
	}
	return depth;
}

/* Bound tasks that come before the next ready one and have room. */
static bool send_bound(struct pass *p, const struct heap_entry *next_ready)
{
	struct graph *g = p->g;
	for (uint32_t i = 0; i < g->worker_count; i++) {
		uint32_t number = g->workers[i];
		struct graph_executor *e = &g->executors[number];
		const struct heap_entry *entry = heap_first(g, &e->bound, TASK_BOUND);
		if (!entry || (next_ready && heap_before(next_ready, entry)))
			continue;
		struct graph_task *t = task_at(g, entry->task);
		const struct ahead ahead = queue_ahead(g, e);
		if (!has_room(g, &ahead, task_estimate(g, t)) || !units_suffice(p, t, e))
			continue;
		heap_pop(&e->bound);
		send(p, t, number);
		return true;
	}
	return false;
}

static bool send_ready(struct pass *p, struct graph_task *t)
{
	uint32_t executor = best_executor(p, t);
	if (!executor) {
		p->reserved |= task_units(t) > p->units_free;
		return false;
	}
	heap_pop(&p->g->ready[t->depth]);
	send(p, t, executor);
	return true;
}

/* If the first ready task fits nowhere, a deeper one may: executors with waiting tasks take only these. */
static bool send_one(struct pass *p)
{
	struct graph *g = p->g;
	uint32_t depth = least_depth_of_all(g);
	struct graph_task *t = first_ready(g, depth);
	if (send_bound(p, t ? &g->ready[t->depth].entries[0] : NULL))
		return true;
	for (; t && !p->reserved; t = first_ready(g, t->depth + 1u))
		if (send_ready(p, t))
			return true;
	return send_bound(p, NULL);
}

int scheduler_run(struct graph *g, scheduler_send *send_task, void *data, struct error *err)
{
	struct pass p = {.g = g, .send = send_task, .data = data, .units_free = g->config.computing_units};
	for (uint32_t i = 0; i < g->worker_count; i++)
		p.units_free -= min_of(executor_units(g, &g->executors[g->workers[i]]), p.units_free);
	while (send_one(&p))
		;
	return settle(g, err);
}
