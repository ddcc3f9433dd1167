/*
 * The decoder of what others send to the launcher (cell/launch_format.h): the agent's requests and
 * the executor's hello. Both may lie.
 */
#ifndef LAS_MESSAGES_H
#define LAS_MESSAGES_H

#include "base/error.h"
#include "cell/launch_format.h"

/* Of the agent. `type` says which of the others is filled. */
struct agent_message {
	uint32_t type; /* LAUNCH_REQUEST or LAUNCH_KILL */
	uint32_t id;
	struct launch_request request;
};

/* CELLA_EFORMAT for anything that is no message: the sender cannot be answered. What a request
 * asks for is checked by message_check_request. */
int message_decode_agent(const void *data, size_t size, struct agent_message *ret,
                         struct error *err) must_check;
/* CELLA_EINVAL or CELLA_ELIMIT if it cannot be granted. */
int message_check_request(const struct launch_request *request, size_t fd_count,
                          struct error *err) must_check;

/* The hello's text ends inside it and has only printable characters: it goes to terminals. */
int message_decode_hello(const void *data, size_t size, struct launch_hello *ret,
                         struct error *err) must_check;

#endif
