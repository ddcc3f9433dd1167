/*
 * The flags that a translated unit is compiled with. What each is for:
 *
 *   speed, same bits   -O3; the target's -march; -ffp-contract=off keeps a product and a sum apart, so
 *                      that all machines give the same bits
 *   exactness          -fno-strict-overflow: integers and addresses wrap, as the prelude counts on;
 *                      -fno-strict-aliasing; -fsignaling-nans (gcc): x - 0 and x * 1 make a NaN quiet,
 *                      so they are not folded away; -fno-math-errno: sqrt is an instruction;
 *                      -fno-optimize-sibling-calls: endless recursion ends in the stack's guard;
 *                      -fstack-clash-protection: no frame jumps over that guard
 *   backtraces         no function split, cloned or merged with another, so that a return address tells
 *                      the function; on x86-64 unwind tables, by clang instead of frame pointers, since a
 *                      register more is worth some percent there, by gcc beside them: whatever it is told,
 *                      it keeps none in some leaves, and its tables say of some functions what nobody here
 *                      understands; else -fno-omit-frame-pointer, -fno-shrink-wrap, and
 *                      -mno-omit-leaf-frame-pointer (aarch64): leaves may fault, too
 *   nothing imported   -ffreestanding -nostdlib -fno-tree-loop-distribute-patterns: no call of
 *                      memcpy or memset appears; -fvisibility=hidden -fPIC -shared -Bsymbolic:
 *                      relative relocations only; -mno-outline-atomics (aarch64): no call of
 *                      libgcc's
 *   any page         -z max-page-size=65536 (aarch64): the loader maps segments by the machine's pages
 *   another machine    clang compiles for every target, and lld links for every one; gcc for its own
 *   loops              -indvars-widen-indvars=0 (clang): counters stay 32-bit as WebAssembly's are; widened
 *                      only in part, they hide how often a loop runs, and it is not unrolled
 *   same bytes         -frandom-seed, no build id, no compiler's name
 *
 * And what WebAssembly clang makes of C and C++ (wasm_flags_machine): the instructions that every cell may
 * use; exceptions of C++, and setjmp, as WebAssembly's exceptions. What it must not do (wasm_flags_guest) is
 * what the second compilation does better: vectors, unrolling, and the strength reduction of addresses
 * (-disable-lsr), which makes each a sum of its own that wraps at 32 bits, so that neighbours are no longer
 * seen to be neighbours.
 */
#include <stddef.h>
#include <string.h>

#include "wasm/wasm.h"

#define COMMON                                                                                            \
	"-std=gnu17", "-w", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-overflow",        \
		"-fno-strict-aliasing", "-ffreestanding", "-fno-builtin", "-fno-optimize-sibling-calls",  \
		"-fstack-clash-protection", "-fno-stack-protector", "-fcf-protection=none", "-fno-ident", \
		"-fPIC", "-fvisibility=hidden", "-shared", "-nostdlib", "-Wl,--build-id=none",            \
		"-Wl,--hash-style=gnu", "-Wl,-Bsymbolic", "-Wl,-z,noexecstack", "-Wl,-z,separate-code",   \
		"-Wl,-z,defs", "-Wl,-e,cella_image", WASM_FLAG_STRIP

#define NO_TABLES "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"
#define UNWIND_TABLES "-fasynchronous-unwind-tables", "-Wl,--eh-frame-hdr"
#define NO_FRAME_POINTERS "-fomit-frame-pointer"

const char *const wasm_flags_gcc[] = {
	COMMON,
	"-fno-omit-frame-pointer",
	"-fsignaling-nans",
	"-fno-tree-loop-distribute-patterns",
	"-fno-shrink-wrap",
	"-fno-reorder-blocks-and-partition",
	"-fno-ipa-icf",
	"-fno-ipa-cp",
	"-fno-ipa-sra",
	"-fno-ipa-modref",
	"-fno-partial-inlining",
	"-frandom-seed=cella",
	NULL,
};

const char *const wasm_flags_clang[] = {
	COMMON, "-fno-finite-loops", "-mllvm", "-indvars-widen-indvars=0", NULL,
};

const char *const wasm_flags_machine[] = {
	"-msimd128",         "-matomics", "-mbulk-memory",     "-msign-ext", "-mnontrapping-fptoint",
	"-fwasm-exceptions", "-mllvm",    "-wasm-enable-sjlj", NULL,
};

const char *const wasm_flags_guest[] = {
	"-fno-vectorize", "-fno-slp-vectorize", "-fno-unroll-loops", "-mllvm", "-disable-lsr", NULL,
};

static const struct {
	const char *target;
	const char *gcc[12], *clang[16];
} targets[] = {
	{"x86-64-v3",
         {"-march=x86-64-v3", UNWIND_TABLES},
         {"--target=x86_64-linux-gnu", "-fuse-ld=lld", "-march=x86-64-v3", NO_FRAME_POINTERS, UNWIND_TABLES}},
	{"x86-64-v2",
         {"-march=x86-64-v2", UNWIND_TABLES},
         {"--target=x86_64-linux-gnu", "-fuse-ld=lld", "-march=x86-64-v2", NO_FRAME_POINTERS, UNWIND_TABLES}},
	{"aarch64",
         {"-march=armv8-a", "-mno-outline-atomics", "-mno-omit-leaf-frame-pointer",
          "-mbranch-protection=none", "-Wl,-z,max-page-size=65536", NO_TABLES},
         {"--target=aarch64-linux-gnu", "-fuse-ld=lld", "-march=armv8-a", "-mno-outline-atomics",
          "-mno-omit-leaf-frame-pointer", "-mbranch-protection=none", "-Wl,-z,noseparate-code",
          "-Wl,-z,max-page-size=65536", "-mllvm", "-enable-shrink-wrap=0", "-fno-omit-frame-pointer",
          NO_TABLES}},
};

const char *const *wasm_flags_target(const char *target, bool clang)
{
	for (size_t i = 0; i < array_count(targets); i++)
		if (strcmp(targets[i].target, target) == 0)
			return clang ? targets[i].clang : targets[i].gcc;
	return NULL;
}
