/*
 * Traps: how control leaves a cell's code when something ends it.
 *
 * A trap is raised by the code itself (unreachable, division), by a host function, or by a
 * signal: SIGSEGV in a guard area of the running cell's memory or stack, SIGALRM after its
 * time-out. All end in trap_raise, which writes the report and jumps to the instance_call that
 * entered the cell.
 *
 * Signals run on an alternate stack in protected memory, for the kernel stores the cell's registers
 * there. A time-out that finds the process in host code waits until it is in the cell's code again,
 * so that host code is never abandoned half way; a host function that sleeps asks trap_overdue. Only the
 * innermost call is timed: what waits beneath it is looked at when it goes on. A fault in memory that a
 * pager or a snapshot has yet to bring is mended by it, and what faulted goes on: the host's code in a
 * pager's memory, too. A fault that belongs to no running cell ends the process.
 *
 * So a handler raises only what interrupted a cell's code, which calls no C library: that is why the
 * report may be written with functions that are not async-signal-safe (snprintf), and memory restored
 * with OpenSSL: the instruction that faulted is the cell's, or a copy that the host makes for it
 * (cell_host.memmove).
 */
#ifndef CELL_TRAP_H
#define CELL_TRAP_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "cell/instance.h"
#include "cell/unwind.h"

struct snapshot_fill; /* cell/snapshot/fill.h */

/* A call in progress; they form a chain, innermost first. */
struct trap_scope {
	struct trap_scope *outer;
	struct code *code;
	const struct mem_region *memory;
	const struct mem_stack *stack;
	uint64_t deadline_ns; /* 0: none */
	struct trap_report *report;
	struct snapshot_fill *fill; /* of the memory; NULL: all of it is there */
	jmp_buf landing;
};

/* Faults in this pager's memories bring their pages (NULL: there are none). A page that is lost ends the
 * cell if its own code wanted it, else the process: host code is not abandoned half way. */
void trap_set_pager(struct pager *pager);
/* From here on host code touches memory only as the cell's own instructions would, and may raise what
 * they may. */
void trap_copying(bool copying);

/* Install the handlers on an alternate stack from `pool`; once per process. */
int trap_init(struct mem_pool *pool, struct error *err) must_check;

void trap_enter(struct trap_scope *scope);
void trap_leave(struct trap_scope *scope);

/* Has the innermost scope's time passed? A host function that was interrupted raises the time-out. */
bool trap_overdue(void);

/* For the innermost scope: write the report with the backtrace from this frame on, and jump. An exit has
 * none: NULL. */
void trap_raise(uint32_t trap, int32_t status, const char *text, const struct unwind_frame *from)
	__attribute__((noreturn));

/* "out of bounds memory access" and so on. */
const char *trap_name(uint32_t trap);

#endif
