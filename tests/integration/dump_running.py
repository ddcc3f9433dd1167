#!/usr/bin/env python3
# as: root
# root alone: it is the attacker
"""Can root read what running cells hold?

Three jobs compute with a marker: the ECG workflow on recordings that contain it, a program that
carries it through task data that spill to disk, and one whose cells end and are made anew from what a
warm-up left of it. At random moments all their processes are stopped, and
root looks through each, and through the store, the rings, sockets, pipes, the spill file, the log of
everything, the graph, the trace and the record. At
insecure-none the marker is found in executors (so the test can fail), at secret and at paged nowhere; what
lies outside of executors is sealed at all three."""

import os
import random
import shutil
import signal
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import SCRATCH, Frozen, Job, build_cell, check, ecg_program, finish, needs_secret, runs, skip_part, wait_until

ROUNDS = 10
MARKER = os.urandom(24).hex().encode()  # printable: no report would write it otherwise
DATA, SPILL, WRITTEN = SCRATCH / "data", SCRATCH / "spill", SCRATCH / "written"
REPORTS = {"--graph": "graph.dot", "--trace": "trace.json", "--record": "record.json"}
QUICK = (("/proc/PID/mem", "descriptor"), ("process_vm_readv", "descriptor"))


def spilled(agent):
    """Bytes in the agent's spill file: it has no name any more."""
    total = 0
    for fd in os.listdir(f"/proc/{agent}/fd"):
        path = f"/proc/{agent}/fd/{fd}"
        if os.readlink(path).startswith(str(SPILL)):
            total += os.stat(path).st_blocks * 512
    return total


class Findings:
    def __init__(self):
        self.inside, self.outside, self.spilled = [], [], 0

    def look(self, job, ways):
        with Frozen(job) as processes:
            for pid, name in processes.items():
                for way, hits in memscan.everywhere(pid, MARKER, ways).items():
                    inside = name == "cella-cell" and way != "descriptor"
                    (self.inside if inside else self.outside).append(f"{name}, {way}: {hits}")
                if name == "cella-agent":
                    self.spilled = max(self.spilled, spilled(pid))


def look_into(arguments, level, log):
    """Freeze a job at ROUNDS random moments and look; at the last one by all ways."""
    findings = Findings()
    with open(log, "wb") as stderr, open(SCRATCH / "output", "wb") as output:
        reports = [word for option, name in REPORTS.items() for word in (option, WRITTEN / name)]
        with Job(["-q", "--memory", level, "--executors", 2, "--heap", "256M", *reports, *(["--window", "2M"] if level == "paged" else []),
                  "--dir", f"{DATA}:/data", *arguments],
                 stderr=stderr, stdout=output, env={**os.environ, "TMPDIR": str(SPILL), "CELLA_LOG": "debug"}) as job:
            # The first output comes when data has gone through all processes.
            wait_until(lambda: os.path.getsize(SCRATCH / "output") > 0)
            for left in reversed(range(ROUNDS)):
                time.sleep(random.uniform(0, 0.1))
                findings.look(job, QUICK[left % 2] if left else tuple(memscan.WAYS))
            check(runs(job.pid), f"{level}: the job runs through all rounds")
            (DATA / "stop").touch()
            job.end()
            (DATA / "stop").unlink()
            check(job.status == 0, f"{level}: it ends well, with status {job.status}: {Path(log).read_text(errors='replace')}")
    return findings


def check_job(name, arguments, spills):
    log = WRITTEN / "log"
    for level in ("insecure-none", "secret", "paged"):
        for path in WRITTEN.iterdir():
            path.unlink()
        findings = look_into(arguments, level, log)
        if level == "insecure-none":
            check(len(findings.inside) >= ROUNDS, f"{name}, insecure-none: root finds the marker in executors "
                  f"{len(findings.inside)} times (positive control)")
        else:
            check(not findings.inside, f"{name}, {level}: nothing in {ROUNDS} moments: {findings.inside}")
        check(not findings.outside, f"{name}, {level}: nothing outside of executors: {findings.outside}")
        if spills:
            check(findings.spilled, f"{name}, {level}: data was spilled, {findings.spilled >> 20} MiB at a time")
        sizes = {path.name: path.stat().st_size for path in WRITTEN.iterdir()}
        check(set(sizes) == {"log", *REPORTS.values()} and all(sizes.values()), f"{name}, {level}: written were {sizes}")
        check(not memscan.files_below(WRITTEN, MARKER), f"{name}, {level}: nothing in them")
        check(not memscan.files_below(SPILL, MARKER), f"{name}, {level}: nothing in files written")


def check_search():
    """The search itself: what a process holds in a pipe, a socket, a memory file and a deleted file."""
    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    memory = os.memfd_create("held")
    deleted = os.open(SCRATCH / "deleted", os.O_RDWR | os.O_CREAT)
    os.unlink(SCRATCH / "deleted")
    child = os.fork()
    if child == 0:
        signal.pause()
    for hold in (lambda: ours.send(MARKER), lambda: os.write(write_end, MARKER), lambda: os.write(memory, MARKER),
                 lambda: os.write(deleted, MARKER)):
        hold()
    hits = memscan.in_descriptors(child, MARKER)
    for kind in ("socket:", "pipe:", "/memfd:", f"{SCRATCH}/deleted"):
        check(any(hit.startswith(kind) for hit in hits), f"the search finds what waits in {kind.strip(':/')}")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def make_recording(path):
    """A recording of 30 s whose samples hold the marker in several places."""
    samples = b"".join(struct.pack("<h", int(200 * ((i % 240) < 8) + i % 7)) for i in range(9000))
    for at in range(1000, 16000, 3000):
        samples = samples[:at] + MARKER + samples[at + len(MARKER):]
    path.write_bytes(struct.pack("<5i4s", 30, 1, 9000, 0, 4, b"val\0") + samples)


def main():
    needs_secret()
    if not shutil.which("gdb"):
        skip_part("core-file", "gdb is not installed")
    check_search()
    DATA.mkdir()
    SPILL.mkdir()
    WRITTEN.mkdir()
    make_recording(DATA / "A.mat")
    (DATA / "secret").write_bytes(MARKER * 20)
    carry = [build_cell("carry.c"), "/data/secret", 100000, 120]
    check_job("carry", ["--store-limit", "8M", *carry], True)
    check_job("warm-up", [build_cell("tasks_secret.c"), "/data/stop"], False)
    check_job("ecg", [*ecg_program(), "features", *["/data/A.mat"] * 6000], False)
    finish()


main()
