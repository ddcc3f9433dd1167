/*
 * Tasks inside a cell: the functions behind cella/task.h, and what the executor calls to run a
 * task. Everything is decided by the executor (src/cell/tasks/guest.c); here arguments are listed
 * on the way out and functions found on the way in.
 *
 * A call under way owns a list of items; the list is kept for the next call, so submitting
 * allocates nothing.
 */
#include <cella/error.h>
#include <cella/task.h>
#include <cella/task_abi.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(function) __attribute__((import_module("cella"), import_name(#function)))
#define EXPORT(function) __attribute__((export_name(#function)))

static_assert(sizeof(struct cella_task_options) == sizeof(struct cella_abi_options), "the same bytes");

IMPORT(task_submit)
void task_submit(uint32_t function, const char *name, const struct cella_task_options *options,
                 const struct cella_abi_item *items, size_t count);
IMPORT(task_wait) int task_wait(const void *buffer, int unchanged);
IMPORT(task_wait_file) int task_wait_file(const char *path, size_t size);
IMPORT(task_barrier) void task_barrier(void);
IMPORT(task_forget) void task_forget(const void *buffer);
IMPORT(task_group_begin) void task_group_begin(const char *name, size_t size);
IMPORT(task_group_end) void task_group_end(void);
IMPORT(task_group_wait) int task_group_wait(const char *name, size_t size);
IMPORT(task_group_cancel) int task_group_cancel(const char *name, size_t size);
IMPORT(task_fail) void task_fail(const char *text, size_t size);
IMPORT(task_executors) int task_executors(void);

void *cella_task_frame(size_t size);
void cella_task_prepare(void);
void cella_task_run(uint32_t index, struct cella_frame *frame);
void __wasm_call_ctors(void);
/* As in start.c. */
__attribute__((weak)) void __cella_guard(void (*function)(void *), void *argument);

enum { ITEMS_FIRST = 64, TEXT_MAX = 1024 };

struct cella_frame {
	uint32_t arguments[1]; /* one for each parameter */
};

/* Functions, in the order of registration. */

static struct cella_task_function *first_function;
static struct cella_task_function **last_function = &first_function;
static uint32_t function_count;
static bool constructed;

void cella_task_register(struct cella_task_function *function)
{
	constructed = true;
	function->index = function_count++;
	*last_function = function;
	last_function = &function->next;
}

/* Task instances do not run main, so nothing has called their constructors. */
static void construct(void)
{
	if (!constructed) {
		constructed = true;
		__wasm_call_ctors();
	}
}

static struct cella_task_function *find_function(uint32_t index)
{
	construct();
	struct cella_task_function *function = first_function;
	while (function && function->index != index)
		function = function->next;
	return function;
}

/* Warm-ups, in the order of registration. */

static struct cella_warm_up *first_warm_up;
static struct cella_warm_up **last_warm_up = &first_warm_up;

void cella_warm_up_register(struct cella_warm_up *warm_up)
{
	constructed = true;
	*last_warm_up = warm_up;
	last_warm_up = &warm_up->next;
}

/* Submitting. */

static struct cella_abi_item first_items[ITEMS_FIRST];
static struct cella_abi_item *spare_items = first_items;
static size_t spare_capacity = ITEMS_FIRST;

static void out_of_memory(void)
{
	cella_fail("no memory for the arguments of a task");
}

static void take_items(struct cella_call *call)
{
	call->items = spare_items;
	call->capacity = spare_capacity;
	spare_items = NULL;
	spare_capacity = 0;
}

static void grow_items(struct cella_call *call)
{
	size_t capacity = call->capacity ? call->capacity * 2 : ITEMS_FIRST;
	struct cella_abi_item *items = malloc(capacity * sizeof(*items));
	if (!items)
		out_of_memory();
	if (call->count)
		memcpy(items, call->items, call->count * sizeof(*items));
	if (call->items != first_items)
		free(call->items);
	call->items = items;
	call->capacity = capacity;
}

static void add_item(struct cella_call *call, struct cella_abi_item item)
{
	if (!call->items)
		take_items(call);
	if (call->count == call->capacity)
		grow_items(call);
	((struct cella_abi_item *)call->items)[call->count++] = item;
}

void cella_call_value(struct cella_call *call, const void *value, size_t size)
{
	add_item(call, (struct cella_abi_item){.kind = CELLA_ABI_VALUE,
	                                       .address = (uint32_t)(uintptr_t)value,
	                                       .size = size});
}

void cella_call_buffer(struct cella_call *call, enum cella_direction direction, const void *buffer,
                       size_t size)
{
	add_item(call, (struct cella_abi_item){.kind = CELLA_ABI_BUFFER,
	                                       .direction = (uint8_t)direction,
	                                       .address = (uint32_t)(uintptr_t)buffer,
	                                       .size = size});
}

void cella_call_collection(struct cella_call *call, size_t rows, size_t columns)
{
	add_item(call,
	         (struct cella_abi_item){.kind = CELLA_ABI_COLLECTION, .size = rows, .columns = columns});
}

void cella_call_file(struct cella_call *call, enum cella_direction direction, const char *path)
{
	add_item(call, (struct cella_abi_item){.kind = CELLA_ABI_FILE,
	                                       .direction = (uint8_t)direction,
	                                       .address = (uint32_t)(uintptr_t)path,
	                                       .size = path ? strlen(path) : 0});
}

/* An argument may itself submit tasks while it is evaluated, so another call's list may be spare by now. */
static void return_items(struct cella_call *call)
{
	if (call->capacity > spare_capacity) {
		if (spare_items != first_items)
			free(spare_items);
		spare_items = call->items;
		spare_capacity = call->capacity;
	} else if (call->items != first_items) {
		free(call->items);
	}
}

void cella_call_submit(struct cella_call *call)
{
	task_submit(call->function->index, call->function->name, call->function->options, call->items,
	            call->count);
	return_items(call);
}

/* Waiting. */

int cella_wait_on(const void *buffer)
{
	return task_wait(buffer, 0);
}

int cella_wait_on_unchanged(const void *buffer)
{
	return task_wait(buffer, 1);
}

int cella_wait_on_file(const char *path)
{
	return task_wait_file(path, strlen(path));
}

void cella_barrier(void)
{
	task_barrier();
}

void cella_forget(const void *buffer)
{
	task_forget(buffer);
}

void cella_group_begin(const char *name)
{
	task_group_begin(name, strlen(name));
}

void cella_group_end(void)
{
	task_group_end();
}

int cella_group_wait(const char *name)
{
	return task_group_wait(name, strlen(name));
}

int cella_group_cancel(const char *name)
{
	return task_group_cancel(name, strlen(name));
}

int cella_executors(void)
{
	return task_executors();
}

void cella_fail(const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	task_fail(text, strlen(text));
	fprintf(stderr, "%s\n", text);
	exit(1);
}

/* Running. */

EXPORT(cella_task_frame) void *cella_task_frame(size_t size)
{
	static void *frame;
	free(frame);
	frame = aligned_alloc(CELLA_ABI_ALIGN, size);
	return frame;
}

/* What a new instance for tasks does first, once: instances after it may begin with what is here now. */
EXPORT(cella_task_prepare) void cella_task_prepare(void)
{
	construct();
	for (struct cella_warm_up *warm_up = first_warm_up; warm_up; warm_up = warm_up->next)
		warm_up->run();
	fflush(NULL);
}

struct entry {
	struct cella_task_function *function;
	struct cella_frame *frame;
};

static void enter(void *argument)
{
	const struct entry *entry = argument;
	entry->function->enter(entry->frame);
}

EXPORT(cella_task_run) void cella_task_run(uint32_t index, struct cella_frame *frame)
{
	struct cella_task_function *function = find_function(index);
	if (!function)
		__builtin_trap();
	struct entry entry = {function, frame};
	if (__cella_guard)
		__cella_guard(enter, &entry);
	else
		enter(&entry);
	fflush(NULL);
}

void *cella_argument(struct cella_frame *frame, size_t index)
{
	return (void *)(uintptr_t)frame->arguments[index];
}
