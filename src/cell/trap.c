#include "cell/trap.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cell/code.h"
#include "cell/snapshot/fill.h"
#include "page/page.h"

enum {
	TRAP_ALTERNATE_STACK = 64 * 1024,
	TRAP_FRAMES_MAX = 48,
	TRAP_STACK_GUARD = 1 << 20, /* as mem_stack_new promises */
	TRAP_RETRY_US = 2000,       /* after a time-out that found the process in host code */
	TRAP_LOST_STATUS = 1,
};

/* Also read by the handlers: a scope is whole before it is put here. */
static struct trap_scope *volatile innermost;
static struct pager *paged;    /* NULL: no memory is */
static volatile bool copying; /* host code that stands for instructions of the cell */

static const char *const trap_names[] = {
	[CELL_TRAP_NONE] = "no trap",
	[CELL_TRAP_UNREACHABLE] = "unreachable",
	[CELL_TRAP_MEMORY] = "out of bounds memory access",
	[CELL_TRAP_TABLE] = "undefined element",
	[CELL_TRAP_NULL_FUNCTION] = "uninitialized element",
	[CELL_TRAP_SIGNATURE] = "indirect call type mismatch",
	[CELL_TRAP_DIVIDE_BY_ZERO] = "integer divide by zero",
	[CELL_TRAP_INTEGER_OVERFLOW] = "integer overflow",
	[CELL_TRAP_CONVERSION] = "invalid conversion to integer",
	[CELL_TRAP_STACK] = "call stack exhausted",
	[CELL_TRAP_TIMEOUT] = "time-out",
	[CELL_TRAP_HOST] = "host function failed",
	[CELL_TRAP_EXIT] = "exit",
	[CELL_TRAP_UNALIGNED] = "unaligned atomic",
	[CELL_TRAP_EXCEPTION] = "uncaught exception",
};

const char *trap_name(uint32_t trap)
{
	return trap < array_count(trap_names) ? trap_names[trap] : "unknown trap";
}

/* Text that outgrows the report is cut at its end. */
static size_t report_append(struct trap_report *report, size_t at, const char *before, const char *text)
{
	size_t left = sizeof(report->text) - at;
	int size = snprintf(report->text + at, left, "%s%s", before, text);
	return size < 0 ? at : min_of(at + (size_t)size, sizeof(report->text) - 1);
}

/* In the image: whoever has it can find the line. */
static size_t report_address(struct trap_report *report, size_t at, uintptr_t offset)
{
	char text[32];
	snprintf(text, sizeof(text), " (+0x%zx)", (size_t)offset);
	return report_append(report, at, text, "");
}

/* Translated code has tables. clang's tell of all its functions; where gcc's do not, the function keeps a
 * frame pointer, as the host's code does. */
static bool go_to_caller(const struct trap_scope *scope, const struct unwind_stack *stack,
                         struct unwind_frame *frame)
{
	if (code_contains(scope->code, frame->instruction) && unwind_step(&scope->code->unwind, stack, frame))
		return true;
	return unwind_step_by_pointer(stack, frame);
}

static void report_backtrace(const struct trap_scope *scope, size_t at, struct unwind_frame frame)
{
	const struct unwind_stack stack = {(uintptr_t)scope->stack->low, (uintptr_t)scope->stack->high};
	int depth = 0;
	do {
		const char *name = code_symbol_at(scope->code, frame.instruction);
		if (name) {
			at = report_append(scope->report, at, "\n  at ", name);
			at = report_address(scope->report, at,
			                    frame.instruction - (uintptr_t)scope->code->base);
		}
	} while (++depth < TRAP_FRAMES_MAX && go_to_caller(scope, &stack, &frame));
}

void trap_raise(uint32_t trap, int32_t status, const char *text, const struct unwind_frame *from)
{
	struct trap_scope *scope = innermost;
	struct trap_report *report = scope->report;
	copying = false;
	report->trap = trap;
	report->status = status;
	report->text[0] = '\0';
	if (trap != CELL_TRAP_EXIT) {
		bool explained = trap == CELL_TRAP_HOST && text[0];
		size_t at = explained ? 0 : report_append(report, 0, trap_name(trap), "");
		if (text[0])
			at = report_append(report, at, at ? ": " : "", text);
		report_backtrace(scope, at, *from);
	}
	innermost = scope->outer;
	_longjmp(scope->landing, 1);
}

static void trap_arm(void)
{
	uint64_t now = clock_ns(), deadline = innermost ? innermost->deadline_ns : 0;
	struct itimerval timer = {0};
	if (deadline) {
		uint64_t us = deadline > now ? (deadline - now + 999) / 1000 : TRAP_RETRY_US;
		timer.it_value.tv_sec = (time_t)(us / 1000000);
		timer.it_value.tv_usec = (suseconds_t)(us % 1000000);
	}
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Does the timer change hands between this scope and the one around it? */
static bool is_timed(const struct trap_scope *scope)
{
	return scope->deadline_ns || (scope->outer && scope->outer->deadline_ns);
}

void trap_enter(struct trap_scope *scope)
{
	scope->outer = innermost;
	atomic_signal_fence(memory_order_release);
	innermost = scope;
	if (is_timed(scope))
		trap_arm();
}

void trap_leave(struct trap_scope *scope)
{
	innermost = scope->outer;
	if (is_timed(scope))
		trap_arm();
}

bool trap_overdue(void)
{
	return innermost && innermost->deadline_ns && clock_ns() >= innermost->deadline_ns;
}

void trap_set_pager(struct pager *pager)
{
	paged = pager;
}

void trap_copying(bool on)
{
	copying = on;
}

struct trap_registers {
	struct unwind_frame frame;
	bool write; /* of a fault: it may have been one */
};

#if defined(__aarch64__)
/* The syndrome is one of the records behind the registers; bit 6 is that of a write. */
static bool is_write(const mcontext_t *m)
{
	const struct _aarch64_ctx *record = (const struct _aarch64_ctx *)(const void *)m->__reserved;
	while (record->magic && record->magic != ESR_MAGIC)
		record = (const struct _aarch64_ctx *)(const void *)((const uint8_t *)record + record->size);
	return !record->magic || ((const struct esr_context *)(const void *)record)->esr & 1 << 6;
}
#endif

static struct trap_registers registers_of(const void *context)
{
	const mcontext_t *m = &((const ucontext_t *)context)->uc_mcontext;
#if defined(__x86_64__)
	static const greg_t page_fault_write = 2;
	return (struct trap_registers){
		.frame = {.instruction = (uintptr_t)m->gregs[REG_RIP],
	                  .stack = (uintptr_t)m->gregs[REG_RSP],
	                  .pointer = (uintptr_t)m->gregs[REG_RBP],
	                  .probe = (uintptr_t)m->gregs[REG_R11]},
		.write = m->gregs[REG_ERR] & page_fault_write,
	};
#else
	return (struct trap_registers){
		.frame = {.instruction = m->pc, .stack = m->sp, .pointer = m->regs[29]},
		.write = is_write(m),
	};
#endif
}

/* The trap that a fault at this address means for the running cell, CELL_TRAP_NONE if it is not the
 * cell's. Host functions are not entered near the stack's end (cell_instance.stack_limit), so a fault in
 * its guard is the cell's even if the code that faulted was about to report another trap. */
static uint32_t trap_of_fault(const struct trap_scope *scope, uintptr_t address, uintptr_t instruction)
{
	uintptr_t low = (uintptr_t)scope->stack->low;
	if (address < low && address >= low - TRAP_STACK_GUARD)
		return CELL_TRAP_STACK;
	if (code_contains(scope->code, instruction) &&
	    address - (uintptr_t)scope->memory->base < scope->memory->reserved)
		return CELL_TRAP_MEMORY;
	return CELL_TRAP_NONE;
}

/* Has who brings the page at this address done so? What cannot be had is told to the cell that wanted it. */
static bool bring(const struct trap_scope *scope, const void *address, const struct trap_registers *registers)
{
	struct error err;
	const char *why = "";
	int saved_errno = errno;
	enum page_outcome outcome = paged ? pager_fault(paged, address, registers->write) : PAGE_FOREIGN;
	if (outcome == PAGE_LOST) {
		why = pager_failure(paged);
	} else if (outcome == PAGE_FOREIGN && scope && scope->fill) {
		outcome = snapshot_fill_fault(scope->fill, address, &err);
		why = outcome == PAGE_LOST ? err.text : "";
	}
	errno = saved_errno;
	if (outcome != PAGE_LOST)
		return outcome == PAGE_READY;
	if (scope && (copying || code_contains(scope->code, registers->frame.instruction)))
		trap_raise(CELL_TRAP_HOST, 0, why, &registers->frame);
	log_error("%s", why);
	_exit(TRAP_LOST_STATUS);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	struct trap_registers registers = registers_of(context);
	struct trap_scope *scope = innermost;
	uint32_t trap = CELL_TRAP_NONE;
	if (signal == SIGSEGV && bring(scope, info->si_addr, &registers))
		return;
	if (scope)
		trap = trap_of_fault(scope, (uintptr_t)info->si_addr, registers.frame.instruction);
	if (trap != CELL_TRAP_NONE)
		trap_raise(trap, 0, "", &registers.frame);
	log_error("signal %d at address %p, instruction %p, which belong to no cell: a defect of Cella",
	          signal, info->si_addr, (void *)registers.frame.instruction);
	struct sigaction fatal = {.sa_handler = SIG_DFL};
	sigaction(signal, &fatal, NULL);
}

static void on_alarm(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	int saved_errno = errno;
	struct trap_registers registers = registers_of(context);
	struct trap_scope *scope = innermost;
	if (scope && scope->deadline_ns && clock_ns() >= scope->deadline_ns &&
	    code_contains(scope->code, registers.frame.instruction))
		trap_raise(CELL_TRAP_TIMEOUT, 0, "", &registers.frame);
	trap_arm();
	errno = saved_errno;
}

int trap_init(struct mem_pool *pool, struct error *err)
{
	stack_t stack = {.ss_size = TRAP_ALTERNATE_STACK, .ss_sp = mem_alloc(pool, TRAP_ALTERNATE_STACK)};
	if (!stack.ss_sp)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the signal stack");
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	struct sigaction alarm = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	if (sigaltstack(&stack, NULL) < 0 || sigaction(SIGSEGV, &fault, NULL) < 0 ||
	    sigaction(SIGBUS, &fault, NULL) < 0 || sigaction(SIGFPE, &fault, NULL) < 0 ||
	    sigaction(SIGILL, &fault, NULL) < 0 || sigaction(SIGALRM, &alarm, NULL) < 0)
		return error_errno(err, CELLA_EIO, "cannot install the trap handlers");
	return 0;
}
