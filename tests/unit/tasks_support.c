#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cell/wasi/wasi.h"
#include "cella/error.h"
#include "tasks_support.h"

enum { HANG_S = 500 };

struct fake_result *result;

/* What an executor is made of. */

struct executor {
	struct mem_pool *pool;
	struct seal_session *session;
	struct wasi *wasi;
	struct tasks *tasks;
};

static void must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "test executor: %s\n", err->text);
	_exit(2);
}

static int new_instance(void *data, uint32_t timeout_ms, struct instance **ret_instance, struct error *err)
{
	struct executor *x = data;
	(void)timeout_ms;
	(void)err;
	return fake_instance_new(x->wasi, x->tasks, ret_instance);
}

static void give_way(void *data)
{
	(void)data;
}

static void executor_new(struct executor *x, uint32_t number, uint32_t executors, int agent, int owner,
                         size_t cache)
{
	static const uint8_t key[CRYPTO_KEY_SIZE] = {1, 2, 3};
	struct error err;
	must(mem_pool_new(MEM_INSECURE_NONE, 1 << 30, &x->pool, &err), &err);
	mem_set_process_pool(x->pool);
	must(crypto_init(x->pool, &err), &err);
	must(seal_session_new(key, &x->session, &err), &err);
	struct wasi_config wasi = {.pool = x->pool};
	must(wasi_new(&wasi, &x->wasi, &err), &err);
	struct tasks_config config = {
		.pool = x->pool,
		.session = x->session,
		.executor = number,
		.executor_count = executors - 1,
		.cache_limit = cache,
		.agent = agent,
		.owner = owner,
		.data = x,
		.new_instance = new_instance,
		.give_way = give_way,
		.wasi = x->wasi,
	};
	must(tasks_new(&config, &x->tasks, &err), &err);
}

static void executor_free(struct executor *x)
{
	tasks_free(x->tasks);
	wasi_free(x->wasi);
	seal_session_free(x->session);
	mem_set_process_pool(NULL);
}

static void drive(struct executor *x)
{
	struct instance *program;
	struct trap_report report = {0};
	struct error err = {0};
	must(fake_instance_new(x->wasi, x->tasks, &program), &err);
	int rc = instance_call(program, "_start", ":", NULL, 0, &report, &err);
	if (rc == 0)
		rc = tasks_finish(x->tasks, &err);
	result->driver_rc = rc;
	result->trap = report.trap;
	snprintf(result->text, sizeof(result->text), "%s", rc ? err.text : "");
	instance_free(program);
	executor_free(x);
}

static void serve(struct executor *x)
{
	struct error err = {0};
	int rc = tasks_serve(x->tasks, &err);
	if (rc < 0 && !result->values[63])
		fprintf(stderr, "test executor: %s\n", err.text);
	executor_free(x);
}

static void close_others(int ends[FAKE_EXECUTORS_MAX][2], uint32_t count, uint32_t own, int side)
{
	for (uint32_t i = 0; i < count; i++) {
		close(ends[i][!side]);
		if (i != own && own < count)
			close(ends[i][side]);
	}
}

static pid_t start_executor(const struct scenario *s, int ends[FAKE_EXECUTORS_MAX][2], uint32_t index)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	struct executor x = {0};
	alarm(HANG_S);
	close_others(ends, s->executors, index, 1);
	executor_new(&x, index + 1, s->executors, ends[index][1], -1, s->cache ? s->cache : 1 << 20);
	if (index == 0)
		drive(&x);
	else
		serve(&x);
	_exit(0);
}

static pid_t start_agent(const struct scenario *s, int ends[FAKE_EXECUTORS_MAX][2])
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	struct fake_agent_config config = {.executors = s->executors, .result = result, .tamper = s->tamper};
	alarm(HANG_S);
	close_others(ends, s->executors, UINT32_MAX, 0);
	for (uint32_t i = 0; i < s->executors; i++)
		config.sockets[i] = ends[i][0];
	fake_agent_run(&config);
	_exit(0);
}

void run(const struct scenario *s)
{
	int ends[FAKE_EXECUTORS_MAX][2];
	pid_t pids[FAKE_EXECUTORS_MAX + 1];
	memset(result, 0, sizeof(*result));
	result->driver_rc = 1;
	fake_program = s->program;
	for (uint32_t i = 0; i < s->executors; i++)
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends[i]), 0);
	fflush(stdout);
	pids[s->executors] = start_agent(s, ends);
	for (uint32_t i = 0; i < s->executors; i++)
		pids[i] = start_executor(s, ends, i);
	close_others(ends, s->executors, UINT32_MAX, 0);
	for (uint32_t i = 0; i < s->executors; i++)
		close(ends[i][0]);
	for (uint32_t i = 0; i <= s->executors; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("process %u ended with status %x", i, status);
	}
}

void run_well(const struct scenario *s)
{
	run(s);
	if (result->driver_rc != 0)
		fail_msg("the driver ended with %d: %s", result->driver_rc, result->text);
	if (result->protocol_error[0])
		fail_msg("the agent complains: %s", result->protocol_error);
}

void run_badly(const struct scenario *s, const char *text)
{
	run(s);
	if (result->driver_rc != CELLA_ETRAP && result->driver_rc != CELLA_EAUTH)
		fail_msg("the driver ended with %d: %s", result->driver_rc, result->text);
	if (!strstr(result->text, text))
		fail_msg("\"%s\" does not say \"%s\"", result->text, text);
}

int run_group(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv)
{
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

/* Guest functions. */

static double *doubles(struct cell_instance *cell, uint32_t frame, uint32_t index, uint32_t count)
{
	return guest_at(cell, guest_argument(cell, frame, index), count * 8);
}

static uint32_t number(struct cell_instance *cell, uint32_t frame, uint32_t index)
{
	uint32_t value;
	memcpy(&value, guest_at(cell, guest_argument(cell, frame, index), 4), 4);
	return value;
}

static void empty_body(struct cell_instance *cell, uint32_t frame)
{
	(void)cell;
	(void)frame;
}

/* y = k * x + y0: y is OUT, so y0 must be 0. */
static void scale_body(struct cell_instance *cell, uint32_t frame)
{
	uint32_t n = number(cell, frame, 2);
	double *x = doubles(cell, frame, 0, n), *y = doubles(cell, frame, 1, n),
	       *k = doubles(cell, frame, 3, 1);
	for (uint32_t i = 0; i < n; i++)
		y[i] += *k * x[i];
}

static void increment_body(struct cell_instance *cell, uint32_t frame)
{
	uint32_t n = number(cell, frame, 1);
	double *x = doubles(cell, frame, 0, n);
	for (uint32_t i = 0; i < n; i++)
		x[i] += 1;
}

static void gather_body(struct cell_instance *cell, uint32_t frame)
{
	uint32_t n = number(cell, frame, 2), *rows = guest_at(cell, guest_argument(cell, frame, 0), n * 4);
	double *sum = doubles(cell, frame, 1, 1);
	for (uint32_t i = 0; i < n; i++)
		*sum += *(double *)guest_at(cell, rows[i], 8);
}

/* A nested collection of rows x 2 numbers: swaps the columns. */
static void transpose_body(struct cell_instance *cell, uint32_t frame)
{
	uint32_t n = number(cell, frame, 1), *rows = guest_at(cell, guest_argument(cell, frame, 0), n * 4);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *columns = guest_at(cell, rows[i], 8);
		double *a = guest_at(cell, columns[0], 8), *b = guest_at(cell, columns[1], 8), t = *a;
		*a = *b;
		*b = t;
	}
}

static void mark_body(struct cell_instance *cell, uint32_t frame)
{
	uint32_t at = number(cell, frame, 1);
	uint8_t *bytes = guest_at(cell, guest_argument(cell, frame, 0), 1000);
	bytes[at] = (uint8_t)(at + 1);
}

static void add_body(struct cell_instance *cell, uint32_t frame)
{
	double *sum = doubles(cell, frame, 0, 2);
	sum[0] += number(cell, frame, 1);
	sum[1] += 1;
}

size_t read_file(struct cell_instance *cell, const char *path, uint8_t *to, size_t capacity)
{
	uint8_t *data;
	size_t size;
	struct error err;
	int rc = wasi_file_read(instance_wasi(cell), path, &data, &size, &err);
	if (rc < 0)
		instance_trap(cell, CELL_TRAP_HOST, "%s", err.text);
	size = min_of(size, capacity);
	memcpy(to, data, size);
	return size;
}

void write_file(struct cell_instance *cell, const char *path, const void *data, size_t size)
{
	struct error err;
	if (wasi_file_put(instance_wasi(cell), path, data, size, &err) < 0)
		instance_trap(cell, CELL_TRAP_HOST, "%s", err.text);
}

static const char *path_argument(struct cell_instance *cell, uint32_t frame, uint32_t index)
{
	return guest_at(cell, guest_argument(cell, frame, index), 1);
}

static void copy_file_body(struct cell_instance *cell, uint32_t frame)
{
	uint8_t bytes[100];
	size_t size = read_file(cell, path_argument(cell, frame, 0), bytes, sizeof(bytes));
	write_file(cell, path_argument(cell, frame, 1), bytes, size);
}

static void append_file_body(struct cell_instance *cell, uint32_t frame)
{
	uint8_t bytes[100];
	size_t size = read_file(cell, path_argument(cell, frame, 0), bytes, sizeof(bytes) - 1);
	bytes[size] = '+';
	write_file(cell, path_argument(cell, frame, 0), bytes, size + 1);
}

static void drop_file_body(struct cell_instance *cell, uint32_t frame)
{
	wasi_file_drop(instance_wasi(cell), path_argument(cell, frame, 0));
}

static void remake_file_body(struct cell_instance *cell, uint32_t frame)
{
	struct guest_call call = guest_call(cell, COPY_FILE);
	drop_file_body(cell, frame);
	guest_file(&call, CELLA_DIRECTION_IN, path_argument(cell, frame, 1));
	guest_file(&call, CELLA_DIRECTION_OUT, path_argument(cell, frame, 0));
	guest_submit(&call);
}

/* Naive Fibonacci: OUT result, depth. */
static void nest_body(struct cell_instance *cell, uint32_t frame)
{
	uint32_t n = number(cell, frame, 1), a = guest_alloc(cell, 8), b = guest_alloc(cell, 8);
	double *sum = doubles(cell, frame, 0, 1);
	if (n < 2) {
		*sum = n;
		return;
	}
	for (uint32_t i = 1; i <= 2; i++) {
		struct guest_call call = guest_call(cell, NEST);
		uint32_t smaller = n - i;
		guest_buffer(&call, CELLA_DIRECTION_OUT, i == 1 ? a : b, 8);
		guest_value(&call, &smaller, 4);
		guest_submit(&call);
	}
	guest_wait(cell, a, false);
	guest_wait(cell, b, false);
	*sum = *(double *)guest_at(cell, a, 8) + *(double *)guest_at(cell, b, 8);
}

static void deep_body(struct cell_instance *cell, uint32_t frame)
{
	uint32_t n = number(cell, frame, 1), below = guest_alloc(cell, 8), less = n - 1;
	double *sum = doubles(cell, frame, 0, 1);
	if (n == 0)
		return;
	struct guest_call call = guest_call(cell, DEEP);
	guest_buffer(&call, CELLA_DIRECTION_OUT, below, 8);
	guest_value(&call, &less, 4);
	guest_submit(&call);
	guest_wait(cell, below, false);
	*sum = 1 + *(double *)guest_at(cell, below, 8);
}

static void fail_body(struct cell_instance *cell, uint32_t frame)
{
	(void)frame;
	guest_fail(cell, "bad weather");
}

static void flaky_body(struct cell_instance *cell, uint32_t frame)
{
	if (__atomic_add_fetch(&result->values[40], 1, __ATOMIC_SEQ_CST) < 3)
		guest_fail(cell, "not yet");
	increment_body(cell, frame);
}

/* Burns until the nested wait times out: its child never comes back in time. */
static void hang_body(struct cell_instance *cell, uint32_t frame)
{
	(void)frame;
	uint64_t end = clock_ns() + 300000000;
	while (clock_ns() < end)
		;
	struct guest_call call = guest_call(cell, EMPTY);
	guest_submit(&call);
	guest_barrier(cell);
}

static void exit_body(struct cell_instance *cell, uint32_t frame)
{
	increment_body(cell, frame);
	instance_exit(cell, (int32_t)number(cell, frame, 2));
}

const struct fake_function task_functions_of_tests[FAKE_FUNCTIONS_MAX] = {
	[EMPTY] = {"empty", empty_body, {0}},
	[SCALE] = {"scale", scale_body, {0}},
	[INCREMENT] = {"increment", increment_body, {0}},
	[GATHER] = {"gather", gather_body, {0}},
	[TRANSPOSE] = {"transpose", transpose_body, {0}},
	[MARK] = {"mark", mark_body, {0}},
	[ADD] = {"add", add_body, {0}},
	[COPY_FILE] = {"copy_file", copy_file_body, {0}},
	[APPEND_FILE] = {"append_file", append_file_body, {0}},
	[REMAKE_FILE] = {"remake_file", remake_file_body, {0}},
	[DROP_FILE] = {"drop_file", drop_file_body, {.on_failure = CELLA_ON_FAILURE_FAIL}},
	[NEST] = {"nest", nest_body, {0}},
	[DEEP] = {"deep", deep_body, {.on_failure = CELLA_ON_FAILURE_FAIL}},
	[FAIL] = {"fail", fail_body, {.retries = 1}},
	[FLAKY] = {"flaky", flaky_body, {0}},
	[CANCELING] = {"canceling", fail_body, {.on_failure = CELLA_ON_FAILURE_CANCEL_SUCCESSORS}},
	[IGNORED] = {"ignored", fail_body, {.on_failure = CELLA_ON_FAILURE_IGNORE}},
	[HANG] = {"hang", hang_body, {.timeout_ms = 100, .on_failure = CELLA_ON_FAILURE_CANCEL_SUCCESSORS}},
	[EXIT] = {"exit", exit_body, {.on_failure = CELLA_ON_FAILURE_FAIL}},
};

/* Submitting, for programs. */

void submit_empty(struct cell_instance *cell)
{
	struct guest_call call = guest_call(cell, EMPTY);
	guest_submit(&call);
}

void submit_scale(struct cell_instance *cell, uint32_t x, uint32_t y, uint32_t n, double k)
{
	struct guest_call call = guest_call(cell, SCALE);
	guest_buffer(&call, CELLA_DIRECTION_IN, x, n * 8);
	guest_buffer(&call, CELLA_DIRECTION_OUT, y, n * 8);
	guest_value(&call, &n, 4);
	guest_value(&call, &k, 8);
	guest_submit(&call);
}

void submit_in_place(struct cell_instance *cell, uint32_t function, uint32_t x, uint32_t n)
{
	struct guest_call call = guest_call(cell, function);
	guest_buffer(&call, CELLA_DIRECTION_INOUT, x, n * 8);
	guest_value(&call, &n, 4);
	guest_submit(&call);
}

void submit_mark(struct cell_instance *cell, uint32_t buffer, uint32_t at)
{
	struct guest_call call = guest_call(cell, MARK);
	guest_buffer(&call, CELLA_DIRECTION_CONCURRENT, buffer, 1000);
	guest_value(&call, &at, 4);
	guest_submit(&call);
}

void submit_add(struct cell_instance *cell, uint32_t sum, uint32_t value)
{
	struct guest_call call = guest_call(cell, ADD);
	guest_buffer(&call, CELLA_DIRECTION_COMMUTATIVE, sum, 16);
	guest_value(&call, &value, 4);
	guest_submit(&call);
}

uint32_t new_doubles(struct cell_instance *cell, uint32_t n, double first)
{
	uint32_t address = guest_alloc(cell, n * 8);
	double *x = guest_at(cell, address, n * 8);
	for (uint32_t i = 0; i < n; i++)
		x[i] = first + i;
	return address;
}

double double_at(struct cell_instance *cell, uint32_t address, uint32_t index)
{
	return *(double *)guest_at(cell, address + index * 8, 8);
}

void note(size_t index, double value)
{
	result->values[index] = (uint64_t)(int64_t)value;
}
