/*
 * Which namespaces a process is in, and what follows for the evidence: a namespace counts as the
 * executor's own when its inode differs from the launcher's.
 */
#ifndef LAS_NAMESPACES_H
#define LAS_NAMESPACES_H

#include <stdint.h>

enum namespace_kind {
	NAMESPACE_USER,
	NAMESPACE_MOUNT,
	NAMESPACE_PID,
	NAMESPACE_NET,
	NAMESPACE_IPC,
	NAMESPACE_UTS,
	NAMESPACE_CGROUP,
	NAMESPACE_COUNT,
};

struct namespaces {
	uint64_t inode[NAMESPACE_COUNT]; /* 0: could not be read */
};

/* Of the calling process. Only system calls: for the child between clone and exec, too. */
struct namespaces namespaces_read(void);
/* The enum evidence_isolation bits of the namespaces that differ. */
uint32_t namespaces_isolation(const struct namespaces *launcher, const struct namespaces *child);

#endif
