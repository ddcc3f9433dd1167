/*
 * The agent: one per node and job. It asks the launcher for executors, keeps the graph of tasks and the
 * store of sealed objects, and decides what runs where. It has no key and sees no plaintext.
 *
 *   owner     SOCK_SEQPACKET to the command line (agent/agent_format.h)
 *   las       SOCK_SEQPACKET to the launcher (cell/launch_format.h)
 *   executors rings in shared memory (docs/protocols/tasks.md)
 *
 * The loop reads all rings, lets the scheduler send, publishes, and sleeps only when nothing has
 * come for a short while. It is written on epoll, not on an event library: its hot path has no
 * descriptors, what it needs is one place between "the rings are empty" and "sleep", and start-up
 * time counts.
 *
 * Files: agent.c the loop; executors.c their life; up.c what they say; down.c what they are told; owner.c the
 * owner's side; store.c the object store; event_log.c what happened, for graph and trace.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "base/error.h"

struct agent;

/* Serves one job on these sockets, which stay the caller's, until the owner is gone or has been told
 * how the job ended. */
int agent_run(int owner, int las, struct error *err) must_check;

#endif
