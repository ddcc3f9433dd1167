#include "agent/agent_message.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

static bool start_is_right(const struct agent_message *m)
{
	const struct agent_start *s = m->start;
	return s->reserved == 0 && memchr(s->spill_directory, '\0', sizeof(s->spill_directory)) &&
	       memchr(s->page_directory, '\0', sizeof(s->page_directory));
}

static bool stop_is_right(const struct agent_message *m)
{
	return m->stop->reserved == 0;
}

static bool executor_is_right(const struct agent_message *m)
{
	const struct agent_executor *x = m->executor;
	return x->index && (x->role == AGENT_DRIVER || x->role == AGENT_TASKS) &&
	       x->evidence_size == m->rest_size;
}

static bool lost_is_right(const struct agent_message *m)
{
	return m->lost->index && m->lost->replaced <= 1;
}

static bool progress_is_right(const struct agent_message *m)
{
	return m->progress->reserved == 0;
}

static bool failed_is_right(const struct agent_message *m)
{
	return m->failed->error < 0;
}

static bool finished_is_right(const struct agent_message *m)
{
	return m->finished->reserved == 0;
}

static const struct {
	size_t size;
	bool has_rest;
	bool (*is_right)(const struct agent_message *m);
} types[] = {
	[AGENT_START] = {sizeof(struct agent_start), false, start_is_right},
	[AGENT_STOP] = {sizeof(struct agent_stop), false, stop_is_right},
	[AGENT_EXECUTOR] = {sizeof(struct agent_executor), true, executor_is_right},
	[AGENT_LOST] = {sizeof(struct agent_lost), false, lost_is_right},
	[AGENT_PROGRESS] = {sizeof(struct agent_progress), false, progress_is_right},
	[AGENT_FAILED] = {sizeof(struct agent_failed), true, failed_is_right},
	[AGENT_FINISHED] = {sizeof(struct agent_finished), false, finished_is_right},
};

/* Before anything else of a start, whose size may be another version's. */
static int check_version(const uint8_t *bytes, size_t size, struct error *err)
{
	struct reader r = reader_of(bytes, size);
	uint32_t type = reader_u32(&r), version = reader_u32(&r);
	if (r.failed || type != AGENT_START || version == AGENT_VERSION)
		return 0;
	return error_set(err, CELLA_EFORMAT, "a job of version %u of the agent's protocol, not %d", version,
	                 AGENT_VERSION);
}

int agent_message_decode(const void *bytes, size_t size, struct agent_message *ret_message, struct error *err)
{
	struct reader r = reader_of(bytes, size);
	struct agent_message m = {.type = reader_u32(&r), .head = bytes};
	int rc = check_version(bytes, size, err);
	if (rc < 0)
		return rc;
	bool known = m.type < array_count(types) && types[m.type].size && size >= types[m.type].size;
	m.rest_size = known ? size - types[m.type].size : 0;
	m.rest = (const uint8_t *)bytes + (size - m.rest_size);
	if (!known || (m.rest_size && !types[m.type].has_rest) || !types[m.type].is_right(&m))
		return error_set(err, CELLA_EFORMAT, "a malformed message of type %u and %zu bytes", m.type,
		                 size);
	*ret_message = m;
	return 0;
}
