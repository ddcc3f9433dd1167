#!/bin/bash
# Can gdb stop a cell's program at a line of its source, and show that line, the stack and values? As in
# docs/how-to/debug.md, but other jobs may run beside this one.
# as: root
. "$(dirname "$0")/lib.sh"
command -v gdb >/dev/null || skip "there is no gdb"
export CELLA_BUILDER_KEY=$work/builder.key
cd "$work"
cat >twice.c <<'SOURCE'
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static int twice(int n)
{
	return 2 * n;
}

int main(void)
{
	char line[64];
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", twice(atoi(line)));
		fflush(stdout);
	}
}
SOURCE

"$cella" cc -g --keep kept twice.c
mkfifo input
exec 3<>input # a reader alone would wait for a writer
"$cella" run --quiet --memory insecure-none twice.cell <input >output &
started_pid=$!
started+=("$started_pid")
echo 1 >&3
wait_until 300 grep -qx 2 output

descendants() {
	local child
	for child in $(cat /proc/"$1"/task/*/children); do
		echo "$child"
		descendants "$child"
	done
}
for pid in $(descendants "$started_pid"); do
	grep -q "memfd:cella-image" "/proc/$pid/maps" && break
done
base=0x$(grep -m1 "memfd:cella-image" "/proc/$pid/maps" | cut -d- -f1)
gdb -q -batch -p "$pid" -ex "add-symbol-file $(ls kept/*.so) -o $base" -ex "break twice.c:6" \
	-ex "shell echo 21 >input" -ex continue -ex "info args" -ex backtrace -ex "list 6,6" \
	-ex delete -ex detach >gdb.out 2>&1 </dev/null || true
cat gdb.out
expect_match "^x0 = 21$" gdb.out
expect_match "^#0 .*twice\.c:6$" gdb.out
expect_match "^#1 .*twice\.c:13$" gdb.out
expect_match "return 2 \* n;" gdb.out
wait_until 300 grep -qx 42 output
exec 3>&-
