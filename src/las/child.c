#include "las/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attributes.h"
#include "las/bounds.h"

/* Where the two descriptors of its own stay until exec closes them. */
enum { REPORT_FD = LAUNCH_FD_COUNT, EXECUTOR_FD, FIRST_FREE_FD };

/* Steps return 0 or an errno. */
typedef int step_fn(const struct child_plan *plan, struct child_report *report);

static int result_of(long rc)
{
	return rc < 0 ? errno : 0;
}

static int reset_signals(const struct child_plan *plan not_used, struct child_report *report not_used)
{
	const struct sigaction defaults = {.sa_handler = SIG_DFL};
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &defaults, NULL);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return errno;
	return result_of(setsid());
}

/* First all out of the way, so that none is overwritten before it is moved. */
static int move_descriptors(const struct child_plan *plan, struct child_report *report not_used)
{
	int fds[FIRST_FREE_FD];
	memcpy(fds, plan->fds, sizeof(plan->fds));
	fds[REPORT_FD] = plan->report;
	fds[EXECUTOR_FD] = plan->executor;
	for (int i = 0; i < FIRST_FREE_FD; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		if (fds[i] < 0)
			return errno;
	}
	for (int i = 0; i < FIRST_FREE_FD; i++)
		if (dup3(fds[i], i, i < LAUNCH_FD_COUNT ? 0 : O_CLOEXEC) < 0)
			return errno;
	return result_of(syscall(SYS_close_range, FIRST_FREE_FD, ~0u, 0));
}

static int reset_personality(const struct child_plan *plan not_used, struct child_report *report not_used)
{
	return result_of(personality(PER_LINUX));
}

static int look_at_namespaces(const struct child_plan *plan not_used, struct child_report *report)
{
	report->namespaces = namespaces_read();
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (!report->namespaces.inode[i])
			return ENOENT;
	return 0;
}

static bool root_is_empty(void)
{
	static const size_t dots = 2 * 24; /* what "." and ".." take */
	char entries[1024];
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long size = fd < 0 ? -1 : syscall(SYS_getdents64, fd, entries, sizeof(entries));
	close(fd);
	return size >= 0 && (size_t)size <= dots;
}

/* The working directory, a mount point, becomes the root. pivot_root in this form stacks the old
 * root on the new one, whence it is taken away. The kernel's first root file system cannot be
 * pivoted: there the new one is moved over it, as switch_root does. */
static int enter_root(void)
{
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? errno : 0;
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		return errno;
	return result_of(chdir("/"));
}

/* A read-only file system without room for a single file, over a directory that every Linux has. */
static int empty_root(const struct child_plan *plan, struct child_report *report)
{
	static const char place[] = "/proc";
	static const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	if (!plan->own_mounts)
		return EPERM;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", place, "tmpfs", flags, "size=4k,nr_inodes=1,mode=0555") < 0 || chdir(place) < 0)
		return errno;
	int error = enter_root();
	if (error)
		return error;
	report->root_is_empty = root_is_empty();
	return report->root_is_empty ? 0 : ENOTEMPTY;
}

static int drop_names(const struct child_plan *plan, struct child_report *report not_used)
{
	static const char name[] = "cell";
	if (!plan->own_mounts)
		return EPERM;
	if (sethostname(name, sizeof(name) - 1) < 0)
		return errno;
	return result_of(setdomainname("", 0));
}

static int lower_limit(int which, rlim_t value)
{
	struct rlimit limit;
	if (prlimit(0, (__rlimit_resource_t)which, NULL, &limit) < 0)
		return errno;
	limit.rlim_cur = limit.rlim_max = min_of(value, limit.rlim_max);
	return result_of(prlimit(0, (__rlimit_resource_t)which, &limit, NULL));
}

static int raise_lock_limit(rlim_t value)
{
	struct rlimit limit = {value, value};
	if (prlimit(0, RLIMIT_MEMLOCK, &limit, NULL) == 0)
		return 0;
	return lower_limit(RLIMIT_MEMLOCK, value);
}

static int set_limits(const struct child_plan *plan, struct child_report *report not_used)
{
	int error = raise_lock_limit(plan->lock_limit);
	if (!error)
		error = lower_limit(RLIMIT_CORE, 0);
	if (!error)
		error = lower_limit(RLIMIT_NOFILE, LAS_EXECUTOR_DESCRIPTORS);
	if (!error)
		error = lower_limit(RLIMIT_NPROC, LAS_EXECUTOR_PROCESSES);
	umask(077);
	return error;
}

/* While it still may. The capabilities that it has survive the change of the user id, so that the
 * next steps say themselves which ones remain. */
static int narrow_capabilities(const struct child_plan *plan, struct child_report *report not_used)
{
	static const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
	                                  SECBIT_NO_SETUID_FIXUP_LOCKED;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return errno;
	for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(plan->keep_lock && i == CAP_IPC_LOCK) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			return errno;
	return result_of(prctl(PR_SET_SECUREBITS, bits, 0, 0, 0));
}

/* System calls themselves: the C library's wrappers would speak to threads that this copy does not have. */
static int become_user(const struct child_plan *plan, struct child_report *report not_used)
{
	if (!plan->own_user)
		return EPERM;
	if (syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, plan->uid, plan->uid, plan->uid) < 0)
		return errno;
	return result_of(syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid));
}

static int drop_capabilities(const struct child_plan *plan, struct child_report *report not_used)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	if (plan->keep_lock)
		data[0].effective = data[0].permitted = data[0].inheritable = 1u << CAP_IPC_LOCK;
	if (syscall(SYS_capset, &header, data) < 0)
		return errno;
	return plan->keep_lock ? result_of(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_IPC_LOCK, 0, 0))
	                       : 0;
}

/* The death signal goes with the user id, so it comes after it; a launcher that died before it has left a
 * closed socket. */
static int lock_up(const struct child_plan *plan not_used, struct child_report *report not_used)
{
	struct pollfd launcher = {.fd = LAUNCH_FD_LAUNCHER};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return errno;
	if (poll(&launcher, 1, 0) < 0)
		return errno;
	return launcher.revents & POLLHUP ? ESRCH : 0;
}

static int execute(const struct child_plan *plan not_used, struct child_report *report not_used)
{
	char name[] = "cella-cell";
	char *const argv[] = {name, NULL};
	char *const environment[] = {NULL};
	return result_of(syscall(SYS_execveat, EXECUTOR_FD, "", argv, environment, AT_EMPTY_PATH));
}

static const struct {
	const char *name;
	step_fn *run;
	bool optional;
} steps[CHILD_STEPS] = {
	[CHILD_SIGNALS] = {"reset its signals", reset_signals, false},
	[CHILD_DESCRIPTORS] = {"take its descriptors", move_descriptors, false},
	[CHILD_PERSONALITY] = {"reset its personality", reset_personality, false},
	[CHILD_NAMESPACES] = {"look at its namespaces", look_at_namespaces, true},
	[CHILD_ROOT] = {"get an empty root", empty_root, true},
	[CHILD_NAMES] = {"forget the host's name", drop_names, true},
	[CHILD_LIMITS] = {"set its limits", set_limits, false},
	[CHILD_BOUNDS] = {"narrow its capabilities", narrow_capabilities, true},
	[CHILD_USER] = {"get a user id of its own", become_user, true},
	[CHILD_CAPABILITIES] = {"drop its capabilities", drop_capabilities, false},
	[CHILD_LOCK] = {"lock itself up", lock_up, false},
	[CHILD_EXEC] = {"be executed", execute, false},
};

const char *child_step_name(enum child_step step)
{
	return steps[step].name;
}

static void send_report(int fd, const struct child_report *report)
{
	ssize_t written = write(fd, report, sizeof(*report));
	(void)written;
}

void child_run(const struct child_plan *plan)
{
	struct child_report report = {.failed = -1};
	for (int i = 0; i < CHILD_STEPS; i++) {
		if (i == CHILD_EXEC)
			send_report(REPORT_FD, &report);
		report.errors[i] = steps[i].run(plan, &report);
		if (report.errors[i] && !steps[i].optional) {
			report.failed = i;
			send_report(i <= CHILD_DESCRIPTORS ? plan->report : REPORT_FD, &report);
			_exit(127);
		}
	}
	_exit(127);
}
