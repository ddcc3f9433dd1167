#!/usr/bin/env python3
# as: root user
"""Can a cell have a memory of more than 4 GiB, touch some of it lazily, and nothing beyond its end?"""

import os
import re
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import FAILED, REFUSED, SCRATCH, build_cell, check, finish, run, skip_part

GIB = 1 << 30
# Pairs that differ by 4 GiB, and both sides of the border: after growing by 5 GiB each holds 0, then its own mark.
PLACES = [GIB // 2, GIB // 2 + 4 * GIB, 4 * GIB - 8, 4 * GIB, 4 * GIB + 8]
# Freestanding: it ends by itself, or by `unreachable` if something is not as it should be.
PROGRAM = """(module (memory (export "memory") i64 1)
  (func $mark (param i64) (result i64) (i64.or (i64.mul (local.get 0) (i64.const 0x9e3779b97f4a7c15)) (i64.const 1)))
  (func $demand (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
  (func $put (param i64)
    (call $demand (i64.eqz (i64.load (local.get 0))))
    (i64.store (local.get 0) (call $mark (local.get 0))))
  (func $ask (param i64) (call $demand (i64.eq (i64.load (local.get 0)) (call $mark (local.get 0)))))
  (func $main (export "_start")
    (call $demand (i64.eq (memory.grow (i64.const 81920)) (i64.const 1)))
    (call $demand (i64.eq (memory.size) (i64.const 81921)))
    {puts}
    {asks}
    (memory.copy (i64.const 0xc0000000) (i64.const 0x100000000) (i64.const 16))
    (memory.fill (i64.const 0x13ffffffc) (i32.const 0xab) (i64.const 8))
    (call $demand (i64.eq (i64.load (i64.const 0xc0000008)) (call $mark (i64.const 0x100000008))))
    (call $demand (i32.eq (i32.load (i64.const 0x140000000)) (i32.const 0xabababab)))
    {last}))"""
BEYOND = "(i32.store8 (i64.const 0x140010000) (i32.const 1))"
# A clang that compiles nothing, and "links" the program.
CLANG = """#!/bin/sh
case "$*" in *-print-*) exec clang-19 "$@" ;; esac
for word; do [ "$last" = -o ] && out=$word; last=$word; done
case " $* " in *" -c "*) exec touch "$out" ;; esac
exec wat2wasm --enable-memory64 "$0.wat" -o "$out"
"""
NO_ROOM = re.compile(r"cannot reserve|no room|cannot open|cannot back|may lock", re.I)


def build(name, last=""):
    clang = SCRATCH / f"clang-of-{name}"
    puts, asks = (" ".join(f"(call ${verb} (i64.const {place}))" for place in PLACES) for verb in ("put", "ask"))
    clang.with_name(clang.name + ".wat").write_text(PROGRAM.format(puts=puts, asks=asks, last=last))
    clang.write_text(CLANG)
    clang.chmod(0o755)
    os.environ["CELLA_CLANG"] = str(clang)
    return build_cell("traps.c", f"{name}.cell")


def run_large(cell, heap, level="insecure-none"):
    return run(["-q", "--memory", level, "--executors", "1", "--heap", heap, cell])


def main():
    cell, beyond = build("memory64"), build("beyond", BEYOND)
    job = run_large(cell, "4G")
    check(job.returncode == 134 and "trap: unreachable" in job.stderr,
          f"a heap of 4 GiB has no room for 5: {job.returncode} {job.stderr.splitlines()[:1]}")
    job = run_large(cell, "6G")
    if job.returncode != 0 and NO_ROOM.search(job.stderr):
        skip_part("beyond-4-GiB", f"no room here: {job.stderr.splitlines()[0]}")
        finish()
    check(job.returncode == 0, f"what was put beyond 4 GiB is there: {job.returncode} {job.stderr.splitlines()[:2]}")
    lockable = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    for level in ("secret", "paged"):
        if lockable != resource.RLIM_INFINITY and lockable < 6 * GIB and os.geteuid() != 0:
            skip_part(level, f"{lockable >> 20} MiB of locked memory")
            continue
        job = run_large(cell, "6G", level)
        if job.returncode in (FAILED, REFUSED):
            skip_part(level, job.stderr.splitlines()[0])
            continue
        check(job.returncode == 0, f"{level} memory does not end there either: {job.stderr.splitlines()[:2]}")
    job = run_large(beyond, "6G")
    check(job.returncode == 134 and "trap: out of bounds memory access" in job.stderr,
          f"there is an end: {job.returncode} {job.stderr.splitlines()[:2]}")
    finish()


main()
