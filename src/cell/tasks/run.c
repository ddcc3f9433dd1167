#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cell/tasks/state.h"
#include "cell/wasi/wasi.h"

enum { FRAME_ROUND = 4096 };

/* A run as it goes. */
struct running {
	struct tasks *t;
	struct tasks_level *level;
	uint8_t *frame; /* the frame's bytes, NULL: the executor does this task itself */
	uint64_t start_ns;
	bool instance_spent;    /* it trapped or exited */
	uint32_t location_count; /* of t->locations */
};

/* The invocation. */

static int open_invocation(struct tasks *t, struct tasks_level *level, struct error *err)
{
	const struct down_run *d = &level->run;
	struct seal_id expected = {.kind = SEAL_KIND_INVOCATION, .object = d->submit.task};
	if (d->run.task != d->submit.task || d->submit.sealed_size < SEAL_OVERHEAD)
		return error_set(err, CELLA_EAUTH, "the agent sent another task's invocation");
	level->invocation_size = d->submit.sealed_size - SEAL_OVERHEAD;
	int rc = seal_open(t->config.session, &expected, d->aad, d->aad_size, d->sealed,
	                   d->submit.sealed_size, level->invocation, level->invocation_size, err);
	if (rc < 0)
		return rc;
	if ((d->run.flags & TASK_RUN_FALLBACK) && d->submit.on_failure != CELLA_ON_FAILURE_IGNORE)
		return error_set(
			err, CELLA_EAUTH,
			"the agent ignores a failure that the task's options do not allow to ignore");
	return 0;
}

static void walk_from(const struct tasks_level *level, struct invocation_walk *w)
{
	invocation_walk(w, level->invocation, level->invocation_size, &level->run.submit);
}

static int measure_frame(const struct tasks_level *level, uint64_t *ret_size, struct error *err)
{
	struct invocation_walk w;
	struct invocation_part_view part;
	walk_from(level, &w);
	while (invocation_next(&w, &part))
		;
	*ret_size = w.frame_size;
	return invocation_walked(&w, err);
}

/* Inputs. */

/* A buffer's bytes as the task finds them. */
static int read_content(struct running *r, const struct invocation_part_view *part, void *to,
                        struct error *err)
{
	const struct down_run *d = &r->level->run;
	if (part->reads) {
		struct version_source source = {
			.base = part->state,
			.parts = d->input_data + part->input + 1,
			.part_count = part->part_count,
		};
		source.base.id = d->input_data[part->input];
		return tasks_read(r->t, &source, d->inputs + part->input, to, part->size, err);
	}
	if (part->takes_turn)
		return tasks_read_state(r->t, &d->turns[part->commutative], &part->state,
		                        &d->states[part->commutative], to, part->size,
		                        &r->level->turns[part->commutative], err);
	memset(to, 0, part->size);
	return 0;
}

static int fill_part(struct running *r, const struct invocation_part_view *part, struct error *err)
{
	uint8_t *to = r->frame + part->offset;
	switch (part->kind) {
	case INVOCATION_VALUE:
		if (part->bytes_size)
			memcpy(to, part->bytes, part->bytes_size);
		return 0;
	case INVOCATION_FILE:
		memcpy(to, part->bytes, part->bytes_size);
		to[part->bytes_size] = '\0';
		return tasks_place_file(r->t, r->level, part, (const char *)to, err);
	case INVOCATION_BUFFER: return read_content(r, part, to, err);
	default: return 0;
	}
}

static void put_pointer(struct running *r, uint64_t at, uint64_t to)
{
	uint32_t address = r->level->frame + (uint32_t)to;
	memcpy(r->frame + at, &address, sizeof(address));
}

/* Rows of pointers that point to pointers, behind them. */
static void put_rows(struct running *r, const struct invocation_part_view *collection)
{
	for (uint64_t row = 0; collection->columns && row < collection->size; row++)
		put_pointer(r, collection->offset + row * sizeof(uint32_t),
		            collection->offset +
		                    (collection->size + row * collection->columns) * sizeof(uint32_t));
}

static void put_address(struct running *r, const struct invocation_part_view *part,
                        const struct invocation_part_view *collection)
{
	if (part->is_parameter) {
		put_pointer(r, part->parameter * sizeof(uint32_t), part->offset);
		return;
	}
	uint64_t first = collection->columns ? collection->size : 0;
	put_pointer(r, collection->offset + (first + part->element) * sizeof(uint32_t), part->offset);
}

static int fill_frame(struct running *r, struct error *err)
{
	struct invocation_walk w;
	struct invocation_part_view part, collection = {0};
	int rc = 0;
	walk_from(r->level, &w);
	while (rc == 0 && invocation_next(&w, &part)) {
		put_address(r, &part, &collection);
		if (part.kind == INVOCATION_COLLECTION) {
			collection = part;
			put_rows(r, &collection);
		}
		rc = fill_part(r, &part, err);
	}
	return rc;
}

/* The instance. */

static void drop_instance(struct tasks_level *level)
{
	instance_free(level->instance);
	level->instance = NULL;
	level->frame = level->frame_size = 0;
}

void tasks_give_way(struct tasks *t)
{
	for (size_t i = t->depth + 1; i <= TASK_DEPTH_MAX; i++)
		if (t->levels[i])
			drop_instance(t->levels[i]);
	cache_clear(t->cache);
	t->config.give_way(t->config.data);
}

static int take_frame(struct running *r, uint64_t size, struct error *err)
{
	struct tasks_level *level = r->level;
	if (size <= level->frame_size && level->frame)
		return 0;
	uint64_t rounded = align_up(size, FRAME_ROUND);
	union cell_value v[1] = {{.i32 = (uint32_t)rounded}};
	if (rounded > UINT32_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "the task's arguments take %llu bytes, more than a cell has",
		                 (unsigned long long)size);
	level->frame = level->frame_size = 0;
	int rc = instance_call(level->instance, "cella_task_frame", "i:i", v, 0, &level->report, err);
	r->instance_spent = rc < 0;
	if (rc < 0)
		return rc;
	if (!v[0].i32)
		return error_set(err, CELLA_ENOMEM,
		                 "the cell has no memory for the task's arguments (%llu bytes)",
		                 (unsigned long long)size);
	level->frame = v[0].i32;
	level->frame_size = (uint32_t)rounded;
	return 0;
}

static int take_instance(struct tasks *t, struct tasks_level *level, struct error *err)
{
	uint32_t timeout_ms = level->run.submit.timeout_ms;
	if (level->instance)
		return 0;
	int rc = t->config.new_instance(t->config.data, timeout_ms, &level->instance, err);
	if (rc != CELLA_ENOMEM && rc != CELLA_ELIMIT)
		return rc;
	tasks_give_way(t);
	return t->config.new_instance(t->config.data, timeout_ms, &level->instance, err);
}

static int prepare_instance(struct running *r, uint64_t frame_size, struct error *err)
{
	struct tasks_level *level = r->level;
	int rc = take_instance(r->t, level, err);
	if (rc == 0)
		rc = take_frame(r, frame_size, err);
	if (rc < 0)
		return rc;
	r->frame = instance_bytes(level->instance, level->frame, frame_size);
	if (!r->frame)
		return error_set(err, CELLA_EINVAL, "the cell's frame for arguments lies outside its memory");
	return fill_frame(r, err);
}

/* What it has made. */

static int write_output(struct running *r, const struct invocation_part_view *part, const void *from,
                        struct error *err)
{
	struct tasks *t = r->t;
	const struct down_run *d = &r->level->run;
	return tasks_write(t, d->output_data[part->output], d->run.attempt, from, part->size, true,
	                   &t->locations[r->location_count++], err);
}

/* The state goes on by this task. */
static int write_turn(struct running *r, const struct invocation_part_view *part, const void *from,
                      struct error *err)
{
	struct tasks *t = r->t;
	struct version_datum *state = &r->level->turns[part->commutative];
	struct version_sum number;
	int rc = tasks_member_number(t, r->level->run.submit.task, &number, err);
	if (rc < 0)
		return rc;
	state->members++;
	version_sum_add(&state->sum, &number);
	return tasks_write_state(t, state, r->level->run.run.attempt, from, part->size,
	                         &t->locations[r->location_count++], err);
}

static int write_part(struct running *r, const struct invocation_part_view *part, const void *from,
                      struct error *err)
{
	return part->takes_turn ? write_turn(r, part, from, err) : write_output(r, part, from, err);
}

/* Of a task that no cell has run: what it found. */
static int pass_part(struct running *r, const struct invocation_part_view *part, struct error *err)
{
	struct mem_pool *pool = r->t->config.pool;
	uint8_t *content = mem_alloc(pool, part->size);
	int rc = content ? read_content(r, part, content, err)
	                 : error_set(err, CELLA_ENOMEM, "no protected memory for %u bytes of task data",
	                             part->size);
	if (rc == 0)
		rc = write_part(r, part, content, err);
	mem_free(pool, content);
	return rc;
}

static int finish_part(struct running *r, const struct invocation_part_view *part, struct error *err)
{
	if (part->kind == INVOCATION_FILE)
		return tasks_collect_file(r->t, r->level, part, r->frame != NULL,
		                          &r->t->locations[r->location_count++], err);
	return r->frame ? write_part(r, part, r->frame + part->offset, err) : pass_part(r, part, err);
}

/* Outputs first, then the turns' new states. */
static int finish_parts(struct running *r, bool turns, struct error *err)
{
	struct invocation_walk w;
	struct invocation_part_view part;
	int rc = 0;
	walk_from(r->level, &w);
	while (rc == 0 && invocation_next(&w, &part))
		if (turns ? part.takes_turn : part.writes)
			rc = finish_part(r, &part, err);
	return rc;
}

/* Its own tasks. */

static int bring_back(struct running *r, const struct invocation_part_view *part, struct error *err)
{
	if (part->kind == INVOCATION_FILE) {
		char path[INVOCATION_PATH_MAX + 1] = ""; /* the task may have written over its own copy */
		memcpy(path, part->bytes, part->bytes_size);
		return tasks_wait_file(r->t, path, err);
	}
	struct versions *versions = r->level->submitter.versions;
	struct version_name all = {.address = r->level->frame + part->offset, .size = part->size}, piece;
	int rc = 0;
	while (rc == 0 && part->size && versions_find(versions, &all, &piece))
		rc = tasks_wait_buffer(r->t, r->level->instance, piece.address, false, err);
	return rc;
}

struct finishing {
	struct running *r;
	struct error *err;
	int rc;
};

static void finish_on_stack(void *arg)
{
	struct finishing *f = arg;
	struct running *r = f->r;
	struct invocation_walk w;
	struct invocation_part_view part;
	f->rc = tasks_barrier(r->t, &r->level->submitter, f->err);
	walk_from(r->level, &w);
	while (f->rc == 0 && invocation_next(&w, &part))
		if (part.writes || part.takes_turn)
			f->rc = bring_back(r, &part, f->err);
}

/* It ends when they have; what they made of its own results is its result. Tasks that run meanwhile,
 * on top of it, would fill the stack below its cell, so that waits on the cell's. */
static int finish_children(struct running *r, struct error *err)
{
	struct finishing f = {.r = r, .err = err};
	if (r->level->submitter.versions)
		instance_lend_stack(r->level->instance, finish_on_stack, &f);
	return f.rc;
}

/* However it ended, what it submitted is of no use to anybody else. */
static int release_children(struct running *r, struct error *err)
{
	struct tasks_submitter *s = &r->level->submitter;
	if (!s->versions || s->torn)
		return 0;
	versions_forget_all(s->versions);
	return tasks_release(r->t, s, err);
}

/* Running. */

static int check_attempt(struct running *r, struct error *err)
{
	const struct down_run *d = &r->level->run;
	int rc = attempts_begin(&r->t->attempts, d->submit.task >> TASK_FUNCTION_BITS, d->run.attempt);
	if (rc == CELLA_ENOMEM)
		return error_set(err, rc, "no memory to note that the task has begun");
	if (rc < 0)
		return error_set(err, rc, "this attempt of the task has begun here before");
	return 0;
}

/* An exit with status 0 is a good end, but of the instance too. */
static int end_of_call(struct tasks_level *level, int rc, struct error *err)
{
	if (rc == 0 || level->report.trap != CELL_TRAP_EXIT)
		return rc;
	if (level->report.status == 0)
		return 0;
	return error_set(err, CELLA_ETRAP, "exit with status %d", level->report.status);
}

static int run_guest(struct running *r, uint64_t frame_size, struct error *err)
{
	struct tasks_level *level = r->level;
	const struct task_submit *submit = &level->run.submit;
	int rc = prepare_instance(r, frame_size, err);
	if (rc == 0)
		rc = check_attempt(r, err);
	if (rc < 0)
		return rc;
	union cell_value v[2] = {{.i32 = submit->function}, {.i32 = level->frame}};
	r->start_ns = clock_ns();
	level->submitter.deadline_ns = submit->timeout_ms ? r->start_ns + submit->timeout_ms * 1000000ull : 0;
	rc = instance_call(level->instance, "cella_task_run", "ii:", v, submit->timeout_ms, &level->report,
	                   err);
	r->instance_spent = rc < 0;
	rc = end_of_call(level, rc, err);
	return rc < 0 ? rc : finish_children(r, err);
}

static int run_task(struct running *r, struct error *err)
{
	struct tasks_level *level = r->level;
	const struct task_submit *submit = &level->run.submit;
	uint64_t frame_size = 0;
	int rc = open_invocation(r->t, level, err);
	if (rc == 0)
		rc = measure_frame(level, &frame_size, err);
	if (rc < 0)
		return rc;
	if (submit->commutative_count) {
		level->turns = mem_alloc(r->t->config.pool,
		                         submit->commutative_count * sizeof(*level->turns));
		if (!level->turns)
			return error_set(err, CELLA_ENOMEM, "no protected memory for commutative data");
	}
	if (submit->function != TASK_MERGE && !(level->run.run.flags & TASK_RUN_FALLBACK))
		rc = run_guest(r, frame_size, err);
	if (rc == 0)
		rc = finish_parts(r, false, err);
	return rc < 0 ? rc : finish_parts(r, true, err);
}

/* Telling. */

static uint32_t status_of(const struct running *r, int rc)
{
	switch (rc) {
	case 0: return r->level->run.run.flags & TASK_RUN_FALLBACK ? TASK_IGNORED : TASK_OK;
	case CELLA_EAGAIN: return TASK_MISSING;
	case CELLA_ETIMEOUT: return TASK_TIMED_OUT;
	case CELLA_EAUTH:
	case CELLA_EFORMAT: return TASK_REFUSED;
	default: return TASK_FAILED;
	}
}

/* The reason that the cell gave, or the trap, and the backtrace; or why it could not be run. */
static size_t failure_text(const struct running *r, const char *why, char *text, size_t capacity)
{
	const struct tasks_level *level = r->level;
	const char *trap = r->instance_spent && level->report.trap != CELL_TRAP_EXIT ? level->report.text
	                                                                             : why;
	int size;
	if (level->reason) {
		const char *frames = strchr(trap, '\n');
		size = snprintf(text, capacity, "%s%s", level->reason, frames ? frames : "");
	} else {
		size = snprintf(text, capacity, "%s", trap);
	}
	return size < 0 ? 0 : min_of((size_t)size, capacity - 1);
}

static int seal_failure(struct running *r, const char *why, size_t *ret_size, struct error *err)
{
	struct tasks *t = r->t;
	const struct task_run *run = &r->level->run.run;
	struct seal_id id = {.kind = SEAL_KIND_FAILURE, .object = run->task, .attempt = run->attempt};
	char text[TASK_FAILURE_MAX - SEAL_OVERHEAD];
	size_t size = failure_text(r, why, text, sizeof(text));
	*ret_size = seal_size(size);
	return seal_object(t->config.session, &id, NULL, 0, text, size, t->sealed, err);
}

static int send_done(struct running *r, int result, const char *why, struct error *err)
{
	struct tasks *t = r->t;
	const struct task_run *run = &r->level->run.run;
	struct task_done done = {
		.task = run->task,
		.attempt = run->attempt,
		.status = status_of(r, result),
		.start_ns = r->start_ns,
		.end_ns = clock_ns(),
	};
	size_t failure_size = 0;
	int rc = 0;
	if (result == 0) {
		struct seal_receipt receipt;
		rc = seal_receipt_make(t->config.session, run->task, done.status, &receipt, err);
		done.receipt_low = receipt.low;
		done.receipt_high = receipt.high;
		done.output_count = r->location_count;
	} else if (done.status != TASK_MISSING) {
		rc = seal_failure(r, why, &failure_size, err);
		done.failure_size = (uint32_t)failure_size;
	}
	struct ring_part parts[] = {
		{&done, sizeof(done)},
		{t->locations, done.output_count * sizeof(*t->locations)},
		{t->sealed, failure_size},
	};
	if (rc == 0)
		rc = tasks_send(t, TASK_UP_DONE, parts, array_count(parts), err);
	return rc < 0 ? rc : tasks_close_extents(t, err);
}

static int end_level(struct running *r, struct error *err)
{
	struct tasks *t = r->t;
	struct tasks_level *level = r->level;
	int rc = tasks_waiting_done(t, &level->submitter.waiting, err);
	tasks_submitter_done(t, &level->submitter);
	tasks_drop_files(t, level);
	if (t->serves && t->depth == 1)
		wasi_reset(t->config.wasi);
	mem_free(t->config.pool, level->reason);
	mem_free(t->config.pool, level->turns);
	level->reason = NULL;
	level->turns = NULL;
	if (r->instance_spent)
		drop_instance(level);
	t->depth--;
	return rc;
}

/* NULL if there is no memory for it. */
static struct tasks_level *begin_level(struct tasks *t, const struct down_run *d, struct error *err)
{
	struct tasks_level *level = NULL;
	if (tasks_level_at(t, t->depth + 1, &level, err) < 0) {
		tasks_give_way(t);
		if (tasks_level_at(t, t->depth + 1, &level, err) < 0)
			return NULL;
	}
	t->depth++;
	level->run = *d;
	level->submitter.task = d->submit.task;
	return level;
}

int tasks_run(struct tasks *t, const uint8_t *body, size_t size, struct error *err)
{
	struct down_run d;
	struct error why = {0};
	int rc = down_read_run(body, size, &d, err);
	if (rc < 0)
		return tasks_lose(t, rc, err);
	struct running r = {.t = t, .start_ns = clock_ns(), .level = begin_level(t, &d, err)};
	if (!r.level)
		return tasks_lose(t, CELLA_ENOMEM, err);
	int result = run_task(&r, &why);
	rc = t->lost.code ? error_set(err, t->lost.code, "%s", t->lost.text) : release_children(&r, err);
	if (rc == 0)
		rc = send_done(&r, result, why.text, err);
	int ended = end_level(&r, err);
	tasks_flush(t);
	return rc < 0 ? rc : ended;
}
