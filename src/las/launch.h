/*
 * One executor, from the agent's request to its end.
 *
 *   SETUP      cloned; the child works through child.c and reports. Exec closes its pipe: the
 *              launcher measures it and sends launch_start
 *   GREETING   the executor prepares its memory and keys, and says hello
 *   VOUCHING   it has; the digest of the executors' binary is not taken yet
 *   RUNNING    evidence is signed, the agent has its reply
 *   ENDING     killed before it ran; once the process is gone, the agent's reply says why
 *
 * Nothing here waits: launches proceed side by side. The executor must not enter its sandbox
 * before launch_start, so that a filter which is there when it is measured was inherited.
 */
#ifndef LAS_LAUNCH_H
#define LAS_LAUNCH_H

#include <sys/queue.h>

#include "las/launcher.h"
#include "las/loop.h"

struct launch;

/* How a launch speaks to its owner, in this order: replied once, exited if it had run, gone last. */
struct launch_hooks {
	void *data;
	/* The descriptors are borrowed; none with an error. */
	void (*replied)(void *data, const struct launch_reply *reply, const int *fds, size_t fd_count);
	void (*exited)(void *data, const struct launch_exited *exited);
	/* The process is gone: the launch may be freed from here. */
	void (*gone)(void *data, struct launch *launch);
};

/* Clones. The descriptors are borrowed for the call; `pages` is -1 where there is no page file. No hook is
 * called before this returns. */
int launch_new(struct launcher *launcher, struct loop *loop, const struct launch_hooks *hooks,
               const struct launch_request *request, int agent, int bundle, int pages,
               struct launch **ret_launch, struct error *err) must_check;
/* Kills the process if there is one and waits for its end. NULL is fine. */
void launch_free(struct launch *launch);

uint32_t launch_id(const struct launch *launch);
/* The launcher has the digest now. */
void launch_vouch(struct launch *launch);
/* The process is killed; the hooks say so in their time. */
void launch_kill(struct launch *launch);
/* Milliseconds until launch_expire wants to be called, -1: never. */
int launch_patience(const struct launch *launch);
/* Gives up a launch that has taken too long. */
void launch_expire(struct launch *launch);

#endif
