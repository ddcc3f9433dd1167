#include "fake_instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/wasi/wasi.h"

struct instance {
	struct cell_instance *cell;
	struct wasi *wasi;
	struct tasks *tasks;
	uint32_t heap_at;
	uint32_t frame;
	struct instance *outer; /* of the call that is under way */
	struct trap_report *report;
	jmp_buf landing;
};

const struct fake_program *fake_program;
static struct instance *innermost;

int fake_instance_new(struct wasi *wasi, struct tasks *tasks, struct instance **ret_instance)
{
	struct instance *in = calloc(1, sizeof(*in));
	in->cell = calloc(1, sizeof(*in->cell));
	in->cell->memory = calloc(1, FAKE_MEMORY);
	in->cell->memory_size = FAKE_MEMORY;
	in->cell->host_data = in;
	in->wasi = wasi;
	in->tasks = tasks;
	in->heap_at = FAKE_HEAP;
	*ret_instance = in;
	return 0;
}

void instance_free(struct instance *in)
{
	if (!in)
		return;
	free(in->cell->memory);
	free(in->cell);
	free(in);
}

bool instance_overdue(struct cell_instance *cell)
{
	(void)cell;
	return false;
}

bool instance_is_preparing(struct cell_instance *cell)
{
	(void)cell;
	return false;
}

void instance_lend_stack(struct instance *in, void (*fn)(void *), void *arg)
{
	(void)in;
	fn(arg);
}

static void call_export(struct instance *in, const char *name, union cell_value *v)
{
	if (strcmp(name, "_start") == 0)
		fake_program->main(in->cell);
	else if (strcmp(name, "cella_task_frame") == 0)
		v[0].i32 = guest_alloc(in->cell, v[0].i32);
	else if (strcmp(name, "cella_task_run") == 0)
		fake_program->functions[v[0].i32].body(in->cell, v[1].i32);
	else
		abort();
}

int instance_call(struct instance *in, const char *name, const char *signature, union cell_value *v,
                  uint32_t timeout_ms, struct trap_report *report, struct error *err)
{
	(void)signature;
	(void)timeout_ms;
	report->trap = CELL_TRAP_NONE;
	in->outer = innermost;
	in->report = report;
	innermost = in;
	if (setjmp(in->landing) == 0) {
		call_export(in, name, v);
		innermost = in->outer;
		return 0;
	}
	innermost = in->outer;
	return error_set(err, report->trap == CELL_TRAP_TIMEOUT ? CELLA_ETIMEOUT : CELLA_ETRAP, "%s",
	                 report->text);
}

bool instance_exports(const struct instance *in, const char *name)
{
	(void)in;
	return strcmp(name, "cella_task_run") == 0;
}

struct instance *instance_of(struct cell_instance *cell)
{
	return cell->host_data;
}

struct wasi *instance_wasi(struct cell_instance *cell)
{
	return instance_of(cell)->wasi;
}

struct tasks *instance_tasks(struct cell_instance *cell)
{
	return instance_of(cell)->tasks;
}

void *instance_bytes(struct instance *in, uint64_t address, uint64_t size)
{
	return instance_memory(in->cell, address, size);
}

void instance_trap(struct cell_instance *cell, uint32_t trap, const char *format, ...)
{
	struct instance *in = instance_of(cell);
	va_list args;
	va_start(args, format);
	int size = vsnprintf(in->report->text, sizeof(in->report->text) / 2, format, args);
	va_end(args);
	snprintf(in->report->text + size, sizeof(in->report->text) / 2, "\n  at fake");
	in->report->trap = trap;
	longjmp(in->landing, 1);
}

void instance_exit(struct cell_instance *cell, int32_t status)
{
	struct instance *in = instance_of(cell);
	in->report->trap = CELL_TRAP_EXIT;
	in->report->status = status;
	in->report->text[0] = '\0';
	longjmp(in->landing, 1);
}

/* Guest side. */

uint32_t guest_alloc(struct cell_instance *cell, uint32_t size)
{
	struct instance *in = instance_of(cell);
	uint32_t address = in->heap_at;
	in->heap_at += align_up(size, 16u) + 16;
	if (in->heap_at > FAKE_MEMORY)
		instance_trap(cell, CELL_TRAP_UNREACHABLE, "the fake guest's memory is full");
	return address;
}

void *guest_at(struct cell_instance *cell, uint32_t address, uint32_t size)
{
	void *at = instance_memory(cell, address, size);
	if (!at)
		instance_trap(cell, CELL_TRAP_MEMORY, "out of bounds");
	return at;
}

uint32_t guest_argument(struct cell_instance *cell, uint32_t frame, uint32_t index)
{
	uint32_t address;
	memcpy(&address, guest_at(cell, frame + index * 4, 4), 4);
	return address;
}

static void call_import(struct cell_instance *cell, const char *name, union cell_value *v)
{
	for (size_t i = 0; i < task_function_count; i++)
		if (strcmp(task_functions[i].name, name) == 0) {
			task_functions[i].function(cell, v);
			return;
		}
	abort();
}

/* Strings, values and lists of items are put at the bottom of memory, below the heap. */
static uint32_t scratch_string(struct cell_instance *cell, const char *s)
{
	memcpy(guest_at(cell, 64, 8192), s, strlen(s) + 1);
	return 64;
}

enum { SCRATCH_OPTIONS = 16, SCRATCH_VALUES = 16384, SCRATCH_ITEMS = 32768 };

static uint32_t values_at;

struct guest_call guest_call(struct cell_instance *cell, uint32_t function)
{
	values_at = SCRATCH_VALUES;
	return (struct guest_call){.cell = cell, .function = function, .items = SCRATCH_ITEMS};
}

static void add_item(struct guest_call *call, struct cella_abi_item item)
{
	memcpy(guest_at(call->cell, call->items + call->count++ * (uint32_t)sizeof(item), sizeof(item)),
	       &item, sizeof(item));
}

void guest_value(struct guest_call *call, const void *value, uint32_t size)
{
	memcpy(guest_at(call->cell, values_at, size), value, size);
	add_item(call, (struct cella_abi_item){.kind = CELLA_ABI_VALUE, .address = values_at, .size = size});
	values_at += size;
}

void guest_buffer(struct guest_call *call, enum cella_direction direction, uint32_t address, uint32_t size)
{
	add_item(call, (struct cella_abi_item){.kind = CELLA_ABI_BUFFER,
	                                       .direction = (uint8_t)direction,
	                                       .address = address,
	                                       .size = size});
}

void guest_collection(struct guest_call *call, uint32_t rows, uint32_t columns)
{
	add_item(call,
	         (struct cella_abi_item){.kind = CELLA_ABI_COLLECTION, .size = rows, .columns = columns});
}

void guest_file(struct guest_call *call, enum cella_direction direction, const char *path)
{
	uint32_t size = (uint32_t)strlen(path);
	memcpy(guest_at(call->cell, values_at, size), path, size);
	add_item(call, (struct cella_abi_item){.kind = CELLA_ABI_FILE,
	                                       .direction = (uint8_t)direction,
	                                       .address = values_at,
	                                       .size = size});
	values_at += size;
}

void guest_submit(struct guest_call *call)
{
	const struct fake_function *f = &fake_program->functions[call->function];
	memcpy(guest_at(call->cell, SCRATCH_OPTIONS, sizeof(f->options)), &f->options, sizeof(f->options));
	union cell_value v[5] = {{.i32 = call->function},
	                         {.i32 = scratch_string(call->cell, f->name)},
	                         {.i32 = SCRATCH_OPTIONS},
	                         {.i32 = call->items},
	                         {.i32 = call->count}};
	call_import(call->cell, "task_submit", v);
}

static int call_named(struct cell_instance *cell, const char *function, const char *name)
{
	union cell_value v[2] = {{.i32 = scratch_string(cell, name)}, {.i32 = (uint32_t)strlen(name)}};
	call_import(cell, function, v);
	return (int)v[0].i32;
}

int guest_wait(struct cell_instance *cell, uint32_t address, bool unchanged)
{
	union cell_value v[2] = {{.i32 = address}, {.i32 = unchanged}};
	call_import(cell, "task_wait", v);
	return (int)v[0].i32;
}

int guest_wait_file(struct cell_instance *cell, const char *path)
{
	return call_named(cell, "task_wait_file", path);
}

void guest_barrier(struct cell_instance *cell)
{
	union cell_value v[1];
	call_import(cell, "task_barrier", v);
}

void guest_forget(struct cell_instance *cell, uint32_t address)
{
	union cell_value v[1] = {{.i32 = address}};
	call_import(cell, "task_forget", v);
}

void guest_group_begin(struct cell_instance *cell, const char *name)
{
	call_named(cell, "task_group_begin", name);
}

void guest_group_end(struct cell_instance *cell)
{
	union cell_value v[1];
	call_import(cell, "task_group_end", v);
}

int guest_group_wait(struct cell_instance *cell, const char *name)
{
	return call_named(cell, "task_group_wait", name);
}

int guest_group_cancel(struct cell_instance *cell, const char *name)
{
	return call_named(cell, "task_group_cancel", name);
}

void guest_fail(struct cell_instance *cell, const char *text)
{
	call_named(cell, "task_fail", text);
}
