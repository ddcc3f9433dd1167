/*
 * The translator's parts: translate.c puts the units together, translate_body.c writes function
 * bodies as the validator walks them, translate_border.c what crosses to the host.
 *
 * How a module looks in C. Function n is F<n>; an import too, as a stub that calls through the
 * instance's table. Its locals are x0, x1, …; an operand of type t at height h of the operand stack
 * is the variable s<h><t>, so that control flow needs no moves where heights agree. A block's label
 * is L<id>, an if's other branch E<id>; all control is by goto, so that no nesting of the module
 * becomes one of C. Globals, tables and flags of dropped segments are members g<n>, t<n>,
 * data_dropped, elements_dropped of struct state. What other modules own is reached through the
 * instance's links (translate_link.c).
 *
 * An exception that leaves a function is found by its caller in struct state (translate_exception.c). In a
 * module without tags nothing throws, and nothing asks.
 *
 * A load must trap even if nothing needs its value, but the C compiler leaves out what nothing
 * needs. So a value that the code drops, leaves behind when it branches, or puts into a local that
 * it never reads is kept alive: by an empty asm statement that takes it, or by a volatile local.
 * This costs nothing where loops are hot, unlike a volatile load. What remains: the compiler
 * may leave out a load when it proves that its value changes nothing that comes later (x & 0,
 * a local that is overwritten), and when two traps are due it may take the later one.
 */
#ifndef WASM_TRANSLATE_H
#define WASM_TRANSLATE_H

#include "wasm/validate.h"

/* The text of a defined function, from its heading on; it ends where the next one begins. */
struct wasm_piece {
	size_t start; /* in wasm_translation.bodies */
	bool leaf;
};

struct wasm_translation {
	struct wasm_module *m;
	const uint8_t *throws; /* of wasm_find_throws */
	struct buf bodies; /* of all functions */
	struct wasm_piece *pieces; /* by function, and one behind the last */
	struct buf body;   /* of the function at hand */
	struct buf slots;  /* by height, a bit for each type that the function at hand keeps there */
	struct buf nans;   /* by height, the shape of a computed NaN that may lie there (translate_nan.c) */
	struct buf read;   /* by local, whether the function at hand reads it */
	uint32_t exact;    /* bits of the floating-point constants that it uses (exact_constants) */
	bool uses_vectors; /* the module */
	bool uses_atomics;
	bool uses_memory;  /* the function at hand … */
	bool uses_state;
	bool uses_target;  /* of an indirect call into another module */
	bool may_trap;     /* or branches, or calls: it is no leaf */
	bool loops;        /* it tail-calls itself */
	uint32_t function; /* its index */
	uint32_t step_count;
	const struct wasm_line
		*line; /* that the text is in, if the module's lines are told (translate_lines.c) */
	size_t first_step; /* the offset of the body's */
	/* Operands from this height up are constants or computed from constants, if the step that made
	 * the topmost is the last one. */
	uint32_t constants;
	uint32_t constant_step;
};

extern const struct wasm_visitor wasm_body_visitor; /* its context is a struct wasm_translation */

/* Stubs for imports, entries for the host, the image: everything behind the bodies. */
void wasm_put_import_stubs(const struct wasm_module *m, struct buf *out);
void wasm_put_border(const struct wasm_module *m, struct buf *out);

/* The member of union cell_value that holds a type: an lvalue "v[<index>]…"; and a return of what v holds. */
void wasm_put_value(struct buf *out, uint32_t index, char type);
void wasm_put_value_return(const struct wasm_type *type, struct buf *out);

/* Of a function that makes tail calls (translate_tail.c): "T<index>(…)"; F<index> around it; all of them by
 * function, if an indirect tail call looks for one, which the first unit defines. */
void wasm_put_tail_heading(uint32_t index, struct buf *out);
void wasm_put_tail_entry(const struct wasm_module *m, uint32_t index, struct buf *out);
void wasm_put_tails(const struct wasm_module *m, bool first, struct buf *out);

/* The expression of x0, x1, … that a known body computes; or NULL. */
const char *wasm_find_idiom(const struct wasm_module *m, uint32_t index);

/* translate_link.c */
bool wasm_shares_references(const struct wasm_module *m);
/* Elements that a table has room for: those that it starts with, and growth where the code grows it. */
uint32_t wasm_table_room(const struct wasm_table *table);
void wasm_put_table_room(const struct wasm_module *m, uint32_t index, struct buf *out);
/* Where they lie: an lvalue; a struct table *. */
void wasm_put_global(const struct wasm_module *m, uint32_t index, struct buf *out);
void wasm_put_table(const struct wasm_module *m, uint32_t index, struct buf *out);
/* Whether a segment's elements are only known when the module is initialized, and lie in its state then. */
bool wasm_elements_vary(const struct wasm_module *m, uint32_t index);
void wasm_put_elements(const struct wasm_module *m, uint32_t index, struct buf *out);
void wasm_put_reference(const struct wasm_module *m, uint32_t function, struct buf *out);
/* A constant expression in a statement of its own: what comes before it; its value; the statement's end. */
void wasm_begin_constant(const struct wasm_module *m, const struct wasm_constant *constant, char type,
                         struct buf *out);
void wasm_put_constant_value(const struct wasm_module *m, const struct wasm_constant *constant, char type,
                             struct buf *out);
void wasm_end_constant(const struct wasm_constant *constant, struct buf *out);

/* Text */
void wasm_put(struct buf *out, const char *text);
void wasm_put_number(struct buf *out, uint64_t n);
/* A C string literal of any bytes. */
void wasm_put_literal(struct buf *out, const uint8_t *bytes, size_t size);
/* A function's name, harmless in C, assembly and terminals. */
void wasm_put_function_name(const struct wasm_module *m, uint32_t index, struct buf *out);
/* "u32", "f64", "v128", … */
const char *wasm_c_type(char letter);
/* What a function of this type returns: "void", a type, or "struct result<n>". */
void wasm_put_result_type(const struct wasm_type *type, struct buf *out);
/* "F<index>(struct cell_instance *instance, u32 x0, …)", without attributes. */
void wasm_put_heading(const struct wasm_module *m, uint32_t index, struct buf *out);
void wasm_put_constant(struct buf *out, char type, const union cell_value *value);

/* The prelude's texts, put in by the build (embed.py). */
extern const char wasm_text_cell_abi[];
extern const char wasm_text_prelude[];
extern const char wasm_text_prelude_simd[];
extern const char wasm_text_prelude_atomic[];

#endif
