/* The compilers and libraries that `cella cc` uses, and where they are. */
#ifndef CLI_TOOLCHAIN_H
#define CLI_TOOLCHAIN_H

#include <stdbool.h>

#include "base/error.h"

enum { TOOLCHAIN_PATH_MAX = 1024 };

struct toolchain {
	/* C to WebAssembly: $CELLA_CLANG, else clang-19 or clang */
	char clang[TOOLCHAIN_PATH_MAX];
	/* holds include/wasm32-wasi and lib/wasm32-wasi: $CELLA_SYSROOT, else resources/sysroot */
	char sysroot[TOOLCHAIN_PATH_MAX];
	/* translated C to machine code: $CELLA_CC, else clang or gcc */
	char compiler[TOOLCHAIN_PATH_MAX];
	char compiler_name[64]; /* such as "gcc 12.2.0" */
	bool compiler_is_clang;
	char compiler_machine
		[64]; /* that it compiles for unless told otherwise, such as "x86_64-linux-gnu" */
	/* holds include/cella and guest */
	char resources[TOOLCHAIN_PATH_MAX];
};

/* Each finds one part; the error says what is missing and how to get it. */
int toolchain_find_clang(struct toolchain *t, struct error *err) must_check;
int toolchain_find_sysroot(struct toolchain *t, struct error *err) must_check; /* resources were found */
int toolchain_find_cxx(const struct toolchain *t, struct error *err) must_check; /* a sysroot was found */
int toolchain_find_linker(const struct toolchain *t, struct error *err) must_check;
int toolchain_find_compiler(struct toolchain *t, struct error *err) must_check;
/* Can the compiler that was found compile for this target (wasm/target.h)? */
int toolchain_check_target(const struct toolchain *t, const char *target, struct error *err) must_check;
int toolchain_find_resources(struct toolchain *t, struct error *err) must_check;

#endif
