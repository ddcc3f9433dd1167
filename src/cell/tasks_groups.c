#include <stdlib.h>
#include <string.h>

#include "cell/tasks_state.h"

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

/* Is it open, or does another one lie in it? */
static bool in_use(const struct tasks_submitter *s, const struct tasks_group *group)
{
	for (size_t i = 0; i < s->open_count; i++)
		if (s->open[i] == group)
			return true;
	const struct tasks_group *other;
	LIST_FOREACH(other, &s->groups, link)
	if (other->outer == group)
		return true;
	return false;
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
	if (group && group->closed) {
		if (!in_use(s, group))
			tasks_group_free(t, group);
		group = NULL;
	}
	int rc = group ? 0 : group_new(t, s, name, &group, err);
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

int tasks_group_wait(struct tasks *t, const char *name, struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	struct tasks_group *group = find(s, name);
	if (!group)
		return error_set(err, CELLA_ENOENT, "there is no group %s", name);
	struct task_wait wait = {.wait = t->next_wait++,
	                         .kind = TASK_WAIT_GROUP,
	                         .group = group->id,
	                         .parent = s->task};
	struct ring_part part = {&wait, sizeof(wait)};
	int rc = tasks_ask(t, s, TASK_UP_WAIT, &part, 1, err);
	if (rc == 0)
		rc = tasks_check_proof(s, &group->ledger, err);
	if (rc == 0 && s->waiting.answer.status != TASK_OK)
		rc = error_set(err, CELLA_ECANCELED, "tasks of group %s were cancelled", name);
	group->closed = true;
	return rc;
}

int tasks_group_cancel(struct tasks *t, const char *name, uint64_t *ret_count, struct error *err)
{
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	struct tasks_group *group = find(s, name);
	if (!group)
		return error_set(err, CELLA_ENOENT, "there is no group %s", name);
	t->cancels = true;
	struct task_cancel cancel = {.wait = t->next_wait++, .parent = s->task, .group = group->id};
	struct ring_part part = {&cancel, sizeof(cancel)};
	int rc = tasks_ask(t, s, TASK_UP_CANCEL, &part, 1, err);
	if (rc == 0)
		*ret_count = s->waiting.answer.ok_count;
	group->closed = true;
	return rc;
}
