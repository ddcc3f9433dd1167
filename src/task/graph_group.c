/* Groups of tasks, and waits: for data, for a group, for all that one task has submitted. */
#include "task/graph_state.h"

static uint64_t group_key(uint32_t executor, uint32_t name)
{
	return (uint64_t)executor << 32 | name;
}

static struct graph_group *group_new(struct graph *g, uint32_t executor, struct graph_task *parent)
{
	struct graph_group *group = slab_new(&g->groups);
	if (!group) {
		g->broken = CELLA_ENOMEM;
		return NULL;
	}
	group->executor = executor;
	group->parent = parent ? parent->item.handle : 0;
	return group;
}

/* The group of all that `parent` submits; NULL if there is none and none could be made. */
static struct graph_group *group_root(struct graph *g, uint32_t executor, struct graph_task *parent,
                                      bool make)
{
	uint32_t *root = parent ? &parent->children : &g->main_group;
	if (*root == 0 && make) {
		struct graph_group *group = group_new(g, executor, parent);
		*root = group ? group->item.handle : 0;
	}
	return group_at(g, *root);
}

int group_find(struct graph *g, uint32_t executor, struct graph_task *parent, uint32_t name,
               struct graph_group **ret_group, struct error *err)
{
	struct graph_group *group = name ? map_get(&g->groups_by_key, group_key(executor, name))
	                                 : group_root(g, executor, parent, true);
	if (name && (!group || group->parent != (parent ? parent->item.handle : 0)))
		return error_set(err, CELLA_EFORMAT, "executor %u names group %u, which it has not opened",
		                 executor, name);
	if (!group)
		return error_set(err, CELLA_ENOMEM, "no memory for a group of tasks");
	*ret_group = group;
	return 0;
}

int graph_group(struct graph *g, uint32_t executor, const struct task_group *m, struct error *err)
{
	struct graph_task *parent;
	struct graph_group *outer = NULL;
	int rc = parent_find(g, executor, m->parent, &parent, err);
	if (rc == 0)
		rc = group_find(g, executor, parent, m->outer, &outer, err);
	if (rc < 0 || !outer)
		return rc;
	if (map_get(&g->groups_by_key, group_key(executor, m->group)))
		return error_set(err, CELLA_EFORMAT, "executor %u opens group %u twice", executor, m->group);
	if (outer->depth >= TASK_DEPTH_MAX)
		return error_set(err, CELLA_EFORMAT, "executor %u nests groups deeper than %d", executor,
		                 TASK_DEPTH_MAX);
	if (g->groups.live >= GRAPH_GROUPS_MAX)
		return error_set(err, CELLA_ELIMIT, "more than %d groups of tasks", GRAPH_GROUPS_MAX);
	struct graph_group *group = group_new(g, executor, parent);
	if (!group || map_put(&g->groups_by_key, group_key(executor, m->group), group) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory for a group of tasks");
	group->key = group_key(executor, m->group);
	group->outer = outer->item.handle;
	group->depth = outer->depth + 1;
	group->item.next = outer->inner;
	if (outer->inner)
		group_at(g, outer->inner)->before = group->item.handle;
	outer->inner = group->item.handle;
	return 0;
}

void group_add(struct graph *g, struct graph_group *group, struct graph_task *t)
{
	t->group = group->item.handle;
	t->group_next = 0;
	t->group_before = group->last_task;
	if (group->last_task)
		task_at(g, group->last_task)->group_next = t->item.handle;
	else
		group->tasks = t->item.handle;
	group->last_task = t->item.handle;
	for (; group; group = group_at(g, group->outer))
		group->live++;
}

bool group_belongs(const struct graph *g, const struct graph_task *t, const struct graph_task *parent)
{
	const struct graph_group *group = group_at(g, t->group);
	while (group->outer)
		group = group_at(g, group->outer);
	return group->item.handle == parent->children;
}

static void group_remove(struct graph *g, struct graph_group *group, struct graph_task *t)
{
	if (t->group_before)
		task_at(g, t->group_before)->group_next = t->group_next;
	else
		group->tasks = t->group_next;
	if (t->group_next)
		task_at(g, t->group_next)->group_before = t->group_before;
	else
		group->last_task = t->group_before;
}

/* A group and those in it, none of which has tasks any more. */
static void group_free(struct graph *g, struct graph_group *group)
{
	uint32_t next;
	for (uint32_t at = group->inner; at; at = next) {
		next = group_at(g, at)->item.next;
		group_free(g, group_at(g, at));
	}
	if (group->key)
		map_take(&g->groups_by_key, group->key);
	slab_free(&g->groups, group);
}

/* This one and those that it lies in, as far as they are of no use any more. */
static void group_tidy(struct graph *g, struct graph_group *group)
{
	while (group && group->disbanded && group->live == 0 && group->inner == 0) {
		struct graph_group *outer = group_at(g, group->outer);
		if (group->before)
			group_at(g, group->before)->item.next = group->item.next;
		else
			outer->inner = group->item.next;
		if (group->item.next)
			group_at(g, group->item.next)->before = group->before;
		slab_free(&g->groups, group);
		group = outer;
	}
}

int graph_disband(struct graph *g, uint32_t executor, const struct task_disband *m, struct error *err)
{
	struct graph_task *parent;
	struct graph_group *group = NULL;
	int rc = parent_find(g, executor, m->parent, &parent, err);
	if (rc == 0)
		rc = group_find(g, executor, parent, m->group, &group, err);
	if (rc < 0 || !group)
		return rc;
	map_take(&g->groups_by_key, group->key);
	group->key = 0;
	group->disbanded = true;
	group_tidy(g, group);
	return 0;
}

void group_count_receipt(struct graph *g, const struct graph_task *t, const struct task_done *d)
{
	for (struct graph_group *group = group_at(g, t->group); group; group = group_at(g, group->outer)) {
		group->ok_count++;
		group->receipt_low += d->receipt_low;
		group->receipt_high += d->receipt_high + (group->receipt_low < d->receipt_low);
	}
}

static void count_blocked(struct graph_executor *e)
{
	e->blocked = e->waiter_count;
	while (e->blocked && e->waiters[e->blocked - 1].answered)
		e->blocked--;
}

uint32_t executor_least_depth(const struct graph *g, const struct graph_executor *e)
{
	uint32_t depth = 0;
	for (uint32_t i = 0; i < e->blocked; i++)
		depth = max_of(depth, task_at(g, e->waiters[i].task)->depth + 1u);
	return depth;
}

void waiter_remove(struct graph *g, uint32_t executor, const struct graph_task *t)
{
	struct graph_executor *e = &g->executors[executor];
	uint32_t kept = 0;
	for (uint32_t i = 0; i < e->waiter_count; i++)
		if (e->waiters[i].task != t->item.handle)
			e->waiters[kept++] = e->waiters[i];
	e->waiter_count = kept;
	count_blocked(e);
}

/* It waits, so it is on top; false if the executor nests deeper than it may. */
static bool waiter_add(struct graph *g, uint32_t executor, struct graph_task *t, uint64_t wait)
{
	struct graph_executor *e = &g->executors[executor];
	waiter_remove(g, executor, t);
	if (e->waiter_count == array_count(e->waiters))
		return false;
	t->flags |= TASK_FLAG_WAITED;
	e->queued_ns -= t->estimate_ns; /* others have its time now */
	t->estimate_ns = 0;
	e->waiters[e->waiter_count++] = (struct graph_waiter){.wait = wait, .task = t->item.handle};
	count_blocked(e);
	return true;
}

static void waiter_answered(struct graph *g, uint32_t executor, uint64_t wait)
{
	struct graph_executor *e = &g->executors[executor];
	for (uint32_t i = 0; i < e->waiter_count; i++)
		e->waiters[i].answered |= e->waiters[i].wait == wait;
	count_blocked(e);
}

static void wait_forget(struct graph *g, struct graph_wait *w)
{
	struct graph_executor *e = &g->executors[w->executor];
	uint32_t *link = &e->waits;
	while (*link != w->item.handle)
		link = &wait_at(g, *link)->others;
	*link = w->others;
	e->wait_count--;
}

static void wait_free(struct graph *g, struct graph_wait *w)
{
	for (uint32_t i = 0; i < w->data_count; i++) {
		struct graph_datum *d = datum_at(g, w->data[i]);
		d->pins -= w->answered;
		datum_unuse(g, d);
	}
	blocks_free(&g->blocks, w->data, w->data_count * sizeof(w->data[0]));
	w->data = NULL;
	w->data_count = 0;
	if (w->missing == 0)
		slab_free(&g->waits, w);
}

static void answer(struct graph *g, uint32_t executor, const struct task_ready *head)
{
	struct graph_answer a = {.executor = executor, .head = *head, .locations = g->locations};
	g->config.listener.answer(g->config.listener.data, &a);
}

static void group_answer(struct graph *g, const struct graph_group *group, uint32_t executor, uint64_t wait)
{
	struct task_ready head = {.wait = wait};
	if (group) {
		head.status = group->canceled ? TASK_CANCELED : TASK_OK;
		head.ok_count = group->ok_count;
		head.receipt_low = group->receipt_low;
		head.receipt_high = group->receipt_high;
	}
	answer(g, executor, &head);
}

static void group_answer_waits(struct graph *g, struct graph_group *group)
{
	while (group->waits) {
		struct graph_wait *w = wait_at(g, group->waits);
		group->waits = w->item.next;
		waiter_answered(g, w->executor, w->id);
		group_answer(g, group, w->executor, w->id);
		wait_forget(g, w);
		wait_free(g, w);
	}
}

void group_task_ended(struct graph *g, struct graph_task *t)
{
	bool well = t->end_status == TASK_OK || t->end_status == TASK_IGNORED;
	struct graph_group *own = group_at(g, t->group), *group = own, *root;
	group_remove(g, group, t);
	do {
		root = group;
		root->live--;
		root->canceled |= !well;
		if (root->live == 0)
			group_answer_waits(g, root);
		group = group_at(g, root->outer);
	} while (group);
	if (root->orphaned && root->live == 0)
		group_free(g, root);
	else
		group_tidy(g, own);
}

/* Its tasks that were not sent to an executor, those of inner groups too; returns how many. */
static uint64_t group_cancel(struct graph *g, struct graph_group *group)
{
	uint64_t count = 0;
	uint32_t next;
	for (uint32_t at = group->tasks; at; at = next) {
		struct graph_task *t = task_at(g, at);
		next = t->group_next;
		if (t->state == TASK_SENT || t->state == TASK_ENDED)
			continue;
		task_cancel(g, t);
		count++;
	}
	for (uint32_t at = group->inner; at; at = group_at(g, at)->item.next)
		count += group_cancel(g, group_at(g, at));
	return count;
}

/* Nobody waits for its tasks any more: those that were sent may end, and what they submitted goes the same
 * way. */
static void group_abandon(struct graph *g, struct graph_group *group)
{
	uint32_t next;
	for (uint32_t at = group->tasks; at; at = next) {
		struct graph_task *t = task_at(g, at);
		next = t->group_next;
		if (t->state == TASK_SENT) {
			t->flags |= TASK_FLAG_ORPHANED;
			if (t->children)
				group_abandon(g, group_at(g, t->children));
		} else if (t->state != TASK_ENDED) {
			task_cancel(g, t);
		}
	}
	for (uint32_t at = group->inner; at; at = group_at(g, at)->item.next)
		group_abandon(g, group_at(g, at));
}

void group_orphan(struct graph *g, struct graph_task *parent)
{
	struct graph_group *root = group_at(g, parent->children);
	if (!root)
		return;
	parent->children = 0;
	root->orphaned = true;
	if (root->live == 0)
		group_free(g, root);
	else
		group_abandon(g, root);
}

int graph_cancel(struct graph *g, uint32_t executor, const struct task_cancel *m, struct error *err)
{
	struct graph_task *parent;
	struct graph_group *group;
	int rc = parent_find(g, executor, m->parent, &parent, err);
	if (rc == 0)
		rc = group_find(g, executor, parent, m->group, &group, err);
	if (rc < 0)
		return rc;
	uint64_t before = g->counts.cancelled;
	group_cancel(g, group);
	rc = settle(g, err);
	struct task_ready head = {.wait = m->wait, .ok_count = g->counts.cancelled - before};
	answer(g, executor, &head);
	return rc;
}

static void wait_answer(struct graph *g, struct graph_wait *w)
{
	struct task_ready head = {.wait = w->id,
	                          .status = w->canceled ? TASK_CANCELED : TASK_OK,
	                          .location_count = w->data_count};
	for (uint32_t i = 0; i < w->data_count; i++) {
		struct graph_datum *d = datum_at(g, w->data[i]);
		d->pins++;
		d->holders |= (uint64_t)1 << w->executor % 64;
		if (datum_locate(g, d, &g->locations[i]) < 0)
			g->broken = CELLA_EIO;
	}
	w->answered = true;
	waiter_answered(g, w->executor, w->id);
	answer(g, w->executor, &head);
}

void wait_datum_settled(struct graph *g, struct graph_wait *w, bool failed)
{
	w->missing--;
	w->canceled |= failed;
	if (w->missing)
		return;
	if (w->data)
		wait_answer(g, w);
	else
		slab_free(&g->waits, w); /* it was abandoned */
}

static int wait_for_data(struct graph *g, struct graph_wait *w, const struct message_wait *m,
                         struct error *err)
{
	uint32_t count = m->wait->data_count;
	w->data = blocks_new(&g->blocks, count * sizeof(w->data[0]));
	if (!w->data)
		return error_set(err, CELLA_ENOMEM, "no memory for a wait");
	for (uint32_t i = 0; i < count; i++) { /* counted first: closing one turn may drop another datum */
		struct graph_datum *d = map_get(&g->data_by_id, m->data[i]);
		w->data[i] = d->item.handle;
		d->uses++;
		w->data_count++;
	}
	for (uint32_t i = 0; i < count; i++)
		turn_close(g, datum_at(g, w->data[i]));
	for (uint32_t i = 0; i < count; i++) {
		struct graph_datum *d = datum_at(g, w->data[i]);
		w->canceled |= d->state == DATUM_FAILED;
		if (d->state == DATUM_PENDING && !datum_consume(g, d, w->item.handle, true))
			return error_set(err, CELLA_ENOMEM, "no memory for a wait");
	}
	if (w->missing == 0)
		wait_answer(g, w);
	return 0;
}

static struct graph_wait *wait_new(struct graph *g, uint32_t executor, uint64_t id,
                                   const struct graph_task *parent)
{
	struct graph_executor *e = &g->executors[executor];
	struct graph_wait *w = slab_new(&g->waits);
	if (!w)
		return NULL;
	w->id = id;
	w->executor = executor;
	w->parent = parent ? parent->item.handle : 0;
	w->others = e->waits;
	e->waits = w->item.handle;
	e->wait_count++;
	return w;
}

static int check_wait(const struct graph *g, uint32_t executor, const struct message_wait *m,
                      struct error *err)
{
	if (g->executors[executor].wait_count >= GRAPH_WAITS_MAX)
		return error_set(err, CELLA_EFORMAT, "executor %u waits for more than %d things", executor,
		                 GRAPH_WAITS_MAX);
	for (uint32_t i = 0; i < m->wait->data_count; i++)
		if (!map_get(&g->data_by_id, m->data[i]))
			return error_set(err, CELLA_EFORMAT,
			                 "executor %u waits for a datum that is not there", executor);
	return 0;
}

int graph_wait(struct graph *g, uint32_t executor, const struct message_wait *m, struct error *err)
{
	struct graph_task *parent;
	struct graph_group *group = NULL;
	int rc = parent_find(g, executor, m->wait->parent, &parent, err);
	if (rc == 0)
		rc = check_wait(g, executor, m, err);
	if (rc == 0 && m->wait->kind == TASK_WAIT_GROUP)
		rc = group_find(g, executor, parent, m->wait->group, &group, err);
	if (rc < 0)
		return rc;
	if (parent && !waiter_add(g, executor, parent, m->wait->wait))
		return error_set(err, CELLA_EFORMAT, "executor %u nests tasks deeper than %d", executor,
		                 TASK_DEPTH_MAX);
	if (m->wait->kind == TASK_WAIT_ALL)
		group = group_root(g, executor, parent, false);
	if (m->wait->kind != TASK_WAIT_DATA && (!group || group->live == 0)) {
		waiter_answered(g, executor, m->wait->wait);
		group_answer(g, group, executor, m->wait->wait);
		return 0;
	}
	struct graph_wait *w = wait_new(g, executor, m->wait->wait, parent);
	if (!w)
		return error_set(err, CELLA_ENOMEM, "no memory for a wait");
	if (m->wait->kind == TASK_WAIT_DATA) {
		rc = wait_for_data(g, w, m, err);
		return rc < 0 ? rc : settle(g, err);
	}
	w->group = group->item.handle;
	w->item.next = group->waits;
	group->waits = w->item.handle;
	return 0;
}

int graph_taken(struct graph *g, uint32_t executor, uint64_t wait, struct error *err)
{
	for (uint32_t at = g->executors[executor].waits; at; at = wait_at(g, at)->others) {
		struct graph_wait *w = wait_at(g, at);
		if (w->id != wait || !w->answered)
			continue;
		wait_forget(g, w);
		wait_free(g, w);
		return 0;
	}
	return error_set(err, CELLA_EFORMAT, "executor %u took what it did not wait for", executor);
}

/* Nobody listens for this one any more. */
static void wait_abandon(struct graph *g, struct graph_wait *w)
{
	if (w->group) {
		uint32_t *link = &group_at(g, w->group)->waits;
		while (*link != w->item.handle)
			link = &wait_at(g, *link)->item.next;
		*link = w->item.next;
	}
	wait_forget(g, w);
	wait_free(g, w);
}

void waits_abandon(struct graph *g, uint32_t executor, uint32_t parent)
{
	uint32_t next;
	for (uint32_t at = g->executors[executor].waits; at; at = next) {
		struct graph_wait *w = wait_at(g, at);
		next = w->others;
		if (!parent || (w->parent == parent && !w->answered))
			wait_abandon(g, w);
	}
}
