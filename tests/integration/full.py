#!/usr/bin/env python3
# as: root user
# no memlock: an ordinary user fills the disk from ordinary memory anyhow
"""What if there is no room, or it may not be written to?

A program that writes into a full or read-only directory learns so by its own error numbers. A job whose task
data should spill to a directory that is full, read-only or not there fails with a message that names it;
one that does not need to spill runs. Root tries it on small file systems of its own, in a mount namespace."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import mounts
from celljob import FAILED, SCRATCH, Job, build_cell, check, finish, run, skip_part

FULL, READ_ONLY, DATA = SCRATCH / "full", SCRATCH / "readonly", SCRATCH / "data"


def make_file_systems():
    """True if they could be made: not in every container."""
    try:
        mounts.leave()
        mounts.tmpfs(FULL, "256k")
        mounts.tmpfs(READ_ONLY, "256k", read_only=True)
    except OSError as error:
        skip_part("small-file-systems", error)
        return False
    return True


def check_program(cell):
    for place, says in ((FULL, "No space left"), (READ_ONLY, "Read-only")):
        job = run(["-q", "--dir", f"{place}:/out", cell, "fill", "/out/file"])
        check(job.returncode == 1 and says in job.stdout, f"a program learns that its directory is {place.name}: "
              f"{job.returncode} {job.stdout!r} {job.stderr!r}")


def check_spill(cell, place, says):
    (DATA / "stop").unlink(missing_ok=True)
    # Where an ordinary user's limit of locked memory is small, secret memory has no room for so much.
    level = ["--memory", "secret" if os.geteuid() == 0 else "insecure-none"]
    spilling = ["-q", *level, "--executors", 2, "--store-limit", "4M", "--dir", f"{DATA}:/data", cell, "/data/secret", 100000, 200]
    with Job(spilling, env={**os.environ, "TMPDIR": str(place)}) as job:
        _, log = job.end(timeout=300)
        lines = [line for line in log.decode().splitlines() if line.startswith("cella run: ") and "machine soft" not in line]
        check(job.status == FAILED and len(lines) == 1 and says in lines[0] and str(place) in lines[0],
              f"no room to spill: status {job.status} {lines}")
        check(not job.left(), "no room to spill: nothing is left running")
    (DATA / "stop").touch()
    job = run(["-q", *level, "--executors", 2, "--dir", f"{DATA}:/data", cell, "/data/secret", 100000, 10],
              env={**os.environ, "TMPDIR": str(place)})
    check(job.returncode == 0, f"a job that need not spill runs: {job.returncode} {job.stderr}")


def main():
    for place in (FULL, READ_ONLY, DATA):
        place.mkdir()
    (DATA / "secret").write_bytes(b"a secret " * 10)
    echo, carry = build_cell("echo.c"), build_cell("carry.c")
    check_spill(carry, SCRATCH / "gone", "No such file")
    if os.geteuid() != 0:
        READ_ONLY.chmod(0o500)
        check_spill(carry, READ_ONLY, "Permission denied")
    elif make_file_systems():
        check_program(echo)
        (FULL / "file").unlink(missing_ok=True)
        check_spill(carry, READ_ONLY, "Read-only")
        check_spill(carry, FULL, "No space left")
        check(not os.listdir(FULL), "nothing is left in the full directory")
    finish()


main()
