/*
 * The graph: tasks, the data that connect them, groups and waits, and what happens to each when
 * something happens to another. Pure: no I/O, no clock; time is a parameter.
 *
 * A task's life (the table is in graph_task.c):
 *
 *     WAITING --inputs there--> READY --sent--> SENT --ended well or for good--> ENDED
 *        |  \--missing ones come from one executor's queue--> BOUND --sent--> SENT
 *        |   \--inputs there, no turn--> TURNLESS --turn--> READY
 *        |<--an input was missing-- SENT --failed, another attempt--> DELAYED --time--> READY
 *
 * What is ready stands in heaps, one for each depth of nesting, and what is bound in one for each
 * executor; the scheduler takes tasks from there and says graph_send. Results go to the owner of
 * the graph through `struct graph_listener`, at the end of each call.
 *
 * Executors are known by their numbers, as in the ids that they make. A call that reports something
 * of an executor returns CELLA_EFORMAT when that executor may not say this: end it, then
 * call graph_executor_lost. CELLA_ELIMIT, CELLA_ENOMEM: the session cannot go on.
 */
#ifndef TASK_GRAPH_H
#define TASK_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "task/heap.h"
#include "task/message.h"

enum {
	GRAPH_EXECUTORS_MAX = 1024, /* numbers are less; over a session's life */
	GRAPH_WAITS_MAX = 1024,     /* open or not taken, of one executor */
	GRAPH_GROUPS_MAX = 1 << 20, /* at a time */
	GRAPH_DATA_PER_TASK = 16,   /* data known at most, for each task of the limit */
	GRAPH_BIND_MISSING = 8,     /* inputs that a task may get from before it in the queue */
	GRAPH_BIND_INPUTS = 64,     /* inputs of a task that is looked at for that */
};

struct graph;

/* An outcome that is not TASK_OK, for the submitter. */
struct graph_outcome {
	uint32_t executor; /* the submitter's number */
	struct task_outcome head;
	const void *failure; /* head.failure_size bytes */
};

/* The answer to a wait or a cancellation. */
struct graph_answer {
	uint32_t executor;
	struct task_ready head;
	const struct task_location *locations; /* head.location_count */
};

struct graph_listener {
	void *data;
	void (*outcome)(void *data, const struct graph_outcome *outcome);
	void (*answer)(void *data, const struct graph_answer *answer);
	/* These bytes of the store (of the spill file, if spilled) hold nothing that is needed. */
	void (*dropped)(void *data, uint64_t offset, uint64_t size, bool spilled);
	/* Nobody will name this datum again. Executors whose number modulo 64 is a bit of `holders` may
	 * have it in the clear. */
	void (*forgotten)(void *data, uint64_t datum, uint64_t holders);
	/* A spilled object is needed: bring it back and say where it lies now. 0 or a CELLA_E*. */
	int (*restore)(void *data, uint64_t *offset, uint64_t size);
};

struct graph_config {
	struct graph_listener listener;
	uint64_t memory; /* protected memory of an executor */
	uint32_t computing_units; /* of the session */
	uint32_t tasks_max; /* not ended, at most */
};

int graph_new(const struct graph_config *config, struct graph **ret_graph, struct error *err) must_check;
void graph_free(struct graph *g);

/* An executor that may submit; the driver may submit as the main program, the others run tasks. */
int graph_executor_new(struct graph *g, uint32_t number, bool driver, struct error *err) must_check;
bool graph_executor_busy(const struct graph *g, uint32_t number); /* it has tasks */
/* It is gone: its tasks are tried elsewhere, what it submitted is cancelled, its data are dropped. */
int graph_executor_lost(struct graph *g, uint64_t now_ns, uint32_t number, struct error *err) must_check;

/* What an executor reports. Locations have been checked by the caller against what it may write. */
int graph_function(struct graph *g, const struct task_function *function, const struct message_name *name,
                   struct error *err) must_check;
int graph_submit(struct graph *g, uint32_t executor, const struct message_submit *m,
                 struct error *err) must_check;
int graph_done(struct graph *g, uint64_t now_ns, uint32_t executor, const struct message_done *m,
               struct error *err) must_check;
int graph_put(struct graph *g, uint32_t executor, const struct task_location *location,
              struct error *err) must_check;
int graph_release(struct graph *g, uint32_t executor, uint64_t datum, struct error *err) must_check;
int graph_group(struct graph *g, uint32_t executor, const struct task_group *group,
                struct error *err) must_check;
/* It is freed when its tasks have ended and the groups in it are freed. */
int graph_disband(struct graph *g, uint32_t executor, const struct task_disband *m,
                  struct error *err) must_check;
int graph_cancel(struct graph *g, uint32_t executor, const struct task_cancel *m,
                 struct error *err) must_check;
int graph_wait(struct graph *g, uint32_t executor, const struct message_wait *m,
               struct error *err) must_check;
int graph_taken(struct graph *g, uint32_t executor, uint64_t wait, struct error *err) must_check;

/* What an executor is to be told to run a task that was sent to it. Valid until the next call. */
struct graph_run {
	struct task_run head;
	const struct task_location *locations;
	const void *body;
	size_t body_size;
};
int graph_run(struct graph *g, uint32_t task, struct graph_run *ret_run) must_check;

/* Objects in the store that nobody has been told of, oldest first, as far as one round over all of
 * them goes: `*looked` begins with 0. False when there are no more. */
struct graph_spill {
	uint32_t datum;
	uint64_t offset, size;
};
bool graph_spill_next(struct graph *g, uint32_t *looked, struct graph_spill *ret_spill);
/* It has been moved to `offset` of the spill file. */
void graph_spilled(struct graph *g, const struct graph_spill *spill);

/* Tasks whose back-off is over become ready. The next time to call, UINT64_MAX: none. */
uint64_t graph_tick(struct graph *g, uint64_t now_ns);

struct graph_counts {
	uint64_t submitted, done, failed, cancelled, retried; /* so far; done: with TASK_OK or TASK_IGNORED */
	uint32_t waiting, sent; /* now */
};
void graph_counts(const struct graph *g, struct graph_counts *ret_counts);

struct graph_function {
	char name[TASK_NAME_MAX + 1]; /* "" if there is no such function */
	bool nests; /* its tasks submit tasks */
	uint64_t runs; /* that ended well */
	uint64_t failures;
	uint64_t total_ns;
	uint64_t estimate_ns; /* moving average of a run; 0 before the first */
};
/* NULL past the last that is known. */
const struct graph_function *graph_function_at(const struct graph *g, uint32_t index);

#endif
