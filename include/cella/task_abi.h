/*
 * The border between the task library in a cell (guest/task.c) and its executor
 * (src/cell/tasks/guest.c): what crosses it, as it lies in a wasm32 linear memory, little-endian.
 *
 * The cell imports from module "cella" (i: i32):
 *     task_submit(function, name, options, items, count)   addresses of a string, struct cella_abi_options,
 *                                                          struct cella_abi_item[count]
 *     task_wait(address, unchanged) -> i                   0 or a CELLA_E*
 *     task_wait_file(path, size) -> i
 *     task_barrier(), task_forget(address)
 *     task_group_begin(name, size), task_group_end()
 *     task_group_wait(name, size) -> i                     0 or a CELLA_E*
 *     task_group_cancel(name, size) -> i                   tasks cancelled
 *     task_fail(text, size)                                returns only in the main program
 *     task_executors() -> i
 * and exports
 *     cella_task_frame(size) -> i                          address of a frame, 0: no memory
 *     cella_task_run(function, frame)
 *
 * A function is known by its index: the order in which constructors registered it, so the same
 * in every instance of one module. A frame holds a task's arguments: a table of one address a
 * parameter, then what they point to, each part aligned to CELLA_ABI_ALIGN. The executor fills it
 * before cella_task_run and takes the results from it afterwards. An instance has one frame: asking
 * for another frees it.
 */
#ifndef CELLA_TASK_ABI_H
#define CELLA_TASK_ABI_H

#include <assert.h>
#include <stdint.h>

enum {
	CELLA_ABI_ALIGN = 16,
	CELLA_ABI_FUNCTIONS_MAX = 4095,
	CELLA_ABI_NAME_MAX = 63,
	CELLA_ABI_PATH_MAX = 4095,
};

enum cella_abi_kind {
	CELLA_ABI_VALUE,      /* size bytes at address */
	CELLA_ABI_BUFFER,     /* the same, by `direction` (enum cella_direction) */
	CELLA_ABI_COLLECTION, /* size pointers, each to `columns` pointers if not 0; its buffers follow */
	CELLA_ABI_FILE,       /* a path of size bytes at address */
};

struct cella_abi_item {
	uint8_t kind;
	uint8_t direction;
	uint16_t reserved;
	uint32_t address;
	uint32_t size;
	uint32_t columns;
};

/* struct cella_task_options */
struct cella_abi_options {
	int32_t priority;
	uint32_t computing_units;
	uint64_t memory;
	uint32_t on_failure;
	uint32_t retries;
	uint32_t backoff_ms;
	uint32_t timeout_ms;
};

static_assert(sizeof(struct cella_abi_item) == 16, "no padding");
static_assert(sizeof(struct cella_abi_options) == 32, "no padding");

#endif
