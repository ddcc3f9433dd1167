/*
 * The launcher of an ordinary user. Do it and its executors withstand the user's other processes, is what a
 * full machine had no room for tried again, and does its key vouch for secret memory only where it lies in
 * secret memory itself?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "las_support.h"

static void become_ordinary(void)
{
	if (!am_root())
		return;
	if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
	    setresuid(65534, 65534, 65534) < 0)
		_exit(99);
	prctl(PR_SET_DUMPABLE, 1);
}

/* Of a user who may not look for the executor where it lies. */
static struct las start_las_of_user(prepare_fn *prepare)
{
	char path[48];
	cleanup_close int binary = open(FAKE_EXECUTOR, O_RDONLY);
	assert_true(binary >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", binary);
	executor_path = path;
	struct las las = start_las(prepare);
	executor_path = FAKE_EXECUTOR;
	return las;
}

/* ---- the same user's other processes ---- */

/* 0 if an ordinary user's process can attach to `pid` (0: to a child of its own), else an errno. */
static int attach(pid_t pid)
{
	int status;
	pid_t attacker = fork();
	assert_true(attacker >= 0);
	if (attacker == 0) {
		become_ordinary();
		pid_t victim = pid ? pid : fork();
		if (victim == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		int error = ptrace(PTRACE_SEIZE, victim, NULL, NULL) < 0 ? errno : 0;
		if (victim != pid) {
			kill(victim, SIGKILL);
			waitpid(victim, NULL, __WALL);
		}
		_exit(error);
	}
	assert_int_equal(waitpid(attacker, &status, 0), attacker);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Can the agent, or whatever else runs under the user's own id, debug the launcher or its executors? */
static void test_same_user_cannot_attach(void **state)
{
	(void)state;
	cleanup_las struct las las = start_las_of_user(become_ordinary);
	cleanup_running struct running r = launch(&las, 1, "wait");
	expect_running(&r);
	assert_int_equal(attach(las.pid), EPERM);
	assert_int_equal(attach(r.reply.pid), EPERM);
	if (attach(0) != 0)
		print_message("note: here nobody can attach to anything (Yama)\n");
}

/* ---- a machine that is full ---- */

static int room_wanted[2], room_made[2];

static bool set_net_namespaces(const char *count)
{
	cleanup_close int fd = open("/proc/sys/user/max_net_namespaces", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, count, strlen(count)) == (ssize_t)strlen(count);
}

/* Into a user namespace of its own, which has no room for network namespaces. */
static bool fill_up(void)
{
	return unshare(CLONE_NEWUSER) == 0 && set_net_namespaces("0");
}

/* Until the test asks for it. */
static void full_world(void)
{
	char byte;
	if (!fill_up())
		_exit(99);
	if (fork() > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(room_wanted[0], &byte, 1) == 1 && set_net_namespaces("10"))
		_exit(write(room_made[1], "", 1) == 1 ? 0 : 1);
	_exit(1);
}

static bool can_fill_up(void)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fill_up() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* What there was no room for once is tried again. */
static void test_want_of_room_passes(void **state)
{
	(void)state;
	struct evidence before, after;
	char byte;
	if (!can_fill_up()) {
		print_message("skipped: test_want_of_room_passes: needs user namespaces\n");
		skip();
	}
	assert_int_equal(pipe2(room_wanted, O_CLOEXEC), 0);
	assert_int_equal(pipe2(room_made, O_CLOEXEC), 0);
	cleanup_las struct las las = start_las_of_user(full_world);
	cleanup_running struct running first = launch(&las, 1, "wait");
	expect_running(&first);
	verify(&las, &first, &before);
	assert_false(before.isolation & EVIDENCE_NET_NAMESPACE);
	assert_int_equal(write(room_wanted[1], "", 1), 1);
	assert_int_equal(read(room_made[0], &byte, 1), 1);
	cleanup_running struct running second = launch(&las, 2, "wait");
	expect_running(&second);
	verify(&las, &second, &after);
	assert_true(after.isolation & EVIDENCE_NET_NAMESPACE);
	for (size_t i = 0; i < array_count(room_made); i++) {
		close(room_wanted[i]);
		close(room_made[i]);
	}
}

/* ---- the launcher's key ---- */

/* An ordinary user whose own limit of locked memory may be raised to this. */
static void lock_at_most(rlim_t hard)
{
	struct rlimit limit = {0, hard};
	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		_exit(99);
	become_ordinary();
}

static void lock_nothing(void)
{
	lock_at_most(0);
}

static void lock_when_asked(void)
{
	lock_at_most(8 << 20);
}

static struct running launch_at(const struct las *las, uint32_t id, enum mem_level level)
{
	struct launch_request request = request_of(id);
	request.memory_level = level;
	int link = send_request(las, &request, "wait");
	return receive_reply(las, link);
}

/* Whoever reads the key can say of any memory that it is secret. */
static void test_exposed_key_vouches_for_no_secret_memory(void **state)
{
	(void)state;
	struct evidence e;
	cleanup_las struct las las = start_las_of_user(lock_nothing);
	cleanup_running struct running secret = launch_at(&las, 1, MEM_SECRET);
	assert_int_equal(secret.reply.error, CELLA_EPERM);
	assert_non_null(strstr(secret.reply.text, "its own key has none"));
	cleanup_running struct running ordinary = launch_at(&las, 2, MEM_INSECURE_NONE);
	expect_running(&ordinary);
	verify(&las, &ordinary, &e);
	assert_int_equal(e.memory_level, MEM_INSECURE_NONE);
}

static void test_launcher_locks_what_it_may(void **state)
{
	(void)state;
	struct evidence e;
	if (mem_level_check(MEM_SECRET, 1, NULL) < 0) {
		print_message("skipped: test_launcher_locks_what_it_may: needs secret memory\n");
		skip();
	}
	cleanup_las struct las las = start_las_of_user(lock_when_asked);
	cleanup_running struct running r = launch_at(&las, 1, MEM_SECRET);
	expect_running(&r);
	verify(&las, &r, &e);
	assert_int_equal(e.memory_level, MEM_SECRET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_user_cannot_attach),
		cmocka_unit_test(test_want_of_room_passes),
		cmocka_unit_test(test_exposed_key_vouches_for_no_secret_memory),
		cmocka_unit_test(test_launcher_locks_what_it_may),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
