/*
 * The executor's sandbox. What can a process that entered it still do, what fails, and what kills it? Each
 * question is asked twice: without the sandbox, to show that the attempt works here, and with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cell/sandbox.h"

/* What a child is given before it enters. */
static struct world {
	int file;      /* a memory file */
	int directory; /* "/" */
	int socket;    /* a socket that is connected to `peer` */
	int peer;
	struct sockaddr_in listener; /* somebody listens there */
	char *page;                  /* anonymous */
} world;

/* Attempts return 0 if they work, an errno if they are refused. */
typedef int attempt_fn(void);

static int result_of(long rc)
{
	return rc < 0 ? errno : 0;
}

static int open_file(void)
{
	return result_of(open("/etc/passwd", O_RDONLY));
}
static int open_beneath(void)
{
	return result_of(openat(world.directory, "etc/passwd", O_RDONLY));
}
static int create_file(void)
{
	char path[] = "/tmp/cella-sandbox-XXXXXX";
	int fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	return result_of(fd);
}
static int stat_path(void)
{
	struct stat st;
	return result_of(syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0));
}
static int stat_out_of_directory(void)
{
	struct stat st;
	return result_of(syscall(SYS_newfstatat, world.directory, "../etc/passwd", &st, AT_EMPTY_PATH));
}
static int ask_terminal(void)
{
	return isatty(world.file) ? 0 : errno;
}
static int ask_limit(void)
{
	struct rlimit limit;
	return result_of(getrlimit(RLIMIT_MEMLOCK, &limit));
}
static int make_socket(void)
{
	return result_of(socket(AF_INET, SOCK_STREAM, 0));
}
static int connect_out(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	return result_of(connect(fd, (struct sockaddr *)&world.listener, sizeof(world.listener)));
}
static int run_program(void)
{
	char *const argv[] = {"true", NULL};
	return result_of(execve("/bin/true", argv, environ));
}
static int make_process(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return result_of(pid);
}
static int map_executable(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? errno : 0;
}
static int make_executable(void)
{
	return result_of(mprotect(world.page, 4096, PROT_READ | PROT_EXEC));
}
static int signal_other(void)
{
	return result_of(kill(getppid(), 0));
}
static int signal_itself(void)
{
	signal(SIGUSR1, SIG_IGN);
	return result_of(tgkill(getpid(), (pid_t)syscall(SYS_gettid), SIGUSR1));
}
static int signal_thread_of_other(void)
{
	return result_of(syscall(SYS_tgkill, getppid(), getppid(), 0));
}
static int read_other_memory(void)
{
	static long value;
	struct iovec part = {.iov_base = &value, .iov_len = sizeof(value)};
	return result_of(process_vm_readv(getpid(), &part, 1, &part, 1, 0));
}
static int be_traced(void)
{
	return result_of(syscall(SYS_ptrace, 0, 0, 0, 0));
}
static int leave_namespace(void)
{
	return result_of(unshare(CLONE_FS));
}
static int make_memory_file(void)
{
	return result_of(memfd_create("x", 0));
}
static int take_descriptor_flags(void)
{
	return result_of(fcntl(world.file, F_GETFL));
}
static int duplicate_descriptor(void)
{
	return result_of(fcntl(world.file, F_DUPFD, 100));
}
static int use_file(void)
{
	char byte = 'x';
	struct stat st;
	if (pwrite(world.file, &byte, 1, 0) != 1 || pread(world.file, &byte, 1, 0) != 1)
		return errno;
	if (syscall(SYS_fstat, world.file, &st) < 0 || ftruncate(world.file, 4096) < 0 ||
	    futimens(world.file, NULL) < 0)
		return errno;
	return result_of(fsync(world.file));
}
static int list_directory(void)
{
	char entries[1024];
	return result_of(syscall(SYS_getdents64, world.directory, entries, sizeof(entries)));
}
static int use_socket(void)
{
	char byte = 'x';
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (sendmsg(world.socket, &message, MSG_NOSIGNAL) != 1 || recvmsg(world.peer, &message, 0) != 1)
		return errno;
	return send(world.socket, &byte, 1, MSG_NOSIGNAL) == 1 && recv(world.peer, &byte, 1, 0) == 1 ? 0
	                                                                                             : errno;
}
static int use_memory(void)
{
	char *at = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED || mprotect(at, 8192, PROT_READ | PROT_WRITE) < 0)
		return errno;
	at[0] = 1;
	char *block = malloc(1 << 20);
	char *larger = block ? realloc(block, 8 << 20) : NULL;
	free(larger);
	return larger ? result_of(munmap(at, 8192)) : errno;
}
static int use_clock(void)
{
	struct timespec now;
	struct itimerval never = {0};
	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0 || setitimer(ITIMER_REAL, &never, NULL) < 0)
		return errno;
	return result_of(getrandom(&now, sizeof(now), 0));
}

enum { KILLED = -1 };

static const struct question {
	const char *name;
	attempt_fn *attempt;
	int inside; /* 0, an errno, or KILLED */
} questions[] = {
	{"read and write an open file", use_file, 0},
	{"list an open directory", list_directory, 0},
	{"talk over an open socket", use_socket, 0},
	{"map memory and allocate", use_memory, 0},
	{"clocks, timers, random", use_clock, 0},
	{"ask for a descriptor's flags", take_descriptor_flags, 0},
	{"signal itself", signal_itself, 0},
	{"open a file", open_file, EPERM},
	{"open a file beneath an open directory", open_beneath, EPERM},
	{"create a file", create_file, EPERM},
	{"ask for a limit", ask_limit, EPERM},
	{"stat a path", stat_path, EPERM},
	{"stat a path from an open directory", stat_out_of_directory, EPERM},
	{"make a socket", make_socket, KILLED},
	{"connect", connect_out, KILLED},
	{"run a program", run_program, KILLED},
	{"make a process", make_process, KILLED},
	{"map executable memory", map_executable, KILLED},
	{"make memory executable", make_executable, KILLED},
	{"signal its parent", signal_other, KILLED},
	{"signal a thread of another process", signal_thread_of_other, KILLED},
	{"read through process_vm_readv", read_other_memory, KILLED},
	{"be traced", be_traced, KILLED},
	{"unshare", leave_namespace, KILLED},
	{"make a memory file", make_memory_file, KILLED},
	{"duplicate a descriptor", duplicate_descriptor, KILLED},
};

/* The wait status of a child that makes the attempt and exits with what came of it. */
static int run_attempt(attempt_fn *attempt, bool sandboxed)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uint32_t measures = 0;
		struct rlimit none = {0};
		setrlimit(RLIMIT_CORE, &none);
		if (sandboxed && (sandbox_early(NULL) < 0 || sandbox_enter(&measures, NULL) < 0))
			_exit(250);
		_exit(attempt());
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_each_attempt(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(questions); i++) {
		const struct question *q = &questions[i];
		int outside = run_attempt(q->attempt, false);
		int inside = run_attempt(q->attempt, true);
		if (!WIFEXITED(outside) || WEXITSTATUS(outside) != 0)
			fail_msg("%s: does not work without the sandbox (status %#x)", q->name, outside);
		if (q->inside == KILLED && !(WIFSIGNALED(inside) && WTERMSIG(inside) == SIGSYS))
			fail_msg("%s: not killed (status %#x)", q->name, inside);
		if (q->inside != KILLED && !(WIFEXITED(inside) && WEXITSTATUS(inside) == q->inside))
			fail_msg("%s: status %#x, exit %d expected", q->name, inside, q->inside);
	}
}

/* A terminal is asked for by every stdio stream: the answer is "none", not death. */
static void test_ioctl_is_answered(void **state)
{
	(void)state;
	int status = run_attempt(ask_terminal, true);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ENOTTY);
}

#if defined(__x86_64__)
static int call_x32(void)
{
	return result_of(syscall(0x40000000 + SYS_getpid));
}

static void test_other_architectures_kill(void **state)
{
	(void)state;
	int status = run_attempt(call_x32, true);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}
#endif

/* Does Landlock hold by itself, were the filter not there? */
static void test_landlock_alone(void **state)
{
	(void)state;
	if (sandbox_landlock_abi() == 0) {
		print_message("skipped: test_landlock_alone: this kernel has no Landlock\n");
		skip();
	}
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uint32_t measures = 0;
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (sandbox_enter_landlock(&measures, NULL) < 0)
			_exit(250);
		if (open_file() != EACCES || open_beneath() != EACCES || create_file() != EACCES)
			_exit(1);
		if (measures & SANDBOX_LANDLOCK_NET && connect_out() != EACCES)
			_exit(2);
		if (measures & SANDBOX_LANDLOCK_SCOPE && signal_other() != EPERM)
			_exit(3);
		_exit(use_file() == 0 && use_socket() == 0 ? 0 : 4);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_measures(void **state)
{
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uint32_t measures = 0;
		if (sandbox_enter(&measures, NULL) < 0)
			_exit(250);
		_exit((int)measures);
	}
	int status, abi = sandbox_landlock_abi();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	uint32_t measures = (uint32_t)WEXITSTATUS(status);
	assert_int_equal(!!(measures & SANDBOX_NO_NEW_PRIVS), 1);
	assert_int_equal(!!(measures & SANDBOX_SECCOMP), 1);
	assert_int_equal(!!(measures & SANDBOX_LANDLOCK_FILES), abi >= 1);
	assert_int_equal(!!(measures & SANDBOX_LANDLOCK_NET), abi >= 4);
	assert_int_equal(!!(measures & SANDBOX_LANDLOCK_SCOPE), abi >= 6);
}

static void test_early(void **state)
{
	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit limit;
		if (prctl(PR_GET_DUMPABLE) != 1 || sandbox_early(NULL) < 0)
			_exit(250);
		getrlimit(RLIMIT_CORE, &limit);
		_exit(prctl(PR_GET_DUMPABLE) == 0 && limit.rlim_max == 0 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int make_world(void **state)
{
	(void)state;
	int pair[2];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(world.listener);
	world.listener = (struct sockaddr_in){.sin_family = AF_INET,
	                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(listener, (struct sockaddr *)&world.listener, size) < 0 || listen(listener, 16) < 0 ||
	    getsockname(listener, (struct sockaddr *)&world.listener, &size) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	world.socket = pair[0];
	world.peer = pair[1];
	world.file = memfd_create("file", 0);
	world.directory = open("/", O_RDONLY | O_DIRECTORY);
	world.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return world.file < 0 || world.directory < 0 || world.page == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_measures),
		cmocka_unit_test(test_landlock_alone),
		cmocka_unit_test(test_each_attempt),
		cmocka_unit_test(test_ioctl_is_answered),
#if defined(__x86_64__)
		cmocka_unit_test(test_other_architectures_kill),
#endif
	};
	return cmocka_run_group_tests(tests, make_world, NULL);
}
