#include "task/message.h"

#include "base/buf.h"
#include "cella/task.h"

static int malformed(struct error *err, const char *what)
{
	return error_set(err, CELLA_EFORMAT, "a malformed message: %s", what);
}

/* `count` objects of a type in place. */
#define take(reader, type, count) ((const type *)(const void *)reader_bytes(reader, sizeof(type) * (count)))

static int decode_name(struct reader *r, struct message_name *ret_name, struct error *err)
{
	size_t size = reader_left(r);
	if (size == 0 || size > TASK_NAME_MAX)
		return malformed(err, "the length of a name");
	const char *text = (const char *)reader_bytes(r, size);
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			return malformed(err, "a character of a name");
	*ret_name = (struct message_name){text, size};
	return 0;
}

static int decode_function(struct reader *r, struct message *m, struct error *err)
{
	m->function.head = take(r, struct task_function, 1);
	if (!m->function.head || m->function.head->index >= TASK_FUNCTIONS_MAX || m->function.head->reserved)
		return malformed(err, "a function");
	return decode_name(r, &m->function.name, err);
}

static int decode_group(struct reader *r, struct message *m, struct error *err)
{
	m->group.head = take(r, struct task_group, 1);
	if (!m->group.head || m->group.head->group == 0)
		return malformed(err, "a group");
	return decode_name(r, &m->group.name, err);
}

static int decode_submit(struct reader *r, struct message *m, struct error *err)
{
	struct message_submit *s = &m->submit;
	s->body = r->data;
	s->body_size = r->size;
	const struct task_submit *t = s->task = take(r, struct task_submit, 1);
	if (!t)
		return malformed(err, "the size of a submission");
	if ((uint32_t)t->input_count + t->output_count + t->commutative_count > TASK_DATA_MAX ||
	    t->sealed_size > TASK_INVOCATION_MAX)
		return malformed(err, "a submission past the limits");
	if (t->function >= TASK_FUNCTIONS_MAX || t->on_failure > CELLA_ON_FAILURE_CANCEL_SUCCESSORS ||
	    t->retries >= TASK_ATTEMPTS_MAX || t->flags || t->reserved)
		return malformed(err, "a field of a submission");
	s->inputs = take(r, uint64_t, t->input_count);
	s->outputs = take(r, uint64_t, t->output_count);
	s->commutatives = take(r, struct task_commutative, t->commutative_count);
	if (!reader_bytes(r, t->sealed_size))
		return malformed(err, "the size of a submission");
	return 0;
}

static int decode_done(struct reader *r, struct message *m, struct error *err)
{
	const struct task_done *d = m->done.done = take(r, struct task_done, 1);
	if (!d || d->output_count > TASK_DATA_MAX || d->failure_size > TASK_FAILURE_MAX)
		return malformed(err, "the head of an outcome");
	bool ended_well = d->status == TASK_OK || d->status == TASK_IGNORED;
	if (d->status > TASK_IGNORED || d->status == TASK_LOST || d->status == TASK_CANCELED ||
	    (!ended_well && d->output_count) || (ended_well && d->failure_size) || d->end_ns < d->start_ns)
		return malformed(err, "a field of an outcome");
	m->done.outputs = take(r, struct task_location, d->output_count);
	m->done.failure = reader_bytes(r, d->failure_size);
	return 0;
}

static int decode_put(struct reader *r, struct message *m, struct error *err)
{
	m->put.count = reader_left(r) / sizeof(struct task_location);
	m->put.locations = take(r, struct task_location, m->put.count);
	return m->put.count ? 0 : malformed(err, "data put");
}

static int decode_wait(struct reader *r, struct message *m, struct error *err)
{
	const struct task_wait *w = m->wait.wait = take(r, struct task_wait, 1);
	if (!w || w->kind > TASK_WAIT_GROUP || w->reserved || w->data_count > TASK_DATA_MAX ||
	    (w->data_count != 0) != (w->kind == TASK_WAIT_DATA) ||
	    (w->group != 0) != (w->kind == TASK_WAIT_GROUP))
		return malformed(err, "a wait");
	m->wait.data = take(r, uint64_t, w->data_count);
	return 0;
}

static int decode_ids(struct reader *r, struct message *m, struct error *err)
{
	m->ids.count = reader_left(r) / sizeof(uint64_t);
	m->ids.ids = take(r, uint64_t, m->ids.count);
	return m->ids.count ? 0 : malformed(err, "a list of ids");
}

static int decode_cancel(struct reader *r, struct message *m, struct error *err)
{
	m->cancel = take(r, struct task_cancel, 1);
	return m->cancel && m->cancel->group && !m->cancel->reserved ? 0 : malformed(err, "a cancellation");
}

static int decode_disband(struct reader *r, struct message *m, struct error *err)
{
	m->disband = take(r, struct task_disband, 1);
	return m->disband && m->disband->group && !m->disband->reserved
	               ? 0
	               : malformed(err, "the end of a group");
}

static int decode_extent(struct reader *r, struct message *m, struct error *err)
{
	m->extent = take(r, struct task_extent, 1);
	return m->extent && m->extent->size ? 0 : malformed(err, "an extent");
}

static int (*const decoders[])(struct reader *r, struct message *m, struct error *err) = {
	[TASK_UP_FUNCTION] = decode_function, [TASK_UP_SUBMIT] = decode_submit,
	[TASK_UP_DONE] = decode_done,         [TASK_UP_PUT] = decode_put,
	[TASK_UP_WAIT] = decode_wait,         [TASK_UP_TAKEN] = decode_ids,
	[TASK_UP_CANCEL] = decode_cancel,     [TASK_UP_RELEASE] = decode_ids,
	[TASK_UP_EXTENT] = decode_extent,     [TASK_UP_CLOSE] = decode_extent,
	[TASK_UP_GROUP] = decode_group,       [TASK_UP_DISBAND] = decode_disband,
};

int message_decode(uint32_t type, const void *body, size_t size, struct message *ret_message,
                   struct error *err)
{
	if (type >= array_count(decoders) || !decoders[type])
		return error_set(err, CELLA_EFORMAT, "a message of the unknown type %u", type);
	struct reader r = reader_of(body, size);
	struct message m = {.type = type};
	int rc = decoders[type](&r, &m, err);
	if (rc < 0)
		return rc;
	if (!reader_finished(&r))
		return malformed(err, "its size");
	*ret_message = m;
	return 0;
}
