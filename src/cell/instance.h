/*
 * A running cell: a translated image mapped into the executor, a linear memory and state in
 * protected memory, and the host functions that it imports.
 *
 * A trap ends the cell, not the executor: every call into a cell goes through instance_call,
 * which catches what the code, the guard pages and host functions raise. After a trap the
 * instance is only good for instance_free.
 */
#ifndef CELL_INSTANCE_H
#define CELL_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/mem.h"
#include "wasm/cell_abi.h"

struct code;     /* cell/code.h */
struct snapshot; /* cell/snapshot/snapshot.h */
struct instance; /* one running cell */
struct wasi;     /* cell/wasi/wasi.h */
struct tasks;    /* cell/tasks/tasks.h */
struct pager;    /* page/page.h */

struct host_function {
	const char *module;
	const char *name;
	const char *signature; /* as cell_import.signature */
	cell_function *function;
};

struct instance_config {
	struct mem_pool *pool;
	struct code *code;  /* borrowed */
	struct pager *pager; /* that the linear memory is of; NULL: of the pool */
	uint64_t heap;      /* bytes that the linear memory may grow to at most */
	size_t stack_size;  /* of the host stack that the cell's code runs on */
	struct wasi *wasi;  /* what its WASI imports act on; borrowed */
	struct tasks *tasks; /* NULL: its task imports trap; borrowed */
	const uint8_t *identity; /* of the cell, CRYPTO_SHA384_SIZE bytes; borrowed; NULL: no snapshots */
};

/* Maps memory, initialises it and runs the module's start function if it has one (a C program has none: its
 * constructors run when it is entered). */
int instance_new(const struct instance_config *config, struct instance **ret_instance,
                 struct error *err) must_check;
/* The same from a snapshot of this cell, without its initialisers. CELLA_EINVAL: the snapshot is another
 * cell's, or another version's. */
int instance_spawn(const struct instance_config *config, struct snapshot *snapshot,
                   struct instance **ret_instance, struct error *err) must_check;
void instance_free(struct instance *instance);
/* Of an instance that no call is in and that has not trapped; `base`: as snapshot_capture. */
int instance_capture(struct instance *instance, struct snapshot *base, struct snapshot **ret_snapshot,
                     struct error *err) must_check;

/* How a call ended that did not return. */
struct trap_report {
	uint32_t trap; /* enum cell_trap */
	int32_t status; /* with CELL_TRAP_EXIT */
	char text[2048]; /* one line, then per frame "  at name (+0x1a2b)", an offset in the image */
};

/* Runs an exported function on the instance's protected stack. timeout_ms 0: none. 0; CELLA_ENOENT if
 * there is no such export of that signature; CELLA_ETRAP with the report filled (an exit is reported
 * as a trap, too); CELLA_ETIMEOUT for CELL_TRAP_TIMEOUT. Calls nest on different instances only. */
int instance_call(struct instance *instance, const char *name, const char *signature, union cell_value *v,
                  uint32_t timeout_ms, struct trap_report *ret_report, struct error *err) must_check;
/* Runs host code on the instance's stack, which no call is using: code that calls into other instances
 * needs one of its own, as they nest. */
void instance_lend_stack(struct instance *instance, void (*fn)(void *), void *arg);
/* The same of a function without parameters that gets an instance ready for its tasks, which may not come
 * while it runs. */
int instance_prepare(struct instance *instance, const char *name, uint32_t timeout_ms,
                     struct trap_report *ret_report, struct error *err) must_check;
bool instance_is_preparing(struct cell_instance *cell);
bool instance_exports(const struct instance *instance, const char *name);

/* For host functions. */
struct instance *instance_of(struct cell_instance *cell);
struct wasi *instance_wasi(struct cell_instance *cell);
struct tasks *instance_tasks(struct cell_instance *cell);
/* [address, address + size) of the linear memory, or NULL if any of it is outside or cannot be restored.
 * Valid until the instance is freed (the base never moves). Host code touches a cell's memory by these
 * alone. */
void *instance_memory(struct cell_instance *cell, uint64_t address, uint64_t size);
/* The same of a struct instance. */
void *instance_bytes(struct instance *instance, uint64_t address, uint64_t size);
/* Bring what lies at `at`, which instance_memory gave, where it is paged; the beginning of it, if it is
 * long. A page that is lost traps here, and need not where host code holds something. */
void instance_touch(struct cell_instance *cell, const void *at, size_t size);
/*
 * For a system call that reads (or writes) a cell's memory, which the kernel cannot bring where it is
 * paged: keep the bytes at `at`, which instance_memory gave, until instance_unpin of as many. Returns how
 * many from `at` on, 0 if no more can be kept at a time. Traps where they cannot be brought, so let go of
 * all but pins before.
 */
size_t instance_pin(struct cell_instance *cell, const void *at, size_t size, bool write);
void instance_unpin(struct cell_instance *cell, const void *at, size_t size);
/* Has its time passed? A host function that a signal interrupts raises the time-out then. */
bool instance_overdue(struct cell_instance *cell);
/* Raise. The text is for a person. Only from inside a host function, which has let go of all that it
 * held: nothing of it is unwound. */
void instance_trap(struct cell_instance *cell, uint32_t trap, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void instance_exit(struct cell_instance *cell, int32_t status) __attribute__((noreturn));

#endif
