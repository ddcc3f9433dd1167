#include "cell/tasks/state.h"

static int take_ready(struct tasks *t, const uint8_t *body, size_t size, struct error *err)
{
	struct down_ready ready;
	int rc = down_read_ready(body, size, &ready, err);
	return rc < 0 ? rc : tasks_ready(t, &ready, err);
}

static int take_outcome(struct tasks *t, const uint8_t *body, size_t size, struct error *err)
{
	struct down_outcome outcome;
	int rc = down_read_outcome(body, size, &outcome, err);
	return rc < 0 ? rc : tasks_outcome(t, &outcome, err);
}

static int take_extent(struct tasks *t, const uint8_t *body, size_t size, struct error *err)
{
	struct task_extent extent;
	int rc = down_read_extent(body, size, &extent, err);
	if (rc < 0)
		return rc;
	if (!t->extent_wanted || !agent_link_store(&t->link, extent.offset, extent.size))
		return error_set(err, CELLA_EFORMAT,
		                 "the agent granted room in the store that nobody asked for, or that is "
		                 "not there");
	t->extent_wanted = false;
	t->link.extent = extent;
	t->link.extent_used = 0;
	return 0;
}

static int take_stop(struct tasks *t, const uint8_t *body, size_t size, struct error *err)
{
	(void)body;
	if (size)
		return error_set(err, CELLA_EFORMAT, "the agent sent a malformed STOP message (%zu bytes)",
		                 size);
	t->stopping = true;
	return 0;
}

/* An agent that says so too early makes tasks end as missing, not more. */
static int take_forget(struct tasks *t, const uint8_t *body, size_t size, struct error *err)
{
	struct down_forget forget;
	int rc = down_read_forget(body, size, &forget, err);
	for (size_t i = 0; rc == 0 && i < forget.count; i++)
		cache_drop(t->cache, forget.data[i]);
	return rc;
}

static int (*const takers[])(struct tasks *, const uint8_t *, size_t, struct error *) = {
	[TASK_DOWN_RUN] = tasks_enqueue,  [TASK_DOWN_READY] = take_ready, [TASK_DOWN_OUTCOME] = take_outcome,
	[TASK_DOWN_EXTENT] = take_extent, [TASK_DOWN_STOP] = take_stop,   [TASK_DOWN_FORGET] = take_forget,
};

static int take(struct tasks *t, uint32_t type, const uint64_t *record, size_t size, struct error *err)
{
	int rc = type < array_count(takers) && takers[type]
	                 ? takers[type](t, (const uint8_t *)record, size, err)
	                 : error_set(err, CELLA_EFORMAT, "the agent sent a message of unknown type %u", type);
	return rc < 0 ? tasks_lose(t, rc, err) : 0;
}

static int get(struct tasks *t, uint32_t *ret_type, uint64_t *record, size_t *ret_size, struct error *err)
{
	if (t->lost.code)
		return error_set(err, t->lost.code, "%s", t->lost.text);
	int rc = ring_get(&t->link.down, ret_type, record, ret_size);
	if (rc < 0) {
		error_set(err, rc, "the agent broke the ring of messages");
		return tasks_lose(t, rc, err);
	}
	return 0;
}

int tasks_receive(struct tasks *t, bool *ret_any, struct error *err)
{
	bool any = false;
	for (;;) {
		uint32_t type = 0;
		size_t size = 0;
		int rc = get(t, &type, t->record, &size, err);
		if (rc == 0 && type == 0)
			break;
		any = true;
		if (rc == 0)
			rc = take(t, type, t->record, size, err);
		if (rc < 0)
			return rc;
	}
	*ret_any = any;
	return 0;
}

int tasks_receive_run(struct tasks *t, bool *ret_any, size_t *ret_size, struct error *err)
{
	uint32_t type = 0;
	size_t size = 0;
	int rc = get(t, &type, t->serving, &size, err);
	if (rc == 0 && type != 0 && type != TASK_DOWN_RUN)
		rc = take(t, type, t->serving, size, err);
	if (rc < 0)
		return rc;
	*ret_any = type != 0;
	*ret_size = type == TASK_DOWN_RUN ? size : 0;
	return 0;
}

void tasks_flush(struct tasks *t)
{
	ring_flush(&t->link.up);
}

int tasks_idle(struct tasks *t, struct spin *spin, uint64_t deadline_ns, struct error *err)
{
	ring_flush(&t->link.up);
	if (spin_again(spin, SPIN_NS))
		return 0;
	spin_reset(spin);
	int rc = agent_link_sleep(&t->link, false, deadline_ns, err);
	return rc < 0 ? tasks_lose(t, rc, err) : 0;
}

/* The ring is full: let the agent read, and read what it says, for it may be waiting for that. */
static int make_room(struct tasks *t, struct spin *spin, struct error *err)
{
	bool any;
	ring_flush(&t->link.up);
	int rc = tasks_receive(t, &any, err);
	if (rc < 0 || spin_again(spin, SPIN_NS))
		return rc;
	spin_reset(spin);
	rc = agent_link_sleep(&t->link, true, 0, err);
	return rc < 0 ? tasks_lose(t, rc, err) : 0;
}

size_t tasks_public_name(const char *name, char to[TASK_NAME_MAX + 1])
{
	size_t size = 0;
	for (; name[size] && size < TASK_NAME_MAX; size++)
		to[size] = name[size] >= ' ' && name[size] <= '~' ? name[size] : '?';
	if (!size)
		to[size++] = '?';
	to[size] = '\0';
	return size;
}

int tasks_send(struct tasks *t, enum task_up type, const struct ring_part *parts, size_t count,
               struct error *err)
{
	struct spin spin = {0};
	int rc;
	while ((rc = ring_put(&t->link.up, type, parts, count)) == CELLA_EAGAIN) {
		rc = make_room(t, &spin, err);
		if (rc < 0)
			return rc;
	}
	if (rc < 0) {
		error_set(err, rc, "cannot send a message of type %u to the agent", type);
		return tasks_lose(t, rc, err);
	}
	return 0;
}
