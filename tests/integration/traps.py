#!/usr/bin/env python3
# as: root user memlock
"""Is every trap exact: reported with its name and a backtrace of wasm functions, status 134, and
what the program printed before it still there? Are the frames exact of a leaf, too, and wherever a time-out meets a loop
without an end? With -g, are the lines those of the source, and is the code
the same as without?"""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import SCRATCH, SOURCE, build_cell, check, finish, run

TRAPS = {
    "memory": "out of bounds memory access",
    "unreachable": "unreachable",
    "divide": "integer divide by zero",
    "overflow": "integer overflow",
    "pointer": "undefined element",
    "signature": "indirect call type mismatch",
    "abort": "unreachable",
}

# What stands on the line in traps.c where each of these traps. Of the others the compiler has made one end,
# whose line is none.
PLACES = {
    "memory": "return *wild;",
    "unreachable": "__builtin_trap();",
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


def frames(job):
    return [line.strip()[3:] for line in job.stderr.splitlines() if line.startswith("  at ")]


def check_lines():
    """With -g each frame has its line, where the source is known, else the offset of its instruction."""
    source = (SOURCE / "tests/cells/traps.c").read_text(encoding="utf-8").splitlines()

    def place(text):
        [number] = [i + 1 for i, line in enumerate(source) if text in line]
        return f"traps.c:{number}"

    for name, options in {"lines": ["-g"], "lines of -O0": ["-g", "-O0"]}.items():
        cell = build_cell("traps.c", f"{name}.cell", *options)
        for how, text in PLACES.items():
            shown = frames(run(["-q", cell, how]))
            wanted = [f"innermost, {place(text)}", f"middle, {place('return innermost(how) + 1;')}"]
            check(shown[:2] == wanted, f"{name}, {how}: {shown[:2]}, wanted {wanted}")
            check(any(frame.endswith(f", {place('int value = middle(how);')}") for frame in shown),
                  f"{name}, {how}: main has its line: {shown}")
            check(re.fullmatch(r"_start, 0x[0-9a-f]+", shown[-1]), f"{name}, {how}: the C library has offsets: {shown[-1]}")


def check_same_code():
    """Lines cost nothing: the code is the same, byte by byte. And nothing in the image says where it was made."""
    made = {}
    for options in ((), ("-g",)):
        kept = SCRATCH / f"kept{len(options)}"
        build_cell("traps.c", "kept.cell", "--keep", kept, *options)
        [image] = kept.glob("*.so")
        for section in ("wasm_text", ".text", ".rodata"):
            subprocess.run(["objcopy", "-O", "binary", "-j", section, image, kept / section], check=True)
        made[options] = [(kept / section).read_bytes() for section in ("wasm_text", ".text", ".rodata")]
        if options:
            check(str(SCRATCH).encode() not in image.read_bytes() and os.getcwd().encode() not in image.read_bytes(),
                  "no directory of the build is in the image")
            check(b".debug_line" in image.read_bytes(), "with -g the image has lines")
    check(made[()] == made[("-g",)] and all(map(len, made[()])), "with -g the code is the same, byte by byte")


def check_backtraces(cell, what):
    job = run(["-q", cell, "memory"])
    names = frames(job)
    check(names[:2] == ["innermost", "middle"] and "main" in " ".join(names), f"{what}: the backtrace is exact: {names}")
    names = frames(run(["-q", cell, "leaf"]))
    check(names[:2] == ["leaf", "above"] and "main" in " ".join(names), f"{what}: of a leaf, too: {names}")
    job = run(["-q", cell, "stack"])
    check(job.returncode == 134 and "call stack exhausted" in job.stderr and frames(job)[:8] == ["deep"] * 8,
          f"{what}: endless recursion traps: {job.stderr.splitlines()[:9]}")


def check_time_outs(cell, what):
    """It comes at any instruction, those at the beginning and the end of a function among them."""
    chain = ["calls", "first", "second", "third", "fourth"]
    stacks = [chain[depth::-1] for depth in range(len(chain))]
    below = ["outer", "endless_enter", "cella_task_run"]
    for how, times in (("loop", 1), ("calls", 6), ("text", 3)):
        for _ in range(times):
            for _ in range(5):  # on a busy machine one may come before its task has begun
                job = run(["-q", "--executors", "1", cell, how])
                check(job.returncode == 134 and "task endless failed on attempt 1: time-out" in job.stderr,
                      f"{what}: its time-out ends it: {job.returncode} {job.stderr.splitlines()[:1]}")
                names = frames(job)
                if "outer" in names:
                    break
            inner = names[:names.index("outer")] if "outer" in names else []
            wanted = {"loop": inner == ["loop"], "calls": inner in stacks, "text": inner[-1:] == ["text"] and inner[-2:-1] in ([], ["strtod"])}
            check(wanted[how] and names[len(inner):][:len(below)] == below, f"{what}: the backtrace is exact: {names}")


def main():
    check_lines()
    check_same_code()
    cell = build_cell("traps.c")
    for how, name in TRAPS.items():
        job = run(["-q", cell, how])
        check(job.returncode == 134, f"{how}: status 134, not {job.returncode}: {job.stderr}")
        check(f"trap: {name}" in job.stderr, f"{how}: {job.stderr.splitlines()[:1]}")
        check(job.stdout == "before\n", f"{how}: output before the trap is there and nothing else: {job.stdout!r}")
    check_backtraces(cell, "by clang")
    check_time_outs(build_cell("endless.c"), "by clang")
    os.environ["CELLA_CC"] = "gcc"
    check_backtraces(build_cell("traps.c", "gcc.cell"), "by gcc, which keeps frame pointers")
    check_time_outs(build_cell("endless.c", "gcc_endless.cell"), "by gcc")
    del os.environ["CELLA_CC"]
    for how, status in (("exit", 42), ("none", 7)):
        job = run(["-q", cell, how])
        check(job.returncode == status, f"{how}: status {status}, not {job.returncode}: {job.stderr}")
    job = run(["-q", build_empty_memory()])
    check(job.returncode == 134 and "trap: out of bounds memory access" in job.stderr,
          f"a memory without a page holds no address: {job.returncode} {job.stderr.splitlines()[:1]}")
    finish()


main()
