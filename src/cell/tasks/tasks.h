/*
 * Tasks in an executor: submitting them for the cell that calls them, and running those that the
 * agent sends. The guest's side is guest/task.c; messages: task/task_format.h; the story:
 * docs/protocols/tasks.md.
 *
 * Plaintext of data lies in the executor's protected memory: in the linear memories of its cells
 * and in a bounded cache of opened data (least recently used goes first).
 *
 * While a cell waits for data, the executor runs other tasks that the agent sends, each in an
 * instance of its own on a stack of its own, nested in the wait: so nested tasks never starve
 * for want of executors.
 */
#ifndef CELL_TASKS_H
#define CELL_TASKS_H

#include <stdint.h>

#include "base/error.h"
#include "cell/instance.h"
#include "cell/launch_format.h"
#include "seal/seal.h"

struct tasks_config {
	struct mem_pool *pool;
	struct seal_session *session;
	uint32_t executor;       /* this one's number, from the provisioning */
	uint32_t executor_count; /* that may run tasks */
	uint64_t cache_limit;    /* bytes of opened data kept */
	int agent;               /* LAUNCH_FD_AGENT: closed by the peer means the agent is gone */
	int owner;               /* LAUNCH_FD_OWNER: hang-up means that the job is over */
	void *data;
	/* A fresh instance of the program's cell for running tasks. CELLA_ETIMEOUT: its initialisers take
	 * longer than timeout_ms; 0: however long they take. */
	int (*new_instance)(void *data, uint32_t timeout_ms, struct instance **ret_instance,
	                    struct error *err);
	/* Memory is short: what makes instances faster may go. */
	void (*give_way)(void *data);
	/* The WASI that instances use, for files as task data. */
	struct wasi *wasi;
};

/* Receives rings and store from the agent (one message on config->agent; may wait for it). */
int tasks_new(const struct tasks_config *config, struct tasks **ret_tasks, struct error *err) must_check;
void tasks_free(struct tasks *tasks);

/* Run tasks until the agent says stop (0) or is gone (CELLA_ELOST). */
int tasks_serve(struct tasks *tasks, struct error *err) must_check;
/* The main program has returned: wait for its tasks. CELLA_ETRAP if one failed for good. */
int tasks_finish(struct tasks *tasks, struct error *err) must_check;

/* Protected memory is short: free the instances that no task runs in, and the opened data. */
void tasks_give_way(struct tasks *tasks);

extern const struct host_function task_functions[];
extern const size_t task_function_count;

#endif
