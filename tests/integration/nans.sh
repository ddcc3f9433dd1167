#!/bin/bash
# Has a program that asks for it the same NaNs on every processor, and prints it them without a sign?
# as: user
# user alone: it is the compiler's work
. "$(dirname "$0")/lib.sh"
export CELLA_BUILDER_KEY=$work/builder.key
words=(0 -1 1.7976931348623157e308)

"$cella" cc --canonical-nans "$source_dir/tests/cells/nans.c" -o "$work/canonical.cell"
"$cella" run --quiet --memory insecure-none "$work/canonical.cell" "${words[@]}" >"$work/canonical.txt"
[ "$(grep -c ' 7ff8000000000000 nan$' "$work/canonical.txt")" = 6 ] || fail "not canonical: $(cat "$work/canonical.txt")"

# Where they are not asked for, this processor's show.
if [ "$(uname -m)" = x86_64 ]; then
	"$cella" cc "$source_dir/tests/cells/nans.c" -o "$work/plain.cell"
	"$cella" run --quiet --memory insecure-none "$work/plain.cell" "${words[@]}" >"$work/plain.txt"
	expect_match ' fff8000000000000 -nan$' "$work/plain.txt"
fi
