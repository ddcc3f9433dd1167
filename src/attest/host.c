#include "attest/host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/cgroup.h"
#include "attest/evidence.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "mem/mem.h"

enum { SMALL_FILE = 4096, MIB = 1 << 20 };

static const char *const verdict_names[] = {
	[HOST_GOOD] = "good",
	[HOST_LIMITED] = "limited",
	[HOST_MISSING] = "missing",
	[HOST_INFO] = "info",
};

const char *host_verdict_name(enum host_verdict verdict)
{
	return verdict_names[verdict];
}

/* ---- small readers ---- */

/* The first line of a small file, "" if it cannot be read. True if it could. */
static bool read_line(const char *root, const char *path, char *to, size_t size)
{
	char full[512];
	snprintf(full, sizeof(full), "%s%s", root, path);
	to[0] = '\0';
	cleanup_close int fd = open(full, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, to, size - 1);
	if (got < 0)
		return false;
	to[got] = '\0';
	to[strcspn(to, "\n")] = '\0';
	return true;
}

static bool file_is(const char *root, const char *path, const char *wanted)
{
	char line[64];
	return read_line(root, path, line, sizeof(line)) && strcmp(line, wanted) == 0;
}

static bool exists(const char *root, const char *path)
{
	char full[512];
	snprintf(full, sizeof(full), "%s%s", root, path);
	return access(full, F_OK) == 0;
}

/* ---- host claims ---- */

/* Lists all modes with the one in force in brackets. */
static bool lockdown_is_confidential(const char *root)
{
	char line[120];
	return read_line(root, "/sys/kernel/security/lockdown", line, sizeof(line)) &&
	       strstr(line, "[confidentiality]");
}

static bool yama_is_3(const char *root)
{
	return file_is(root, "/proc/sys/kernel/yama/ptrace_scope", "3");
}

static bool is_absent(const char *root, const char *path)
{
	char full[512];
	snprintf(full, sizeof(full), "%s%s", root, path);
	return access(full, F_OK) < 0 && errno == ENOENT;
}

static const char kexec_load_disabled[] = "/proc/sys/kernel/kexec_load_disabled";
/* Whether a kernel waits to be started, on demand or by a crash: it stays when loading is disabled. */
static const char kexec_loaded[] = "/sys/kernel/kexec_loaded";
static const char kexec_crash_loaded[] = "/sys/kernel/kexec_crash_loaded";

/* A kernel that cannot kexec at all has none of the files, one without crash dumps lacks the last. */
static bool kexec_is_disabled(const char *root)
{
	bool no_crash = is_absent(root, kexec_crash_loaded);
	if (is_absent(root, kexec_load_disabled) && is_absent(root, kexec_loaded))
		return no_crash && file_is(root, "/proc/sys/kernel/ostype", "Linux");
	return file_is(root, kexec_load_disabled, "1") && file_is(root, kexec_loaded, "0") &&
	       (no_crash || file_is(root, kexec_crash_loaded, "0"));
}

uint32_t host_claims_at(const char *root)
{
	uint32_t claims = 0;
	if (lockdown_is_confidential(root))
		claims |= EVIDENCE_LOCKDOWN_CONFIDENTIALITY;
	if (yama_is_3(root))
		claims |= EVIDENCE_YAMA_SCOPE_3;
	if (kexec_is_disabled(root))
		claims |= EVIDENCE_KEXEC_DISABLED;
	return claims;
}

uint32_t host_claims(void)
{
	return host_claims_at("");
}

uint64_t host_namespace_flags(const struct process_status *status)
{
	uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	                 CLONE_NEWCGROUP;
	return process_may(status, CAP_SYS_ADMIN) ? flags : flags | CLONE_NEWUSER;
}

/* ---- the facts ---- */

/* What several probes need. */
struct machine {
	struct process_status status;
	struct utsname name;
};

typedef void probe_fn(const struct machine *machine, struct host_fact *f);

static void set(struct host_fact *f, enum host_verdict verdict, const char *value, const char *reason,
                const char *remedy)
{
	f->verdict = verdict;
	snprintf(f->value, sizeof(f->value), "%.119s", value);
	snprintf(f->reason, sizeof(f->reason), "%.399s", reason);
	snprintf(f->remedy, sizeof(f->remedy), "%.299s", remedy);
}

static void probe_kernel(const struct machine *machine, struct host_fact *f)
{
	char value[sizeof(f->value)];
	snprintf(value, sizeof(value), "%.60s %.40s, %.15s", machine->name.sysname, machine->name.release,
	         machine->name.machine);
	set(f, HOST_INFO, value, "", "");
}

/* A page of it, and if that is refused, why. */
static void probe_secret_memory(const struct machine *machine not_used, struct host_fact *f)
{
	struct error err = {0};
	int rc = mem_level_check(MEM_SECRET, 1, &err);
	if (rc == 0) {
		set(f, HOST_GOOD, "memfd_secret works", "", "");
		return;
	}
	char *remedy = strstr(err.text, ": ");
	if (remedy) {
		*remedy = '\0';
		remedy += 2;
	}
	set(f, HOST_MISSING, "none", err.text, remedy ? remedy : "");
}

static void probe_locked_memory(const struct machine *machine, struct host_fact *f)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_max == RLIM_INFINITY) {
		set(f, HOST_GOOD, "no limit", "", "");
		return;
	}
	char value[sizeof(f->value)];
	snprintf(value, sizeof(value), "%" PRIu64 " MiB, at most %" PRIu64 " MiB",
	         (uint64_t)limit.rlim_cur / MIB, (uint64_t)limit.rlim_max / MIB);
	if (process_may(&machine->status, CAP_SYS_RESOURCE))
		set(f, HOST_GOOD, value, "the launcher raises it for executors", "");
	else if (process_may(&machine->status, CAP_IPC_LOCK))
		set(f, HOST_GOOD, value, "the launcher leaves executors the right to lock more", "");
	else
		set(f, HOST_LIMITED, value, "bounds the protected memory of each executor",
		    "`ulimit -l`, memlock in /etc/security/limits.conf, or LimitMEMLOCK=infinity in "
		    "the systemd unit");
}

static void probe_swap(const struct machine *machine not_used, struct host_fact *f)
{
	cleanup_buf struct buf text = {0};
	if (io_read_file("/proc/swaps", SMALL_FILE * 16, &text, NULL) < 0) {
		set(f, HOST_INFO, "unknown", "", "");
		return;
	}
	size_t lines = 0;
	for (size_t i = 0; i < text.size; i++)
		lines += text.data[i] == '\n';
	if (lines <= 1)
		set(f, HOST_GOOD, "none", "", "");
	else
		set(f, HOST_INFO, "present", "secret memory is never swapped; insecure-none may be", "");
}

static void probe_user(const struct machine *machine, struct host_fact *f)
{
	static const struct {
		unsigned capability;
		const char *name;
	} wanted[] = {
		{CAP_SETUID, "setuid"},       {CAP_SETGID, "setgid"},
		{CAP_SYS_ADMIN, "sys_admin"}, {CAP_SYS_RESOURCE, "sys_resource"},
		{CAP_IPC_LOCK, "ipc_lock"},
	};
	char value[sizeof(f->value)];
	size_t used = (size_t)snprintf(value, sizeof(value),
	                               "uid %" PRIu32 ", capabilities:", machine->status.uid[1]);
	size_t count = 0;
	for (size_t i = 0; i < array_count(wanted) && used < sizeof(value); i++)
		if (process_may(&machine->status, wanted[i].capability)) {
			used += (size_t)snprintf(value + used, sizeof(value) - used, " %s", wanted[i].name);
			count++;
		}
	if (count == 0)
		snprintf(value + used, sizeof(value) - used, " none");
	if (process_may(&machine->status, CAP_SETUID) && process_may(&machine->status, CAP_SETGID))
		set(f, HOST_GOOD, value, "every executor gets a user id of its own", "");
	else
		set(f, HOST_LIMITED, value, "executors run under this user's id",
		    "start Cella as root for own-uid evidence");
}

/* In the namespaces an executor is to have: does mounting work, too? Exits with an errno. */
static void try_namespaces(void)
{
	_exit(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? errno : 0);
}

static int namespaces_error(uint64_t flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	int status = 0;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return errno;
	if (pid == 0)
		try_namespaces();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static const char *namespaces_remedy(void)
{
	if (file_is("", "/proc/sys/kernel/unprivileged_userns_clone", "0"))
		return "sysctl kernel.unprivileged_userns_clone=1, or start Cella as root";
	if (file_is("", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		return "an AppArmor profile with `userns` for cella-las, or start Cella as root";
	if (file_is("", "/proc/sys/user/max_user_namespaces", "0"))
		return "sysctl user.max_user_namespaces=10000, or start Cella as root";
	return "allow clone3 with new namespaces in the container's profile, or start Cella as root";
}

static void probe_namespaces(const struct machine *machine, struct host_fact *f)
{
	char reason[sizeof(f->reason)];
	uint64_t flags = host_namespace_flags(&machine->status);
	int error = namespaces_error(flags);
	if (!error) {
		set(f, HOST_GOOD, flags & CLONE_NEWUSER ? "with a user namespace" : "as root", "", "");
		return;
	}
	snprintf(reason, sizeof(reason),
	         "executors would share this user's processes, network and files' names: %s",
	         strerror(error));
	set(f, HOST_MISSING, "none", reason, namespaces_remedy());
}

static void probe_landlock(const struct machine *machine not_used, struct host_fact *f)
{
	static const char remedy[] =
		"boot with lsm=landlock,... where the kernel was built with CONFIG_SECURITY_LANDLOCK";
	char value[sizeof(f->value)];
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	snprintf(value, sizeof(value), "ABI %ld", abi);
	if (abi < 0)
		set(f, HOST_MISSING, "none", "seccomp stands alone around executors", remedy);
	else if (abi < 6)
		set(f, HOST_LIMITED, value,
		    abi < 4 ? "files only; TCP from ABI 4, signals and abstract sockets from ABI 6"
		            : "files and TCP; signals and abstract sockets from ABI 6",
		    "Linux 6.12 or later");
	else
		set(f, HOST_GOOD, value, "", "");
}

static void probe_seccomp(const struct machine *machine, struct host_fact *f)
{
	char line[200];
	if (!read_line("", "/proc/sys/kernel/seccomp/actions_avail", line, sizeof(line)) ||
	    !strstr(line, "kill_process"))
		set(f, HOST_MISSING, "none", "no executor starts without a seccomp filter",
		    "a kernel with CONFIG_SECCOMP_FILTER");
	else if (machine->status.filter_mode)
		set(f, HOST_LIMITED, "a filter is in force already",
		    "whoever set it could answer executors' system calls: no no-inherited-filter evidence",
		    "start Cella outside of the sandbox or container");
	else
		set(f, HOST_GOOD, "filters work, none is inherited", "", "");
}

static void probe_cgroup(const struct machine *machine not_used, struct host_fact *f)
{
	char directory[CGROUP_PATH_MAX], value[sizeof(f->value)];
	struct error err = {0};
	int rc = cgroup_find(directory, &err);
	if (rc == 0) {
		snprintf(value, sizeof(value), "%.100s", directory);
		set(f, HOST_GOOD, value, "", "");
		return;
	}
	char *remedy = strstr(err.text, ": ");
	if (remedy) {
		*remedy = '\0';
		remedy += 2;
	}
	set(f, HOST_MISSING, "none", err.text, remedy ? remedy : "");
}

static void probe_yama(const struct machine *machine not_used, struct host_fact *f)
{
	char scope[16];
	if (!read_line("", "/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)))
		set(f, HOST_MISSING, "no Yama", "root may attach to executors", "boot with lsm=yama,...");
	else if (yama_is_3(""))
		set(f, HOST_GOOD, "scope 3", "nobody attaches to any process", "");
	else
		set(f, HOST_LIMITED, scope, "root may attach to executors",
		    "sysctl kernel.yama.ptrace_scope=3 (until the next boot nothing can be debugged)");
}

static void probe_lockdown(const struct machine *machine not_used, struct host_fact *f)
{
	char line[sizeof(f->value)];
	if (lockdown_is_confidential(""))
		set(f, HOST_GOOD, "confidentiality", "", "");
	else if (read_line("", "/sys/kernel/security/lockdown", line, sizeof(line)))
		set(f, HOST_LIMITED, line, "root may read kernel memory, or load code that does",
		    "boot with lockdown=confidentiality");
	else
		set(f, HOST_MISSING, "none", "root may read kernel memory, or load code that does",
		    "boot with lsm=lockdown,... and lockdown=confidentiality");
}

static void probe_kexec(const struct machine *machine not_used, struct host_fact *f)
{
	if (kexec_is_disabled(""))
		set(f, HOST_GOOD, "disabled", "", "");
	else if (file_is("", kexec_load_disabled, "1"))
		set(f, HOST_LIMITED, "a kernel is loaded",
		    "root, or a crash, may start it, and it reads what this one left",
		    "boot without kdump and kexec, then sysctl kernel.kexec_load_disabled=1");
	else
		set(f, HOST_LIMITED, "enabled", "root may start another kernel that reads what this one left",
		    "sysctl kernel.kexec_load_disabled=1");
}

static void probe_processor(const struct machine *machine, struct host_fact *f)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("x86-64-v4"))
		set(f, HOST_GOOD, "x86-64-v4", "", "");
	else if (__builtin_cpu_supports("x86-64-v3"))
		set(f, HOST_GOOD, "x86-64-v3", "", "");
	else if (__builtin_cpu_supports("x86-64-v2"))
		set(f, HOST_LIMITED, "x86-64-v2",
		    "cells run without AVX2, more slowly, and only if they were built for x86-64-v2",
		    "cella cc --targets x86-64-v2 or cella build");
	else
		set(f, HOST_MISSING, "x86-64", "cells are compiled for x86-64-v2 (SSE 4.2) or better",
		    "a processor from 2009 or later");
	(void)machine;
#else
	set(f, HOST_GOOD, machine->name.machine, "", "");
#endif
}

static const char can_vouch[] = "present; it can vouch for this machine at a CAS (cella las endorse)";

/* A machine class by its device. */
static void probe_device(struct host_fact *f, const char *path, const char *use, const char *remedy)
{
	char value[sizeof(f->value)];
	if (!exists("", path)) {
		snprintf(value, sizeof(value), "no %s", path);
		set(f, HOST_MISSING, value, "", remedy);
		return;
	}
	snprintf(value, sizeof(value), "%s", path);
	set(f, HOST_INFO, value, use, "");
}

static void probe_tpm(const struct machine *machine not_used, struct host_fact *f)
{
	probe_device(f, "/dev/tpmrm0", can_vouch,
	             "enable the TPM 2.0 in the firmware, or give the virtual machine one");
}

static void probe_snp(const struct machine *machine not_used, struct host_fact *f)
{
	probe_device(f, "/dev/sev-guest", can_vouch,
	             "a confidential virtual machine on AMD EPYC 7003 or later");
}

static void probe_tdx(const struct machine *machine not_used, struct host_fact *f)
{
	probe_device(f, "/dev/tdx_guest", can_vouch, "a confidential virtual machine on Intel Xeon with TDX");
}

static void probe_sgx(const struct machine *machine not_used, struct host_fact *f)
{
	probe_device(f, "/dev/sgx_enclave",
	             "present; a process under Gramine can show it to a CAS (cella las endorse)",
	             "an Intel Xeon with SGX that is enabled in the firmware");
}

static const struct {
	const char *group;
	const char *name;
	probe_fn *probe;
} probes[] = {
	{"kernel", "kernel", probe_kernel},
	{"memory", "secret memory", probe_secret_memory},
	{"memory", "locked memory", probe_locked_memory},
	{"memory", "swap", probe_swap},
	{"isolation", "user", probe_user},
	{"isolation", "namespaces", probe_namespaces},
	{"isolation", "seccomp", probe_seccomp},
	{"isolation", "Landlock", probe_landlock},
	{"isolation", "cgroup limits", probe_cgroup},
	{"host claims", "lockdown", probe_lockdown},
	{"host claims", "Yama", probe_yama},
	{"host claims", "kexec", probe_kexec},
	{"processor", "processor", probe_processor},
	{"machine", "tpm", probe_tpm},
	{"machine", "snp", probe_snp},
	{"machine", "tdx", probe_tdx},
	{"machine", "sgx", probe_sgx},
};
static_assert(array_count(probes) <= HOST_FACTS_MAX, "room for each");

int host_facts(struct host_facts *ret)
{
	struct machine machine = {0};
	uname(&machine.name);
	if (process_status_read(0, &machine.status, NULL) < 0)
		machine.status.uid[1] = geteuid();
	*ret = (struct host_facts){.count = array_count(probes)};
	for (size_t i = 0; i < array_count(probes); i++) {
		ret->facts[i].group = probes[i].group;
		ret->facts[i].name = probes[i].name;
		probes[i].probe(&machine, &ret->facts[i]);
	}
	return 0;
}
