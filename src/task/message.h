/*
 * The decoder of what executors send to the agent (task/task_format.h, enum task_up).
 *
 * It checks all that can be seen in the message alone: sizes, counts, limits, reserved fields.
 * Whether the ids in it may be named is the graph's question.
 */
#ifndef TASK_MESSAGE_H
#define TASK_MESSAGE_H

#include "base/error.h"
#include "task/task_format.h"

struct message_name {
	const char *text; /* not terminated; printable ASCII */
	size_t size;
};

struct message_submit {
	const struct task_submit *task;
	const uint64_t *inputs;
	const uint64_t *outputs;
	const struct task_commutative *commutatives;
	const void *body; /* all of the record: what an executor that runs it gets */
	size_t body_size;
};

struct message_done {
	const struct task_done *done;
	const struct task_location *outputs; /* commutative states behind the outputs proper */
	const void *failure;
};

struct message_wait {
	const struct task_wait *wait;
	const uint64_t *data;
};

/* Points into the record that it was made from. */
struct message {
	uint32_t type; /* enum task_up */
	union {
		struct {
			const struct task_function *head;
			struct message_name name;
		} function;
		struct {
			const struct task_group *head;
			struct message_name name;
		} group;
		struct message_submit submit;
		struct message_done done;
		struct {
			const struct task_location *locations;
			size_t count;
		} put;
		struct message_wait wait;
		struct {
			const uint64_t *ids;
			size_t count;
		} ids; /* TAKEN: waits, RELEASE: data */
		const struct task_cancel *cancel;
		const struct task_disband *disband;
		const struct task_extent *extent; /* EXTENT, CLOSE */
	};
};

/* `body` is aligned to 8 bytes. CELLA_EFORMAT with what is wrong. */
int message_decode(uint32_t type, const void *body, size_t size, struct message *ret_message,
                   struct error *err) must_check;

#endif
