/* An executor without keys: see fake_node.h. */
#include "fake_node.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "cell/launch_format.h"
#include "cella/task.h"
#include "net/spin.h"

enum { EXTENT = 1 << 20 };

void fake_check_at(bool condition, const char *text, const char *file, int line)
{
	if (condition)
		return;
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
	_exit(99);
}

uint64_t fake_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15u + b;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return x ^ (x >> 32);
}

/* An executor. */

struct fake_queued {
	struct fake_queued *next;
	size_t size;
	_Alignas(8) uint8_t body[];
};

void fake_peer_open(struct fake_peer *p, int socket, uint32_t number)
{
	struct launch_rings m;
	int fds[4];
	size_t size, fd_count;
	struct error err;
	fake_check(io_receive_message(socket, &m, sizeof(m), &size, fds, 4, &fd_count, &err) == 0);
	fake_check(size == sizeof(m) && fd_count == 4 && m.version == TASK_FORMAT_VERSION);
	size_t one = ring_memory_size(m.ring_capacity);
	uint8_t *rings = mmap(NULL, 2 * one, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	p->store = mmap(NULL, m.store_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fds[1], 0);
	fake_check(rings != MAP_FAILED && p->store != MAP_FAILED);
	ring_writer_init(&p->up, rings, m.ring_capacity, fds[2]);
	ring_reader_init(&p->down, rings + one, m.ring_capacity, fds[3], fds[2]);
	p->socket = socket;
	p->bell = fds[3];
	p->number = number;
	p->next_id = 1;
}

static void peer_sleep(struct fake_peer *p, bool for_room)
{
	ring_flush(&p->up);
	if (for_room && !ring_writer_prepare_sleep(&p->up))
		return;
	if (ring_prepare_sleep(&p->down)) {
		struct pollfd fds[] = {{.fd = p->bell, .events = POLLIN},
		                       {.fd = p->socket, .events = POLLRDHUP}};
		poll(fds, 2, -1);
		if (fds[1].revents)
			_exit(3); /* the agent is gone */
		ring_awake(&p->down);
	}
	if (for_room)
		ring_writer_awake(&p->up);
}

void fake_send(struct fake_peer *p, uint32_t type, const struct ring_part *parts, size_t count)
{
	int rc;
	while ((rc = ring_put(&p->up, type, parts, count)) == CELLA_EAGAIN) {
		ring_flush(&p->up);
		fake_receive(p);
		peer_sleep(p, true);
	}
	fake_check(rc == 0);
}

void fake_flush(struct fake_peer *p)
{
	ring_flush(&p->up);
}

uint64_t fake_id(struct fake_peer *p)
{
	return (uint64_t)p->number << TASK_COUNTER_BITS | p->next_id++;
}

static void remember(struct fake_peer *p, uint64_t datum, uint64_t version, uint64_t value)
{
	if (p->remembers)
		fake_check(map_put(&p->values, datum ^ version << 40, (void *)(uintptr_t)(value | 1)) == 0);
}

/* The value of an input; false if it is not to be had. Values are odd, so that none is 0. */
static bool open_object(struct fake_peer *p, const struct task_location *l, uint64_t *ret_value)
{
	*ret_value = 1;
	if (l->datum == 0)
		return true;
	void *known = map_get(&p->values, l->datum ^ l->version << 40);
	if (known) {
		*ret_value = (uint64_t)(uintptr_t)known;
		return true;
	}
	if (l->size == 0)
		return false;
	struct fake_object object;
	memcpy(&object, p->store + l->offset, sizeof(object));
	fake_check(object.datum == l->datum);
	*ret_value = object.value;
	remember(p, l->datum, l->version, object.value);
	return true;
}

bool fake_extent(struct fake_peer *p, uint64_t size)
{
	struct task_extent want = {.size = size};
	struct ring_part old = {&p->extent, sizeof(p->extent)}, new = {&want, sizeof(want)};
	if (p->extent.size)
		fake_send(p, TASK_UP_CLOSE, &old, 1);
	p->extent = (struct task_extent){0};
	p->refused = false;
	fake_send(p, TASK_UP_EXTENT, &new, 1);
	for (ring_flush(&p->up); p->extent.size == 0 && !p->refused; fake_receive(p))
		peer_sleep(p, false);
	return !p->refused;
}

static struct task_location write_object(struct fake_peer *p, uint64_t datum, uint64_t version,
                                         uint64_t value)
{
	struct fake_object object = {datum, value | 1};
	while (p->extent.size - p->extent_used < p->object_size)
		fake_check(fake_extent(p, EXTENT));
	struct task_location l = {datum, version, p->extent.offset + p->extent_used, p->object_size};
	memcpy(p->store + l.offset, &object, sizeof(object));
	p->extent_used += p->object_size;
	remember(p, datum, version, value);
	return l;
}

void fake_functions(struct fake_peer *p)
{
	for (uint32_t i = 0; i < FAKE_FUNCTIONS; i++) {
		char name[16];
		struct task_function f = {.index = i};
		struct ring_part parts[] = {{&f, sizeof(f)},
		                            {name, (size_t)snprintf(name, sizeof(name), "f%u", i)}};
		fake_send(p, TASK_UP_FUNCTION, parts, 2);
	}
}

uint64_t fake_put(struct fake_peer *p, uint64_t value)
{
	struct task_location l = write_object(p, fake_id(p), 0, value);
	struct ring_part part = {&l, sizeof(l)};
	fake_send(p, TASK_UP_PUT, &part, 1);
	return l.datum;
}

void fake_release(struct fake_peer *p, uint64_t datum)
{
	struct ring_part part = {&datum, sizeof(datum)};
	fake_send(p, TASK_UP_RELEASE, &part, 1);
}

uint64_t fake_submit(struct fake_peer *p, const struct fake_task *task)
{
	static uint8_t payload[TASK_INVOCATION_MAX];
	struct task_submit head = task->head;
	head.task = head.task ? head.task : fake_id(p);
	head.input_count = (uint16_t)task->input_count;
	head.output_count = (uint16_t)task->output_count;
	head.commutative_count = (uint16_t)task->commutative_count;
	head.sealed_size = (uint32_t)task->payload;
	struct ring_part parts[] = {{&head, sizeof(head)},
	                            {task->inputs, 8 * task->input_count},
	                            {task->outputs, 8 * task->output_count},
	                            {task->commutatives, 16 * task->commutative_count},
	                            {payload, task->payload}};
	fake_send(p, TASK_UP_SUBMIT, parts, 5);
	return head.task;
}

/* A run. */
struct run {
	struct task_run head;
	const struct task_location *locations;
	struct task_submit submit;
	const uint64_t *outputs;
	const struct task_commutative *commutatives;
};

static struct run run_of(const uint8_t *body)
{
	struct run r;
	memcpy(&r.head, body, sizeof(r.head));
	r.locations = (const void *)(body + sizeof(r.head));
	const uint8_t *at = body + sizeof(r.head) + r.head.location_count * sizeof(*r.locations);
	memcpy(&r.submit, at, sizeof(r.submit));
	r.outputs = (const void *)(at + sizeof(r.submit) + 8u * r.submit.input_count);
	r.commutatives = (const void *)(r.outputs + r.submit.output_count);
	return r;
}

static void done(struct fake_peer *p, const struct run *r, uint32_t status, uint64_t start,
                 const struct task_location *outputs, uint32_t count)
{
	struct task_done d = {.task = r->head.task,
	                      .attempt = r->head.attempt,
	                      .status = status,
	                      .start_ns = start,
	                      .end_ns = clock_ns(),
	                      .receipt_low = r->head.task,
	                      .output_count = count};
	const char *why = status == TASK_FAILED ? "failed" : "";
	d.failure_size = (uint32_t)strlen(why);
	struct ring_part parts[] = {{&d, sizeof(d)},
	                            {outputs, count * sizeof(*outputs)},
	                            {why, d.failure_size}};
	fake_send(p, TASK_UP_DONE, parts, 3);
}

static void wait_until_answered(struct fake_peer *p, uint64_t wait);

static void nest(struct fake_peer *p, const struct run *r)
{
	uint64_t out[3] = {fake_id(p), fake_id(p), fake_id(p)};
	struct fake_task child = {.head = {.parent = r->head.task, .function = FAKE_MIX},
	                          .outputs = out,
	                          .output_count = 1};
	fake_submit(p, &child);
	child.outputs = out + 1;
	child.inputs = out;
	child.input_count = 1;
	fake_submit(p, &child);
	child.head.function = FAKE_NEST;
	child.head.timeout_ms = r->submit.timeout_ms - 1;
	child.outputs = out + 2;
	fake_submit(p, &child);
	struct task_wait w = {.wait = fake_id(p), .kind = TASK_WAIT_ALL, .parent = r->head.task};
	struct ring_part part = {&w, sizeof(w)};
	fake_send(p, TASK_UP_WAIT, &part, 1);
	wait_until_answered(p, w.wait);
	for (int i = 0; i < 3; i++)
		fake_release(p, out[i]);
}

static bool attempt_fails(struct fake_peer *p, const struct run *r)
{
	bool first = r->head.attempt == 1;
	struct ring_part nonsense = {"nonsense", 8};
	switch (r->submit.function) {
	case FAKE_FAIL: return true;
	case FAKE_FAIL_FIRST: return first;
	case FAKE_DIE_FIRST:
		if (!first)
			return false;
		/* fall through */
	case FAKE_DIE: raise(SIGKILL); return false;
	case FAKE_NONSENSE: fake_send(p, TASK_UP_SUBMIT, &nonsense, 1); return false;
	case FAKE_SPIN: {
		fake_flags->begun = true;
		uint64_t end = clock_ns() + r->submit.timeout_ms * 1000000ull;
		while (r->submit.timeout_ms ? clock_ns() < end : !fake_flags->gate)
			spin_pause();
		return false;
	}
	default: return false;
	}
}

static void run_task(struct fake_peer *p, const uint8_t *body)
{
	struct run r = run_of(body);
	struct task_location outputs[64];
	uint64_t start = clock_ns(), mixed = r.submit.function;
	uint64_t states[64];
	p->runs++;
	for (uint32_t i = 0; i < r.head.location_count; i++) {
		uint64_t value;
		if (!open_object(p, &r.locations[i], &value)) {
			p->missing++;
			return done(p, &r, TASK_MISSING, start, NULL, 0);
		}
		if (i >= r.submit.input_count)
			states[i - r.submit.input_count] = value;
		else
			mixed = fake_mix(mixed, value);
	}
	bool fallback = r.head.flags & TASK_RUN_FALLBACK;
	if (!fallback && attempt_fails(p, &r))
		return done(p, &r, TASK_FAILED, start, NULL, 0);
	if (!fallback && r.submit.function == FAKE_NEST && r.submit.timeout_ms)
		nest(p, &r);
	uint32_t count = 0;
	for (uint32_t i = 0; i < r.submit.output_count; i++, count++)
		outputs[count] = write_object(p, r.outputs[i], 0, fallback ? 0 : fake_mix(mixed, i));
	for (uint32_t i = 0; i < r.submit.commutative_count; i++, count++)
		outputs[count] = write_object(p, r.commutatives[i].final,
		                              (r.locations[r.submit.input_count + i].datum ==
		                                               r.commutatives[i].final
		                                       ? r.locations[r.submit.input_count + i].version
		                                       : 0) +
		                                      1,
		                              states[i] + (fallback ? 0 : 2 * (r.head.task & 0xffff)));
	done(p, &r, fallback ? TASK_IGNORED : TASK_OK, start, outputs, count);
}

static void take(struct fake_peer *p, uint32_t type, size_t size)
{
	if (type == TASK_DOWN_RUN) {
		struct fake_queued *q = malloc(sizeof(*q) + size), **end = &p->queue;
		q->next = NULL;
		q->size = size;
		memcpy(q->body, p->record, size);
		while (*end)
			end = &(*end)->next;
		*end = q;
	} else if (type == TASK_DOWN_READY) {
		memcpy(&p->ready, p->record, sizeof(p->ready));
		fake_check(map_put(&p->answered, p->ready.wait, p) == 0);
		free(p->locations);
		p->locations = malloc(size);
		fake_check(p->locations != NULL);
		memcpy(p->locations, p->record + sizeof(p->ready), size - sizeof(p->ready));
	} else if (type == TASK_DOWN_OUTCOME) {
		memcpy(&p->outcomes[p->outcome_count++ % 64], p->record, sizeof(p->outcomes[0]));
	} else if (type == TASK_DOWN_EXTENT) {
		memcpy(&p->extent, p->record, sizeof(p->extent));
		p->extent_used = 0;
		p->refused = p->extent.size == 0;
	} else if (type != TASK_DOWN_FORGET) {
		fake_check(type == TASK_DOWN_STOP);
		p->stopped = true;
	}
}

void fake_receive(struct fake_peer *p)
{
	for (;;) {
		uint32_t type;
		size_t size;
		fake_check(ring_get(&p->down, &type, p->record, &size) == 0);
		if (type == 0)
			return;
		take(p, type, size);
	}
}

static bool run_queued(struct fake_peer *p)
{
	struct fake_queued *q = p->queue;
	if (!q)
		return false;
	p->queue = q->next;
	run_task(p, q->body);
	free(q);
	return true;
}

static void wait_until_answered(struct fake_peer *p, uint64_t wait)
{
	fake_flush(p);
	for (;;) {
		fake_receive(p);
		if (map_take(&p->answered, wait))
			return;
		if (run_queued(p))
			fake_flush(p);
		else
			peer_sleep(p, false);
	}
}

void fake_peer_serve(struct fake_peer *p)
{
	struct spin spin = {0};
	fake_functions(p);
	for (;;) {
		fake_receive(p);
		if (run_queued(p)) {
			spin_reset(&spin);
			continue;
		}
		ring_flush(&p->up);
		if (p->stopped)
			return;
		if (!spin_again(&spin, SPIN_NS)) {
			peer_sleep(p, false);
			spin_reset(&spin);
		}
	}
}

static void wait_for_answer(struct fake_peer *p, uint64_t wait)
{
	struct spin spin = {0};
	for (fake_flush(p); !map_take(&p->answered, wait); fake_receive(p))
		if (!spin_again(&spin, SPIN_NS)) {
			peer_sleep(p, false);
			spin_reset(&spin);
		}
}

void fake_wait(struct fake_peer *p, uint32_t kind, uint32_t group, const uint64_t *data, size_t count)
{
	struct task_wait w = {.wait = fake_id(p),
	                      .kind = kind,
	                      .group = group,
	                      .data_count = (uint32_t)count};
	struct ring_part parts[] = {{&w, sizeof(w)}, {data, 8 * count}};
	fake_send(p, TASK_UP_WAIT, parts, 2);
	wait_for_answer(p, w.wait);
}

void fake_cancel(struct fake_peer *p, uint32_t group)
{
	struct task_cancel c = {.wait = fake_id(p), .group = group};
	struct ring_part part = {&c, sizeof(c)};
	fake_send(p, TASK_UP_CANCEL, &part, 1);
	wait_for_answer(p, c.wait);
}

uint64_t fake_wait_value(struct fake_peer *p, uint64_t datum)
{
	uint64_t value = 0;
	fake_wait(p, TASK_WAIT_DATA, 0, &datum, 1);
	fake_check(p->ready.status == TASK_OK && p->ready.location_count == 1);
	fake_check(open_object(p, p->locations, &value));
	struct ring_part part = {&p->ready.wait, 8};
	fake_send(p, TASK_UP_TAKEN, &part, 1);
	return value;
}
