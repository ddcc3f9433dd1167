/* A cgroup of its own for an executor, with its limits. */
#ifndef LAS_CGROUP_H
#define LAS_CGROUP_H

#include <stdint.h>

#include "attest/cgroup.h"
#include "base/error.h"

struct cgroup;

/* A new group `name` in `directory` (from cgroup_find) that may use so much memory, no swap, and so many
 * processes. What was written is read back. CELLA_EPERM: none can be made here, now or later. */
int cgroup_new(const char *directory, const char *name, uint64_t memory_max, uint32_t pids_max,
               struct cgroup **ret_group, struct error *err) must_check;
/* Removes the group; its processes are gone. NULL is fine. */
void cgroup_free(struct cgroup *group);
/* Removes groups in `directory` that launchers left behind which were killed: "cella-PID-N" without
 * processes, where no process PID is. */
void cgroup_sweep(const char *directory);
/* The group's directory, to be born into (CLONE_INTO_CGROUP). Belongs to the group. */
int cgroup_fd(const struct cgroup *group);

#endif
