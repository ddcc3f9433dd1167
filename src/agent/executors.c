/* Executors, from the request to the launcher to their end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent_state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

void executor_free(struct executor *x)
{
	if (!x)
		return;
	cleanup_close_fn(&x->socket);
	cleanup_close_fn(&x->bell);
	cleanup_close_fn(&x->executor_bell);
	if (x->memory)
		munmap(x->memory, 2 * ring_memory_size(AGENT_RING_CAPACITY));
	buf_done(&x->backlog);
	free(x);
}

static struct executor *executor_new(uint32_t launch, bool driver)
{
	struct executor *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	*x = (struct executor){.launch = launch,
	                       .driver = driver,
	                       .socket = -1,
	                       .bell = -1,
	                       .executor_bell = -1};
	return x;
}

/* A memory file that nobody can make shorter while we read it. */
static int make_rings(struct executor *x, int *ret_fd, struct error *err)
{
	size_t one = ring_memory_size(AGENT_RING_CAPACITY);
	cleanup_close int fd = memfd_create("cella-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)(2 * one)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_errno(err, CELLA_ENOMEM, "cannot make the memory file of an executor's rings");
	x->memory = mmap(NULL, 2 * one, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (x->memory == MAP_FAILED) {
		x->memory = NULL;
		return error_errno(err, CELLA_ENOMEM, "cannot map an executor's rings");
	}
	ring_reader_init(&x->up, x->memory, AGENT_RING_CAPACITY, -1, x->executor_bell);
	ring_writer_init(&x->down, (uint8_t *)x->memory + one, AGENT_RING_CAPACITY, x->executor_bell);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Rings, store and eventfds go into the socket's queue; the executor takes them when it is ready. */
static int send_rings(struct agent *a, struct executor *x, struct error *err)
{
	cleanup_close int rings = -1;
	x->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	x->executor_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (x->bell < 0 || x->executor_bell < 0)
		return error_errno(err, CELLA_EIO, "cannot make eventfds");
	int rc = make_rings(x, &rings, err);
	if (rc < 0)
		return rc;
	struct launch_rings m = {.version = TASK_FORMAT_VERSION,
	                         .ring_capacity = AGENT_RING_CAPACITY,
	                         .store_size = store_size(a->store)};
	int fds[] = {rings, store_fd(a->store), x->bell, x->executor_bell};
	rc = io_send_message(x->socket, &m, sizeof(m), fds, array_count(fds), err);
	if (rc < 0)
		return rc;
	/* Edge-triggered: it is only ever rung, never read. */
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = x->launch};
	if (epoll_ctl(a->epoll, EPOLL_CTL_ADD, x->bell, &event) < 0)
		return error_errno(err, CELLA_EIO, "cannot listen to an executor");
	return 0;
}

/* A file of its own for an executor's encrypted pages, without a name; -1: none is asked for. */
static int open_page_file(const struct agent *a, int *ret_fd, struct error *err)
{
	const char *directory = a->job.page_directory;
	char path[sizeof(a->job.page_directory) + sizeof("/cella-pages-XXXXXX")];
	*ret_fd = -1;
	if (!directory[0])
		return 0;
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		snprintf(path, sizeof(path), "%s/cella-pages-XXXXXX", directory);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot make a page file in %s", directory);
	*ret_fd = fd;
	return 0;
}

static int request(struct agent *a, struct executor *x, struct error *err)
{
	int sockets[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return error_errno(err, CELLA_EIO, "cannot make an executor's socket");
	x->socket = sockets[0];
	cleanup_close int theirs = sockets[1];
	struct launch_request m = {.type = LAUNCH_REQUEST,
	                           .version = LAUNCH_VERSION,
	                           .id = x->launch,
	                           .memory_level = a->job.memory_level,
	                           .heap = a->job.heap,
	                           .window = a->job.window};
	memcpy(m.nonce, a->job.nonce, sizeof(m.nonce));
	memcpy(m.builder, a->job.builder, sizeof(m.builder));
	cleanup_close int pages = -1;
	int rc = open_page_file(a, &pages, err);
	if (rc < 0)
		return rc;
	int fds[] = {theirs, a->bundle, pages};
	x->requested_ns = clock_ns();
	rc = io_send_message(a->las, &m, sizeof(m), fds, pages < 0 ? 2 : 3, err);
	if (rc < 0)
		return error_prefix(err, CELLA_ELOST, "the launcher cella-las does not listen: ");
	return send_rings(a, x, err);
}

int executor_launch(struct agent *a, bool driver, struct error *err)
{
	if (a->executor_count == AGENT_EXECUTORS_MAX)
		return error_set(err, CELLA_ELIMIT, "more than %d executors in one job", AGENT_EXECUTORS_MAX);
	struct executor *x = executor_new(a->executor_count, driver);
	if (!x)
		return error_set(err, CELLA_ENOMEM, "no memory for an executor");
	a->executors[a->executor_count++] = x;
	return request(a, x, err);
}

int executors_want_workers(struct agent *a, struct error *err)
{
	int rc = 0;
	if (a->job.executors == 0)
		return error_set(err, CELLA_EINVAL,
		                 "the program submits tasks, but the job has no executors that run them");
	a->workers_wanted = true;
	for (uint32_t i = 0; i < a->job.executors && rc == 0; i++)
		rc = executor_launch(a, false, err);
	return rc;
}

static int executor_kill(struct agent *a, struct executor *x, struct error *err)
{
	struct launch_kill m = {.type = LAUNCH_KILL, .id = x->launch};
	x->state = EXECUTOR_ENDING;
	int rc = io_send_message(a->las, &m, sizeof(m), NULL, 0, err);
	return rc < 0 ? error_prefix(err, CELLA_ELOST, "the launcher cella-las does not listen: ") : 0;
}

int executor_replied(struct agent *a, const struct launch_reply *reply, int *owner_fd, struct error *err)
{
	struct executor *x = reply->id < a->executor_count ? a->executors[reply->id] : NULL;
	if (!x || x->state != EXECUTOR_LAUNCHING || reply->evidence_size > LAUNCH_EVIDENCE_MAX)
		return error_set(err, CELLA_EFORMAT, "the launcher cella-las sent a malformed reply");
	if (a->stopping) /* too late: the owner waits for no more */
		return reply->error ? 0 : executor_kill(a, x, err);
	if (reply->error)
		return error_set(err, reply->error, "%.*s", (int)sizeof(reply->text), reply->text);
	if (*owner_fd < 0)
		return error_set(err, CELLA_EFORMAT, "the launcher cella-las sent no channel to an executor");
	uint32_t number = ++a->number_count;
	int rc = graph_executor_new(a->graph, number, x->driver, err);
	if (rc < 0)
		return rc;
	x->number = number;
	x->state = EXECUTOR_RUNS;
	a->numbered[number] = x;
	struct event_executor event = {
		.time_ns = a->now_ns,
		.requested_ns = x->requested_ns,
		.number = number,
		.driver = x->driver,
		.pid = reply->pid,
	};
	event_log_executor(a->log, &event);
	struct agent_executor m = {.type = AGENT_EXECUTOR,
	                           .index = number,
	                           .role = x->driver ? AGENT_DRIVER : AGENT_TASKS,
	                           .pid = reply->pid,
	                           .evidence_size = reply->evidence_size};
	return owner_send(a, &m, sizeof(m), reply->evidence, reply->evidence_size, *owner_fd, err);
}

int executor_misbehaves(struct agent *a, struct executor *x, const struct error *why, struct error *err)
{
	log_warn("%s; it is ended", why->text);
	x->why = *why;
	return executor_kill(a, x, err);
}

static int ended_how(const struct executor *x, int32_t status, struct error *err)
{
	const char *what = x->driver ? "the program's executor" : "an executor";
	if (x->why.code)
		return error_set(err, CELLA_ELOST, "%s was ended: %s", what, x->why.text);
	if (WIFSIGNALED(status))
		return error_set(err, CELLA_ELOST, "%s was killed by signal %d (%s)", what, WTERMSIG(status),
		                 strsignal(WTERMSIG(status)));
	return error_set(err, CELLA_ELOST, "%s ended with status %d", what, WEXITSTATUS(status));
}

/* It was not told to end: what it said last still counts, its tasks go elsewhere. */
static int executor_lost(struct agent *a, struct executor *x, int32_t status, struct error *err)
{
	bool any;
	int rc = 0;
	do {
		any = false;
		rc = up_read(a, x, &any, err);
	} while (rc == 0 && any);
	bool ended_well = x->driver && status == 0;
	bool replace = !x->driver && a->replaced < AGENT_REPLACEMENTS_MAX;
	x->state = EXECUTOR_GONE;
	if (rc < 0 || ended_well)
		return rc;
	if (x->driver)
		return ended_how(x, status, err);
	struct agent_lost m = {.type = AGENT_LOST, .index = x->number, .status = status, .replaced = replace};
	rc = owner_send(a, &m, sizeof(m), NULL, 0, -1, err);
	if (rc == 0)
		rc = graph_executor_lost(a->graph, a->now_ns, x->number, err);
	if (rc < 0)
		return rc;
	store_close_all(a->store, x->number);
	a->replaced++;
	if (replace)
		return executor_launch(a, false, err);
	rc = ended_how(x, status, err);
	return error_prefix(err, rc, "%u executors were lost and replaced, which is enough; ",
	                    a->replaced - 1);
}

int executor_exited(struct agent *a, const struct launch_exited *exited, struct error *err)
{
	struct executor *x = exited->id < a->executor_count ? a->executors[exited->id] : NULL;
	if (!x || x->state == EXECUTOR_GONE)
		return error_set(err, CELLA_EFORMAT,
		                 "the launcher cella-las speaks of an executor that is not there");
	if (x->number) {
		struct event_executor event = {.time_ns = a->now_ns,
		                               .number = x->number,
		                               .driver = x->driver,
		                               .status = exited->status};
		event_log_executor(a->log, &event);
	}
	if (x->state == EXECUTOR_LAUNCHING)
		return 0; /* the reply says why */
	if (!a->stopping)
		return executor_lost(a, x, exited->status, err);
	x->state = EXECUTOR_GONE;
	return 0;
}

/* In the middle of a task that nobody waits for, or on its way out: it will not say how its output ends. */
static int executor_interrupt(struct agent *a, struct executor *x, struct error *err)
{
	struct agent_lost m = {.type = AGENT_LOST, .index = x->number, .status = SIGKILL};
	int rc = owner_send(a, &m, sizeof(m), NULL, 0, -1, err);
	return rc < 0 || x->state == EXECUTOR_ENDING ? rc : executor_kill(a, x, err);
}

int executors_stop(struct agent *a, struct error *err)
{
	int rc = 0;
	for (uint32_t i = 0; i < a->executor_count && rc == 0; i++) {
		struct executor *x = a->executors[i];
		bool misbehaved = x->state == EXECUTOR_ENDING;
		if (x->state != EXECUTOR_RUNS && !misbehaved)
			continue;
		if (misbehaved || graph_executor_busy(a->graph, x->number)) {
			rc = executor_interrupt(a, x, err);
			continue;
		}
		down_send(a, x, TASK_DOWN_STOP, NULL, 0);
		down_flush(a, x);
		x->state = EXECUTOR_ENDING;
	}
	return rc;
}
