/*
 * The world of an executor. Is what it finds around itself what the evidence says and what launch_format.h
 * promises, whatever the launcher was started with?
 *
 * What only root can have (a user id of its own) is asked of root only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attest/cgroup.h"
#include "attest/process.h"
#include "base/io.h"
#include "las/bounds.h"
#include "las_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_world_of_executor),        cmocka_unit_test(test_evidence_is_true),
		cmocka_unit_test(test_namespaces_differ),        cmocka_unit_test(test_cgroup_limits),
		cmocka_unit_test(test_user_ids_differ),          cmocka_unit_test(test_nothing_is_inherited),
		cmocka_unit_test(test_inherited_filter_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
