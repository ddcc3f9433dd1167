#include "las/launch.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attest/evidence.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "las/bounds.h"
#include "las/measure.h"
#include "las/messages.h"
#include "las/spawn.h"

static_assert((int)EVIDENCE_SIZE_MAX <= (int)LAUNCH_EVIDENCE_MAX, "a reply has room for it");

enum state { SETUP, GREETING, VOUCHING, RUNNING, ENDING, STATE_COUNT };
enum event { REPORTED, SPOKE, DIGESTED, EXITED, EXPIRED, KILLED, EVENT_COUNT };

struct launch {
	struct launcher *launcher;
	struct loop *loop;
	struct launch_hooks hooks;
	struct launch_request request;
	bool page_file;
	enum state state;
	uint64_t begun_ns;
	struct spawned child;
	struct watch exit_watch;   /* its pidfd */
	struct watch report_watch; /* its report pipe, until it is executed */
	struct watch hello_watch;  /* its launch socket, once it was started */
	struct child_report report;
	bool has_report;
	struct launch_hello hello; /* VOUCHING: what evidence will repeat */
	uint32_t isolation;
	uint32_t uid;
	struct error why; /* ENDING: what the agent will be told */
};

/* ---- what it says to the agent ---- */

static void reply_error(struct launch *l, const struct error *why)
{
	struct launch_reply reply = {.type = LAUNCH_REPLY, .id = l->request.id, .error = why->code};
	snprintf(reply.text, sizeof(reply.text), "%.*s", LAUNCH_TEXT_MAX - 1, why->text);
	l->hooks.replied(l->hooks.data, &reply, NULL, 0);
}

/* It will not run. The agent learns why once the process is gone: then its id is free again. */
static void give_up(struct launch *l, const struct error *why)
{
	l->state = ENDING;
	l->why = *why;
	loop_remove(l->loop, &l->report_watch);
	loop_remove(l->loop, &l->hello_watch);
	spawned_kill(&l->child);
}

static int sign(struct launch *l, struct buf *ret, struct error *err)
{
	struct launcher *launcher = l->launcher;
	struct evidence e = {
		.memory_level = l->hello.memory_level,
		.isolation = l->isolation,
		.host = launcher->host,
		.uid = l->uid,
		.heap = l->request.heap,
		.time_s = (uint64_t)time(NULL),
		.machine = "soft",
	};
	memcpy(e.public_key, l->hello.public_key, sizeof(e.public_key));
	memcpy(e.cell, l->hello.cell, sizeof(e.cell));
	memcpy(e.builder, l->hello.builder, sizeof(e.builder));
	memcpy(e.nonce, l->request.nonce, sizeof(e.nonce));
	memcpy(e.kernel, launcher->kernel, sizeof(e.kernel));
	int rc = executor_digest(&launcher->executor, e.executor, err);
	return rc < 0 ? rc : signing_sign(launcher->signing, &e, ret, err);
}

static void reply_started(struct launch *l, const struct buf *evidence)
{
	const int fds[] = {l->child.owner, l->child.pidfd};
	struct launch_reply reply = {
		.type = LAUNCH_REPLY,
		.id = l->request.id,
		.pid = l->child.pid,
		.evidence_size = (uint32_t)evidence->size,
	};
	memcpy(reply.evidence, evidence->data, evidence->size);
	l->state = RUNNING;
	l->hooks.replied(l->hooks.data, &reply, fds, array_count(fds));
	close(take_fd(&l->child.owner)); /* else its reader would not see the executor's end */
	log_info("executor %" PRIu32 " (process %d) runs, %" PRIu64 " us after its request", l->request.id,
	         (int)l->child.pid, (clock_ns() - l->begun_ns) / 1000);
}

/* ---- the states ---- */

/* True at the pipe's end: the child was executed, or is dead. */
static bool take_report(struct launch *l)
{
	struct child_report report;
	ssize_t size = read(l->child.report, &report, sizeof(report));
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (size != (ssize_t)sizeof(report))
		return true;
	l->report = report;
	l->has_report = true;
	return false;
}

/* What the child says went wrong; 0 if nothing that must not. */
static int failed_step(const struct launch *l, struct error *err)
{
	int32_t step = l->has_report ? l->report.failed : -1;
	if (step < 0 || step >= CHILD_STEPS)
		return 0;
	errno = l->report.errors[step];
	return error_errno(err, CELLA_EPERM, "the executor cannot %s",
	                   child_step_name((enum child_step)step));
}

static void log_missing(const struct launch *l)
{
	for (int i = 0; i < CHILD_STEPS; i++)
		if (l->report.errors[i])
			log_info("executor %" PRIu32 " could not %s: %s", l->request.id,
			         child_step_name((enum child_step)i), strerror(l->report.errors[i]));
}

static int start_executor(struct launch *l, struct error *err)
{
	struct launch_start start = {
		.type = LAUNCH_START,
		.version = LAUNCH_VERSION,
		.memory_level = l->request.memory_level,
		.page_file = l->page_file,
		.heap = l->request.heap,
		.window = l->request.window,
	};
	memcpy(start.builder, l->request.builder, sizeof(start.builder));
	struct subject subject = {
		.pid = l->child.pid,
		.uid = l->child.plan.uid,
		.keeps_lock = l->child.plan.keep_lock,
		.cgroup = l->child.cgroup ? l->child.cgroup_name : NULL,
		.report = &l->report,
	};
	int rc = measure(l->launcher, &subject, &l->isolation, &l->uid, err);
	if (rc < 0)
		return rc;
	if (io_send_message(l->child.launch, &start, sizeof(start), NULL, 0, err) < 0)
		return error_prefix(err, CELLA_ELOST, "the executor does not listen: ");
	return loop_add(l->loop, &l->hello_watch, err);
}

static void on_report(struct launch *l)
{
	struct error err = {0};
	bool ended = take_report(l);
	int rc = failed_step(l, &err);
	if (rc == 0 && !ended)
		return;
	loop_remove(l->loop, &l->report_watch);
	if (rc == 0 && !l->has_report)
		return; /* it is dead, which is an event of its own */
	if (rc == 0) {
		log_missing(l);
		rc = start_executor(l, &err);
	}
	if (rc < 0)
		give_up(l, &err);
	else
		l->state = GREETING;
}

static int receive_hello(struct launch *l, struct launch_hello *ret, struct error *err)
{
	uint8_t bytes[sizeof(struct launch_hello) + 1];
	size_t size;
	int rc = io_receive_message(l->child.launch, bytes, sizeof(bytes), &size, NULL, 0, NULL, err);
	if (rc == 0 && size == 0)
		return error_set(err, CELLA_ELOST,
		                 "the executor closed its launch socket before it said hello");
	return rc < 0 ? rc : message_decode_hello(bytes, size, ret, err);
}

static int greet(struct launch *l, struct error *err)
{
	int rc = receive_hello(l, &l->hello, err);
	if (rc == 0 && l->hello.error)
		rc = error_set(err, l->hello.error, "executor: %s", l->hello.text);
	return rc;
}

static void on_digest(struct launch *l)
{
	struct error err = {0};
	cleanup_buf struct buf evidence = {0};
	if (sign(l, &evidence, &err) < 0)
		give_up(l, &err);
	else
		reply_started(l, &evidence);
}

static void on_hello(struct launch *l)
{
	struct error err = {0};
	if (greet(l, &err) < 0)
		return give_up(l, &err);
	l->state = VOUCHING;
	if (l->launcher->executor.has_digest)
		on_digest(l);
}

/* Nothing more is expected on the launch socket; its end stays open, so that the executor sees the
 * launcher's. */
static void on_chatter(struct launch *l)
{
	loop_remove(l->loop, &l->hello_watch);
}

static int reap(struct launch *l)
{
	loop_remove(l->loop, &l->exit_watch);
	return spawned_reap(&l->child);
}

static void end(struct launch *l)
{
	l->hooks.gone(l->hooks.data, l);
}

static void explain_end(int status, struct error *why)
{
	if (WIFSIGNALED(status))
		error_set(why, CELLA_ELOST, "the executor was killed by signal %d while it started",
		          WTERMSIG(status));
	else
		error_set(why, CELLA_ELOST, "the executor exited with status %d while it started",
		          WEXITSTATUS(status));
}

/* A socket that was closed early says less than the end that closed it, unless that end was the
 * launcher's doing. */
static void on_gone(struct launch *l)
{
	int status = reap(l);
	if (l->why.code == CELLA_ELOST && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		explain_end(status, &l->why);
	reply_error(l, &l->why);
	end(l);
}

/* It ended before it ran. What it has said last explains more than its status. */
static void on_early_exit(struct launch *l)
{
	struct error err = {0};
	while (l->state == SETUP && !take_report(l))
		;
	int rc = l->state == SETUP ? failed_step(l, &err) : l->state == GREETING ? greet(l, &err) : 0;
	int status = reap(l);
	if (rc == 0 || rc == CELLA_ELOST || rc == CELLA_EAGAIN)
		explain_end(status, &err);
	reply_error(l, &err);
	end(l);
}

static void on_exit_of_running(struct launch *l)
{
	struct launch_exited exited = {.type = LAUNCH_EXITED, .id = l->request.id, .status = reap(l)};
	log_info("executor %" PRIu32 " ended with status %#" PRIx32, l->request.id, (uint32_t)exited.status);
	l->hooks.exited(l->hooks.data, &exited);
	end(l);
}

static void on_expired(struct launch *l)
{
	struct error err = {0};
	error_set(&err, CELLA_ETIMEOUT, "the executor did not say hello within %d seconds",
	          LAS_HELLO_MS / 1000);
	give_up(l, &err);
}

static void on_cancelled(struct launch *l)
{
	struct error err = {0};
	error_set(&err, CELLA_ECANCELED, "the launch was cancelled");
	give_up(l, &err);
}

static void on_killed(struct launch *l)
{
	spawned_kill(&l->child);
}

typedef void handler(struct launch *l);

static handler *const transitions[STATE_COUNT][EVENT_COUNT] = {
	[SETUP] = {[REPORTED] = on_report,
                   [EXITED] = on_early_exit,
                   [EXPIRED] = on_expired,
                   [KILLED] = on_cancelled},
	[GREETING] = {[SPOKE] = on_hello,
                      [EXITED] = on_early_exit,
                      [EXPIRED] = on_expired,
                      [KILLED] = on_cancelled},
	[VOUCHING] = {[SPOKE] = on_chatter,
                      [DIGESTED] = on_digest,
                      [EXITED] = on_early_exit,
                      [KILLED] = on_cancelled},
	[RUNNING] = {[SPOKE] = on_chatter, [EXITED] = on_exit_of_running, [KILLED] = on_killed},
	[ENDING] = {[EXITED] = on_gone},
};

static void happen(struct launch *l, enum event event)
{
	handler *handle = transitions[l->state][event];
	if (handle)
		handle(l);
}

static void report_ready(void *data)
{
	happen(data, REPORTED);
}

static void hello_ready(void *data)
{
	happen(data, SPOKE);
}

static void exit_ready(void *data)
{
	happen(data, EXITED);
}

/* ---- outside ---- */

static int begin(struct launch *l, int agent, int bundle, int pages, struct error *err)
{
	int rc = io_check_sealed(bundle, err);
	if (rc == 0)
		rc = spawn(l->launcher, &l->request, agent, bundle, pages, &l->child, err);
	if (rc < 0)
		return rc;
	l->exit_watch = (struct watch){l->child.pidfd, exit_ready, l};
	l->report_watch = (struct watch){l->child.report, report_ready, l};
	l->hello_watch = (struct watch){l->child.launch, hello_ready, l};
	rc = loop_add(l->loop, &l->exit_watch, err);
	return rc < 0 ? rc : loop_add(l->loop, &l->report_watch, err);
}

int launch_new(struct launcher *launcher, struct loop *loop, const struct launch_hooks *hooks,
               const struct launch_request *request, int agent, int bundle, int pages,
               struct launch **ret_launch, struct error *err)
{
	struct launch *l = calloc(1, sizeof(*l));
	if (!l)
		return error_set(err, CELLA_ENOMEM, "no memory for a launch");
	*l = (struct launch){
		.launcher = launcher,
		.loop = loop,
		.hooks = *hooks,
		.request = *request,
		.begun_ns = clock_ns(),
		.child = {.pidfd = -1, .report = -1, .launch = -1, .owner = -1},
	};
	l->page_file = pages >= 0;
	int rc = begin(l, agent, bundle, pages, err);
	if (rc < 0) {
		launch_free(l);
		return rc;
	}
	*ret_launch = l;
	return 0;
}

void launch_free(struct launch *l)
{
	if (!l)
		return;
	spawned_kill(&l->child);
	reap(l);
	loop_remove(l->loop, &l->report_watch);
	loop_remove(l->loop, &l->hello_watch);
	spawned_done(&l->child);
	free(l);
}

uint32_t launch_id(const struct launch *l)
{
	return l->request.id;
}

void launch_vouch(struct launch *l)
{
	happen(l, DIGESTED);
}

void launch_kill(struct launch *l)
{
	happen(l, KILLED);
}

int launch_patience(const struct launch *l)
{
	if (l->state != SETUP && l->state != GREETING)
		return -1;
	uint64_t elapsed_ms = (clock_ns() - l->begun_ns) / 1000000;
	return elapsed_ms < LAS_HELLO_MS ? (int)(LAS_HELLO_MS - elapsed_ms) : 0;
}

void launch_expire(struct launch *l)
{
	happen(l, EXPIRED);
}
