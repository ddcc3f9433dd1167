#!/bin/bash
# Is what `cella doctor` says about this machine, for this user, what a job then finds?
# as: root user memlock
. "$(dirname "$0")/lib.sh"
export CELLA_BUILDER_KEY=$work/builder.key
cd "$work"
status=0
"$cella" doctor >report || status=$?
"$cella" doctor --json >report.json || expect_equal "$?" "$status"
for row in "memory levels" secret insecure-none paged namespaces seccomp clang compiler; do
	expect_match "^ *(yes|part|no|-)? *$row" report
done
python3 - report.json "$status" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as f:
    report = json.load(f)
assert report["works"] == (sys.argv[2] == "0"), report["works"]
for fact in report["facts"]:
    assert fact["verdict"] in ("good", "limited", "missing", "info"), fact
    assert fact["value"], fact
    if fact["group"] == "memory levels" and fact["name"] == "secret" and fact["verdict"] == "missing":
        assert fact["reason"], "a level that does not work needs a reason"
PYTHON

"$cella" cc "$source_dir/examples/hello/hello.c"
job=0
"$cella" run --quiet hello.cell Ada >out 2>err || job=$?
if [ "$status" = 0 ]; then
	expect_equal "$job $(cat out)" "0 Hello, Ada, from inside a cell."
else
	[ "$job" = 125 ] || [ "$job" = 126 ] || fail "doctor says no, and a job ended with $job"
	[ -s err ] || fail "refused without a word"
fi

# Without its tools, doctor says which to install, and that cells run all the same.
expect_status "$status" env PATH=/nonexistent "$cella" doctor
expect_match "^  no +clang +missing" out
expect_match "remedy: apt install clang-19 lld-19" out
expect_status 2 "$cella" doctor now
