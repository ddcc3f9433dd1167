/*
 * A decoded module, and the decoder that reads one: shared by the files of this directory only.
 *
 * Everything in a struct wasm_module is either in the module's own bytes or in its arena; the
 * arena goes at once. Index spaces hold imports first, as the specification counts.
 */
#ifndef WASM_MODULE_H
#define WASM_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "wasm/cell_abi.h"
#include "wasm/wasm_format.h"

enum { WASM_NO_INDEX = 0xffffffffu };

struct wasm_line; /* wasm/wasm.h */

struct wasm_text {
	const uint8_t *bytes; /* UTF-8, not terminated */
	uint32_t size;
};

/* `params` and `results` are letters; `signature` is "params:results", terminated. */
struct wasm_type {
	const char *signature;
	const char *params;
	const char *results;
	uint32_t param_count;
	uint32_t result_count;
	uint32_t canonical; /* the lowest index of a type that is equal */
};

/* An instruction of a constant expression; `operand` is its value or its global. */
struct wasm_constant_step {
	uint8_t opcode;
	uint64_t operand;
};

/* A constant expression: a value, a function, an imported global, or several instructions. */
struct wasm_constant {
	enum { CONSTANT_VALUE, CONSTANT_FUNCTION, CONSTANT_GLOBAL, CONSTANT_STEPS } kind;
	union {
		union cell_value value; /* by the type that was asked for; null as CELL_NO_FUNCTION */
		uint32_t index;         /* of the function or global */
		struct {
			const struct wasm_constant_step *steps;
			uint32_t step_count;
		};
	};
};

struct wasm_limits {
	uint64_t minimum;
	uint64_t maximum; /* as declared, or the most that the kind may have */
	bool bounded;     /* it was declared */
	bool shared;      /* of a memory */
};

struct wasm_import {
	struct wasm_text module;
	struct wasm_text name;
	enum wasm_kind kind;
	uint32_t index; /* in the space of its kind */
	size_t offset;
};

struct wasm_function {
	const struct wasm_type *type;
	struct wasm_text name; /* from the name section; empty if it has none */
	size_t body;           /* offset in the module; of locals and code */
	uint32_t body_size;
	bool referenced; /* may be the operand of ref.func in a body */
	bool tails;      /* tail calls lead from it to other functions (translate_tail.c) */
};

struct wasm_table {
	char type; /* 'r' or 'x' */
	uint32_t import; /* which import it is, if it is one */
	struct wasm_limits limits;
	bool grows; /* the code has a table.grow for it, or another module may have one */
};

struct wasm_global {
	char type;
	bool changes;    /* mutable */
	uint32_t import; /* which import it is, if it is one */
	struct wasm_constant value;
};

/* What an exception is an instance of; the type's parameters are what it carries. */
struct wasm_tag {
	const struct wasm_type *type;
};

/* What an exception of it takes, in words of 64 bits: one for each value, two for a vector. */
static inline uint32_t wasm_thrown_words(const struct wasm_type *type)
{
	uint32_t words = type->param_count;
	for (uint32_t i = 0; i < type->param_count; i++)
		words += type->params[i] == TYPE_V128;
	return words;
}

struct wasm_export {
	struct wasm_text name;
	enum wasm_kind kind;
	uint32_t index;
};

enum wasm_segment_mode { SEGMENT_ACTIVE, SEGMENT_PASSIVE, SEGMENT_DECLARED };

struct wasm_element_segment {
	enum wasm_segment_mode mode;
	char type;
	uint32_t table;
	struct wasm_constant offset;
	struct wasm_constant *elements;
	uint32_t count;
	bool varies; /* an element is a global's value */
};

struct wasm_data_segment {
	enum wasm_segment_mode mode;
	struct wasm_constant offset;
	const uint8_t *bytes;
	uint32_t size;
};

struct wasm_module {
	const uint8_t *bytes;
	size_t size;
	struct wasm_type *types;
	struct wasm_import *imports;
	struct wasm_function *functions;
	struct wasm_table *tables;
	struct wasm_global *globals;
	struct wasm_tag *tags;
	struct wasm_export *exports;
	struct wasm_element_segment *elements;
	struct wasm_data_segment *data;
	uint32_t type_count;
	uint32_t import_count;
	uint32_t function_count;
	uint32_t function_import_count;
	uint32_t table_count;
	uint32_t table_import_count;
	uint32_t memory_count;
	uint32_t memory_import_count;
	uint32_t global_count;
	uint32_t global_import_count;
	uint32_t tag_count;
	uint32_t tag_import_count;
	uint32_t export_count;
	uint32_t element_count;
	uint32_t data_count;
	uint32_t declared_data_count; /* of the data count section, or WASM_NO_INDEX */
	uint32_t start;               /* a function's index, or WASM_NO_INDEX */
	bool shares_references;       /* with other modules (translate_link.c) */
	uint32_t tail_values; /* the most that a tail call passes, or a function with one takes or gives */
	bool tails_indirectly; /* the code has a return_call_indirect */
	struct wasm_limits memory;
	bool memory64; /* addresses are i64 */
	bool canonical_nans;
	bool has_lines;    /* a custom section .debug_line */
	bool tells_lines;  /* the translation does, by `lines` */
	const struct wasm_line *lines;
	size_t line_count;
	size_t code; /* offset of the code section's content */
	struct wasm_arena *arena;
};

/* Of addresses and sizes of the linear memory. */
static inline char wasm_address_type(const struct wasm_module *m)
{
	return m->memory64 ? TYPE_I64 : TYPE_I32;
}

/*
 * The decoder: a reader over the whole module, narrowed to the section or body at hand, so that
 * its position is the byte offset that errors name. The first failure stays in `rc`; after it
 * every read returns zero, and what has a loop asks `rc` to end it.
 */
struct wasm_decoder {
	struct reader r;
	struct wasm_module *m;
	const char *section; /* as errors name it, or NULL */
	uint32_t function; /* the body at hand, or WASM_NO_INDEX */
	struct error *err;
	int rc;
};

/* Fails at `offset`: "code section, function 12 ($main), offset 0x1a3: …". Returns d->rc. */
int wasm_fail_at(struct wasm_decoder *d, size_t offset, int code, const char *format, ...) printf_like(4, 5);
#define wasm_fail(d, code, ...) wasm_fail_at(d, (d)->r.at, code, __VA_ARGS__)

/* A zeroed array that lives as long as the module; NULL, and d->rc says so, when there is no memory. */
void *wasm_array(struct wasm_decoder *d, size_t count, size_t size) must_check;

uint8_t wasm_read_u8(struct wasm_decoder *d);
uint32_t wasm_read_u32(struct wasm_decoder *d);
uint64_t wasm_read_u64(struct wasm_decoder *d);
/* A signed integer of `bits` (32, 33, 64), sign-extended. */
int64_t wasm_read_signed(struct wasm_decoder *d, unsigned bits);
const uint8_t *wasm_read_bytes(struct wasm_decoder *d, size_t size, const char *what);
/* Up to 8 bytes, little-endian. */
uint64_t wasm_read_fixed(struct wasm_decoder *d, size_t size);
struct wasm_text wasm_read_name(struct wasm_decoder *d);
/* A count of things that take at least one byte each; fails beyond `most` or the bytes left. */
uint32_t wasm_read_count(struct wasm_decoder *d, uint32_t most, const char *what);
/* An index below `count` of `what`; 0 when it fails. */
uint32_t wasm_read_index(struct wasm_decoder *d, uint32_t count, const char *what);
/* A value type or reference type as its letter; 0 when it fails. */
char wasm_read_value_type(struct wasm_decoder *d);
char wasm_read_reference_type(struct wasm_decoder *d);
/* A constant expression of type `type`. */
void wasm_read_constant(struct wasm_decoder *d, char type, struct wasm_constant *ret);

/* A name as errors and symbols show it: its beginning, with '_' for what is not plain in a terminal, in
 * C or in assembly. */
struct wasm_shown {
	char text[WASM_NAME_SHOWN_MAX + 1];
};
struct wasm_shown wasm_show(struct wasm_text name);

/* The word for a type's letter: "i32", "funcref", … */
const char *wasm_type_name(char letter);

/* The parts of decoding that stand in files of their own. */
void wasm_decode_element_section(struct wasm_decoder *d);
void wasm_decode_data_section(struct wasm_decoder *d);
void wasm_decode_names(struct wasm_decoder *d); /* never fails: a wrong name section is no error */

#endif
