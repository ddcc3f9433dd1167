#!/usr/bin/env python3
# as: root
# root alone: it is the attacker
"""Can root read what a parked cell holds?

At insecure-none yes, by each way (so the test can fail); at secret in no process but the owner's own
command line, whichever way root looks, and no core file can be had. The same at paged, where copies of it fill
eight times the window, with encrypted pages in ordinary memory and in a file; and of a cell that is made from the
snapshot of what a warm-up left."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import SCRATCH, Job, build_cell, check, finish, needs_secret, runs, skip, skip_part, wait_until

MARKER = b"cella-marker-" + os.urandom(24).hex().encode()
SPILL = SCRATCH / "spill"


def parked(level, cell, options=(), arguments=("/data/secret",)):
    job = Job(["-q", "--memory", level, *options, "--dir", f"{SCRATCH}:/data:ro", cell, *arguments],
              env={**os.environ, "TMPDIR": str(SPILL)})
    check(job.line().startswith(b"parked"), f"{level}: the cell is parked")
    return job


def look_into(level, cell, *words):
    """All hits of all processes, by process."""
    with parked(level, cell, *words) as job:
        processes = job.processes()
        check("cella-cell" in processes.values(), f"{level}: there is an executor to look into")
        found = {f"{name} {pid}": memscan.everywhere(pid, MARKER) for pid, name in processes.items()}
        _, log = job.end()
        check(job.status == 0, f"{level}: the job ends well after all that")
        check(MARKER not in log, f"{level}: the log does not hold the secret")
        return found


WINDOW = ("--window", "1M")
# What holds the secret: its program, its options at any level, its arguments, and the levels that hide it. At the
# window of 1 MiB most of the eight that hold it are encrypted pages, in ordinary memory or in a file, which is
# looked into as a descriptor of the executor.
HOLDERS = {
    "a program": ("park.c", (), ("/data/secret",), {"secret": ()}),
    "copies in 8 MiB": ("paged.c", ("--heap", "64M"), ("hold", "/data/secret", 8),
                        {"paged": WINDOW, "paged, pages in a file": (*WINDOW, "--page-dir", SPILL)}),
    "a cell from a warm-up's snapshot": ("tasks_secret.c", ("--executors", 1, "--heap", "64M"), (),
                                         {"secret": (), "paged": WINDOW,
                                          "paged, pages in a file": (*WINDOW, "--page-dir", SPILL)}),
}


def check_holder(name, source, options, arguments, levels):
    cell = build_cell(source)
    found = look_into("insecure-none", cell, options, arguments)
    ways = {way for by_way in found.values() for way in by_way}
    for way in memscan.WAYS:
        if way != "descriptor":
            check(way in ways, f"{name}, insecure-none: root finds the secret by {way} (positive control)")
    for level, more in levels.items():
        for process, by_way in look_into(level.split(",")[0], cell, (*options, *more), arguments).items():
            check(not by_way, f"{name}, {level}: nothing in {process}"
                  + "".join(f"\n         {way}: {hits}" for way, hits in by_way.items()))
        check(not memscan.files_below(SPILL, MARKER), f"{name}, {level}: nothing in files written")


def check_paged_mappings(cell):
    with parked("paged", cell, (*WINDOW, "--heap", "64M"), ("hold", "/data/secret", 8)) as job:
        [pid] = job.executors()
        protected = [mapping for mapping in memscan.all_mappings(pid) if mapping.secret]
        check(protected and all("dd" in mapping.flags and "dc" in mapping.flags for mapping in protected),
              f"paged: all {len(protected)} protected mappings are kept out of core files and forks")
        descriptors = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        check(not any("secretmem" in name for name in descriptors), f"paged: no descriptor reaches them: {descriptors}")


def core_after_abort(pid, directory, seconds):
    """What the kernel writes into the process's own directory when it ends by a signal that leaves a core file, each
    of which has so long to end it. An executor is the first process of its namespace: it may ignore some."""
    fd = os.open(directory, os.O_PATH)
    for number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL):
        if runs(pid):
            os.kill(pid, number)
            wait_until(lambda: not runs(pid), seconds if number != signal.SIGKILL else 60)
    names = [name for name in os.listdir(f"/proc/self/fd/{fd}") if name.startswith("core")]
    os.close(fd)
    return names


def lift_core_limit(pid):
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    except PermissionError:
        skip_part("core-limit-lifted", "root may not lift the executor's limit for core files here")


def control_leaves_core():
    directory = SCRATCH / "control"
    directory.mkdir()
    with subprocess.Popen(["sleep", "100"], cwd=directory) as control:
        wait_until(lambda: os.readlink(f"/proc/{control.pid}/exe").endswith("sleep"))
        hard = resource.prlimit(control.pid, resource.RLIMIT_CORE)[1]
        resource.prlimit(control.pid, resource.RLIMIT_CORE, (hard, hard))
        return core_after_abort(control.pid, directory, 60)


def check_kernel_core(cell):
    """The kernel's own core file, where its pattern is a plain name."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8").strip()
    with parked("secret", cell) as job:
        [pid] = job.executors()
        protected = [mapping for mapping in memscan.all_mappings(pid) if mapping.secret]
        check(protected and all("dd" in mapping.flags for mapping in protected),
              f"all {len(protected)} protected mappings are kept out of core files")
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        check("Max core file size        0                    0 " in limits, "the executor's limit for core files is 0")
        if "/" in pattern or pattern.startswith("|"):
            skip_part("kernel-core", f"the pattern of core files here is {pattern}")
            return
        check(control_leaves_core(), "an ordinary process that aborts leaves a core file (positive control)")
        lift_core_limit(pid)
        check(not core_after_abort(pid, f"/proc/{pid}/cwd", 1), "an executor leaves none")


def main():
    needs_secret()
    if not shutil.which("gdb"):
        skip("gdb is not installed")
    SPILL.mkdir()
    (SCRATCH / "secret").write_bytes(b"\x00\x01" * 100 + MARKER + b"\x02" * 3000)
    for name, holder in HOLDERS.items():
        check_holder(name, *holder)
    check_paged_mappings(build_cell("paged.c"))
    check_kernel_core(build_cell("park.c"))
    finish()


main()
