#include "fake_agent.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "cell/launch_format.h"
#include "net/ring.h"
#include "task/scheduler.h"

enum { CAPACITY = 1 << 18, STORE_SIZE = 256 << 20 };

struct peer {
	uint32_t number;
	int socket;
	int bell;
	bool gone;
	struct ring_writer down;
	struct ring_reader up;
};

struct agent {
	const struct fake_agent_config *config;
	struct peer peers[FAKE_EXECUTORS_MAX];
	struct graph *graph;
	int bell;
	uint8_t *store;
	uint64_t store_used;
	uint64_t record[RING_RECORD_MAX / 8];
};

static void must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "fake agent: %s\n", err ? err->text : "failed");
	_exit(2);
}

static void complain(struct agent *a, const char *text)
{
	if (!a->config->result->protocol_error[0])
		snprintf(a->config->result->protocol_error, sizeof(a->config->result->protocol_error), "%s",
		         text);
}

static int shared_file(const char *name, size_t size, void **ret_memory)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		must(-1, NULL);
	*ret_memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return fd;
}

static void connect_peer(struct agent *a, struct peer *p, int store)
{
	void *rings;
	struct error err;
	struct launch_rings m = {.version = TASK_FORMAT_VERSION,
	                         .ring_capacity = CAPACITY,
	                         .store_size = STORE_SIZE};
	int fd = shared_file("rings", 2 * ring_memory_size(CAPACITY), &rings);
	p->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int fds[] = {fd, store, a->bell, p->bell};
	must(io_send_message(p->socket, &m, sizeof(m), fds, 4, &err), &err);
	ring_reader_init(&p->up, rings, CAPACITY, a->bell, p->bell);
	ring_writer_init(&p->down, (uint8_t *)rings + ring_memory_size(CAPACITY), CAPACITY, p->bell);
	close(fd);
}

static void put_down(struct peer *p, uint32_t type, const void *body, size_t size)
{
	struct ring_part part = {body, size};
	while (ring_put(&p->down, type, &part, 1) == CELLA_EAGAIN)
		ring_flush(&p->down);
	ring_flush(&p->down);
}

static void send_down(struct agent *a, uint32_t number, uint32_t type, const struct ring_part *parts,
                      size_t count)
{
	uint64_t body[RING_RECORD_MAX / 8];
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].size)
			memcpy((uint8_t *)body + size, parts[i].data, parts[i].size);
		size += parts[i].size;
	}
	int times = a->config->tamper ? a->config->tamper(number, &type, (uint8_t *)body, &size, a->store)
	                              : 1;
	while (times-- > 0)
		put_down(&a->peers[number - 1], type, body, size);
}

static void on_outcome(void *data, const struct graph_outcome *o)
{
	struct ring_part parts[] = {{&o->head, sizeof(o->head)}, {o->failure, o->head.failure_size}};
	send_down(data, o->executor, TASK_DOWN_OUTCOME, parts, 2);
}

static void on_answer(void *data, const struct graph_answer *r)
{
	struct ring_part parts[] = {{&r->head, sizeof(r->head)},
	                            {r->locations, r->head.location_count * sizeof(*r->locations)}};
	send_down(data, r->executor, TASK_DOWN_READY, parts, 2);
}

static void on_dropped(void *data, uint64_t offset, uint64_t size, bool spilled)
{
	(void)spilled;
	memset(((struct agent *)data)->store + offset, 0xdd, size);
}

static void on_forgotten(void *data, uint64_t datum, uint64_t holders)
{
	struct agent *a = data;
	struct ring_part part = {&datum, sizeof(datum)};
	for (uint32_t number = 1; number <= a->config->executors; number++)
		if (holders >> number % 64 & 1)
			send_down(a, number, TASK_DOWN_FORGET, &part, 1);
}

static int on_restore(void *data, uint64_t *offset, uint64_t size)
{
	(void)data;
	(void)offset;
	(void)size;
	return CELLA_EBUG;
}

static void on_send(void *data, uint32_t executor, uint32_t task)
{
	struct agent *a = data;
	struct graph_run run;
	must(graph_run(a->graph, task, &run), NULL);
	struct ring_part parts[] = {{&run.head, sizeof(run.head)},
	                            {run.locations, run.head.location_count * sizeof(*run.locations)},
	                            {run.body, run.body_size}};
	send_down(a, executor, TASK_DOWN_RUN, parts, 3);
}

static void grant(struct agent *a, uint32_t number, const struct task_extent *wanted)
{
	struct task_extent extent = {.offset = a->store_used, .size = (wanted->size + 65535) / 65536 * 65536};
	if (extent.size > STORE_SIZE - a->store_used)
		extent = (struct task_extent){0};
	a->store_used += extent.size;
	struct ring_part part = {&extent, sizeof(extent)};
	send_down(a, number, TASK_DOWN_EXTENT, &part, 1);
}

static int take_ids(struct agent *a, uint32_t number, const struct message *m, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < m->ids.count; i++)
		rc = m->type == TASK_UP_TAKEN ? graph_taken(a->graph, number, m->ids.ids[i], err)
		                              : graph_release(a->graph, number, m->ids.ids[i], err);
	return rc;
}

static int take(struct agent *a, uint32_t number, const struct message *m, struct error *err)
{
	struct graph *g = a->graph;
	int rc = 0;
	switch (m->type) {
	case TASK_UP_FUNCTION: return graph_function(g, m->function.head, &m->function.name, err);
	case TASK_UP_SUBMIT: return graph_submit(g, number, &m->submit, err);
	case TASK_UP_DONE:
		a->config->result->done[m->done.done->status & 15]++;
		return graph_done(g, clock_ns(), number, &m->done, err);
	case TASK_UP_PUT:
		for (size_t i = 0; rc == 0 && i < m->put.count; i++)
			rc = graph_put(g, number, &m->put.locations[i], err);
		return rc;
	case TASK_UP_WAIT: return graph_wait(g, number, &m->wait, err);
	case TASK_UP_TAKEN:
	case TASK_UP_RELEASE: return take_ids(a, number, m, err);
	case TASK_UP_CANCEL: return graph_cancel(g, number, m->cancel, err);
	case TASK_UP_GROUP: return graph_group(g, number, m->group.head, err);
	case TASK_UP_DISBAND:
		a->config->result->disbanded++;
		return graph_disband(g, number, m->disband, err);
	case TASK_UP_EXTENT: grant(a, number, m->extent); return 0;
	default: return 0;
	}
}

static bool read_peer(struct agent *a, struct peer *p)
{
	bool any = false;
	for (;;) {
		uint32_t type;
		size_t size;
		struct message m;
		struct error err = {0};
		must(ring_get(&p->up, &type, a->record, &size), NULL);
		if (!type)
			return any;
		any = true;
		uint32_t up = FAKE_UP | type;
		if (a->config->tamper)
			a->config->tamper(p->number, &up, (uint8_t *)a->record, &size, a->store);
		int rc = message_decode(type, a->record, size, &m, &err);
		if (rc == 0)
			rc = take(a, p->number, &m, &err);
		if (rc < 0)
			complain(a, err.text);
	}
}

static void end_peer(struct agent *a, struct peer *p)
{
	struct error err = {0};
	read_peer(a, p);
	p->gone = true;
	must(graph_executor_lost(a->graph, clock_ns(), p->number, &err), &err);
	for (uint32_t i = 1; p->number == 1 && i < a->config->executors; i++)
		put_down(&a->peers[i], TASK_DOWN_STOP, NULL, 0);
}

/* False when nobody is left. */
static bool sleep_a_while(struct agent *a)
{
	struct pollfd fds[FAKE_EXECUTORS_MAX + 1] = {{.fd = a->bell, .events = POLLIN}};
	uint32_t left = 0;
	bool ready = true;
	for (uint32_t i = 0; i < a->config->executors; i++) {
		struct peer *p = &a->peers[i];
		fds[i + 1] = (struct pollfd){.fd = p->gone ? -1 : p->socket, .events = POLLRDHUP};
		left += !p->gone;
		ready &= p->gone || ring_prepare_sleep(&p->up);
	}
	if (left && ready)
		poll(fds, a->config->executors + 1, 10);
	for (uint32_t i = 0; i < a->config->executors; i++) {
		ring_awake(&a->peers[i].up);
		if (ready && fds[i + 1].revents && !a->peers[i].gone)
			end_peer(a, &a->peers[i]);
	}
	return left != 0;
}

void fake_agent_run(const struct fake_agent_config *config)
{
	static struct agent a;
	struct error err = {0};
	struct graph_config graph = {
		.listener = {&a, on_outcome, on_answer, on_dropped, on_forgotten, on_restore},
		.memory = 1 << 30,
		.computing_units = 8,
		.tasks_max = 1 << 20,
	};
	void *store;
	a.config = config;
	a.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int store_fd = shared_file("store", STORE_SIZE, &store);
	a.store = store;
	must(graph_new(&graph, &a.graph, &err), &err);
	for (uint32_t i = 0; i < config->executors; i++) {
		a.peers[i] = (struct peer){.number = i + 1, .socket = config->sockets[i]};
		connect_peer(&a, &a.peers[i], store_fd);
		must(graph_executor_new(a.graph, i + 1, i == 0, &err), &err);
	}
	for (bool left = true; left;) {
		bool any = false;
		for (uint32_t i = 0; i < config->executors; i++)
			any |= read_peer(&a, &a.peers[i]);
		graph_tick(a.graph, clock_ns());
		must(scheduler_run(a.graph, on_send, &a, &err), &err);
		if (!any)
			left = sleep_a_while(&a);
	}
	graph_free(a.graph);
}
