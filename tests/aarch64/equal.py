#!/usr/bin/env python3
"""Do cells compute the same, bit for bit, on x86-64-v3, x86-64-v2 and aarch64?

Each program is compiled once, for all targets, and what its artifacts print is compared: the kernels of
bench/kernels, and tests/cells/bits.c, which prints the bits of what floating-point operations make of
special values. Traps must be the same, too, with the same backtrace."""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import BUILD, SOURCE, build_cell, check, finish, note

AARCH64 = Path(os.environ["CELLA_AARCH64"])
HOST = "tests/aarch64/cell-host"
HOSTS = {
    "x86-64-v3": [BUILD / HOST, "--target", "x86-64-v3"],
    "x86-64-v2": [BUILD / HOST, "--target", "x86-64-v2"],
    "aarch64": [AARCH64.with_name(AARCH64.name + "-root") / "run", AARCH64 / HOST],
}
TRAPS = ("memory", "unreachable", "divide", "overflow", "pointer", "signature", "abort", "exit")


def runs_here(target):
    """Does this machine's processor run it? The kernel tells by flags."""
    flags = set(re.search(r"^flags\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="ascii"), re.M)[1].split())
    return {"x86-64-v3": {"avx2", "bmi2", "fma"}, "x86-64-v2": {"sse4_2"}}.get(target, set()) <= flags


def outcome(target, cell, arguments):
    job = subprocess.run([*map(str, HOSTS[target]), cell, *arguments], capture_output=True, text=True, check=False,
                         timeout=300, stdin=subprocess.DEVNULL)
    # a frame's place in the image is the image's own
    return job.returncode, job.stdout, re.sub(r" \(\+0x[0-9a-f]+\)$", "", job.stderr, flags=re.M)


def kernel(target, cell, arguments):
    """One trial, without the time that it took."""
    status, lines, errors = outcome(target, cell, arguments)
    name, _, digest = (lines.splitlines() or [""])[0].partition(" ")
    return status, f"{name} {digest.partition(' ')[2]}", errors


def same(cell, arguments, what, status=0, run=outcome):
    targets = [target for target in HOSTS if runs_here(target)]
    outcomes = {target: run(target, cell, arguments) for target in targets}
    first = outcomes["aarch64"]
    if first[0] != status:
        check(False, f"{what}: status {first[0]}, not {status}: {first[2][:200]}")
    for target, other in outcomes.items():
        if other != first:
            lines = zip(first[1].splitlines(), other[1].splitlines())
            differ = [f"{a} | {b}" for a, b in lines if a != b][:8] or [first[1:], other[1:]]
            check(False, f"{what}: aarch64 | {target}: {differ}")
    check(len(outcomes) > 1, f"{what}: {', '.join(outcomes)} agree on {len(first[1])} bytes")


def same_nans():
    """Where the program asks for it; where it does not, the instruction sets differ."""
    words = ["0", "-1", "1.7976931348623157e308"]
    same(build_cell("nans.c", "canonical.cell", "--canonical-nans", "--targets", "all"), words, "NaNs")
    plain = build_cell("nans.c", "plain.cell", "--targets", "all")
    check(outcome("aarch64", plain, words) != outcome("x86-64-v2", plain, words), "NaNs differ if they may")


def main():
    note(f"an image for each of {', '.join(target for target in HOSTS if runs_here(target))}")
    sources = [path for name in ("trial", "kernels") for path in sorted((SOURCE / "bench" / name).glob("*.c"))]
    kernels = build_cell(sources, "kernels.cell", "-DQUICK", "--targets", "all")
    names = outcome("aarch64", kernels, ["list"])[1].split()
    check(len(names) == 30, f"{len(names)} kernels")
    for name in names:
        same(kernels, [name, "1"], name, run=kernel)
    same(build_cell("bits.c", None, "--targets", "all"), [], "bits")
    same_nans()
    traps = build_cell("traps.c", None, "--targets", "all")
    for how in TRAPS:
        same(traps, [how], f"trap: {how}", 42 if how == "exit" else 134)
    finish()


main()
