/*
 * What happened in a job, from its event log (agent/event_format.h): the graph as dot or as a
 * drawing, a trace for Perfetto or chrome://tracing, and a record in JSON. Pure.
 *
 * The log comes from the agent, which is not trusted: it is checked while it is read, and all that
 * it says is shown as text only.
 */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	REPORT_DRAWING_MAX = 5000, /* tasks in a drawing */
	REPORT_FLOWS_MAX = 100000, /* arrows in a trace */
};

struct report;

/* `log` must outlive it. CELLA_EFORMAT. */
int report_new(const void *log, size_t size, struct report **ret_report, struct error *err) must_check;
void report_free(struct report *r);

/* Each appends to `ret`, whose `failed` says whether memory ran out. */
void report_dot(const struct report *r, struct buf *ret);
/* Layers from top to bottom by the longest way to a task. CELLA_ELIMIT past REPORT_DRAWING_MAX tasks. */
int report_svg(const struct report *r, struct buf *ret, struct error *err) must_check;
void report_trace(const struct report *r, struct buf *ret);
/* A JSON object with the members tasks, functions, executors, store. */
void report_record(const struct report *r, struct buf *ret);

#endif
