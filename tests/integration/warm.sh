#!/bin/bash
# Does a cell for tasks begin with what the program's warm-ups left, however often one ends; do they run once; and
# does what a task leaves in a cell that ends stay there? At secret, and at paged with most of it out of the window.
# as: root user memlock
. "$(dirname "$0")/lib.sh"
needs_secret
export CELLA_BUILDER_KEY=$work/builder.key
cd "$work"
"$cella" cc "$source_dir/tests/cells/tasks_warm.c" -o warm.cell
"$cella" cc -DTABLE=999999 "$source_dir/tests/cells/tasks_warm.c" -o large.cell # 4 MB, with the same sum

# warm MODE: the output goes to out and err, the status to $status.
warm() {
	rm -rf data
	mkdir data
	printf '%s' "$1" >data/mode
	status=0
	"$cella" run --quiet "${level[@]}" --executors 1 --dir data:/data "$cell" >out 2>err </dev/null || status=$?
}

expect_found() {
	[ "$status" -eq 0 ] || {
		cat out err >&2
		fail "status $status"
	}
	expect_equal "$(sort -u out)" "1 1 1 0 kept on the heap"
	expect_equal "$(wc -l <out)" 10
}

# check_level CELL OPTION...
check_level() {
	cell=$1 level=("${@:2}")
	warm once
	expect_found
	expect_equal "$(cat data/runs)" "."

	# With a file left open there is no base: the warm-up runs again for each cell (positive control of the above).
	warm open
	expect_found
	[ "$(wc -c <data/runs)" -ge 10 ] || fail "the warm-up ran $(wc -c <data/runs) times only"

	warm trap
	expect_equal "$status" 134
	expect_match "in a constructor or warm-up: unreachable" err
	expect_match "at fill_table" err
	warm exit
	expect_equal "$status" 134
	expect_match "a constructor or warm-up exits with status 3" err
	if [ "$(id -u)" -eq 0 ]; then # it takes ten seconds
		warm hang
		expect_equal "$status" 134
		expect_match "in a constructor or warm-up: time-out" err
		expect_match "at fill_table" err
	fi
	warm task
	expect_equal "$status" 134
	expect_match "calls tasks" err
}

check_level warm.cell --memory secret
check_level large.cell --memory paged --window 1M
