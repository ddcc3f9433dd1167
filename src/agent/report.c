/* Reads the log into tables. */
#include "agent/report_state.h"

#include <stdlib.h>
#include <string.h>

static void *row(size_t place)
{
	return (void *)(uintptr_t)(place + 1);
}

static size_t row_of(const void *value)
{
	return (size_t)(uintptr_t)value - 1;
}

const char *report_status_name(uint32_t status)
{
	static const char *const names[] = {
		[TASK_OK] = "ok",
		[TASK_FAILED] = "failed",
		[TASK_TIMED_OUT] = "timed out",
		[TASK_MISSING] = "missing",
		[TASK_REFUSED] = "refused",
		[TASK_LOST] = "lost",
		[TASK_CANCELED] = "canceled",
		[TASK_IGNORED] = "ignored",
		[TASK_IMPOSSIBLE] = "impossible",
	};
	return status < array_count(names) && names[status] ? names[status] : "not ended";
}

/* Room for one more; arrays grow by doubling. */
static int grow(void *array, size_t count, size_t size)
{
	void **at = array;
	if (count & (count - 1))
		return 0;
	void *larger = realloc(*at, max_of(2 * count, (size_t)1) * size);
	if (!larger)
		return CELLA_ENOMEM;
	*at = larger;
	return 0;
}

static const void *take(struct reader *body, size_t size)
{
	return reader_bytes(body, size);
}

static int read_begin(struct report *r, struct reader *body)
{
	const struct event_begin *begin = take(body, sizeof(*begin));
	if (!begin || begin->version != EVENT_LOG_VERSION || r->begin)
		return CELLA_EFORMAT;
	r->begin = begin;
	return 0;
}

static int read_function(struct report *r, struct reader *body)
{
	const struct event_name *head = take(body, sizeof(*head));
	size_t size = reader_left(body);
	const char *name = take(body, size);
	if (!head || head->index >= TASK_FUNCTIONS_MAX || size > TASK_NAME_MAX)
		return CELLA_EFORMAT;
	if (head->index >= r->function_count) {
		struct report_function *functions = realloc(r->functions,
		                                            (head->index + 1) * sizeof(*functions));
		if (!functions)
			return CELLA_ENOMEM;
		memset(functions + r->function_count, 0,
		       (head->index + 1 - r->function_count) * sizeof(*functions));
		r->functions = functions;
		r->function_count = head->index + 1;
	}
	for (size_t i = 0; i < size; i++) /* what it prints must not be able to be anything but text */
		r->functions[head->index].name[i] =
			name[i] > ' ' && name[i] <= '~' && !strchr("\"\\<>&", name[i]) ? name[i] : '_';
	r->functions[head->index].name[size] = '\0';
	return 0;
}

static int read_group(struct report *r, struct reader *body)
{
	(void)r;
	reader_bytes(body, reader_left(body));
	return 0;
}

static int read_executor(struct report *r, struct reader *body)
{
	const struct event_executor *e = take(body, sizeof(*e));
	if (!e)
		return CELLA_EFORMAT;
	struct report_executor *known = NULL;
	for (size_t i = 0; i < r->executor_count; i++)
		if (r->executors[i].number == e->number)
			known = &r->executors[i];
	if (known) {
		known->end_ns = e->time_ns;
		known->status = e->status;
		return 0;
	}
	if (grow(&r->executors, r->executor_count, sizeof(*r->executors)) < 0)
		return CELLA_ENOMEM;
	r->executors[r->executor_count++] = (struct report_executor){
		.begin_ns = e->time_ns,
		.requested_ns = min_of(e->requested_ns, e->time_ns),
		.number = e->number,
		.driver = e->driver,
		.pid = e->pid,
	};
	return 0;
}

/* A commutative datum is made by all its members. */
static int add_member(struct report *r, size_t place, uint64_t final)
{
	void *first = map_get(&r->memberships, final);
	if (!first)
		return map_put(&r->memberships, final, row(place));
	r->next_member[place] = r->next_member[row_of(first)];
	r->next_member[row_of(first)] = (uint32_t)place + 1;
	return 0;
}

static int read_submit(struct report *r, struct reader *body)
{
	const struct event_submit *s = take(body, sizeof(*s));
	if (!s)
		return CELLA_EFORMAT;
	struct report_task t = {.submit = s, .status = UINT32_MAX};
	t.inputs = take(body, s->input_count * sizeof(*t.inputs));
	t.outputs = take(body, s->output_count * sizeof(*t.outputs));
	t.commutatives = take(body, s->commutative_count * sizeof(*t.commutatives));
	if (body->failed || map_get(&r->tasks_by_id, s->task))
		return CELLA_EFORMAT;
	size_t place = r->task_count;
	if (grow(&r->tasks, place, sizeof(*r->tasks)) < 0 ||
	    grow(&r->next_member, place, sizeof(*r->next_member)) < 0 ||
	    map_put(&r->tasks_by_id, s->task, row(place)) < 0)
		return CELLA_ENOMEM;
	r->tasks[place] = t;
	r->next_member[place] = 0;
	r->task_count++;
	int rc = 0;
	for (uint32_t i = 0; i < s->output_count && rc == 0; i++)
		rc = map_put(&r->makers, t.outputs[i], row(place));
	if (s->commutative_count && rc == 0) /* by its first one: enough for a picture */
		rc = add_member(r, place, t.commutatives[0].final);
	return rc;
}

static void count_attempt(struct report *r, const struct event_done *d)
{
	uint64_t took = d->end_ns > d->start_ns ? d->end_ns - d->start_ns : 0;
	for (size_t i = 0; i < r->executor_count; i++)
		if (r->executors[i].number == d->executor) {
			r->executors[i].attempts++;
			r->executors[i].busy_ns += took;
		}
	void *known = map_get(&r->tasks_by_id, d->task);
	if (!known)
		return;
	struct report_task *t = &r->tasks[row_of(known)];
	t->last = (uint32_t)r->attempt_count;
	t->attempts++;
	if (d->status == TASK_OK || d->status == TASK_IGNORED)
		t->status = d->status;
	if (t->submit->function >= r->function_count || d->status == TASK_MISSING)
		return;
	struct report_function *f = &r->functions[t->submit->function];
	if (d->status != TASK_OK) {
		f->failures++;
		return;
	}
	f->min_ns = f->runs ? min_of(f->min_ns, took) : took;
	f->max_ns = max_of(f->max_ns, took);
	f->total_ns += took;
	f->runs++;
}

static int read_done(struct report *r, struct reader *body)
{
	const struct event_done *d = take(body, sizeof(*d));
	if (!d)
		return CELLA_EFORMAT;
	if (grow(&r->attempts, r->attempt_count, sizeof(struct event_done *)) < 0)
		return CELLA_ENOMEM;
	r->attempts[r->attempt_count++] = d;
	count_attempt(r, d);
	return 0;
}

static int read_outcome(struct report *r, struct reader *body)
{
	const struct event_outcome *o = take(body, sizeof(*o));
	if (!o)
		return CELLA_EFORMAT;
	if (grow(&r->outcomes, r->outcome_count, sizeof(struct event_outcome *)) < 0)
		return CELLA_ENOMEM;
	r->outcomes[r->outcome_count++] = o;
	void *known = map_get(&r->tasks_by_id, o->task);
	if (known)
		r->tasks[row_of(known)].status = o->status;
	return 0;
}

static int read_spill(struct report *r, struct reader *body)
{
	(void)r;
	return take(body, sizeof(struct event_spill)) ? 0 : CELLA_EFORMAT;
}

static int read_end(struct report *r, struct reader *body)
{
	const struct event_end *end = take(body, sizeof(*end));
	if (!end || r->end)
		return CELLA_EFORMAT;
	r->end = end;
	return 0;
}

static int (*const readers[])(struct report *r, struct reader *body) = {
	[EVENT_BEGIN] = read_begin,       [EVENT_FUNCTION] = read_function, [EVENT_GROUP] = read_group,
	[EVENT_EXECUTOR] = read_executor, [EVENT_SUBMIT] = read_submit,     [EVENT_DONE] = read_done,
	[EVENT_OUTCOME] = read_outcome,   [EVENT_SPILL] = read_spill,       [EVENT_END] = read_end,
};

static int read_events(struct report *r, const void *log, size_t size)
{
	struct reader all = reader_of(log, size);
	int rc = 0;
	while (rc == 0 && reader_left(&all)) {
		const struct event_head *head = take(&all, sizeof(*head));
		const void *bytes = head ? take(&all, align_up((size_t)head->size, (size_t)8)) : NULL;
		if (!bytes || head->type >= array_count(readers) || !readers[head->type] ||
		    (!r->begin && head->type != EVENT_BEGIN))
			return CELLA_EFORMAT;
		struct reader body = reader_of(bytes, head->size);
		rc = readers[head->type](r, &body);
		if (rc == 0 && !reader_finished(&body))
			rc = CELLA_EFORMAT;
	}
	return rc < 0 || r->end ? rc : CELLA_EFORMAT;
}

int report_new(const void *log, size_t size, struct report **ret_report, struct error *err)
{
	struct report *r = calloc(1, sizeof(*r));
	int rc = r ? read_events(r, log, size) : CELLA_ENOMEM;
	if (rc < 0) {
		report_free(r);
		return error_set(err, rc, "the agent's event log cannot be read: %s", cella_error_name(rc));
	}
	*ret_report = r;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	map_done(&r->tasks_by_id);
	map_done(&r->makers);
	map_done(&r->memberships);
	free(r->tasks);
	free(r->next_member);
	free(r->attempts);
	free(r->outcomes);
	free(r->executors);
	free(r->functions);
	free(r);
}

static void members(const struct report *r, uint64_t datum, size_t place,
                    void (*edge)(void *data, size_t producer, size_t consumer), void *data)
{
	void *first = map_get(&r->memberships, datum);
	if (!first)
		return;
	size_t member = row_of(first);
	edge(data, member, place);
	for (uint32_t next = r->next_member[member]; next; next = r->next_member[next - 1])
		edge(data, next - 1, place);
}

static void producers_of(const struct report *r, uint64_t datum, size_t place,
                         void (*edge)(void *data, size_t producer, size_t consumer), void *data)
{
	void *maker = map_get(&r->makers, datum);
	if (maker)
		edge(data, row_of(maker), place);
	else
		members(r, datum, place, edge, data);
}

void report_producers(const struct report *r, size_t place,
                      void (*edge)(void *data, size_t producer, size_t consumer), void *data)
{
	const struct report_task *t = &r->tasks[place];
	for (uint32_t i = 0; i < t->submit->input_count; i++)
		producers_of(r, t->inputs[i], place, edge, data);
	for (uint32_t i = 0; i < t->submit->commutative_count; i++)
		if (t->commutatives[i].base)
			producers_of(r, t->commutatives[i].base, place, edge, data);
}
