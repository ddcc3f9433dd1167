/*
 * The event log: what the agent saw, for graph, trace and record. A memory file: records one after
 * another, each a struct event_head and a body, padded to 8 bytes. It holds names, ids, times and
 * sizes, nothing of the data.
 */
#ifndef AGENT_EVENT_FORMAT_H
#define AGENT_EVENT_FORMAT_H

#include <assert.h>
#include <stdint.h>

enum { EVENT_LOG_VERSION = 1, EVENT_LOG_MAX = 512 << 20 };

enum event_type {
	EVENT_BEGIN = 1, /* struct event_begin: the first record */
	EVENT_FUNCTION,  /* struct event_name, name */
	EVENT_GROUP,     /* struct event_group, name */
	EVENT_EXECUTOR,  /* struct event_executor */
	EVENT_SUBMIT, /* struct event_submit, u64 ids of inputs, outputs; bases, finals of its commutatives */
	EVENT_DONE, /* struct event_done: an attempt has ended */
	EVENT_OUTCOME, /* struct event_outcome: a task did not end well */
	EVENT_SPILL, /* struct event_spill */
	EVENT_END, /* struct event_end: the last record */
};

struct event_head {
	uint32_t type;
	uint32_t size; /* of the body, without padding */
};

struct event_begin {
	uint32_t version;
	uint32_t workers; /* asked for */
	uint64_t time_ns; /* CLOCK_MONOTONIC, as all times here */
};

struct event_name {
	uint32_t index;
	uint32_t reserved;
};

struct event_group {
	uint32_t executor;
	uint32_t group;
	uint32_t outer;
	uint32_t reserved;
	uint64_t parent;
};

struct event_executor {
	uint64_t time_ns;
	uint64_t requested_ns; /* when the launcher was asked for it */
	uint32_t number;
	uint32_t driver;
	int32_t pid; /* when it starts; 0 when it has ended */
	int32_t status; /* when it has ended: as waitpid's */
};

struct event_submit {
	uint64_t time_ns;
	uint64_t task;
	uint64_t parent;
	uint32_t function;
	uint32_t group;
	uint16_t input_count, output_count, commutative_count, reserved;
};

struct event_done {
	uint64_t task;
	uint64_t start_ns, end_ns;
	uint64_t bytes; /* sealed outputs */
	uint32_t executor;
	uint32_t attempt;
	uint32_t status;
	uint32_t reserved;
};

struct event_outcome {
	uint64_t time_ns;
	uint64_t task;
	uint32_t status;
	uint32_t attempt;
};

struct event_spill {
	uint64_t time_ns;
	uint64_t bytes; /* written to the spill file */
};

struct event_end {
	uint64_t time_ns;
	uint64_t lost; /* events that did not fit into the log */
	uint64_t done, failed, cancelled, retried;
	uint64_t store_used_max, spilled;
};

static_assert(sizeof(struct event_submit) == 40 && sizeof(struct event_done) == 48, "no padding");
static_assert(sizeof(struct event_executor) == 32 && sizeof(struct event_outcome) == 24, "no padding");

#endif
