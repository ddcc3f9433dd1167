/*
 * Messages between an executor and its agent, through two rings (net/ring.h): `up` from the
 * executor, `down` to it. docs/protocols/tasks.md tells the protocol as a story.
 *
 * Names. A *task* has an id unique in the session: submitter's executor number << 48 | counter.
 * A *datum* is one version of one piece of data, with an id from the same kind of counter: every
 * write makes a new datum, so a graph over data has true dependencies only.
 * An executor's number is given by the owner in the provisioning and is never used twice.
 *
 * Trust. The agent reads and keeps these structures in the clear and schedules by them; it has
 * no key. struct task_submit with its arrays is the additional data of the sealed invocation, so
 * an executor that runs a task knows that the submitter wrote exactly this. Data are sealed
 * under their datum id; a finished task is proved by a receipt (seal/seal.h). So the agent can
 * refuse or repeat work, and can make a task fail, but not change, swap or invent it.
 *
 * Rules. A message that breaks a limit, names an id that it must not or an object that is not there ends its
 * executor. Fields called reserved and flags are 0.
 *
 * All integers little-endian; structures have no padding.
 */
#ifndef TASK_FORMAT_H
#define TASK_FORMAT_H

#include <assert.h>
#include <stdint.h>

enum {
	TASK_FORMAT_VERSION = 2,
	TASK_DATA_MAX = 1000, /* inputs, outputs and commutatives of one task together; data of one wait */
	TASK_INVOCATION_MAX = 16384, /* sealed bytes; larger arguments travel as data */
	TASK_NAME_MAX = 63,
	TASK_FUNCTIONS_MAX = 4096, /* task_function.index is less */
	TASK_DEPTH_MAX = 64, /* of nested tasks: a deeper one ends as TASK_IMPOSSIBLE; of groups */
	TASK_ATTEMPTS_MAX = 100,
	TASK_FAILURE_MAX = 4096, /* sealed failure text */
	TASK_COUNTER_BITS = 48,
};

enum task_up {
	TASK_UP_FUNCTION = 1, /* struct task_function, name: before the first task of this function */
	TASK_UP_SUBMIT, /* struct task_submit, arrays, sealed invocation */
	TASK_UP_DONE, /* struct task_done, outputs, sealed failure */
	TASK_UP_PUT, /* struct task_location, one or more: the submitter made these data itself */
	TASK_UP_WAIT, /* struct task_wait, data */
	TASK_UP_TAKEN, /* u64 waits: what their TASK_DOWN_READY located has been opened or is not needed */
	TASK_UP_CANCEL, /* struct task_cancel */
	TASK_UP_RELEASE, /* u64 datum ids: the submitter will not name these again */
	TASK_UP_EXTENT, /* struct task_extent: room wanted in the store; answered in order */
	TASK_UP_CLOSE, /* struct task_extent: an extent granted before that it will not write any more */
	TASK_UP_GROUP, /* struct task_group, name: before the first task of this group */
	TASK_UP_DISBAND, /* struct task_disband: the submitter will not name this group again */
};

enum task_down {
	TASK_DOWN_RUN = 1, /* struct task_run, input locations, then the TASK_UP_SUBMIT body */
	TASK_DOWN_READY, /* struct task_ready, locations */
	TASK_DOWN_OUTCOME, /* struct task_outcome, sealed failure: a task that did not end well */
	TASK_DOWN_EXTENT, /* struct task_extent: granted (size 0: the store is full) */
	TASK_DOWN_STOP, /* end when idle */
	TASK_DOWN_FORGET, /* u64 datum ids that will not be named again: what is kept of them is of no use */
};

struct task_function {
	uint32_t index; /* the same in every executor of the session */
	uint32_t reserved;
};

struct task_group {
	uint32_t group; /* the submitter's name for it, from 1, never used twice */
	uint32_t outer; /* the group it lies in, 0 for none */
	uint64_t parent; /* the task that opens it, 0: the main program */
};

struct task_disband {
	uint64_t parent; /* as its task_group's */
	uint32_t group;
	uint32_t reserved;
};

struct task_submit {
	uint64_t task;
	uint64_t parent; /* the submitting task, 0: the main program */
	uint32_t function;
	uint32_t group; /* innermost group; 0: none */
	int32_t priority;
	uint32_t computing_units; /* 0 means 1 */
	uint64_t memory;
	uint32_t on_failure; /* enum cella_on_failure */
	uint32_t retries; /* with RETRY: attempts after the first, less than TASK_ATTEMPTS_MAX; 0 means 2 */
	uint32_t backoff_ms;
	uint32_t timeout_ms;
	uint16_t input_count; /* u64 datum each; one may be named more than once */
	uint16_t output_count; /* u64 datum each */
	uint16_t commutative_count; /* struct task_commutative each */
	uint16_t flags;
	uint32_t sealed_size; /* bytes of the sealed invocation, last */
	uint32_t reserved;
};
static_assert(sizeof(struct task_submit) == 72, "no padding");

/* A task that takes its turn on a datum: reads the current state of `final` (or `base` if it is the
 * first), writes the next state. `final` is complete when every member has finished; the first task
 * or wait that reads it, takes it as a base or releases it closes the membership. State k is sealed
 * as object `final`, version k (1, 2, ...); behind its bytes, sealed with them, is the sum of its
 * members' numbers (keyed, as receipts are). A reader knows both. */
struct task_commutative {
	uint64_t base; /* the same for every member; 0: starts as zeros */
	uint64_t final;
};

/* Where a sealed datum lies: bytes [offset, offset + size) of the session's store. */
struct task_location {
	uint64_t datum;
	uint64_t version; /* of the sealed object; 0 but for commutative states */
	uint64_t offset;
	uint64_t size;
};

struct task_run {
	uint64_t task;
	uint32_t attempt; /* from 1 */
	uint32_t flags; /* enum task_run_flag */
	uint32_t location_count; /* inputs in order, then the commutatives' current states (size 0: zeros) */
	uint32_t depth; /* of nesting, 0: the main program's; less than TASK_DEPTH_MAX */
};
enum task_run_flag {
	TASK_RUN_FALLBACK = 1, /* do not run it: make the outputs that on_failure IGNORE promises */
};
/* A location of datum 0 (a commutative's first state): zeros. A location of size 0 of another
 * datum: it comes from a task that was sent to this executor before this one. If that one has ended
 * well, the executor has the datum in the clear; if it failed, or the datum has left the cache,
 * this task ends with TASK_MISSING; if it has not ended (it waits for others), this one is passed
 * over until it has: an executor that waits looks for the first task in its queue that it can run,
 * and that lies deeper than the one that waits. */

enum task_status {
	TASK_OK = 0,
	TASK_FAILED, /* the function failed, sealed failure tells why */
	TASK_TIMED_OUT,
	TASK_MISSING, /* an input was not there: not an attempt */
	TASK_REFUSED, /* the invocation or an input does not verify */
	TASK_LOST, /* the executor ended (agent's word) */
	TASK_CANCELED, /* agent's word */
	TASK_IGNORED, /* failed, and on_failure is IGNORE: the status of a run with TASK_RUN_FALLBACK */
	TASK_IMPOSSIBLE, /* its constraints exceed every executor, or it lies too deep (agent's word) */
};

struct task_done {
	uint64_t task;
	uint32_t attempt;
	uint32_t status;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint64_t end_ns;
	uint64_t receipt_low, receipt_high; /* of (task, status), if TASK_OK or TASK_IGNORED */
	uint32_t output_count; /* struct task_location each: outputs, then commutative states */
	uint32_t failure_size; /* sealed, last */
};

enum task_wait_kind { TASK_WAIT_DATA, TASK_WAIT_ALL, TASK_WAIT_GROUP };

struct task_wait {
	uint64_t wait; /* the submitter's name for it */
	uint32_t kind; /* enum task_wait_kind */
	uint32_t group; /* with TASK_WAIT_GROUP */
	uint64_t parent; /* the task that waits (with ALL: for what it submitted); 0: the main program */
	uint32_t data_count; /* u64 each */
	uint32_t reserved;
};

struct task_ready {
	uint64_t wait;
	uint32_t status; /* TASK_OK, TASK_CANCELED if a producer or a task of the group was or failed */
	uint32_t location_count; /* with TASK_WAIT_DATA, in the order asked; size 0: not to be had */
	uint64_t ok_count; /* with ALL, GROUP: its tasks that ended with TASK_OK or TASK_IGNORED so far */
	uint64_t receipt_low, receipt_high; /* their receipts' sum */
};

struct task_outcome {
	uint64_t task;
	uint32_t status; /* enum task_status */
	uint32_t on_failure; /* what the agent does about it; FAIL: the submitter ends */
	uint32_t attempt; /* that failed last; 0: none began */
	uint32_t failure_size;
};

struct task_cancel {
	uint64_t wait; /* answered by TASK_DOWN_READY with ok_count = tasks cancelled, receipts 0 */
	uint64_t parent;
	uint32_t group;
	uint32_t reserved;
};

struct task_extent {
	uint64_t offset; /* 0 in TASK_UP_EXTENT */
	uint64_t size; /* in TASK_UP_EXTENT: at least this many bytes wanted */
};

static_assert(sizeof(struct task_function) == 8 && sizeof(struct task_group) == 16, "no padding");
static_assert(sizeof(struct task_commutative) == 16 && sizeof(struct task_location) == 32, "no padding");
static_assert(sizeof(struct task_run) == 24 && sizeof(struct task_done) == 56, "no padding");
static_assert(sizeof(struct task_wait) == 32 && sizeof(struct task_ready) == 40, "no padding");
static_assert(sizeof(struct task_outcome) == 24 && sizeof(struct task_cancel) == 24, "no padding");
static_assert(sizeof(struct task_extent) == 16 && sizeof(struct task_disband) == 16, "no padding");

#endif
