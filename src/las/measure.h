/*
 * What a launched executor really has around it: the evidence's bits, looked up rather than taken
 * from what was asked for. After exec, but for its namespaces and its empty root: these the child
 * looked up itself, before exec, for /proc shows them of no undumpable process.
 */
#ifndef LAS_MEASURE_H
#define LAS_MEASURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "las/child.h"
#include "las/launcher.h"

struct subject {
	pid_t pid;
	uint32_t uid;        /* that it was to get */
	bool keeps_lock;                   /* it was left CAP_IPC_LOCK */
	const char *cgroup;                /* the name of its group; NULL: none */
	const struct child_report *report; /* its own, from before exec */
};

/* *ret_isolation gets enum evidence_isolation bits, *ret_uid its user id as the kernel says.
 * CELLA_EPERM for a process that nobody may vouch for: somebody traces it, or it has capabilities
 * that it should not have. */
int measure(const struct launcher *launcher, const struct subject *subject, uint32_t *ret_isolation,
            uint32_t *ret_uid, struct error *err) must_check;

#endif
