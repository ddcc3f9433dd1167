#!/bin/bash
# Do setjmp and the exceptions of C++ work in a cell as natively, and what ends a cell that catches nothing?
# as: user
# user alone: nothing in it depends on who runs it, nor on locked memory
# timeout: 300
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
"$cella" c++ -O2 -std=c++17 "$source_dir/tests/cells/throws.cc" -o throws.cell
"$cella" c++ -O2 -std=c++17 --native "$source_dir/tests/cells/throws.cc" -o throws
./throws >expected
expect_status 0 "$cella" run --quiet --memory insecure-none throws.cell
cmp out expected
expect_match "^another 2$" out
expect_status 134 "$cella" run --quiet --memory insecure-none throws.cell uncaught
cmp out expected
expect_match "terminating due to uncaught exception of type Fault: nobody catches this" err
expect_match "at std::terminate" err
expect_status 134 "$cella" run --quiet --memory insecure-none throws.cell out of noexcept
expect_match "libc\+\+abi: terminating" err
