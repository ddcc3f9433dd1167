/*
 * The launcher's service: the owner's socket, the agent's socket, and the executors between them.
 *
 * It ends, and every executor with it, when the owner or the agent is gone, when the agent sends
 * what is no message, or on SIGTERM. SIGKILL of the launcher kills the executors through their
 * death signal.
 */
#ifndef LAS_SERVER_H
#define LAS_SERVER_H

#include "las/launcher.h"

struct server_config {
	struct launcher *launcher;
	int owner;  /* SOCK_SEQPACKET */
	int agent;  /* SOCK_SEQPACKET */
	int signal; /* a signalfd: readable means end */
};

/* Introduces itself to the owner and serves until one of them ends it. 0 in order, or why not. */
int server_run(const struct server_config *config, struct error *err) must_check;

#endif
