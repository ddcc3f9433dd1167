#!/bin/bash
# Does setjmp work in a cell as it does natively, and does a jump to a dead frame end the cell with a sentence?
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
