/*
 * Threads of a cell that wait at addresses of its linear memory (memory.atomic.wait), and those that
 * wake them (memory.atomic.notify). One object a linear memory, for all instances that run on it.
 *
 * Comparing the value and beginning to wait is one step to every notifier: both hold the lock. A
 * waiter stands in the list, oldest first, until it is notified or gives up, and sleeps outside of
 * the lock. What ends a wait besides: its time-out, waiters_close, and its owner's `give_up`, which
 * is asked whenever a signal interrupts the sleep.
 */
#ifndef CELL_WAITERS_H
#define CELL_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct waiters;

enum waiters_end { WAITERS_NOTIFIED, WAITERS_NOT_EQUAL, WAITERS_TIMED_OUT, WAITERS_GIVEN_UP };

struct waiters_wait {
	const void *at; /* `size` bytes, a multiple of `size` */
	uint32_t size;  /* 4 or 8 */
	uint64_t expected;
	int64_t timeout_ns; /* negative: none */
	bool (*give_up)(void *context); /* NULL: never */
	void *context;
};

int waiters_new(struct waiters **ret_waiters, struct error *err) must_check;
/* Nobody waits any more. NULL is fine. */
void waiters_free(struct waiters *waiters);

/* The first three ends are the results of the instruction. */
enum waiters_end waiters_wait(struct waiters *waiters, const struct waiters_wait *wait) must_check;
/* Wakes at most `count` that wait at this address; returns how many. */
uint32_t waiters_notify(struct waiters *waiters, const void *at, uint32_t count);
/* All who wait, and who will, give up. */
void waiters_close(struct waiters *waiters);

#endif
