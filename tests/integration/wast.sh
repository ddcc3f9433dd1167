#!/bin/bash
# Do translated modules do what the specification says, compiled by gcc and by clang and with the
# prelude's portable code, and do their images need nothing of their surroundings?
# as: user
# user alone: nothing in it depends on who runs it, nor on locked memory
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/lib/wast.sh"

for compiler in gcc clang-19; do
	images=$work/$compiler
	mkdir "$images"
	"$build/cella-wast" --compiler "$compiler" --keep "$images" -O3 "${scripts[@]}"
	count=0
	for image in "$images"/*.so; do
		needs_nothing readelf "$image"
		symbols=$(readelf -W --dyn-syms "$image" | awk '$1 ~ /^[0-9]+:$/ && NF > 7 && $6 != "HIDDEN" {print $7, $8}')
		[[ $symbols != *UND* ]] || fail "$image imports: $symbols"
		[ "$(wc -l <<<"$symbols")" = 1 ] && [[ $symbols == *" cella_image" ]] || fail "$image exports: $symbols"
		count=$((count + 1))
	done
	[ "$count" -gt 10 ] || fail "only $count images"
done

# Divided into units, as large modules are.
divided=()
for json in "${scripts[@]}"; do
	[[ $json =~ /(control|exceptions|memory|tables|tail).json$ ]] && divided+=("$json")
done
[ "${#divided[@]}" = 5 ] || fail "not all of the scripts for units are there"
for compiler in gcc clang-19; do
	"$build/cella-wast" --compiler "$compiler" --split -O1 "${divided[@]}"
done

# Computed NaNs are the same everywhere if that is asked for; here they differ if it is not.
for compiler in gcc clang-19; do
	"$build/cella-wast" --compiler "$compiler" -DCANONICAL_NANS "$work/nan.json"
done
if [ "$(uname -m)" = x86_64 ]; then
	expect_status 1 "$build/cella-wast" --compiler clang-19 "$work/nan.json"
	expect_match "ffc00000 instead of" "$work/out"
fi

# Without the intrinsics, as on other processors.
"$build/cella-wast" --compiler clang-19 -U__SSE4_1__ "${scripts[@]}"
