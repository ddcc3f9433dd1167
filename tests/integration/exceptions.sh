#!/bin/bash
# Do setjmp and the exceptions of C++ work in a cell as natively, and what ends a cell that catches nothing?
# as: user
# user alone: nothing in it depends on who runs it, nor on locked memory
. "$(dirname "$0")/lib.sh"
export CELLA_BUILDER_KEY=$work/builder.key
cd "$work"

"$cella" cc -O2 "$source_dir/tests/cells/jumps.c" -o jumps.cell
"$cella" cc -O2 --native "$source_dir/tests/cells/jumps.c" -o jumps
./jumps >expected
expect_status 0 "$cella" run --quiet --memory insecure-none jumps.cell
cmp out expected
expect_equal "$(wc -l <expected)" 6
expect_status 134 "$cella" run --quiet --memory insecure-none jumps.cell dead
expect_match "^set$" out
expect_match "trap: uncaught exception" err

# C++: the same as natively, and an exception that nobody catches.
"$cella" c++ -O2 -std=c++20 "$source_dir/tests/cells/throws.cc" -o throws.cell
"$cella" c++ -O2 -std=c++20 --native "$source_dir/tests/cells/throws.cc" -o throws
./throws >expected
expect_status 0 "$cella" run --quiet --memory insecure-none throws.cell
cmp out expected
expect_match "^another 2$" out
expect_status 134 "$cella" run --quiet --memory insecure-none throws.cell uncaught
cmp out expected
expect_match "terminating due to uncaught exception of type Fault: nobody catches this" err
expect_match "at std::terminate" err
expect_status 134 "$cella" run --quiet --memory insecure-none throws.cell two arguments
expect_match "libc\+\+abi: terminating" err

expect_status 134 "$cella" run --quiet --memory insecure-none --env EARLY=1 throws.cell
expect_match "uncaught exception of type std::.*string" err

# The standard library, static objects and thread_local; with the library's own exceptions.
"$cella" c++ -O1 -std=c++20 "$source_dir/tests/cells/standard.cc" -o standard.cell
"$cella" c++ -O1 -std=c++20 --native "$source_dir/tests/cells/standard.cc" -o standard
mkdir native files
(cd native && ../standard) >expected
expect_status 0 "$cella" run --quiet --memory insecure-none --dir files:/ standard.cell
cmp out expected
expect_match "^end of first$" out

# Without the library of C++ its absence is told, and C goes on.
mkdir -p bare/lib/wasm32-wasi bare/include
ln -s "$build/share/cella/sysroot/include/wasm32-wasi" bare/include/wasm32-wasi
for part in libc.a libm.a cella-start.o libcella.a; do ln -s "$build/share/cella/sysroot/lib/wasm32-wasi/$part" bare/lib/wasm32-wasi/; done
CELLA_SYSROOT=$work/bare expect_status 1 "$cella" c++ "$source_dir/tests/cells/throws.cc" -o none.cell
expect_match "standard library of C\+\+ for cells is missing .*build Cella again" err
