#include "las_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "las/server.h"

const char *executor_path = FAKE_EXECUTOR;
int late_digest = -1;

static void run_launcher(int owner, int agent, prepare_fn *prepare)
{
	struct launcher *launcher = NULL;
	struct error err = {0};
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	log_open("las", STDERR_FILENO, LOG_LEVEL_ERROR);
	if (prepare)
		prepare();
	int rc = launcher_new(executor_path, NULL, &launcher, &err);
	if (rc == 0 && late_digest >= 0)
		dup3(late_digest, launcher->executor.digest_pipe, O_CLOEXEC);
	if (rc == 0) {
		struct server_config config = {launcher, owner, agent, signalfd(-1, &term, SFD_CLOEXEC)};
		rc = server_run(&config, &err);
		launcher_free(launcher);
	}
	if (rc < 0)
		log_error("%s", err.text);
	_exit(rc < 0 ? 1 : 0);
}

size_t receive(int fd, void *to, size_t size, int *fds, size_t *ret_fd_count)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct error err = {0};
	size_t got = 0, fd_count = 0;
	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	if (io_receive_message(fd, to, size, &got, fds, fds ? 2 : 0, &fd_count, &err) < 0)
		fail_msg("%s", err.text);
	if (ret_fd_count)
		*ret_fd_count = fd_count;
	return got;
}

struct las fork_las(prepare_fn *prepare)
{
	struct las las = {0};
	int owner[2], agent[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, owner), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent), 0);
	las.pid = fork();
	assert_true(las.pid >= 0);
	if (las.pid == 0) {
		close(owner[0]);
		close(agent[0]);
		run_launcher(owner[1], agent[1], prepare);
	}
	close(owner[1]);
	close(agent[1]);
	las.owner = owner[0];
	las.agent = agent[0];
	return las;
}

void meet(struct las *las)
{
	assert_int_equal(receive(las->owner, &las->identity, sizeof(las->identity), NULL, NULL),
	                 sizeof(las->identity));
	assert_int_equal(las->identity.type, LAUNCH_IDENTITY);
}

struct las start_las(prepare_fn *prepare)
{
	struct las las = fork_las(prepare);
	meet(&las);
	return las;
}

int wait_las(struct las *las)
{
	int status = -1;
	assert_int_equal(waitpid(las->pid, &status, 0), las->pid);
	las->pid = 0;
	return status;
}

void las_done(struct las *las)
{
	close(las->owner);
	close(las->agent);
	assert_int_equal(wait_las(las), 0);
}

void running_done(struct running *r)
{
	const int fds[] = {r->owner, r->pidfd, r->link};
	for (size_t i = 0; i < array_count(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

struct launch_request request_of(uint32_t id)
{
	struct launch_request request = {.type = LAUNCH_REQUEST,
	                                 .version = LAUNCH_VERSION,
	                                 .id = id,
	                                 .memory_level = MEM_INSECURE_NONE,
	                                 .heap = HEAP};
	memset(request.nonce, 0x33, sizeof(request.nonce));
	memset(request.builder, 0x44, sizeof(request.builder));
	return request;
}

int send_request(const struct las *las, const struct launch_request *request, const char *mode)
{
	int pair[2];
	cleanup_close int bundle = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(io_sealed_memfd("bundle", mode, strlen(mode), false, &bundle, NULL), 0);
	const int fds[] = {pair[1], bundle};
	assert_int_equal(io_send_message(las->agent, request, sizeof(*request), fds, 2, NULL), 0);
	close(pair[1]);
	return pair[0];
}

struct running receive_reply(const struct las *las, int link)
{
	struct running r = {.owner = -1, .pidfd = -1, .link = link};
	int fds[2];
	size_t fd_count;
	assert_int_equal(receive(las->agent, &r.reply, sizeof(r.reply), fds, &fd_count), sizeof(r.reply));
	assert_int_equal(r.reply.type, LAUNCH_REPLY);
	assert_int_equal(fd_count, r.reply.error ? 0 : 2);
	if (fd_count == 2) {
		r.owner = fds[0];
		r.pidfd = fds[1];
	}
	return r;
}

struct running launch(const struct las *las, uint32_t id, const char *mode)
{
	struct launch_request request = request_of(id);
	int link = send_request(las, &request, mode);
	struct running r = receive_reply(las, link);
	assert_int_equal(r.reply.id, id);
	return r;
}

void expect_running(const struct running *r)
{
	if (r->reply.error)
		fail_msg("not started: %s", r->reply.text);
}

void verify(const struct las *las, const struct running *r, struct evidence *ret)
{
	struct evidence_policy policy = {0};
	struct error err = {0};
	int ends[2], status;
	memcpy(policy.launcher, las->identity.public_key, sizeof(policy.launcher));
	memcpy(policy.executor, las->identity.executor, sizeof(policy.executor));
	memset(policy.nonce, 0x33, sizeof(policy.nonce));
	memset(policy.builder, 0x44, sizeof(policy.builder)); /* passed on, and stated by the executor */
	memset(policy.cell, 0x78, sizeof(policy.cell));
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct evidence e;
		if (crypto_init(NULL, &err) < 0 ||
		    evidence_verify(r->reply.evidence, r->reply.evidence_size, &policy, &e, &err) < 0)
			log_error("%s", err.text);
		else if (write(ends[1], &e, sizeof(e)) == sizeof(e))
			_exit(0);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], ret, sizeof(*ret)), sizeof(*ret));
	close(ends[0]);
	close(ends[1]);
}

bool am_root(void)
{
	return geteuid() == 0;
}
