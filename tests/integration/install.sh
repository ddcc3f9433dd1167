#!/bin/bash
# Does what `make install` installs work from elsewhere, without the source tree?
. "$(dirname "$0")/lib.sh"

meson install -C "$build" --no-rebuild --quiet --destdir "$work/root" >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "meson install"
}
bin=$(find "$work/root" -type d -name bin)
for program in cella cella-cell cella-las cella-agent; do
	[ -x "$bin/$program" ] || fail "$program is not installed"
done

mkdir "$work/elsewhere"
cp "$source_dir/examples/hello/hello.c" "$work/elsewhere"
cd "$work/elsewhere"
"$bin/cella" cc hello.c -o hello.cell
expect_status 0 "$bin/cella" run -q --memory insecure-none hello.cell
expect_match '^Hello, world' "$work/out"
