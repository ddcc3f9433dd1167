#include "las/launcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "attest/host.h"
#include "base/log.h"
#include "las/bounds.h"
#include "las/cgroup.h"
#include "las/lease.h"

static int harden(struct error *err)
{
	const struct rlimit none = {0};
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return error_errno(err, CELLA_EPERM, "the launcher cannot shut itself off");
	return 0;
}

/* A filter in force would be inherited by every executor: whoever started this program with one could answer
 * the executor's system calls. The kernel is asked in two ways, for a filter could lie about one. */
static bool no_filter(const struct process_status *status)
{
	return status->filter_mode == 0 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0;
}

static int look_around(struct launcher *launcher, struct error *err)
{
	struct utsname name;
	struct error why = {0};
	int rc = process_status_read(0, &launcher->status, err);
	if (rc < 0)
		return rc;
	launcher->namespaces = namespaces_read();
	launcher->namespace_flags = host_namespace_flags(&launcher->status);
	launcher->filter_free = no_filter(&launcher->status);
	if (!launcher->filter_free)
		log_warn("a seccomp filter is in force on the launcher: its evidence will say so");
	launcher->has_cgroup = cgroup_find(launcher->cgroup, &why) == 0;
	if (launcher->has_cgroup)
		cgroup_sweep(launcher->cgroup);
	else
		log_info("executors get no cgroup limits: %s", why.text);
	launcher->host = host_claims();
	if (uname(&name) == 0)
		snprintf(launcher->kernel, sizeof(launcher->kernel), "%.63s", name.release);
	launcher->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (launcher->null_fd < 0)
		return error_errno(err, CELLA_EIO, "cannot open /dev/null");
	return 0;
}

int launcher_new(const char *executor, const char *key_file, struct launcher **ret_launcher,
                 struct error *err)
{
	struct launcher *launcher = calloc(1, sizeof(*launcher));
	if (!launcher)
		return error_set(err, CELLA_ENOMEM, "no memory for the launcher");
	launcher->executor.fd = launcher->executor.digest_pipe = launcher->null_fd = -1;
	int rc = harden(err);
	if (rc == 0)
		rc = look_around(launcher, err);
	if (rc == 0)
		rc = executor_load(executor, &launcher->executor, err);
	if (rc == 0)
		rc = signing_new(key_file, &launcher->signing, err);
	if (rc < 0) {
		launcher_free(launcher);
		return rc;
	}
	*ret_launcher = launcher;
	return 0;
}

void launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return;
	executor_done(&launcher->executor);
	if (launcher->null_fd >= 0)
		close(launcher->null_fd);
	signing_free(launcher->signing);
	free(launcher);
}

int launcher_identity(struct launcher *launcher, struct launch_identity *ret_identity, struct error *err)
{
	struct launch_identity identity = {.type = LAUNCH_IDENTITY, .version = LAUNCH_VERSION};
	memcpy(identity.public_key, signing_public_key(launcher->signing), sizeof(identity.public_key));
	struct error why = {0};
	int rc = executor_digest(&launcher->executor, identity.executor, err);
	if (rc < 0)
		return rc;
	static_assert((int)LAUNCH_KEEP_SIZE == (int)LEASE_KEEP_SIZE, "an identity has room for a statement");
	if (lease_statement(launcher, identity.keep, &why) < 0) {
		memset(identity.keep, 0, sizeof(identity.keep));
		log_info("no offline leases: %s", why.text);
	}
	*ret_identity = identity;
	return 0;
}
