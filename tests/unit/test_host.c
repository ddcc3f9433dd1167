/*
 * What the machine says about itself. Are a process's status, cgroups and the host's claims read as
 * the kernel writes them, is everything else refused, and does each fact of the doctor come with a
 * verdict and, where something is missing, a reason or a remedy?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sched.h>

#include "attest/cgroup.h"
#include "attest/evidence.h"
#include "attest/host.h"
#include "attest/process.h"
#include "base/io.h"
#include "mem/mem.h"

/* ---- /proc/PID/status ---- */

#define CAPS "CapInh:\t0\nCapPrm:\t1f\nCapEff:\t000001fffeffffff\nCapBnd:\t3\nCapAmb:\t4000\n"
#define STATUS                                                                                  \
	"Name:\tcella\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t4 24 27 \nTracerPid:\t12\n" \
	"NSpid:\t100\t1\nSeccomp:\t2\nSeccomp_filters:\t1\nNoNewPrivs:\t1\n" CAPS

static void test_status_is_read(void **state)
{
	(void)state;
	struct process_status s;
	assert_int_equal(process_status_parse(STATUS, strlen(STATUS), &s, NULL), 0);
	assert_int_equal(s.uid[0], 1);
	assert_int_equal(s.uid[3], 4);
	assert_int_equal(s.gid[1], 6);
	assert_int_equal(s.group_count, 3);
	assert_int_equal(s.tracer, 12);
	assert_int_equal(s.depth, 2);
	assert_int_equal(s.filter_mode, 2);
	assert_true(s.no_new_privs);
	assert_int_equal(s.effective, 0x1fffeffffff);
	assert_int_equal(s.ambient, 0x4000);
	assert_true(process_may(&s, 14));
	assert_false(process_may(&s, 24));
}

static void test_own_status(void **state)
{
	(void)state;
	struct process_status own, same;
	assert_int_equal(process_status_read(0, &own, NULL), 0);
	assert_int_equal(process_status_read(getpid(), &same, NULL), 0);
	assert_memory_equal(&own, &same, sizeof(own));
	assert_int_equal(own.uid[0], getuid());
	assert_int_equal(own.gid[1], getegid());
	assert_int_equal(process_status_read(0x3fffffff, &own, NULL), CELLA_ENOENT);
}

static void test_bad_status(void **state)
{
	(void)state;
	static const struct {
		const char *from;
		const char *to;
	} changes[] = {
		{"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3"},
		{"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3\t4\t5"},
		{"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3\t99999999999"},
		{"Gid:", "Git:"},
		{"TracerPid:\t12", "TracerPid:\tx"},
		{"TracerPid:\t12", "TracerPid:\t"},
		{"NSpid:\t100\t1", "NSpid:\t"},
		{"NoNewPrivs:\t1", "NoNewPrivs:\t2"},
		{"CapPrm:\t1f", "CapPrm:\t1g"},
		{"CapInh:\t0", "CapInh:\t-1"},
		{"Seccomp:\t2", "Seccomp:\t2 x"},
		{"Name:\tcella", "Seccomp:\t0"},
	};
	for (size_t i = 0; i < array_count(changes); i++) {
		char text[1024];
		struct process_status s;
		const char *at = strstr(STATUS, changes[i].from);
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - STATUS), STATUS, changes[i].to,
		         at + strlen(changes[i].from));
		if (process_status_parse(text, strlen(text), &s, NULL) != CELLA_EFORMAT)
			fail_msg("%s was accepted", changes[i].to);
	}
}

/* ---- cgroups ---- */

#define V2 "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
#define OTHER "22 1 0:20 / /proc rw - proc proc rw\n"

static void test_own_cgroup(void **state)
{
	(void)state;
	static const struct {
		const char *mountinfo;
		const char *membership;
		int rc;
		const char *mount;
		const char *own;
	} cases[] = {
		{OTHER V2, "0::/user.slice/a.scope\n", 0, "/sys/fs/cgroup", "/user.slice/a.scope"},
		{OTHER V2, "0::/\n", 0, "/sys/fs/cgroup", ""},
		{V2, "9:pids:/x\n0::/b\n", 0, "/sys/fs/cgroup", "/b"},
		{"1 1 0:1 /a /mnt rw - cgroup2 none rw\n", "0::/a/b\n", 0, "/mnt", "/b"},
		{"1 1 0:1 /a /mnt rw - cgroup2 none rw\n", "0::/a\n", 0, "/mnt", ""},
		{"1 1 0:1 /a /mnt rw - cgroup2 none rw\n", "0::/ab\n", CELLA_EPERM, NULL, NULL},
		{"1 1 0:1 /../.. /mnt rw - cgroup2 none rw\n", "0::/\n", CELLA_EPERM, NULL, NULL},
		{V2, "0::/../x\n", CELLA_EPERM, NULL, NULL},
		{OTHER, "0::/\n", CELLA_EUNSUPPORTED, NULL, NULL},
		{OTHER "30 24 0:26 / /x rw - cgroup cgroup rw\n", "0::/\n", CELLA_EUNSUPPORTED, NULL, NULL},
		{V2, "9:pids:/x\n", CELLA_EUNSUPPORTED, NULL, NULL},
		{V2, "0::", CELLA_EUNSUPPORTED, NULL, NULL},
		{"", "", CELLA_EUNSUPPORTED, NULL, NULL},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		char mount[CGROUP_PATH_MAX], own[CGROUP_PATH_MAX];
		int rc = cgroup_own(cases[i].mountinfo, cases[i].membership, mount, own, NULL);
		if (rc != cases[i].rc)
			fail_msg("case %zu: %d", i, rc);
		if (rc == 0) {
			assert_string_equal(mount, cases[i].mount);
			assert_string_equal(own, cases[i].own);
		}
	}
}

/* A tree of files below a directory of the test's own. */
static char root[64];

static void put(const char *path, const char *text)
{
	char full[256];
	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	assert_int_equal(io_write_file(full, text, strlen(text), 0600, NULL), 0);
}

static int make_root(void **state)
{
	(void)state;
	const char *parent = getenv("TMPDIR");
	snprintf(root, sizeof(root), "%.40s/host-XXXXXX", parent ? parent : "/tmp");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	static const char *const files[] = {
		"/cg/cgroup.subtree_control",
		"/cg/cgroup.procs",
		"/cg/a/cgroup.subtree_control",
		"/cg/a/cgroup.procs",
		"/cg/a/b/cgroup.subtree_control",
		"/cg/a/b/cgroup.procs",
		"/sys/kernel/security/lockdown",
		"/proc/sys/kernel/yama/ptrace_scope",
		"/proc/sys/kernel/kexec_load_disabled",
		"/proc/sys/kernel/ostype",
		"/sys/kernel/kexec_loaded",
		"/sys/kernel/kexec_crash_loaded",
	};
	static const char *const directories[] = {
		"/cg/a/b",
		"/cg/a",
		"/cg",
		"/sys/kernel/security",
		"/sys/kernel",
		"/sys",
		"/proc/sys/kernel/yama",
		"/proc/sys/kernel",
		"/proc/sys",
		"/proc",
		"",
	};
	char full[256];
	for (size_t i = 0; i < array_count(files); i++) {
		snprintf(full, sizeof(full), "%s%s", root, files[i]);
		unlink(full);
	}
	for (size_t i = 0; i < array_count(directories); i++) {
		snprintf(full, sizeof(full), "%s%s", root, directories[i]);
		rmdir(full);
	}
	return access(root, F_OK) == 0 ? -1 : 0;
}

/* The nearest group that hands down both controllers is taken. */
static void test_cgroup_search(void **state)
{
	(void)state;
	static const struct {
		const char *top, *middle, *own;
		const char *found; /* below the mount, NULL: none */
	} cases[] = {
		{"memory pids\n", "memory pids\n", "memory pids\n", "/a/b"},
		{"memory pids\n", "cpu memory pids io\n", "\n", "/a"},
		{"memory pids\n", "memory\n", "\n", ""},
		{"memory pids\n", "pids\n", "memoryx pids\n", ""},
		{"memory\n", "pids\n", "\n", NULL},
	};
	char mount[128];
	snprintf(mount, sizeof(mount), "%s/cg", root);
	for (size_t i = 0; i < array_count(cases); i++) {
		char found[CGROUP_PATH_MAX], wanted[256];
		put("/cg/cgroup.subtree_control", cases[i].top);
		put("/cg/cgroup.procs", "");
		put("/cg/a/cgroup.subtree_control", cases[i].middle);
		put("/cg/a/cgroup.procs", "");
		put("/cg/a/b/cgroup.subtree_control", cases[i].own);
		put("/cg/a/b/cgroup.procs", "");
		int rc = cgroup_search(mount, "/a/b", found, NULL);
		assert_int_equal(rc, cases[i].found ? 0 : CELLA_EPERM);
		if (rc == 0) {
			snprintf(wanted, sizeof(wanted), "%s%s", mount, cases[i].found);
			assert_string_equal(found, wanted);
		}
	}
}

/* ---- claims ---- */

static void test_claims(void **state)
{
	(void)state;
	static const struct {
		const char *lockdown, *yama, *kexec;
		uint32_t claims;
	} cases[] = {
		{"none integrity [confidentiality]\n", "3\n", "1\n",
	         EVIDENCE_LOCKDOWN_CONFIDENTIALITY | EVIDENCE_YAMA_SCOPE_3 | EVIDENCE_KEXEC_DISABLED},
		{"none [integrity] confidentiality\n", "2\n", "0\n", 0},
		{"[none] integrity confidentiality\n", "30\n", "10\n", 0},
		{"", "", "", 0},
	};
	assert_int_equal(host_claims_at("/nonexistent"), 0);
	put("/sys/kernel/kexec_loaded", "0\n");
	for (size_t i = 0; i < array_count(cases); i++) {
		put("/sys/kernel/security/lockdown", cases[i].lockdown);
		put("/proc/sys/kernel/yama/ptrace_scope", cases[i].yama);
		put("/proc/sys/kernel/kexec_load_disabled", cases[i].kexec);
		assert_int_equal(host_claims_at(root), cases[i].claims);
	}
}

static bool claims_no_kexec(void)
{
	return host_claims_at(root) & EVIDENCE_KEXEC_DISABLED;
}

static void take_away(const char *path)
{
	char full[256];
	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(unlink(full), 0);
}

/* Without the file, kexec is not there; without /proc, nothing is known. */
static void test_no_kexec(void **state)
{
	(void)state;
	put("/proc/sys/kernel/kexec_load_disabled", "0\n");
	take_away("/proc/sys/kernel/kexec_load_disabled");
	assert_false(claims_no_kexec());
	put("/proc/sys/kernel/ostype", "Linux\n");
	assert_true(claims_no_kexec());
	put("/sys/kernel/kexec_loaded", "0\n"); /* so it can, and the other file is hidden */
	assert_false(claims_no_kexec());
}

/* A kernel that was loaded before loading was disabled can still be started. */
static void test_loaded_kernel_counts(void **state)
{
	(void)state;
	static const struct {
		const char *loaded, *crash;
		bool claims;
	} cases[] = {
		{"0\n", "0\n", true}, {"1\n", "0\n", false}, {"0\n", "1\n", false},
		{"", "0\n", false},   {"0\n", "", false},
	};
	put("/proc/sys/kernel/kexec_load_disabled", "1\n");
	assert_false(claims_no_kexec()); /* no /sys */
	for (size_t i = 0; i < array_count(cases); i++) {
		put("/sys/kernel/kexec_loaded", cases[i].loaded);
		put("/sys/kernel/kexec_crash_loaded", cases[i].crash);
		assert_int_equal(claims_no_kexec(), cases[i].claims);
	}
	put("/sys/kernel/kexec_loaded", "0\n");
	take_away("/sys/kernel/kexec_crash_loaded"); /* a kernel without crash dumps */
	assert_true(claims_no_kexec());
}

/* ---- facts ---- */

static const struct host_fact *fact_named(const struct host_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->count; i++)
		if (strcmp(facts->facts[i].name, name) == 0)
			return &facts->facts[i];
	fail_msg("no fact %s", name);
	return NULL;
}

static void test_facts(void **state)
{
	(void)state;
	static struct host_facts facts;
	assert_int_equal(host_facts(&facts), 0);
	assert_in_range(facts.count, 10, HOST_FACTS_MAX);
	for (size_t i = 0; i < facts.count; i++) {
		const struct host_fact *f = &facts.facts[i];
		assert_non_null(host_verdict_name(f->verdict));
		if (!f->value[0])
			fail_msg("%s has no value", f->name);
		if ((f->verdict == HOST_LIMITED || f->verdict == HOST_MISSING) && !f->reason[0] &&
		    !f->remedy[0])
			fail_msg("%s is %s without a reason or a remedy", f->name,
			         host_verdict_name(f->verdict));
		if (f->verdict == HOST_GOOD && f->remedy[0])
			fail_msg("%s is good and has a remedy", f->name);
	}
	uint32_t claims = host_claims();
	assert_int_equal(fact_named(&facts, "Yama")->verdict == HOST_GOOD,
	                 !!(claims & EVIDENCE_YAMA_SCOPE_3));
	assert_int_equal(fact_named(&facts, "kexec")->verdict == HOST_GOOD,
	                 !!(claims & EVIDENCE_KEXEC_DISABLED));
	assert_int_equal(fact_named(&facts, "secret memory")->verdict == HOST_GOOD,
	                 mem_level_check(MEM_SECRET, 1, NULL) == 0);
}

static void test_namespace_flags(void **state)
{
	(void)state;
	const struct process_status root_user = {.effective = (uint64_t)1 << 21}; /* CAP_SYS_ADMIN */
	const struct process_status user = {0};
	assert_int_equal(host_namespace_flags(&root_user) & CLONE_NEWUSER, 0);
	assert_int_equal(host_namespace_flags(&user) & CLONE_NEWUSER, CLONE_NEWUSER);
	assert_int_equal(host_namespace_flags(&user) & ~(uint64_t)CLONE_NEWUSER,
	                 host_namespace_flags(&root_user));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_is_read),
		cmocka_unit_test(test_own_status),
		cmocka_unit_test(test_own_cgroup),
		cmocka_unit_test_setup_teardown(test_cgroup_search, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_claims, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_no_kexec, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_loaded_kernel_counts, make_root, remove_root),
		cmocka_unit_test(test_namespace_flags),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_bad_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
