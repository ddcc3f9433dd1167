/*
 * What the kernel says about a process in /proc/PID/status: who it is, what it may do, who
 * watches it. That file is readable for everyone, whatever the process's user and dumpable flag.
 */
#ifndef ATTEST_PROCESS_H
#define ATTEST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct process_status {
	uint32_t uid[4]; /* real, effective, saved, file system */
	uint32_t gid[4];
	uint32_t group_count; /* supplementary */
	uint32_t tracer;      /* 0: nobody */
	uint32_t depth;       /* PID namespaces that it is visible in, from the reader's down */
	uint32_t filter_mode; /* seccomp: 0 off, 1 strict, 2 filter */
	bool no_new_privs;
	uint64_t inheritable, permitted, effective, bounding, ambient; /* capabilities */
};

/* The text of a status file. CELLA_EFORMAT if a line is missing or malformed. */
int process_status_parse(const char *text, size_t size, struct process_status *ret,
                         struct error *err) must_check;
/* pid 0: this process. */
int process_status_read(pid_t pid, struct process_status *ret, struct error *err) must_check;

static inline bool process_may(const struct process_status *status, unsigned capability)
{
	return status->effective >> capability & 1;
}

#endif
