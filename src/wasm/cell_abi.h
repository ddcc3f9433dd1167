/*
 * The interface between a translated cell and its host: what the executor includes and what
 * the translator puts, whole, at the head of the C that it writes. So this header stands alone
 * (no include but <stdint.h>) and every change of it changes CELL_ABI_VERSION.
 *
 * A translated cell is an ELF shared object with relative relocations only, no constructors and
 * no imported symbols. It exports one symbol, `cella_image`, of type struct cell_image. Host
 * functions come through the instance's table `imports`; memcpy and its kin through `host`.
 *
 * Modules that share. A cell imports functions only, and its host need not know the rest of this:
 * a module may also import a memory (the host puts the exporter's into the instance), globals and
 * tables (`links`). If a module exports or imports something that holds or passes references to
 * functions, a reference is a number that its host counts across modules: from `first_reference` on
 * for the functions of this one, and anything else for those of others, which `resolve` finds.
 *
 * State. All that a cell is made of is: its linear memory, and the `state` bytes behind its
 * struct cell_instance (globals, tables as function indices, dropped-segment flags). Neither
 * holds a host pointer. The struct itself holds host pointers and is not state.
 *
 * Several host threads may run on one linear memory later, each with an instance of its own:
 * so the code keeps nothing in static storage but constants.
 */
#ifndef CELL_ABI_H
#define CELL_ABI_H

#include <stdint.h>

#define CELL_ABI_VERSION 4u
#define CELL_PAGE_SIZE 65536u
/* Of linear memories with 32-bit and 64-bit addresses. The second is what a process can reserve. */
#define CELL_MEMORY32_PAGES_MAX 65536
#define CELL_MEMORY64_PAGES_MAX (1ull << 30)
#define CELL_NO_FUNCTION 0xffffffffu /* a null element of a table */

struct cell_instance;

union cell_value {
	uint32_t i32;
	uint64_t i64;
	float f32;
	double f64;
	uint32_t ref; /* a function's number, which is its index in a cell; CELL_NO_FUNCTION if null */
	uint8_t v128[16];
	uint64_t lanes[2];
};

/* Every function that crosses the border, both ways: arguments in v[0..], results in v[0..]. */
typedef void cell_function(struct cell_instance *instance, union cell_value *v);

enum cell_trap {
	CELL_TRAP_NONE,
	CELL_TRAP_UNREACHABLE,
	CELL_TRAP_MEMORY,             /* out of bounds memory access */
	CELL_TRAP_TABLE,              /* out of bounds table access, undefined element */
	CELL_TRAP_NULL_FUNCTION,      /* uninitialized element */
	CELL_TRAP_SIGNATURE,          /* indirect call type mismatch */
	CELL_TRAP_DIVIDE_BY_ZERO,     /* integer divide by zero */
	CELL_TRAP_INTEGER_OVERFLOW,   /* integer overflow */
	CELL_TRAP_CONVERSION,         /* invalid conversion to integer */
	CELL_TRAP_STACK,              /* call stack exhausted */
	CELL_TRAP_TIMEOUT,            /* the host's time-out */
	CELL_TRAP_HOST,               /* a host function refused; the host knows why */
	CELL_TRAP_EXIT,               /* not an error: the program called exit */
	CELL_TRAP_UNALIGNED,          /* unaligned atomic */
	CELL_TRAP_EXCEPTION,          /* an exception that nothing in the cell catches */
};

/* A function of another module: code takes its instance, then its parameters as values of C. */
struct cell_target {
	struct cell_instance *instance;
	const void *code;
	const char *signature;
	/* Not 0 behind a call: an exception has left the function. NULL: none can. */
	uint32_t *thrown;
};

/* A table that modules share. */
struct cell_table {
	uint32_t *elements; /* their count, then they */
	uint32_t room;      /* the count's greatest */
};

/* What the code needs of the host, apart from imports. */
struct cell_host {
	/* Does not return. */
	void (*trap)(struct cell_instance *instance, uint32_t trap) __attribute__((noreturn));
	/* Grow by `pages`; the old size in pages or 2^64-1. Updates memory_size. */
	uint64_t (*memory_grow)(struct cell_instance *instance, uint64_t pages);
	void *(*memmove)(void *to, const void *from, uint64_t size);
	void *(*memset)(void *to, int byte, uint64_t size);
	/* memory.atomic.wait: 0 when notified, 1 if the `size` bytes (4, 8) at the address, a multiple of
	 * it, are not `expected`, 2 when the time-out has passed (negative: never). */
	uint32_t (*memory_wait)(struct cell_instance *instance, uint64_t address, uint32_t size,
	                        uint64_t expected, int64_t timeout_ns);
	/* Wakes at most `count` that wait at this address, the longest waiting first; returns how many. */
	uint32_t (*memory_notify)(struct cell_instance *instance, uint64_t address, uint32_t count);
	/* The function behind a reference that is neither null nor this module's own; or traps. */
	void (*resolve)(struct cell_instance *instance, uint32_t reference, struct cell_target *ret_target);
};

struct cell_segment {
	const uint8_t *data;
	uint64_t size;
};

/*
 * The instance: the host allocates cell_image.state_size bytes behind it (zeroed, in protected
 * memory), fills the fields up to `state`, and calls cell_image.initialize.
 */
struct cell_instance {
	uint8_t *memory; /* linear memory's base; constant for the instance's life */
	/* Bytes: [memory, memory + memory_size) is accessible, all beyond, up to 8 GiB + 64 KiB, faults. With
	 * 64-bit addresses the code compares each with memory_size, and nothing need be beyond. */
	uint64_t memory_size;
	const struct cell_host *host;
	cell_function *const *imports; /* in the order of cell_image.imports; the functions among them */
	/* Data segments, in the module's order; code reads them for memory.init. */
	const struct cell_segment *segments;
	void *host_data; /* the executor's own; code does not touch it */
	/* A stub traps with CELL_TRAP_STACK rather than enter the host with its frame below this. */
	uintptr_t stack_limit;
	/* In the same order as `imports`: of a global where it lies, of a table its struct cell_table. */
	void *const *links;
	uint32_t first_reference; /* of function 0; 0 in a cell */
	uint32_t reserved;
	uint8_t state[] __attribute__((aligned(16)));
};

/* In the order of the binary format. */
enum cell_kind { CELL_FUNCTION, CELL_TABLE, CELL_MEMORY, CELL_GLOBAL };

/* What is imported or exported, apart from a function's signature. */
struct cell_type {
	uint8_t kind; /* enum cell_kind */
	uint8_t value; /* the type of a global, a table's elements or a memory's addresses: its letter */
	uint8_t changes; /* a global: it is mutable; a memory: it is shared by threads */
	uint8_t bounded; /* a table or memory: `maximum` was declared */
	uint64_t minimum; /* elements of a table, pages of a memory */
	uint64_t maximum;
};

/*
 * A signature as text: parameters, ':', results, each one letter: i (i32), l (i64), f (f32),
 * d (f64), v (v128), r (funcref), x (externref).
 */
struct cell_import {
	const char *module;
	const char *name;
	const char *signature; /* of a function; otherwise NULL */
	uint32_t module_size; /* names of cells hold no zero byte, those of other modules may */
	uint32_t name_size;
	struct cell_type type;
};

struct cell_export {
	const char *name;
	const char *signature; /* of a function; otherwise NULL */
	cell_function *function; /* of a global: stores its value in v[0]; NULL for memories and tables */
	uint32_t name_size;
	uint32_t index; /* in the module's index space of its kind, imports first */
	struct cell_type type;
	uint64_t offset; /* in the state: of a global or table that is not itself imported */
	uint32_t room; /* of such a table, as in struct cell_table */
};

/* A function as a reference finds it. */
struct cell_code {
	const void *code;
	uint32_t type; /* equal numbers, equal signatures */
};

struct cell_symbol {
	int32_t offset; /* of the function's code from the address of this field */
	uint32_t name; /* offset into cell_image.names */
};

struct cell_image {
	uint32_t abi_version;
	uint32_t translator_version;
	uint64_t state_size;
	uint64_t memory_pages; /* initial; both are 0 for a module without a memory of its own */
	uint64_t memory_pages_max; /* declared maximum, but at most CELL_MEMORY…_PAGES_MAX */
	const struct cell_import *imports;
	const struct cell_export *exports;
	/* Each defined function, in no promised order, and the end of the last, whose name is empty. What
	 * lies below all of them or behind that is not the module's. */
	const struct cell_symbol *symbols;
	const char *names; /* zero-terminated names, from the name section or "func[N]" */
	uint32_t import_count;
	uint32_t export_count;
	uint32_t symbol_count;
	uint32_t segment_count;
	uint32_t memory_address_bits; /* 32 or 64 */
	/* By index, imports first, of a module that shares references; otherwise NULL. */
	const struct cell_code *functions;
	const char *const *signatures; /* by struct cell_code's type */
	uint32_t function_count;
	/* Of exceptions. If not 0, the state begins with a number, not 0 while an exception is under way. */
	uint32_t tag_count;
	/* Sets globals and tables, applies active segments, in the specification's order; traps like any
	 * call. Does not run the start function. */
	void (*initialize)(struct cell_instance *instance);
	void (*start)(struct cell_instance *instance); /* NULL: no start function */
	/* Calls an element of table 0, for a host that has a guest's function pointer: traps as
	 * call_indirect does. `signature` must match, or it traps with CELL_TRAP_SIGNATURE; functions of
	 * other modules it takes for null. */
	void (*call_table)(struct cell_instance *instance, uint32_t element, const char *signature,
	                   union cell_value *v);
};

#endif
