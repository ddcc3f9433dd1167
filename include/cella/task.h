/*
 * Tasks: a sequential C program whose annotated calls become tasks.
 *
 *     #include <cella/task.h>
 *
 *     CELLA_TASK(scale, CELLA_IN(const double, x, n), CELLA_OUT(double, y, n),
 *                       CELLA_VALUE(size_t, n), CELLA_VALUE(double, k))
 *     {
 *             for (size_t i = 0; i < n; i++)
 *                     y[i] = k * x[i];
 *     }
 *
 *     int main(void)
 *     {
 *             ...
 *             scale(x, y, n, 2.0);     // submitted; returns at once
 *             scale(y, z, n, 0.5);     // runs after the first: it reads what that writes
 *             cella_wait_on(z);        // now z may be read
 *     }
 *
 * Called inside a cell, `scale` is a task that runs in another process of the same application;
 * dependencies follow from the data that tasks name. Compiled natively (cella cc --native) the
 * same source is an ordinary sequential program: a task is a call, whose OUT data are zeroed before it
 * and whose COPY data are a copy; docs/reference/tasks.md says what else differs.
 *
 * Data. A buffer is known by its address. The first task that names it takes its content as it
 * is then; from then on the content belongs to the tasks: do not read or write it until
 * cella_wait_on(buffer) has returned, and call cella_forget(buffer) before its memory gets
 * another use. Each write makes a new version, so readers of the old one never wait for it
 * (renaming: only true dependencies order tasks). Two tracked buffers must not overlap.
 *
 * Parameters, in any order; `count` may name the function's other parameters:
 *     CELLA_VALUE(type, name)                 passed by value
 *     CELLA_COPY(type, name, count)           `count` elements passed by value; never tracked
 *     CELLA_IN(type, name, count)             read
 *     CELLA_OUT(type, name, count)            written; starts as zeros
 *     CELLA_INOUT(type, name, count)          read and written
 *     CELLA_CONCURRENT(type, name, count)     written by several tasks at the same time; each
 *                                             starts from the same content, and the bytes that each
 *                                             changed are merged
 *     CELLA_COMMUTATIVE(type, name, count)    read and written by several tasks, one at a time, in
 *                                             any order
 *     CELLA_IN_EACH(type, name, count, each)  a collection: type *name[count]; each pointer is
 *                                             a buffer of its own of `each` elements (an expression that
 *                                             may use the element's index as cella_i); also _OUT_EACH,
 *                                             _INOUT_EACH
 *     CELLA_IN_EACH2(type, name, rows, columns, each)  nested: type **name[rows]; also _OUT_, _INOUT_
 *     CELLA_FILE_IN(name), CELLA_FILE_OUT(name), CELLA_FILE_INOUT(name)
 *                                             const char *name: a path; the task sees a file of its
 *                                             own there; cella_wait_on_file brings it back
 *
 * A task may call tasks (nested, 64 deep at most); it ends when they have. A task fails when it
 * traps, exits with a status other than 0, calls cella_fail, exceeds its time-out, or its process is
 * lost; or when a task that it called has failed for good, and then it is not tried again. A program
 * whose task has failed for good ends at its next call of these functions, or when main returns,
 * with status 134.
 */
#ifndef CELLA_TASK_H
#define CELLA_TASK_H

#include <stddef.h>
#include <stdint.h>

#include <cella/error.h>
#include <cella/task_macros.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cella_on_failure {
	CELLA_ON_FAILURE_RETRY,             /* try again (options.retries times), then FAIL */
	CELLA_ON_FAILURE_FAIL,              /* end the program with an error at once */
	CELLA_ON_FAILURE_IGNORE,            /* go on: OUT data are zeros, INOUT data keep the old version */
	CELLA_ON_FAILURE_CANCEL_SUCCESSORS, /* cancel the tasks that need its outputs, go on with the rest */
};

/* The options of a task function, given as designated initialisers:
 * CELLA_TASK_WITH(name, (.priority = 1, .timeout_ms = 500), parameters...) { body } */
struct cella_task_options {
	int32_t priority; /* higher first among ready tasks; default 0 */
	uint32_t computing_units; /* processors that it takes; 0 means 1 */
	uint64_t memory; /* protected memory that its executor must offer, bytes; 0: any */
	uint32_t on_failure; /* enum cella_on_failure */
	uint32_t retries; /* with RETRY; 0 means 2 */
	uint32_t backoff_ms; /* before the first retry; doubles at each further one */
	uint32_t timeout_ms; /* of one attempt, 0: none */
};

#define CELLA_TASK(name, ...) CELLA_TASK_WITH(name, (.priority = 0), __VA_ARGS__)
#define CELLA_TASK_WITH(name, options, ...) CELLA_TASK_DEFINE_(name, options, __VA_ARGS__)

/* CELLA_WARM_UP(name) { body }: what tasks need and none of them should wait for: tables, a model that is
 * read. Runs in executors before their first task; each of their cells begins with what it leaves in the
 * program's variables. The main program does not see that. It calls no tasks, and closes what it opens. */
#define CELLA_WARM_UP(name) CELLA_WARM_UP_DEFINE_(name)

/* Wait until the last version of this buffer is there, and bring it into the buffer. The content is
 * the caller's again: it may change it, and the next task that names it takes the new content.
 * 0; CELLA_ECANCELED if the task that makes it was cancelled (the buffer is unchanged). */
int cella_wait_on(const void *buffer);
/* The same, but the caller promises not to change the content: tasks go on sharing the version. */
int cella_wait_on_unchanged(const void *buffer);
/* Wait for the last version of the file and bring it to `path`. */
int cella_wait_on_file(const char *path);
/* Wait for all tasks that this program or task has submitted. */
void cella_barrier(void);
/* This buffer's memory is about to get another use. Waits for nothing; tasks under way keep
 * their versions. */
void cella_forget(const void *buffer);

/* Tasks submitted between begin and end belong to the group too; groups nest. */
void cella_group_begin(const char *name);
void cella_group_end(void);
/* Wait for a group's tasks. 0; CELLA_ECANCELED if some were cancelled; CELLA_ENOENT if there is no such
 * group (of those that have ended the latest 256 are known). */
int cella_group_wait(const char *name);
/* Cancel the tasks of the group that have not started, and their successors. The number cancelled. */
int cella_group_cancel(const char *name);

/* In a task: fail with a reason that the submitter sees. In the main program: end it with status 1. */
void cella_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The number of executors that may run tasks (1 natively). */
int cella_executors(void);

#ifdef __cplusplus
}
#endif

#endif
