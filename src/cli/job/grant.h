/* A grant for an executor of a job: of the CAS, or of an offline lease, which the launcher opens
 * (cell/launch_format.h). */
#ifndef CLI_JOB_GRANT_H
#define CLI_JOB_GRANT_H

#include "cli/job/job.h"

struct job_grant_for {
	const void *evidence;
	size_t evidence_size;
	const void *keep; /* the launcher's statement, LAUNCH_KEEP_SIZE bytes */
};
/* Appends it, sealed. `las` is the launcher's socket; when `interrupt` is readable it is given up.
 * CELLA_EAUTH: refused, by the CAS, or by the launcher: the lease has ended, or is not for this executor. */
int job_grant_take(const struct job_grants *grants, uint32_t number, const struct job_grant_for *whom,
                   int las, int interrupt, struct buf *ret_sealed, struct error *err) must_check;

#endif
