/* Pictures and the record of a job that has ended. */
#ifndef CLI_JOB_REPORT_H
#define CLI_JOB_REPORT_H

#include "cli/job/job.h"

/* Where to write what; NULL: not wanted. */
struct job_outputs {
	const char *graph;  /* FILE.dot or FILE.svg */
	const char *trace;  /* Chrome trace format */
	const char *record; /* JSON: levels, identities, isolation, tasks, executors, store */
};

/* CELLA_EINVAL for a graph of another ending, and for what cannot be written; ask before the job runs. */
int job_outputs_check(const struct job_outputs *outputs, struct error *err) must_check;
/* Remove what an earlier job left in their places: it must not pass for this job's. */
int job_outputs_clear(const struct job_outputs *outputs, struct error *err) must_check;

/* The record is always written, and all of it that is known: `error` ("": none) is in it, and a job without a
 * log has nothing of the agent's. Graph and trace need the log. `config->bundle` may be NULL. */
int job_report(const struct job_config *config, const struct job_result *result,
               const struct job_outputs *outputs, const char *error, struct error *err) must_check;

#endif
