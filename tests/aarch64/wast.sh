#!/bin/bash
# Do translated modules do on aarch64 what the specification says, and do their images need nothing of
# their surroundings?
# timeout: 600
. "$(dirname "$0")/../integration/lib.sh"

scripts=()
for script in "$source_dir"/tests/wast/*.wast; do
	json=$work/$(basename "$script" .wast).json
	wast2json --no-check --enable-extended-const --enable-tail-call --enable-threads --enable-exceptions \
		--enable-memory64 "$script" -o "$json"
	[ "$json" = "$work/nan.json" ] || scripts+=("$json")
done
mkdir "$work/images"
"$CELLA_AARCH64-root/run" "$CELLA_AARCH64/cella-wast" --compiler clang-19 --keep "$work/images" -O3 "${scripts[@]}"
"$CELLA_AARCH64-root/run" "$CELLA_AARCH64/cella-wast" --compiler clang-19 -DCANONICAL_NANS "$work/nan.json"
count=0
for image in "$work"/images/*.so; do
	others=$(aarch64-linux-gnu-readelf -rW "$image" | awk '$3 ~ /^R_/ && $3 !~ /_RELATIVE$/')
	[ -z "$others" ] || fail "$image has relocations that are not relative: $others"
	entries=$(aarch64-linux-gnu-readelf -dW "$image" | grep -E 'NEEDED|INIT|FINI|JMPREL|TEXTREL' || true)
	[ -z "$entries" ] || fail "$image has in its dynamic section: $entries"
	small=$(aarch64-linux-gnu-readelf -lW "$image" | awk '$1 == "LOAD" && $NF != "0x10000"')
	[ -z "$small" ] || fail "$image cannot be mapped where pages have 64 KiB: $small"
	count=$((count + 1))
done
[ "$count" -gt 10 ] || fail "only $count images"
