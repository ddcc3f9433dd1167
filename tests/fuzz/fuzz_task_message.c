/*
 * The decoder of what executors send to the agent, and the graph behind it. The input is a row of
 * records: u8 type, u16 size, body. What decodes lies within its record; what the graph takes
 * leaves it consistent: at the end every executor is lost, and nothing of theirs but what the
 * driver named may be left.
 */
#include <stdlib.h>
#include <string.h>

#include "task/scheduler.h"

enum { EXECUTORS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void on_outcome(void *data, const struct graph_outcome *o)
{
	(void)data;
	demand(o->head.failure_size <= TASK_FAILURE_MAX);
}

static void on_answer(void *data, const struct graph_answer *answer)
{
	(void)data;
	demand(answer->head.location_count <= TASK_DATA_MAX);
}

static void on_dropped(void *data, uint64_t offset, uint64_t size, bool spilled)
{
	(void)data;
	(void)offset;
	demand(size > 0 && !spilled);
}

static void on_forgotten(void *data, uint64_t datum, uint64_t holders)
{
	(void)data;
	demand(datum != 0 && holders != 0);
}

static int on_restore(void *data, uint64_t *offset, uint64_t size)
{
	(void)data;
	(void)offset;
	(void)size;
	abort();
}

static void on_send(void *data, uint32_t executor, uint32_t task)
{
	struct graph_run run;
	demand(executor >= 1 && executor <= EXECUTORS);
	demand(graph_run(data, task, &run) == 0);
	demand(sizeof(run.head) + run.head.location_count * sizeof(*run.locations) + run.body_size <= 65536);
}

static int give(struct graph *g, uint32_t executor, uint64_t now, const struct message *m)
{
	struct error err;
	switch (m->type) {
	case TASK_UP_FUNCTION: return graph_function(g, m->function.head, &m->function.name, &err);
	case TASK_UP_SUBMIT: return graph_submit(g, executor, &m->submit, &err);
	case TASK_UP_DONE: return graph_done(g, now, executor, &m->done, &err);
	case TASK_UP_PUT: return graph_put(g, executor, m->put.locations, &err);
	case TASK_UP_WAIT: return graph_wait(g, executor, &m->wait, &err);
	case TASK_UP_TAKEN: return graph_taken(g, executor, m->ids.ids[0], &err);
	case TASK_UP_CANCEL: return graph_cancel(g, executor, m->cancel, &err);
	case TASK_UP_RELEASE: return graph_release(g, executor, m->ids.ids[0], &err);
	case TASK_UP_GROUP: return graph_group(g, executor, m->group.head, &err);
	case TASK_UP_DISBAND: return graph_disband(g, executor, m->disband, &err);
	default: return 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct graph *g;
	struct error err;
	bool lost[EXECUTORS + 1] = {false};
	struct graph_config config = {.listener = {NULL, on_outcome, on_answer, on_dropped, on_forgotten,
	                                           on_restore},
	                              .memory = 1 << 20,
	                              .computing_units = 2,
	                              .tasks_max = 1000};
	demand(graph_new(&config, &g, &err) == 0);
	for (uint32_t i = 1; i <= EXECUTORS; i++)
		demand(graph_executor_new(g, i, i == 1, &err) == 0);
	for (uint64_t now = 1; size >= 4; now += 1000000) {
		uint32_t type = data[0] % (TASK_UP_DISBAND + 1), executor = 1 + data[1] % EXECUTORS;
		size_t length = (size_t)data[2] | (size_t)data[3] << 8;
		data += 4;
		size -= 4;
		length = min_of(length, size);
		uint8_t *body = malloc(
			max_of(length, (size_t)8)); /* of its own, so that reading past it is seen */
		demand(body != NULL);
		memcpy(body, data, length);
		struct message m;
		if (!lost[executor] && message_decode(type, body, length, &m, &err) == 0) {
			int rc = give(g, executor, now, &m);
			demand(rc == 0 || rc == CELLA_EFORMAT || rc == CELLA_ELIMIT);
			if (rc == CELLA_EFORMAT && executor > 1) {
				lost[executor] = true;
				demand(graph_executor_lost(g, now, executor, &err) == 0);
			}
		}
		free(body);
		data += length;
		size -= length;
		graph_tick(g, now);
		demand(scheduler_run(g, on_send, g, &err) == 0);
	}
	for (uint32_t i = EXECUTORS; i > 0; i--)
		demand(graph_executor_lost(g, 0, i, &err) == 0);
	graph_free(g);
	return 0;
}
