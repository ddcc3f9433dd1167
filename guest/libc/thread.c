/*
 * What musl's threads need of the machine, for wasi-libc in a cell: the descriptor of a thread, the
 * futex, and the functions that start and end threads.
 *
 * The library is thread-safe: malloc, stdio and locale lock, errno and the descriptor are
 * thread-local. A cell's program has one thread for now, so pthread_create refuses. While there is
 * one (libc.need_locks is 0) malloc and stdio do not even touch their locks.
 *
 * Compiled within musl's source tree (scripts/build-sysroot), against its internal headers.
 */
#include <stdlib.h>
#include <wasi/api.h>

#include "pthread_impl.h"

_Thread_local struct pthread __wasilibc_thread;

enum { FIRST_TID = 1, NS_PER_S = 1000000000 };

/* Before the constructors of wasi-libc, whose priorities are 50 and 51. */
__attribute__((constructor(1))) static void init_first_thread(void)
{
	struct pthread *self = &__wasilibc_thread;
	self->self = self->prev = self->next = self;
	self->tid = FIRST_TID;
	self->detach_state = DT_JOINABLE;
	self->locale = &libc.global_locale;
	self->robust_list.head = &self->robust_list.head;
}

/* `timeout` is relative: seconds and nanoseconds, or NULL. */
static long futex_wait(int *word, int value, const long long *timeout)
{
	enum { WOKEN, NOT_EQUAL, TIMED_OUT };
	long long ns = -1;
	if (timeout)
		ns = timeout[0] < INT_MAX ? timeout[0] * NS_PER_S + timeout[1] : -1;
	switch (__builtin_wasm_memory_atomic_wait32(word, value, ns)) {
	case WOKEN: return 0;
	case NOT_EQUAL: return -EAGAIN;
	default: return -ETIMEDOUT;
	}
}

/* Requeueing wakes instead: the woken thread then waits for the mutex by itself. */
long __wasilibc_syscall(long number, long address, long operation, long value, long timeout)
{
	int *word = (int *)address;
	if (number != SYS_futex)
		return -ENOSYS;
	switch (operation & ~FUTEX_PRIVATE) {
	case FUTEX_WAIT: return futex_wait(word, value, (const long long *)timeout);
	case FUTEX_WAKE: return __builtin_wasm_memory_atomic_notify(word, (unsigned)value);
	case FUTEX_REQUEUE: return __builtin_wasm_memory_atomic_notify(word, 1);
	default: return -ENOSYS;
	}
}

int __pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                     void *(*enter)(void *), void *restrict argument)
{
	static const char text[] = "pthread_create: a program in a cell has one thread; "
				   "the tasks of cella/task.h run in parallel\n";
	static volatile int told;
	const __wasi_ciovec_t piece = {(const uint8_t *)text, sizeof(text) - 1};
	size_t written;
	if (!a_swap(&told, 1))
		(void)!__wasi_fd_write(2, &piece, 1, &written);
	return EAGAIN;
}
weak_alias(__pthread_create, pthread_create);

/* The only thread there can be is the caller. */
int __pthread_join(pthread_t thread, void **result)
{
	return thread == __pthread_self() ? EDEADLK : ESRCH;
}
weak_alias(__pthread_join, pthread_join);

static int detach(pthread_t thread)
{
	if (thread != __pthread_self())
		return ESRCH;
	return a_cas(&thread->detach_state, DT_JOINABLE, DT_DETACHED) == DT_JOINABLE ? 0 : EINVAL;
}
weak_alias(detach, pthread_detach);
weak_alias(detach, thrd_detach);

void __do_cleanup_push(struct __ptcb *handler)
{
	struct pthread *self = __pthread_self();
	handler->__next = self->cancelbuf;
	self->cancelbuf = handler;
}

void __do_cleanup_pop(struct __ptcb *handler)
{
	__pthread_self()->cancelbuf = handler->__next;
}

static void no_keys(void)
{
}
weak_alias(no_keys, __pthread_tsd_run_dtors);

/* The last thread's end is the program's. */
_Noreturn void __pthread_exit(void *result)
{
	struct pthread *self = __pthread_self();
	while (self->cancelbuf) {
		struct __ptcb *handler = self->cancelbuf;
		self->cancelbuf = handler->__next;
		handler->__f(handler->__x);
	}
	__pthread_tsd_run_dtors();
	exit(0);
}
weak_alias(__pthread_exit, pthread_exit);
