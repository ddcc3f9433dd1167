/* Pictures and the record of a job that has ended. */
#ifndef CLI_JOB_REPORT_H
#define CLI_JOB_REPORT_H

#include "cli/job.h"

/* Where to write what; NULL: not wanted. */
struct job_outputs {
	const char *graph;  /* FILE.dot or FILE.svg */
	const char *trace;  /* Chrome trace format */
	const char *record; /* JSON: levels, identities, isolation, tasks, executors, store */
};

/* CELLA_EINVAL for a graph file of another ending; ask before the job runs. */
int job_outputs_check(const struct job_outputs *outputs, struct error *err) must_check;
int job_report(const struct job_config *config, const struct job_result *result,
               const struct job_outputs *outputs, struct error *err) must_check;

#endif
