#!/bin/bash
# Do the tasks of a C program do what the program says, in protected cells, on one executor and on several?
# as: root user memlock
. "$(dirname "$0")/lib.sh"
needs_secret
export CELLA_BUILDER_KEY=$work/builder.key
cells=$source_dir/tests/cells
cd "$work"

# run EXECUTORS CELL ARGUMENTS...: the output goes to out and err, the status to $status.
run() {
	local executors=$1
	shift
	status=0
	"$cella" run --quiet --executors "$executors" "$@" >out 2>err </dev/null || status=$?
}

# expect_end STATUS OUTPUT [WORDS ON STANDARD ERROR]
expect_end() {
	[ "$status" -eq "$1" ] && [ "$(cat out)" = "$2" ] || {
		cat out err >&2
		fail "status $status, not $1, or other output than: $2"
	}
	[ $# -lt 3 ] || expect_match "$3" err
}

# Every level of nesting is a cell of its own: more than an ordinary limit of locked memory holds.
memory=secret
if [ "$(id -u)" -ne 0 ] && [ "$(ulimit -l)" != unlimited ] && [ "$(ulimit -l)" -lt 65536 ]; then
	memory=insecure-none
fi

# The same source, compiled natively, is the sequential program that tasks must equal.
for name in directions collections shared nested; do
	"$cella" cc "$cells/tasks_$name.c" -o $name.cell
	"$cella" cc --native "$cells/tasks_$name.c" -o $name
	"./$name" >native.out
	[ -s native.out ] || fail "$name says nothing"
	for executors in 1 2 3; do
		if [ $name = nested ]; then
			run $executors --memory $memory $name.cell
		else
			run $executors $name.cell
		fi
		expect_end 0 "$(cat native.out)"
	done
done

mkdir native cell
printf 'hello\nworld\n' | tee native/in.txt >cell/in.txt
"$cella" cc "$cells/tasks_files.c" -o files.cell
"$cella" cc --native "$cells/tasks_files.c" -o files
./files "$work/native" >native.out
run 2 --dir cell:/data files.cell /data
expect_end 0 "$(cat native.out)"
diff -r native cell

# What lay in a result before, and what a task does to what it was passed by value, is seen by nobody.
"$cella" cc "$cells/tasks_dirty.c" -o dirty.cell
"$cella" cc --native "$cells/tasks_dirty.c" -o dirty
mkdir dirty-native dirty-cell
./dirty dirty-native >native.out
run 2 --dir dirty-cell:/data dirty.cell /data
expect_end 0 "$(cat native.out)"
expect_match "^0 4 3 2 0 0 0 0 7 " native.out
expect_match "^reward 5, then drawer 4; 1$" native.out

# Outputs of one task that do not fit into one piece of the store: no executor is ended for it.
"$cella" cc "$cells/tasks_extents.c" -o extents.cell
run 2 extents.cell
expect_end 0 "10 tasks, 3500000 bytes"
[ ! -s err ] || fail "extents: $(cat err)"

# Failures, by policy. Each attempt leaves a dot in a file.
"$cella" cc "$cells/tasks_failures.c" -o failures.cell
attempt() {
	rm -rf tried
	mkdir tried
	run 2 --dir tried:/tried failures.cell "$1" /tried
}
attempt retry
expect_end 0 "succeeded on attempt 4"
expect_equal "$(cat tried/flaky)" "...."
attempt give-up
expect_end 134 "" "task hopeless failed on attempt 2: no hope for this one"
expect_equal "$(cat tried/hopeless)" ".."
attempt unwaited
expect_end 134 "" "task hopeless failed on attempt 2: no hope for this one"
attempt nested
expect_end 134 "" "task parent failed on attempt 1: task hopeless failed on attempt 2: no hope for this one"
attempt trap
expect_end 134 "" "task trapping failed on attempt 1: integer divide by zero"
expect_match "^  at trapping_enter$" err
attempt nowhere
expect_end 134 "" "cannot bring a file from its tasks: cannot write /tried/missing/file: "
attempt leave
expect_end 134 "left" "task leaving failed on attempt 1: exit with status 7"
attempt ignore
expect_end 0 "4, 0 0, 3 4, 3 4"
attempt cancel
expect_end 0 $'1 7, 1 8, 0 10\n8'
attempt main
expect_end 1 "" "^main gives up: 4$"

"$cella" cc "$cells/tasks_groups.c" -o groups.cell
for executors in 1 2; do
	rm -rf gate
	mkdir gate
	run $executors --dir gate:/gate groups.cell
	expect_end 0 $'inner 0, outer 0, nobody 1\ninner again 0\n2 101 1\ncancelled some 1, dropped 1, kept 0\n1 1, 0 2\nnobody 1'
done

"$cella" cc "$cells/tasks_limits.c" -o limits.cell
run 1 limits.cell time-out
expect_end 134 "" "task spin failed on attempt 2: time-out"
run 1 limits.cell doze
expect_end 134 "" "task doze failed on attempt 1: time-out: while it slept"
run 1 limits.cell sleep
expect_end 134 "" "task sleep_long failed on attempt 1: time-out: while it slept"
run 1 limits.cell notify
expect_end 134 "" "task wait_for_nobody failed on attempt 1: time-out: while it waited to be notified"
run 1 limits.cell nested-time-out
expect_end 134 "" "task wait_long failed on attempt 1: time-out"
rm -rf gate
mkdir gate
run 1 --dir gate:/gate limits.cell priority
expect_end 0 "6 0 7 1 8 2 9 3 10 4 11 5 "
run 1 limits.cell impossible
expect_end 134 "" "task vast failed: no executor meets its constraints"
run 1 limits.cell units
expect_end 0 "2"
