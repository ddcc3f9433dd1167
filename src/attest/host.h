/*
 * What this machine can protect: the facts behind `cella doctor`, and the host claims in evidence.
 *
 * Each fact is looked up by trying it where that is harmless (a page of secret memory, a child in
 * new namespaces), else by asking the kernel. Facts are about this process: another user, or a
 * container, may see others.
 */
#ifndef ATTEST_HOST_H
#define ATTEST_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "attest/process.h"

enum host_verdict {
	HOST_GOOD,    /* Cella gets all of it */
	HOST_LIMITED, /* some of it: `reason` says what is missing */
	HOST_MISSING, /* not here */
	HOST_INFO,    /* a fact that is neither good nor bad */
};

struct host_fact {
	const char *group; /* "kernel", "memory", "isolation", "host claims", "processor", "machine" */
	const char *name;  /* such as "secret memory" */
	enum host_verdict verdict;
	char value[120];   /* what was found */
	char reason[400];  /* what that means; "" if there is nothing to say */
	char remedy[300];  /* what to do about it; "" if nothing can be, or needs to be */
};

enum { HOST_FACTS_MAX = 32 };

struct host_facts {
	size_t count;
	struct host_fact facts[HOST_FACTS_MAX];
};

/* Takes a few milliseconds: it starts a child. Fills *ret whatever is missing; 0. */
int host_facts(struct host_facts *ret);
/* "good", "limited", "missing", "info". */
const char *host_verdict_name(enum host_verdict verdict);

/* The enum evidence_host bits that hold. Quick. */
uint32_t host_claims(void);
/* The same of the files below `root` ("": this machine's /proc and /sys). */
uint32_t host_claims_at(const char *root);

/* Flags of clone3 for the namespaces that an executor is to have: a user namespace only where the
 * others are not to be had without. */
uint64_t host_namespace_flags(const struct process_status *status);

#endif
