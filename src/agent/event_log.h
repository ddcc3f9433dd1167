/*
 * Writes the event log (agent/event_format.h). Every function takes NULL: then no log is wanted.
 * A full log drops events and counts them.
 */
#ifndef AGENT_EVENT_LOG_H
#define AGENT_EVENT_LOG_H

#include "agent/event_format.h"
#include "base/error.h"
#include "task/message.h"

struct event_log;

int event_log_new(uint32_t workers, uint64_t now_ns, struct event_log **ret_log,
                  struct error *err) must_check;
void event_log_free(struct event_log *log);

void event_log_function(struct event_log *log, uint32_t index, const struct message_name *name);
void event_log_group(struct event_log *log, uint32_t executor, const struct task_group *group,
                     const struct message_name *name);
void event_log_executor(struct event_log *log, const struct event_executor *event);
void event_log_submit(struct event_log *log, uint64_t now_ns, const struct message_submit *m);
void event_log_undo(struct event_log *log); /* the submission that was logged last */
void event_log_done(struct event_log *log, uint32_t executor, const struct task_done *done, uint64_t bytes);
void event_log_outcome(struct event_log *log, uint64_t now_ns, const struct task_outcome *outcome);
void event_log_spill(struct event_log *log, uint64_t now_ns, uint64_t bytes);

/* Ends the log: the memory file, the log's own, cut to its size; -1 without a log. What comes later
 * (executors that end) is dropped. */
int event_log_finish(struct event_log *log, const struct event_end *end);

#endif
