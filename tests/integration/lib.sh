# What integration tests share. A test begins with:
#     #!/bin/bash
#     # Which question it answers.
#     . "$(dirname "$0")/lib.sh"
#
# It ends by running off its end (passed), by `fail` or `skip`, or by a command that fails.
# shellcheck shell=bash
set -euo pipefail

source_dir=${CELLA_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
build=${CELLA_BUILD:-$source_dir/build}
cella=$build/cella
work=$(mktemp -d)
started=()

cleanup() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${started[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2' ERR

fail() {
	echo "failed: $*" >&2
	exit 1
}

# The reason is the last line of the test's output.
skip() {
	echo "$*"
	exit 77
}

# skip_part NAME REASON: a part of the test that cannot run here; it is counted, and tests/skips.allow must name it.
skip_part() {
	echo "skipped: $1: ${*:2}"
}

# start COMMAND...: in the background; its id is in $started_pid, and it ends with the test.
start() {
	"$@" &
	started_pid=$!
	started+=("$started_pid")
}

# wait_until SECONDS COMMAND...: until the command succeeds; fails the test when the time is over.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for: $*"
		sleep 0.02
	done
}

# expect_status STATUS COMMAND...: its output goes to $work/out and $work/err.
expect_status() {
	local wanted=$1 status=0
	shift
	"$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
	[ "$status" -eq "$wanted" ] || {
		cat "$work/out" "$work/err" >&2
		fail "status $status instead of $wanted: $*"
	}
}

# expect_match PATTERN FILE: some line matches the extended regular expression.
expect_match() {
	grep -qE -- "$1" "$2" || {
		cat "$2" >&2
		fail "nothing in $2 matches: $1"
	}
}

expect_no_match() {
	! grep -qE -- "$1" "$2" || {
		cat "$2" >&2
		fail "something in $2 matches: $1"
	}
}

expect_equal() {
	[ "$1" = "$2" ] || fail "\"$1\" instead of \"$2\""
}

# The folder with PhysioNet's recordings (training2017/, labels.csv), or nothing.
ecg_data() {
	local folder
	for folder in "${CELLA_ECG_DATA:-}" "$source_dir/data/ecg2017" "$source_dir/../shared/data/ecg2017"; do
		if [ -n "$folder" ] && [ -d "$folder/training2017" ]; then
			(cd "$folder" && pwd)
			return
		fi
	done
}

# Skips the test where the kernel or the limits refuse secret memory.
needs_secret() {
	"$cella" doctor >"$work/doctor" 2>&1 || true
	grep -qE '^ +yes +secret ' "$work/doctor" || skip "no secret memory here: $(grep -E '^ +no +secret ' "$work/doctor")"
}

[ -x "$cella" ] || fail "there is no $cella: run make"
