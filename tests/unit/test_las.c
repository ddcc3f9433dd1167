/*
 * The launcher. Is what an executor finds around itself what the evidence says and what
 * launch_format.h promises? Are requests that cannot be granted answered, and does nothing
 * outlive the launcher, the owner or the agent?
 *
 * The launcher runs in a process of its own; this one is owner and agent. The executor is
 * fake_executor.c. What only root can have (a user id of its own) is asked of root only.
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
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/evidence.h"
#include "attest/process.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "las/bounds.h"
#include "las/server.h"

enum { HEAP = 1 << 20, PATIENCE_MS = 120000 };

/* A launcher and the test's ends of its sockets. */
struct las {
	pid_t pid;
	int owner;
	int agent;
	struct launch_identity identity;
};

/* What a test does to the launcher's process before it starts. */
typedef void prepare_fn(void);

static const char *executor_path = FAKE_EXECUTOR;
static int late_digest = -1; /* where the launcher is to wait for the executor's digest; -1: as ever */

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

/* Receive, or fail after PATIENCE_MS. 0 bytes: the peer has closed. */
static size_t receive(int fd, void *to, size_t size, int *fds, size_t *ret_fd_count)
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

static struct las fork_las(prepare_fn *prepare)
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

static void meet(struct las *las)
{
	assert_int_equal(receive(las->owner, &las->identity, sizeof(las->identity), NULL, NULL),
	                 sizeof(las->identity));
	assert_int_equal(las->identity.type, LAUNCH_IDENTITY);
}

static struct las start_las(prepare_fn *prepare)
{
	struct las las = fork_las(prepare);
	meet(&las);
	return las;
}

static int wait_las(struct las *las)
{
	int status = -1;
	assert_int_equal(waitpid(las->pid, &status, 0), las->pid);
	las->pid = 0;
	return status;
}

static void las_done(struct las *las)
{
	close(las->owner);
	close(las->agent);
	assert_int_equal(wait_las(las), 0);
}
#define cleanup_las __attribute__((cleanup(las_done)))

/* The agent's side of a launch; `link` is the test's end of the executor's agent socket. */
struct running {
	struct launch_reply reply;
	int owner;
	int pidfd;
	int link;
};

static void running_done(struct running *r)
{
	const int fds[] = {r->owner, r->pidfd, r->link};
	for (size_t i = 0; i < array_count(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
#define cleanup_running __attribute__((cleanup(running_done)))

static struct launch_request request_of(uint32_t id)
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

/* Sends a request for an executor that does what `mode` says; the test's end of its agent socket. */
static int send_request(const struct las *las, const struct launch_request *request, const char *mode)
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

static struct running receive_reply(const struct las *las, int link)
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

static struct running launch(const struct las *las, uint32_t id, const char *mode)
{
	struct launch_request request = request_of(id);
	int link = send_request(las, &request, mode);
	struct running r = receive_reply(las, link);
	assert_int_equal(r.reply.id, id);
	return r;
}

static void expect_running(const struct running *r)
{
	if (r->reply.error)
		fail_msg("not started: %s", r->reply.text);
}

/* In a process of its own: OpenSSL starts once in a process, and here launchers are forked that start it. */
static void verify(const struct las *las, const struct running *r, struct evidence *ret)
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

/* True once the process behind a pidfd has ended. */
static bool ends(int pidfd)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};
	return poll(&wait, 1, PATIENCE_MS) == 1;
}

/* ---- what the executor finds ---- */

static char facts[8192];

static void read_facts(const struct running *r)
{
	size_t used = 0;
	for (ssize_t n; (n = read(r->owner, facts + used, sizeof(facts) - 1 - used)) > 0;)
		used += (size_t)n;
	facts[used] = '\0';
	assert_true(used > 0);
}

static const char *fact_text(const char *name)
{
	static char value[512];
	char wanted[64];
	snprintf(wanted, sizeof(wanted), "\n%s=", name);
	const char *at = strstr(facts, wanted);
	if (!at)
		fail_msg("the executor did not say %s", name);
	at += strlen(wanted);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

static uint64_t fact(const char *name)
{
	return strtoull(fact_text(name), NULL, 10);
}

static bool am_root(void)
{
	return geteuid() == 0;
}

/* Capabilities of this process that matter to what the launcher can do. */
static bool may_have(unsigned capability)
{
	struct process_status status;
	assert_int_equal(process_status_read(0, &status, NULL), 0);
	return process_may(&status, capability);
}

static void test_world_of_executor(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t value;
	} always[] = {
		{"argc", 1},
		{"groups", 0},
		{"core", 0},
		{"nofile", LAS_EXECUTOR_DESCRIPTORS},
		{"effective", 0},
		{"blocked_signals", 0},
		{"ignored_signals", 0},
		{"death_signal", SIGKILL},
		{"dumpable", 0},
		{"no_new_privs", 1},
		{"seccomp", 0},
		{"personality", 0},
		{"umask", 077},
		{"nproc", LAS_EXECUTOR_PROCESSES},
	};
	cleanup_las struct las las = start_las(NULL);
	cleanup_running struct running r = launch(&las, 1, "report");
	expect_running(&r);
	read_facts(&r);
	assert_memory_equal(facts, "environment=0\n", 14);
	for (size_t i = 0; i < array_count(always); i++) {
		uint64_t got = fact(always[i].name),
			 kept = (uint64_t)1 << 14; /* CAP_IPC_LOCK, see the threat model */
		if (strcmp(always[i].name, "effective") == 0 && got == kept && !may_have(24))
			continue;
		if (strcmp(always[i].name, "groups") == 0 && !am_root())
			continue;
		if (got != always[i].value)
			fail_msg("%s is %" PRIu64 ", %" PRIu64 " expected", always[i].name, got,
			         always[i].value);
	}
	assert_string_equal(fact_text("argv0"), "cella-cell");
	assert_string_equal(fact_text("fds"), "0 1 2 3 4 5 6 7 ");
}

/* Each bit of the evidence, from the executor's side and from outside. */
static void test_evidence_is_true(void **state)
{
	(void)state;
	struct evidence e;
	struct process_status status;
	cleanup_las struct las las = start_las(NULL);
	cleanup_running struct running r = launch(&las, 1, "report");
	expect_running(&r);
	read_facts(&r);
	verify(&las, &r, &e);
	assert_int_equal(process_status_read(r.reply.pid, &status, NULL), 0);
	assert_int_equal(e.uid, status.uid[1]);
	if (e.isolation & EVIDENCE_OWN_UID)
		assert_in_range(status.uid[0], LAS_UID_FIRST, LAS_UID_FIRST + LAS_UID_COUNT - 1);
	else
		assert_int_equal(e.uid, geteuid());
	if (e.isolation & EVIDENCE_MOUNT_NAMESPACE) {
		assert_int_equal(fact("root_entries"), 0);
		assert_int_equal(fact("root_writable"), 0);
		assert_int_equal(fact("sees_passwd"), 0);
	} else {
		assert_int_equal(fact("sees_passwd"), 1);
	}
	assert_int_equal(!!(e.isolation & EVIDENCE_PID_NAMESPACE), fact("pid") == 1);
	assert_int_equal(!!(e.isolation & EVIDENCE_PID_NAMESPACE), fact("ppid") == 0);
	if (e.isolation & EVIDENCE_NET_NAMESPACE)
		assert_int_equal(fact("interfaces"), 0);
	if (e.isolation & EVIDENCE_UTS_NAMESPACE)
		assert_string_equal(fact_text("hostname"), "cell");
	assert_true(e.isolation & EVIDENCE_NO_NEW_PRIVS);
	assert_true(e.isolation & EVIDENCE_NO_INHERITED_FILTER);
	assert_int_equal(e.heap, HEAP);
	assert_int_equal(e.memory_level, MEM_INSECURE_NONE);
	assert_string_equal(e.machine, "soft");
	assert_int_equal(e.public_key[0], 0x77);
}

/* Namespaces as the kernel shows them to root. */
static void test_namespaces_differ(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint32_t bit;
	} kinds[] = {
		{"mnt", EVIDENCE_MOUNT_NAMESPACE}, {"pid", EVIDENCE_PID_NAMESPACE},
		{"net", EVIDENCE_NET_NAMESPACE},   {"ipc", EVIDENCE_IPC_NAMESPACE},
		{"uts", EVIDENCE_UTS_NAMESPACE},   {"user", EVIDENCE_USER_NAMESPACE},
	};
	struct evidence e;
	if (!am_root() || !may_have(19) || !may_have(21)) {
		print_message("skipped: test_namespaces_differ: needs root\n");
		skip();
	}
	cleanup_las struct las las = start_las(NULL);
	cleanup_running struct running r = launch(&las, 1, "wait");
	expect_running(&r);
	verify(&las, &r, &e);
	assert_true(e.isolation & EVIDENCE_OWN_UID);
	for (size_t i = 0; i < array_count(kinds); i++) {
		char path[64];
		struct stat own, other;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i].name);
		assert_int_equal(stat(path, &own), 0);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", r.reply.pid, kinds[i].name);
		assert_int_equal(stat(path, &other), 0);
		bool differs = own.st_ino != other.st_ino;
		if (differs != !!(e.isolation & kinds[i].bit) ||
		    differs == (kinds[i].bit == EVIDENCE_USER_NAMESPACE))
			fail_msg("%s: differs %d, evidence %d", kinds[i].name, differs,
			         !!(e.isolation & kinds[i].bit));
	}
}

static uint64_t read_number(const char *directory, const char *group, const char *file)
{
	char path[CGROUP_PATH_MAX + 128];
	cleanup_buf struct buf text = {0};
	snprintf(path, sizeof(path), "%s/%s/%s", directory, group, file);
	assert_int_equal(io_read_file(path, 64, &text, NULL), 0);
	buf_put_u8(&text, 0);
	return strtoull((const char *)text.data, NULL, 10);
}

/* Where this user may make cgroups, the executor has one, with its limits, and it goes with the launcher. */
static void test_cgroup_limits(void **state)
{
	(void)state;
	struct evidence e;
	char directory[CGROUP_PATH_MAX], group[64], path[CGROUP_PATH_MAX + 128];
	bool may = cgroup_find(directory, NULL) == 0;
	struct las las = start_las(NULL);
	cleanup_running struct running r = launch(&las, 1, "wait");
	expect_running(&r);
	verify(&las, &r, &e);
	assert_int_equal(!!(e.isolation & EVIDENCE_CGROUP), may);
	snprintf(group, sizeof(group), "cella-%d-0", (int)las.pid);
	if (may) {
		assert_int_equal(read_number(directory, group, "memory.max"), HEAP + LAS_MEMORY_OVERHEAD);
		assert_int_equal(read_number(directory, group, "pids.max"), LAS_EXECUTOR_PROCESSES);
		assert_int_equal(read_number(directory, group, "cgroup.procs"), r.reply.pid);
	}
	las_done(&las);
	snprintf(path, sizeof(path), "%s/%s", may ? directory : "/nonexistent", group);
	assert_int_equal(access(path, F_OK), -1);
}

/* Two executors share no user id and cannot signal each other. */
static void test_user_ids_differ(void **state)
{
	(void)state;
	struct evidence a, b;
	cleanup_las struct las las = start_las(NULL);
	cleanup_running struct running first = launch(&las, 1, "wait");
	cleanup_running struct running second = launch(&las, 2, "wait");
	expect_running(&first);
	expect_running(&second);
	verify(&las, &first, &a);
	verify(&las, &second, &b);
	if (a.isolation & EVIDENCE_OWN_UID)
		assert_true(a.uid != b.uid);
	else
		assert_false(am_root() && may_have(7));
	assert_true(first.reply.pid != second.reply.pid);
}

/* ---- the launcher's own world ---- */

static void dirty_world(void)
{
	struct rlimit core = {RLIM_INFINITY, RLIM_INFINITY};
	setrlimit(RLIMIT_CORE, &core);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	personality(ADDR_NO_RANDOMIZE);
	umask(0);
	setenv("LD_PRELOAD", "/tmp/evil.so", 1);
	setenv("GLIBC_TUNABLES", "glibc.malloc.check=3", 1);
	for (int i = 0; i < 20; i++)
		dup2(STDERR_FILENO, 100 + i);
}

/* Whatever the launcher itself was started with, nothing of it reaches the executor. */
static void test_nothing_is_inherited(void **state)
{
	(void)state;
	cleanup_las struct las las = start_las(dirty_world);
	cleanup_running struct running r = launch(&las, 1, "report");
	expect_running(&r);
	read_facts(&r);
	assert_memory_equal(facts, "environment=0\n", 14);
	assert_string_equal(fact_text("fds"), "0 1 2 3 4 5 6 7 ");
	assert_int_equal(fact("blocked_signals"), 0);
	assert_int_equal(fact("ignored_signals"), 0);
	assert_int_equal(fact("personality"), 0);
	assert_int_equal(fact("umask"), 077);
	assert_int_equal(fact("core"), 0);
}

/* A filter that allows everything: it could as well answer. */
static void filtered_world(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(9);
}

static void test_inherited_filter_is_told(void **state)
{
	(void)state;
	struct evidence e;
	cleanup_las struct las las = start_las(filtered_world);
	cleanup_running struct running r = launch(&las, 1, "wait");
	expect_running(&r);
	verify(&las, &r, &e);
	assert_false(e.isolation & EVIDENCE_NO_INHERITED_FILTER);
}

/* ---- the same user's other processes ---- */

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

/* ---- requests ---- */

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
		cmocka_unit_test(test_world_of_executor),
		cmocka_unit_test(test_evidence_is_true),
		cmocka_unit_test(test_namespaces_differ),
		cmocka_unit_test(test_cgroup_limits),
		cmocka_unit_test(test_user_ids_differ),
		cmocka_unit_test(test_nothing_is_inherited),
		cmocka_unit_test(test_inherited_filter_is_told),
		cmocka_unit_test(test_same_user_cannot_attach),
		cmocka_unit_test(test_want_of_room_passes),
		cmocka_unit_test(test_exposed_key_vouches_for_no_secret_memory),
		cmocka_unit_test(test_launcher_locks_what_it_may),
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
