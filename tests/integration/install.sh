#!/bin/bash
# Does what `make install` installs work from elsewhere, without the source tree?
# root alone: meson writes its log into the build directory
. "$(dirname "$0")/lib.sh"

meson install -C "$build" --no-rebuild --quiet --destdir "$work/root" >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "meson install"
}
bin=$(find "$work/root" -type d -name bin)
for program in cella cella-cell cella-las cella-agent; do
	[ -x "$bin/$program" ] || fail "$program is not installed"
done

# Its words.
plain() {
	tr -d '\\&' <"$1" | tr '[:upper:]' '[:lower:]' | tr -cs '[:alnum:]' '\n' | LC_ALL=C sort -u
}

# A man page for each verb, which says all that its help says.
man=$(find "$work/root" -type d -name man1)
[ -s "$man/cella.1" ] || fail "cella.1 is not installed"
for verb in $("$bin/cella" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	[ "$verb" != help ] || continue
	expect_match "^\.BR cella.-$verb \(1\)$" "$man/cella.1"
	"$bin/cella" help --man "$verb" | cmp - "$man/cella-$verb.1"
	"$bin/cella" help "$verb" >"$work/help"
	missing=$(LC_ALL=C comm -13 <(plain "$man/cella-$verb.1") <(plain "$work/help" | grep -vx -e usage -e example))
	[ -z "$missing" ] || fail "cella-$verb.1 lacks: $missing"
done
if command -v man >/dev/null; then
	for page in "$man"/*.1; do
		man --warnings -l "$page" >"$work/page" 2>"$work/warnings"
		[ -s "$work/page" ] && [ ! -s "$work/warnings" ] || fail "$page: $(cat "$work/warnings")"
	done
else
	skip_part man-format "there is no program man"
fi

mkdir "$work/elsewhere"
cp "$source_dir/examples/hello/hello.c" "$work/elsewhere"
cd "$work/elsewhere"
"$bin/cella" cc hello.c -o hello.cell
expect_status 0 "$bin/cella" run -q --memory insecure-none hello.cell
expect_match '^Hello, world' "$work/out"

# The public library, by its example. (The one of cells has its name, and lies in their sysroot.)
include=$(dirname "$(find "$work/root" -path '*/include/cella/volume.h' -not -path '*/share/*')")
library=$(dirname "$(find "$work/root" -name libcella.a -not -path '*/sysroot/*')")
cp "$source_dir/examples/volume/volume.c" .
expect_status 0 "${CC:-cc}" -Wall -Wextra -Werror volume.c -I"${include%/cella}" -L"$library" -lcella -lcrypto -lpthread -o volume
expect_status 0 ./volume notes.vol insecure
expect_match '^notes/first, 20 bytes: seen by nobody else$' "$work/out"
expect_match '^notes/second, 4 bytes: seen$' "$work/out"
expect_status 0 "$bin/cella" volume --memory insecure-none ls notes.vol notes
expect_status 1 ./volume notes.vol insecure # it is there already
