#include "agent/event_log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

struct event_log {
	int fd;
	uint8_t *memory; /* EVENT_LOG_MAX bytes of address space */
	size_t size;
	size_t last; /* where the last record begins */
	uint64_t lost;
	bool finished; /* the file is cut to its size: the memory behind it is not there any more */
};

enum { EVENT_END_ROOM = 256 }; /* kept free for the last record */

struct part {
	const void *data;
	size_t size;
};

static void append(struct event_log *log, uint32_t type, const struct part *parts, size_t count, size_t limit)
{
	struct event_head head = {.type = type};
	if (log->finished)
		return;
	for (size_t i = 0; i < count; i++)
		head.size += (uint32_t)parts[i].size;
	size_t whole = sizeof(head) + align_up((size_t)head.size, (size_t)8);
	if (limit - log->size < whole) {
		log->lost++;
		log->last = log->size;
		return;
	}
	uint8_t *to = log->memory + log->size;
	log->last = log->size;
	memcpy(to, &head, sizeof(head));
	to += sizeof(head);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].size)
			memcpy(to, parts[i].data, parts[i].size);
		to += parts[i].size;
	}
	log->size += whole;
}

static void add(struct event_log *log, uint32_t type, const struct part *parts, size_t count)
{
	append(log, type, parts, count, EVENT_LOG_MAX - EVENT_END_ROOM);
}

int event_log_new(uint32_t workers, uint64_t now_ns, struct event_log **ret_log, struct error *err)
{
	struct event_log *log = calloc(1, sizeof(*log));
	if (!log)
		return error_set(err, CELLA_ENOMEM, "no memory for the event log");
	log->fd = memfd_create("cella-events", MFD_CLOEXEC);
	void *memory = MAP_FAILED;
	if (log->fd >= 0 && ftruncate(log->fd, EVENT_LOG_MAX) == 0)
		memory = mmap(NULL, EVENT_LOG_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);
	if (memory == MAP_FAILED) {
		int rc = error_errno(err, CELLA_ENOMEM, "cannot make the event log");
		event_log_free(log);
		return rc;
	}
	log->memory = memory;
	struct event_begin begin = {.version = EVENT_LOG_VERSION, .workers = workers, .time_ns = now_ns};
	struct part part = {&begin, sizeof(begin)};
	add(log, EVENT_BEGIN, &part, 1);
	*ret_log = log;
	return 0;
}

void event_log_free(struct event_log *log)
{
	if (!log)
		return;
	if (log->memory)
		munmap(log->memory, EVENT_LOG_MAX);
	cleanup_close_fn(&log->fd);
	free(log);
}

void event_log_function(struct event_log *log, uint32_t index, const struct message_name *name)
{
	if (!log)
		return;
	struct event_name head = {.index = index};
	struct part parts[] = {{&head, sizeof(head)}, {name->text, name->size}};
	add(log, EVENT_FUNCTION, parts, array_count(parts));
}

void event_log_group(struct event_log *log, uint32_t executor, const struct task_group *group,
                     const struct message_name *name)
{
	if (!log)
		return;
	struct event_group head = {.executor = executor,
	                           .group = group->group,
	                           .outer = group->outer,
	                           .parent = group->parent};
	struct part parts[] = {{&head, sizeof(head)}, {name->text, name->size}};
	add(log, EVENT_GROUP, parts, array_count(parts));
}

void event_log_executor(struct event_log *log, const struct event_executor *event)
{
	if (!log)
		return;
	struct part part = {event, sizeof(*event)};
	add(log, EVENT_EXECUTOR, &part, 1);
}

void event_log_submit(struct event_log *log, uint64_t now_ns, const struct message_submit *m)
{
	if (!log)
		return;
	const struct task_submit *s = m->task;
	struct event_submit head = {
		.time_ns = now_ns,
		.task = s->task,
		.parent = s->parent,
		.function = s->function,
		.group = s->group,
		.input_count = s->input_count,
		.output_count = s->output_count,
		.commutative_count = s->commutative_count,
	};
	struct part parts[] = {{&head, sizeof(head)},
	                       {m->inputs, s->input_count * sizeof(*m->inputs)},
	                       {m->outputs, s->output_count * sizeof(*m->outputs)},
	                       {m->commutatives, s->commutative_count * sizeof(*m->commutatives)}};
	add(log, EVENT_SUBMIT, parts, array_count(parts));
}

void event_log_undo(struct event_log *log)
{
	if (log)
		log->size = log->last;
}

void event_log_done(struct event_log *log, uint32_t executor, const struct task_done *done, uint64_t bytes)
{
	if (!log)
		return;
	struct event_done event = {
		.task = done->task,
		.start_ns = done->start_ns,
		.end_ns = done->end_ns,
		.bytes = bytes,
		.executor = executor,
		.attempt = done->attempt,
		.status = done->status,
	};
	struct part part = {&event, sizeof(event)};
	add(log, EVENT_DONE, &part, 1);
}

void event_log_outcome(struct event_log *log, uint64_t now_ns, const struct task_outcome *outcome)
{
	if (!log)
		return;
	struct event_outcome event = {.time_ns = now_ns,
	                              .task = outcome->task,
	                              .status = outcome->status,
	                              .attempt = outcome->attempt};
	struct part part = {&event, sizeof(event)};
	add(log, EVENT_OUTCOME, &part, 1);
}

void event_log_spill(struct event_log *log, uint64_t now_ns, uint64_t bytes)
{
	if (!log || !bytes)
		return;
	struct event_spill event = {.time_ns = now_ns, .bytes = bytes};
	struct part part = {&event, sizeof(event)};
	add(log, EVENT_SPILL, &part, 1);
}

int event_log_finish(struct event_log *log, const struct event_end *end)
{
	if (!log)
		return -1;
	struct event_end event = *end;
	event.lost = log->lost;
	struct part part = {&event, sizeof(event)};
	append(log, EVENT_END, &part, 1, EVENT_LOG_MAX);
	log->finished = true;
	return ftruncate(log->fd, (off_t)log->size) == 0 ? log->fd : -1;
}
