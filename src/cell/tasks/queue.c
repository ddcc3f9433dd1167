/* Tasks that were sent ahead of their turn: docs/protocols/tasks.md, "An executor's queue". */
#include <stdlib.h>
#include <string.h>

#include "cell/tasks/state.h"

int tasks_enqueue(struct tasks *t, const uint8_t *body, size_t size, struct error *err)
{
	struct tasks_queued *q = malloc(sizeof(*q) + size);
	if (!q)
		return error_set(err, CELLA_ENOMEM, "no memory to queue a task");
	q->size = size;
	memcpy(q->body, body, size);
	TAILQ_INSERT_TAIL(&t->queue, q, link);
	return 0;
}

static bool makes(const struct down_run *d, uint64_t datum)
{
	for (size_t i = 0; i < d->submit.output_count; i++)
		if (d->output_data[i] == datum)
			return true;
	for (size_t i = 0; i < d->submit.commutative_count; i++)
		if (d->turns[i].final == datum)
			return true;
	return false;
}

static bool will_be_made(struct tasks *t, uint64_t datum, const struct tasks_queued *before)
{
	for (size_t i = 1; i <= t->depth; i++)
		if (makes(&t->levels[i]->run, datum))
			return true;
	struct tasks_queued *q;
	struct down_run d;
	TAILQ_FOREACH(q, &t->queue, link)
	{
		if (q == before)
			return false;
		if (down_read_run((const uint8_t *)q->body, q->size, &d, NULL) == 0 && makes(&d, datum))
			return true;
	}
	return false;
}

/* Can it run now? Not on top of a task that lies as deep, nor if an input comes from one that waits below or
 * stands before it. What is malformed is refused when it runs. */
static bool is_runnable(struct tasks *t, const struct tasks_queued *queued)
{
	struct down_run d;
	if (down_read_run((const uint8_t *)queued->body, queued->size, &d, NULL) < 0)
		return true;
	if (t->depth && d.run.depth <= tasks_top(t)->run.run.depth)
		return false;
	for (size_t i = 0; i < d.run.location_count; i++) {
		const struct task_location *l = &d.inputs[i];
		if (l->datum && !l->size && !cache_find(t->cache, l->datum) &&
		    will_be_made(t, l->datum, queued))
			return false;
	}
	return true;
}

int tasks_run_queued(struct tasks *t, bool *ret_any, struct error *err)
{
	struct tasks_queued *q;
	*ret_any = false;
	if (t->depth == TASK_DEPTH_MAX)
		return 0;
	TAILQ_FOREACH(q, &t->queue, link)
	if (is_runnable(t, q))
		break;
	if (!q)
		return 0;
	TAILQ_REMOVE(&t->queue, q, link);
	int rc = tasks_run(t, (const uint8_t *)q->body, q->size, err);
	free(q);
	*ret_any = true;
	return rc;
}

void tasks_clear_queue(struct tasks *t)
{
	struct tasks_queued *q;
	while ((q = TAILQ_FIRST(&t->queue))) {
		TAILQ_REMOVE(&t->queue, q, link);
		free(q);
	}
}
