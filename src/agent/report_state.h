/* What the files of the report share. */
#ifndef AGENT_REPORT_STATE_H
#define AGENT_REPORT_STATE_H

#include "agent/event_format.h"
#include "agent/report.h"
#include "base/map.h"
#include "task/task_format.h"

struct report_task {
	const struct event_submit *submit;
	const uint64_t *inputs;
	const uint64_t *outputs;
	const struct task_commutative *commutatives;
	uint32_t last;     /* its last attempt + 1, 0: none */
	uint32_t attempts;
	uint32_t status;   /* how it ended; UINT32_MAX: it did not */
};

struct report_executor {
	uint64_t begin_ns, end_ns; /* end 0: it ran until the job's end */
	uint64_t requested_ns;
	uint64_t busy_ns;
	uint64_t attempts;
	uint32_t number;
	bool driver;
	int32_t pid;
	int32_t status;
};

struct report_function {
	char name[TASK_NAME_MAX + 1];
	uint64_t runs, failures, total_ns, min_ns, max_ns;
};

struct report {
	const struct event_begin *begin;
	const struct event_end *end;
	struct report_task *tasks;
	size_t task_count;
	const struct event_done **attempts;
	size_t attempt_count;
	const struct event_outcome **outcomes;
	size_t outcome_count;
	struct report_executor *executors;
	size_t executor_count;
	struct report_function *functions;
	size_t function_count;
	struct map tasks_by_id;   /* place + 1 */
	struct map makers;        /* datum -> place of the task that makes it + 1 */
	struct map memberships;   /* commutative datum -> place of its first member + 1 */
	uint32_t *next_member; /* by task: the next member of its first commutative datum + 1, 0: the last */
};

static inline const char *report_name(const struct report *r, const struct report_task *t)
{
	uint32_t function = t->submit->function;
	return function < r->function_count && r->functions[function].name[0] ? r->functions[function].name
	                                                                      : "task";
}
static inline uint64_t report_number(uint64_t task)
{
	return task & (((uint64_t)1 << TASK_COUNTER_BITS) - 1);
}
/* Time since the job's beginning. */
static inline uint64_t report_since(const struct report *r, uint64_t time_ns)
{
	return time_ns > r->begin->time_ns ? time_ns - r->begin->time_ns : 0;
}
const char *report_status_name(uint32_t status);
/* Calls `edge` for each task that made something that task `place` reads. */
void report_producers(const struct report *r, size_t place,
                      void (*edge)(void *data, size_t producer, size_t consumer), void *data);

#endif
