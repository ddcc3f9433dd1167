#include "cell/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Landlock's rights by ABI, as the kernel's documentation numbers them; Debian 12's headers end
 * with ABI 2. */
static const uint64_t landlock_files[] = {
	[1] = (1u << 13) - 1, /* execute to make_sym */
	[2] = (1u << 14) - 1, /* refer */
	[3] = (1u << 15) - 1, /* truncate */
	[4] = (1u << 15) - 1, [5] = (1u << 16) - 1, /* ioctl_dev */
};
enum {
	LANDLOCK_NET_ABI = 4,
	LANDLOCK_NET_ALL = 3, /* bind_tcp, connect_tcp */
	LANDLOCK_SCOPE_ABI = 6,
	LANDLOCK_SCOPE_ALL = 3, /* abstract_unix_socket, signal */
};

/* struct landlock_ruleset_attr of ABI 6; older kernels take the front of it. */
struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scope;
};

int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi < 0 ? 0 : (int)abi;
}

int sandbox_early(struct error *err)
{
	const struct rlimit none = {0};
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_errno(err, CELLA_EPERM, "cannot make the process undumpable");
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return error_errno(err, CELLA_EPERM, "cannot forbid core files");
	return 0;
}

/* Deny everything that Landlock of this kernel can deny; no rule allows anything. */
int sandbox_enter_landlock(uint32_t *measures, struct error *err)
{
	int abi = sandbox_landlock_abi();
	if (abi == 0)
		return 0;
	struct ruleset rules = {
		.files = landlock_files[min_of((size_t)abi, array_count(landlock_files) - 1)]};
	size_t size = offsetof(struct ruleset, net);
	if (abi >= LANDLOCK_NET_ABI) {
		rules.net = LANDLOCK_NET_ALL;
		size = offsetof(struct ruleset, scope);
	}
	if (abi >= LANDLOCK_SCOPE_ABI) {
		rules.scope = LANDLOCK_SCOPE_ALL;
		size = sizeof(rules);
	}
	cleanup_close int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd < 0)
		return error_errno(err, CELLA_EPERM, "cannot make a Landlock ruleset (ABI %d)", abi);
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return error_errno(err, CELLA_EPERM, "cannot enforce Landlock (ABI %d)", abi);
	*measures |= SANDBOX_LANDLOCK_FILES | (rules.net ? SANDBOX_LANDLOCK_NET : 0u) |
	             (rules.scope ? SANDBOX_LANDLOCK_SCOPE : 0u);
	return 0;
}

/* Allowed whatever the arguments are. */
static const int allowed_calls[] = {
	/* descriptors that it has */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(fallocate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(getdents64),
	SCMP_SYS(close),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	/* memory, but for what conditions[] says */
	SCMP_SYS(munmap),
	SCMP_SYS(madvise),
	SCMP_SYS(mincore),
	SCMP_SYS(brk),
	SCMP_SYS(memfd_secret),
	SCMP_SYS(futex),
	/* time, chance */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(setitimer),
	SCMP_SYS(getrandom),
	/* itself */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* Allowed if one argument, masked, has a value. */
static const struct condition {
	int call;
	struct scmp_arg_cmp argument;
} conditions[] = {
	{SCMP_SYS(mmap), {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
	{SCMP_SYS(mprotect), {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
	{SCMP_SYS(mremap),
         {3, SCMP_CMP_LE, MREMAP_MAYMOVE, 0}}, /* malloc; not to a place of the caller's choice */
	{SCMP_SYS(sendto), {4, SCMP_CMP_EQ, 0, 0}}, /* no address: to the peer */
	{SCMP_SYS(fcntl), {1, SCMP_CMP_EQ, F_GETFL, 0}},
	{SCMP_SYS(fcntl), {1, SCMP_CMP_EQ, F_SETFL, 0}},
	{SCMP_SYS(fcntl), {1, SCMP_CMP_EQ, F_GETFD, 0}},
	{SCMP_SYS(fcntl), {1, SCMP_CMP_EQ, F_SETFD, 0}},
	{SCMP_SYS(fcntl), {1, SCMP_CMP_EQ, F_GET_SEALS, 0}},
	{SCMP_SYS(utimensat), {1, SCMP_CMP_EQ, 0, 0}}, /* of a descriptor: futimens */
};

/* Probes that are answered with an error. */
static const struct denial {
	int call;
	uint32_t number;
} denials[] = {
	{SCMP_SYS(ioctl), ENOTTY},
	{SCMP_SYS(open), EPERM},
	{SCMP_SYS(openat), EPERM},
	{SCMP_SYS(access), EPERM},
	{SCMP_SYS(faccessat), EPERM},
	{SCMP_SYS(faccessat2), EPERM},
	{SCMP_SYS(stat), EPERM},
	{SCMP_SYS(lstat), EPERM},
	{SCMP_SYS(statx), EPERM},
	{SCMP_SYS(newfstatat), EPERM},
	{SCMP_SYS(readlink), EPERM},
	{SCMP_SYS(readlinkat), EPERM},
	{SCMP_SYS(getcwd), EPERM},
	{SCMP_SYS(uname), EPERM},
	{SCMP_SYS(sysinfo), EPERM},
	{SCMP_SYS(prlimit64), EPERM},
	{SCMP_SYS(getrlimit), EPERM},
	{SCMP_SYS(getrusage), EPERM},
	{SCMP_SYS(sched_getaffinity), EPERM},
};

static void release_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

/* 0 or a negative errno. A call that this architecture does not have is no failure. */
static int add_rules(scmp_filter_ctx filter)
{
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	                          SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)getpid()));
	/* Memory that it has, at any place, as mmap may: shared memory once more, or with the page table
	 * entries of the first mapping, or all of it. Rights do not change. */
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 1,
		                      SCMP_A3(SCMP_CMP_EQ, MREMAP_MAYMOVE | MREMAP_FIXED));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 1,
		                      SCMP_A3(SCMP_CMP_EQ, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP));
	for (size_t i = 0; rc == 0 && i < array_count(allowed_calls); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	for (size_t i = 0; rc == 0 && i < array_count(conditions); i++)
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, conditions[i].call, 1,
		                            &conditions[i].argument);
	for (size_t i = 0; rc == 0 && i < array_count(denials); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(denials[i].number), denials[i].call, 0);
	return rc;
}

int sandbox_enter_seccomp(uint32_t *measures, struct error *err)
{
	cleanup_with(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return error_set(err, CELLA_ENOMEM, "no memory for a seccomp filter");
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
	if (rc == 0)
		rc = add_rules(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0) {
		errno = -rc;
		return error_errno(err, CELLA_EUNSUPPORTED, "cannot enter the seccomp filter");
	}
	*measures |= SANDBOX_SECCOMP;
	return 0;
}

int sandbox_enter(uint32_t *ret_measures, struct error *err)
{
	uint32_t measures = SANDBOX_NO_NEW_PRIVS;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, CELLA_EPERM, "cannot give up new privileges");
	int rc = sandbox_enter_landlock(&measures, err);
	if (rc == 0)
		rc = sandbox_enter_seccomp(&measures, err);
	if (rc < 0)
		return rc;
	*ret_measures = measures;
	return 0;
}
