/*
 * The scheduler: which ready task goes to which executor, and when. Pure.
 *
 * The task that comes next is the first by priority, then depth of nesting, then order of
 * submission. It goes to the executor where it would end first: what is queued there by estimate,
 * plus the cost of opening the inputs that it does not hold. Estimates are moving averages by function.
 *
 * An executor is given more than it can begin at once, so that it need not wait for an answer
 * between two short tasks, but little enough that others do not stand idle: see `enum
 * scheduler_limit`. Tasks bound to it (their missing inputs come from tasks in its queue) compete
 * by the same order. A task that needs more computing units than are free keeps those that come
 * after it waiting, so that it gets its turn.
 *
 * An executor with waiting tasks gets only tasks that lie deeper than these.
 */
#ifndef TASK_SCHEDULER_H
#define TASK_SCHEDULER_H

#include "task/graph.h"

enum scheduler_limit {
	SCHEDULER_AHEAD_NS = 200000,         /* estimated work queued in an executor */
	SCHEDULER_AHEAD_TASKS = 64,
	SCHEDULER_ONE_AHEAD_NS = 10000000,   /* up to here one task may be queued behind another */
	SCHEDULER_TASK_NS = 3000,            /* cost of any task beside its function's run */
	SCHEDULER_OBJECT_NS = 2000,          /* cost of opening an object... */
	SCHEDULER_BYTES_PER_NS = 3,          /* ...and of its bytes */
};

/* A task is sent; graph_run says what to tell the executor. */
typedef void scheduler_send(void *data, uint32_t executor, uint32_t task);

/* Sends what can be sent. */
int scheduler_run(struct graph *g, scheduler_send *send, void *data, struct error *err) must_check;

#endif
