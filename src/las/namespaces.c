#include "las/namespaces.h"

#include <sys/stat.h>

#include "attest/evidence.h"

static const struct {
	const char *path;
	uint32_t isolation;
} kinds[NAMESPACE_COUNT] = {
	[NAMESPACE_USER] = {"/proc/self/ns/user", EVIDENCE_USER_NAMESPACE},
	[NAMESPACE_MOUNT] = {"/proc/self/ns/mnt", EVIDENCE_MOUNT_NAMESPACE},
	[NAMESPACE_PID] = {"/proc/self/ns/pid", EVIDENCE_PID_NAMESPACE},
	[NAMESPACE_NET] = {"/proc/self/ns/net", EVIDENCE_NET_NAMESPACE},
	[NAMESPACE_IPC] = {"/proc/self/ns/ipc", EVIDENCE_IPC_NAMESPACE},
	[NAMESPACE_UTS] = {"/proc/self/ns/uts", EVIDENCE_UTS_NAMESPACE},
	[NAMESPACE_CGROUP] = {"/proc/self/ns/cgroup", 0},
};

struct namespaces namespaces_read(void)
{
	struct namespaces found = {{0}};
	struct stat st;
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (stat(kinds[i].path, &st) == 0)
			found.inode[i] = st.st_ino;
	return found;
}

uint32_t namespaces_isolation(const struct namespaces *launcher, const struct namespaces *child)
{
	uint32_t isolation = 0;
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (launcher->inode[i] && child->inode[i] && launcher->inode[i] != child->inode[i])
			isolation |= kinds[i].isolation;
	return isolation;
}
