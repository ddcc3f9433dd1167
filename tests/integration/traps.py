#!/usr/bin/env python3
# as: root user memlock
"""Is every trap exact: reported with its name and a backtrace of wasm functions, status 134, and
what the program printed before it still there?"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import SCRATCH, build_cell, check, finish, run

TRAPS = {
    "memory": "out of bounds memory access",
    "unreachable": "unreachable",
    "divide": "integer divide by zero",
    "overflow": "integer overflow",
    "pointer": "undefined element",
    "signature": "indirect call type mismatch",
    "abort": "unreachable",
}

# A clang that "links" this, whatever it is given: no program in C has a memory without a page.
EMPTY_MEMORY = """(module (memory (export "memory") 0 0)
  (func $load (export "_start") (drop (i32.load8_u (i32.const 0x7fff0000)))))"""
EMPTY_MEMORY_CLANG = """#!/bin/sh
case "$*" in *-print-*) exec clang-19 "$@" ;; esac
for word; do [ "$last" = -o ] && out=$word; last=$word; done
case " $* " in *" -c "*) exec touch "$out" ;; esac
exec wat2wasm "$0.wat" -o "$out"
"""


def build_empty_memory():
    """A cell whose memory has no page and never will have."""
    clang = SCRATCH / "clang-of-empty-memory"
    clang.write_text(EMPTY_MEMORY_CLANG)
    clang.chmod(0o755)
    clang.with_name(clang.name + ".wat").write_text(EMPTY_MEMORY)
    os.environ["CELLA_CLANG"] = str(clang)
    return build_cell("traps.c", "empty_memory.cell")


def main():
    cell = build_cell("traps.c")
    for how, name in TRAPS.items():
        job = run(["-q", cell, how])
        check(job.returncode == 134, f"{how}: status 134, not {job.returncode}: {job.stderr}")
        check(f"trap: {name}" in job.stderr, f"{how}: {job.stderr.splitlines()[:1]}")
        check(job.stdout == "before\n", f"{how}: output before the trap is there and nothing else: {job.stdout!r}")
    job = run(["-q", cell, "memory"])
    order = [line.strip() for line in job.stderr.splitlines() if line.startswith("  at ")]
    names = [line[3:] for line in order]
    check(names[:2] == ["innermost", "middle"] and "main" in " ".join(names), f"the backtrace is exact: {names}")
    job = run(["-q", cell, "stack"])
    check(job.returncode == 134 and ("call stack exhausted" in job.stderr or "out of bounds" in job.stderr),
          f"endless recursion traps: {job.stderr.splitlines()[:1]}")
    for how, status in (("exit", 42), ("none", 7)):
        job = run(["-q", cell, how])
        check(job.returncode == status, f"{how}: status {status}, not {job.returncode}: {job.stderr}")
    job = run(["-q", build_empty_memory()])
    check(job.returncode == 134 and "trap: out of bounds memory access" in job.stderr,
          f"a memory without a page holds no address: {job.returncode} {job.stderr.splitlines()[:1]}")
    finish()


main()
