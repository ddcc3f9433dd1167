#include "cell/waiters.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* On the stack of the thread that waits: whoever takes it out of the list is done with it when they let go of
 * the lock, which the thread takes once more before it goes. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	const void *at;
	_Atomic uint32_t woken; /* what it sleeps on */
};

struct waiters {
	pthread_mutex_t lock;
	TAILQ_HEAD(waiter_list, waiter) list; /* oldest first */
	bool closed;
};

int waiters_new(struct waiters **ret_waiters, struct error *err)
{
	struct waiters *waiters = calloc(1, sizeof(*waiters));
	if (!waiters)
		return error_set(err, CELLA_ENOMEM, "no memory for the threads of a cell");
	pthread_mutex_init(&waiters->lock, NULL);
	TAILQ_INIT(&waiters->list);
	*ret_waiters = waiters;
	return 0;
}

void waiters_free(struct waiters *waiters)
{
	if (!waiters)
		return;
	pthread_mutex_destroy(&waiters->lock);
	free(waiters);
}

static void wake(struct waiters *waiters, struct waiter *waiter)
{
	TAILQ_REMOVE(&waiters->list, waiter, link);
	atomic_store(&waiter->woken, 1);
	syscall(SYS_futex, &waiter->woken, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

uint32_t waiters_notify(struct waiters *waiters, const void *at, uint32_t count)
{
	uint32_t woken = 0;
	pthread_mutex_lock(&waiters->lock);
	for (struct waiter *waiter = TAILQ_FIRST(&waiters->list), *next; waiter && woken < count;
	     waiter = next) {
		next = TAILQ_NEXT(waiter, link);
		if (waiter->at != at)
			continue;
		wake(waiters, waiter);
		woken++;
	}
	pthread_mutex_unlock(&waiters->lock);
	return woken;
}

void waiters_close(struct waiters *waiters)
{
	struct waiter *waiter;
	pthread_mutex_lock(&waiters->lock);
	waiters->closed = true;
	while ((waiter = TAILQ_FIRST(&waiters->list)))
		wake(waiters, waiter);
	pthread_mutex_unlock(&waiters->lock);
}

static bool is_equal(const struct waiters_wait *wait)
{
	uint64_t found = wait->size == 4 ? __atomic_load_n((const uint32_t *)wait->at, __ATOMIC_SEQ_CST)
	                                 : __atomic_load_n((const uint64_t *)wait->at, __ATOMIC_SEQ_CST);
	return found == wait->expected;
}

/* UINT64_MAX: never */
static uint64_t deadline_of(const struct waiters_wait *wait)
{
	uint64_t deadline;
	if (wait->timeout_ns < 0 ||
	    __builtin_add_overflow(clock_ns(), (uint64_t)wait->timeout_ns, &deadline) || deadline > INT64_MAX)
		return UINT64_MAX;
	return deadline;
}

/* Until it is woken or its time has passed; a signal makes it ask whether to give up. */
static enum waiters_end sleep_until(struct waiter *waiter, const struct waiters_wait *wait,
                                    uint64_t deadline_ns)
{
	struct timespec time = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
	                        .tv_nsec = (long)(deadline_ns % 1000000000u)};
	while (!atomic_load(&waiter->woken)) {
		if (wait->give_up && wait->give_up(wait->context))
			return WAITERS_GIVEN_UP;
		if (syscall(SYS_futex, &waiter->woken, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0,
		            deadline_ns == UINT64_MAX ? NULL : &time, NULL, FUTEX_BITSET_MATCH_ANY) < 0 &&
		    errno == ETIMEDOUT)
			return WAITERS_TIMED_OUT;
	}
	return WAITERS_NOTIFIED;
}

/* False, and why: the value is another, or nobody may wait any more. */
static bool enlist(struct waiters *waiters, struct waiter *waiter, const struct waiters_wait *wait,
                   enum waiters_end *ret_end)
{
	pthread_mutex_lock(&waiters->lock);
	bool waits = !waiters->closed && is_equal(wait);
	*ret_end = waiters->closed ? WAITERS_GIVEN_UP : WAITERS_NOT_EQUAL;
	if (waits)
		TAILQ_INSERT_TAIL(&waiters->list, waiter, link);
	pthread_mutex_unlock(&waiters->lock);
	return waits;
}

enum waiters_end waiters_wait(struct waiters *waiters, const struct waiters_wait *wait)
{
	struct waiter waiter = {.at = wait->at};
	enum waiters_end end;
	uint64_t deadline_ns = deadline_of(wait);
	if (!enlist(waiters, &waiter, wait, &end))
		return end;
	end = sleep_until(&waiter, wait, deadline_ns);
	pthread_mutex_lock(&waiters->lock);
	if (!atomic_load(&waiter.woken))
		TAILQ_REMOVE(&waiters->list, &waiter, link);
	else
		end = waiters->closed ? WAITERS_GIVEN_UP : WAITERS_NOTIFIED;
	pthread_mutex_unlock(&waiters->lock);
	return end;
}
