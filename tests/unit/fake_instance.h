/*
 * Cells without WebAssembly: the functions of cell/instance.h over an array of bytes, with
 * "guest" code in C that calls the executor's imported functions the way that guest/task.c does.
 */
#ifndef FAKE_INSTANCE_H
#define FAKE_INSTANCE_H

#include "cell/tasks/tasks.h"
#include "cella/task.h"
#include "cella/task_abi.h"

enum { FAKE_MEMORY = 4 << 20, FAKE_HEAP = 65536, FAKE_FUNCTIONS_MAX = 20 };

struct fake_function {
	const char *name;
	void (*body)(struct cell_instance *cell, uint32_t frame);
	struct cella_abi_options options;
};

/* The program that instances run: its task functions by index, and its main. */
struct fake_program {
	const struct fake_function *functions;
	void (*main)(struct cell_instance *cell);
};
extern const struct fake_program *fake_program;

int fake_instance_new(struct wasi *wasi, struct tasks *tasks, struct instance **ret_instance);

/* Guest side. Addresses are of the linear memory. */
uint32_t guest_alloc(struct cell_instance *cell, uint32_t size);
void *guest_at(struct cell_instance *cell, uint32_t address, uint32_t size);
uint32_t guest_argument(struct cell_instance *cell, uint32_t frame, uint32_t index);

struct guest_call {
	struct cell_instance *cell;
	uint32_t function;
	uint32_t items, count;
};
struct guest_call guest_call(struct cell_instance *cell, uint32_t function);
void guest_value(struct guest_call *call, const void *value, uint32_t size);
void guest_buffer(struct guest_call *call, enum cella_direction direction, uint32_t address, uint32_t size);
void guest_collection(struct guest_call *call, uint32_t rows, uint32_t columns);
void guest_file(struct guest_call *call, enum cella_direction direction, const char *path);
void guest_submit(struct guest_call *call);

int guest_wait(struct cell_instance *cell, uint32_t address, bool unchanged);
int guest_wait_file(struct cell_instance *cell, const char *path);
void guest_barrier(struct cell_instance *cell);
void guest_forget(struct cell_instance *cell, uint32_t address);
void guest_group_begin(struct cell_instance *cell, const char *name);
void guest_group_end(struct cell_instance *cell);
int guest_group_wait(struct cell_instance *cell, const char *name);
int guest_group_cancel(struct cell_instance *cell, const char *name);
void guest_fail(struct cell_instance *cell, const char *text);

#endif
