/*
 * Decoding what the agent sends down (task/task_format.h).
 *
 * Threats: the agent is not trusted. These functions check form and bounds alone, on a private copy of
 * the record; what a message says is believed only where a seal or a receipt proves it.
 */
#ifndef CELL_DOWN_H
#define CELL_DOWN_H

#include <stdint.h>

#include "base/error.h"
#include "task/task_format.h"

/* The views point into the record, which is aligned to 8. */
struct down_run {
	struct task_run run;
	const struct task_location *inputs;       /* submit.input_count */
	const struct task_location *states;       /* submit.commutative_count */
	struct task_submit submit;
	const uint64_t *input_data;               /* submit.input_count */
	const uint64_t *output_data;              /* submit.output_count */
	const struct task_commutative *turns;     /* submit.commutative_count */
	const uint8_t *aad;                       /* what the seal authenticates besides */
	size_t aad_size;
	const uint8_t *sealed;                    /* submit.sealed_size */
};

struct down_ready {
	struct task_ready ready;
	const struct task_location *locations; /* ready.location_count */
};

struct down_forget {
	const uint64_t *data;
	size_t count;
};

struct down_outcome {
	struct task_outcome outcome;
	const uint8_t *failure; /* outcome.failure_size */
};

/* CELLA_EFORMAT. */
int down_read_run(const uint8_t *body, size_t size, struct down_run *ret, struct error *err) must_check;
int down_read_ready(const uint8_t *body, size_t size, struct down_ready *ret, struct error *err) must_check;
int down_read_outcome(const uint8_t *body, size_t size, struct down_outcome *ret,
                      struct error *err) must_check;
int down_read_forget(const uint8_t *body, size_t size, struct down_forget *ret, struct error *err) must_check;
int down_read_extent(const uint8_t *body, size_t size, struct task_extent *ret, struct error *err) must_check;

#endif
