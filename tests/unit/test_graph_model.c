/*
 * The task graph and scheduler against a model. Random programs with random failures, losses and
 * forgetful executors are played; a sequential pass over the same program, in order of submission,
 * says how each task must have ended and what each datum must hold. Does every task end, once, as
 * it must, and is nothing left over?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cella/task.h"
#include "task/graph_state.h"
#include "task/scheduler.h"

enum {
	TASKS = 300,
	DATA = 3 * TASKS,
	EXECUTORS = 40,
	INPUTS = 6,
	GROUPS = 5, /* at a time; the first is none, the third lies in the second */
	QUEUE = 256,
	OBJECTS = 16384,
	PROGRAMS = 400
};

#define demand(condition)                                                  \
	do {                                                               \
		if (!(condition))                                          \
			fail_msg("seed %u: not so: %s", seed, #condition); \
	} while (0)

/* A task of the program, and what became of it. */
struct task {
	uint64_t id;
	uint32_t on_failure, retries;
	uint32_t inputs[INPUTS], input_count; /* places in data[] */
	uint32_t output;                      /* a place in data[]; 0: none */
	uint32_t final;                       /* that it joins; 0: none */
	uint32_t group;
	uint32_t failed_attempts;
	bool failed_fallback, ended, told_ignored;
	bool group_cancelled; /* by a cancel that the graph counted */
	uint32_t told;        /* status, when it was told of an end that is not well */
	uint32_t tells;
};

struct datum {
	uint64_t id;
	bool member_made; /* commutative */
	bool closed;      /* something reads it: no more members */
	uint32_t base;
	uint64_t expected; /* the model's */
	bool failed;       /* the model's */
	bool released;
};

struct object {
	uint64_t datum, version, value;
	bool live;
};

struct executor {
	uint32_t queue[QUEUE], queued; /* places in tasks[]; with chained inputs */
	uint32_t attempts[QUEUE];
	bool fallback[QUEUE];
	struct map cache; /* datum -> value | 1 */
	bool alive;
};

static uint32_t groups[GROUPS], group_count; /* their numbers */
static unsigned seed;
static struct graph *graph;
static struct task tasks[TASKS + 1];
static struct datum data[DATA + 1];
static struct object objects[OBJECTS];
static struct executor executors[EXECUTORS];
static uint32_t task_count, data_count, object_count, executor_count, answers;
static uint64_t now_ns, random_word;

static uint32_t random_below(uint32_t n)
{
	random_word = random_word * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_word >> 33) % n;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ b * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
	return (x ^ x >> 31) | 1;
}

static uint64_t new_id(uint32_t place)
{
	return (uint64_t)1 << TASK_COUNTER_BITS | place;
}

static struct task *task_of(uint64_t id)
{
	return &tasks[id & 0xffff];
}

/* What the graph says. */

static void on_outcome(void *arg, const struct graph_outcome *o)
{
	(void)arg;
	struct task *t = task_of(o->head.task);
	if (o->head.status == TASK_IGNORED) {
		demand(!t->told_ignored);
		t->told_ignored = true;
		return;
	}
	t->told = o->head.status;
	t->tells++;
	t->ended = true;
}

static void on_answer(void *arg, const struct graph_answer *a)
{
	(void)arg;
	(void)a;
	answers++;
}

static void on_dropped(void *arg, uint64_t offset, uint64_t size, bool spilled)
{
	(void)arg;
	demand(size == 100 && !spilled && offset < object_count && objects[offset].live);
	objects[offset].live = false;
}

/* Nothing needs it, whoever has it is told, and nobody needs it later. */
static void on_forgotten(void *arg, uint64_t datum, uint64_t holders)
{
	(void)arg;
	for (uint32_t i = 0; i < object_count; i++)
		demand(!objects[i].live || objects[i].datum != datum);
	for (uint32_t i = 1; i <= executor_count; i++)
		for (uint64_t version = 0; version <= TASKS; version++)
			if (map_take(&executors[i].cache, datum + version * 1000000))
				demand(holders >> i % 64 & 1);
}

static int on_restore(void *arg, uint64_t *offset, uint64_t size)
{
	(void)arg;
	(void)offset;
	(void)size;
	return CELLA_EBUG;
}

static struct task_location make_object(uint64_t datum, uint64_t version, uint64_t value)
{
	demand(object_count < OBJECTS);
	objects[object_count] = (struct object){datum, version, value | 1, true};
	return (struct task_location){.datum = datum,
	                              .version = version,
	                              .offset = object_count++,
	                              .size = 100};
}

static void on_send(void *arg, uint32_t number, uint32_t handle)
{
	(void)arg;
	struct executor *e = &executors[number];
	const struct graph_task *g = task_at(graph, handle);
	demand(e->alive && e->queued < QUEUE);
	e->attempts[e->queued] = g->attempt;
	e->fallback[e->queued] = g->flags & TASK_FLAG_FALLBACK;
	e->queue[e->queued++] = (uint32_t)(task_of(g->id) - tasks);
}

/* An executor runs the first of its queue. */

static bool find_value(struct executor *e, uint64_t datum, uint64_t version, const struct task_location *l,
                       uint64_t *ret_value)
{
	void *known = map_get(&e->cache, datum + version * 1000000);
	if (known) {
		*ret_value = (uint64_t)(uintptr_t)known;
		return true;
	}
	if (l->size == 0)
		return false;
	const struct object *o = &objects[l->offset];
	demand(o->live && o->datum == datum && o->version == version);
	*ret_value = o->value;
	return true;
}

static void cache(struct executor *e, uint64_t datum, uint64_t version, uint64_t value)
{
	if (random_below(8))
		demand(map_put(&e->cache, datum + version * 1000000, (void *)(uintptr_t)(value | 1)) == 0);
}

/* The value of what the task makes; 0 if an input is missing. *ret_state: of what it joins. */
static uint64_t compute(struct executor *e, const struct task *t, struct graph_run *run, uint64_t *ret_state,
                        uint64_t *ret_version)
{
	uint64_t value = t->id | 1, input;
	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct task_location *l = &run->locations[i];
		if (!find_value(e, data[t->inputs[i]].id, l->version, l, &input))
			return 0;
		value = mix(value, input);
	}
	*ret_state = 0;
	*ret_version = 0;
	if (t->final) {
		const struct task_location *l = &run->locations[t->input_count];
		if (l->datum == data[t->final].id)
			*ret_version = l->version;
		if (l->datum && !find_value(e, l->datum, l->version, l, ret_state))
			return 0;
	}
	return value;
}

static void run_first(uint32_t number)
{
	struct executor *e = &executors[number];
	struct task *t = &tasks[e->queue[0]];
	bool fallback = e->fallback[0];
	struct task_done d = {.task = t->id,
	                      .attempt = e->attempts[0],
	                      .receipt_low = 1,
	                      .end_ns = random_below(3) * 4000};
	struct task_location outputs[2];
	struct graph_task *g = map_get(&graph->tasks_by_id, t->id);
	struct graph_run run;
	struct error err;
	uint64_t state, version;
	demand(g && graph_run(graph, g->item.handle, &run) == 0);
	memmove(e->queue, e->queue + 1, --e->queued * sizeof(e->queue[0]));
	memmove(e->attempts, e->attempts + 1, e->queued * sizeof(e->attempts[0]));
	memmove(e->fallback, e->fallback + 1, e->queued * sizeof(e->fallback[0]));
	uint64_t value = compute(e, t, &run, &state, &version);
	if (value == 0) {
		d.status = TASK_MISSING;
		demand(g->flags & TASK_FLAG_CHAINED);
	} else if (!random_below(fallback ? 40 : 8)) {
		d.status = random_below(2) ? TASK_FAILED : TASK_TIMED_OUT;
		if (fallback)
			t->failed_fallback = true;
		else
			t->failed_attempts++;
	} else {
		d.status = fallback ? TASK_IGNORED : TASK_OK;
		value = fallback ? 1 : value;
		state += fallback ? 0 : 2 * (t->id & 0xffff);
		if (t->output) {
			outputs[d.output_count++] = make_object(data[t->output].id, 0, value);
			cache(e, data[t->output].id, 0, value);
		}
		if (t->final) {
			outputs[d.output_count++] = make_object(data[t->final].id, version + 1, state);
			cache(e, data[t->final].id, version + 1, state);
		}
		demand(!t->ended);
		t->ended = true;
	}
	struct message_done m = {.done = &d, .outputs = outputs};
	demand(graph_done(graph, now_ns, number, &m, &err) == 0);
}

static void add_executor(bool driver)
{
	struct error err;
	demand(++executor_count < EXECUTORS);
	executors[executor_count].alive = !driver;
	demand(graph_executor_new(graph, executor_count, driver, &err) == 0);
}

/* The first of its queue that has its inputs has begun; a lost fallback counts for nothing. */
static void lose_executor(uint32_t number)
{
	struct executor *e = &executors[number];
	struct error err;
	for (uint32_t i = 0; i < e->queued; i++) {
		struct task *t = &tasks[e->queue[i]];
		if (((struct graph_task *)map_get(&graph->tasks_by_id, t->id))->missing)
			continue;
		t->failed_attempts += !e->fallback[i];
		break;
	}
	e->alive = false;
	e->queued = 0;
	map_done(&e->cache);
	demand(graph_executor_lost(graph, now_ns, number, &err) == 0);
	add_executor(false);
}

/* The program. */

static uint32_t put(void)
{
	struct error err;
	struct datum *d = &data[++data_count];
	d->id = new_id(0x10000 + data_count);
	d->expected = mix(d->id, 5);
	struct task_location l = make_object(d->id, 0, d->expected);
	demand(graph_put(graph, 1, &l, &err) == 0);
	return data_count;
}

static uint32_t pick_datum(void)
{
	for (int tries = 0; tries < 10 && data_count; tries++) {
		uint32_t place = data_count - random_below(data_count < 30 ? data_count : 30);
		if (!data[place].released)
			return place;
	}
	return put();
}

static uint32_t pick_final(void)
{
	for (int tries = 0; tries < 3; tries++) {
		uint32_t place = pick_datum();
		if (data[place].member_made && !data[place].closed)
			return place;
	}
	uint32_t base = random_below(3) ? pick_datum() : 0;
	data[base].closed = true;
	struct datum *d = &data[++data_count];
	d->id = new_id(0x10000 + data_count);
	d->member_made = true;
	d->base = base;
	return data_count;
}

static void submit(void)
{
	struct task *t = &tasks[++task_count];
	_Alignas(8) uint8_t body[1000];
	struct error err;
	*t = (struct task){.id = new_id(task_count),
	                   .on_failure = random_below(4),
	                   .retries = random_below(4)};
	if (t->on_failure == CELLA_ON_FAILURE_FAIL && random_below(4))
		t->on_failure = CELLA_ON_FAILURE_RETRY;
	t->input_count = random_below(4) ? random_below(3) : random_below(INPUTS);
	for (uint32_t i = 0; i < t->input_count; i++)
		t->inputs[i] = pick_datum();
	for (uint32_t i = 0; i < t->input_count; i++)
		data[t->inputs[i]].closed = true;
	if (!random_below(5))
		t->final = pick_final();
	if (!t->final || random_below(2)) {
		t->output = ++data_count;
		data[data_count].id = new_id(0x10000 + data_count);
	}
	t->group = groups[random_below(GROUPS)];
	struct task_submit s = {.task = t->id,
	                        .function = random_below(3),
	                        .group = t->group,
	                        .priority = (int32_t)random_below(3),
	                        .computing_units = random_below(3),
	                        .on_failure = t->on_failure,
	                        .retries = t->retries,
	                        .backoff_ms = random_below(4) ? 0 : 3,
	                        .input_count = (uint16_t)t->input_count,
	                        .output_count = t->output != 0,
	                        .commutative_count = t->final != 0};
	uint8_t *at = mempcpy(body, &s, sizeof(s));
	for (uint32_t i = 0; i < t->input_count; i++)
		at = mempcpy(at, &data[t->inputs[i]].id, 8);
	if (t->output)
		at = mempcpy(at, &data[t->output].id, 8);
	if (t->final) {
		struct task_commutative c = {data[data[t->final].base].id, data[t->final].id};
		at = mempcpy(at, &c, sizeof(c));
	}
	struct message m;
	demand(message_decode(TASK_UP_SUBMIT, body, (size_t)(at - body), &m, &err) == 0);
	int rc = graph_submit(graph, 1, &m.submit, &err);
	if (rc < 0)
		fail_msg("seed %u: %s", seed, err.text);
}

static void release_datum(uint32_t place)
{
	struct error err;
	if (data[place].released)
		return;
	data[place].released = data[place].closed = true;
	demand(graph_release(graph, 1, data[place].id, &err) == 0);
}

static void wait_for(uint32_t place)
{
	struct error err;
	static uint64_t wait;
	struct task_wait w = {.wait = ++wait, .kind = TASK_WAIT_DATA, .data_count = 1};
	struct message_wait m = {&w, &data[place].id};
	data[place].closed = true;
	demand(graph_wait(graph, 1, &m, &err) == 0);
}

/* Number `outer` 0: in none. */
static void open_group(uint32_t place)
{
	struct error err;
	struct task_group m = {.group = ++group_count, .outer = place == 2 ? groups[1] : 0};
	groups[place] = m.group;
	demand(graph_group(graph, 1, &m, &err) == 0);
}

static void disband(uint32_t place)
{
	struct error err;
	struct task_disband m = {.group = groups[place]};
	demand(graph_disband(graph, 1, &m, &err) == 0);
	groups[place] = 0;
}

/* Cancelled are those that have neither been sent nor ended; which, only the graph knows. */
static void cancel(uint32_t group)
{
	struct error err;
	struct task_cancel c = {.wait = 1, .group = group};
	for (uint32_t i = 1; i <= task_count; i++) {
		const struct graph_task *g = map_get(&graph->tasks_by_id, tasks[i].id);
		if (g && tasks[i].group == group && g->state != TASK_SENT && g->state != TASK_ENDED)
			tasks[i].group_cancelled = true;
	}
	demand(graph_cancel(graph, 1, &c, &err) == 0);
}

/* Another one in its place, whatever of it runs still. */
static void renew_group(uint32_t place)
{
	disband(place);
	open_group(place);
}

static void schedule(void)
{
	struct error err;
	graph_tick(graph, now_ns);
	demand(scheduler_run(graph, on_send, NULL, &err) == 0);
}

/* One step of the world. False when nothing can go on but by time. */
static bool step(void)
{
	uint32_t busy[EXECUTORS], count = 0;
	for (uint32_t i = 2; i <= executor_count; i++)
		if (executors[i].alive && executors[i].queued)
			busy[count++] = i;
	if (count == 0)
		return false;
	uint32_t number = busy[random_below(count)];
	if (executor_count < EXECUTORS - 2 && !random_below(150))
		lose_executor(number);
	else
		run_first(number);
	return true;
}

/* The model: how must each task have ended, given which attempts failed? */

static void settle_final(struct datum *d)
{
	d->expected = d->base ? data[d->base].expected : 0;
	for (uint32_t i = 1; i <= task_count; i++)
		if (tasks[i].final == (uint32_t)(d - data)) {
			d->failed |= tasks[i].told != 0;
			d->expected += tasks[i].told_ignored ? 0 : 2 * (tasks[i].id & 0xffff);
		}
	d->expected |= 1;
}

static bool settled_inputs(const struct task *t, uint64_t *ret_value)
{
	bool failed = t->final && data[t->final].base && data[data[t->final].base].failed;
	*ret_value = t->id | 1;
	for (uint32_t i = 0; i < t->input_count; i++) {
		const struct datum *d = &data[t->inputs[i]];
		failed |= d->failed;
		*ret_value = mix(*ret_value, d->expected);
	}
	return !failed;
}

static uint32_t expected_status(const struct task *t, bool inputs)
{
	uint32_t attempts = t->on_failure == CELLA_ON_FAILURE_RETRY ? 1 + (t->retries ? t->retries : 2) : 1;
	if (!inputs || t->group_cancelled)
		return TASK_CANCELED;
	if (t->failed_attempts < attempts)
		return TASK_OK;
	if (t->on_failure == CELLA_ON_FAILURE_IGNORE && !t->failed_fallback)
		return TASK_OK;
	return TASK_FAILED;
}

/* In order of submission; a membership is settled before the first that reads it. */
static void check_program(void)
{
	bool done[DATA + 1] = {false};
	for (uint32_t i = 1; i <= task_count; i++) {
		struct task *t = &tasks[i];
		uint64_t value;
		for (uint32_t j = 0; j <= t->input_count; j++) {
			uint32_t place = j < t->input_count ? t->inputs[j]
			                 : t->final         ? data[t->final].base
			                                    : 0;
			if (place && data[place].member_made && !done[place]) {
				settle_final(&data[place]);
				done[place] = true;
			}
		}
		bool inputs = settled_inputs(t, &value);
		uint32_t expected = expected_status(t, inputs);
		demand(t->ended && t->tells <= 1);
		if (expected == TASK_FAILED)
			demand(t->told == TASK_FAILED || t->told == TASK_TIMED_OUT || t->told == TASK_LOST);
		else if (expected != t->told)
			fail_msg("seed %u: task %u has ended as %u, not %u", seed, i, t->told, expected);
		if (t->output) {
			data[t->output].failed = expected != TASK_OK;
			data[t->output].expected = t->told_ignored ? 1 : value;
		}
	}
	for (uint32_t i = 1; i <= data_count; i++)
		if (data[i].member_made && !done[i])
			settle_final(&data[i]);
}

static void check_data(void)
{
	for (uint32_t i = 1; i <= data_count; i++) {
		const struct graph_datum *d = map_get(&graph->data_by_id, data[i].id);
		if (!d)
			continue;
		demand(d->state == (data[i].failed ? DATUM_FAILED : DATUM_AVAILABLE));
		if (!data[i].failed)
			if (!objects[d->offset].live || objects[d->offset].value != data[i].expected)
				fail_msg("seed %u: datum %u (%s) holds %llx, not %llx", seed, i,
				         data[i].member_made ? "commutative" : "plain",
				         (unsigned long long)objects[d->offset].value,
				         (unsigned long long)data[i].expected);
	}
}

/* Once all is released and taken, nothing may be left. */
static void check_nothing_left(void)
{
	struct error err;
	for (uint32_t i = 1; i <= data_count; i++)
		release_datum(i);
	for (uint32_t i = 1; i < GROUPS; i++)
		disband(i);
	while (graph->executors[1].waits)
		demand(graph_taken(graph, 1, wait_at(graph, graph->executors[1].waits)->id, &err) == 0);
	for (uint32_t i = 0; i < object_count; i++)
		demand(!objects[i].live);
	demand(graph->tasks.live == 0 && graph->data.live == 0 && graph->edges.live == 0 &&
	       graph->turns.live == 0);
	demand(graph->groups.live == (graph->main_group != 0)); /* its root */
	demand(graph->waits.live == 0 && graph->blocks.size == 0 && graph->counts.sent == 0);
}

static void begin_program(void)
{
	struct graph_config config = {.listener = {NULL, on_outcome, on_answer, on_dropped, on_forgotten,
	                                           on_restore},
	                              .memory = 1000,
	                              .computing_units = 3,
	                              .tasks_max = 100000};
	struct error err;
	random_word = seed * 2654435761u + 12345;
	memset(tasks, 0, sizeof(tasks));
	memset(data, 0, sizeof(data));
	memset(executors, 0, sizeof(executors));
	task_count = data_count = object_count = executor_count = answers = 0;
	now_ns = 1;
	demand(graph_new(&config, &graph, &err) == 0);
	add_executor(true);
	for (uint32_t i = 0; i < 1 + seed % 3; i++)
		add_executor(false);
	for (uint32_t i = 0; i < 3; i++) {
		struct task_function f = {.index = i};
		struct message_name name = {"f", 1};
		demand(graph_function(graph, &f, &name, &err) == 0);
	}
	group_count = 0;
	for (uint32_t i = 1; i < GROUPS; i++)
		open_group(i);
}

static void play_program(void)
{
	uint32_t tasks_wanted = 20 + random_below(TASKS - 20);
	begin_program();
	while (task_count < tasks_wanted) {
		switch (random_below(13)) {
		case 0: put(); break;
		case 1: release_datum(pick_datum()); break;
		case 2: wait_for(pick_datum()); break;
		case 3:
			if (!random_below(10))
				cancel(groups[3 + random_below(2)]); /* groups without inner ones */
			break;
		case 4:
			if (!random_below(4))
				renew_group(1 + random_below(GROUPS - 1));
			break;
		case 5:
		case 6: step(); break;
		default: submit();
		}
		schedule();
		now_ns += 500000;
	}
	for (;;) {
		schedule();
		if (step())
			continue;
		uint64_t due = graph_tick(graph, now_ns);
		if (due == UINT64_MAX)
			break;
		now_ns = due;
	}
}

static void test_model(void **state)
{
	(void)state;
	for (seed = 1; seed <= PROGRAMS; seed++) {
		play_program();
		for (uint32_t i = 1; i <= data_count; i++)
			if (data[i].member_made && !data[i].released)
				wait_for(i); /* closes the memberships */
		check_program();
		check_data();
		check_nothing_left();
		for (uint32_t i = 0; i < EXECUTORS; i++)
			map_done(&executors[i].cache);
		graph_free(graph);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
