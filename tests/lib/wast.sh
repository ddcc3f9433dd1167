# What the tests of translated modules share, behind lib.sh.
# shellcheck shell=bash

# Every script of tests/wast as wast2json writes it, but that of NaNs, which is run in its own way: in `scripts`.
scripts=()
for script in "$source_dir"/tests/wast/*.wast; do
	json=$work/$(basename "$script" .wast).json
	wast2json --no-check --enable-extended-const --enable-tail-call --enable-threads --enable-exceptions \
		--enable-memory64 "$script" -o "$json"
	[ "$json" = "$work/nan.json" ] || scripts+=("$json")
done

# needs_nothing READELF IMAGE: neither relocations that ask for a symbol nor a library or constructor.
needs_nothing() {
	local others entries
	others=$("$1" -rW "$2" | awk '$3 ~ /^R_/ && $3 !~ /_RELATIVE$/')
	[ -z "$others" ] || fail "$2 has relocations that are not relative: $others"
	entries=$("$1" -dW "$2" | grep -E 'NEEDED|INIT|FINI|JMPREL|TEXTREL' || true)
	[ -z "$entries" ] || fail "$2 has in its dynamic section: $entries"
}
