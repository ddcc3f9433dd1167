/*
 * The functions that cells import from module "cella" (cella/task_abi.h). What cannot be done
 * traps; the trap's text says why. Addresses, sizes and names come from the cell and are checked
 * here or where they are used.
 */
#include <string.h>

#include "cell/tasks/state.h"

static struct tasks *tasks_of(struct cell_instance *cell)
{
	struct tasks *t = instance_tasks(cell);
	if (!t)
		instance_trap(cell, CELL_TRAP_HOST, "there are no tasks here");
	return t;
}

/* For what a constructor or a warm-up may not do: there is no task that it belongs to. */
static struct tasks *busy_tasks_of(struct cell_instance *cell)
{
	if (instance_is_preparing(cell))
		instance_trap(cell, CELL_TRAP_HOST,
		              "a constructor or CELLA_WARM_UP calls tasks: only main and tasks may");
	return tasks_of(cell);
}

static void trap(struct cell_instance *cell, int rc, const struct error *err) __attribute__((noreturn));

static void trap(struct cell_instance *cell, int rc, const struct error *err)
{
	if (rc == CELLA_ETIMEOUT)
		instance_trap(cell, CELL_TRAP_TIMEOUT, "while it waited");
	instance_trap(cell, CELL_TRAP_HOST, "%s", err->text);
}

/* What a program is told rather than ended for. */
static uint32_t result(struct cell_instance *cell, int rc, const struct error *err)
{
	if (rc < 0 && rc != CELLA_ECANCELED && rc != CELLA_ENOENT)
		trap(cell, rc, err);
	return (uint32_t)rc;
}

static void check(struct cell_instance *cell, int rc, const struct error *err)
{
	if (rc < 0)
		trap(cell, rc, err);
}

/* A copy, terminated, of a string with a length. */
static void copy_string(struct cell_instance *cell, const union cell_value *v, char *to, size_t capacity)
{
	const char *from = instance_memory(cell, v[0].i32, v[1].i32);
	if (!from || v[1].i32 >= capacity)
		instance_trap(cell, CELL_TRAP_HOST,
		              "a name of %u bytes is too long, or lies outside the cell's memory", v[1].i32);
	memcpy(to, from, v[1].i32);
	to[v[1].i32] = '\0';
}

/* The same of one that ends with a zero. */
static void copy_name(struct cell_instance *cell, uint32_t address, char to[CELLA_ABI_NAME_MAX + 1])
{
	size_t size = 0;
	const char *c;
	while (size < CELLA_ABI_NAME_MAX && (c = instance_memory(cell, (uint64_t)address + size, 1)) && *c)
		to[size++] = *c;
	to[size] = '\0';
}

static void task_submit_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	char name[CELLA_ABI_NAME_MAX + 1];
	struct error err;
	uint32_t count = v[4].i32;
	const void *options = instance_memory(cell, v[2].i32, sizeof(struct cella_abi_options));
	struct tasks_call call = {
		.function = v[0].i32,
		.name = name,
		.items = instance_memory(cell, v[3].i32, (uint64_t)count * sizeof(struct cella_abi_item)),
		.item_count = count,
	};
	if (!options || !call.items)
		instance_trap(cell, CELL_TRAP_HOST, "a task's arguments lie outside the cell's memory");
	memcpy(&call.options, options, sizeof(call.options));
	copy_name(cell, v[1].i32, name);
	check(cell, tasks_submit(t, cell, &call, &err), &err);
}

static void task_wait_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	struct error err;
	v[0].i32 = result(cell, tasks_wait_buffer(t, instance_of(cell), v[0].i32, v[1].i32 != 0, &err), &err);
}

static void task_wait_file_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	char path[CELLA_ABI_PATH_MAX + 1];
	struct error err;
	copy_string(cell, v, path, sizeof(path));
	v[0].i32 = result(cell, tasks_wait_file(t, path, &err), &err);
}

static void task_barrier_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	struct error err;
	(void)v;
	check(cell, tasks_barrier(t, &tasks_top(t)->submitter, &err), &err);
}

static void task_forget_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	struct tasks_submitter *s = &tasks_top(t)->submitter;
	struct version_name name = {.address = v[0].i32};
	struct error err;
	if (!s->versions)
		return;
	versions_forget(s->versions, &name);
	check(cell, tasks_release(t, s, &err), &err);
}

static void task_group_begin_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	char name[CELLA_ABI_NAME_MAX + 1];
	struct error err;
	copy_string(cell, v, name, sizeof(name));
	check(cell, tasks_group_begin(t, name, &err), &err);
}

static void task_group_end_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	struct error err;
	(void)v;
	check(cell, tasks_group_end(t, &err), &err);
}

static void task_group_wait_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	char name[CELLA_ABI_NAME_MAX + 1];
	struct error err;
	copy_string(cell, v, name, sizeof(name));
	v[0].i32 = result(cell, tasks_group_wait(t, name, &err), &err);
}

static void task_group_cancel_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	char name[CELLA_ABI_NAME_MAX + 1];
	struct error err;
	uint64_t count = 0;
	copy_string(cell, v, name, sizeof(name));
	uint32_t rc = result(cell, tasks_group_cancel(t, name, &count, &err), &err);
	v[0].i32 = rc ? rc : (uint32_t)min_of(count, (uint64_t)INT32_MAX);
}

/* In a task: the reason, kept for the failure's text. The main program ends itself. */
static void task_fail_function(struct cell_instance *cell, union cell_value *v)
{
	struct tasks *t = busy_tasks_of(cell);
	struct tasks_level *level = tasks_top(t);
	if (t->depth == 0)
		return;
	const char *text = instance_memory(cell, v[0].i32, v[1].i32);
	uint32_t size = min_of(v[1].i32, (uint32_t)TASK_FAILURE_MAX);
	mem_free(t->config.pool, level->reason);
	level->reason = text ? mem_alloc(t->config.pool, size + 1) : NULL;
	if (level->reason)
		memcpy(level->reason, text, size);
	instance_trap(cell, CELL_TRAP_HOST, "the task failed");
}

static void task_executors_function(struct cell_instance *cell, union cell_value *v)
{
	v[0].i32 = tasks_of(cell)->config.executor_count;
}

const struct host_function task_functions[] = {
	{"cella", "task_submit", "iiiii:", task_submit_function},
	{"cella", "task_wait", "ii:i", task_wait_function},
	{"cella", "task_wait_file", "ii:i", task_wait_file_function},
	{"cella", "task_barrier", ":", task_barrier_function},
	{"cella", "task_forget", "i:", task_forget_function},
	{"cella", "task_group_begin", "ii:", task_group_begin_function},
	{"cella", "task_group_end", ":", task_group_end_function},
	{"cella", "task_group_wait", "ii:i", task_group_wait_function},
	{"cella", "task_group_cancel", "ii:i", task_group_cancel_function},
	{"cella", "task_fail", "ii:", task_fail_function},
	{"cella", "task_executors", ":i", task_executors_function},
};
const size_t task_function_count = array_count(task_functions);
