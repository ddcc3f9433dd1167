/*
 * What the launcher reads: messages of the agent and of executors, and the kernel's texts about
 * processes and cgroups. The first byte chooses the decoder.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/cgroup.h"
#include "attest/process.h"
#include "las/bounds.h"
#include "las/messages.h"
#include "mem/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_agent(const uint8_t *data, size_t size)
{
	struct agent_message message;
	if (message_decode_agent(data, size, &message, NULL) < 0 || message.type != LAUNCH_REQUEST)
		return;
	if (message_check_request(&message.request, 2, NULL) < 0)
		return;
	if (message.request.heap > LAS_HEAP_MAX || message.request.memory_level >= MEM_LEVELS ||
	    message.request.window > message.request.heap)
		abort();
}

static void decode_hello(const uint8_t *data, size_t size)
{
	struct launch_hello hello;
	if (message_decode_hello(data, size, &hello, NULL) < 0)
		return;
	for (size_t i = 0; i < strnlen(hello.text, sizeof(hello.text)); i++)
		if ((unsigned char)hello.text[i] < ' ')
			abort();
	if (strnlen(hello.text, sizeof(hello.text)) == sizeof(hello.text))
		abort();
}

static void parse_status(const uint8_t *data, size_t size)
{
	struct process_status status;
	if (process_status_parse((const char *)data, size, &status, NULL) == 0 && status.depth == 0)
		abort();
}

/* The two texts are separated by a NUL. */
static void parse_cgroup(const uint8_t *data, size_t size)
{
	char mount[CGROUP_PATH_MAX], own[CGROUP_PATH_MAX];
	char *texts = calloc(size + 2, 1);
	memcpy(texts, data, size);
	if (cgroup_own(texts, texts + strlen(texts) + 1, mount, own, NULL) == 0 && own[0] && own[0] != '/')
		abort();
	free(texts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const decoders[])(const uint8_t *, size_t) = {decode_agent, decode_hello, parse_status,
	                                                            parse_cgroup};
	if (size > 0)
		decoders[data[0] % array_count(decoders)](data + 1, size - 1);
	return 0;
}
