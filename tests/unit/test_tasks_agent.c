/* Is every lie of an agent about tasks and data refused, where tasks are submitted and where they run? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "tasks_support.h"

/* Agents that lie. */

static struct task_submit *submit_in_run(uint8_t *body)
{
	struct task_run run;
	memcpy(&run, body, sizeof(run));
	return (struct task_submit *)(body + sizeof(run) + run.location_count * sizeof(struct task_location));
}

static struct task_location *locations_in(uint8_t *body, size_t head)
{
	return (struct task_location *)(body + head);
}

static int swap_inputs(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	struct task_location *l = locations_in(body, sizeof(struct task_run)), first = l[0];
	(void)executor;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_RUN && submit_in_run(body)->input_count > 1) {
		l[0] = l[1];
		l[1] = first;
	}
	return 1;
}

/* The same, but under the names that are expected. */
static int wrong_data(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	struct task_location *l = locations_in(body, sizeof(struct task_run));
	(void)executor;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_RUN && submit_in_run(body)->input_count > 1)
		l[1].offset = l[0].offset;
	return 1;
}

static int changed_data(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	struct task_location *l = locations_in(body, sizeof(struct task_run));
	static bool changed;
	(void)executor;
	(void)size;
	if (*type == TASK_DOWN_RUN && submit_in_run(body)->input_count > 1 && !changed) {
		store[l[1].offset + l[1].size - 20] ^= 1;
		changed = true;
	}
	return 1;
}

static int outside_data(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	struct task_location *l = locations_in(body, sizeof(struct task_run));
	(void)executor;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_RUN && submit_in_run(body)->input_count > 1)
		l[1].offset = UINT64_MAX - 50;
	return 1;
}

static int changed_header(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)executor;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_RUN)
		submit_in_run(body)->timeout_ms++;
	return 1;
}

static int changed_function(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)executor;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_RUN)
		submit_in_run(body)->function = EMPTY;
	return 1;
}

/* The second task's run is the first one's under another name. */
static int other_invocation(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	static uint8_t first[65536];
	static size_t first_size;
	(void)executor;
	(void)store;
	if (*type != TASK_DOWN_RUN)
		return 1;
	if (!first_size) {
		memcpy(first, body, first_size = *size);
		return 1;
	}
	struct task_run run;
	memcpy(&run, body, sizeof(run));
	memcpy(body, first, *size = first_size);
	memcpy(body, &run, offsetof(struct task_run, flags));
	return 1;
}

static void pair_main(struct cell_instance *cell)
{
	uint32_t rows[2] = {new_doubles(cell, 1, 1), new_doubles(cell, 1, 2)}, total = guest_alloc(cell, 8),
		 n = 2;
	for (int i = 0; i < 2; i++) {
		struct guest_call call = guest_call(cell, GATHER);
		guest_collection(&call, n, 0);
		guest_buffer(&call, CELLA_DIRECTION_IN, rows[0], 8);
		guest_buffer(&call, CELLA_DIRECTION_IN, rows[1], 8);
		guest_buffer(&call, CELLA_DIRECTION_OUT, total, 8);
		guest_value(&call, &n, 4);
		guest_submit(&call);
	}
	guest_wait(cell, total, false);
	note(0, double_at(cell, total, 0));
}
PROGRAM(pair);

static void changed_runs_are_refused(void **state)
{
	(void)state;
	static const struct {
		fake_tamper *tamper;
		const char *text;
	} lies[] = {
		{swap_inputs, "offers another datum"},
		{wrong_data, "not the sealed object expected"},
		{changed_data, "a sealed object was changed"},
		{outside_data, "outside the store"},
		{changed_header, "a sealed object was changed"},
		{changed_function, "a sealed object was changed"},
		{other_invocation, "another task's invocation"},
	};
	run_well(&(struct scenario){.program = &pair_program, .executors = 2});
	assert_int_equal(result->values[0], 3);
	for (size_t i = 0; i < array_count(lies); i++) {
		run_badly(&(struct scenario){.program = &pair_program,
		                             .executors = 2,
		                             .tamper = lies[i].tamper},
		          lies[i].text);
		assert_true(result->done[TASK_REFUSED] > 0);
	}
}

static int replay(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)executor;
	(void)body;
	(void)size;
	(void)store;
	return *type == TASK_DOWN_RUN ? 2 : 1;
}

static void a_repeated_run_is_refused(void **state)
{
	(void)state;
	run(&(struct scenario){.program = &pair_program, .executors = 2, .tamper = replay});
	assert_int_equal(result->done[TASK_OK], 2);
	assert_int_equal(result->done[TASK_REFUSED], 2);
	assert_int_equal(result->values[0], 3);
}

static int drop_a_task(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	static bool dropped;
	(void)size;
	(void)store;
	/* A false agent answers before it has run anything. */
	if (*type == TASK_DOWN_READY && executor == 1) {
		struct task_ready ready;
		memcpy(&ready, body, sizeof(ready));
		ready.receipt_low += dropped = true;
		memcpy(body, &ready, sizeof(ready));
	}
	return 1;
}

static int drop_a_count(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	struct task_ready ready;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_READY && executor == 1) {
		memcpy(&ready, body, sizeof(ready));
		ready.ok_count--;
		memcpy(body, &ready, sizeof(ready));
	}
	return 1;
}

static void two_main(struct cell_instance *cell)
{
	submit_empty(cell);
	submit_empty(cell);
	guest_barrier(cell);
	note(0, 1);
}
PROGRAM(two);

static void forged_receipts_are_refused(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &two_program, .executors = 2, .tamper = drop_a_task},
	          "its receipts do not prove it");
	run_badly(&(struct scenario){.program = &two_program, .executors = 2, .tamper = drop_a_count},
	          "its receipts do not prove it (1 of 2 tasks)");
	assert_int_equal(result->values[0], 0);
}

/* The answer to a barrier becomes a false outcome of the first task. */
static int tell_outcome(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint32_t status)
{
	static uint64_t task;
	if (*type == TASK_DOWN_RUN)
		memcpy(&task, body, sizeof(task));
	if (*type != TASK_DOWN_READY || executor != 1)
		return 1;
	struct task_outcome outcome = {.task = task, .status = status, .attempt = 1};
	memcpy(body, &outcome, *size = sizeof(outcome));
	*type = TASK_DOWN_OUTCOME;
	return 1;
}

static int false_ignore(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)store;
	return tell_outcome(executor, type, body, size, TASK_IGNORED);
}

static int false_failure(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)store;
	return tell_outcome(executor, type, body, size, TASK_FAILED);
}

static void invented_outcomes_end_the_program_with_the_truth(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &two_program, .executors = 2, .tamper = false_ignore},
	          "the agent ignores the failure of task empty, which its options do not allow");
	run_badly(&(struct scenario){.program = &two_program, .executors = 2, .tamper = false_failure},
	          "task empty failed on attempt 1: it failed");
}

static int false_cancel(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	struct task_ready ready;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_READY && executor == 1) {
		memcpy(&ready, body, sizeof(ready));
		ready.status = TASK_CANCELED;
		memcpy(body, &ready, sizeof(ready));
	}
	return 1;
}

static void one_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 0);
	submit_in_place(cell, INCREMENT, x, 4);
	note(0, guest_wait(cell, x, false));
	note(1, double_at(cell, x, 0));
}
PROGRAM(one);

static int early_data(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)executor;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_READY)
		memset(body + sizeof(struct task_ready) + offsetof(struct task_location, size), 0, 8);
	return 1;
}

static int short_answer(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	uint32_t none = 0;
	(void)executor;
	(void)store;
	if (*type == TASK_DOWN_READY) {
		memcpy(body + offsetof(struct task_ready, location_count), &none, sizeof(none));
		*size = sizeof(struct task_ready);
	}
	return 1;
}

static void false_answers_to_waits_are_refused(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &one_program, .executors = 2, .tamper = false_cancel},
	          "nothing was cancelled");
	run_badly(&(struct scenario){.program = &one_program, .executors = 2, .tamper = early_data},
	          "nothing was cancelled");
	run_badly(&(struct scenario){.program = &one_program, .executors = 2, .tamper = short_answer},
	          "did not answer what was asked");
}

/* The second member of a commutative datum starts from the state before the first, so the first
 * one's turn is lost; the graph, and the driver, are told of as many states as there should be. */
static int roll_back_state(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	static struct task_location base;
	static uint8_t base_object[4096];
	static bool rolled_back;
	(void)executor;
	(void)size;
	if (*type == (FAKE_UP | TASK_UP_DONE) && rolled_back)
		locations_in(body, sizeof(struct task_done))->version++;
	if (*type != TASK_DOWN_RUN || !submit_in_run(body)->commutative_count)
		return 1;
	struct task_location *l = locations_in(body, sizeof(struct task_run));
	if (!base.datum) {
		base = *l;
		memcpy(base_object, store + l->offset, l->size);
	} else if (rolled_back) {
		l->version--;
	} else {
		*l = base;
		memcpy(store + l->offset, base_object, l->size);
		rolled_back = true;
	}
	return 1;
}

/* The first member takes two turns and the second none; its end is taken for the second's. */
static int repeat_a_member(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	static uint8_t first[65536];
	static size_t first_size;
	static struct task_run second;
	(void)executor;
	(void)store;
	if (*type == (FAKE_UP | TASK_UP_DONE) && second.task && ((struct task_done *)body)->attempt == 2) {
		((struct task_done *)body)->task = second.task;
		((struct task_done *)body)->attempt = 1;
	}
	if (*type != TASK_DOWN_RUN || !submit_in_run(body)->commutative_count || second.task)
		return 1;
	if (!first_size) {
		memcpy(first, body, first_size = *size);
		return 1;
	}
	struct task_location state = *locations_in(body, sizeof(second));
	uint32_t attempt = 2;
	memcpy(&second, body, sizeof(second));
	memcpy(body, first, *size = first_size);
	memcpy(body + offsetof(struct task_run, attempt), &attempt, sizeof(attempt));
	*locations_in(body, sizeof(second)) = state;
	return 1;
}

static void three_turns_main(struct cell_instance *cell)
{
	uint32_t sum = new_doubles(cell, 2, 0);
	for (uint32_t i = 1; i <= 3; i++)
		submit_add(cell, sum, i);
	guest_wait(cell, sum, false);
	note(0, double_at(cell, sum, 0));
}
PROGRAM(three_turns);

static void a_rolled_back_commutative_state_is_refused(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &three_turns_program,
	                             .executors = 2,
	                             .tamper = roll_back_state},
	          "not the sealed object expected");
	run_badly(&(struct scenario){.program = &three_turns_program,
	                             .executors = 2,
	                             .tamper = repeat_a_member},
	          "was not made by the tasks that should have made it");
}

/* What the graph of the test's agent refuses itself is given to it by hand here. */
static int malformed(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)executor;
	(void)body;
	(void)store;
	if (*type == TASK_DOWN_READY)
		*size -= 8;
	return 1;
}

static int unknown_extent(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	struct task_extent extent;
	(void)executor;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_EXTENT) {
		memcpy(&extent, body, sizeof(extent));
		extent.offset = UINT64_MAX - 65536;
		memcpy(body, &extent, sizeof(extent));
	}
	return 1;
}

static int full_store(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)executor;
	(void)store;
	if (*type == TASK_DOWN_EXTENT)
		memset(body, 0, *size);
	return 1;
}

static void broken_agents_end_the_program(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &two_program, .executors = 2, .tamper = malformed},
	          "the agent sent a malformed READY message");
	run_badly(&(struct scenario){.program = &one_program, .executors = 2, .tamper = unknown_extent},
	          "room in the store that nobody asked for");
	run_badly(&(struct scenario){.program = &one_program, .executors = 2, .tamper = full_store},
	          "the store is full");
}

static int vanish(uint32_t executor, uint32_t *type, uint8_t *body, size_t *size, uint8_t *store)
{
	(void)executor;
	(void)body;
	(void)size;
	(void)store;
	if (*type == TASK_DOWN_RUN)
		_exit(0);
	return 1;
}

static void an_agent_that_is_gone_ends_everybody(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &two_program, .executors = 3, .tamper = vanish},
	          "the agent is gone");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changed_runs_are_refused),
		cmocka_unit_test(a_repeated_run_is_refused),
		cmocka_unit_test(forged_receipts_are_refused),
		cmocka_unit_test(invented_outcomes_end_the_program_with_the_truth),
		cmocka_unit_test(false_answers_to_waits_are_refused),
		cmocka_unit_test(a_rolled_back_commutative_state_is_refused),
		cmocka_unit_test(broken_agents_end_the_program),
		cmocka_unit_test(an_agent_that_is_gone_ends_everybody),
	};
	return run_group("tasks_agent", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
