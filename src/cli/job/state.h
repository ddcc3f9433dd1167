/* The inside of a job, shared by its files. */
#ifndef CLI_JOB_STATE_H
#define CLI_JOB_STATE_H

#include <sys/types.h>

#include "attest/evidence.h"
#include "cell/launch_format.h"
#include "cli/job/job.h"
#include "cli/job/owner_server.h"
#include "cli/job/questions.h"
#include "cli/output.h"
#include "seal/seal.h"

enum {
	JOB_END_TIMEOUT_MS = 30000, /* for processes to end by themselves, on a machine that is busy, too */
	JOB_EXPLAIN_MS = 500,
	JOB_LEAVE_MS = 1000, /* for CASes to take the leases back */
	JOB_LOG_MS = 15000, /* for the log of a job that is given up */
};

struct job {
	const struct job_config *config;
	struct job_result *result;
	struct mem_pool *pool;
	struct provision *provision; /* what all executors get; number and role change */
	struct seal_session *session;
	struct evidence_policy policy;
	int las, agent; /* our ends */
	uint8_t keep[LAUNCH_KEEP_SIZE]; /* the launcher's statement */
	pid_t las_pid, agent_pid;
	struct owner_server *servers[JOB_EXECUTORS_MAX]; /* NULL: its channel is closed */
	uint32_t server_count;
	uint32_t driver; /* its place in servers, JOB_EXECUTORS_MAX before it is there */
	struct job_questions questions;
	struct owner_end end;
	bool cut[JOB_EXECUTORS_MAX]; /* the channel closed without the executor's word of its end */
	bool gone[JOB_EXECUTORS_MAX]; /* lost, or ended in the middle of a task: a warning says so */
	bool ended, stopping, finished, lost;
	int interrupt;
	/* While a CAS is asked (questions.asking), other things are done. */
	uint32_t provisioned; /* the place that grants are being asked for; JOB_EXECUTORS_MAX: none */
	struct buf later; /* an executor that the agent brought meanwhile: its message, */
	int later_fd;     /* and its channel */
	bool waited; /* in this turn: what was ready before may not be any more */
	int meanwhile; /* what ended the job meanwhile; 0 */
	struct error meanwhile_why;
	struct output output;
};

/* leave.c: no process of the job is left. */
void job_leave(struct job *job);

/* start.c */
int job_keys(struct job *job, struct error *err) must_check;
int job_start_daemons(struct job *job, struct error *err) must_check;
/* CELLA_ELOST: the agent is gone. */
int job_start_agent(struct job *job, struct error *err) must_check;

#endif
