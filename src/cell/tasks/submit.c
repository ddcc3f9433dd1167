#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/tasks/state.h"
#include "cell/wasi/wasi.h"

/* A submission as it grows. */
struct building {
	struct tasks *t;
	struct tasks_submitter *submitter;
	struct cell_instance *cell;
	struct task_submit submit;
	struct invocation_writer writer;
	size_t copy_count;
};

static int memory_error(const char *what, uint32_t address, uint32_t size, struct error *err)
{
	return error_set(err, CELLA_EINVAL, "%s of %u bytes at 0x%x lies outside the cell's memory", what,
	                 size, address);
}

/* Functions. */

static int grow_functions(struct tasks *t, uint32_t index, struct error *err)
{
	if (index < t->function_count)
		return 0;
	size_t count = max_of((size_t)index + 1, t->function_count * 2);
	struct tasks_function *larger = reallocarray(t->functions, count, sizeof(*larger));
	if (!larger)
		return error_set(err, CELLA_ENOMEM, "no memory for the names of task functions");
	memset(larger + t->function_count, 0, (count - t->function_count) * sizeof(*larger));
	t->functions = larger;
	t->function_count = count;
	return 0;
}

static int announce(struct tasks *t, uint32_t index, const char *name, uint32_t on_failure, struct error *err)
{
	int rc = grow_functions(t, index, err);
	if (rc < 0 || t->functions[index].announced)
		return rc;
	struct tasks_function *f = &t->functions[index];
	f->on_failure = on_failure;
	size_t size = tasks_public_name(name, f->name);
	struct task_function message = {.index = index};
	struct ring_part parts[] = {{&message, sizeof(message)}, {f->name, size}};
	rc = tasks_send(t, TASK_UP_FUNCTION, parts, array_count(parts), err);
	f->announced = rc == 0;
	return rc;
}

static int check_options(const struct cella_abi_options *o, struct error *err)
{
	if (o->on_failure > CELLA_ON_FAILURE_CANCEL_SUCCESSORS)
		return error_set(err, CELLA_EINVAL, "the option on_failure has no value %u", o->on_failure);
	if (o->retries >= TASK_ATTEMPTS_MAX)
		return error_set(err, CELLA_EINVAL, "the option retries is %u; %d is the most", o->retries,
		                 TASK_ATTEMPTS_MAX - 1);
	return 0;
}

/* Sending. */

static int prove(struct tasks *t, struct tasks_submitter *s, uint64_t task, struct tasks_group *group,
                 struct error *err)
{
	struct seal_receipt receipt;
	int rc = seal_receipt_make(t->config.session, task, TASK_OK, &receipt, err);
	if (rc < 0)
		return rc;
	uint64_t sequence = task >> TASK_FUNCTION_BITS;
	rc = ledger_add(&s->ledger, sequence, &receipt);
	for (; rc == 0 && group; group = group->outer)
		rc = ledger_add(&group->ledger, sequence, &receipt);
	if (rc < 0)
		return error_set(err, rc, "no memory to account for a task");
	return 0;
}

static size_t append(uint8_t *to, size_t at, const void *from, size_t size)
{
	if (size)
		memcpy(to + at, from, size);
	return at + size;
}

/* Seals the invocation with the submission's structure and arrays as additional data. */
static int send_submission(struct tasks *t, struct task_submit *submit, const uint64_t *inputs,
                           const uint64_t *outputs, const uint8_t *plain, size_t plain_size,
                           struct error *err)
{
	submit->sealed_size = (uint32_t)seal_size(plain_size);
	size_t size = append(t->submission, 0, submit, sizeof(*submit));
	size = append(t->submission, size, inputs, submit->input_count * sizeof(*inputs));
	size = append(t->submission, size, outputs, submit->output_count * sizeof(*outputs));
	size = append(t->submission, size, t->turns, submit->commutative_count * sizeof(*t->turns));
	struct seal_id id = {.kind = SEAL_KIND_INVOCATION, .object = submit->task};
	int rc = seal_object(t->config.session, &id, t->submission, size, plain, plain_size, t->sealed, err);
	if (rc < 0)
		return rc;
	struct ring_part parts[] = {{t->submission, size}, {t->sealed, submit->sealed_size}};
	return tasks_send(t, TASK_UP_SUBMIT, parts, array_count(parts), err);
}

/* A task of our own making, which puts the parts' changes over the base. */
static int submit_merge(struct tasks *t, struct tasks_submitter *s, const struct version_source *source,
                        uint64_t output, uint32_t size, struct error *err)
{
	uint64_t inputs[1 + VERSIONS_PARTS_MAX];
	uint8_t plain[64];
	struct invocation_writer w;
	struct task_submit submit = {
		.task = t->next_sequence++ << TASK_FUNCTION_BITS | TASK_MERGE,
		.parent = s->task,
		.function = TASK_MERGE,
		.input_count = (uint16_t)(1 + source->part_count),
		.output_count = 1,
	};
	inputs[0] = source->base.id;
	memcpy(inputs + 1, source->parts, source->part_count * sizeof(*inputs));
	invocation_begin(&w, plain, sizeof(plain));
	invocation_buffer(&w, VERSION_INOUT, size, source);
	int rc = invocation_end(&w, err);
	if (rc == 0)
		rc = announce(t, TASK_MERGE, "merge", CELLA_ON_FAILURE_RETRY, err);
	if (rc == 0)
		rc = prove(t, s, submit.task, NULL, err);
	return rc < 0 ? rc : send_submission(t, &submit, inputs, &output, plain, w.size, err);
}

static int send_put(struct tasks *t, uint64_t datum, const void *from, uint64_t size, struct error *err)
{
	struct task_location location;
	int rc = tasks_write(t, datum, 0, from, size, false, &location, err);
	if (rc < 0)
		return rc;
	struct ring_part part = {&location, sizeof(location)};
	rc = tasks_send(t, TASK_UP_PUT, &part, 1, err);
	return rc < 0 ? rc : tasks_close_extents(t, err);
}

int tasks_release(struct tasks *t, struct tasks_submitter *s, struct error *err)
{
	const uint64_t *data;
	size_t count = s->versions ? versions_take_releases(s->versions, &data) : 0;
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < count; at += TASK_DATA_MAX) {
		struct ring_part part = {data + at,
		                         min_of(count - at, (size_t)TASK_DATA_MAX) * sizeof(*data)};
		rc = tasks_send(t, TASK_UP_RELEASE, &part, 1, err);
	}
	return rc;
}

/* Arguments. */

static int add_data(struct building *b, const struct version_source *source, uint64_t output,
                    const struct task_commutative *turn, struct error *err)
{
	struct tasks *t = b->t;
	struct task_submit *s = &b->submit;
	size_t inputs = source->base.id && !turn ? 1 + source->part_count : 0;
	size_t count = (size_t)s->input_count + s->output_count + s->commutative_count;
	if (count + inputs + (output != 0) + (turn != NULL) > TASK_DATA_MAX)
		return error_set(err, CELLA_ELIMIT, "a task may name %d buffers and files", TASK_DATA_MAX);
	for (size_t i = 0; i < inputs; i++)
		t->inputs[s->input_count++] = i == 0 ? source->base.id : source->parts[i - 1];
	if (output)
		t->outputs[s->output_count++] = output;
	if (turn)
		t->turns[s->commutative_count++] = *turn;
	return 0;
}

/* What the access says: put, merge, then the arrays. `content` is the submitter's. */
static int add_access(struct building *b, const struct version_effect *e, const void *content, uint64_t size,
                      struct error *err)
{
	int rc = 0;
	if (e->put)
		rc = send_put(b->t, e->put, content, size, err);
	if (rc == 0 && e->merge)
		rc = submit_merge(b->t, b->submitter, &e->merge_source, e->merge, (uint32_t)size, err);
	if (rc < 0)
		return rc;
	struct task_commutative turn = {.base = e->source.base.id, .final = e->final};
	return add_data(b, &e->source, e->output, e->final ? &turn : NULL, err);
}

static int add_tracked(struct building *b, const struct cella_abi_item *item, enum version_access access,
                       struct error *err)
{
	const void *content = instance_memory(b->cell, item->address, item->size);
	if (!content || !item->address)
		return memory_error("a buffer", item->address, item->size, err);
	struct version_name name = {.address = item->address, .size = item->size};
	struct version_effect effect;
	int rc = versions_access(b->submitter->versions, &name, access, &effect, err);
	if (rc == 0)
		rc = add_access(b, &effect, content, item->size, err);
	if (rc == 0)
		invocation_buffer(&b->writer, access, item->size, &effect.source);
	return rc;
}

/* Passed by value, in the invocation, or, if it is large, as a datum of its own. */
static int add_value(struct building *b, const struct cella_abi_item *item, struct error *err)
{
	struct tasks *t = b->t;
	const void *content = instance_memory(b->cell, item->address, item->size);
	if (!content || (item->size && !item->address))
		return memory_error("a value", item->address, item->size, err);
	if (item->size <= INVOCATION_INLINE_MAX) {
		invocation_value(&b->writer, content, item->size);
		return 0;
	}
	struct version_source source = {.base.id = t->next_datum++};
	int rc = send_put(t, source.base.id, content, item->size, err);
	if (rc == 0)
		rc = add_data(b, &source, 0, NULL, err);
	if (rc < 0)
		return rc;
	t->copies[b->copy_count++] = source.base.id;
	invocation_buffer(&b->writer, VERSION_IN, item->size, &source);
	return 0;
}

static const enum version_access access_of[] = {
	[CELLA_DIRECTION_IN] = VERSION_IN,
	[CELLA_DIRECTION_OUT] = VERSION_OUT,
	[CELLA_DIRECTION_INOUT] = VERSION_INOUT,
	[CELLA_DIRECTION_CONCURRENT] = VERSION_CONCURRENT,
	[CELLA_DIRECTION_COMMUTATIVE] = VERSION_COMMUTATIVE,
};

static int add_buffer(struct building *b, const struct cella_abi_item *item, struct error *err)
{
	if (item->direction == CELLA_DIRECTION_COPY)
		return add_value(b, item, err);
	if (item->direction >= array_count(access_of))
		return error_set(err, CELLA_EINVAL, "a buffer has the unknown direction %u", item->direction);
	enum version_access access = access_of[item->direction];
	if (item->size)
		return add_tracked(b, item, access, err);
	invocation_buffer(&b->writer, access, 0, NULL);
	return 0;
}

static int put_file(struct building *b, const char *path, const struct version_effect *e, struct error *err)
{
	uint8_t *data = NULL;
	size_t size = 0;
	int rc = 0;
	if (e->put)
		rc = wasi_file_read(b->t->config.wasi, path, &data, &size, err);
	if (rc == 0)
		rc = add_access(b, e, data, size, err);
	mem_free(b->t->config.pool, data);
	return rc;
}

static int add_file(struct building *b, const struct cella_abi_item *item, struct error *err)
{
	char path[CELLA_ABI_PATH_MAX + 1];
	const char *given = instance_memory(b->cell, item->address, item->size);
	if (!given || !item->address || !item->size || item->size > CELLA_ABI_PATH_MAX)
		return memory_error("a path", item->address, item->size, err);
	memcpy(path, given, item->size);
	path[item->size] = '\0';
	if (item->direction < CELLA_DIRECTION_IN || item->direction > CELLA_DIRECTION_INOUT ||
	    strlen(path) != item->size)
		return error_set(err, CELLA_EINVAL,
		                 "the file %s has the unknown direction %u, or a zero in its path", path,
		                 item->direction);
	enum version_access access = access_of[item->direction];
	struct version_name name = {.path = path};
	struct version_effect effect;
	int rc = versions_access(b->submitter->versions, &name, access, &effect, err);
	if (rc == 0)
		rc = put_file(b, path, &effect, err);
	if (rc == 0)
		invocation_file(&b->writer, access, path, item->size, &effect.source);
	return rc;
}

static int add_collection(struct building *b, const struct cella_abi_item *item, struct error *err)
{
	(void)err;
	invocation_collection(&b->writer, item->size, item->columns);
	return 0;
}

static int (*const adders[])(struct building *, const struct cella_abi_item *, struct error *) = {
	[CELLA_ABI_VALUE] = add_value,
	[CELLA_ABI_BUFFER] = add_buffer,
	[CELLA_ABI_COLLECTION] = add_collection,
	[CELLA_ABI_FILE] = add_file,
};

static int add_items(struct building *b, const struct tasks_call *call, struct error *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < call->item_count; i++) {
		struct cella_abi_item item = call->items[i];
		rc = item.kind < array_count(adders)
		             ? adders[item.kind](b, &item, err)
		             : error_set(err, CELLA_EINVAL, "parameter %u has the unknown kind %u", i,
		                         item.kind);
		if (rc < 0)
			return error_prefix(err, rc, "call of task %s: ", call->name);
	}
	return invocation_end(&b->writer, err);
}

static bool takes_turns(const struct tasks_call *call)
{
	for (uint32_t i = 0; i < call->item_count; i++)
		if (call->items[i].direction == CELLA_DIRECTION_COMMUTATIVE)
			return true;
	return false;
}

static struct task_submit submission_of(struct tasks *t, const struct tasks_submitter *s,
                                        const struct tasks_call *call)
{
	const struct cella_abi_options *o = &call->options;
	return (struct task_submit){
		.task = t->next_sequence++ << TASK_FUNCTION_BITS | call->function,
		.parent = s->task,
		.function = call->function,
		.group = s->open_count ? s->open[s->open_count - 1]->id : 0,
		.priority = o->priority,
		.computing_units = o->computing_units,
		.memory = o->memory,
		.on_failure = o->on_failure,
		.retries = o->retries,
		.backoff_ms = o->backoff_ms,
		.timeout_ms = o->timeout_ms,
	};
}

static void *take_protected(void *pool, size_t size)
{
	return mem_alloc(pool, size);
}

static void give_protected(void *pool, void *p)
{
	mem_free(pool, p);
}

/* Everything before the items. Its receipt is accounted for now, so that ledgers ascend. */
static int begin(struct building *b, const struct tasks_call *call, struct error *err)
{
	struct tasks *t = b->t;
	struct tasks_submitter *s = b->submitter;
	struct version_memory memory = {t->config.pool, take_protected, give_protected};
	int rc = 0;
	if (call->function >= TASK_MERGE)
		return error_set(err, CELLA_ELIMIT, "a program may have %d task functions", TASK_MERGE);
	if (!s->versions)
		rc = versions_new(&t->next_datum, &memory, &s->versions, err);
	if (rc == 0)
		rc = check_options(&call->options, err);
	if (rc == 0)
		rc = announce(t, call->function, call->name, call->options.on_failure, err);
	if (rc < 0)
		return rc;
	b->submit = submission_of(t, s, call);
	t->cancels |= call->options.on_failure == CELLA_ON_FAILURE_CANCEL_SUCCESSORS;
	struct version_sum number = {0};
	if (takes_turns(call))
		rc = tasks_member_number(t, b->submit.task, &number, err);
	if (rc == 0)
		rc = prove(t, s, b->submit.task, s->open_count ? s->open[s->open_count - 1] : NULL, err);
	versions_begin(s->versions, number);
	invocation_begin(&b->writer, t->plain, TASKS_PLAIN_MAX);
	return rc;
}

int tasks_submit(struct tasks *t, struct cell_instance *cell, const struct tasks_call *call,
                 struct error *err)
{
	struct building b = {.t = t, .submitter = &tasks_top(t)->submitter, .cell = cell};
	int rc = begin(&b, call, err);
	if (rc == 0)
		rc = add_items(&b, call, err);
	if (rc == 0)
		rc = send_submission(t, &b.submit, t->inputs, t->outputs, t->plain, b.writer.size, err);
	if (rc == 0 && b.copy_count) {
		struct ring_part part = {t->copies, b.copy_count * sizeof(*t->copies)};
		rc = tasks_send(t, TASK_UP_RELEASE, &part, 1, err);
	}
	if (rc == 0)
		rc = tasks_release(t, b.submitter, err);
	ring_flush(&t->link.up);
	b.submitter->torn |= rc < 0;
	return rc;
}
