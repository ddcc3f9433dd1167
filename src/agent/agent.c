#include "agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/agent_state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "net/spin.h"

enum { AGENT_FROM_OWNER = AGENT_EXECUTORS_MAX, AGENT_FROM_LAS, AGENT_EVENTS = 32 };

static int las_readable(struct agent *a, struct error *err)
{
	union {
		uint32_t type;
		struct launch_reply reply;
		struct launch_exited exited;
	} m;
	int fds[2] = {-1, -1};
	size_t size, fd_count = 0;
	int rc = io_receive_message(a->las, &m, sizeof(m), &size, fds, array_count(fds), &fd_count, err);
	if (rc < 0)
		return rc;
	if (size == 0 && a->stopping)
		a->over = true;
	else if (size == 0)
		rc = error_set(err, CELLA_ELOST, "the launcher cella-las is gone");
	else if (size == sizeof(m.reply) && m.type == LAUNCH_REPLY)
		rc = executor_replied(a, &m.reply, &fds[0], err);
	else if (size == sizeof(m.exited) && m.type == LAUNCH_EXITED)
		rc = executor_exited(a, &m.exited, err);
	else
		rc = error_set(err, CELLA_EFORMAT, "the launcher cella-las sent a malformed message");
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	return rc;
}

/* One round over the rings: read, schedule, publish. */
static int serve_rings(struct agent *a, bool *ret_any, struct error *err)
{
	int rc = 0;
	for (uint32_t i = 0; i < a->executor_count && rc == 0; i++)
		if (a->executors[i]->state == EXECUTOR_RUNS)
			rc = up_read(a, a->executors[i], ret_any, err);
	if (rc == 0)
		rc = down_schedule(a, err);
	for (uint32_t i = 0; i < a->executor_count && rc == 0; i++)
		if (a->executors[i]->state == EXECUTOR_RUNS)
			down_flush(a, a->executors[i]);
	return rc;
}

static void all_awake(struct agent *a)
{
	for (uint32_t i = 0; i < a->executor_count; i++) {
		struct executor *x = a->executors[i];
		if (x->state != EXECUTOR_RUNS)
			continue;
		ring_awake(&x->up);
		down_awake(x);
	}
}

/* True if every ring is empty and its writer will ring. */
static bool all_prepare_sleep(struct agent *a)
{
	for (uint32_t i = 0; i < a->executor_count; i++) {
		struct executor *x = a->executors[i];
		if (x->state != EXECUTOR_RUNS)
			continue;
		if ((!up_held_back(a, x) && !ring_prepare_sleep(&x->up)) || !down_prepare_sleep(x)) {
			all_awake(a);
			return false;
		}
	}
	return true;
}

static int dispatch(struct agent *a, const struct epoll_event *event, struct error *err)
{
	if (event->data.u32 == AGENT_FROM_LAS)
		return las_readable(a, err);
	if (event->data.u32 == AGENT_FROM_OWNER)
		return owner_readable(a, err);
	return 0; /* a bell: the rings are looked at anyway */
}

/* Wait for descriptors until `due_ns` (0: just look). */
static int wait_for_events(struct agent *a, uint64_t due_ns, struct error *err)
{
	struct epoll_event events[AGENT_EVENTS];
	struct timespec left = {0}, *timeout = &left;
	uint64_t wait = due_ns > a->now_ns ? due_ns - a->now_ns : 0;
	left.tv_sec = (time_t)(wait / 1000000000);
	left.tv_nsec = (long)(wait % 1000000000);
	if (due_ns == UINT64_MAX)
		timeout = NULL;
	int count = epoll_pwait2(a->epoll, events, AGENT_EVENTS, timeout, NULL);
	a->now_ns = clock_ns();
	if (count < 0 && errno != EINTR)
		return error_errno(err, CELLA_EIO, "cannot wait for events");
	int rc = 0;
	for (int i = 0; i < count && rc == 0 && !a->over; i++)
		rc = dispatch(a, &events[i], err);
	return rc;
}

static int sleep_until(struct agent *a, uint64_t due_ns, struct error *err)
{
	if (!all_prepare_sleep(a))
		return 0;
	if (a->job.flags & AGENT_START_PROGRESS)
		due_ns = min_of(due_ns, a->now_ns + AGENT_PROGRESS_NS);
	int rc = wait_for_events(a, due_ns, err);
	all_awake(a);
	return rc;
}

static int serve(struct agent *a, struct error *err)
{
	struct spin spin = {0};
	uint64_t glance_ns = 0;
	while (!a->over) {
		bool any = false;
		a->now_ns = clock_ns();
		uint64_t due_ns = graph_tick(a->graph, a->now_ns);
		int rc = serve_rings(a, &any, err);
		if (rc == 0 && a->now_ns - glance_ns > AGENT_GLANCE_NS) {
			glance_ns = a->now_ns;
			owner_progress(a);
			rc = wait_for_events(a, 0, err);
		}
		if (rc == 0 && any)
			spin_reset(&spin);
		else if (rc == 0 && !a->over && !spin_again(&spin, SPIN_NS)) {
			rc = sleep_until(a, due_ns, err);
			spin_reset(&spin);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int listen_to(struct agent *a, int fd, uint32_t name, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = name};
	if (epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return error_errno(err, CELLA_EIO, "cannot listen to a descriptor");
	return 0;
}

static int prepare(struct agent *a, struct error *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct graph_config config = {
		.listener = down_listener(a),
		.memory = a->job.heap,
		.computing_units = max_of(a->job.executors, (uint32_t)max_of(processors, 1L)),
		.tasks_max = (uint32_t)(2 * a->job.tasks_max),
	};
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll < 0)
		return error_errno(err, CELLA_EIO, "cannot make an event queue");
	int rc = listen_to(a, a->owner, AGENT_FROM_OWNER, err);
	if (rc == 0)
		rc = listen_to(a, a->las, AGENT_FROM_LAS, err);
	if (rc == 0)
		rc = graph_new(&config, &a->graph, err);
	if (rc == 0)
		rc = store_new(a->job.store_limit, a->job.spill_directory, &a->store, err);
	if (rc == 0 && a->job.flags & AGENT_START_EVENTS)
		rc = event_log_new(a->job.executors, a->now_ns, &a->log, err);
	return rc;
}

static int run_job(struct agent *a, struct error *err)
{
	int rc = prepare(a, err);
	if (rc == 0)
		rc = executor_launch(a, true, err);
	if (rc == 0 && a->job.flags & AGENT_START_TASKS)
		rc = executors_want_workers(a, err);
	return rc < 0 ? rc : serve(a, err);
}

static void agent_free(struct agent *a)
{
	for (uint32_t i = 0; i < a->executor_count; i++)
		executor_free(a->executors[i]);
	graph_free(a->graph);
	store_free(a->store);
	event_log_free(a->log);
	cleanup_close_fn(&a->epoll);
	cleanup_close_fn(&a->bundle);
	free(a);
}

int agent_run(int owner, int las, struct error *err)
{
	struct agent *a = calloc(1, sizeof(*a));
	if (!a)
		return error_set(err, CELLA_ENOMEM, "no memory for the agent");
	a->owner = owner;
	a->las = las;
	a->epoll = a->bundle = -1;
	a->now_ns = clock_ns();
	struct error why;
	int rc = owner_receive_start(a, &why);
	if (rc == 0)
		rc = run_job(a, &why);
	if (rc < 0) {
		owner_failed(a, &why);
		error_set(err, rc, "%s", why.text);
	}
	agent_free(a);
	return rc;
}
