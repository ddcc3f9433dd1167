#include <stdlib.h>
#include <string.h>

#include "cell/tasks/state.h"

void tasks_group_free(struct tasks *t, struct tasks_group *group)
{
	LIST_REMOVE(group, link);
	ledger_done(&group->ledger);
	mem_free(t->config.pool, group->name);
	free(group);
}

static struct tasks_group *find(struct tasks_submitter *s, const char *name)
{
	struct tasks_group *group;
	LIST_FOREACH(group, &s->groups, link)
	if (strcmp(group->name, name) == 0)
		return group;
	return NULL;
}

static bool is_open(const struct tasks_submitter *s, const struct tasks_group *group)
{
	for (size_t i = 0; i < s->open_count; i++)
		if (s->open[i] == group)
			return true;
	return false;
}

/* Is it open, or does another one lie in it? */
static bool in_use(const struct tasks_submitter *s, const struct tasks_group *group)
{
	if (is_open(s, group))
		return true;
	const struct tasks_group *other;
	LIST_FOREACH(other, &s->groups, link)
	if (other->outer == group)
		return true;
	return false;
}

static int send_disband(struct tasks *t, const struct tasks_submitter *s, const struct tasks_group *group,
                        struct error *err)
{
	struct task_disband message = {.parent = s->task, .group = group->id};
	struct ring_part part = {&message, sizeof(message)};
	return tasks_send(t, TASK_UP_DISBAND, &part, 1, err);
}

/* The agent may forget it; what is kept here is how it ended. */
static int disband(struct tasks *t, struct tasks_submitter *s, struct tasks_group *group, bool canceled,
                   struct error *err)
{
	int rc = send_disband(t, s, group, err);
	group->closed = group->disbanded = true;
	group->canceled = canceled;
	group->outer = NULL;
	ledger_done(&group->ledger);
	return rc;
}

/* Those in it, the deepest first. One may have been begun again meanwhile. */
static int disband_inner(struct tasks *t, struct tasks_submitter *s, const struct tasks_group *outer,
                         struct error *err)
{
	struct tasks_group *group;
	int rc = 0;
	LIST_FOREACH(group, &s->groups, link)
	if (rc == 0 && group->outer == outer && !is_open(s, group)) {
		rc = disband_inner(t, s, group, err);
		if (rc == 0 && !in_use(s, group))
			rc = disband(t, s, group, false, err);
	}
	return rc;
}

/* The oldest of those that ended, if there are too many. */
static void forget_ended(struct tasks *t, struct tasks_submitter *s)
{
	struct tasks_group *group, *oldest = NULL;
	size_t count = 0;
	LIST_FOREACH(group, &s->groups, link)
	if (group->disbanded) {
		count++;
		oldest = group;
	}
	if (count > TASKS_ENDED_GROUPS_MAX)
		tasks_group_free(t, oldest);
}

/* Its tasks have ended. If all ended well, so did those of the groups in it; else these are asked about when
 * they are waited for. */
static int group_ended(struct tasks *t, struct tasks_submitter *s, struct tasks_group *group, bool canceled,
                       struct error *err)
{
	int rc = 0;
	if (is_open(s, group))
		return 0;
	if (!canceled)
		rc = disband_inner(t, s, group, err);
	if (rc == 0 && !in_use(s, group))
		rc = disband(t, s, group, canceled, err);
	forget_ended(t, s);
	return rc;
}

static int group_new(struct tasks *t, struct tasks_submitter *s, const char *name,
                     struct tasks_group **ret_group, struct error *err)
{
	struct tasks_group *group = calloc(1, sizeof(*group));
	size_t size = strlen(name) + 1;
	if (!group || !(group->name = mem_alloc(t->config.pool, size))) {
		free(group);
		return error_set(err, CELLA_ENOMEM, "no memory for group %s", name);
	}
	memcpy(group->name, name, size);
	group->id = t->next_group++;
	group->outer = s->open_count ? s->open[s->open_count - 1] : NULL;
	LIST_INSERT_HEAD(&s->groups, group, link);
	struct task_group message = {.group = group->id,
	                             .outer = group->outer ? group->outer->id : 0,
	                             .parent = s->task};
	char public[TASK_NAME_MAX + 1];
	struct ring_part parts[] = {{&message, sizeof(message)}, {public, tasks_public_name(name, public)}};
	*ret_group = group;
	return tasks_send(t, TASK_UP_GROUP, parts, array_count(parts), err);
}

int tasks_group_begin(struct tasks *t, const char *name, struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	if (s->open_count == TASKS_OPEN_GROUPS_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "%d groups are open already; end some before group %s begins",
		                 TASKS_OPEN_GROUPS_MAX, name);
	struct tasks_group *group = find(s, name);
	int rc = 0;
	if (group && group->closed) {
		bool unused = !in_use(s, group);
		if (unused && !group->disbanded)
			rc = send_disband(t, s, group, err);
		if (unused)
			tasks_group_free(t, group);
		group = NULL;
	}
	if (rc == 0 && !group)
		rc = group_new(t, s, name, &group, err);
	if (rc == 0)
		s->open[s->open_count++] = group;
	return rc;
}

int tasks_group_end(struct tasks *t, struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	if (!s->open_count)
		return error_set(err, CELLA_EINVAL, "cella_group_end without cella_group_begin");
	s->open_count--;
	return 0;
}

static int ended_how(const char *name, bool canceled, struct error *err)
{
	return canceled ? error_set(err, CELLA_ECANCELED, "tasks of group %s were cancelled", name) : 0;
}

static int ask_for_group(struct tasks *t, struct tasks_submitter *s, struct tasks_group *group,
                         struct error *err)
{
	struct task_wait wait = {.wait = t->next_wait++,
	                         .kind = TASK_WAIT_GROUP,
	                         .group = group->id,
	                         .parent = s->task};
	struct ring_part part = {&wait, sizeof(wait)};
	int rc = tasks_ask(t, s, TASK_UP_WAIT, &part, 1, err);
	if (rc == 0)
		rc = tasks_check_proof(s, &group->ledger, err);
	group->closed = true;
	return rc;
}

int tasks_group_wait(struct tasks *t, const char *name, struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	struct tasks_group *group = find(s, name);
	if (!group)
		return error_set(err, CELLA_ENOENT, "there is no group %s", name);
	if (group->disbanded)
		return ended_how(name, group->canceled, err);
	int rc = ask_for_group(t, s, group, err);
	if (rc < 0)
		return rc;
	bool canceled = s->waiting.answer.status != TASK_OK;
	rc = group_ended(t, s, group, canceled, err);
	return rc < 0 ? rc : ended_how(name, canceled, err);
}

int tasks_group_cancel(struct tasks *t, const char *name, uint64_t *ret_count, struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	struct tasks_group *group = find(s, name);
	if (!group)
		return error_set(err, CELLA_ENOENT, "there is no group %s", name);
	if (group->disbanded) {
		*ret_count = 0;
		return 0;
	}
	t->cancels = true;
	struct task_cancel cancel = {.wait = t->next_wait++, .parent = s->task, .group = group->id};
	struct ring_part part = {&cancel, sizeof(cancel)};
	int rc = tasks_ask(t, s, TASK_UP_CANCEL, &part, 1, err);
	if (rc == 0)
		*ret_count = s->waiting.answer.ok_count;
	group->closed = true;
	return rc;
}
