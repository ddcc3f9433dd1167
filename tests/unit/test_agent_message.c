/* Messages between owner and agent: is each kind read, and is one that is cut, longer, of another version or
 * otherwise wrong refused? */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent_message.h"

static const struct agent_start start = {.type = AGENT_START, .version = AGENT_VERSION};
static const struct agent_stop stop = {.type = AGENT_STOP};
static const struct {
	struct agent_executor head;
	char evidence[8];
} executor = {{.type = AGENT_EXECUTOR, .index = 1, .role = AGENT_TASKS, .evidence_size = 8}, "evidenc"};
static const struct agent_lost lost = {.type = AGENT_LOST, .index = 2, .replaced = 1};
static const struct agent_progress progress = {.type = AGENT_PROGRESS, .done = 3};
static const struct {
	struct agent_failed head;
	char text[5];
} failed = {{.type = AGENT_FAILED, .error = CELLA_ELOST}, "gone"};
static const struct agent_finished finished = {.type = AGENT_FINISHED, .done = 4};

static const struct {
	const void *bytes;
	size_t size, rest;
} right[] = {
	{&start, sizeof(start), 0},       {&stop, sizeof(stop), 0},
	{&executor, sizeof(executor), 8}, {&lost, sizeof(lost), 0},
	{&progress, sizeof(progress), 0}, {&failed.head, sizeof(failed.head) + 4, 4},
	{&finished, sizeof(finished), 0},
};

static int decode(const void *from, size_t size, struct agent_message *m)
{
	static _Alignas(8) uint8_t bytes[AGENT_MESSAGE_MAX];
	memcpy(bytes, from, size);
	struct error err;
	return agent_message_decode(bytes, size, m, &err);
}

static void test_right_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct agent_message m;
		assert_int_equal(decode(right[i].bytes, right[i].size, &m), 0);
		assert_int_equal(m.type, i + 1);
		assert_int_equal(m.rest_size, right[i].rest);
	}
}

static void test_cut_and_long_ones(void **state)
{
	(void)state;
	struct agent_message m;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		uint8_t longer[AGENT_MESSAGE_MAX] = {0};
		size_t head = right[i].size - right[i].rest;
		for (size_t size = 0; size < head; size++)
			assert_int_equal(decode(right[i].bytes, size, &m), CELLA_EFORMAT);
		memcpy(longer, right[i].bytes, right[i].size);
		bool text = right[i].bytes == &failed.head; /* of any length */
		assert_int_equal(decode(longer, right[i].size + 1, &m), text ? 0 : CELLA_EFORMAT);
	}
}

static void test_wrong_fields(void **state)
{
	static const struct {
		size_t message, at;
		uint32_t value;
	} wrong[] = {
		{0, offsetof(struct agent_start, version), AGENT_VERSION + 1},
		{0, offsetof(struct agent_start, reserved), 1},
		{0, offsetof(struct agent_start, type), 0},
		{0, offsetof(struct agent_start, type), 8},
		{1, offsetof(struct agent_stop, reserved), 1},
		{2, offsetof(struct agent_executor, index), 0},
		{2, offsetof(struct agent_executor, role), 0},
		{2, offsetof(struct agent_executor, role), 3},
		{2, offsetof(struct agent_executor, evidence_size), 7},
		{2, offsetof(struct agent_executor, evidence_size), UINT32_MAX},
		{3, offsetof(struct agent_lost, index), 0},
		{3, offsetof(struct agent_lost, replaced), 2},
		{4, offsetof(struct agent_progress, reserved), 1},
		{5, offsetof(struct agent_failed, error), 0},
		{6, offsetof(struct agent_finished, reserved), 1},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint8_t bytes[AGENT_MESSAGE_MAX];
		struct agent_message m;
		memcpy(bytes, right[wrong[i].message].bytes, right[wrong[i].message].size);
		memcpy(bytes + wrong[i].at, &wrong[i].value, sizeof(wrong[i].value));
		if (decode(bytes, right[wrong[i].message].size, &m) != CELLA_EFORMAT)
			fail_msg("case %zu was not refused", i);
	}
	struct agent_start endless = start;
	memset(endless.spill_directory, 'x', sizeof(endless.spill_directory));
	struct agent_message m;
	assert_int_equal(decode(&endless, sizeof(endless), &m), CELLA_EFORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_ones),
		cmocka_unit_test(test_cut_and_long_ones),
		cmocka_unit_test(test_wrong_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
