/*
 * cella bench start: a new executor, from the request to the launcher until its evidence is there: it has
 * measured its cell, has its keys in protected memory and waits for what to run. The launcher runs
 * already; we stand where the agent does.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cell/launch_format.h"
#include "cli/bench/bench.h"
#include "cli/spawn.h"
#include "mem/mem.h"

enum { LAUNCH_BUNDLE_MAX = 1 << 26, LAUNCH_TIMEOUT_MS = 20000, LAUNCHES_A_RUN = 4, LAUNCH_WAIT_MS = 5000 };

struct launch_case {
	const char *name;
	uint64_t heap;
};
static const struct launch_case cases[] = {
	{"new protected executor, heap 2G", 2ull << 30},
	{"new protected executor, heap 8G", 8ull << 30},
	{"new protected executor, heap 32G", 32ull << 30},
};

/* The launcher, and our ends of its sockets. */
struct bench_las {
	pid_t pid;
	int owner, agent;
};

static int las_start(struct bench_las *las, struct error *err)
{
	int owner[2] = {-1, -1}, agent[2] = {-1, -1};
	struct launch_identity identity;
	size_t size;
	int rc = 0;
	*las = (struct bench_las){.owner = -1, .agent = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, owner) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent) < 0)
		rc = error_errno(err, CELLA_EIO, "cannot make the launcher's sockets");
	const struct spawn spawn = {.name = "cella-las",
	                            .second_option = "--agent-fd",
	                            .owner_fd = owner[1],
	                            .second_fd = agent[1]};
	if (rc == 0)
		rc = spawn_daemon(&spawn, &las->pid, err);
	las->owner = owner[0];
	las->agent = agent[0];
	cleanup_close_fn(&owner[1]);
	cleanup_close_fn(&agent[1]);
	if (rc == 0)
		rc = io_receive_message(las->owner, &identity, sizeof(identity), &size, NULL, 0, NULL, err);
	if (rc == 0 && size != sizeof(identity))
		rc = error_set(err, CELLA_ELOST, "the launcher did not start");
	return rc;
}

static void las_end(struct bench_las *las)
{
	cleanup_close_fn(&las->agent);
	cleanup_close_fn(&las->owner);
	if (las->pid > 0)
		spawn_reap(las->pid, LAUNCH_WAIT_MS);
}

/* The launcher's next message, of this type and size. */
static int receive(const struct bench_las *las, uint32_t type, void *to, size_t size, struct error *err)
{
	struct pollfd ready = {.fd = las->agent, .events = POLLIN};
	uint32_t found = 0;
	int fds[2] = {-1, -1};
	size_t got = 0, fd_count = 0;
	if (poll(&ready, 1, LAUNCH_TIMEOUT_MS) <= 0)
		return error_set(err, CELLA_ETIMEOUT, "the launcher did not answer in time");
	int rc = io_receive_message(las->agent, to, size, &got, fds, array_count(fds), &fd_count, err);
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	if (rc < 0)
		return rc;
	if (got >= sizeof(found))
		memcpy(&found, to, sizeof(found));
	return got == size && found == type ? 0 : error_set(err, CELLA_ELOST, "the launcher is gone");
}

static int launch_once(const struct bench_las *las, int bundle, uint64_t heap, uint32_t id, double *ret_ms,
                       struct error *err)
{
	struct launch_request request = {.type = LAUNCH_REQUEST,
	                                 .version = LAUNCH_VERSION,
	                                 .id = id,
	                                 .memory_level = MEM_SECRET,
	                                 .heap = heap};
	struct launch_kill kill = {.type = LAUNCH_KILL, .id = id};
	struct launch_reply reply;
	struct launch_exited exited;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, CELLA_EIO, "cannot make an executor's socket");
	const int fds[] = {ends[1], bundle};
	uint64_t start = clock_ns();
	int rc = io_send_message(las->agent, &request, sizeof(request), fds, array_count(fds), err);
	if (rc == 0)
		rc = receive(las, LAUNCH_REPLY, &reply, sizeof(reply), err);
	*ret_ms = (double)(clock_ns() - start) * 1e-6;
	if (rc == 0 && reply.error)
		rc = error_set(err, reply.error, "%.*s", LAUNCH_TEXT_MAX, reply.text);
	if (rc == 0)
		rc = io_send_message(las->agent, &kill, sizeof(kill), NULL, 0, err);
	if (rc == 0)
		rc = receive(las, LAUNCH_EXITED, &exited, sizeof(exited), err);
	close(ends[0]);
	close(ends[1]);
	return rc;
}

static int open_bundle(struct bench *b, int *ret_fd, struct error *err)
{
	char path[BENCH_PATH_MAX];
	cleanup_buf struct buf bytes = {0};
	int rc = bench_build(b, "bench/start/empty.c", false, path, err);
	if (rc == 0)
		rc = io_read_file(path, LAUNCH_BUNDLE_MAX, &bytes, err);
	return rc < 0 ? rc : io_sealed_memfd("cella-bundle", bytes.data, bytes.size, false, ret_fd, err);
}

/* Heaps in turn. */
static int sample(struct bench *b, struct bench_samples samples[array_count(cases)], struct error *err)
{
	struct bench_las las;
	cleanup_close int bundle = -1;
	uint32_t id = 0;
	int rc = open_bundle(b, &bundle, err);
	if (rc < 0)
		return rc;
	rc = las_start(&las, err);
	for (size_t i = 0; rc == 0 && i < b->runs * LAUNCHES_A_RUN; i++)
		for (size_t c = 0; rc == 0 && c < array_count(cases); c++) {
			double ms;
			rc = launch_once(&las, bundle, cases[c].heap, id++, &ms, err);
			if (rc == 0)
				bench_sample(&samples[c], ms);
		}
	las_end(&las);
	return rc;
}

int bench_launch(struct bench *b, struct error *err)
{
	static const char metric[] = "request to evidence";
	struct bench_samples samples[array_count(cases)] = {{.count = 0}};
	struct error why;
	int rc = sample(b, samples, &why);
	if (rc < 0)
		return bench_failed(b, "new protected executor", metric, rc, &why, err);
	for (size_t c = 0; rc == 0 && c < array_count(cases); c++)
		rc = bench_report(b, cases[c].name, metric, "ms", &samples[c], err);
	return rc;
}
