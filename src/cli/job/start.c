/* Starting a job: its keys, its daemons, what its agent is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/agent_message.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli/job/state.h"
#include "cli/spawn.h"

static void job_set_volumes(const struct job_config *config, struct provision *p)
{
	const struct job_volumes *volumes = config->volumes;
	if (!volumes)
		return;
	p->volume_count = volumes->count;
	memcpy(p->volumes, volumes->provisions, volumes->count * sizeof(p->volumes[0]));
	for (uint32_t i = 0; config->uses_tasks && i < volumes->count; i++)
		p->preopens[volumes->provisions[i].preopen].flags |= OWNER_PREOPEN_SHARED;
}

int job_keys(struct job *job, struct error *err)
{
	struct provision *p = mem_alloc(job->pool, sizeof(*p));
	if (!p)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the session's keys");
	job->provision = p;
	p->executor_count = job->config->executors;
	p->arguments = (const char **)(uintptr_t)job->config->arguments;
	p->argument_count = job->config->argument_count;
	p->environment = (const char **)(uintptr_t)job->config->environment;
	p->environment_count = job->config->environment_count;
	memcpy(p->preopens, job->config->preopens, job->config->preopen_count * sizeof(p->preopens[0]));
	p->preopen_count = job->config->preopen_count;
	job_set_volumes(job->config, p);
	for (uint32_t i = 0; job->config->uses_tasks && i < p->preopen_count; i++)
		if (p->preopens[i].flags & OWNER_PREOPEN_GRANTED)
			p->preopens[i].flags |= OWNER_PREOPEN_SHARED;
	memcpy(p->identity, job->config->bundle->identity, sizeof(p->identity));
	memcpy(p->builders[0], job->config->artifact->builder, sizeof(p->builders[0]));
	p->builder_count = 1;
	const struct job_grants *grants = job->config->grants;
	p->grants = grants ? grants->count : 0;
	int rc = crypto_random(p->session, sizeof(p->session), err);
	if (rc == 0)
		rc = crypto_random(p->data_key, sizeof(p->data_key), err);
	if (rc == 0 && grants)
		memcpy(job->policy.nonce, grants->nonce, sizeof(job->policy.nonce));
	else if (rc == 0)
		rc = crypto_random(job->policy.nonce, sizeof(job->policy.nonce), err);
	return rc < 0 ? rc : seal_session_new(p->data_key, &job->session, err);
}

int job_start_daemons(struct job *job, struct error *err)
{
	int owner_las[2] = {-1, -1}, owner_agent[2] = {-1, -1}, agent_las[2] = {-1, -1};
	int rc = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, owner_las) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, owner_agent) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent_las) < 0)
		rc = error_errno(err, CELLA_EIO, "cannot make the sockets of a job");
	const struct spawn las = {.name = "cella-las",
	                          .second_option = "--agent-fd",
	                          .key_file = job->config->grants ? job->config->grants->las_key : NULL,
	                          .owner_fd = owner_las[1],
	                          .second_fd = agent_las[1]};
	const struct spawn agent = {.name = "cella-agent",
	                            .second_option = "--las-fd",
	                            .owner_fd = owner_agent[1],
	                            .second_fd = agent_las[0]};
	if (rc == 0)
		rc = spawn_daemon(&las, &job->las_pid, err);
	if (rc == 0)
		rc = spawn_daemon(&agent, &job->agent_pid, err);
	job->las = owner_las[0];
	job->agent = owner_agent[0];
	cleanup_close_fn(&owner_las[1]);
	cleanup_close_fn(&owner_agent[1]);
	cleanup_close_fn(&agent_las[0]);
	cleanup_close_fn(&agent_las[1]);
	return rc;
}

int job_start_agent(struct job *job, struct error *err)
{
	const struct job_config *c = job->config;
	struct agent_start start = {
		.type = AGENT_START,
		.version = AGENT_VERSION,
		.executors = c->executors,
		.memory_level = c->memory_level,
		.flags = (c->uses_tasks ? AGENT_START_TASKS : 0) | (c->events ? AGENT_START_EVENTS : 0) |
	                 (c->progress ? AGENT_START_PROGRESS : 0),
		.heap = c->heap,
		.window = c->window,
		.store_limit = c->store_limit,
	};
	memcpy(start.nonce, job->policy.nonce, sizeof(start.nonce));
	memcpy(start.builder, c->artifact->builder, sizeof(start.builder));
	const char *directory = getenv("TMPDIR");
	int size = snprintf(start.spill_directory, sizeof(start.spill_directory), "%s",
	                    directory ? directory : "/tmp");
	if ((size_t)size >= sizeof(start.spill_directory))
		return error_set(err, CELLA_EINVAL, "TMPDIR has %d bytes, at most %zu are allowed", size,
		                 sizeof(start.spill_directory) - 1);
	size = snprintf(start.page_directory, sizeof(start.page_directory), "%s",
	                c->page_directory ? c->page_directory : "");
	if ((size_t)size >= sizeof(start.page_directory))
		return error_set(err, CELLA_EINVAL, "--page-dir has %d bytes, at most %zu are allowed", size,
		                 sizeof(start.page_directory) - 1);
	return io_send_message(job->agent, &start, sizeof(start), &c->bundle_fd, 1, err) < 0 ? CELLA_ELOST
	                                                                                     : 0;
}
