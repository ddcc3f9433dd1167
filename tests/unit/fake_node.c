/* The launcher and the owner: see fake_node.h. */
#include "fake_node.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "cell/launch_format.h"

enum { EXECUTORS_MAX = 64 };

struct fake_flags *fake_flags;

struct child {
	pid_t pid;
	uint32_t id;
	bool gone;
};

struct node {
	const struct fake_job *job;
	struct fake_result *result;
	int owner, las;
	pid_t agent;
	struct child children[EXECUTORS_MAX];
	uint32_t child_count;
	uint64_t kill_at;
};

static void executor_main(const struct fake_job *job, int socket, uint32_t number)
{
	static struct fake_peer peer;
	fake_peer_open(&peer, socket, number);
	peer.remembers = !job->forgetful;
	peer.object_size = max_of(job->object_size, (uint32_t)sizeof(struct fake_object));
	if (number != 1)
		fake_peer_serve(&peer);
	else
		job->driver(&peer);
	fake_flush(&peer);
	_exit(0);
}

static void launch(struct node *n, const struct launch_request *request, int agent_socket)
{
	struct launch_reply reply = {.type = LAUNCH_REPLY, .id = request->id, .evidence_size = 8};
	struct error err;
	int owner[2];
	fake_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, owner) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(n->owner);
		close(n->las);
		executor_main(n->job, agent_socket, n->child_count + 1);
	}
	n->children[n->child_count++] = (struct child){.pid = pid, .id = request->id};
	reply.pid = pid;
	if (io_send_message(n->las, &reply, sizeof(reply), &owner[0], 1, &err) < 0)
		kill(pid, SIGKILL); /* the agent has ended meanwhile */
	close(owner[0]);
	close(owner[1]);
}

/* False at its end. */
static bool las_message(struct node *n)
{
	union {
		uint32_t type;
		struct launch_request request;
		struct launch_kill kill;
	} m;
	int fds[4];
	size_t size, fd_count = 0;
	struct error err;
	if (io_receive_message(n->las, &m, sizeof(m), &size, fds, 4, &fd_count, &err) < 0 || size == 0)
		return false;
	if (m.type == LAUNCH_REQUEST)
		launch(n, &m.request, fds[0]);
	for (uint32_t i = 0; m.type == LAUNCH_KILL && i < n->child_count; i++)
		if (n->children[i].id == m.kill.id)
			kill(n->children[i].pid, SIGKILL);
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	return true;
}

static void owner_message(struct node *n)
{
	_Alignas(8) uint8_t bytes[AGENT_MESSAGE_MAX];
	size_t size, fd_count = 0;
	int fd = -1;
	struct error err;
	fake_check(io_receive_message(n->owner, bytes, sizeof(bytes), &size, &fd, 1, &fd_count, &err) == 0);
	if (size == 0) {
		snprintf(n->result->failure, sizeof(n->result->failure), "the agent is gone");
		n->result->finished = true;
		return;
	}
	uint32_t type = *(uint32_t *)(void *)bytes;
	if (type == AGENT_EXECUTOR) {
		n->result->started++;
		fake_check(((struct agent_executor *)(void *)bytes)->index == n->result->started);
	} else if (type == AGENT_LOST) {
		n->result->lost++;
		fake_flags->lost = true;
		n->result->replaced += ((struct agent_lost *)(void *)bytes)->replaced;
	} else if (type == AGENT_PROGRESS) {
		n->result->progress = *(struct agent_progress *)(void *)bytes;
	} else if (type == AGENT_FAILED) {
		size_t head = sizeof(struct agent_failed);
		snprintf(n->result->failure, sizeof(n->result->failure), "%.*s", (int)(size - head),
		         (char *)bytes + head);
		n->result->finished = true;
	} else {
		fake_check(type == AGENT_FINISHED);
		n->result->end = *(struct agent_finished *)(void *)bytes;
		n->result->finished = true;
		n->result->event_log = fd_count ? fd : -1;
		fd_count = 0;
	}
	if (fd_count)
		close(fd);
}

static void reap(struct node *n)
{
	struct error err;
	for (uint32_t i = 0; i < n->child_count; i++) {
		struct child *c = &n->children[i];
		int status;
		if (c->gone || waitpid(c->pid, &status, WNOHANG) != c->pid)
			continue;
		c->gone = true;
		struct launch_exited m = {.type = LAUNCH_EXITED, .id = c->id, .status = status};
		struct agent_stop stop = {.type = AGENT_STOP};
		if (i == 0 && status == 0)
			fake_check(io_send_message(n->owner, &stop, sizeof(stop), NULL, 0, &err) == 0);
		else if (io_send_message(n->las, &m, sizeof(m), NULL, 0, &err) < 0)
			return;
	}
}

static void start_agent(struct node *n)
{
	int owner[2], las[2];
	fake_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, owner) == 0);
	fake_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, las) == 0);
	fflush(NULL);
	n->agent = fork();
	if (n->agent == 0) {
		struct error err;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		log_open("agent", 2, LOG_LEVEL_ERROR);
		close(owner[0]);
		close(las[0]);
		signal(SIGPIPE, SIG_IGN);
		_exit(agent_run(owner[1], las[1], &err) < 0);
	}
	close(owner[1]);
	close(las[1]);
	n->owner = owner[0];
	n->las = las[0];
}

static void step(struct node *n)
{
	struct pollfd fds[] = {{.fd = n->owner, .events = POLLIN}, {.fd = n->las, .events = POLLIN}};
	poll(fds, n->las >= 0 ? 2 : 1, 2);
	if (fds[0].revents)
		owner_message(n);
	if (n->las >= 0 && fds[1].revents && !n->result->finished)
		las_message(n);
	if (n->result->finished)
		return;
	reap(n);
	if (n->kill_at && clock_ns() > n->kill_at && n->child_count > 1) {
		kill(n->children[1].pid, SIGKILL);
		n->kill_at = 0;
	}
	if (n->job->drop_owner && n->child_count > n->job->executors)
		n->result->finished = true;
	if (n->job->drop_las && n->las >= 0 && n->child_count > n->job->executors) {
		close(n->las);
		n->las = -1;
	}
}

void fake_run(const struct fake_job *job, struct fake_result *ret_result)
{
	struct node n = {.job = job, .result = ret_result};
	struct error err;
	*ret_result = (struct fake_result){.event_log = -1};
	fake_flags = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	start_agent(&n);
	struct agent_start start = {.type = AGENT_START,
	                            .version = AGENT_VERSION,
	                            .executors = job->executors,
	                            .flags = job->flags,
	                            .heap = 1 << 30,
	                            .store_limit = job->store_limit,
	                            .tasks_max = job->tasks_max,
	                            .spill_directory = "/tmp"};
	int bundle = memfd_create("bundle", MFD_CLOEXEC);
	fake_check(io_send_message(n.owner, &start, sizeof(start), &bundle, 1, &err) == 0);
	close(bundle);
	n.kill_at = job->kill_after_ms ? clock_ns() + (uint64_t)job->kill_after_ms * 1000000 : 0;
	while (!ret_result->finished)
		step(&n);
	close(n.owner);
	struct pollfd las = {.fd = n.las, .events = POLLIN};
	while (n.las >= 0 && poll(&las, 1, 0) == 1 && las_message(&n))
		;
	if (n.las >= 0)
		close(n.las);
	struct rusage usage;
	int status;
	fake_check(wait4(n.agent, &status, 0, &usage) == n.agent && WIFEXITED(status));
	ret_result->agent_peak_kb = usage.ru_maxrss;
	munmap(fake_flags, 4096);
	for (uint32_t i = 0; i < n.child_count; i++) {
		if (n.children[i].gone)
			continue;
		kill(n.children[i].pid, SIGKILL); /* as a launcher does when it ends */
		waitpid(n.children[i].pid, &status, 0);
	}
}
