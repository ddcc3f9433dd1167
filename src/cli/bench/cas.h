/* A CAS of a benchmark's own on 127.0.0.1, in the scratch directory, with this node's launcher enrolled and
 * its owner's credential in the current context. */
#ifndef CLI_BENCH_CAS_H
#define CLI_BENCH_CAS_H

#include <sys/types.h>

#include "cli/bench/bench.h"
#include "crypto/x509.h"

struct bench_cas_server {
	pid_t pid, relay; /* -1: none */
	uint16_t port;
	char directory[BENCH_PATH_MAX], pin[CERT_KEY_HASH_SIZE];
};

/* bench_cas_stop it, also after a failure. */
int bench_cas_start(struct bench *b, struct bench_cas_server *c, struct error *err) must_check;
void bench_cas_stop(struct bench_cas_server *c);
/* From here on everything reaches the CAS through a relay that holds each byte back for so long, both ways;
 * 0: straight. */
int bench_cas_reach(struct bench_cas_server *c, unsigned delay_ms, struct error *err) must_check;
/* Put a session, from its text. */
int bench_cas_session(struct bench *b, const char *text, struct error *err) must_check;

/* A part of bench_cas: commits of volumes. */
int bench_cas_commits(struct bench *b, struct bench_cas_server *c, struct error *err) must_check;

#endif
