/*
 * The launcher itself: what it holds for all its executors, and what it has found out about the machine and
 * about its own world before it vouches for anybody.
 */
#ifndef LAS_LAUNCHER_H
#define LAS_LAUNCHER_H

#include <stdbool.h>

#include "attest/cgroup.h"
#include "attest/process.h"
#include "cell/launch_format.h"
#include "las/executor.h"
#include "las/namespaces.h"
#include "las/signing.h"

struct launcher {
	struct executor executor;
	struct signing *signing;
	struct process_status status;  /* its own */
	struct namespaces namespaces;  /* its own */
	bool filter_free;              /* no seccomp filter is in force on it, hence on its children */
	bool has_cgroup;
	char cgroup[CGROUP_PATH_MAX];  /* where it may make groups */
	uint32_t host;                 /* enum evidence_host bits */
	char kernel[64];
	int null_fd;
	uint64_t namespace_flags;      /* of clone3; 0 once the kernel has forbidden them */
	uint32_t launched;             /* executors so far; names their groups */
};

/* Hardens this process (undumpable, no core files, no new privileges, no key in children), reads the
 * executor, makes or reads the signing key. Once, at start. `executor` as executor_load, `key_file` as
 * signing_new. */
int launcher_new(const char *executor, const char *key_file, struct launcher **ret_launcher,
                 struct error *err) must_check;
/* Ends the process's cryptography with it. */
void launcher_free(struct launcher *launcher);

/* Waits for the executor's digest. */
int launcher_identity(struct launcher *launcher, struct launch_identity *ret_identity,
                      struct error *err) must_check;

#endif
