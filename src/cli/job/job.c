#include "cli/job/job.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent_message.h"
#include "attest/evidence.h"
#include "attest/process.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "cell/launch_format.h"
#include "cli/interrupt.h"
#include "cli/job/grant.h"
#include "cli/job/owner_server.h"
#include "cli/job/questions.h"
#include "cli/job/state.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/quote.h"
#include "cli/spawn.h"
#include "program_digests.h"
#include "seal/seal.h"

static void job_note_evidence(struct job_result *r, const struct evidence *e)
{
	r->isolation = r->executors_started ? r->isolation & e->isolation : e->isolation;
	r->host = r->executors_started ? r->host & e->host : e->host;
	memcpy(r->kernel, e->kernel, sizeof(r->kernel));
	memcpy(r->executor, e->executor, sizeof(r->executor));
	r->executors_started++;
}

/* All that the executor needs: from us, and from whoever holds keys of sessions. */
static int job_provision(struct job *job, struct owner_server *server, const struct evidence *evidence,
                         const void *evidence_bytes, size_t evidence_size, struct error *err)
{
	int rc = owner_server_provision(server, evidence->public_key, job->provision, err);
	for (uint32_t i = 0; rc == 0 && i < job->provision->grants; i++) {
		cleanup_buf struct buf sealed = {0};
		const struct job_grant_for whom = {evidence_bytes, evidence_size, job->keep};
		rc = job_grant_take(job->config->grants, i, &whom, job->las, job->interrupt, &sealed, err);
		if (rc < 0) {
			job->result->refused = rc == CELLA_EAUTH;
			return rc;
		}
		rc = owner_server_grant(server, sealed.data, sealed.size, err);
	}
	return rc == CELLA_ELOST ? 0 : rc; /* its channel, readable now, says the same */
}

static int job_wait_ms(const struct job *job)
{
	return job->stopping ? JOB_END_TIMEOUT_MS : job_questions_wait_ms(&job->questions);
}

static int job_admit(struct job *job, const struct agent_executor *m, const uint8_t *evidence_bytes, int *fd,
                     struct error *err)
{
	struct evidence evidence;
	int rc = evidence_verify(evidence_bytes, m->evidence_size, &job->policy, &evidence, err);
	if (rc < 0) {
		job->result->refused = true;
		return error_prefix(err, rc, "no keys for an executor whose evidence does not hold: ");
	}
	if (m->index != job->server_count + 1)
		return error_set(err, CELLA_EFORMAT, "the agent brought executor %u in role %u", m->index,
		                 m->role);
	/* The program runs once: what it prints and writes would be there twice. */
	if (m->role == AGENT_DRIVER && job->driver != JOB_EXECUTORS_MAX)
		return error_set(err, CELLA_EAUTH, "the agent brought a second executor for the program");
	if (job->server_count == JOB_EXECUTORS_MAX)
		return error_set(err, CELLA_ELIMIT, "more than %d executors in one job", JOB_EXECUTORS_MAX);
	uint32_t place = job->server_count;
	struct owner_server_config config = {
		.fd = *fd,
		.executor = place + 1,
		.pool = job->pool,
		.session = job->session,
		.paths = job->config->paths,
		.keepers = job->config->volumes && m->role == AGENT_DRIVER ? &job->config->volumes->keepers
	                                                                   : NULL,
		.ask_cas = job->config->grants ? job_questions_ask : NULL,
		.may_ask = job_questions_may_ask,
		.keep_last = job_questions_keep_last,
		.ask_data = &job->questions,
		.output = &job->output,
	};
	rc = owner_server_new(&config, &job->servers[place], err);
	if (rc < 0)
		return rc;
	*fd = -1;
	job->server_count++;
	job_note_evidence(job->result, &evidence);
	if (m->role == AGENT_DRIVER)
		job->driver = place;
	job_questions_note(&job->questions, place + 1, m->role == AGENT_DRIVER, evidence_bytes,
	                   m->evidence_size);
	job->provision->executor = place + 1;
	job->provision->role = m->role;
	job->provisioned = place;
	rc = job_provision(job, job->servers[place], &evidence, evidence_bytes, m->evidence_size, err);
	job->provisioned = JOB_EXECUTORS_MAX;
	return rc;
}

static void job_show_progress(struct job *job, const struct agent_progress *p)
{
	const struct output_counts counts = {p->done, p->running, p->waiting, p->failed};
	if (!job->stopping && !job->lost)
		output_show(&job->output, &counts);
}

static bool job_ended_well(const struct job *job)
{
	return job->ended && !job->end.exit.trap && !job->end.exit.error;
}

static int job_on_lost(struct job *job, const struct agent_lost *m, struct error *err)
{
	char how[64];
	if (WIFSIGNALED(m->status))
		snprintf(how, sizeof(how), "killed by signal %d", WTERMSIG(m->status));
	else
		snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(m->status));
	if (m->index - 1 < job->server_count)
		job->gone[m->index - 1] = true;
	if (job->stopping && job_ended_well(job))
		log_warn(
			"an executor ended in the middle of a task (%s); what it printed last may be missing",
			how);
	if (job->stopping)
		return 0;
	if (!m->replaced)
		return error_set(err, CELLA_ELOST, "an executor was lost (%s) and is not replaced", how);
	output_hide(&job->output);
	log_warn(
		"an executor was lost (%s); its tasks are retried in another, what it printed last may be missing",
		how);
	return 0;
}

static int job_on_finished(struct job *job, const struct agent_finished *m, int *fd)
{
	job->finished = true;
	job->result->event_log = take_fd(fd);
	job->result->tasks_done = m->done;
	job->result->tasks_failed = m->failed;
	job->result->tasks_retried = m->retried;
	return 0;
}

static int job_on_agent_message(struct job *job, const struct agent_message *m, int *fd, struct error *err)
{
	char text[QUOTE_MAX];
	switch (m->type) {
	case AGENT_EXECUTOR:
		if (*fd < 0)
			return error_set(err, CELLA_EFORMAT,
			                 "the agent brought an executor without a channel");
		return job->lost ? 0 : job_admit(job, m->executor, m->rest, fd, err);
	case AGENT_LOST: return job_on_lost(job, m->lost, err);
	case AGENT_PROGRESS: job_show_progress(job, m->progress); return 0;
	case AGENT_FINISHED: return job_on_finished(job, m->finished, fd);
	case AGENT_FAILED: return error_set(err, m->failed->error, "%s", quote(m->rest, m->rest_size, text));
	default: return error_set(err, CELLA_EFORMAT, "the agent sent a message of type %u", m->type);
	}
}

static int job_on_agent(struct job *job, struct error *err)
{
	_Alignas(8) uint8_t bytes[AGENT_MESSAGE_MAX];
	size_t size, fd_count = 0;
	cleanup_close int fd = -1;
	int rc = io_receive_message(job->agent, bytes, sizeof(bytes), &size, &fd, 1, &fd_count, err);
	if (rc < 0)
		return rc;
	if (size == 0)
		return error_set(err, CELLA_ELOST, "the agent cella-agent is gone");
	struct agent_message m;
	rc = agent_message_decode(bytes, size, &m, err);
	if (rc < 0)
		return error_prefix(err, rc, "the agent sent ");
	if (!job->questions.asking || job->lost || m.type != AGENT_EXECUTOR)
		return job_on_agent_message(job, &m, &fd, err);
	buf_put(&job->later, bytes, size);
	job->later_fd = take_fd(&fd);
	return job->later.failed ? error_set(err, CELLA_ENOMEM, "no memory for the agent's messages") : 0;
}

static int job_do_later(struct job *job, struct error *err)
{
	cleanup_buf struct buf bytes = job->later;
	cleanup_close int fd = take_fd(&job->later_fd);
	struct agent_message m;
	job->later = (struct buf){0};
	int rc = agent_message_decode(bytes.data, bytes.size, &m, err);
	return rc == 0 ? job_on_agent_message(job, &m, &fd, err) : rc;
}

/* Something is gone. When the agent fails it says why, and the others end because it does. */
static int job_lost(struct job *job, const char *what, struct error *err)
{
	struct pollfd agent = {.fd = job->agent, .events = POLLIN};
	job->lost = true;
	while (!job->finished && poll(&agent, 1, JOB_EXPLAIN_MS) > 0) {
		int rc = job_on_agent(job, err);
		if (rc < 0)
			return rc;
	}
	return error_set(err, CELLA_ELOST, "%s is gone", what);
}

/*
 * What the launcher's word is worth. It must be the program that we were built with, which may start
 * nothing else than the executor that we were built with. That executor has told it which cell it holds
 * and whose machine code of that it will load: both must be what we read ourselves. No seccomp filter may
 * stand around executors that does not stand around us: whoever set it could fake their world. (A
 * container's filter stands around us too, and is trusted as we are.)
 */
static int job_set_policy(struct job *job, const struct launch_identity *launcher, struct error *err)
{
	struct evidence_policy *policy = &job->policy;
	struct process_status self;
	int rc = process_status_read(0, &self, err);
	if (rc < 0)
		return rc;
	memcpy(policy->launcher, launcher->public_key, sizeof(policy->launcher));
	memcpy(policy->executor, executor_digest, sizeof(policy->executor));
	memcpy(job->result->launcher, launcher_digest, sizeof(job->result->launcher));
	memcpy(policy->cell, job->config->bundle->identity, sizeof(policy->cell));
	memcpy(policy->builder, job->config->artifact->builder, sizeof(policy->builder));
	policy->memory_level = job->config->memory_level;
	policy->isolation = self.filter_mode == 0 ? EVIDENCE_NO_INHERITED_FILTER : 0;
	return 0;
}

static int job_interrupted(struct job *job, struct error *err)
{
	job->result->signal = interrupt_pending();
	return error_set(err, CELLA_ECANCELED, "ended by SIG%s", sigabbrev_np(job->result->signal));
}

static int job_meet_launcher(struct job *job, struct error *err)
{
	struct launch_identity identity;
	size_t size;
	int rc = spawn_verify("cella-las", launcher_digest, err);
	struct pollfd ready[] = {{.fd = job->las, .events = POLLIN},
	                         {.fd = job->interrupt, .events = POLLIN}};
	if (rc < 0)
		return rc;
	if (poll(ready, array_count(ready), -1) > 0 && ready[1].revents)
		return job_interrupted(job, err);
	rc = io_receive_message(job->las, &identity, sizeof(identity), &size, NULL, 0, NULL, err);
	if (rc < 0 || size == 0)
		return job_lost(job, "the launcher cella-las", err);
	if (size != sizeof(identity) || identity.type != LAUNCH_IDENTITY ||
	    identity.version != LAUNCH_VERSION)
		return error_set(err, CELLA_EFORMAT, "the launcher cella-las did not say who it is");
	memcpy(job->keep, identity.keep, sizeof(job->keep));
	return job_set_policy(job, &identity, err);
}

static int job_stop(struct job *job, struct error *err)
{
	struct agent_stop stop = {.type = AGENT_STOP};
	job->stopping = true;
	if (io_send_message(job->agent, &stop, sizeof(stop), NULL, 0, err) < 0)
		return job_lost(job, "the agent cella-agent", err);
	return 0;
}

static int job_on_server(struct job *job, uint32_t place, struct error *err)
{
	struct owner_server *server = job->servers[place];
	int rc = owner_server_is_held(server) ? owner_server_go_on(server, err)
	                                      : owner_server_readable(server, err);
	const struct owner_end *end = owner_server_end(server);
	if (place == job->driver && end && !job->ended) {
		job->end = *end;
		job->ended = true;
	}
	if (rc == CELLA_ELOST) {
		job->cut[place] = !end;
		owner_server_free(server);
		job->servers[place] = NULL;
		if (place == job->driver && !job->ended)
			return job_lost(job, "the program's executor", err);
		rc = 0;
	}
	if (rc == CELLA_EPERM)
		job->result->refused = true;
	if (rc == 0 && job->ended && !job->stopping)
		rc = job_stop(job, err);
	return rc;
}

/* A closed standard input reads as an empty one. */
static int job_read_input(struct owner_server *server, uint8_t *bytes, size_t wanted, struct error *err)
{
	ssize_t n = read(STDIN_FILENO, bytes, wanted);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0 && errno != EBADF)
		return error_errno(err, CELLA_EIO, "cannot read standard input");
	return owner_server_input(server, bytes, (size_t)max_of(n, (ssize_t)0), err);
}

static int job_on_input(struct job *job, uint32_t place, struct error *err)
{
	struct owner_server *server = job->servers[place];
	if (!server) /* it closed its channel since it asked */
		return 0;
	size_t wanted = owner_server_wants_input(server);
	uint8_t *bytes = mem_alloc(job->pool, wanted);
	if (!bytes)
		return error_set(err, CELLA_ENOMEM, "no protected memory for standard input");
	int rc = job_read_input(server, bytes, wanted, err);
	mem_free(job->pool, bytes);
	return rc;
}

/* Which descriptors to wait for, and whose each is: a place in servers, or one of the others. */
enum { JOB_FROM_AGENT = JOB_EXECUTORS_MAX, JOB_FROM_LAS, JOB_FROM_INPUT, JOB_FROM_INTERRUPT, JOB_FROM_CAS };
struct job_polls {
	struct pollfd fds[JOB_EXECUTORS_MAX + 6];
	uint32_t from[JOB_EXECUTORS_MAX + 6];
	uint32_t input_for;
	nfds_t count;
};

static void job_poll_add(struct job_polls *p, int fd, uint32_t from)
{
	p->fds[p->count] = (struct pollfd){.fd = fd, .events = POLLIN};
	p->from[p->count++] = from;
}

/* Not who has a question that has to wait. While a CAS is waited for: not the program's executor, nor the one
 * for which it is. */
static bool job_is_held(const struct job *job, uint32_t place)
{
	return owner_server_is_held(job->servers[place]) ||
	       (job->questions.asking && (place == job->driver || place == job->provisioned));
}

/* Executors first: what one says last comes before the agent's word that it has ended. */
static void job_poll_fill(struct job *job, struct job_polls *p)
{
	p->count = 0;
	bool wants_input = false;
	job_poll_add(p, job->interrupt, JOB_FROM_INTERRUPT);
	for (uint32_t i = 0; i < job->server_count; i++) {
		if (!job->servers[i] || job_is_held(job, i))
			continue;
		job_poll_add(p, owner_server_fd(job->servers[i]), i);
		if (!wants_input && owner_server_wants_input(job->servers[i])) {
			wants_input = true;
			p->input_for = i;
		}
	}
	if (!job->questions.asking && job_questions_socket(&job->questions) >= 0)
		job_poll_add(p, job_questions_socket(&job->questions), JOB_FROM_CAS);
	if (!job->finished && !job->later.size)
		job_poll_add(p, job->agent, JOB_FROM_AGENT);
	if (!job->stopping)
		job_poll_add(p, job->las, JOB_FROM_LAS);
	if (wants_input)
		job_poll_add(p, STDIN_FILENO, JOB_FROM_INPUT);
}

static int job_handle(struct job *job, const struct job_polls *p, uint32_t from, struct error *err)
{
	switch (from) {
	case JOB_FROM_INTERRUPT: return job_interrupted(job, err);
	case JOB_FROM_AGENT: return job_on_agent(job, err);
	case JOB_FROM_LAS: return job_lost(job, "the launcher cella-las", err);
	case JOB_FROM_INPUT: return job_on_input(job, p->input_for, err);
	case JOB_FROM_CAS: return 0; /* the next turn begins with its answers */
	default: return job_on_server(job, from, err);
	}
}

/* All else goes on while a CAS is waited for. What ends the job ends the asking. */
static int job_wait_for_cas(void *data, struct pollfd *socket, int timeout_ms, struct error *err)
{
	struct job *job = data;
	struct job_polls p;
	bool answered = false;
	if (job->meanwhile < 0)
		return error_set(err, CELLA_ECANCELED, "the job has ended meanwhile");
	job->waited = true;
	job->questions.asking = true;
	job_poll_fill(job, &p);
	job_poll_add(&p, socket->fd, JOB_FROM_CAS);
	p.fds[p.count - 1].events = socket->events;
	int ready = poll(p.fds, p.count, timeout_ms);
	int rc = ready < 0 && errno != EINTR
	                 ? error_errno(&job->meanwhile_why, CELLA_EIO, "cannot wait for the job")
	                 : 0;
	for (nfds_t i = 0; ready > 0 && i < p.count && rc == 0; i++) {
		answered = answered || (p.fds[i].revents && p.from[i] == JOB_FROM_CAS);
		if (p.fds[i].revents && p.from[i] != JOB_FROM_CAS)
			rc = job_handle(job, &p, p.from[i], &job->meanwhile_why);
	}
	job->questions.asking = false;
	job->meanwhile = rc;
	return rc < 0 ? error_set(err, CELLA_ECANCELED, "the job has ended meanwhile") : answered;
}

/* Who had a question while a CAS was asked. */
static int job_ask_held(struct job *job, struct error *err)
{
	int rc = 0;
	for (uint32_t i = 0; i < job->server_count && rc == 0; i++)
		if (job->servers[i] && owner_server_is_held(job->servers[i]))
			rc = job_on_server(job, i, err);
	return rc;
}

/* What CASes have said to questions. Whoever asked may be gone; then its channel says so. */
static int job_pass_answers(struct job *job, struct error *err)
{
	struct job_question *q;
	int rc = 0;
	while (rc == 0 && job->meanwhile == 0 && (q = job_questions_take(&job->questions))) {
		struct owner_server *server = job->servers[q->executor - 1];
		if (server && job->meanwhile == 0)
			rc = owner_server_answer(server, q->grant, q->rc, &q->why, &q->answer, err);
		rc = rc == CELLA_ELOST ? 0 : rc;
		job_question_free(q);
	}
	return rc;
}

static int job_turn(struct job *job, struct job_polls *p, struct error *err)
{
	int first = job_pass_answers(job, err);
	if (first == 0)
		first = job_ask_held(job, err);
	if (first < 0 || job->meanwhile < 0)
		return first;
	job_poll_fill(job, p);
	job->waited = false;
	int ready = poll(p->fds, p->count, job_wait_ms(job));
	if (ready < 0 && errno != EINTR)
		return error_errno(err, CELLA_EIO, "cannot wait for the job");
	if (ready == 0 && job->stopping)
		return error_set(err, CELLA_ETIMEOUT, "the job's processes did not end in time");
	job_questions_renew(&job->questions);
	int rc = 0;
	for (nfds_t i = 0; ready > 0 && i < p->count && rc == 0 && !job->waited; i++)
		if (p->fds[i].revents)
			rc = job_handle(job, p, p->from[i], err);
	return rc;
}

/* What ended the job while a CAS was asked counts, not that the asking ended. */
static int job_step(struct job *job, struct job_polls *p, struct error *err)
{
	int rc = job->later.size ? job_do_later(job, err) : job_turn(job, p, err);
	if (job->meanwhile < 0 && err)
		*err = job->meanwhile_why;
	rc = job->meanwhile < 0 ? job->meanwhile : rc;
	return rc < 0 && interrupt_pending() ? job_interrupted(job, err) : rc;
}

static bool job_over(const struct job *job)
{
	if (!job->ended || !job->finished)
		return false;
	for (uint32_t i = 0; i < job->server_count; i++)
		if (job->servers[i])
			return false;
	return true;
}

/* When a program has ended well so have its tasks, and every executor was told to end: one that closed its
 * channel without its word of that may have had more to print. */
static int job_check_ends(const struct job *job, struct error *err)
{
	for (uint32_t i = 0; job_ended_well(job) && i < job->server_count; i++)
		if (job->cut[i] && !job->gone[i])
			return error_set(
				err, CELLA_ELOST,
				"executor %u did not say how its output ends: the last of it may be missing",
				i + 1);
	return 0;
}

/* The job has failed: what executors have said until now is shown all the same. */
static void job_drain(struct job *job)
{
	uint64_t until = clock_ns() + JOB_EXPLAIN_MS * 1000000ull;
	for (uint32_t i = 0; i < job->server_count; i++) {
		struct owner_server *server = job->servers[i];
		struct pollfd ready = {.fd = server ? owner_server_fd(server) : -1, .events = POLLIN};
		while (poll(&ready, 1, 0) > 0 && clock_ns() < until &&
		       owner_server_readable(server, NULL) == 0)
			;
	}
}

static int job_result_of(struct job *job, struct error *err)
{
	const struct owner_exit *exit = &job->end.exit;
	job->result->status = exit->status;
	if (exit->error)
		return error_set(err, exit->error, "%s", job->end.text);
	if (!exit->trap)
		return 0;
	const char *kind = exit->trap == CELL_TRAP_HOST ? "failure" : "trap";
	cleanup_buf struct buf shown = {0};
	int rc = lines_of_trap(job->config->artifact, job->end.text, &shown, err);
	if (rc < 0)
		return rc;
	fprintf(stderr, "cella run: the program ended with a %s: %s\n", kind, (const char *)shown.data);
	/* A trap's name is Cella's; a failure's text may be the program's, which is not recorded. */
	int size = exit->trap == CELL_TRAP_HOST ? 0 : (int)strcspn(job->end.text, "\n");
	snprintf(job->result->trap, sizeof(job->result->trap), "the program ended with a %s%s%.*s", kind,
	         size ? ": " : "", size, job->end.text);
	return 0;
}

/* A job that is given up is stopped in order, too: for its log. */
static void job_collect_log(struct job *job)
{
	const struct agent_stop stop = {.type = AGENT_STOP};
	struct pollfd agent = {.fd = job->agent, .events = POLLIN};
	struct error ignored;
	if (!job->config->events || job->agent < 0 || job->finished)
		return;
	if (!job->stopping && io_send_message(job->agent, &stop, sizeof(stop), NULL, 0, &ignored) < 0)
		return;
	job->stopping = job->lost = true;
	uint64_t end = clock_ns() + JOB_LOG_MS * 1000000ull;
	while (!job->finished && clock_ns() < end && poll(&agent, 1, JOB_LOG_MS) > 0)
		if (job_on_agent(job, &ignored) < 0)
			return;
}

static void job_done(struct job *job)
{
	output_hide(&job->output);
	for (uint32_t i = 0; i < job->server_count; i++)
		owner_server_free(job->servers[i]);
	cleanup_close_fn(&job->agent);
	cleanup_close_fn(&job->las);
	spawn_reap(job->agent_pid, JOB_END_TIMEOUT_MS);
	spawn_reap(job->las_pid, JOB_END_TIMEOUT_MS);
	job_leave(job);
	cleanup_close_fn(&job->interrupt);
	seal_session_free(job->session);
	buf_done(&job->later);
	cleanup_close_fn(&job->later_fd);
	job_questions_done(&job->questions);
	mem_free(job->pool, job->provision);
}

int job_run(const struct job_config *config, struct job_result *ret_result, struct error *err)
{
	*ret_result = (struct job_result){.event_log = -1};
	struct job job = {
		.config = config,
		.pool = config->pool,
		.result = ret_result,
		.las = -1,
		.agent = -1,
		.interrupt = -1,
		.driver = JOB_EXECUTORS_MAX,
		.provisioned = JOB_EXECUTORS_MAX,
		.later_fd = -1,
	};
	struct job_polls polls;
	job_questions_init(&job.questions, config->grants);
	signal(SIGPIPE, SIG_IGN);
	int rc = interrupt_open(&job.interrupt, err);
	output_init(&job.output, job.interrupt);
	if (rc == 0)
		rc = job_start_daemons(&job, err);
	if (rc == 0)
		rc = job_keys(&job, err);
	if (rc == 0)
		rc = job_start_agent(&job, err);
	if (rc == CELLA_ELOST)
		rc = job_lost(&job, "the agent cella-agent", err);
	if (rc == 0)
		rc = job_meet_launcher(&job, err);
	if (config->grants && config->grants->wait_by)
		config->grants->wait_by(config->grants->data, job_wait_for_cas, &job);
	while (rc == 0 && !job_over(&job))
		rc = job_step(&job, &polls, err);
	if (config->grants && config->grants->wait_by)
		config->grants->wait_by(config->grants->data, NULL, NULL);
	if (rc == 0) {
		rc = job_check_ends(&job, err);
	} else {
		job.questions.asking = true; /* who has one now waits for nothing any more */
		job_drain(&job);
		job_collect_log(&job);
	}
	job_done(&job);
	return rc < 0 ? rc : job_result_of(&job, err);
}
