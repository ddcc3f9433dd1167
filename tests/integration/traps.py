#!/usr/bin/env python3
# as: root user
"""Is every trap exact: reported with its name and a backtrace of wasm functions, status 134, and
what the program printed before it still there?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import build_cell, check, finish, run

TRAPS = {
    "memory": "out of bounds memory access",
    "unreachable": "unreachable",
    "divide": "integer divide by zero",
    "overflow": "integer overflow",
    "pointer": "undefined element",
    "signature": "indirect call type mismatch",
    "abort": "unreachable",
}


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
    finish()


main()
