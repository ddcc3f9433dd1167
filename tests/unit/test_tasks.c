/*
 * Do tasks run as the programs that submit them mean, through real rings, seals and the real
 * graph? Driver, executors and agent are processes of their own; cells are faked
 * (fake_instance.c), so the programs are C functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/wasi/wasi.h"
#include "cella/error.h"
#include "tasks_support.h"

/* Directions. */

static void chain_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 100, 0), y = new_doubles(cell, 100, 7), z = new_doubles(cell, 100, 7);
	submit_scale(cell, x, y, 100, 2);
	submit_scale(cell, y, z, 100, 10);
	submit_in_place(cell, INCREMENT, x, 100);
	submit_scale(cell, x, y, 100, 1);
	note(0, guest_wait(cell, z, false));
	note(1, double_at(cell, z, 99));
	note(2, guest_wait(cell, y, true));
	note(3, double_at(cell, y, 99));
	note(4, guest_wait(cell, y, false));
	*(double *)guest_at(cell, y, 8) = 1000;
	submit_in_place(cell, INCREMENT, y, 100);
	guest_wait(cell, y, false);
	note(5, double_at(cell, y, 0));
	guest_wait(cell, x, false);
	note(6, double_at(cell, x, 0));
}
PROGRAM(chain);

static void directions_order_tasks_and_rename_data(void **state)
{
	(void)state;
	for (uint32_t executors = 2; executors <= 3; executors++) {
		run_well(&(struct scenario){.program = &chain_program, .executors = executors});
		assert_int_equal(result->values[1], 99 * 20);
		assert_int_equal(result->values[3], 100);
		assert_int_equal(result->values[5], 1001);
		assert_int_equal(result->values[6], 1);
		assert_int_equal(result->done[TASK_OK], 5);
	}
}

static void without_a_cache_everything_is_opened_again(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &chain_program, .executors = 3, .cache = 16});
	assert_int_equal(result->values[1], 99 * 20);
	assert_int_equal(result->values[5], 1001);
}

static void values_main(struct cell_instance *cell)
{
	uint32_t y = guest_alloc(cell, 8192 * 8), n = 8192, x = new_doubles(cell, 8192, 1);
	double k = 3;
	struct guest_call call = guest_call(cell, SCALE);
	guest_buffer(&call, CELLA_DIRECTION_COPY, x, n * 8);
	guest_buffer(&call, CELLA_DIRECTION_OUT, y, n * 8);
	guest_value(&call, &n, 4);
	guest_value(&call, &k, 8);
	guest_submit(&call);
	*(double *)guest_at(cell, x + 8191 * 8, 8) = 0; /* a copy was taken */
	guest_wait(cell, y, false);
	note(0, double_at(cell, y, 8191));
	n = 2;
	call = guest_call(cell, SCALE);
	guest_buffer(&call, CELLA_DIRECTION_COPY, x, n * 8);
	guest_buffer(&call, CELLA_DIRECTION_OUT, y, n * 8);
	guest_value(&call, &n, 4);
	guest_value(&call, &k, 8);
	guest_submit(&call);
	guest_wait(cell, y, false);
	note(1, double_at(cell, y, 1));
	call = guest_call(cell, EMPTY);
	guest_buffer(&call, CELLA_DIRECTION_INOUT, 0, 0); /* an empty buffer is no datum */
	guest_submit(&call);
}
PROGRAM(values);

static void copies_travel_by_value_large_or_small(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &values_program, .executors = 2});
	assert_int_equal(result->values[0], 8192 * 3);
	assert_int_equal(result->values[1], 6);
}

/* Collections. */

static void collections_main(struct cell_instance *cell)
{
	uint32_t rows[50], total = guest_alloc(cell, 8), n = 50;
	struct guest_call call = guest_call(cell, GATHER);
	guest_collection(&call, n, 0);
	for (uint32_t i = 0; i < n; i++)
		guest_buffer(&call, CELLA_DIRECTION_IN, rows[i] = new_doubles(cell, 1, i), 8);
	guest_buffer(&call, CELLA_DIRECTION_OUT, total, 8);
	guest_value(&call, &n, 4);
	guest_submit(&call);
	guest_wait(cell, total, false);
	note(0, double_at(cell, total, 0));
	n = 20;
	call = guest_call(cell, TRANSPOSE);
	guest_collection(&call, n, 2);
	for (uint32_t i = 0; i < 2 * n; i++)
		guest_buffer(&call, CELLA_DIRECTION_INOUT, rows[i], 8);
	guest_value(&call, &n, 4);
	guest_submit(&call);
	for (uint32_t i = 0; i < 2 * n; i++) {
		guest_wait(cell, rows[i], false);
		result->values[1] += double_at(cell, rows[i], 0) != (double)(i ^ 1);
	}
}
PROGRAM(collections);

static void collections_arrive_as_arrays_of_pointers(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &collections_program, .executors = 3});
	assert_int_equal(result->values[0], 49 * 50 / 2);
	assert_int_equal(result->values[1], 0);
}

/* Concurrent and commutative data. */

static void concurrent_main(struct cell_instance *cell)
{
	uint32_t marks = guest_alloc(cell, 1000);
	memset(guest_at(cell, marks, 1000), 0xee, 1000);
	for (uint32_t i = 0; i < 150; i++)
		submit_mark(cell, marks, i);
	guest_wait(cell, marks, true);
	for (uint32_t i = 150; i < 160; i++)
		submit_mark(cell, marks, i);
	guest_wait(cell, marks, false);
	const uint8_t *bytes = guest_at(cell, marks, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		result->values[0] += bytes[i] != (i < 160 ? i + 1 : 0xee);
}
PROGRAM(concurrent);

static void concurrent_changes_are_merged(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &concurrent_program, .executors = 3});
	assert_int_equal(result->values[0], 0);
}

static void commutative_main(struct cell_instance *cell)
{
	uint32_t sum = new_doubles(cell, 2, 0), copy = guest_alloc(cell, 16);
	for (uint32_t i = 1; i <= 50; i++)
		submit_add(cell, sum, i);
	submit_scale(cell, sum, copy, 2, 2);
	for (uint32_t i = 1; i <= 10; i++)
		submit_add(cell, sum, i);
	guest_wait(cell, copy, false);
	note(0, double_at(cell, copy, 0));
	guest_wait(cell, sum, false);
	note(1, double_at(cell, sum, 0));
	note(2, double_at(cell, sum, 1));
}
PROGRAM(commutative);

static void commutative_members_take_turns(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &commutative_program, .executors = 4});
	assert_int_equal(result->values[0], 2 * 1275);
	assert_int_equal(result->values[1], 1275 + 55);
	assert_int_equal(result->values[2], 1 + 50 + 10);
}

/* Files. */

static void files_main(struct cell_instance *cell)
{
	uint8_t bytes[100];
	write_file(cell, "/in", "abc", 3);
	struct guest_call call = guest_call(cell, COPY_FILE);
	guest_file(&call, CELLA_DIRECTION_IN, "/in");
	guest_file(&call, CELLA_DIRECTION_OUT, "/out");
	guest_submit(&call);
	write_file(cell, "/in", "changed", 7);
	for (int i = 0; i < 3; i++) {
		call = guest_call(cell, APPEND_FILE);
		guest_file(&call, CELLA_DIRECTION_INOUT, "/out");
		guest_submit(&call);
	}
	guest_wait_file(cell, "/out");
	bytes[read_file(cell, "/out", bytes, sizeof(bytes) - 1)] = '\0';
	result->values[0] = strcmp((const char *)bytes, "abc+++") == 0;
}
PROGRAM(files);

/* One executor: the nested task runs on top of the one that has deleted its file at the same path. */
static void remade_main(struct cell_instance *cell)
{
	uint8_t bytes[100];
	write_file(cell, "/in", "abc", 3);
	write_file(cell, "/out", "old", 3);
	struct guest_call call = guest_call(cell, REMAKE_FILE);
	guest_file(&call, CELLA_DIRECTION_INOUT, "/out");
	guest_file(&call, CELLA_DIRECTION_IN, "/in");
	guest_submit(&call);
	guest_wait_file(cell, "/out");
	bytes[read_file(cell, "/out", bytes, sizeof(bytes) - 1)] = '\0';
	result->values[0] = strcmp((const char *)bytes, "abc") == 0;
}
PROGRAM(remade);

static void dropped_main(struct cell_instance *cell)
{
	struct guest_call call = guest_call(cell, DROP_FILE);
	guest_file(&call, CELLA_DIRECTION_OUT, "/gone");
	guest_submit(&call);
	guest_wait_file(cell, "/gone");
}
PROGRAM(dropped);

static void a_task_may_delete_its_file(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &remade_program, .executors = 2});
	assert_int_equal(result->values[0], 1);
	run_badly(&(struct scenario){.program = &dropped_program, .executors = 2},
	          "task drop_file failed on attempt 1: the task left no file at /gone");
}

static void files_are_data_too(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &files_program, .executors = 3});
	assert_int_equal(result->values[0], 1);
}

/* Nesting. */

static void nest_main(struct cell_instance *cell)
{
	uint32_t out = guest_alloc(cell, 8), n = 10;
	struct guest_call call = guest_call(cell, NEST);
	guest_buffer(&call, CELLA_DIRECTION_OUT, out, 8);
	guest_value(&call, &n, 4);
	guest_submit(&call);
	guest_wait(cell, out, false);
	note(0, double_at(cell, out, 0));
}
PROGRAM(nest);

static void nested_tasks_run_on_one_executor_and_on_several(void **state)
{
	(void)state;
	for (uint32_t executors = 2; executors <= 4; executors++) {
		run_well(&(struct scenario){.program = &nest_program, .executors = executors});
		assert_int_equal(result->values[0], 55);
	}
}

static void deep(struct cell_instance *cell, uint32_t n)
{
	uint32_t out = guest_alloc(cell, 8);
	struct guest_call call = guest_call(cell, DEEP);
	guest_buffer(&call, CELLA_DIRECTION_OUT, out, 8);
	guest_value(&call, &n, 4);
	guest_submit(&call);
	guest_wait(cell, out, false);
	note(0, double_at(cell, out, 0));
}

static void deepest_main(struct cell_instance *cell)
{
	deep(cell, TASK_DEPTH_MAX - 1);
}
PROGRAM(deepest);

static void too_deep_main(struct cell_instance *cell)
{
	deep(cell, TASK_DEPTH_MAX);
}
PROGRAM(too_deep);

static void nesting_has_an_end(void **state)
{
	(void)state;
	for (uint32_t executors = 2; executors <= 3; executors++) {
		run_well(&(struct scenario){.program = &deepest_program, .executors = executors});
		assert_int_equal(result->values[0], TASK_DEPTH_MAX - 1);
		run_badly(&(struct scenario){.program = &too_deep_program, .executors = executors},
		          "it is nested too deep");
	}
}

/* Failures. */

static void failing_main(struct cell_instance *cell)
{
	submit_in_place(cell, FAIL, new_doubles(cell, 4, 0), 4);
	submit_empty(cell);
	guest_barrier(cell);
	note(0, 1);
}
PROGRAM(failing);

static void a_failure_for_good_ends_the_program(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &failing_program, .executors = 2},
	          "task fail failed on attempt 2: bad weather\n  at fake");
	assert_int_equal(result->values[0], 0);
	assert_int_equal(result->done[TASK_FAILED], 2);
}

static void flaky_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 0);
	submit_in_place(cell, FLAKY, x, 4);
	guest_wait(cell, x, false);
	note(0, double_at(cell, x, 0));
}
PROGRAM(flaky);

static void a_task_is_tried_again(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &flaky_program, .executors = 2});
	assert_int_equal(result->values[0], 1);
	assert_int_equal(result->done[TASK_FAILED], 2);
	assert_int_equal(result->done[TASK_OK], 1);
}

static void ignored_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 5), y = new_doubles(cell, 4, 5), n = 4;
	double k = 1;
	struct guest_call call = guest_call(cell, IGNORED);
	guest_buffer(&call, CELLA_DIRECTION_INOUT, x, n * 8);
	guest_buffer(&call, CELLA_DIRECTION_OUT, y, n * 8);
	guest_value(&call, &n, 4);
	guest_value(&call, &k, 8);
	guest_submit(&call);
	submit_in_place(cell, INCREMENT, x, 4);
	guest_wait(cell, x, false);
	guest_wait(cell, y, false);
	note(0, double_at(cell, x, 0));
	note(1, double_at(cell, y, 0));
	guest_barrier(cell);
}
PROGRAM(ignored);

static void an_ignored_failure_leaves_zeros_and_old_versions(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &ignored_program, .executors = 2});
	assert_int_equal(result->values[0], 6);
	assert_int_equal(result->values[1], 0);
	assert_int_equal(result->done[TASK_IGNORED], 1);
}

static void canceling_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 5), y = new_doubles(cell, 4, 5), z = new_doubles(cell, 4, 5);
	submit_in_place(cell, CANCELING, x, 4);
	submit_scale(cell, x, y, 4, 2);
	submit_in_place(cell, INCREMENT, z, 4);
	note(0, guest_wait(cell, y, false) == CELLA_ECANCELED);
	note(1, double_at(cell, y, 0));
	note(2, guest_wait(cell, z, false));
	guest_barrier(cell);
	note(3, double_at(cell, z, 0));
	submit_in_place(cell, INCREMENT, y, 4);
	guest_wait(cell, y, false);
	note(4, double_at(cell, y, 0));
}
PROGRAM(canceling);

static void successors_are_cancelled_and_the_rest_goes_on(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &canceling_program, .executors = 2});
	assert_int_equal(result->values[0], 1);
	assert_int_equal(result->values[1], 5);
	assert_int_equal(result->values[3], 6);
	assert_int_equal(result->values[4], 6);
}

static void hanging_main(struct cell_instance *cell)
{
	struct guest_call call = guest_call(cell, HANG);
	guest_submit(&call);
	submit_empty(cell);
	guest_barrier(cell);
}
PROGRAM(hanging);

static void a_wait_in_a_task_ends_at_its_time_out(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &hanging_program, .executors = 2});
	assert_int_equal(result->done[TASK_TIMED_OUT], 1);
}

static void submit_exit(struct cell_instance *cell, uint32_t x, uint32_t status)
{
	uint32_t n = 4;
	struct guest_call call = guest_call(cell, EXIT);
	guest_buffer(&call, CELLA_DIRECTION_INOUT, x, n * 8);
	guest_value(&call, &n, 4);
	guest_value(&call, &status, 4);
	guest_submit(&call);
}

static void exit_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 0);
	submit_exit(cell, x, 0);
	submit_exit(cell, x, 0);
	guest_wait(cell, x, false);
	note(0, double_at(cell, x, 0));
	submit_exit(cell, x, 3);
}
PROGRAM(exit);

static void an_exit_ends_a_task_by_its_status(void **state)
{
	(void)state;
	run_badly(&(struct scenario){.program = &exit_program, .executors = 2},
	          "task exit failed on attempt 1: exit with status 3");
	assert_int_equal(result->values[0], 2);
}

/* Groups. */

enum { STEPS = 300 };

static void groups_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 0);
	guest_group_begin(cell, "outer");
	submit_in_place(cell, INCREMENT, x, 4);
	guest_group_begin(cell, "inner");
	submit_empty(cell);
	submit_in_place(cell, IGNORED, new_doubles(cell, 4, 0), 4);
	guest_group_end(cell);
	guest_group_end(cell);
	submit_empty(cell);
	note(0, guest_group_wait(cell, "inner"));
	note(1, guest_group_wait(cell, "outer"));
	note(2, guest_group_wait(cell, "nobody") == CELLA_ENOENT);
	guest_group_begin(cell, "inner");
	submit_empty(cell);
	guest_group_end(cell);
	note(3, guest_group_wait(cell, "inner"));
	guest_group_begin(cell, "doomed");
	for (int i = 0; i < 1000; i++)
		submit_in_place(cell, INCREMENT, x, 4);
	guest_group_end(cell);
	note(4, guest_group_cancel(cell, "doomed") > 0);
	note(5, guest_group_wait(cell, "doomed") == CELLA_ECANCELED);
	note(6, guest_wait(cell, x, false) == CELLA_ECANCELED);
	guest_barrier(cell);
}
PROGRAM(groups);

/* A group for each of many steps, by a name of its own or the same one. */
static int one_step(struct cell_instance *cell, const char *name)
{
	guest_group_begin(cell, name);
	submit_empty(cell);
	guest_group_end(cell);
	return guest_group_wait(cell, name);
}

static void steps_main(struct cell_instance *cell)
{
	char name[16];
	int wrong = 0;
	for (int i = 0; i < STEPS; i++) {
		snprintf(name, sizeof(name), "step %d", i);
		wrong += one_step(cell, name) != 0;
		wrong += one_step(cell, "step") != 0;
		wrong += guest_group_wait(cell, name) != 0; /* once more */
	}
	note(0, wrong);
	note(1, guest_group_wait(cell, "step 0") == CELLA_ENOENT);
	guest_group_begin(cell, "outer");
	guest_group_begin(cell, "inner");
	guest_group_begin(cell, "innermost");
	submit_empty(cell);
	guest_group_end(cell);
	guest_group_end(cell);
	guest_group_end(cell);
	guest_group_begin(cell, "inner"); /* again, and elsewhere */
	note(2, guest_group_wait(cell, "outer"));
	submit_empty(cell);
	guest_group_end(cell);
	note(3, guest_group_wait(cell, "innermost"));
	note(4, guest_group_wait(cell, "inner"));
	note(5, guest_group_wait(cell, "outer"));
	guest_barrier(cell);
}
PROGRAM(steps);

static void groups_that_have_ended_are_disbanded(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &steps_program, .executors = 2});
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(result->values[i], i == 1);
	assert_int_equal(result->disbanded, 2 * STEPS + 3);
	assert_int_equal(result->done[TASK_OK], 2 * STEPS + 2);
}

static void groups_are_waited_for_and_cancelled(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &groups_program, .executors = 3});
	assert_int_equal(result->values[0], 0);
	assert_int_equal(result->values[1], 0);
	assert_int_equal(result->values[2], 1);
	assert_int_equal(result->values[3], 0);
	assert_int_equal(result->values[4], 1);
	assert_int_equal(result->values[5], 1);
	assert_int_equal(result->values[6], 1);
}

/* Programs that are wrong. */

static void overlap_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 10, 0);
	submit_in_place(cell, INCREMENT, x, 10);
	submit_in_place(cell, INCREMENT, x + 16, 4);
}
PROGRAM(overlap);

static void outside_main(struct cell_instance *cell)
{
	submit_in_place(cell, INCREMENT, FAKE_MEMORY - 8, 2);
}
PROGRAM(outside);

static void null_main(struct cell_instance *cell)
{
	submit_in_place(cell, INCREMENT, 0, 2);
}
PROGRAM(null);

static void twice_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 0);
	struct guest_call call = guest_call(cell, SCALE);
	guest_buffer(&call, CELLA_DIRECTION_INOUT, x, 32);
	guest_buffer(&call, CELLA_DIRECTION_OUT, x, 32);
	guest_submit(&call);
}
PROGRAM(twice);

static void unended_main(struct cell_instance *cell)
{
	guest_group_end(cell);
}
PROGRAM(unended);

static void collection_main(struct cell_instance *cell)
{
	struct guest_call call = guest_call(cell, GATHER);
	guest_collection(&call, 3, 0);
	guest_buffer(&call, CELLA_DIRECTION_IN, new_doubles(cell, 1, 0), 8);
	guest_submit(&call);
}
PROGRAM(collection);

static void many_main(struct cell_instance *cell)
{
	struct guest_call call = guest_call(cell, EMPTY);
	for (uint32_t i = 0; i < TASK_DATA_MAX + 1; i++)
		guest_buffer(&call, CELLA_DIRECTION_OUT, FAKE_HEAP + 16 * i, 8);
	guest_submit(&call);
}
PROGRAM(many);

static void nofile_main(struct cell_instance *cell)
{
	struct guest_call call = guest_call(cell, APPEND_FILE);
	guest_file(&call, CELLA_DIRECTION_INOUT, "/not/there");
	guest_submit(&call);
}
PROGRAM(nofile);

static void wrong_calls_trap_with_a_reason(void **state)
{
	(void)state;
	static const struct {
		const struct fake_program *program;
		const char *text;
	} wrong[] = {
		{&overlap_program, "call of task increment: the buffer at 0x"},
		{&outside_program, "lies outside the cell's memory"},
		{&null_program, "a buffer of 16 bytes at 0x0 lies outside"},
		{&twice_program, "one task names a buffer twice and writes it"},
		{&unended_program, "cella_group_end without cella_group_begin"},
		{&collection_program, "a collection lacks 2 of its buffers"},
		{&many_program, "a task may name 1000 buffers and files"},
		{&nofile_program, "/not/there"},
	};
	for (size_t i = 0; i < array_count(wrong); i++) {
		run_badly(&(struct scenario){.program = wrong[i].program, .executors = 2}, wrong[i].text);
		assert_string_equal(result->protocol_error, "");
	}
}

/* Many tasks: flow control, batches; and how fast. */

enum { MANY = 20000 };

static void throughput_main(struct cell_instance *cell)
{
	uint64_t start = clock_ns();
	for (int i = 0; i < MANY; i++)
		submit_empty(cell);
	result->values[1] = clock_ns() - start;
	guest_barrier(cell);
	result->values[0] = clock_ns() - start;
}
PROGRAM(throughput);

static void many_tasks_go_through(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &throughput_program, .executors = 3});
	assert_int_equal(result->done[TASK_OK], MANY);
	if (getenv("TASKS_SPEED"))
		fprintf(stderr, "# %d tasks: %.0f a second, submitted at %.2f us\n", MANY,
		        (double)MANY * 1e9 / (double)result->values[0],
		        (double)result->values[1] / 1e3 / (double)MANY);
}

static void latency_main(struct cell_instance *cell)
{
	uint32_t x = new_doubles(cell, 4, 0);
	for (int i = 0; i < 200; i++) {
		uint64_t start = clock_ns();
		submit_in_place(cell, INCREMENT, x, 4);
		guest_wait(cell, x, true);
		uint64_t took = clock_ns() - start;
		if (i == 0 || took < result->values[0])
			result->values[0] = took;
		result->values[1] += took / 200;
	}
}
PROGRAM(latency);

static void one_task_at_a_time_goes_through(void **state)
{
	(void)state;
	run_well(&(struct scenario){.program = &latency_program, .executors = 2});
	if (getenv("TASKS_SPEED"))
		fprintf(stderr, "# submit to result: least %.1f us, mean %.1f us\n",
		        (double)result->values[0] / 1e3, (double)result->values[1] / 1e3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directions_order_tasks_and_rename_data),
		cmocka_unit_test(without_a_cache_everything_is_opened_again),
		cmocka_unit_test(copies_travel_by_value_large_or_small),
		cmocka_unit_test(collections_arrive_as_arrays_of_pointers),
		cmocka_unit_test(concurrent_changes_are_merged),
		cmocka_unit_test(commutative_members_take_turns),
		cmocka_unit_test(files_are_data_too),
		cmocka_unit_test(a_task_may_delete_its_file),
		cmocka_unit_test(nested_tasks_run_on_one_executor_and_on_several),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(a_failure_for_good_ends_the_program),
		cmocka_unit_test(a_task_is_tried_again),
		cmocka_unit_test(an_ignored_failure_leaves_zeros_and_old_versions),
		cmocka_unit_test(successors_are_cancelled_and_the_rest_goes_on),
		cmocka_unit_test(a_wait_in_a_task_ends_at_its_time_out),
		cmocka_unit_test(an_exit_ends_a_task_by_its_status),
		cmocka_unit_test(groups_are_waited_for_and_cancelled),
		cmocka_unit_test(groups_that_have_ended_are_disbanded),
		cmocka_unit_test(wrong_calls_trap_with_a_reason),
		cmocka_unit_test(many_tasks_go_through),
		cmocka_unit_test(one_task_at_a_time_goes_through),
	};
	return run_group("tasks", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
