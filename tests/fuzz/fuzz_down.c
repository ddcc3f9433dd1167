/* Does reading any message of an agent stay inside it? The first byte is the message's type. */
#include <stdlib.h>
#include <string.h>

#include "cell/down.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t sum_of(const void *bytes, size_t size)
{
	uint8_t sum = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
	return sum;
}

static uint8_t read_run(const uint8_t *body, size_t size)
{
	struct down_run d;
	if (down_read_run(body, size, &d, NULL) < 0)
		return 0;
	return (uint8_t)(sum_of(d.inputs, d.submit.input_count * sizeof(*d.inputs)) +
	                 sum_of(d.states, d.submit.commutative_count * sizeof(*d.states)) +
	                 sum_of(d.input_data, d.submit.input_count * sizeof(*d.input_data)) +
	                 sum_of(d.output_data, d.submit.output_count * sizeof(*d.output_data)) +
	                 sum_of(d.turns, d.submit.commutative_count * sizeof(*d.turns)) +
	                 sum_of(d.aad, d.aad_size) + sum_of(d.sealed, d.submit.sealed_size));
}

static uint8_t read_other(uint8_t type, const uint8_t *body, size_t size)
{
	struct down_ready ready;
	struct down_outcome outcome;
	struct task_extent extent;
	struct down_forget forget;
	if (type == TASK_DOWN_READY && down_read_ready(body, size, &ready, NULL) == 0)
		return sum_of(ready.locations, ready.ready.location_count * sizeof(*ready.locations));
	if (type == TASK_DOWN_OUTCOME && down_read_outcome(body, size, &outcome, NULL) == 0)
		return sum_of(outcome.failure, outcome.outcome.failure_size);
	if (type == TASK_DOWN_FORGET && down_read_forget(body, size, &forget, NULL) == 0)
		return sum_of(forget.data, forget.count * sizeof(*forget.data));
	return type == TASK_DOWN_EXTENT && down_read_extent(body, size, &extent, NULL) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	uint8_t *body = malloc(size); /* aligned as a record is, and no longer than it */
	if (!body)
		return 0;
	memcpy(body, data + 1, size - 1);
	uint8_t sum = data[0] == TASK_DOWN_RUN ? read_run(body, size - 1)
	                                       : read_other(data[0], body, size - 1);
	free(body);
	return sum == 255 ? -1 : 0;
}
