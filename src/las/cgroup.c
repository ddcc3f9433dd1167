#include "las/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

struct cgroup {
	char path[CGROUP_PATH_MAX + 64];
	int fd;
};

/* What there is no room for now is not forbidden. */
static int code_of(int number)
{
	bool passes = number == EAGAIN || number == EBUSY || number == EINTR || number == ENOMEM ||
	              number == ENOSPC;
	return passes ? CELLA_EIO : CELLA_EPERM;
}

static int write_limit(const struct cgroup *group, const char *file, uint64_t value, struct error *err)
{
	char wanted[32], got[32] = "";
	int size = snprintf(wanted, sizeof(wanted), "%" PRIu64 "\n", value);
	cleanup_close int fd = openat(group->fd, file, O_RDWR | O_CLOEXEC);
	if (fd < 0 || write(fd, wanted, (size_t)size) != size)
		return error_errno(err, code_of(errno), "cannot set %s of the cgroup %s", file, group->path);
	if (pread(fd, got, sizeof(got) - 1, 0) < 0)
		return error_errno(err, CELLA_EIO, "cannot read %s of the cgroup %s back", file, group->path);
	if (strtoull(got, NULL, 10) != value)
		return error_set(err, CELLA_EPERM, "%s of the cgroup %s is %.20s instead of %" PRIu64, file,
		                 group->path, got, value);
	return 0;
}

static int write_limits(const struct cgroup *group, uint64_t memory_max, uint32_t pids_max, struct error *err)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int rc = write_limit(group, "memory.max", memory_max / page * page, err);
	if (rc == 0)
		rc = write_limit(group, "pids.max", pids_max, err);
	if (rc == 0 && faccessat(group->fd, "memory.swap.max", F_OK, 0) == 0)
		rc = write_limit(group, "memory.swap.max", 0, err);
	return rc;
}

int cgroup_new(const char *directory, const char *name, uint64_t memory_max, uint32_t pids_max,
               struct cgroup **ret_group, struct error *err)
{
	struct cgroup *group = calloc(1, sizeof(*group));
	if (!group)
		return error_set(err, CELLA_ENOMEM, "no memory for a cgroup");
	group->fd = -1;
	snprintf(group->path, sizeof(group->path), "%s/%s", directory, name);
	if (mkdir(group->path, 0755) < 0) {
		int rc = error_errno(err, code_of(errno), "cannot make the cgroup %s", group->path);
		free(group);
		return rc;
	}
	int rc = 0;
	group->fd = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group->fd < 0)
		rc = error_errno(err, CELLA_EIO, "cannot open the cgroup %s", group->path);
	if (rc == 0)
		rc = write_limits(group, memory_max, pids_max, err);
	if (rc < 0) {
		cgroup_free(group);
		return rc;
	}
	*ret_group = group;
	return 0;
}

void cgroup_free(struct cgroup *group)
{
	if (!group)
		return;
	if (group->fd >= 0)
		close(group->fd);
	rmdir(group->path);
	free(group);
}

void cgroup_sweep(const char *directory)
{
	DIR *groups = opendir(directory);
	if (!groups)
		return;
	for (struct dirent *entry; (entry = readdir(groups));) {
		int pid, end = 0;
		unsigned number;
		if (sscanf(entry->d_name, "cella-%d-%u%n", &pid, &number, &end) == 2 && !entry->d_name[end] &&
		    pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
			unlinkat(dirfd(groups), entry->d_name, AT_REMOVEDIR);
	}
	closedir(groups);
}

int cgroup_fd(const struct cgroup *group)
{
	return group->fd;
}
