/*
 * A trace in Chrome's JSON format (opens in ui.perfetto.dev and chrome://tracing): an executor is a
 * thread, an attempt a slice, a dependency an arrow from the end of the one to the beginning of the
 * other. And the record's part about tasks.
 */
#include <stdlib.h>

#include "agent/report_state.h"
#include "base/cleanup.h"

enum { TRACE_COUNTER_SAMPLES = 2000 };

static double us(const struct report *r, uint64_t time_ns)
{
	return (double)report_since(r, time_ns) / 1e3;
}

static void trace_threads(const struct report *r, struct buf *ret)
{
	buf_printf(ret, "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"cella\"}}");
	for (size_t i = 0; i < r->executor_count; i++) {
		const struct report_executor *e = &r->executors[i];
		buf_printf(
			ret,
			",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":\"%s %u\"}}",
			e->number, e->driver ? "driver" : "executor", e->number);
		buf_printf(
			ret,
			",\n{\"ph\":\"i\",\"s\":\"t\",\"pid\":1,\"tid\":%u,\"name\":\"starts\",\"ts\":%.3f}",
			e->number, us(r, e->begin_ns));
		if (e->end_ns)
			buf_printf(
				ret,
				",\n{\"ph\":\"i\",\"s\":\"t\",\"pid\":1,\"tid\":%u,\"name\":\"ends\",\"ts\":%.3f}",
				e->number, us(r, e->end_ns));
	}
}

static void trace_attempts(const struct report *r, struct buf *ret)
{
	for (size_t i = 0; i < r->attempt_count; i++) {
		const struct event_done *d = r->attempts[i];
		void *known = map_get(&r->tasks_by_id, d->task);
		if (!known)
			continue;
		const struct report_task *t = &r->tasks[(uintptr_t)known - 1];
		buf_printf(
			ret,
			",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"name\":\"%s\",\"cat\":\"%s\",\"ts\":%.3f,\"dur\":%.3f,"
			"\"args\":{\"task\":%llu,\"attempt\":%u,\"bytes\":%llu,\"waited_us\":%.3f}}",
			d->executor, report_name(r, t), report_status_name(d->status), us(r, d->start_ns),
			us(r, d->end_ns) - us(r, d->start_ns), (unsigned long long)report_number(d->task),
			d->attempt, (unsigned long long)d->bytes,
			us(r, d->start_ns) - us(r, t->submit->time_ns));
	}
}

struct flows {
	const struct report *report;
	struct buf *out;
	size_t count;
};

static void trace_flow(void *data, size_t producer, size_t consumer)
{
	struct flows *f = data;
	const struct report_task *from = &f->report->tasks[producer], *to = &f->report->tasks[consumer];
	if (!from->last || !to->last || f->count == REPORT_FLOWS_MAX)
		return;
	const struct event_done *a = f->report->attempts[from->last - 1],
				*b = f->report->attempts[to->last - 1];
	f->count++;
	buf_printf(
		f->out,
		",\n{\"ph\":\"s\",\"pid\":1,\"tid\":%u,\"id\":%zu,\"name\":\"data\",\"cat\":\"data\",\"ts\":%.3f}"
		",\n{\"ph\":\"f\",\"bp\":\"e\",\"pid\":1,\"tid\":%u,\"id\":%zu,\"name\":\"data\",\"cat\":\"data\",\"ts\":%.3f}",
		a->executor, f->count, us(f->report, a->start_ns), b->executor, f->count,
		us(f->report, b->start_ns));
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* How many tasks had been submitted and not ended, over time: samples of both counts merged. */
static void trace_counter(const struct report *r, struct buf *ret)
{
	cleanup_free uint64_t *ends = calloc(r->attempt_count + 1, sizeof(*ends));
	if (!ends) {
		ret->failed = true;
		return;
	}
	for (size_t i = 0; i < r->attempt_count; i++)
		ends[i] = r->attempts[i]->end_ns;
	qsort(ends, r->attempt_count, sizeof(*ends), compare_times);
	size_t submitted = 0, ended = 0, events = r->task_count + r->attempt_count;
	size_t step = events / TRACE_COUNTER_SAMPLES + 1;
	for (size_t i = 1; submitted < r->task_count || ended < r->attempt_count; i++) {
		bool end = submitted == r->task_count ||
		           (ended < r->attempt_count && ends[ended] < r->tasks[submitted].submit->time_ns);
		uint64_t time = end ? ends[ended++] : r->tasks[submitted++].submit->time_ns;
		if (i % step == 0 || i == events)
			buf_printf(
				ret,
				",\n{\"ph\":\"C\",\"pid\":1,\"name\":\"tasks\",\"ts\":%.3f,\"args\":{\"not ended\":%zu}}",
				us(r, time), submitted > ended ? submitted - ended : 0);
	}
}

void report_trace(const struct report *r, struct buf *ret)
{
	struct flows flows = {.report = r, .out = ret};
	buf_printf(ret, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
	trace_threads(r, ret);
	trace_attempts(r, ret);
	for (size_t i = 0; i < r->task_count; i++)
		report_producers(r, i, trace_flow, &flows);
	trace_counter(r, ret);
	buf_printf(ret, "\n]}\n");
}

static void record_functions(const struct report *r, struct buf *ret)
{
	const char *comma = "";
	buf_printf(ret, ",\n \"functions\": [");
	for (size_t i = 0; i < r->function_count; i++) {
		const struct report_function *f = &r->functions[i];
		if (!f->name[0])
			continue;
		buf_printf(
			ret,
			"%s\n  {\"name\": \"%s\", \"runs\": %llu, \"failures\": %llu, \"total_s\": %.9f, \"min_s\": %.9f, "
			"\"max_s\": %.9f}",
			comma, f->name, (unsigned long long)f->runs, (unsigned long long)f->failures,
			(double)f->total_ns / 1e9, (double)f->min_ns / 1e9, (double)f->max_ns / 1e9);
		comma = ",";
	}
	buf_printf(ret, "]");
}

static void record_executors(const struct report *r, struct buf *ret)
{
	buf_printf(ret, ",\n \"executors\": [");
	for (size_t i = 0; i < r->executor_count; i++) {
		const struct report_executor *e = &r->executors[i];
		uint64_t end = e->end_ns ? e->end_ns : r->end->time_ns;
		buf_printf(
			ret,
			"%s\n  {\"number\": %u, \"role\": \"%s\", \"pid\": %d, \"launch_s\": %.9f, "
			"\"start_s\": %.9f, \"end_s\": %.9f, \"busy_s\": %.9f, \"attempts\": %llu, \"wait_status\": %d}",
			i ? "," : "", e->number, e->driver ? "driver" : "tasks", e->pid,
			(double)(e->begin_ns - e->requested_ns) / 1e9,
			(double)report_since(r, e->begin_ns) / 1e9, (double)report_since(r, end) / 1e9,
			(double)e->busy_ns / 1e9, (unsigned long long)e->attempts, e->status);
	}
	buf_printf(ret, "]");
}

void report_record(const struct report *r, struct buf *ret)
{
	const struct event_end *end = r->end;
	buf_printf(
		ret,
		"{\"tasks\": {\"submitted\": %zu, \"done\": %llu, \"failed\": %llu, \"canceled\": %llu, \"retried\": %llu, "
		"\"events_lost\": %llu, \"time_s\": %.9f}",
		r->task_count, (unsigned long long)end->done, (unsigned long long)end->failed,
		(unsigned long long)end->cancelled, (unsigned long long)end->retried,
		(unsigned long long)end->lost, (double)report_since(r, end->time_ns) / 1e9);
	record_functions(r, ret);
	record_executors(r, ret);
	buf_printf(ret, ",\n \"store\": {\"peak_bytes\": %llu, \"spilled_bytes\": %llu}}\n",
	           (unsigned long long)end->store_used_max, (unsigned long long)end->spilled);
}
