#include <string.h>

#include "cell/tasks/state.h"

enum {
	EXTENT_SIZE = 1 << 20, /* asked for when less is needed */
	OBJECT_ALIGN = 16,
};

/* Behind a commutative state's bytes, sealed with them: the sum of its members' numbers. */
struct state_tail {
	uint64_t sum_low, sum_high;
};
static_assert(sizeof(struct state_tail) == 16, "no padding");

int tasks_member_number(struct tasks *t, uint64_t task, struct version_sum *ret_number, struct error *err)
{
	struct seal_receipt r;
	int rc = seal_receipt_make(t->config.session, task, TASKS_COMMUTATIVE_NUMBER, &r, err);
	if (rc == 0)
		*ret_number = (struct version_sum){.low = r.low, .high = r.high};
	return rc;
}

/* Room. */

/* What lies in it may not be told yet: of several outputs of a task the last one tells all. */
static int leave_extent(struct tasks *t, struct error *err)
{
	if (!t->link.extent.size)
		return 0;
	if (t->left_count == array_count(t->left))
		return error_set(err, CELLA_EBUG, "too many extents of the store are full, and not told of");
	t->left[t->left_count++] = t->link.extent;
	t->link.extent = (struct task_extent){0};
	t->link.extent_used = 0;
	return 0;
}

int tasks_close_extents(struct tasks *t, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < t->left_count; i++) {
		struct ring_part part = {&t->left[i], sizeof(t->left[i])};
		rc = tasks_send(t, TASK_UP_CLOSE, &part, 1, err);
	}
	t->left_count = 0;
	return rc;
}

static int want_extent(struct tasks *t, uint64_t size, struct error *err)
{
	struct task_extent want = {.size = max_of(size, (uint64_t)EXTENT_SIZE)};
	struct ring_part part = {&want, sizeof(want)};
	int rc = leave_extent(t, err);
	if (rc == 0)
		rc = tasks_send(t, TASK_UP_EXTENT, &part, 1, err);
	t->extent_wanted = rc == 0;
	struct spin spin = {0};
	while (rc == 0 && t->extent_wanted) {
		bool any;
		rc = tasks_receive(t, &any, err);
		if (rc == 0 && t->extent_wanted)
			rc = tasks_idle(t, &spin, 0, err);
	}
	if (rc == 0 && t->link.extent.size < size)
		return error_set(err, CELLA_ELIMIT, "the store is full: it gives no %llu bytes more",
		                 (unsigned long long)size);
	return rc;
}

static int take_room(struct tasks *t, uint64_t size, struct task_location *location, uint8_t **ret_to,
                     struct error *err)
{
	uint64_t taken = align_up(size, OBJECT_ALIGN);
	if (taken > t->link.extent.size - t->link.extent_used) {
		int rc = want_extent(t, taken, err);
		if (rc < 0)
			return rc;
	}
	location->offset = t->link.extent.offset + t->link.extent_used;
	location->size = size;
	*ret_to = t->link.store + location->offset;
	t->link.extent_used += taken;
	return 0;
}

/* Writing. */

static int write_object(struct tasks *t, const struct seal_id *id, const void *from, uint64_t size,
                        struct task_location *ret_location, struct error *err)
{
	struct task_location location = {.datum = id->object, .version = id->version};
	uint8_t *to;
	int rc = take_room(t, seal_size(size), &location, &to, err);
	if (rc == 0)
		rc = seal_object(t->config.session, id, NULL, 0, from, size, to, err);
	if (rc == 0)
		*ret_location = location;
	return rc;
}

static void keep_copy(struct tasks *t, uint64_t datum, const void *from, uint64_t size)
{
	if (!cache_fits(t->cache, size))
		return;
	struct cached *c = cache_make(t->cache, datum, size, 0);
	if (!c)
		return;
	memcpy(c->data, from, size);
	cache_keep(t->cache, c);
}

int tasks_write(struct tasks *t, uint64_t datum, uint32_t attempt, const void *from, uint64_t size, bool keep,
                struct task_location *ret_location, struct error *err)
{
	struct seal_id id = {.kind = SEAL_KIND_DATA, .object = datum, .attempt = attempt};
	int rc = write_object(t, &id, from, size, ret_location, err);
	if (rc == 0 && keep)
		keep_copy(t, datum, from, size);
	return rc;
}

int tasks_write_state(struct tasks *t, const struct version_datum *state, uint32_t attempt, const void *from,
                      uint64_t size, struct task_location *ret_location, struct error *err)
{
	struct seal_id id = {.kind = SEAL_KIND_DATA,
	                     .object = state->id,
	                     .version = state->members,
	                     .attempt = attempt};
	struct state_tail tail = {.sum_low = state->sum.low, .sum_high = state->sum.high};
	struct cached *c = cache_make(t->cache, state->id, size, sizeof(tail));
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no protected memory to seal a commutative datum");
	c->version = state->members;
	c->sum = state->sum;
	memcpy(c->data, from, size);
	memcpy(c->data + size, &tail, sizeof(tail));
	int rc = write_object(t, &id, c->data, size + sizeof(tail), ret_location, err);
	if (rc == 0 && cache_fits(t->cache, size))
		cache_keep(t->cache, c);
	else
		cache_discard(t->cache, c);
	return rc;
}

/* Opening. */

static int find_object(struct tasks *t, const struct task_location *location, uint64_t datum,
                       const uint8_t **ret_sealed, struct seal_id *ret_id, size_t *ret_size,
                       struct error *err)
{
	if (location->datum != datum)
		return error_set(err, CELLA_EAUTH,
		                 "the agent offers another datum than the one that is needed");
	if (!location->size)
		return error_set(err, CELLA_EAGAIN, "a datum is not at hand");
	const uint8_t *sealed = agent_link_store(&t->link, location->offset, location->size);
	if (!sealed)
		return error_set(err, CELLA_EFORMAT, "the agent says that a datum lies outside the store");
	int rc = seal_peek(sealed, location->size, ret_id, ret_size, err);
	if (rc == 0)
		*ret_sealed = sealed;
	return rc;
}

/* Any attempt's object will do: whichever the agent chose, the task made it. */
static int open_object(struct tasks *t, const struct task_location *location,
                       const struct version_datum *datum, uint8_t *to, uint64_t size, struct error *err)
{
	const uint8_t *sealed = NULL;
	struct seal_id claimed;
	size_t claimed_size;
	int rc = find_object(t, location, datum->id, &sealed, &claimed, &claimed_size, err);
	if (rc < 0)
		return rc;
	struct seal_id expected = {
		.kind = SEAL_KIND_DATA,
		.object = datum->id,
		.version = datum->members,
		.attempt = claimed.attempt,
	};
	return seal_open(t->config.session, &expected, NULL, 0, sealed, location->size, to, size, err);
}

static bool same_sum(const struct version_sum *a, const struct version_sum *b)
{
	return a->low == b->low && a->high == b->high;
}

static int check_sum(const struct version_datum *datum, const struct version_sum *sum, struct error *err)
{
	if (datum->members && !same_sum(&datum->sum, sum))
		return error_set(err, CELLA_EAUTH,
		                 "a commutative datum was not made by the tasks that should have made it");
	return 0;
}

static int read_cached(const struct cached *c, const struct version_datum *datum, void *to, uint64_t size,
                       struct error *err)
{
	if (c->size != size)
		return error_set(err, CELLA_EAUTH, "a datum has %zu bytes, not %llu", c->size,
		                 (unsigned long long)size);
	int rc = check_sum(datum, &c->sum, err);
	if (rc == 0)
		memcpy(to, c->data, size);
	return rc;
}

/* The object with what lies behind it, into an entry of the cache, then to its place. */
static int read_through_cache(struct tasks *t, const struct task_location *location,
                              const struct version_datum *datum, void *to, uint64_t size,
                              struct version_sum *ret_sum, struct error *err)
{
	struct state_tail tail = {0};
	size_t tail_size = datum->members ? sizeof(tail) : 0;
	struct cached *c = cache_make(t->cache, datum->id, size, tail_size);
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no protected memory to open a datum");
	int rc = open_object(t, location, datum, c->data, size + tail_size, err);
	if (rc == 0) {
		memcpy(&tail, c->data + size, tail_size);
		c->version = datum->members;
		c->sum = (struct version_sum){tail.sum_low, tail.sum_high};
		*ret_sum = c->sum;
		memcpy(to, c->data, size);
	}
	if (rc == 0 && cache_fits(t->cache, size))
		cache_keep(t->cache, c);
	else
		cache_discard(t->cache, c);
	return rc;
}

static int read_datum(struct tasks *t, const struct version_datum *datum,
                      const struct task_location *location, void *to, uint64_t size, struct error *err)
{
	struct cached *c = cache_find(t->cache, datum->id);
	if (c && c->version == datum->members)
		return read_cached(c, datum, to, size, err);
	if (!datum->members && !cache_fits(t->cache, size))
		return open_object(t, location, datum, to, size, err);
	struct version_sum sum = {0};
	int rc = read_through_cache(t, location, datum, to, size, &sum, err);
	return rc < 0 ? rc : check_sum(datum, &sum, err);
}

static void put_changes(uint8_t *to, const uint8_t *base, const uint8_t *part, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		to[i] = part[i] != base[i] ? part[i] : to[i];
}

static int read_parts(struct tasks *t, const struct version_source *source,
                      const struct task_location *locations, uint8_t *to, uint64_t size, struct error *err)
{
	struct mem_pool *pool = t->config.pool;
	uint8_t *base = mem_alloc(pool, size);
	uint8_t *part = mem_alloc(pool, size);
	int rc = 0;
	if (!base || !part)
		rc = error_set(err, CELLA_ENOMEM, "no protected memory to merge concurrent changes");
	else
		memcpy(base, to, size);
	for (size_t i = 0; rc == 0 && i < source->part_count; i++) {
		struct version_datum datum = {.id = source->parts[i]};
		rc = read_datum(t, &datum, &locations[1 + i], part, size, err);
		if (rc == 0)
			put_changes(to, base, part, size);
	}
	mem_free(pool, base);
	mem_free(pool, part);
	return rc;
}

int tasks_read(struct tasks *t, const struct version_source *source, const struct task_location *locations,
               void *to, uint64_t size, struct error *err)
{
	int rc = read_datum(t, &source->base, &locations[0], to, size, err);
	if (rc == 0 && source->part_count)
		rc = read_parts(t, source, locations, to, size, err);
	return rc;
}

int tasks_read_file(struct tasks *t, const struct version_source *source,
                    const struct task_location *locations, uint8_t **ret_data, uint64_t *ret_size,
                    struct error *err)
{
	struct cached *c = cache_find(t->cache, source->base.id);
	size_t size = c ? c->size : 0;
	if (!c) {
		const uint8_t *sealed;
		struct seal_id claimed;
		int rc = find_object(t, locations, source->base.id, &sealed, &claimed, &size, err);
		if (rc < 0)
			return rc;
	}
	uint8_t *data = mem_alloc(t->config.pool, max_of(size, (size_t)1));
	if (!data)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a file of %zu bytes", size);
	int rc = tasks_read(t, source, locations, data, size, err);
	if (rc < 0) {
		mem_free(t->config.pool, data);
		return rc;
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
}

int tasks_read_state(struct tasks *t, const struct task_commutative *turn, const struct version_datum *base,
                     const struct task_location *location, void *to, uint64_t size,
                     struct version_datum *ret_state, struct error *err)
{
	struct version_datum state = {.id = turn->final};
	if (!turn->base && !location->datum) {
		memset(to, 0, size);
		*ret_state = state;
		return 0;
	}
	if (location->datum != turn->final) {
		*ret_state = state;
		struct version_datum first = *base;
		first.id = turn->base;
		return read_datum(t, &first, location, to, size, err);
	}
	state.members = location->version;
	if (!state.members)
		return error_set(err, CELLA_EAUTH,
		                 "the agent offers a state of a commutative datum that nobody made");
	struct cached *c = cache_find(t->cache, state.id);
	int rc;
	if (c && c->version == state.members) {
		state.sum = c->sum;
		rc = read_cached(c, &state, to, size, err);
	} else {
		rc = read_through_cache(t, location, &state, to, size, &state.sum, err);
	}
	if (rc == 0)
		*ret_state = state;
	return rc;
}
