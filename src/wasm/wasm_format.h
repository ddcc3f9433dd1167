/*
 * The binary format of WebAssembly 2.0 (core specification, section 5): magic, sections, kinds,
 * type bytes, and the limits that this implementation sets (those of the WebAssembly JavaScript
 * interface, section "Implementation-defined Limits", unless noted).
 *
 * Inside, a value type is its letter in a signature of cell_abi.h ('i', 'l', 'f', 'd', 'v', 'r',
 * 'x'), not its byte: a list of types is then a string, and a signature is two of them.
 */
#ifndef WASM_WASM_FORMAT_H
#define WASM_WASM_FORMAT_H

#include <stdint.h>

#include "wasm/cell_abi.h"

enum { WASM_MAGIC = 0x6d736100, WASM_VERSION = 1 };

enum wasm_section {
	SECTION_CUSTOM,
	SECTION_TYPE,
	SECTION_IMPORT,
	SECTION_FUNCTION,
	SECTION_TABLE,
	SECTION_MEMORY,
	SECTION_GLOBAL,
	SECTION_EXPORT,
	SECTION_START,
	SECTION_ELEMENT,
	SECTION_CODE,
	SECTION_DATA,
	SECTION_DATA_COUNT,
	SECTION_TAG,
	SECTION_COUNT,
};

enum wasm_kind { KIND_FUNCTION, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL, KIND_TAG, KIND_COUNT };

enum wasm_limits_flag { LIMITS_MAXIMUM = 1, LIMITS_SHARED = 2, LIMITS_64 = 4 };

enum wasm_type_byte {
	TYPE_BYTE_I32 = 0x7f,
	TYPE_BYTE_I64 = 0x7e,
	TYPE_BYTE_F32 = 0x7d,
	TYPE_BYTE_F64 = 0x7c,
	TYPE_BYTE_V128 = 0x7b,
	TYPE_BYTE_FUNCREF = 0x70,
	TYPE_BYTE_EXTERNREF = 0x6f,
	TYPE_BYTE_FUNCTION = 0x60,
	TYPE_BYTE_EMPTY = 0x40,
};

enum wasm_type_letter {
	TYPE_I32 = 'i',
	TYPE_I64 = 'l',
	TYPE_F32 = 'f',
	TYPE_F64 = 'd',
	TYPE_V128 = 'v',
	TYPE_FUNCREF = 'r',
	TYPE_EXTERNREF = 'x',
	TYPE_ANY = '?', /* an operand of unreachable code */
};

enum { NAME_SUBSECTION_FUNCTIONS = 1 };

/* Custom sections that say something; the second is Cella's own. */
#define WASM_SECTION_NAMES "name"
#define WASM_SECTION_CANONICAL_NANS "cella.canonical-nans"
#define WASM_SECTION_LINES ".debug_line"

enum {
	WASM_TYPES_MAX = 1000000,
	WASM_FUNCTIONS_MAX = 1000000,
	WASM_IMPORTS_MAX = 1000000,
	WASM_EXPORTS_MAX = 1000000,
	WASM_GLOBALS_MAX = 1000000,
	WASM_TABLES_MAX = 100000,
	WASM_TAGS_MAX = 1000000,
	WASM_SEGMENTS_MAX = 100000,
	WASM_TABLE_ELEMENTS_MAX = 10000000, /* what a table may start with */
	WASM_TABLE_GROWTH_MAX = 65536, /* elements that a table may grow by; cells, not the interface */
	WASM_MEMORY_PAGES_MAX = CELL_MEMORY32_PAGES_MAX,
	WASM_BODY_SIZE_MAX = 7654321,
	WASM_LOCALS_MAX = 50000,
	WASM_PARAMETERS_MAX = 1000,
	WASM_RESULTS_MAX = 1000,
	WASM_THROWN_MAX = 16, /* words of 64 bits that an exception carries; ours */
	WASM_LABELS_MAX = 65520, /* of a br_table */
	WASM_DEPTH_MAX = 100000, /* nested blocks; ours */
	WASM_CONSTANT_DEPTH_MAX = 1000, /* operands of a constant expression; ours */
	WASM_NAME_SHOWN_MAX = 120, /* bytes of a function's name in symbols and errors; ours */
	WASM_MODULE_SIZE_MAX = 1 << 30,
	WASM_SIGNATURES_MAX = 10000000, /* parameters and results of all functions; ours */
	WASM_TEXT_SIZE_MAX = 1 << 29, /* of the C that a module may become; ours */
};

/* What a 64-bit memory may declare; what a cell may have of it is less (CELL_MEMORY64_PAGES_MAX). */
#define WASM_MEMORY64_PAGES_MAX (1ull << 48)

#endif
