/* Data: who waits for them, where they lie, when they are dropped; turns on commutative ones. */
#include "task/graph_state.h"

void line_add(struct graph *g, struct line *line, struct graph_task *t)
{
	t->line_next = 0;
	t->line_before = line->last;
	if (line->last)
		task_at(g, line->last)->line_next = t->item.handle;
	else
		line->first = t->item.handle;
	line->last = t->item.handle;
}

void line_remove(struct graph *g, struct line *line, struct graph_task *t)
{
	if (t->line_before)
		task_at(g, t->line_before)->line_next = t->line_next;
	else
		line->first = t->line_next;
	if (t->line_next)
		task_at(g, t->line_next)->line_before = t->line_before;
	else
		line->last = t->line_before;
}

struct graph_datum *datum_new(struct graph *g, uint64_t id)
{
	struct graph_datum *d = slab_new(&g->data);
	if (!d || map_put(&g->data_by_id, id, d) < 0) {
		g->broken = CELLA_ENOMEM;
		return NULL;
	}
	d->id = id;
	return d;
}

bool datum_consume(struct graph *g, struct graph_datum *d, uint32_t consumer, bool is_wait)
{
	struct graph_edge *edge = slab_new(&g->edges);
	if (!edge)
		return false;
	edge->consumer = consumer;
	edge->is_wait = is_wait;
	if (d->consumers)
		((struct graph_edge *)slab_at(&g->edges, d->last_consumer))->item.next = edge->item.handle;
	else
		d->consumers = edge->item.handle;
	d->last_consumer = edge->item.handle;
	if (is_wait) {
		wait_at(g, consumer)->missing++;
		return true;
	}
	struct graph_task *t = task_at(g, consumer);
	t->missing++;
	t->unsent += !d->producer_sent;
	return true;
}

void datum_producer_sent(struct graph *g, struct graph_datum *d, bool sent)
{
	d->producer_sent = sent;
	uint32_t next;
	for (uint32_t at = d->consumers; at; at = next) {
		struct graph_edge *edge = slab_at(&g->edges, at);
		next = edge->item.next;
		if (edge->is_wait)
			continue;
		struct graph_task *t = task_at(g, edge->consumer);
		t->unsent += sent ? -1u : 1u;
		if (t->state == TASK_WAITING || t->state == TASK_BOUND)
			task_look(g, t);
	}
}

static void drop_bytes(struct graph *g, struct graph_datum *d)
{
	if (d->size)
		g->config.listener.dropped(g->config.listener.data, d->offset, d->size, d->spilled);
	d->size = 0;
	d->spilled = false;
}

static void maybe_drop(struct graph *g, struct graph_datum *d)
{
	if (!d->released || d->uses || d->state == DATUM_PENDING)
		return;
	drop_bytes(g, d);
	/* Of a commutative datum, older states may lie anywhere. */
	uint64_t holders = d->version ? UINT64_MAX : d->holders;
	if (holders)
		g->config.listener.forgotten(g->config.listener.data, d->id, holders);
	map_take(&g->data_by_id, d->id);
	slab_free(&g->data, d);
}

static void task_input_settled(struct graph *g, struct graph_task *t, const struct graph_datum *d)
{
	t->missing--;
	t->unsent -= !d->producer_sent;
	bool failed = d->state == DATUM_FAILED;
	switch (t->state) {
	case TASK_ENDED:
		if (t->missing == 0 && !t->block)
			slab_free(&g->tasks, t);
		break;
	case TASK_SENT:
		if (failed)
			t->flags |= TASK_FLAG_DOOMED;
		break;
	default:
		if (failed)
			task_cancel(g, t);
		else if (t->state != TASK_DELAYED)
			task_look(g, t);
	}
}

void datum_settle(struct graph *g, struct graph_datum *d, enum datum_state state)
{
	uint32_t next = d->consumers;
	d->consumers = 0;
	d->producer = 0;
	d->state = (uint8_t)state;
	if (state == DATUM_FAILED)
		drop_bytes(g, d);
	while (next) {
		struct graph_edge *edge = slab_at(&g->edges, next);
		uint32_t consumer = edge->consumer;
		bool is_wait = edge->is_wait;
		next = edge->item.next;
		slab_free(&g->edges, edge);
		if (is_wait)
			wait_datum_settled(g, wait_at(g, consumer), state == DATUM_FAILED);
		else
			task_input_settled(g, task_at(g, consumer), d);
	}
	maybe_drop(g, d);
}

void datum_unuse(struct graph *g, struct graph_datum *d)
{
	d->uses--;
	maybe_drop(g, d);
}

void datum_release(struct graph *g, struct graph_datum *d)
{
	d->released = true;
	if (d->turn)
		turn_close(g, d);
	else
		maybe_drop(g, d);
}

void datum_place(struct graph *g, struct graph_datum *d, const struct task_location *location,
                 uint32_t executor)
{
	drop_bytes(g, d);
	d->version = location->version;
	d->offset = location->offset;
	d->size = location->size;
	d->holders = (uint64_t)1 << executor % 64;
}

int datum_locate(struct graph *g, struct graph_datum *d, struct task_location *ret_location)
{
	if (d->spilled) {
		int rc = g->config.listener.restore(g->config.listener.data, &d->offset, d->size);
		if (rc < 0)
			return rc;
		d->spilled = false;
	}
	*ret_location = (struct task_location){.datum = d->id,
	                                       .version = d->version,
	                                       .offset = d->size ? d->offset : 0,
	                                       .size = d->size};
	return 0;
}

static void turn_unuse_base(struct graph *g, struct graph_turn *turn)
{
	if (!turn->uses_base)
		return;
	turn->uses_base = false;
	datum_unuse(g, datum_at(g, turn->base));
}

static void turn_settle(struct graph *g, struct graph_turn *turn)
{
	if (!turn->closed || turn->members)
		return;
	struct graph_datum *final = datum_at(g, turn->final);
	enum datum_state state = turn->failed || final->version == 0 ? DATUM_FAILED : DATUM_AVAILABLE;
	turn_unuse_base(g, turn);
	final->turn = 0;
	slab_free(&g->turns, turn);
	datum_settle(g, final, state);
}

void turn_close(struct graph *g, struct graph_datum *final)
{
	if (!final->turn)
		return;
	struct graph_turn *turn = turn_at(g, final->turn);
	turn->closed = true;
	turn_settle(g, turn);
}

void turn_advance(struct graph *g, struct graph_datum *final, const struct task_location *state,
                  uint32_t executor)
{
	datum_place(g, final, state, executor);
	turn_unuse_base(g, turn_at(g, final->turn));
}

void turn_leave(struct graph *g, struct graph_datum *final, bool failed)
{
	struct graph_turn *turn = turn_at(g, final->turn);
	turn->members--;
	turn->failed |= failed;
	turn_settle(g, turn);
}

int graph_put(struct graph *g, uint32_t executor, const struct task_location *location, struct error *err)
{
	if (id_executor(location->datum) != executor || location->version || !location->size ||
	    map_get(&g->data_by_id, location->datum))
		return error_set(err, CELLA_EFORMAT,
		                 "executor %u puts a datum that is there already or not its own", executor);
	if (g->data.live >= (uint64_t)g->config.tasks_max * GRAPH_DATA_PER_TASK)
		return error_set(err, CELLA_ELIMIT,
		                 "more than %u data are kept for tasks: forget those not needed",
		                 g->data.live);
	struct graph_datum *d = datum_new(g, location->datum);
	if (!d)
		return settle(g, err);
	datum_place(g, d, location, executor);
	d->holders = 0; /* sealed from the cell's memory, and not kept */
	datum_settle(g, d, DATUM_AVAILABLE);
	return 0;
}

int graph_release(struct graph *g, uint32_t executor, uint64_t datum, struct error *err)
{
	struct graph_datum *d = map_get(&g->data_by_id, datum);
	if (!d || d->released || id_executor(datum) != executor)
		return error_set(err, CELLA_EFORMAT, "executor %u releases a datum that is not its own",
		                 executor);
	datum_release(g, d);
	return settle(g, err);
}

bool graph_spill_next(struct graph *g, uint32_t *looked, struct graph_spill *ret_spill)
{
	for (; *looked < g->data.used; (*looked)++) {
		g->spill_hand = g->spill_hand % g->data.used + 1;
		const struct graph_datum *d = datum_at(g, g->spill_hand);
		if (!d->item.handle || !d->size || d->spilled || d->pins)
			continue;
		(*looked)++;
		*ret_spill =
			(struct graph_spill){.datum = g->spill_hand, .offset = d->offset, .size = d->size};
		return true;
	}
	return false;
}

void graph_spilled(struct graph *g, const struct graph_spill *spill)
{
	struct graph_datum *d = datum_at(g, spill->datum);
	d->offset = spill->offset;
	d->spilled = true;
}
