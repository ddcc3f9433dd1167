#include "cell/down.h"

#include "base/buf.h"

static int malformed(const struct reader *r, const char *what, struct error *err)
{
	return error_set(err, CELLA_EFORMAT, "the agent sent a malformed %s message (%zu bytes)", what,
	                 r->size);
}

static const void *take(struct reader *r, size_t count, size_t size)
{
	return reader_bytes(r, count * size);
}

int down_read_run(const uint8_t *body, size_t size, struct down_run *ret, struct error *err)
{
	struct reader r = reader_of(body, size);
	struct down_run d = {0};
	reader_copy(&r, &d.run, sizeof(d.run));
	d.inputs = take(&r, d.run.location_count, sizeof(*d.inputs));
	d.aad = body + r.at;
	reader_copy(&r, &d.submit, sizeof(d.submit));
	d.input_data = take(&r, d.submit.input_count, sizeof(*d.input_data));
	d.output_data = take(&r, d.submit.output_count, sizeof(*d.output_data));
	d.turns = take(&r, d.submit.commutative_count, sizeof(*d.turns));
	d.aad_size = (size_t)(body + r.at - d.aad);
	d.sealed = reader_bytes(&r, d.submit.sealed_size);
	if (!reader_finished(&r) ||
	    d.run.location_count != (uint32_t)d.submit.input_count + d.submit.commutative_count ||
	    d.run.location_count + d.submit.output_count > TASK_DATA_MAX ||
	    d.submit.sealed_size > TASK_INVOCATION_MAX || d.run.attempt == 0 ||
	    d.run.attempt > TASK_ATTEMPTS_MAX || d.run.depth >= TASK_DEPTH_MAX)
		return malformed(&r, "RUN", err);
	d.states = d.inputs + d.submit.input_count;
	*ret = d;
	return 0;
}

int down_read_ready(const uint8_t *body, size_t size, struct down_ready *ret, struct error *err)
{
	struct reader r = reader_of(body, size);
	struct down_ready d = {0};
	reader_copy(&r, &d.ready, sizeof(d.ready));
	d.locations = take(&r, d.ready.location_count, sizeof(*d.locations));
	if (!reader_finished(&r) || d.ready.location_count > TASK_DATA_MAX)
		return malformed(&r, "READY", err);
	*ret = d;
	return 0;
}

int down_read_outcome(const uint8_t *body, size_t size, struct down_outcome *ret, struct error *err)
{
	struct reader r = reader_of(body, size);
	struct down_outcome d = {0};
	reader_copy(&r, &d.outcome, sizeof(d.outcome));
	d.failure = reader_bytes(&r, d.outcome.failure_size);
	if (!reader_finished(&r) || d.outcome.failure_size > TASK_FAILURE_MAX)
		return malformed(&r, "OUTCOME", err);
	*ret = d;
	return 0;
}

int down_read_forget(const uint8_t *body, size_t size, struct down_forget *ret, struct error *err)
{
	struct reader r = reader_of(body, size);
	if (size == 0 || size % sizeof(*ret->data))
		return malformed(&r, "FORGET", err);
	ret->count = size / sizeof(*ret->data);
	ret->data = take(&r, ret->count, sizeof(*ret->data));
	return 0;
}

int down_read_extent(const uint8_t *body, size_t size, struct task_extent *ret, struct error *err)
{
	struct reader r = reader_of(body, size);
	struct task_extent extent;
	reader_copy(&r, &extent, sizeof(extent));
	if (!reader_finished(&r))
		return malformed(&r, "EXTENT", err);
	*ret = extent;
	return 0;
}
