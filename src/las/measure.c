#include "las/measure.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "attest/evidence.h"
#include "base/io.h"

enum { MEMBERSHIP_MAX = 1 << 16 };

static bool has_own_user(const struct launcher *launcher, const struct subject *subject,
                         const struct process_status *s)
{
	for (size_t i = 0; i < array_count(s->uid); i++)
		if (s->uid[i] != subject->uid || s->gid[i] != subject->uid ||
		    s->uid[i] == launcher->status.uid[i])
			return false;
	return s->group_count == 0;
}

/* /proc/PID/cgroup has "0::PATH/NAME". */
static bool is_in_cgroup(const struct subject *subject)
{
	char path[48], end[80];
	cleanup_buf struct buf text = {0};
	if (!subject->cgroup)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)subject->pid);
	if (io_read_file(path, MEMBERSHIP_MAX, &text, NULL) < 0)
		return false;
	buf_put_u8(&text, 0);
	snprintf(end, sizeof(end), "/%s\n", subject->cgroup);
	const char *line = text.failed ? NULL : strstr((const char *)text.data, "0::");
	const char *name = line ? strstr(line, end) : NULL;
	return name && name + strlen(end) == strchrnul(line, '\n') + 1;
}

static int check_capabilities(const struct subject *subject, const struct process_status *s,
                              struct error *err)
{
	uint64_t kept = subject->keeps_lock ? (uint64_t)1 << CAP_IPC_LOCK : 0;
	uint64_t has = s->permitted | s->effective | s->inheritable | s->ambient;
	if (has & ~kept)
		return error_set(err, CELLA_EPERM,
		                 "the executor has capabilities %#" PRIx64 " that it should not have",
		                 has & ~kept);
	return 0;
}

int measure(const struct launcher *launcher, const struct subject *subject, uint32_t *ret_isolation,
            uint32_t *ret_uid, struct error *err)
{
	struct process_status s;
	int rc = process_status_read(subject->pid, &s, err);
	if (rc == 0 && s.tracer)
		rc = error_set(err, CELLA_EPERM,
		               "process %" PRIu32 " traces the executor: nobody can vouch for it", s.tracer);
	if (rc == 0)
		rc = check_capabilities(subject, &s, err);
	if (rc < 0)
		return rc;
	uint32_t bits = namespaces_isolation(&launcher->namespaces, &subject->report->namespaces);
	if (!subject->report->root_is_empty)
		bits &= ~(uint32_t)EVIDENCE_MOUNT_NAMESPACE;
	if (s.depth <= launcher->status.depth)
		bits &= ~(uint32_t)EVIDENCE_PID_NAMESPACE;
	if (has_own_user(launcher, subject, &s))
		bits |= EVIDENCE_OWN_UID;
	if (is_in_cgroup(subject))
		bits |= EVIDENCE_CGROUP;
	if (s.filter_mode == 0 && launcher->filter_free)
		bits |= EVIDENCE_NO_INHERITED_FILTER;
	if (s.no_new_privs)
		bits |= EVIDENCE_NO_NEW_PRIVS;
	*ret_isolation = bits;
	*ret_uid = s.uid[1];
	return 0;
}
