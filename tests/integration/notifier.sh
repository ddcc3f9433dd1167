#!/bin/bash
# as: root user memlock
# An agent starts the executor itself, under a seccomp notifier that gives it ordinary memory for
# secret memory. Does it read the executor's keys (positive control), and does that get it anything?
. "$(dirname "$0")/lib.sh"
needs_secret

"$cella" cc "$source_dir/tests/cells/park.c" -o "$work/park.cell"
"$build/tests/attacks/notifier" "$build/cella-las" "$build/cella-cell" "$work/park.cell"
