/* Arguments, environment, clocks, random bytes, waiting. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "cell/wasi/state.h"

#define SLEEP_MAX_NS ((uint64_t)1 << 62)

static uint32_t put_strings(struct cell_instance *cell, const struct wasi_strings *strings, uint32_t pointers,
                            uint32_t bytes)
{
	uint8_t *table = wasi_bytes(cell, pointers, strings->count * sizeof(uint32_t));
	char *text = wasi_bytes(cell, bytes, strings->size);
	if (!table || !text)
		return WASI_EFAULT;
	size_t at = 0;
	for (size_t i = 0; i < strings->count; i++) {
		uint32_t address = bytes + (uint32_t)at;
		memcpy(table + i * sizeof(address), &address, sizeof(address));
		at += strlen(strings->text + at) + 1;
	}
	memcpy(text, strings->text, strings->size);
	return WASI_SUCCESS;
}

static uint32_t put_sizes(struct cell_instance *cell, const struct wasi_strings *strings, uint32_t count_to,
                          uint32_t size_to)
{
	uint32_t count = (uint32_t)strings->count, size = (uint32_t)strings->size;
	void *ret_count = wasi_bytes(cell, count_to, sizeof(count)),
	     *ret_size = wasi_bytes(cell, size_to, sizeof(size));
	if (!ret_count || !ret_size)
		return WASI_EFAULT;
	memcpy(ret_count, &count, sizeof(count));
	memcpy(ret_size, &size, sizeof(size));
	return WASI_SUCCESS;
}

uint32_t wasi_args_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	return put_strings(cell, &w->arguments, v[0].i32, v[1].i32);
}

uint32_t wasi_args_sizes_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	return put_sizes(cell, &w->arguments, v[0].i32, v[1].i32);
}

uint32_t wasi_environ_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	return put_strings(cell, &w->environment, v[0].i32, v[1].i32);
}

uint32_t wasi_environ_sizes_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	return put_sizes(cell, &w->environment, v[0].i32, v[1].i32);
}

static uint32_t read_clock(const struct wasi *w, uint32_t id, int (*read)(clockid_t, struct timespec *),
                           uint64_t *ret_ns)
{
	static const clockid_t clock_of[WASI_CLOCK_COUNT] = {CLOCK_REALTIME, CLOCK_MONOTONIC,
	                                                     CLOCK_PROCESS_CPUTIME_ID,
	                                                     CLOCK_THREAD_CPUTIME_ID};
	struct timespec time;
	if (id >= WASI_CLOCK_COUNT)
		return WASI_EINVAL;
	if (read(clock_of[id], &time) < 0)
		return wasi_errno_of(errno);
	bool wall = id == WASI_CLOCK_REALTIME && read == clock_gettime;
	*ret_ns = wall ? wasi_now_ns(w) : (uint64_t)clock_ns_of(&time);
	return WASI_SUCCESS;
}

static uint32_t put_clock(const struct wasi *w, struct cell_instance *cell, uint32_t id,
                          int (*read)(clockid_t, struct timespec *), uint32_t result)
{
	uint64_t ns = 0;
	void *ret = wasi_bytes(cell, result, sizeof(ns));
	uint32_t rc = ret ? read_clock(w, id, read, &ns) : WASI_EFAULT;
	if (rc == WASI_SUCCESS)
		memcpy(ret, &ns, sizeof(ns));
	return rc;
}

uint32_t wasi_clock_res_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	return put_clock(w, cell, v[0].i32, clock_getres, v[1].i32);
}

uint32_t wasi_clock_time_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	return put_clock(w, cell, v[0].i32, clock_gettime, v[2].i32);
}

uint32_t wasi_random_get(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	uint8_t *to = wasi_bytes(cell, v[0].i32, v[1].i32);
	(void)w;
	if (!to)
		return WASI_EFAULT;
	for (size_t done = 0; done < v[1].i32;) {
		size_t pinned = instance_pin(cell, to + done, v[1].i32 - done, true);
		ssize_t n = getrandom(to + done, pinned, 0);
		instance_unpin(cell, to + done, pinned);
		if (pinned == 0)
			return WASI_ENOMEM;
		if (n < 0 && errno != EINTR)
			return wasi_errno_of(errno);
		done += (size_t)max_of(n, (ssize_t)0);
	}
	return WASI_SUCCESS;
}

uint32_t wasi_sched_yield(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	(void)w;
	(void)cell;
	(void)v;
	sched_yield();
	return WASI_SUCCESS;
}

/* How long until a clock subscription is due; UINT64_MAX for another kind. */
static uint64_t due_in(const struct wasi *w, const struct wasi_subscription *s)
{
	uint64_t now = 0;
	if (s->type != WASI_EVENTTYPE_CLOCK || s->clock.id > WASI_CLOCK_MONOTONIC)
		return UINT64_MAX;
	if (!(s->clock.flags & WASI_SUBSCRIPTION_ABSTIME))
		return s->clock.timeout_ns;
	if (read_clock(w, s->clock.id, clock_gettime, &now) != WASI_SUCCESS || now >= s->clock.timeout_ns)
		return 0;
	return s->clock.timeout_ns - now;
}

/* The event that a subscription has after `waited` nanoseconds; false: none. */
static bool event_of(struct wasi *w, const struct wasi_subscription *s, uint64_t waited,
                     struct wasi_event *ret)
{
	struct wasi_descriptor *d;
	*ret = (struct wasi_event){.userdata = s->userdata, .type = s->type};
	switch (s->type) {
	case WASI_EVENTTYPE_CLOCK:
		if (s->clock.id > WASI_CLOCK_MONOTONIC)
			ret->error = WASI_ENOTSUP;
		return s->clock.id > WASI_CLOCK_MONOTONIC || due_in(w, s) <= waited;
	case WASI_EVENTTYPE_FD_READ:
	case WASI_EVENTTYPE_FD_WRITE:
		ret->error = (uint16_t)wasi_descriptor(w, s->descriptor, WASI_POLL_FD_READWRITE, &d);
		ret->byte_count = ret->error ? 0 : 1;
		return true;
	default: ret->error = WASI_EINVAL; return true;
	}
}

/* A time-out of the cell ends its sleep, no other signal does. */
static uint32_t sleep_for(struct cell_instance *cell, uint64_t ns)
{
	uint64_t until = clock_ns() + min_of(ns, SLEEP_MAX_NS);
	struct timespec time = {.tv_sec = (time_t)(until / 1000000000u),
	                        .tv_nsec = (long)(until % 1000000000u)};
	int number;
	while ((number = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL)) == EINTR)
		if (instance_overdue(cell))
			instance_trap(cell, CELL_TRAP_TIMEOUT, "while it slept");
	return number ? wasi_errno_of(number) : WASI_SUCCESS;
}

/* Files and streams are always ready, so only clocks alone make it wait. */
static uint32_t wait_for(const struct wasi *w, struct cell_instance *cell, const uint8_t *subscriptions,
                         uint32_t count, uint64_t *ret_waited)
{
	uint64_t least = UINT64_MAX;
	bool ready = false;
	for (uint32_t i = 0; i < count; i++) {
		struct wasi_subscription s;
		memcpy(&s, subscriptions + i * sizeof(s), sizeof(s));
		ready = ready || s.type != WASI_EVENTTYPE_CLOCK || s.clock.id > WASI_CLOCK_MONOTONIC;
		least = min_of(least, due_in(w, &s));
	}
	*ret_waited = 0;
	if (ready || least == 0)
		return WASI_SUCCESS;
	*ret_waited = least;
	return sleep_for(cell, least);
}

uint32_t wasi_poll_oneoff(struct wasi *w, struct cell_instance *cell, const union cell_value *v)
{
	uint32_t wanted = v[2].i32, count = 0;
	if (wanted == 0 || wanted > WASI_SUBSCRIPTIONS_MAX)
		return WASI_EINVAL;
	const uint8_t *in = wasi_bytes(cell, v[0].i32, wanted * sizeof(struct wasi_subscription));
	uint8_t *out = wasi_bytes(cell, v[1].i32, wanted * sizeof(struct wasi_event));
	void *ret = wasi_bytes(cell, v[3].i32, sizeof(count));
	if (!in || !out || !ret)
		return WASI_EFAULT;
	uint64_t waited;
	uint32_t rc = wait_for(w, cell, in, wanted, &waited);
	if (rc != WASI_SUCCESS)
		return rc;
	for (uint32_t i = 0; i < wanted; i++) {
		struct wasi_subscription s;
		struct wasi_event event;
		memcpy(&s, in + i * sizeof(s), sizeof(s));
		if (event_of(w, &s, waited, &event))
			memcpy(out + count++ * sizeof(event), &event, sizeof(event));
	}
	memcpy(ret, &count, sizeof(count));
	return WASI_SUCCESS;
}
