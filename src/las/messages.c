#include "las/messages.h"

#include <inttypes.h>
#include <string.h>

#include "base/printable.h"
#include "las/bounds.h"
#include "mem/mem.h"
#include "page/page.h"

int message_decode_agent(const void *data, size_t size, struct agent_message *ret, struct error *err)
{
	struct agent_message message = {0};
	struct launch_kill head; /* the front of both */
	if (size < sizeof(head))
		return error_set(err, CELLA_EFORMAT, "the agent sent a message of %zu bytes", size);
	memcpy(&head, data, sizeof(head));
	message.type = head.type;
	message.id = head.id;
	if (head.type == LAUNCH_REQUEST && size == sizeof(message.request))
		memcpy(&message.request, data, size);
	else if (head.type != LAUNCH_KILL || size != sizeof(head))
		return error_set(err, CELLA_EFORMAT,
		                 "the agent sent a message of type %" PRIu32 " and %zu bytes", head.type,
		                 size);
	*ret = message;
	return 0;
}

int message_check_request(const struct launch_request *request, size_t fd_count, struct error *err)
{
	if (request->memory_level >= MEM_LEVELS)
		return error_set(err, CELLA_EINVAL,
		                 "launch request %" PRIu32 ": unknown memory level %" PRIu32, request->id,
		                 request->memory_level);
	if (request->version != LAUNCH_VERSION)
		return error_set(err, CELLA_EINVAL,
		                 "launch request %" PRIu32 ": version %" PRIu32 " of the protocol, not %d",
		                 request->id, request->version, LAUNCH_VERSION);
	if (request->heap == 0 || request->heap > LAS_HEAP_MAX)
		return error_set(err, CELLA_ELIMIT, "launch request %" PRIu32 ": a heap of %" PRIu64 " bytes",
		                 request->id, request->heap);
	bool paged = request->memory_level == MEM_PAGED;
	if (paged ? request->window < PAGE_WINDOW_LEAST || request->window > request->heap
	          : request->window != 0)
		return error_set(err, CELLA_ELIMIT,
		                 "launch request %" PRIu32 ": a window of %" PRIu64 " bytes at level %s",
		                 request->id, request->window,
		                 mem_level_name((enum mem_level)request->memory_level));
	if (fd_count != 2 && !(paged && fd_count == 3))
		return error_set(err, CELLA_EINVAL,
		                 "launch request %" PRIu32 ": %zu descriptors instead of 2", request->id,
		                 fd_count);
	return 0;
}

int message_decode_hello(const void *data, size_t size, struct launch_hello *ret, struct error *err)
{
	struct launch_hello hello;
	if (size != sizeof(hello))
		return error_set(err, CELLA_EFORMAT, "the executor's hello has %zu bytes, %zu expected", size,
		                 sizeof(hello));
	memcpy(&hello, data, size);
	if (hello.type != LAUNCH_HELLO || hello.error > 0)
		return error_set(err, CELLA_EFORMAT,
		                 "the executor sent a message of type %" PRIu32 " instead of a hello",
		                 hello.type);
	hello.text[sizeof(hello.text) - 1] = '\0';
	printable(hello.text, strlen(hello.text), false);
	*ret = hello;
	return 0;
}
