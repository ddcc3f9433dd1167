/*
 * The decoder of what owner and agent say to each other (agent/agent_format.h), for both ends.
 *
 * It checks all that can be seen in the message alone: its size, its version, reserved fields. What
 * descriptors belong beside it, and whether it may come now, are its reader's questions.
 */
#ifndef AGENT_MESSAGE_H
#define AGENT_MESSAGE_H

#include "agent/agent_format.h"
#include "base/error.h"

/* Points into the bytes that it was made from. */
struct agent_message {
	uint32_t type; /* enum agent_type */
	union {
		const void *head;
		const struct agent_start *start;
		const struct agent_stop *stop;
		const struct agent_executor *executor;
		const struct agent_lost *lost;
		const struct agent_progress *progress;
		const struct agent_failed *failed;
		const struct agent_finished *finished;
	};
	const uint8_t *rest; /* of AGENT_EXECUTOR its evidence, of AGENT_FAILED the text */
	size_t rest_size;
};

/* `bytes` are aligned to 8. CELLA_EFORMAT. */
int agent_message_decode(const void *bytes, size_t size, struct agent_message *ret_message,
                         struct error *err) must_check;

#endif
