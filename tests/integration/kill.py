#!/usr/bin/env python3
# as: root user memlock
"""What if a process of a job is killed?

An executor in mid-task: its tasks are retried, the result is the same, the record says so. The program's
own executor, the agent or the launcher: a clear error and status 125. The command line: its processes end
by themselves. In each case nothing is left running and no file is left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, FAILED, SCRATCH, SOURCE, Job, build_cell, check, finish, needs_secret, note, runs, wait_until

COUNT, STEPS = 60, 4000000  # each task some 20 ms
TMP, GATE = SCRATCH / "tmp", SCRATCH / "gate"
ROUNDS = 12


def expected_result():
    native = SCRATCH / "chain"
    subprocess.run([CELLA, "cc", "--native", str(SOURCE / "tests/cells/chain.c"), "-o", str(native)], check=True, timeout=120)
    return subprocess.run([native, str(COUNT), str(STEPS)], check=True, capture_output=True, timeout=120).stdout


def start(cell, *options):
    """A job whose tasks compute until the gate is open."""
    (GATE / "open").unlink(missing_ok=True)
    return Job(["-q", "--executors", 2, "--dir", f"{GATE}:/gate:ro", *options, cell, COUNT, STEPS, "gate"],
               env={**os.environ, "TMPDIR": str(TMP)})


def open_gate():
    (GATE / "open").touch()


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def workers_and_driver(job):
    """Its executors: those that compute, and the program's own, which sleeps meanwhile."""
    pids = job.executors()
    before = {pid: cpu_ticks(pid) for pid in pids}
    wait_until(lambda: sum(cpu_ticks(pid) > before[pid] + 2 for pid in pids) >= 2)
    used = sorted(pids, key=lambda pid: cpu_ticks(pid) - before[pid])
    return used[1:], used[0]


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def nothing_left(job, what):
    left = job.left()
    check(not left, f"{what}: no process is left {left or ''}")
    check(not os.listdir(TMP), f"{what}: no file is left {os.listdir(TMP) or ''}")


def test_workers(cell, expected):
    record = SCRATCH / "record.json"
    with start(cell, "--record", record) as job:
        job.line()
        workers, _ = workers_and_driver(job)
        os.kill(workers[0], signal.SIGKILL)
        open_gate()
        output, log = job.end()
        check(job.status == 0 and b"begun\n" + output == expected, f"an executor killed in mid-task: the result is the same "
              f"(status {job.status} {log.decode()!r})")
        check(b"lost" in log, f"the user is told: {log.decode().strip()}")
        nothing_left(job, "an executor killed")
        said = json.loads(record.read_text(encoding="utf-8"))["agent"]
        check(said["tasks"]["retried"] >= 1 and said["tasks"]["failed"] == 0 and said["tasks"]["done"] == COUNT + 1,
              f"the record says so: {said['tasks']}")
        ends = [executor["wait_status"] for executor in said["executors"] if executor["pid"] == workers[0]]
        check(ends == [signal.SIGKILL], f"and how the executor ended: {ends}")
    with start(cell) as job:
        job.line()
        for _ in range(3):
            workers, _ = workers_and_driver(job)
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda pids=workers: not any(map(runs, pids)))
            wait_until(lambda: len(job.executors()) == 3)
        open_gate()
        output, log = job.end()
        check(job.status == 0 and b"begun\n" + output == expected, f"all of them killed, three times: the same "
              f"(status {job.status} {log.decode()[-200:]!r})")
        nothing_left(job, "all executors killed")


def test_too_many(cell):
    with start(cell) as job:
        job.line()
        _, driver = workers_and_driver(job)
        end = time.monotonic() + 120
        while runs(job.pid) and time.monotonic() < end:
            for pid in job.executors():
                if pid != driver and runs(driver):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        _, log = job.end()
        check(job.status == FAILED and b"lost" in log, f"executors killed without end: {log.decode().splitlines()[-1:]}")
        nothing_left(job, "executors killed without end")


def kill_and_look(cell, what, find, says):
    """Kill the process that find(job) names: status 125 and a message that says what."""
    with start(cell) as job:
        job.line()
        os.kill(find(job), signal.SIGKILL)
        _, log = job.end()
        lines = [line for line in log.decode().splitlines() if line.startswith("cella run: ")]
        check(job.status == FAILED, f"{what} killed: status {job.status}")
        check(len(lines) == 1 and says in lines[0], f"{what} killed: {lines}")
        nothing_left(job, f"{what} killed")


def test_command_line(cell):
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with start(cell, "--store-limit", "1M") as job:
            job.line()
            job.executors()
            os.kill(job.pid, number)
            job.process.wait(timeout=120)
            nothing_left(job, f"the command line ended by {number.name} (status {job.process.returncode})")


def test_any_moment(cell):
    """Each process of a job killed at a random moment, its start included."""
    for _ in range(ROUNDS):
        with start(cell) as job:
            open_gate()
            name = random.choice(("cella-las", "cella-agent", "cella-cell"))
            delay = random.uniform(0, 0.08)
            time.sleep(delay)
            wait_until(lambda name=name, job=job: job.named(name) or not runs(job.pid))
            try:
                os.kill(random.choice(job.named(name)), signal.SIGKILL)
            except (ProcessLookupError, IndexError):
                note(f"{name} was gone")
            _, log = job.end()
            good = job.status == 0 or (job.status == FAILED and b"cella run: " in log)
            check(good, f"{name} killed after {1000 * delay:.0f} ms: status {job.status} {log.decode()[-150:]!r}")
            nothing_left(job, f"{name} killed at any moment")


def main():
    needs_secret()
    TMP.mkdir()
    GATE.mkdir()
    cell = build_cell("chain.c")
    test_workers(cell, expected_result())
    test_too_many(cell)
    kill_and_look(cell, "the program's executor", lambda job: workers_and_driver(job)[1], "the program's executor")
    kill_and_look(cell, "the agent", lambda job: job.executors() and job.named("cella-agent")[0], "cella-agent")
    kill_and_look(cell, "the launcher", lambda job: job.executors() and job.named("cella-las")[0], "cella-las")
    test_command_line(cell)
    test_any_moment(cell)
    finish()


main()
