/*
 * WebAssembly modules: decode, validate, translate to C.
 *
 * The source is the WebAssembly core specification 2.0 (sections 2 structure, 3 validation,
 * 5 binary format, and the validation algorithm of appendix 7.3), all of it, and of what came after it
 * extended constant expressions.
 * An error names section, function and byte offset.
 *
 * A cell is less than a module may be: it imports functions only (no memory, table or global), and no
 * name of an import or export holds a zero byte. wasm_check_cell refuses the rest, which wasm_translate
 * translates all the same: a host that links modules can run it (wasm/cell_abi.h).
 */
#ifndef WASM_WASM_H
#define WASM_WASM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct wasm_module; /* decoded and valid; points into its bytes, which must outlive it */

int wasm_decode(const void *data, size_t size, struct wasm_module **ret_module,
                struct error *err) must_check; /* decodes and validates */
void wasm_module_free(struct wasm_module *module);

/* Does the module import `module`.`name` (NULL: anything of that module)? */
bool wasm_imports(const struct wasm_module *m, const char *module, const char *name);
/* The data section as a bundle carries it (wasm/bundle.h: count, sizes, bytes). */
int wasm_data_segments(const struct wasm_module *m, struct buf *ret, struct error *err) must_check;

/* CELLA_EUNSUPPORTED for a module that is no cell. */
int wasm_check_cell(const struct wasm_module *m, struct error *err) must_check;

/* Appends to a module that computed NaNs shall be canonical (translate_nan.c), as a custom section: so
 * whoever compiles it, for whatever processor, does it that way. */
void wasm_put_canonical_nans(struct buf *module);

/* Where an instruction comes from: that at `offset` in the code section, and those up to the next entry. */
struct wasm_line {
	uint32_t offset;
	uint32_t line;
	const char *file; /* NULL: it is not known */
};
/* Does the module tell that of itself (DWARF's .debug_line)? */
bool wasm_has_lines(const struct wasm_module *m);
/* The C says so by #line, for a debugger and for backtraces; of instructions whose line is not known, and
 * which may trap or call, WASM_LINES_OFFSETS and, as the line, the offset in the module. `lines` are sorted
 * by offset, and borrowed. */
void wasm_set_lines(struct wasm_module *m, const struct wasm_line *lines, size_t count);
#define WASM_LINES_OFFSETS "cell.wasm"
#define WASM_LINES_OURS "<cella>" /* what is not the program's */

/* One C translation unit, standing alone: cell_abi.h, the prelude, the code. Deterministic. */
int wasm_translate(const struct wasm_module *m, struct buf *ret_c, struct error *err) must_check;

/* The same in several units, each standing alone, to be compiled one by one and linked together: 1, 2, 4, …
 * so that each has at most text_max bytes of functions, or WASM_UNITS_MAX. WASM_UNIT_TEXT are what clang 19
 * compiles in a second or two. A zeroed struct wasm_units is empty and valid. */
enum { WASM_UNITS_MAX = 16, WASM_UNIT_TEXT = 448 << 10 };
struct wasm_units {
	struct buf c[WASM_UNITS_MAX];
	uint32_t count;
};
int wasm_translate_units(const struct wasm_module *m, size_t text_max, struct wasm_units *ret_units,
                         struct error *err) must_check;
void wasm_units_done(struct wasm_units *units);
#define cleanup_units __attribute__((cleanup(wasm_units_done)))

#define WASM_TRANSLATOR "cella-2"

/*
 * How that C is compiled and linked to an image (compile_flags.c says why): `cc FLAGS TARGET_FLAGS -o
 * image.so image.c`. clang is the faster by far if the module was compiled with wasm_flags_guest, and
 * compiles for every target (wasm/target.h); gcc for those of its own processor family. Each list ends
 * with NULL.
 */
#define WASM_FLAG_STRIP "-Wl,-s" /* among them; to be left out with lines */
extern const char *const wasm_flags_gcc[];
extern const char *const wasm_flags_clang[];
const char *const *wasm_flags_target(const char *target, bool clang); /* NULL: no such target */

/* For clang when it compiles to WebAssembly: what of the machine a cell may count on. scripts/build-sysroot
 * reads this list and the next, to compile the C library with them. */
extern const char *const wasm_flags_machine[];

/* For clang when it compiles to WebAssembly: it leaves vectors to the second compiler, which may
 * make them as wide as the machine's; those of WebAssembly are 128 bits wide for good. */
extern const char *const wasm_flags_guest[];

#endif
