/*
 * Lines of the source, by LLVM's tools (Debian: llvm-19), so that no reader of DWARF stands here.
 *
 *   build   DIR/cell.wasm --llvm-dwarfdump, llvm-symbolizer--> struct lines --translator, #line--> C
 *           C --compiler, -g--> image with DWARF, which executors do not map
 *   trap    an executor's "at main (+0x1a2b)" --llvm-symbolizer, on the image--> "at main, pulse.c:50"
 *
 * Without the tools a build tells offsets in the module alone, and a trap the addresses as they are.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include "base/buf.h"
#include "base/error.h"
#include "wasm/bundle.h"
#include "wasm/wasm.h"

struct lines {
	struct wasm_line *entries; /* sorted by offset */
	size_t count;
	struct buf text; /* holds the names */
};

/* Of DIR/cell.wasm, with files of its own in DIR, which a scratch directory is. */
int lines_read(const char *directory, struct lines *ret, struct error *err) must_check;
void lines_done(struct lines *lines);

/* A trap's text, with its addresses in this artifact's image replaced: by lines; by offsets in the module
 * where those are all that is known; by nothing if the image has none. */
int lines_of_trap(const struct bundle_artifact *artifact, const char *text, struct buf *ret,
                  struct error *err) must_check;

#endif
