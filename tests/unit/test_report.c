/*
 * Reports from the event log. Is every task, attempt and dependency in what they show, are they
 * well formed, and is a log that is cut or wrong refused?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/event_log.h"
#include "agent/report.h"
#include "base/cleanup.h"

enum { BEGIN = 1000000, MS = 1000000 };

static void log_task(struct event_log *log, uint64_t task, uint64_t parent, uint32_t function,
                     const uint64_t *inputs, uint16_t input_count, uint64_t output,
                     const struct task_commutative *turn)
{
	struct task_submit s = {.task = task,
	                        .parent = parent,
	                        .function = function,
	                        .input_count = input_count,
	                        .output_count = output != 0,
	                        .commutative_count = turn != NULL};
	struct message_submit m = {.task = &s, .inputs = inputs, .outputs = &output, .commutatives = turn};
	event_log_submit(log, BEGIN + task * 1000, &m);
}

static void log_attempt(struct event_log *log, uint64_t task, uint32_t attempt, uint32_t status,
                        uint64_t at_ms)
{
	struct task_done d = {.task = task,
	                      .attempt = attempt,
	                      .status = status,
	                      .start_ns = BEGIN + at_ms * MS,
	                      .end_ns = BEGIN + at_ms * MS + MS / 2};
	event_log_done(log, 2, &d, 100);
}

/* split -> two halves (one at its second attempt) -> sum joins, a failing task and its successor,
 * two members, a child. */
static void *make_log(size_t *ret_size)
{
	static const struct message_name split = {"split", 5}, half = {"half", 4}, sum = {"sum<\"\\&", 7};
	static const uint64_t one[] = {101}, two[] = {102, 103}, members[] = {200}, lost[] = {105};
	static const struct task_commutative turn = {.base = 104, .final = 200};
	struct event_log *log;
	struct error err;
	assert_int_equal(event_log_new(2, BEGIN, &log, &err), 0);
	struct event_executor driver = {.time_ns = BEGIN, .number = 1, .driver = 1, .pid = 11};
	struct event_executor worker = {.time_ns = BEGIN + MS, .number = 2, .pid = 12};
	event_log_executor(log, &driver);
	event_log_executor(log, &worker);
	event_log_function(log, 0, &split);
	event_log_function(log, 3, &half);
	event_log_function(log, 1, &sum);
	log_task(log, 1, 0, 0, NULL, 0, 101, NULL);
	log_task(log, 2, 0, 3, one, 1, 102, NULL);
	log_task(log, 3, 0, 3, one, 1, 103, NULL);
	log_task(log, 4, 0, 1, two, 2, 104, NULL);
	log_task(log, 5, 0, 3, NULL, 0, 0, &turn);
	log_task(log, 6, 0, 3, NULL, 0, 0, &turn);
	log_task(log, 7, 0, 1, members, 1, 0, NULL);
	log_task(log, 8, 0, 0, NULL, 0, 105, NULL);
	log_task(log, 9, 0, 0, lost, 1, 0, NULL);
	log_task(log, 10, 7, 0, NULL, 0, 0, NULL);
	for (uint64_t task = 1; task <= 7; task++)
		log_attempt(log, task, 1, task == 3 ? TASK_FAILED : TASK_OK, 10 + task);
	log_attempt(log, 3, 2, TASK_OK, 20);
	log_attempt(log, 10, 1, TASK_OK, 17);
	log_attempt(log, 8, 1, TASK_FAILED, 30);
	struct task_outcome failed = {.task = 8, .status = TASK_FAILED, .attempt = 1};
	struct task_outcome canceled = {.task = 9, .status = TASK_CANCELED};
	event_log_outcome(log, BEGIN + 31 * MS, &failed);
	event_log_outcome(log, BEGIN + 31 * MS, &canceled);
	event_log_spill(log, BEGIN, 4096);
	worker.time_ns = BEGIN + 40 * MS;
	worker.status = 9;
	event_log_executor(log, &worker);
	struct event_end end = {.time_ns = BEGIN + 50 * MS,
	                        .done = 8,
	                        .failed = 1,
	                        .cancelled = 1,
	                        .retried = 1,
	                        .spilled = 4096};
	int fd = event_log_finish(log, &end);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	*ret_size = (size_t)st.st_size;
	void *copy = malloc(*ret_size);
	assert_int_equal(pread(fd, copy, *ret_size, 0), (ssize_t)*ret_size);
	event_log_free(log);
	return copy;
}

static struct report *open_report(void **ret_log)
{
	struct report *r;
	struct error err;
	size_t size;
	*ret_log = make_log(&size);
	assert_int_equal(report_new(*ret_log, size, &r, &err), 0);
	return r;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static const char *text_of(struct buf *b)
{
	buf_put_u8(b, 0);
	assert_false(b->failed);
	return (const char *)b->data;
}

static void test_dot(void **state)
{
	(void)state;
	void *log;
	struct report *r = open_report(&log);
	cleanup_buf struct buf b = {0};
	report_dot(r, &b);
	const char *text = text_of(&b);
	assert_int_equal(count(text, "label="), 10);
	static const char *const edges[] = {"t0 -> t1;", "t0 -> t2;",
	                                    "t1 -> t3;", "t2 -> t3;",
	                                    "t3 -> t4;", "t3 -> t5;",
	                                    "t4 -> t6;", "t5 -> t6;",
	                                    "t7 -> t8;", "t6 -> t9 [style=dotted"};
	for (size_t i = 0; i < array_count(edges); i++)
		assert_int_equal(count(text, edges[i]), 1);
	assert_int_equal(count(text, "->"), array_count(edges));
	assert_int_equal(count(text, "sum____"),
	                 4); /* label and tooltip of tasks 4 and 7: no character that could end a string */
	report_free(r);
	free(log);
}

static void test_svg(void **state)
{
	(void)state;
	void *log;
	struct report *r = open_report(&log);
	struct error err;
	cleanup_buf struct buf b = {0};
	assert_int_equal(report_svg(r, &b, &err), 0);
	const char *text = text_of(&b);
	assert_int_equal(count(text, "<title>"), 10);
	assert_int_equal(count(text, "<path "), 10);
	assert_int_equal(count(text, "stroke-dasharray=\"4 3\""), 2); /* failed, cancelled */
	assert_int_equal(count(text, "half 3, ok, executor 2, 0.500 ms, 2 attempts"), 1);
	assert_int_equal(count(text, "<g>"), count(text, "</g>"));
	assert_non_null(strstr(text, "</svg>"));
	report_free(r);
	free(log);
}

static size_t events_of(json_t *events, const char *phase)
{
	size_t i, n = 0;
	json_t *event;
	json_array_foreach(events, i, event)
		n += strcmp(json_string_value(json_object_get(event, "ph")), phase) == 0;
	return n;
}

static void test_trace(void **state)
{
	(void)state;
	void *log;
	struct report *r = open_report(&log);
	cleanup_buf struct buf b = {0};
	report_trace(r, &b);
	json_t *trace = json_loads(text_of(&b), 0, NULL);
	assert_non_null(trace);
	json_t *events = json_object_get(trace, "traceEvents");
	assert_int_equal(events_of(events, "X"), 10);
	assert_int_equal(events_of(events, "s"), 8); /* the cancelled task has no slice to point to */
	assert_int_equal(events_of(events, "f"), 8);
	assert_int_equal(events_of(events, "M"), 3);
	assert_int_equal(events_of(events, "C"), 20);
	json_decref(trace);
	report_free(r);
	free(log);
}

static void test_record(void **state)
{
	(void)state;
	void *log;
	struct report *r = open_report(&log);
	cleanup_buf struct buf b = {0};
	report_record(r, &b);
	json_t *record = json_loads(text_of(&b), 0, NULL);
	assert_non_null(record);
	json_t *tasks = json_object_get(record, "tasks"), *functions = json_object_get(record, "functions");
	assert_int_equal(json_integer_value(json_object_get(tasks, "submitted")), 10);
	assert_int_equal(json_integer_value(json_object_get(tasks, "retried")), 1);
	assert_int_equal(json_array_size(functions), 3);
	json_t *half = json_array_get(functions, 2),
	       *worker = json_array_get(json_object_get(record, "executors"), 1);
	assert_string_equal(json_string_value(json_object_get(half, "name")), "half");
	assert_int_equal(json_integer_value(json_object_get(half, "runs")), 4);
	assert_int_equal(json_integer_value(json_object_get(half, "failures")), 1);
	assert_int_equal(json_integer_value(json_object_get(worker, "attempts")), 10);
	assert_int_equal(json_integer_value(json_object_get(worker, "wait_status")), 9);
	json_decref(record);
	report_free(r);
	free(log);
}

/* A log cut anywhere, or with any byte changed in its heads, is refused or read; never more. */
static void test_damage(void **state)
{
	(void)state;
	size_t size;
	uint8_t *log = make_log(&size);
	struct report *r;
	struct error err;
	for (size_t cut = 0; cut < size; cut++) {
		void *copy = malloc(cut + 1);
		memcpy(copy, log, cut);
		assert_int_equal(report_new(copy, cut, &r, &err), CELLA_EFORMAT);
		free(copy);
	}
	for (size_t at = 0; at < size; at++) {
		log[at] ^= 0x41;
		cleanup_buf struct buf b = {0};
		if (report_new(log, size, &r, &err) == 0) {
			report_dot(r, &b);
			assert_int_equal(report_svg(r, &b, &err), 0);
			report_trace(r, &b);
			report_record(r, &b);
			report_free(r);
		}
		log[at] ^= 0x41;
	}
	free(log);
}

/* The last executors end after the log has: they are not noted, and the file stays as it was. */
static void test_after_the_end(void **state)
{
	(void)state;
	struct event_log *log;
	struct error err;
	struct event_end end = {.done = 1};
	struct event_executor late = {.number = 1};
	struct stat before, after;
	assert_int_equal(event_log_new(2, BEGIN, &log, &err), 0);
	int fd = event_log_finish(log, &end);
	assert_int_equal(fstat(fd, &before), 0);
	for (int i = 0; i < 1000; i++) /* pages past the file's end */
		event_log_executor(log, &late);
	event_log_undo(log);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	event_log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dot),    cmocka_unit_test(test_svg),
		cmocka_unit_test(test_trace),  cmocka_unit_test(test_record),
		cmocka_unit_test(test_damage), cmocka_unit_test(test_after_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
