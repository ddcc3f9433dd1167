/*
 * An agent for tests of the executors' side: the real graph and scheduler over real rings and a
 * store that never frees, in a loop without a launcher. What it sends down may be tampered with.
 */
#ifndef FAKE_AGENT_H
#define FAKE_AGENT_H

#include <stddef.h>
#include <stdint.h>

#include "task/task_format.h"

enum { FAKE_EXECUTORS_MAX = 4 };

/* Shared between the processes of a test. */
struct fake_result {
	uint32_t done[16]; /* TASK_UP_DONE by status */
	uint32_t disbanded; /* groups */
	char protocol_error[1000]; /* the graph's or decoder's first complaint */
	int driver_rc;
	uint32_t trap;
	char text[2048]; /* how the driver ended */
	uint64_t values[64]; /* for the program's own use */
};

/* What a lying agent does to a record before it sends it down (any part of it), or before it
 * believes what came up (type with FAKE_UP). `store` is the whole store. Returns how often to send
 * it. NULL: honest. */
typedef int fake_tamper(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store);
enum { FAKE_UP = 0x100 };

struct fake_agent_config {
	/* Of executors 1 (the driver) to `executors`; the agent's ends. */
	int sockets[FAKE_EXECUTORS_MAX];
	uint32_t executors;
	struct fake_result *result;
	fake_tamper *tamper;
};

/* Until the driver has closed its socket and the others have ended. */
void fake_agent_run(const struct fake_agent_config *config);

#endif
