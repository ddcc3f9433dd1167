/* Which functions an exception may leave: of translated code, these alone are asked after a call. */
#ifndef WASM_THROWS_H
#define WASM_THROWS_H

#include "wasm/module.h"

/* A byte for each function and then for each canonical type (what an indirect call of it may reach): 1 if an
 * exception may leave it. All 0 in a module without tags. */
int wasm_find_throws(const struct wasm_module *m, struct buf *ret_throws, struct error *err) must_check;

#endif
