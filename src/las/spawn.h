/*
 * Makes the child that becomes an executor, with everything around it that this machine allows, and
 * the launcher's ends of its channels.
 *
 * What the kernel denies (namespaces, a cgroup) is left out, with a line in the log; the evidence
 * lacks it. What it forbids is left out of all later launches; what it has no room for now is not.
 */
#ifndef LAS_SPAWN_H
#define LAS_SPAWN_H

#include <sys/types.h>

#include "las/cgroup.h"
#include "las/child.h"
#include "las/launcher.h"

struct spawned {
	pid_t pid;
	int pidfd;
	int report;             /* pipe: struct child_report, then the end when it was executed */
	int launch;             /* launch socket, does not block */
	int owner;              /* far end of the owner's channel */
	char cgroup_name[64];   /* "" if it has none */
	struct cgroup *cgroup;
	struct child_plan plan; /* what it was asked to do */
};

/* The descriptors are borrowed for the call; `pages` -1: no page file. */
int spawn(struct launcher *launcher, const struct launch_request *request, int agent, int bundle, int pages,
          struct spawned *ret_spawned, struct error *err) must_check;
/* SIGKILL; nothing if it was reaped. */
void spawned_kill(const struct spawned *s);
/* Waits for the end of a process that was killed or has ended; its status as waitpid's. */
int spawned_reap(struct spawned *s);
/* Closes the channels and takes the cgroup away; the process has been reaped. */
void spawned_done(struct spawned *s);

#endif
