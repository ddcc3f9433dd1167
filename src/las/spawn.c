#include "las/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "las/bounds.h"
#include "page/page.h"

/* Ids in use are found through the scheduler's lists, which every process is in; of other PID namespaces
 * than the launcher's and those below it none is seen. */
static int pick_uid(uint32_t *ret_uid, struct error *err)
{
	for (int i = 0; i < LAS_UID_TRIES; i++) {
		uint32_t random;
		int rc = crypto_random(&random, sizeof(random), err);
		if (rc < 0)
			return rc;
		uint32_t uid = LAS_UID_FIRST + random % LAS_UID_COUNT;
		errno = 0;
		if (getpriority(PRIO_USER, uid) == -1 && errno == ESRCH) {
			*ret_uid = uid;
			return 0;
		}
	}
	return error_set(err, CELLA_ELIMIT, "no user id is free for an executor");
}

/* Where the limit may not be raised, the right to lock memory beyond it does as well. */
static bool needs_lock_capability(const struct process_status *s, uint64_t wanted)
{
	struct rlimit limit;
	return process_may(s, CAP_IPC_LOCK) && !process_may(s, CAP_SYS_RESOURCE) &&
	       getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max < wanted;
}

/* Locked memory, and all memory, that a request entitles its executor to. */
static uint64_t locked_for(const struct launch_request *request)
{
	return LAS_LOCKED_OVERHEAD + (request->memory_level == MEM_PAGED
	                                      ? pager_locked(request->window, request->heap)
	                                      : request->heap);
}

static uint64_t memory_for(const struct launch_request *request)
{
	return LAS_MEMORY_OVERHEAD + request->heap +
	       (request->memory_level == MEM_PAGED ? pager_locked(request->window, request->heap) : 0);
}

static int plan_for(const struct launcher *launcher, uint64_t namespaces,
                    const struct launch_request *request, struct child_plan *plan, struct error *err)
{
	const struct process_status *s = &launcher->status;
	bool same_users = !(namespaces & CLONE_NEWUSER);
	plan->own_mounts = namespaces & CLONE_NEWNS;
	plan->own_user = same_users && process_may(s, CAP_SETUID) && process_may(s, CAP_SETGID);
	plan->lock_limit = locked_for(request);
	plan->keep_lock = same_users && needs_lock_capability(s, plan->lock_limit);
	plan->uid = s->uid[1];
	return plan->own_user ? pick_uid(&plan->uid, err) : 0;
}

/* The beginning of a line in the log. */
static const char *who_gets(bool for_good)
{
	return for_good ? "executors get" : "an executor gets";
}

/* -1 where there can be none. */
static int make_cgroup(struct launcher *launcher, const struct launch_request *request, struct spawned *s)
{
	struct error why = {0};
	if (!launcher->has_cgroup)
		return -1;
	snprintf(s->cgroup_name, sizeof(s->cgroup_name), "cella-%d-%" PRIu32, (int)getpid(),
	         launcher->launched);
	if (cgroup_new(launcher->cgroup, s->cgroup_name, memory_for(request), LAS_EXECUTOR_PROCESSES,
	               &s->cgroup, &why) == 0)
		return cgroup_fd(s->cgroup);
	log_warn("%s no cgroup limits: %s", who_gets(why.code == CELLA_EPERM), why.text);
	launcher->has_cgroup = why.code != CELLA_EPERM;
	s->cgroup_name[0] = '\0';
	return -1;
}

static pid_t clone_child(uint64_t namespaces, int cgroup, struct spawned *s)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | namespaces | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)&s->pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)max_of(cgroup, 0),
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child_run(&s->plan);
	return pid;
}

/* Of namespaces and of joining a cgroup; anything else is a failure. The first ones stay as they are, the
 * others are for want of something that another launch may find. */
static bool is_lasting_denial(int number)
{
	return number == EPERM || number == EACCES || number == EINVAL || number == EOPNOTSUPP;
}

static bool is_denial(int number)
{
	return is_lasting_denial(number) || number == ENOSPC || number == EUSERS || number == EBUSY ||
	       number == ENOENT;
}

/* What a child can be made without, in the order in which it is tried. */
enum { NO_CGROUP = 1, NO_NAMESPACES = 2, NOTHING_OF_ITS_OWN = NO_CGROUP | NO_NAMESPACES };

static void leave_out(struct launcher *launcher, struct spawned *s, int without, bool for_good)
{
	if (without & NO_NAMESPACES) {
		log_warn("%s no new namespaces: see cella doctor", who_gets(for_good));
		if (for_good)
			launcher->namespace_flags = 0;
	}
	if (without & NO_CGROUP) {
		log_warn("%s no cgroup limits: none may be started in %s", who_gets(for_good),
		         launcher->cgroup);
		cgroup_free(take_ptr(&s->cgroup));
		s->cgroup_name[0] = '\0';
		if (for_good)
			launcher->has_cgroup = false;
	}
}

static int spawn_child(struct launcher *launcher, const struct launch_request *request, struct spawned *s,
                       struct error *err)
{
	int cgroup = make_cgroup(launcher, request, s);
	int there = (cgroup < 0 ? 0 : NO_CGROUP) | (launcher->namespace_flags ? NO_NAMESPACES : 0);
	bool for_good = true;
	for (int without = 0; without <= NOTHING_OF_ITS_OWN; without++) {
		if (without & ~there)
			continue;
		uint64_t namespaces = without & NO_NAMESPACES ? 0 : launcher->namespace_flags;
		int rc = plan_for(launcher, namespaces, request, &s->plan, err);
		if (rc < 0)
			return rc;
		s->pid = clone_child(namespaces, without & NO_CGROUP ? -1 : cgroup, s);
		if (s->pid > 0) {
			leave_out(launcher, s, without, for_good);
			return 0;
		}
		if (!is_denial(errno))
			break;
		for_good = for_good && is_lasting_denial(errno);
	}
	return error_errno(err, CELLA_EIO, "cannot start a process for an executor");
}

/* The child's ends live until it has its copies. */
static int spawn_connected(struct launcher *launcher, const struct launch_request *request, int agent,
                           int bundle, int pages, struct spawned *s, struct error *err)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, CELLA_EIO, "cannot make an executor's launch socket");
	s->launch = pair[0];
	cleanup_close int launch_end = pair[1];
	if (fcntl(s->launch, F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, CELLA_EIO, "cannot set up an executor's launch socket");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, CELLA_EIO, "cannot make an executor's owner channel");
	s->owner = pair[0];
	cleanup_close int owner_end = pair[1];
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, CELLA_EIO, "cannot make an executor's report pipe");
	s->report = pair[0];
	cleanup_close int report_end = pair[1];
	const int fds[LAUNCH_FD_COUNT] = {
		[LAUNCH_FD_NULL_IN] = launcher->null_fd,
		[LAUNCH_FD_NULL_OUT] = launcher->null_fd,
		[LAUNCH_FD_LOG] = STDERR_FILENO,
		[LAUNCH_FD_LAUNCHER] = launch_end,
		[LAUNCH_FD_OWNER] = owner_end,
		[LAUNCH_FD_AGENT] = agent,
		[LAUNCH_FD_BUNDLE] = bundle,
		[LAUNCH_FD_PAGES] = pages >= 0 ? pages : launcher->null_fd,
	};
	memcpy(s->plan.fds, fds, sizeof(fds));
	s->plan.executor = launcher->executor.fd;
	s->plan.report = report_end;
	return spawn_child(launcher, request, s, err);
}

int spawn(struct launcher *launcher, const struct launch_request *request, int agent, int bundle, int pages,
          struct spawned *ret_spawned, struct error *err)
{
	struct spawned s = {.pidfd = -1, .report = -1, .launch = -1, .owner = -1};
	int rc = spawn_connected(launcher, request, agent, bundle, pages, &s, err);
	launcher->launched++;
	if (rc < 0) {
		spawned_done(&s);
		return rc;
	}
	*ret_spawned = s;
	return 0;
}

void spawned_kill(const struct spawned *s)
{
	if (s->pid > 0)
		syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
}

int spawned_reap(struct spawned *s)
{
	int status = 0;
	while (s->pid > 0 && waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	return status;
}

void spawned_done(struct spawned *s)
{
	const int fds[] = {s->pidfd, s->report, s->launch, s->owner};
	for (size_t i = 0; i < array_count(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	cgroup_free(take_ptr(&s->cgroup));
}
