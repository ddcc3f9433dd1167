#include "cell/tasks/tasks.h"

#include <stdlib.h>

#include "base/clock.h"
#include "cell/tasks/state.h"

static int tasks_prepare(struct tasks *t, struct error *err)
{
	struct tasks_level *main_level;
	int rc = cache_new(t->config.pool, t->config.cache_limit, &t->cache, err);
	if (rc < 0)
		return rc;
	t->plain = mem_alloc(t->config.pool, TASKS_PLAIN_MAX);
	if (!t->plain)
		return error_set(err, CELLA_ENOMEM, "no protected memory for tasks");
	rc = tasks_level_at(t, 0, &main_level, err);
	if (rc < 0)
		return rc;
	return agent_link_open(&t->link, t->config.agent, t->config.owner, err);
}

int tasks_new(const struct tasks_config *config, struct tasks **ret_tasks, struct error *err)
{
	struct tasks *t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(err, CELLA_ENOMEM, "no memory for tasks");
	t->config = *config;
	t->link = (struct agent_link){.bell = -1, .agent_bell = -1};
	t->next_sequence = ((uint64_t)config->executor << (TASK_COUNTER_BITS - TASK_FUNCTION_BITS)) + 1;
	t->next_datum = ((uint64_t)config->executor << TASK_COUNTER_BITS) + 1;
	t->next_wait = 1;
	t->next_group = 1;
	TAILQ_INIT(&t->queue);
	int rc = tasks_prepare(t, err);
	if (rc < 0) {
		tasks_free(t);
		return rc;
	}
	*ret_tasks = t;
	return 0;
}

static void level_free(struct tasks *t, struct tasks_level *level)
{
	if (!level)
		return;
	tasks_submitter_done(t, &level->submitter);
	instance_free(level->instance);
	mem_free(t->config.pool, level->invocation);
	mem_free(t->config.pool, level->reason);
	mem_free(t->config.pool, level);
}

void tasks_free(struct tasks *t)
{
	if (!t)
		return;
	for (size_t i = 0; i <= TASK_DEPTH_MAX; i++)
		level_free(t, t->levels[i]);
	tasks_clear_queue(t);
	agent_link_close(&t->link);
	cache_free(t->cache);
	mem_free(t->config.pool, t->plain);
	attempts_done(&t->attempts);
	free(t->functions);
	free(t);
}

int tasks_level_at(struct tasks *t, size_t depth, struct tasks_level **ret_level, struct error *err)
{
	if (!t->levels[depth]) {
		struct tasks_level *level = mem_alloc(t->config.pool, sizeof(*level));
		if (!level)
			return error_set(err, CELLA_ENOMEM, "no protected memory for a task");
		level->invocation = mem_alloc(t->config.pool, TASKS_PLAIN_MAX);
		if (!level->invocation) {
			mem_free(t->config.pool, level);
			return error_set(err, CELLA_ENOMEM, "no protected memory for a task");
		}
		LIST_INIT(&level->submitter.groups);
		LIST_INIT(&level->files);
		t->levels[depth] = level;
	}
	*ret_level = t->levels[depth];
	return 0;
}

int tasks_lose(struct tasks *t, int rc, const struct error *err)
{
	if (!t->lost.code)
		error_set(&t->lost, rc, "%s", err ? err->text : "the agent is lost");
	return rc;
}

/* What was queued while a task waited, in order. */
static int serve_queue(struct tasks *t, struct error *err)
{
	bool any;
	int rc;
	do {
		rc = tasks_run_queued(t, &any, err);
	} while (rc == 0 && any);
	return rc;
}

/* While no task has come yet: what the first ones will need. True if there was something. What cannot be
 * had now is asked for again, and refused with a reason, by the task that needs it. Later the processor
 * is better left to others. */
static bool get_ready(struct tasks *t)
{
	struct tasks_level *level;
	if (t->levels[1])
		return mem_pool_warm(t->config.pool);
	return tasks_level_at(t, 1, &level, NULL) == 0 &&
	       t->config.new_instance(t->config.data, TASKS_READY_MS, &level->instance, NULL) == 0;
}

int tasks_serve(struct tasks *t, struct error *err)
{
	struct spin spin = {0};
	bool worked = false;
	t->serves = true;
	for (;;) {
		bool any = false;
		size_t size = 0;
		int rc = serve_queue(t, err);
		if (rc == 0)
			rc = tasks_receive_run(t, &any, &size, err);
		if (rc == 0 && size)
			rc = tasks_run(t, (const uint8_t *)t->serving, size, err);
		if (rc < 0)
			return rc;
		worked |= size != 0;
		if (any) {
			spin_reset(&spin);
			continue;
		}
		if (t->stopping) {
			tasks_flush(t);
			return 0;
		}
		if (!worked && get_ready(t))
			continue;
		rc = tasks_idle(t, &spin, 0, err);
		if (rc < 0)
			return rc;
	}
}

int tasks_finish(struct tasks *t, struct error *err)
{
	int rc = tasks_barrier(t, &t->levels[0]->submitter, err);
	tasks_flush(t);
	return rc;
}
