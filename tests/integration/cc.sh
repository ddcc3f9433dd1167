#!/bin/bash
# Does `cella cc` build what it should, the same bytes from everywhere, and explain what it cannot build?
# Do `inspect` and `verify` tell a good cell from a bad one?
# as: root user
# no memlock: what it runs has ordinary memory
. "$(dirname "$0")/lib.sh"
export CELLA_BUILDER_KEY=$work/builder.key TMPDIR=$work/tmp
mkdir "$TMPDIR" "$work/a" "$work/b" "$work/a/include"
cd "$work"

# A program of two files that names its sources, with a header of its own.
cat >a/main.c <<'C'
#include <stdio.h>
#include "answer.h"
int main(void)
{
	printf("%s %s %s %d\n", __FILE__, answer_file(), answer_header(), answer());
	return ANSWER - 42;
}
C
cat >a/answer.c <<'C'
#include "answer.h"
const char *answer_file(void) { return __FILE__; }
int answer(void) { return ANSWER; }
C
cat >a/include/answer.h <<'C'
static inline const char *answer_header(void) { return __FILE__; }
const char *answer_file(void);
int answer(void);
C
cp -r a/. b

# The same bytes: again, from another directory, by other paths.
"$cella" cc a/main.c a/answer.c -Ia/include -DANSWER=42 -o first.cell
"$cella" cc a/main.c a/answer.c -Ia/include -DANSWER=42 -o second.cell
(cd b && "$cella" cc main.c ./answer.c -I include -D ANSWER=42 -o ../third.cell)
(cd a && "$cella" cc "$work/b/main.c" "$work/b/answer.c" -I"$work/b/include" -DANSWER=42 -o ../fourth.cell)
cmp first.cell second.cell
cmp first.cell third.cell
cmp first.cell fourth.cell
"$cella" cc -g a/main.c a/answer.c -Ia/include -DANSWER=42 -o debug1.cell
(cd b && "$cella" cc -g main.c answer.c -Iinclude -DANSWER=42 -o ../debug2.cell)
cmp debug1.cell debug2.cell
expect_no_match "$work" first.cell
"$cella" cc a/main.c a/answer.c -Ia/include -DANSWER=43 -o other.cell
! cmp -s first.cell other.cell || fail "another program, the same bytes"
[ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls "$TMPDIR")"
expect_equal "$(stat -c %a builder.key)" 600

# It runs, as a cell and natively.
expect_status 0 "$cella" run --quiet --memory insecure-none first.cell
expect_equal "$(cat out)" "main.c answer.c answer.h 42"
"$cella" cc --native a/main.c a/answer.c -Ia/include -DANSWER=42 -o native
expect_equal "$(./native)" "main.c answer.c answer.h 42"

# What it is made of.
expect_status 0 "$cella" inspect first.cell
expect_match "^name +main$" out
expect_match "^signatures +hold$" out
expect_match "^imports +wasi_snapshot_preview1\.fd_close +i:i +function$" out
identity=$(sed -n 's/^identity *//p' out)
builder=$(sed -n 's/^builder *//p' out | sort -u)
expect_status 0 "$cella" inspect --json first.cell
expect_equal "$(jq -r .identity out 2>/dev/null || grep -o "$identity" out | head -1)" "$identity"
expect_status 0 "$cella" verify first.cell
expect_status 0 "$cella" verify --quiet --builder "$builder" --identity "$identity" first.cell
expect_status 1 "$cella" verify --identity "${identity//[0-7]/8}" first.cell
expect_match "its identity is $identity" err

# Somebody else's cell.
expect_status 1 env CELLA_BUILDER_KEY="$work/other.key" "$cella" verify first.cell
expect_match "built by $builder, which is not your own key" err
expect_status 126 env CELLA_BUILDER_KEY="$work/other.key" "$cella" run --memory insecure-none first.cell
expect_status 1 "$cella" verify --builder "${builder//[0-7]/8}" first.cell
expect_status 1 "$cella" verify --builder nonsense first.cell
expect_match "nonsense is no builder key" err

# Machine code for several targets, by several builders, under one identity.
first=$(uname -m | sed 's/x86_64/x86-64-v3/')
case $first in x86-64-v3) other=aarch64 ;; *) other=x86-64-v2 ;; esac
"$cella" cc a/main.c a/answer.c -Ia/include -DANSWER=42 --targets "$other" -o targets.cell
expect_status 125 "$cella" run --quiet --memory insecure-none targets.cell
expect_match "machine code for $other; this machine runs $first.* cella build FILE.cell --targets $first" err
expect_status 0 env CELLA_BUILDER_KEY="$work/other.key" "$cella" build targets.cell
expect_status 126 "$cella" run --quiet --memory insecure-none targets.cell
expect_match "which is not your own key" err
expect_status 0 "$cella" inspect targets.cell
expect_equal "$(sed -n 's/^identity *//p' out)" "$identity"
expect_equal "$(sed -n 's/^machine *\([^,]*\).*/\1/p' out | xargs)" "$other $first"
other_builder=$(sed -n 's/^builder *//p' out | tail -n 1)
[ "$other_builder" != "$builder" ] || fail "two builders, one key"
expect_status 0 "$cella" run --quiet --memory insecure-none --accept-builder "$other_builder" targets.cell
expect_equal "$(cat out)" "main.c answer.c answer.h 42"
expect_status 1 "$cella" verify targets.cell
expect_match "the artifact for $first: it was built by $other_builder, which is not your own key" err
expect_status 1 "$cella" verify --builder "$other_builder" targets.cell
expect_match "the artifact for $other: it was built by $builder, which is none of those given" err
expect_status 0 "$cella" verify --builder "$other_builder" --builder "$builder" targets.cell
"$cella" build targets.cell --targets "$other,$first" -o more.cell
expect_status 0 "$cella" run --quiet --memory insecure-none more.cell
expect_equal "$("$cella" verify --builder "$other_builder" --builder "$builder" more.cell | grep -c ^machine)" 3
"$cella" build more.cell --targets "$first"
"$cella" cc a/main.c a/answer.c -Ia/include -DANSWER=42 --targets "$other,$first" -o both.cell
cmp both.cell <("$cella" build both.cell --targets "$first" -o /dev/stdout) || fail "built again, other bytes"
"$cella" cc a/main.c a/answer.c -Ia/include -DANSWER=42 --targets all -o all.cell
expect_equal "$("$cella" verify all.cell | sed -n 's/^machine *\([^,]*\).*/\1/p' | xargs)" "x86-64-v3 x86-64-v2 aarch64"
expect_status 1 env CELLA_CC=gcc "$cella" build all.cell --targets "$other"
expect_match "compiles for .*, not for $other: set CELLA_CC" err
expect_status 2 "$cella" build all.cell --targets pdp-11
expect_match "no target \"pdp-11\": the targets are x86-64-v3, x86-64-v2, aarch64, or all" err

# A changed byte anywhere, a missing end, an end too many.
size=$(stat -c %s first.cell)
for at in 0 5 9 20 100 1000 $((size / 4)) $((size / 2)) $((size * 3 / 4)) $((size - 200)) $((size - 70)) $((size - 1)); do
	cp first.cell bad.cell
	byte=$(od -An -tu1 -j"$at" -N1 bad.cell)
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of=bad.cell bs=1 seek="$at" conv=notrunc status=none
	expect_status 1 "$cella" verify bad.cell
	expect_match "^cella verify: bad.cell: " err
	status=0
	"$cella" run --quiet --memory insecure-none bad.cell >out 2>err || status=$?
	[ "$status" = 125 ] || [ "$status" = 126 ] || fail "status $status: byte $at was changed and the cell ran"
	[ ! -s out ] || fail "byte $at was changed and the cell printed: $(cat out)"
done
for length in 0 1 16 $((size / 2)) $((size - 1)); do
	head -c "$length" first.cell >bad.cell
	expect_status 1 "$cella" inspect bad.cell
	expect_match "^cella inspect: bad.cell: " err
done
(cat first.cell && echo) >bad.cell
expect_status 1 "$cella" verify bad.cell

# Mistakes, each with its explanation, and nothing written.
mistake() {
	local status=$1 pattern=$2
	shift 2
	rm -f x.cell
	expect_status "$status" "$cella" "$@"
	expect_match "$pattern" err
	[ ! -e x.cell ] || fail "written all the same: $*"
	[ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls "$TMPDIR")"
}
echo 'int main(void) { return 1 +; }' >syntax.c
echo 'int elsewhere(void); int main(void) { return elsewhere(); }' >undefined.c
echo 'int main(void) { return 0; }' >good.c
cp syntax.c syntax.c.o
mistake 1 "^syntax.c:1:28: error: expected expression" cc syntax.c -o x.cell
mistake 1 "undefined symbol: elsewhere" cc undefined.c -o x.cell
mistake 1 "^cella cc: cannot read missing.c" cc missing.c -o x.cell
mistake 1 "^cella cc: cannot read good.o" cc good.o -o x.cell
mistake 1 "unknown file type" cc syntax.c.o -o x.cell
mistake 2 "no place for the result" cc good.c -o good.c
mistake 2 "no option --outptu; did you mean --output\?" cc good.c --outptu x.cell
mistake 2 "^cella cc: -o needs a value: FILE" cc good.c -o
mistake 2 "something is missing" cc
mistake 2 "^cella cc: --stack" cc good.c --stack 1 -o x.cell
mistake 2 "^cella cc: -shared: a cell is one program" cc -shared good.c -o x.cell
mistake 2 "^cella cc: -I needs a value" cc good.c -o x.cell -I
mistake 1 "unknown argument: '-fno-such-thing'" cc good.c -fno-such-thing -o x.cell
mistake 2 "^cella: there is no verb inspct; did you mean inspect\?" inspct
CELLA_CLANG=/nonexistent mistake 1 "CELLA_CLANG: there is no program /nonexistent" cc good.c -o x.cell
CELLA_SYSROOT=/nonexistent mistake 1 "C library of cells is missing .*nonexistent" cc good.c -o x.cell
CELLA_CC=/nonexistent mistake 1 "CELLA_CC: there is no program" cc good.c -o x.cell
CELLA_BUILDER_KEY=/proc/x/y mistake 1 "cannot " cc good.c -o x.cell
expect_status 1 env PATH=/nonexistent "$cella" cc good.c -o x.cell
expect_match "clang for WebAssembly .* is missing: apt install clang-19" err
mistake 1 "cannot open missing.cell" inspect missing.cell
mistake 1 "good.c: " verify good.c

# The intermediate files, where they are asked for.
"$cella" cc --keep kept good.c -o x.cell
for file in 0.o cell.wasm cell.c x86-64-v3.so; do
	[ -s "kept/$file" ] || fail "no kept/$file"
done

# Help has an example, and is where one looks for it.
for verb in cc c++ build run doctor inspect verify bench; do
	expect_status 0 "$cella" "$verb" --help
	expect_match "^Usage: cella ${verb//+/\\+}" out
	expect_match "^  cella ${verb//+/\\+}" out
	"$cella" help "$verb" | cmp - out
done
expect_status 0 "$cella" --version
expect_status 2 "$cella"
status=0
"$cella" inspect first.cell >/dev/full 2>err || status=$?
expect_equal "$status $(cat err)" "1 cella: cannot write to standard output"
"$cella" help --manual | diff - "$source_dir/docs/reference/cli.md" ||
	fail "docs/reference/cli.md is not what \`cella help --manual\` prints"
