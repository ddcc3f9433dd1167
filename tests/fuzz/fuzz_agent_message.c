/* Messages between owner and agent: what is accepted lies within its bytes and says the same again. */
#include <stdlib.h>
#include <string.h>

#include "agent/agent_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_message m;
	uint8_t *bytes = malloc(size + !size); /* aligned, and no longer than the message */
	uint8_t sum = 0;
	if (!bytes)
		abort();
	if (size)
		memcpy(bytes, data, size);
	if (agent_message_decode(bytes, size, &m, NULL) == 0) {
		if (m.rest + m.rest_size != bytes + size)
			abort();
		for (size_t i = 0; i < m.rest_size; i++)
			sum = (uint8_t)(sum + m.rest[i]);
		if (m.type == AGENT_START &&
		    (strlen(m.start->spill_directory) >= sizeof(m.start->spill_directory) ||
		     strlen(m.start->page_directory) >= sizeof(m.start->page_directory)))
			abort();
	}
	free(bytes);
	return sum == 255 ? -1 : 0;
}
