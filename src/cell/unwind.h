/*
 * From a function of x86-64 to its caller, by the tables that compilers write for debuggers and exceptions:
 * .eh_frame and the search table .eh_frame_hdr (System V ABI for AMD64, section 4.2.4; Linux Standard Base
 * Core 5.0, sections 10.6 and 10.7; DWARF 5, section 6.4). So translated code needs no frame pointer, and any
 * instruction may fault.
 *
 * Of DWARF's instructions those are known that gcc and clang use for C; a function with others has no caller
 * by its table.
 * Nothing outside of the table's bytes and the stack is read, whatever they hold, and nothing allocated: a
 * trap may ask. The stack is the cell's and holds plaintext; of it return addresses and saved frame pointers
 * are looked at, and none is kept.
 */
#ifndef CELL_UNWIND_H
#define CELL_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A segment in memory, and where .eh_frame_hdr lies in it. No bytes: no function has a caller. */
struct unwind_table {
	const uint8_t *bytes;
	size_t size;
	size_t header;
};

/* [low, high), both multiples of 8. */
struct unwind_stack {
	uintptr_t low, high;
};

struct unwind_frame {
	uintptr_t instruction; /* the one that faulted, or a byte of the call */
	uintptr_t stack;       /* the stack pointer at it */
	uintptr_t pointer;     /* the frame pointer's register: rbp */
	uintptr_t probe; /* r11, which clang's prologues count down to while they probe a large frame */
};

/* The caller's; false, and *frame is as it was, if nothing tells it. Each step goes up the stack. */
bool unwind_step(const struct unwind_table *table, const struct unwind_stack *stack,
                 struct unwind_frame *frame);
/* The same of a function that keeps a frame pointer, on any processor. */
bool unwind_step_by_pointer(const struct unwind_stack *stack, struct unwind_frame *frame);

#endif
