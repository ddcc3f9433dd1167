/*
 * The child between clone and exec: from a copy of the launcher to a process that has nothing but
 * what launch_format.h gives it.
 *
 * It works through a table of steps (child.c) in a fixed order, with system calls only. A required
 * step that fails ends the child. An optional one is what an ordinary user or a container may be
 * denied: the child goes on, and the evidence lacks the bit. Before exec it reports over a pipe
 * that closes by itself when the exec succeeds; after a failed exec a second report follows.
 */
#ifndef LAS_CHILD_H
#define LAS_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "cell/launch_format.h"
#include "las/namespaces.h"

enum child_step {
	CHILD_SIGNALS,     /* default dispositions, nothing blocked, a session of its own */
	CHILD_DESCRIPTORS, /* those of launch_format.h, nothing else */
	CHILD_PERSONALITY, /* address randomisation on, whatever the launcher was started with */
	CHILD_NAMESPACES,  /* look which ones it is in */
	CHILD_ROOT,        /* an empty, read-only root */
	CHILD_NAMES,       /* of the host and domain: none */
	CHILD_LIMITS,
	CHILD_BOUNDS,       /* what it could ever regain: nothing */
	CHILD_USER,         /* its user and group, no supplementary groups */
	CHILD_CAPABILITIES, /* none, for good */
	CHILD_LOCK,         /* no new privileges, undumpable, dies with the launcher */
	CHILD_EXEC,
	CHILD_STEPS,
};

/* "give it its descriptors", for "the executor cannot ...". */
const char *child_step_name(enum child_step step);

struct child_plan {
	int fds[LAUNCH_FD_COUNT]; /* the launcher's, to become 0 .. LAUNCH_FD_COUNT - 1 */
	int executor;             /* the sealed binary */
	int report;               /* the pipe's end for writing */
	bool own_mounts;          /* born in namespaces of its own: so may change mounts and names */
	bool own_user;            /* may become `uid` */
	bool keep_lock;           /* keeps CAP_IPC_LOCK, for want of the right to raise its limit */
	uint32_t uid;             /* and group id */
	uint64_t lock_limit;      /* RLIMIT_MEMLOCK; what may not be raised is left at its hard limit */
};

struct child_report {
	int32_t errors[CHILD_STEPS]; /* errno of each step; 0: done */
	int32_t failed;              /* the required step that failed, -1: none */
	uint32_t root_is_empty;
	struct namespaces namespaces;
};

/* Does not return: it becomes the executor or exits. */
void child_run(const struct child_plan *plan) __attribute__((noreturn));

#endif
