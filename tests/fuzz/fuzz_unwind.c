/*
 * Unwind tables of an image. Whatever they hold, nothing outside of them and of the stack is read, and each
 * step goes up the stack.
 */
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "cell/unwind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS = 64, STEPS_MAX = WORDS };

/* The first bytes say where the header is, and an instruction as a distance from the table. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint16_t header, distance;
	uintptr_t words[WORDS];
	if (size < sizeof(header) + sizeof(distance))
		return 0;
	memcpy(&header, data, sizeof(header));
	memcpy(&distance, data + sizeof(header), sizeof(distance));
	size -= sizeof(header) + sizeof(distance);
	uint8_t *bytes = malloc(max_of(size, (size_t)1));
	if (!bytes)
		return 0;
	memcpy(bytes, data + sizeof(header) + sizeof(distance), size);
	const struct unwind_table table = {bytes, size, header};
	const struct unwind_stack stack = {(uintptr_t)words, (uintptr_t)(words + WORDS)};
	/* What functions return to, and keep of rbp, is again in the code and on the stack. */
	for (size_t i = 0; i < WORDS; i++)
		words[i] = i % 2 ? (uintptr_t)bytes + distance + i : (uintptr_t)(words + i);
	struct unwind_frame frame = {(uintptr_t)bytes + distance, stack.low, stack.low};
	for (int steps = 0; unwind_step(&table, &stack, &frame); steps++)
		if (steps > STEPS_MAX || frame.stack <= stack.low || frame.stack > stack.high)
			abort();
	free(bytes);
	return 0;
}
