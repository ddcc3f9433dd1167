/*
 * A node without keys, for testing the agent: this process plays the owner and the launcher, forks
 * the agent (agent_run) and executors that speak the rings in the clear.
 *
 * A datum's object begins with its id and a value, and is 16 bytes long if the job does not say
 * otherwise. What a task does is said by its function (enum fake_function); the value of an output
 * is fake_mix of the output's id and the values of the inputs.
 */
#ifndef TESTS_FAKE_NODE_H
#define TESTS_FAKE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent_format.h"
#include "base/map.h"
#include "net/ring.h"
#include "task/task_format.h"

enum fake_function {
	FAKE_MIX,        /* the outputs, at once */
	FAKE_FAIL,       /* fails */
	FAKE_FAIL_FIRST, /* fails on the first attempt */
	FAKE_DIE,        /* the executor kills itself */
	FAKE_DIE_FIRST,  /* on the first attempt */
	FAKE_SPIN,       /* takes task_submit.timeout_ms milliseconds; 0: until the gate is open */
	FAKE_NEST, /* unless timeout_ms is 0: two FAKE_MIX, one FAKE_NEST with one less; waits for them */
	FAKE_NONSENSE, /* the executor sends a malformed message */
	FAKE_FUNCTIONS,
};

struct fake_object {
	uint64_t datum;
	uint64_t value;
};

/* An executor's end. */
struct fake_peer {
	uint32_t number;
	int socket;
	struct ring_writer up;
	struct ring_reader down;
	int bell;
	uint8_t *store;
	struct task_extent extent;
	uint64_t extent_used;
	bool refused; /* the last extent that it asked for */
	uint64_t next_id;
	struct map values; /* of data that it has opened or made: value + 1 */
	uint32_t object_size;
	bool remembers; /* keeps `values`, and finds inputs of size 0 there */
	struct task_outcome outcomes[64]; /* the latest */
	uint32_t outcome_count;
	struct task_ready ready;
	struct task_location *locations; /* of the last READY */
	bool stopped;
	uint32_t runs, missing;
	struct map answered; /* waits, by their id */
	struct fake_queued *queue; /* RUNs that arrived while a task waited */
	_Alignas(8) uint8_t record[RING_RECORD_MAX];
};

typedef void fake_program(struct fake_peer *peer);

struct fake_job {
	fake_program *driver; /* exits with 0 if all is well */
	uint32_t executors;
	uint32_t flags; /* enum agent_start_flag */
	uint64_t store_limit, tasks_max;
	uint32_t object_size;
	bool forgetful; /* executors keep nothing: chained tasks end as MISSING */
	int kill_after_ms; /* not 0: this process kills the first executor then */
	bool drop_las; /* the launcher goes away after the executors are there */
	bool drop_owner; /* the owner does */
};

struct fake_result {
	bool finished;
	struct agent_finished end;
	char failure[1000];
	uint32_t started, lost, replaced;
	struct agent_progress progress;
	int event_log; /* -1: none */
	long agent_peak_kb;
};

/* For fake_node.c: an executor takes its rings, serves until it is told to stop. */
void fake_peer_open(struct fake_peer *p, int socket, uint32_t number);
void fake_peer_serve(struct fake_peer *p);

void fake_run(const struct fake_job *job, struct fake_result *ret_result);

/* Shared by all, false when a job begins: is the gate open, has a FAKE_SPIN begun, does the owner know of a
 * loss? */
extern struct fake_flags {
	_Atomic bool gate, begun, lost;
} *fake_flags;

/* For drivers. */
#define fake_check(condition) fake_check_at((condition), #condition, __FILE__, __LINE__)
void fake_check_at(bool condition, const char *text, const char *file, int line);
uint64_t fake_mix(uint64_t a, uint64_t b);
uint64_t fake_id(struct fake_peer *p);
void fake_send(struct fake_peer *p, uint32_t type, const struct ring_part *parts, size_t count);
void fake_flush(struct fake_peer *p);
void fake_functions(struct fake_peer *p);
uint64_t fake_put(struct fake_peer *p, uint64_t value); /* the datum */
void fake_release(struct fake_peer *p, uint64_t datum);

struct fake_task {
	struct task_submit head; /* task 0: a fresh id; counts and sealed_size are set */
	const uint64_t *inputs;
	const uint64_t *outputs;
	const struct task_commutative *commutatives;
	size_t input_count, output_count, commutative_count;
	size_t payload; /* bytes of the invocation, at least 0 */
};
uint64_t fake_submit(struct fake_peer *p, const struct fake_task *task); /* its id */
/* Until READY; p->ready and p->locations. */
void fake_wait(struct fake_peer *p, uint32_t kind, uint32_t group, const uint64_t *data, size_t count);
void fake_cancel(struct fake_peer *p, uint32_t group);
uint64_t fake_wait_value(struct fake_peer *p, uint64_t datum); /* waits and takes */
/* Asks for room; false if there is none. */
bool fake_extent(struct fake_peer *p, uint64_t size);
void fake_receive(struct fake_peer *p); /* what is there */

#endif
