/* The agent as a whole, with executors that have no keys: does a job end as it should? */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/event_format.h"
#include "agent/report.h"
#include "base/clock.h"
#include "base/io.h"
#include "cella/task.h"
#include "fake_node.h"

/* No task: nothing but the driver is started. */
static void drive_nothing(struct fake_peer *p)
{
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
	fake_check(p->ready.ok_count == 0);
}

static void test_nothing(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_nothing, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.started, 1);
	assert_int_equal(r.end.done, 0);
}

/* A chain, each link reading the one before. */
static void drive_chain(struct fake_peer *p)
{
	enum { LINKS = 1000 };
	fake_functions(p);
	uint64_t last = fake_put(p, 7), value = 7;
	for (int i = 0; i < LINKS; i++) {
		uint64_t next = fake_id(p);
		struct fake_task t = {.inputs = &last, .input_count = 1, .outputs = &next, .output_count = 1};
		fake_submit(p, &t);
		fake_release(p, last);
		value = fake_mix(fake_mix(FAKE_MIX, value), 0) | 1;
		last = next;
	}
	fake_check(fake_wait_value(p, last) == value);
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
	fake_check(p->ready.ok_count == LINKS && p->ready.status == TASK_OK);
}

static void test_chain(void **state)
{
	(void)state;
	for (int forgetful = 0; forgetful < 2; forgetful++) {
		struct fake_job job = {.driver = drive_chain, .executors = 2, .forgetful = forgetful};
		struct fake_result r;
		fake_run(&job, &r);
		assert_string_equal(r.failure, "");
		assert_int_equal(r.started, 3);
		assert_int_equal(r.end.done, 1000);
		assert_int_equal(r.end.failed, 0);
	}
}

static void drive_throughput(struct fake_peer *p)
{
	enum { TASKS = 200000 };
	fake_functions(p);
	uint64_t begin = clock_ns();
	for (int i = 0; i < TASKS; i++) {
		uint64_t out = fake_id(p);
		struct fake_task t = {.outputs = &out, .output_count = 1, .payload = 200};
		fake_submit(p, &t);
		fake_release(p, out);
	}
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
	fprintf(stderr, "# %.0f tasks a second\n", (double)TASKS / ((double)(clock_ns() - begin) / 1e9));
	fake_check(p->ready.ok_count == TASKS);
}

static void test_throughput(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_throughput, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.end.done, 200000);
}

/* One task; what its submitter hears of it. */
static uint64_t submit_one(struct fake_peer *p, uint32_t function, uint32_t on_failure, uint64_t *ret_out)
{
	*ret_out = fake_id(p);
	struct fake_task t = {.head = {.function = function, .on_failure = on_failure},
	                      .outputs = ret_out,
	                      .output_count = 1};
	return fake_submit(p, &t);
}

static void drive_failures(struct fake_peer *p)
{
	static const struct {
		uint32_t function, on_failure, status, outcomes, attempt;
		bool value;
	} cases[] = {
		{FAKE_FAIL_FIRST, CELLA_ON_FAILURE_RETRY, 0, 0, 0, true},
		{FAKE_FAIL, CELLA_ON_FAILURE_RETRY, TASK_FAILED, 1, 3, false},
		{FAKE_FAIL, CELLA_ON_FAILURE_FAIL, TASK_FAILED, 1, 1, false},
		{FAKE_FAIL, CELLA_ON_FAILURE_IGNORE, TASK_IGNORED, 1, 1, true},
		{FAKE_FAIL, CELLA_ON_FAILURE_CANCEL_SUCCESSORS, TASK_FAILED, 1, 1, false},
		{FAKE_DIE_FIRST, CELLA_ON_FAILURE_RETRY, 0, 0, 0, true},
		{FAKE_DIE_FIRST, CELLA_ON_FAILURE_FAIL, TASK_LOST, 1, 1, false},
		{FAKE_NONSENSE, CELLA_ON_FAILURE_CANCEL_SUCCESSORS, TASK_LOST, 1, 1, false},
	};
	fake_functions(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t out, next = fake_id(p);
		p->outcome_count = 0;
		uint64_t task = submit_one(p, cases[i].function, cases[i].on_failure, &out);
		struct fake_task after = {.inputs = &out,
		                          .input_count = 1,
		                          .outputs = &next,
		                          .output_count = 1};
		uint64_t successor = fake_submit(p, &after);
		fake_wait(p, TASK_WAIT_DATA, 0, &next, 1);
		fake_check((p->ready.status == TASK_OK) == cases[i].value);
		fake_check(p->outcome_count == cases[i].outcomes + !cases[i].value);
		if (cases[i].outcomes) {
			fake_check(p->outcomes[0].task == task && p->outcomes[0].status == cases[i].status);
			fake_check(p->outcomes[0].attempt == cases[i].attempt);
		}
		if (!cases[i].value)
			fake_check(p->outcomes[1].task == successor &&
			           p->outcomes[1].status == TASK_CANCELED);
		fake_release(p, out);
		fake_release(p, next);
	}
}

static void test_failures(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_failures, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.lost, 3);
	assert_int_equal(r.replaced, 3);
}

/* Something else kills an executor in the middle of work, or behind it: the results are the same. */
static void drive_loss(struct fake_peer *p)
{
	enum { CHAINS = 50, LINKS = 200 };
	fake_functions(p);
	for (uint64_t c = 0; c < CHAINS; c++) {
		uint64_t last = fake_put(p, 2 * c + 1), value = 2 * c + 1;
		for (int i = 0; i < LINKS; i++) {
			uint64_t next = fake_id(p);
			struct fake_task t = {.head = {.function = i % 20 == 5 ? FAKE_SPIN : FAKE_MIX,
			                               .timeout_ms = 1},
			                      .inputs = &last,
			                      .input_count = 1,
			                      .outputs = &next,
			                      .output_count = 1};
			fake_submit(p, &t);
			fake_release(p, last);
			value = fake_mix(fake_mix(t.head.function, value), 0) | 1;
			last = next;
		}
		fake_check(fake_wait_value(p, last) == value);
		fake_release(p, last);
	}
	while (!fake_flags->lost)
		sched_yield();
}

static void test_loss(void **state)
{
	(void)state;
	for (int after = 10; after < 200; after += 60) {
		struct fake_job job = {.driver = drive_loss, .executors = 2, .kill_after_ms = after};
		struct fake_result r;
		fake_run(&job, &r);
		assert_string_equal(r.failure, "");
		assert_int_equal(r.lost, 1);
		assert_int_equal(r.end.done, 10000);
	}
}

/* A task that kills whoever runs it ends the job, after the replacements are spent. */
static void drive_poison(struct fake_peer *p)
{
	fake_functions(p);
	for (int i = 0; i < 20; i++) {
		uint64_t out;
		submit_one(p, FAKE_DIE, CELLA_ON_FAILURE_CANCEL_SUCCESSORS, &out);
	}
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
}

static void test_poison(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_poison, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_non_null(strstr(r.failure, "10 executors were lost"));
	assert_non_null(strstr(r.failure, "signal 9"));
	assert_int_equal(r.lost, 11);
	assert_int_equal(r.replaced, 10);
}

static void drive_death(struct fake_peer *p)
{
	(void)p;
	raise(SIGKILL);
}

static void drive_nonsense(struct fake_peer *p)
{
	struct ring_part part = {"x", 1};
	fake_send(p, 77, &part, 1);
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
}

static void test_driver_lost(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_death};
	struct fake_result r;
	fake_run(&job, &r);
	assert_non_null(strstr(r.failure, "the program's executor was killed by signal 9"));
	job.driver = drive_nonsense;
	fake_run(&job, &r);
	assert_non_null(strstr(r.failure, "a message of the unknown type 77"));
}

static void drive_forever(struct fake_peer *p)
{
	uint64_t out;
	fake_functions(p);
	submit_one(p, FAKE_MIX, 0, &out);
	fake_wait_value(p, out);
	pause();
}

static void test_launcher_gone(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_forever, .executors = 1, .drop_las = true};
	struct fake_result r;
	fake_run(&job, &r);
	assert_non_null(strstr(r.failure, "the launcher cella-las is gone"));
}

/* fake_run ends only when the agent has. */
static void test_owner_gone(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_forever, .executors = 2, .drop_owner = true};
	struct fake_result r;
	fake_run(&job, &r);
}

/* The program ends while a task runs: nobody waits for it. */
static void drive_leave(struct fake_peer *p)
{
	uint64_t out = fake_id(p);
	struct fake_task t = {.head = {.function = FAKE_SPIN}, .outputs = &out, .output_count = 1};
	fake_functions(p);
	fake_submit(p, &t);
	fake_flush(p);
	while (!fake_flags->begun)
		sched_yield();
}

static void test_leave(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_leave, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
}

static void drive_nested(struct fake_peer *p)
{
	enum { TREES = 20, DEPTH = 12 };
	uint64_t out[TREES];
	fake_functions(p);
	for (int i = 0; i < TREES; i++) {
		out[i] = fake_id(p);
		struct fake_task t = {.head = {.function = FAKE_NEST, .timeout_ms = DEPTH},
		                      .outputs = &out[i],
		                      .output_count = 1};
		fake_submit(p, &t);
	}
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
	fake_check(p->ready.ok_count == TREES);
}

static void test_nested(void **state)
{
	(void)state;
	for (uint32_t executors = 1; executors < 4; executors++) {
		struct fake_job job = {.driver = drive_nested, .executors = executors};
		struct fake_result r;
		fake_run(&job, &r);
		assert_string_equal(r.failure, "");
		assert_int_equal(r.end.done, 20 * (1 + 12 * 3));
	}
}

/* Members in any order, one at a time: the sum is what it is. */
static void drive_commutative(struct fake_peer *p)
{
	enum { MEMBERS = 500 };
	fake_functions(p);
	uint64_t base = fake_put(p, 1001), sum = 1001;
	struct task_commutative c = {.base = base, .final = fake_id(p)};
	for (int i = 0; i < MEMBERS; i++) {
		struct fake_task t = {.head = {.function = i % 50 == 3 ? FAKE_FAIL_FIRST : FAKE_MIX},
		                      .commutatives = &c,
		                      .commutative_count = 1};
		sum += 2 * (fake_submit(p, &t) & 0xffff);
	}
	fake_release(p, base);
	fake_check(fake_wait_value(p, c.final) == sum);
	fake_check(p->locations[0].version == MEMBERS);
	fake_release(p, c.final);
}

static void test_commutative(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_commutative, .executors = 3};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.end.done, 500);
	assert_int_equal(r.end.retried, 10);
}

static void open_group(struct fake_peer *p, uint32_t group, uint32_t outer)
{
	struct task_group g = {.group = group, .outer = outer};
	struct ring_part parts[] = {{&g, sizeof(g)}, {"group", 5}};
	fake_send(p, TASK_UP_GROUP, parts, 2);
}

static void drive_groups(struct fake_peer *p)
{
	enum { TASKS = 100 };
	fake_functions(p);
	open_group(p, 1, 0);
	open_group(p, 2, 1);
	uint64_t gate = fake_id(p);
	struct fake_task slow = {.head = {.function = FAKE_SPIN}, .outputs = &gate, .output_count = 1};
	fake_submit(p, &slow);
	for (int i = 0; i < TASKS; i++) {
		struct fake_task t = {.head = {.group = 1 + i % 2}, .inputs = &gate, .input_count = 1};
		fake_submit(p, &t);
	}
	fake_cancel(p, 2);
	fake_check(p->ready.ok_count == TASKS / 2);
	fake_flags->gate = true;
	fake_wait(p, TASK_WAIT_GROUP, 2, NULL, 0);
	fake_check(p->ready.status == TASK_CANCELED && p->ready.ok_count == 0);
	fake_wait(p, TASK_WAIT_GROUP, 1, NULL, 0);
	fake_check(p->ready.status == TASK_CANCELED && p->ready.ok_count == TASKS / 2);
	fake_check(p->outcome_count == TASKS / 2);
}

static void test_groups(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_groups, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.end.failed, 50);
	assert_int_equal(r.end.done, 51);
}

/* A million tasks that wait for one, each with an output and 200 bytes of arguments; what the agent
 * needs for one. */
static void drive_million(struct fake_peer *p)
{
	enum { TASKS = 1000000 };
	fake_functions(p);
	uint64_t gate = fake_id(p);
	struct fake_task first = {.head = {.function = FAKE_SPIN}, .outputs = &gate, .output_count = 1};
	fake_submit(p, &first);
	uint64_t begin = clock_ns();
	for (int i = 0; i < TASKS; i++) {
		uint64_t out = fake_id(p);
		struct fake_task t = {.inputs = &gate,
		                      .input_count = 1,
		                      .outputs = &out,
		                      .output_count = 1,
		                      .payload = 200};
		fake_submit(p, &t);
		fake_release(p, out);
	}
	fake_flags->gate = true;
	fprintf(stderr, "# %.0f submissions a second\n",
	        (double)TASKS / ((double)(clock_ns() - begin) / 1e9));
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
	fake_check(p->ready.ok_count == TASKS + 1);
	fprintf(stderr, "# submitted, held and run: %.0f tasks a second\n",
	        (double)TASKS / ((double)(clock_ns() - begin) / 1e9));
}

static void test_million(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_million, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.end.done, 1000001);
	fprintf(stderr, "# %.0f bytes of the agent's memory for a waiting task\n",
	        (double)r.agent_peak_kb * 1024 / 1000000);
	assert_true(r.agent_peak_kb < 1000000);
}

/* More than may wait: the driver is held back until some have ended, and nothing is lost. */
static void drive_flood(struct fake_peer *p)
{
	enum { TASKS = 20000 };
	fake_functions(p);
	uint64_t gate = fake_id(p);
	struct fake_task first = {.head = {.function = FAKE_SPIN, .timeout_ms = 200},
	                          .outputs = &gate,
	                          .output_count = 1};
	fake_submit(p, &first);
	for (int i = 0; i < TASKS; i++) {
		struct fake_task t = {.inputs = &gate, .input_count = 1};
		fake_submit(p, &t);
	}
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
	fake_check(p->ready.ok_count == TASKS + 1);
}

static void test_flood(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_flood, .executors = 2, .tasks_max = 1000};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.end.done, 20001);
}

/* Five times as much data as the store may hold in memory, all of it wanted in the end. */
static void drive_spill(struct fake_peer *p)
{
	enum { DATA = 5000 };
	static uint64_t data[DATA], results[DATA];
	fake_functions(p);
	for (int i = 0; i < DATA; i++)
		data[i] = fake_put(p, 2 * (uint64_t)i + 1);
	for (int i = 0; i < DATA; i++) {
		uint64_t inputs[] = {data[i], data[(i * 7) % DATA]};
		results[i] = fake_id(p);
		struct fake_task t = {.inputs = inputs,
		                      .input_count = 2,
		                      .outputs = &results[i],
		                      .output_count = 1};
		fake_submit(p, &t);
	}
	for (int i = DATA; i-- > 0;) {
		uint64_t a = 2 * (uint64_t)i + 1, b = 2 * (uint64_t)(i * 7 % DATA) + 1;
		fake_check(fake_wait_value(p, results[i]) ==
		           (fake_mix(fake_mix(fake_mix(FAKE_MIX, a), b), 0) | 1));
		fake_release(p, results[i]);
	}
	fake_check(fake_wait_value(p, data[17]) == 35);
}

static void test_spill(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_spill,
	                       .executors = 2,
	                       .store_limit = 8 << 20,
	                       .object_size = 4096,
	                       .forgetful = true,
	                       .flags = AGENT_START_EVENTS};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	assert_int_equal(r.end.done, 5000);
	assert_int_equal(r.end.failed, 0);
	assert_true(r.event_log >= 0);
	close(r.event_log);
}

/* A request as the ECG forest makes it: branches, a chain of merges, a vote. */
static void drive_request(struct fake_peer *p)
{
	enum { TREES = 40 };
	fake_functions(p);
	uint64_t row = fake_put(p, 5), sum = fake_put(p, 7);
	for (int i = 0; i < TREES; i++) {
		uint64_t branch = fake_id(p), next = fake_id(p), inputs[] = {sum, branch};
		struct fake_task t = {.inputs = &row,
		                      .input_count = 1,
		                      .outputs = &branch,
		                      .output_count = 1};
		t.head.function = i == 7 ? FAKE_FAIL_FIRST : FAKE_MIX;
		fake_submit(p, &t);
		struct fake_task merge = {.head.function = FAKE_NEST,
		                          .inputs = inputs,
		                          .input_count = 2,
		                          .outputs = &next,
		                          .output_count = 1};
		fake_submit(p, &merge);
		fake_release(p, branch);
		fake_release(p, sum);
		sum = next;
	}
	fake_wait_value(p, sum);
	uint64_t none = fake_id(p);
	struct fake_task failing = {.head = {.function = FAKE_FAIL,
	                                     .on_failure = CELLA_ON_FAILURE_CANCEL_SUCCESSORS},
	                            .inputs = &sum,
	                            .input_count = 1,
	                            .outputs = &none,
	                            .output_count = 1};
	fake_submit(p, &failing);
	struct fake_task canceled = {.inputs = &none, .input_count = 1};
	fake_submit(p, &canceled);
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0);
}

static size_t count_of(const struct buf *text, const char *what)
{
	size_t n = 0;
	for (const char *at = (const char *)text->data; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* More answers than the ring holds, to one that does not read them: they come all the same, and in order. */
static void drive_backlog(struct fake_peer *p)
{
	enum { WAITS = 50000 };
	uint64_t first = fake_id(p);
	for (uint64_t i = 0; i < WAITS; i++) {
		struct task_wait w = {.wait = i == 0 ? first : fake_id(p), .kind = TASK_WAIT_ALL};
		struct ring_part part = {&w, sizeof(w)};
		fake_send(p, TASK_UP_WAIT, &part, 1);
	}
	fake_wait(p, TASK_WAIT_ALL, 0, NULL, 0); /* its answer is the last */
	for (uint64_t i = 0; i < WAITS; i++)
		fake_check(map_take(&p->answered, first + i) != NULL);
}

static void test_backlog(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_backlog};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
}

/* Room that can never be had is refused before anything is moved away for it. */
static void drive_hopeless(struct fake_peer *p)
{
	for (int i = 0; i < 8; i++) {
		fake_put(p, 1);
		fake_check(fake_extent(p, 1 << 20));
	}
	fake_check(!fake_extent(p, 1ull << 40));
	fake_put(p, 1);
}

static void test_hopeless_extent(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_hopeless,
	                       .store_limit = 16 << 20,
	                       .flags = AGENT_START_EVENTS};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	cleanup_buf struct buf log = {0};
	struct event_end end;
	assert_int_equal(io_read_fd(r.event_log, "event log", 1 << 20, &log, NULL), 0);
	close(r.event_log);
	memcpy(&end, log.data + log.size - sizeof(end), sizeof(end));
	assert_true(end.store_used_max >= 8 << 20);
	assert_int_equal(end.spilled, 0);
}

static void test_report(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_request, .executors = 2, .flags = AGENT_START_EVENTS};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
	cleanup_buf struct buf log = {0}, svg = {0}, dot = {0};
	struct report *report;
	struct error err;
	assert_true(r.event_log >= 0);
	assert_int_equal(io_read_fd(r.event_log, "event log", 1 << 20, &log, &err), 0);
	close(r.event_log);
	assert_int_equal(report_new(log.data, log.size, &report, &err), 0);
	report_dot(report, &dot);
	buf_put_u8(&dot, 0);
	assert_int_equal(count_of(&dot, "label="), 82);
	assert_int_equal(count_of(&dot, "->"), 40 + 39 + 1 + 1);
	assert_int_equal(count_of(&dot, "2 attempts"), 1);
	assert_int_equal(count_of(&dot, "canceled"), 1);
	assert_int_equal(report_svg(report, &svg, &err), 0);
	const char *file = getenv("CELLA_TEST_DRAWING"); /* to look at it */
	if (file)
		assert_int_equal(io_write_file(file, svg.data, svg.size, 0644, &err), 0);
	report_free(report);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static double us_at(const uint64_t *sorted, size_t count, size_t percent)
{
	size_t place = count * percent / 100;
	return (double)sorted[place] / 1e3;
}

static void drive_latency(struct fake_peer *p)
{
	enum { ROUNDS = 2000 };
	static uint64_t took[ROUNDS];
	fake_functions(p);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t out = fake_id(p), begin = clock_ns();
		struct fake_task t = {.outputs = &out, .output_count = 1, .payload = 200};
		fake_submit(p, &t);
		fake_wait_value(p, out);
		took[i] = clock_ns() - begin;
		fake_release(p, out);
	}
	qsort(took, ROUNDS, sizeof(took[0]), compare);
	fprintf(stderr, "# submit to result: median %.1f us, p95 %.1f us\n", us_at(took, ROUNDS, 50),
	        us_at(took, ROUNDS, 95));
}

static void test_latency(void **state)
{
	(void)state;
	struct fake_job job = {.driver = drive_latency, .executors = 2};
	struct fake_result r;
	fake_run(&job, &r);
	assert_string_equal(r.failure, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),         cmocka_unit_test(test_chain),
		cmocka_unit_test(test_failures),        cmocka_unit_test(test_loss),
		cmocka_unit_test(test_poison),          cmocka_unit_test(test_driver_lost),
		cmocka_unit_test(test_launcher_gone),   cmocka_unit_test(test_owner_gone),
		cmocka_unit_test(test_leave),           cmocka_unit_test(test_nested),
		cmocka_unit_test(test_commutative),     cmocka_unit_test(test_groups),
		cmocka_unit_test(test_report),          cmocka_unit_test(test_throughput),
		cmocka_unit_test(test_spill),           cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_hopeless_extent), cmocka_unit_test(test_latency),
		cmocka_unit_test(test_million),         cmocka_unit_test(test_flood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
