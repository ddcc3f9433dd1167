/*
 * A task's states, and its submission. See graph.h for the life of a task; `transitions` is the
 * whole of it.
 */
#include "task/graph_state.h"

#include <string.h>

#include "cella/task.h"

static const uint8_t transitions[TASK_STATES][TASK_EVENTS] = {
	[TASK_WAITING] = {[TASK_EVENT_BIND] = TASK_BOUND,
                          [TASK_EVENT_NO_TURN] = TASK_TURNLESS,
                          [TASK_EVENT_READY] = TASK_READY,
                          [TASK_EVENT_END] = TASK_ENDED},
	[TASK_BOUND] = {[TASK_EVENT_UNBIND] = TASK_WAITING,
                        [TASK_EVENT_READY] = TASK_READY,
                        [TASK_EVENT_SEND] = TASK_SENT,
                        [TASK_EVENT_END] = TASK_ENDED},
	[TASK_TURNLESS] = {[TASK_EVENT_NO_TURN] = TASK_TURNLESS,
                           [TASK_EVENT_READY] = TASK_READY,
                           [TASK_EVENT_END] = TASK_ENDED},
	[TASK_READY] = {[TASK_EVENT_SEND] = TASK_SENT, [TASK_EVENT_END] = TASK_ENDED},
	[TASK_SENT] = {[TASK_EVENT_RETURN] = TASK_WAITING,
                       [TASK_EVENT_DELAY] = TASK_DELAYED,
                       [TASK_EVENT_END] = TASK_ENDED},
	[TASK_DELAYED] = {[TASK_EVENT_RETURN] = TASK_WAITING, [TASK_EVENT_END] = TASK_ENDED},
};

bool entry_valid(const struct graph *g, const struct heap_entry *entry, enum task_state state)
{
	const struct graph_task *t = task_at(g, entry->task);
	return t->stamp == entry->stamp && t->state == state;
}

static void enqueue(struct graph *g, struct graph_task *t, struct heap *heap, uint64_t rank, uint64_t order)
{
	t->stamp = ++g->stamp;
	struct heap_entry entry = {.rank = rank, .order = order, .task = t->item.handle, .stamp = t->stamp};
	if (heap_push(heap, &entry) < 0)
		g->broken = CELLA_ENOMEM;
}

/* Higher priority first, then the deeper. */
static uint64_t task_rank(const struct graph_task *t)
{
	uint64_t priority = (uint64_t)((int64_t)INT32_MAX - task_submitted(t)->priority);
	return priority << 8 | (uint64_t)(TASK_DEPTH_MAX - t->depth);
}

void task_move(struct graph *g, struct graph_task *t, enum task_event event)
{
	enum task_state state = transitions[t->state][event];
	if (state == TASK_FREE) {
		g->broken = CELLA_EBUG;
		return;
	}
	t->state = (uint8_t)state;
	if (state == TASK_READY) {
		enqueue(g, t, &g->ready[t->depth], task_rank(t), t->order);
		g->ready_depths |= (uint64_t)1 << t->depth;
	} else if (state == TASK_BOUND) {
		enqueue(g, t, &g->executors[t->executor].bound, task_rank(t), t->order);
	} else if (state == TASK_DELAYED) {
		enqueue(g, t, &g->delayed, 0, t->due_ns);
	}
}

/* The executor in whose queue all producers of the missing inputs stand, 0 if there is none. */
static uint32_t executor_of_missing(const struct graph *g, const struct graph_task *t)
{
	const struct task_submit *s = task_submitted(t);
	if (s->commutative_count || s->input_count > GRAPH_BIND_INPUTS || t->missing > GRAPH_BIND_MISSING)
		return 0;
	uint32_t executor = 0;
	for (uint32_t i = 0; i < s->input_count; i++) {
		const struct graph_datum *d = datum_at(g, task_data(t)[i]);
		if (d->state != DATUM_PENDING)
			continue;
		const struct graph_task *producer = task_at(g, d->producer);
		if (g->functions[task_submitted(producer)->function]->nests)
			return 0;
		if (executor && producer->executor != executor)
			return 0;
		executor = producer->executor;
	}
	return executor;
}

void task_look(struct graph *g, struct graph_task *t)
{
	if (t->missing == 0) {
		task_take_turns(g, t);
	} else if (t->state == TASK_BOUND && t->unsent) {
		task_move(g, t, TASK_EVENT_UNBIND);
	} else if (t->state == TASK_WAITING && t->unsent == 0) {
		uint32_t executor = executor_of_missing(g, t);
		if (executor) {
			t->executor = (uint16_t)executor;
			task_move(g, t, TASK_EVENT_BIND);
		}
	}
}

static const uint32_t *task_finals(const struct graph_task *t)
{
	const struct task_submit *s = task_submitted(t);
	return task_data(t) + s->input_count + s->output_count;
}

void task_take_turns(struct graph *g, struct graph_task *t)
{
	uint32_t count = task_submitted(t)->commutative_count;
	const uint32_t *finals = task_finals(t);
	for (uint32_t i = 0; i < count; i++) {
		struct graph_turn *turn = turn_at(g, datum_at(g, finals[i])->turn);
		if (turn->holder) {
			task_move(g, t, TASK_EVENT_NO_TURN);
			t->turn = turn->item.handle;
			line_add(g, &turn->line, t);
			return;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		turn_at(g, datum_at(g, finals[i])->turn)->holder = t->item.handle;
	if (count)
		t->flags |= TASK_FLAG_TURNS;
	task_move(g, t, TASK_EVENT_READY);
}

void turns_release(struct graph *g, struct graph_task *t)
{
	if (!(t->flags & TASK_FLAG_TURNS))
		return;
	t->flags &= (uint8_t)~TASK_FLAG_TURNS;
	uint32_t count = task_submitted(t)->commutative_count;
	const uint32_t *finals = task_finals(t);
	for (uint32_t i = 0; i < count; i++)
		turn_at(g, datum_at(g, finals[i])->turn)->holder = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct graph_turn *turn = turn_at(g, datum_at(g, finals[i])->turn);
		while (turn->holder == 0 && turn->line.first) {
			struct graph_task *next = task_at(g, turn->line.first);
			line_remove(g, &turn->line, next);
			task_take_turns(g, next);
		}
	}
}

void task_end(struct graph *g, struct graph_task *t, enum task_status status)
{
	if (t->state == TASK_SENT)
		task_leave_queue(g, t);
	if (t->state == TASK_TURNLESS)
		line_remove(g, &turn_at(g, t->turn)->line, t);
	turns_release(g, t);
	task_move(g, t, TASK_EVENT_END);
	t->end_status = (uint8_t)status;
	t->item.next = 0;
	if (g->ended)
		task_at(g, g->last_ended)->item.next = t->item.handle;
	else
		g->ended = t->item.handle;
	g->last_ended = t->item.handle;
}

void task_cancel(struct graph *g, struct graph_task *t)
{
	task_end(g, t, TASK_CANCELED);
}

/* Submission. First every id is looked up and checked, then the objects are made. */

static int refuse(struct error *err, const struct task_submit *s, const char *why)
{
	return error_set(err, CELLA_EFORMAT, "task %llu:%llu is refused: %s",
	                 (unsigned long long)id_executor(s->task),
	                 (unsigned long long)(s->task & (((uint64_t)1 << TASK_COUNTER_BITS) - 1)), why);
}

static bool named_before(const struct message_submit *m, uint32_t output, uint32_t commutative)
{
	uint64_t id = commutative < m->task->commutative_count ? m->commutatives[commutative].final
	                                                       : m->outputs[output];
	for (uint32_t i = 0; i < output; i++)
		if (m->outputs[i] == id)
			return true;
	for (uint32_t i = 0; i < commutative && commutative < m->task->commutative_count; i++)
		if (m->commutatives[i].final == id)
			return true;
	return false;
}

static bool commutative_fits(const struct graph *g, uint32_t executor, const struct task_commutative *c)
{
	const struct graph_datum *final = map_get(&g->data_by_id, c->final);
	if (c->base == c->final || id_executor(c->final) != executor)
		return false;
	if (!final)
		return c->base == 0 || map_get(&g->data_by_id, c->base);
	const struct graph_turn *turn = turn_at(g, final->turn);
	return turn && !turn->closed && turn->base_id == c->base;
}

/* As an input, or as where a turn begins. */
static bool reads_datum(const struct message_submit *m, uint64_t id)
{
	for (uint32_t i = 0; i < m->task->input_count; i++)
		if (m->inputs[i] == id)
			return true;
	for (uint32_t i = 0; i < m->task->commutative_count; i++)
		if (m->commutatives[i].base == id)
			return true;
	return false;
}

static int check_data(const struct graph *g, uint32_t executor, const struct message_submit *m,
                      struct error *err)
{
	const struct task_submit *s = m->task;
	for (uint32_t i = 0; i < s->input_count; i++) {
		const struct graph_datum *d = map_get(&g->data_by_id, m->inputs[i]);
		if (!d || (d->released && id_executor(d->id) == executor))
			return refuse(err, s, "it reads a datum that is not there");
	}
	for (uint32_t i = 0; i < s->output_count; i++)
		if (id_executor(m->outputs[i]) != executor || map_get(&g->data_by_id, m->outputs[i]) ||
		    named_before(m, i, TASK_DATA_MAX))
			return refuse(err, s,
			              "it makes a datum that is there already or not its submitter's");
	for (uint32_t i = 0; i < s->commutative_count; i++)
		if (!commutative_fits(g, executor, &m->commutatives[i]) ||
		    named_before(m, s->output_count, i))
			return refuse(err, s, "it joins a commutative datum that it cannot");
	for (uint32_t j = 0; j < s->commutative_count; j++)
		if (reads_datum(m, m->commutatives[j].final))
			return refuse(err, s, "it reads a commutative datum that it joins");
	return 0;
}

/* The parent that an executor may submit or wait for: NULL for the main program. */
int parent_find(const struct graph *g, uint32_t executor, uint64_t id, struct graph_task **ret_parent,
                struct error *err)
{
	struct graph_task *parent = id ? map_get(&g->tasks_by_id, id) : NULL;
	if (id == 0 ? !g->executors[executor].driver
	            : !parent || parent->state != TASK_SENT || parent->executor != executor)
		return error_set(err, CELLA_EFORMAT, "executor %u speaks for a task that it does not run",
		                 executor);
	*ret_parent = parent;
	return 0;
}

static int check_submit(const struct graph *g, uint32_t executor, const struct message_submit *m,
                        struct error *err)
{
	const struct task_submit *s = m->task;
	if (id_executor(s->task) != executor || map_get(&g->tasks_by_id, s->task))
		return refuse(err, s, "its id is not its submitter's or not new");
	if (s->function >= g->function_count || !g->functions[s->function])
		return refuse(err, s, "its function was not announced");
	if (g->tasks.live >= g->config.tasks_max)
		return error_set(err, CELLA_ELIMIT,
		                 "more than %u tasks wait: submit fewer at a time or raise the limit",
		                 g->config.tasks_max);
	if (g->data.live >= (uint64_t)g->config.tasks_max * GRAPH_DATA_PER_TASK)
		return error_set(err, CELLA_ELIMIT,
		                 "more than %u data are kept for tasks: forget those not needed",
		                 g->data.live);
	return check_data(g, executor, m, err);
}

/* A member of the turn on c->final, which is made by the first one. */
static uint32_t task_join(struct graph *g, const struct task_commutative *c)
{
	struct graph_datum *final = map_get(&g->data_by_id, c->final);
	struct graph_turn *turn = final ? turn_at(g, final->turn) : NULL;
	if (!final) {
		struct graph_datum *base = c->base ? map_get(&g->data_by_id, c->base) : NULL;
		final = datum_new(g, c->final);
		turn = slab_new(&g->turns);
		if (!final || !turn) {
			g->broken = CELLA_ENOMEM;
			return 0;
		}
		final->turn = turn->item.handle;
		turn->final = final->item.handle;
		turn->base_id = c->base;
		turn->base = base ? base->item.handle : 0;
		turn->uses_base = base != NULL;
		if (base)
			base->uses++;
	}
	turn->members++;
	return final->item.handle;
}

/* Looks everything up and counts the uses, so that nothing that it names can be dropped by what follows. */
static void task_name_data(struct graph *g, struct graph_task *t, const struct message_submit *m)
{
	const struct task_submit *s = m->task;
	uint32_t *handles = task_data(t);
	for (uint32_t i = 0; i < s->input_count; i++) {
		struct graph_datum *d = map_get(&g->data_by_id, m->inputs[i]);
		d->uses++;
		*handles++ = d->item.handle;
	}
	for (uint32_t i = 0; i < s->output_count; i++) {
		struct graph_datum *d = datum_new(g, m->outputs[i]);
		if (!d)
			return;
		d->producer = t->item.handle;
		*handles++ = d->item.handle;
	}
	for (uint32_t i = 0; i < s->commutative_count && !g->broken; i++)
		*handles++ = task_join(g, &m->commutatives[i]);
}

/* What it reads: inputs, then the bases of its turns that no member has had yet (NULL: none). */
static struct graph_datum *task_source(const struct graph *g, const struct graph_task *t, uint32_t i)
{
	uint32_t input_count = task_submitted(t)->input_count;
	if (i < input_count)
		return datum_at(g, task_data(t)[i]);
	const struct graph_turn *turn = turn_at(g, datum_at(g, task_finals(t)[i - input_count])->turn);
	return turn->uses_base ? datum_at(g, turn->base) : NULL;
}

/* False if one of its inputs will never be had. */
static bool task_connect(struct graph *g, struct graph_task *t)
{
	const struct task_submit *s = task_submitted(t);
	uint32_t count = (uint32_t)s->input_count + s->commutative_count;
	bool possible = true;
	for (uint32_t i = 0; i < count; i++) {
		struct graph_datum *d = task_source(g, t, i);
		if (d)
			turn_close(g, d);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct graph_datum *d = task_source(g, t, i);
		if (d && d->state == DATUM_PENDING && !datum_consume(g, d, t->item.handle, false))
			g->broken = CELLA_ENOMEM;
		possible &= !d || d->state != DATUM_FAILED;
	}
	return possible;
}

static struct graph_task *task_new(struct graph *g, const struct message_submit *m)
{
	uint32_t body_at = align_up((uint32_t)(task_data_count(m->task) * sizeof(uint32_t)), 8u);
	uint32_t block_size = body_at + (uint32_t)m->body_size;
	struct graph_task *t = slab_new(&g->tasks);
	uint8_t *block = t ? blocks_new(&g->blocks, block_size) : NULL;
	if (!block || map_put(&g->tasks_by_id, m->task->task, t) < 0) {
		g->broken = CELLA_ENOMEM;
		return NULL;
	}
	memcpy(block + body_at, m->body, m->body_size);
	t->id = m->task->task;
	t->order = g->order++;
	t->block = block;
	t->block_size = block_size;
	t->body_at = body_at;
	t->state = TASK_WAITING;
	return t;
}

int graph_submit(struct graph *g, uint32_t executor, const struct message_submit *m, struct error *err)
{
	struct graph_task *parent = NULL;
	struct graph_group *group = NULL;
	int rc = parent_find(g, executor, m->task->parent, &parent, err);
	if (rc == 0)
		rc = check_submit(g, executor, m, err);
	if (rc == 0)
		rc = group_find(g, executor, parent, m->task->group, &group, err);
	if (rc < 0)
		return rc;
	struct graph_task *t = task_new(g, m);
	if (!t)
		return settle(g, err);
	t->depth = parent ? (uint8_t)(parent->depth + 1) : 0;
	if (parent)
		g->functions[task_submitted(parent)->function]->nests = true;
	group_add(g, group, t);
	g->counts.submitted++;
	task_name_data(g, t, m);
	if (g->broken)
		return settle(g, err);
	bool possible = task_connect(g, t);
	bool too_much = t->depth >= TASK_DEPTH_MAX || m->task->memory > g->config.memory ||
	                m->task->computing_units > g->config.computing_units;
	if (too_much)
		task_end(g, t, TASK_IMPOSSIBLE);
	else if (!possible || (parent && parent->flags & TASK_FLAG_ORPHANED))
		task_cancel(g, t);
	else
		task_look(g, t);
	return settle(g, err);
}

static struct graph_datum *task_state_datum(const struct graph *g, uint32_t final)
{
	struct graph_datum *d = datum_at(g, final);
	return d->version ? d : datum_at(g, turn_at(g, d->turn)->base);
}

/* The data whose bytes an executor is told of: inputs, then commutative states (NULL: zeros). */
struct graph_datum *task_read_datum(const struct graph *g, const struct graph_task *t, uint32_t i)
{
	const struct task_submit *s = task_submitted(t);
	if (i < s->input_count)
		return datum_at(g, task_data(t)[i]);
	return task_state_datum(g, task_data(t)[s->output_count + i]);
}

void task_send(struct graph *g, struct graph_task *t, uint32_t executor, uint32_t estimate_ns)
{
	const struct task_submit *s = task_submitted(t);
	struct graph_executor *e = &g->executors[executor];
	t->flags = (uint8_t)((t->flags & ~(TASK_FLAG_CHAINED | TASK_FLAG_FUTILE)) |
	                     (t->missing ? TASK_FLAG_CHAINED : 0) | TASK_FLAG_QUEUED);
	t->executor = (uint16_t)executor;
	t->attempt++;
	t->estimate_ns = estimate_ns;
	task_move(g, t, TASK_EVENT_SEND);
	line_add(g, &e->queue, t);
	e->queued++;
	e->queued_wide += s->computing_units > 1;
	e->queued_ns += estimate_ns;
	g->counts.sent++;
	for (uint32_t i = 0; i < (uint32_t)s->input_count + s->commutative_count; i++) {
		struct graph_datum *d = task_read_datum(g, t, i);
		if (d) {
			d->pins++;
			d->holders |= (uint64_t)1 << executor % 64;
		}
	}
	for (uint32_t i = 0; i < s->output_count; i++)
		datum_producer_sent(g, datum_at(g, task_data(t)[s->input_count + i]), true);
}

void task_leave_queue(struct graph *g, struct graph_task *t)
{
	const struct task_submit *s = task_submitted(t);
	struct graph_executor *e = &g->executors[t->executor];
	if (!(t->flags & TASK_FLAG_QUEUED))
		return;
	if (t->flags & TASK_FLAG_WAITED)
		waiter_remove(g, t->executor, t);
	t->flags &= (uint8_t)~(TASK_FLAG_QUEUED | TASK_FLAG_WAITED);
	line_remove(g, &e->queue, t);
	e->queued--;
	e->queued_wide -= s->computing_units > 1;
	e->queued_ns -= t->estimate_ns;
	g->counts.sent--;
	for (uint32_t i = 0; i < (uint32_t)s->input_count + s->commutative_count; i++) {
		struct graph_datum *d = task_read_datum(g, t, i);
		if (d)
			d->pins--;
	}
}
