/*
 * Questions of a job's executors to the CASes of its grants, sealed so that nobody here can read them: to
 * root keepers, whose leases are renewed as long as the job runs, and for certificates.
 */
#ifndef CLI_JOB_QUESTIONS_H
#define CLI_JOB_QUESTIONS_H

#include "cell/provision.h"
#include "cli/job/job.h"

enum { JOB_EXECUTORS_MAX = 256 }; /* over the job's life, replacements included */

struct job_questions {
	const struct job_grants *grants; /* NULL: none */
	struct buf evidence[JOB_EXECUTORS_MAX]; /* of each executor, from 1 on */
	uint32_t driver; /* which executor runs the program, and writes; 0 before it is there */
	bool asked[PROVISION_GRANTS_MAX]; /* CASes that the driver has asked, perhaps for a lease */
	bool asking; /* a CAS is asked just now, for whatever */
	uint64_t renew_ns; /* when its leases there are to be renewed; 0: it has none */
};

/* Before the executor asks. */
void job_questions_note(struct job_questions *q, uint32_t executor, bool driver, const void *evidence,
                        size_t size);
/* As owner_server_config has it; `data` is a struct job_questions. */
int job_questions_ask(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
                      struct buf *ret_answer, struct error *err) must_check;
bool job_questions_may_ask(void *data);
/* Until job_questions_renew has something to do; -1: for ever. */
int job_questions_wait_ms(const struct job_questions *q);
void job_questions_renew(struct job_questions *q);
void job_questions_done(struct job_questions *q);

#endif
