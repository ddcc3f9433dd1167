/*
 * The launcher. Are requests that cannot be granted answered, is it told how executors end, does one that is
 * silent or waits keep no other from starting, and does nothing outlive the launcher, the owner or the agent?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "las_support.h"

static void test_bad_requests_are_answered(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint64_t value;
		size_t size;
		int error;
	} cases[] = {
		{offsetof(struct launch_request, memory_level), 77, 4, CELLA_EINVAL},
		{offsetof(struct launch_request, version), LAUNCH_VERSION + 1, 4, CELLA_EINVAL},
		{offsetof(struct launch_request, memory_level), MEM_PAGED, 4, CELLA_ELIMIT}, /* no window */
		{offsetof(struct launch_request, window), 1 << 20, 8, CELLA_ELIMIT},         /* not paged */
		{offsetof(struct launch_request, heap), 0, 8, CELLA_ELIMIT},
		{offsetof(struct launch_request, heap), UINT64_MAX, 8, CELLA_ELIMIT},
	};
	cleanup_las struct las las = start_las(NULL);
	for (size_t i = 0; i < array_count(cases); i++) {
		struct launch_request request = request_of((uint32_t)i);
		memcpy((uint8_t *)&request + cases[i].at, &cases[i].value, cases[i].size);
		cleanup_running struct running r = receive_reply(&las, send_request(&las, &request, "wait"));
		assert_int_equal(r.reply.id, i);
		assert_int_equal(r.reply.error, cases[i].error);
		assert_true(strlen(r.reply.text) > 0);
	}
	struct launch_request request = request_of(9);
	assert_int_equal(io_send_message(las.agent, &request, sizeof(request), NULL, 0, NULL), 0);
	cleanup_running struct running none = receive_reply(&las, -1);
	assert_int_equal(none.reply.error, CELLA_EINVAL);
	cleanup_running struct running fine = launch(&las, 10, "wait");
	expect_running(&fine);
	cleanup_running struct running again = launch(&las, 10, "wait");
	assert_int_equal(again.reply.error, CELLA_EEXIST);
}

static void test_bundle_must_be_sealed(void **state)
{
	(void)state;
	cleanup_las struct las las = start_las(NULL);
	struct launch_request request = request_of(1);
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cleanup_close int open_file = memfd_create("bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const int fds[] = {pair[1], open_file};
	assert_int_equal(io_send_message(las.agent, &request, sizeof(request), fds, 2, NULL), 0);
	close(pair[1]);
	cleanup_running struct running r = receive_reply(&las, pair[0]);
	assert_int_equal(r.reply.error, CELLA_EAUTH);
}

static void test_executors_that_fail(void **state)
{
	(void)state;
	static const struct {
		const char *mode;
		int error;
		const char *text;
	} cases[] = {
		{"refuse", CELLA_ENOMEM, "executor: no ?[31mmemory"},
		{"garbage", CELLA_EFORMAT, "hello has 9 bytes"},
		{"early", CELLA_ELOST, "exited with status 42"},
	};
	cleanup_las struct las las = start_las(NULL);
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_running struct running r = launch(&las, 1, cases[i].mode);
		if (r.reply.error != cases[i].error || !strstr(r.reply.text, cases[i].text))
			fail_msg("%s: %d, %s", cases[i].mode, r.reply.error, r.reply.text);
	}
}

/* What the kernel does not execute, and what the launcher does not find. */
static void test_no_program(void **state)
{
	(void)state;
	char path[] = "/tmp/cella-no-program-XXXXXX";
	cleanup_close int file = mkstemp(path);
	assert_true(file >= 0 && write(file, "text", 4) == 4);
	executor_path = path;
	struct las las = start_las(NULL);
	executor_path = FAKE_EXECUTOR;
	unlink(path);
	cleanup_running struct running r = launch(&las, 1, "wait");
	assert_int_equal(r.reply.error, CELLA_EPERM);
	assert_string_equal(r.reply.text, "the executor cannot be executed: Exec format error");
	las_done(&las);
}

static void test_exits_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *mode;
		bool kill;
	} cases[] = {{"exit", false}, {"crash", false}, {"wait", true}};
	cleanup_las struct las las = start_las(NULL);
	for (uint32_t i = 0; i < array_count(cases); i++) {
		struct launch_exited exited;
		struct launch_kill kill_it = {LAUNCH_KILL, i};
		cleanup_running struct running r = launch(&las, i, cases[i].mode);
		if (r.reply.error == CELLA_ELOST && !cases[i].kill)
			continue; /* it was gone before its hello was read */
		expect_running(&r);
		if (cases[i].kill)
			assert_int_equal(io_send_message(las.agent, &kill_it, sizeof(kill_it), NULL, 0, NULL),
			                 0);
		assert_int_equal(receive(las.agent, &exited, sizeof(exited), NULL, NULL), sizeof(exited));
		assert_int_equal(exited.type, LAUNCH_EXITED);
		assert_int_equal(exited.id, i);
		if (cases[i].kill)
			assert_true(WIFSIGNALED(exited.status) && WTERMSIG(exited.status) == SIGKILL);
		else if (strcmp(cases[i].mode, "exit") == 0)
			assert_int_equal(WEXITSTATUS(exited.status), 3);
		else
			assert_true(WIFSIGNALED(exited.status));
		char byte;
		assert_int_equal(read(r.owner, &byte, 1), 0);
	}
}

/* A launch that never says hello can be called off, and does not keep others from starting. */
static void test_silent_executor(void **state)
{
	(void)state;
	cleanup_las struct las las = start_las(NULL);
	struct launch_request request = request_of(1);
	struct launch_kill kill_it = {LAUNCH_KILL, 1};
	int link = send_request(&las, &request, "silent");
	cleanup_running struct running other = launch(&las, 2, "wait");
	expect_running(&other);
	assert_int_equal(io_send_message(las.agent, &kill_it, sizeof(kill_it), NULL, 0, NULL), 0);
	cleanup_running struct running r = receive_reply(&las, link);
	assert_int_equal(r.reply.id, 1);
	assert_int_equal(r.reply.error, CELLA_ECANCELED);
}

/* Before the digest is there: executors start, can be called off, and fail. Only evidence waits. */
static void test_nothing_waits_for_the_digest(void **state)
{
	(void)state;
	uint8_t digest[CRYPTO_SHA384_SIZE];
	struct launch_kill kill_it = {LAUNCH_KILL, 2};
	struct evidence e;
	int ends[2];
	memset(digest, 0x38, sizeof(digest));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	late_digest = ends[0];
	cleanup_las struct las las = fork_las(NULL);
	late_digest = -1;
	close(ends[0]);
	const struct launch_request requests[] = {request_of(1), request_of(2)};
	int first = send_request(&las, &requests[0], "wait"),
	    second = send_request(&las, &requests[1], "wait");
	for (uint32_t id = 3; id < 10; id++) {
		cleanup_running struct running refused = launch(&las, id, "refuse");
		assert_int_equal(refused.reply.error, CELLA_ENOMEM);
	}
	assert_int_equal(io_send_message(las.agent, &kill_it, sizeof(kill_it), NULL, 0, NULL), 0);
	cleanup_running struct running cancelled = receive_reply(&las, second);
	assert_int_equal(cancelled.reply.id, 2);
	assert_int_equal(cancelled.reply.error, CELLA_ECANCELED);
	assert_int_equal(write(ends[1], digest, sizeof(digest)), sizeof(digest));
	close(ends[1]);
	meet(&las);
	assert_memory_equal(las.identity.executor, digest, sizeof(digest));
	cleanup_running struct running r = receive_reply(&las, first);
	assert_int_equal(r.reply.id, 1);
	expect_running(&r);
	verify(&las, &r, &e);
}

static void test_many_at_once(void **state)
{
	(void)state;
	enum { COUNT = 16 };
	cleanup_las struct las las = start_las(NULL);
	struct running runs[COUNT];
	int links[COUNT];
	bool seen[COUNT] = {false};
	for (uint32_t i = 0; i < COUNT; i++) {
		struct launch_request request = request_of(i);
		links[i] = send_request(&las, &request, "wait");
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		runs[i] = receive_reply(&las, links[i]);
		expect_running(&runs[i]);
		assert_in_range(runs[i].reply.id, 0, COUNT - 1);
		assert_false(seen[runs[i].reply.id]);
		seen[runs[i].reply.id] = true;
	}
	for (uint32_t i = 0; i < COUNT; i++)
		running_done(&runs[i]);
}

/* ---- the end ---- */

/* True once the process behind a pidfd has ended. */
static bool ends(int pidfd)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};
	return poll(&wait, 1, PATIENCE_MS) == 1;
}

enum gone { OWNER_GONE, AGENT_GONE, TERMINATED, LAUNCHER_KILLED, NONSENSE };

/* Everything that was started has ended once this returns; the launcher's status. */
static int end_by(enum gone how)
{
	struct las las = start_las(NULL);
	cleanup_running struct running first = launch(&las, 1, "wait");
	cleanup_running struct running second = launch(&las, 2, "report");
	struct launch_request request = request_of(3);
	cleanup_close int link = send_request(&las, &request, "silent");
	expect_running(&first);
	expect_running(&second);
	switch (how) {
	case OWNER_GONE: close(take_fd(&las.owner)); break;
	case AGENT_GONE: close(take_fd(&las.agent)); break;
	case TERMINATED: kill(las.pid, SIGTERM); break;
	case LAUNCHER_KILLED: kill(las.pid, SIGKILL); break;
	case NONSENSE: assert_int_equal(io_send_message(las.agent, "nonsense!", 9, NULL, 0, NULL), 0); break;
	}
	int status = wait_las(&las);
	assert_true(ends(first.pidfd));
	assert_true(ends(second.pidfd));
	char byte; /* the silent one had no pidfd: its end of the socket is closed with it */
	struct pollfd wait = {.fd = link, .events = POLLIN};
	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	assert_int_equal(recv(link, &byte, 1, 0), 0);
	if (las.owner >= 0)
		close(las.owner);
	if (las.agent >= 0)
		close(las.agent);
	return status;
}

static void test_nothing_is_left(void **state)
{
	(void)state;
	assert_int_equal(end_by(OWNER_GONE), 0);
	assert_int_equal(end_by(AGENT_GONE), 0);
	assert_int_equal(end_by(TERMINATED), 0);
	int killed = end_by(LAUNCHER_KILLED);
	assert_true(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGKILL);
	int confused = end_by(NONSENSE);
	assert_true(WIFEXITED(confused) && WEXITSTATUS(confused) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_requests_are_answered),
		cmocka_unit_test(test_bundle_must_be_sealed),
		cmocka_unit_test(test_executors_that_fail),
		cmocka_unit_test(test_no_program),
		cmocka_unit_test(test_exits_are_told),
		cmocka_unit_test(test_silent_executor),
		cmocka_unit_test(test_nothing_waits_for_the_digest),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_nothing_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
