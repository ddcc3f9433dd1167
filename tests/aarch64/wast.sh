#!/bin/bash
# Do translated modules do on aarch64 what the specification says, and do their images need nothing of
# their surroundings?
. "$(dirname "$0")/../integration/lib.sh"
. "$source_dir/tests/lib/wast.sh"

mkdir "$work/images"
"$CELLA_AARCH64-root/run" "$CELLA_AARCH64/cella-wast" --compiler clang-19 --keep "$work/images" -O3 "${scripts[@]}"
"$CELLA_AARCH64-root/run" "$CELLA_AARCH64/cella-wast" --compiler clang-19 -DCANONICAL_NANS "$work/nan.json"
count=0
for image in "$work"/images/*.so; do
	needs_nothing aarch64-linux-gnu-readelf "$image"
	small=$(aarch64-linux-gnu-readelf -lW "$image" | awk '$1 == "LOAD" && $NF != "0x10000"')
	[ -z "$small" ] || fail "$image cannot be mapped where pages have 64 KiB: $small"
	count=$((count + 1))
done
[ "$count" -gt 10 ] || fail "only $count images"
