#!/bin/bash
# Does a C program in a cell see the same files, streams and clocks as an ordinary program, and no others?
# as: root user memlock
. "$(dirname "$0")/lib.sh"
needs_secret
export CELLA_BUILDER_KEY=$work/builder.key
cd "$work"
mkdir cell native fixed
echo fixed >fixed/fixed
"$cella" cc "$source_dir/tests/cells/files.c" -o files.cell
"$cella" cc --native "$source_dir/tests/cells/files.c" -o files

status=0
echo "typed in" | "$cella" run --quiet --dir cell:/root --env COLOUR=red files.cell /root >cell.out || status=$?
expect_equal "$status" 42
status=0
echo "typed in" | COLOUR=red ./files native >native.out || status=$?
expect_equal "$status" 42
diff native.out cell.out
diff -r native cell

# A read-only directory stays as it is; what was not given is not there.
status=0
"$cella" run --quiet --dir cell:/root --dir fixed:/fixed:ro files.cell /root /fixed </dev/null >cell.out || status=$?
expect_match "^read-only file: fixed$" cell.out
for what in "write it" "truncate it" "unlink it" "create beside it"; do
	expect_match "^$what: refused$" cell.out
done
expect_equal "$(ls -A fixed) $(cat fixed/fixed)" "fixed fixed"
expect_status 42 "$cella" run --quiet files.cell /root
expect_match "^fopen|^mkdir: " out
expect_no_match "^mkdir: done" out

# A mistyped mode, and one name for two directories, are mistakes; a mode may be spelled out.
expect_status 2 "$cella" run --quiet --dir cell:/root:rx files.cell /root
expect_match '"rx" is neither ro nor rw' err
expect_status 2 "$cella" run --quiet --dir cell:/root --dir fixed:/root/ files.cell /root
expect_match "both cell and fixed are to be /root/" err
expect_status 42 "$cella" run --quiet --dir cell:/root:rw files.cell /root
expect_match "^rename: done$" out
