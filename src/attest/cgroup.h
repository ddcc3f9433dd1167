/*
 * Where an executor's limits can be put: a directory of the cgroup v2 tree in which this process may
 * make a group that has the memory and pids controllers.
 *
 * That is this process's own group or the nearest one above it which hands both controllers down
 * (cgroup.subtree_control) and can be written to. Groups that hold processes hand nothing down,
 * but for the root, so it is mostly the parent: of a systemd service with Delegate=yes, or of a
 * user's session.
 */
#ifndef ATTEST_CGROUP_H
#define ATTEST_CGROUP_H

#include <stddef.h>

#include "base/error.h"

enum { CGROUP_PATH_MAX = 1024 };

/* CELLA_EUNSUPPORTED if there is no cgroup v2, CELLA_EPERM if none of its groups will do. */
int cgroup_find(char ret_directory[CGROUP_PATH_MAX], struct error *err) must_check;

/* Its steps. From the texts of /proc/self/mountinfo and /proc/self/cgroup: the mount point, and below it the
 * group's own path ("" for the top). */
int cgroup_own(const char *mountinfo, const char *membership, char ret_mount[CGROUP_PATH_MAX],
               char ret_own[CGROUP_PATH_MAX], struct error *err) must_check;
/* The nearest group at or above mount/own that will do. */
int cgroup_search(const char *mount, const char *own, char ret_directory[CGROUP_PATH_MAX],
                  struct error *err) must_check;

#endif
