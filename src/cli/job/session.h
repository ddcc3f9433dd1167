/* The sessions of a job: where `cella run --session` gets grants from. */
#ifndef CLI_JOB_SESSION_H
#define CLI_JOB_SESSION_H

#include "cli/job/job.h"

enum { JOB_SESSIONS_MAX = PROVISION_GRANTS_MAX };

struct job_sessions;

/* "SESSION/SERVICE" each, at the current context's CAS, which is asked for a nonce. CELLA_ENOENT: there is no
 * context, or this node's launcher has no key; CELLA_EINVAL: what is given names no service. */
int job_sessions_open(const char *const *names, size_t count, struct mem_pool *pool,
                      struct job_sessions **ret_sessions, struct error *err) must_check;
void job_sessions_free(struct job_sessions *sessions);
const struct job_grants *job_sessions_grants(const struct job_sessions *sessions);

#endif
