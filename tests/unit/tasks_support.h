/*
 * What the tests of an executor's task side share: a driver, executors and an agent as processes,
 * task functions for fake cells, and their submission.
 */
#ifndef TASKS_SUPPORT_H
#define TASKS_SUPPORT_H

#include "fake_agent.h"
#include "fake_instance.h"

extern struct fake_result *result; /* shared by all processes of a run */

/* A run: one driver, executors - 1 for tasks, an agent. */
struct scenario {
	const struct fake_program *program;
	uint32_t executors;
	fake_tamper *tamper;
	size_t cache; /* bytes of each executor's; 0: 1 MiB */
};

void run(const struct scenario *s);
/* It ends well, and the agent has nothing to complain about. */
void run_well(const struct scenario *s);
/* The driver traps, and says this. */
void run_badly(const struct scenario *s, const char *text);
/* All tests of a program; its first argument chooses some of them. */
int run_group(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv);

enum {
	EMPTY,       /* */
	SCALE,       /* IN x, OUT y, count, k: y += k * x */
	INCREMENT,   /* INOUT x, count */
	GATHER,      /* IN_EACH x, OUT sum, count */
	TRANSPOSE,   /* INOUT_EACH2 x of 2 columns, rows: swaps them */
	MARK,        /* CONCURRENT 1000 bytes, at: bytes[at] = at + 1 */
	ADD,         /* COMMUTATIVE {sum, count}, value */
	COPY_FILE,   /* FILE_IN, FILE_OUT */
	APPEND_FILE, /* FILE_INOUT: appends "+" */
	REMAKE_FILE, /* FILE_INOUT, FILE_IN: deletes the first, has COPY_FILE make it again from the second */
	DROP_FILE, /* FILE_OUT: deletes it */
	NEST, /* OUT, n: Fibonacci's n-th number, naively */
	DEEP, /* OUT, n: submits n - 1 and waits; FAIL */
	FAIL, /* tried twice */
	FLAKY, /* as INCREMENT, but fails twice */
	CANCELING, /* as FAIL; cancels its successors */
	IGNORED, /* as FAIL, IGNORE */
	HANG, /* takes longer than its time-out before it waits */
	EXIT, /* as INCREMENT, and a status to exit with */
};
extern const struct fake_function task_functions_of_tests[FAKE_FUNCTIONS_MAX];
#define PROGRAM(name) static const struct fake_program name##_program = {task_functions_of_tests, name##_main}

void submit_empty(struct cell_instance *cell);
void submit_scale(struct cell_instance *cell, uint32_t x, uint32_t y, uint32_t n, double k);
void submit_in_place(struct cell_instance *cell, uint32_t function, uint32_t x, uint32_t n);
void submit_mark(struct cell_instance *cell, uint32_t buffer, uint32_t at);
void submit_add(struct cell_instance *cell, uint32_t sum, uint32_t value);

/* Counting up from `first`. */
uint32_t new_doubles(struct cell_instance *cell, uint32_t n, double first);
double double_at(struct cell_instance *cell, uint32_t address, uint32_t index);
/* For the test to look at. */
void note(size_t index, double value);
size_t read_file(struct cell_instance *cell, const char *path, uint8_t *to, size_t capacity);
void write_file(struct cell_instance *cell, const char *path, const void *data, size_t size);

#endif
