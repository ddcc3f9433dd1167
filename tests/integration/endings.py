#!/usr/bin/env python3
# as: root user
"""However a job ends (by a signal, by a loss, by a trap, before it began): is its record written, with the
status and the reason, does nothing of an earlier job pass for this one's, and is nothing left running?"""

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import (CELLA, FAILED, REFUSED, SCRATCH, SOURCE, TRAPPED, Job, build_cell, check, finish, is_stopped, needs_secret, run,
                     runs, wait_until)

COUNT, STEPS = 400, 4000000
RECORD, TRACE, GRAPH = SCRATCH / "record.json", SCRATCH / "trace.json", SCRATCH / "graph.dot"
OUTPUTS = ["--record", RECORD, "--trace", TRACE, "--graph", GRAPH]


def old_outputs():
    for place in (RECORD, TRACE, GRAPH):
        place.write_text("of an earlier job", encoding="ascii")


def record_says(what, status, error, **members):
    """The record is there and says so."""
    if not check(RECORD.exists(), f"{what}: there is a record"):
        return None
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    found = {name: record[name] for name in members}
    check(record["status"] == status and error in (record["error"] or ""),
          f"{what}: status {record['status']}, {record['error']!r}")
    check(found == members, f"{what}: {found}")
    return record


def drawn(what, expected):
    there = [place.name for place in (TRACE, GRAPH) if place.exists()]
    check(there == ([TRACE.name, GRAPH.name] if expected else []), f"{what}: trace and graph: {there}")
    if expected:
        check("traceEvents" in json.loads(TRACE.read_text(encoding="utf-8")), f"{what}: the trace can be read")


def start(cell, *options, **how):
    """A job that waits for a gate that is never opened."""
    return Job(["-q", "--executors", 2, *options, cell, COUNT, STEPS, "gate"], **how)


def test_signals(cell):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        old_outputs()
        with start(cell, *OUTPUTS) as job:
            job.line()
            job.processes()
            os.kill(job.pid, number)
            _, log = job.end()
            what = number.name
            check(job.status == -number, f"{what}: a shell sees 128 + {number} (status {job.status})")
            check(log.decode() == f"cella run: ended by {what}\n", f"{what}: {log.decode()!r}")
            check(not job.left(), f"{what}: nothing is left running {job.left()}")
        record = record_says(what, 128 + number, what, memory="secret")
        check(record["agent"]["tasks"]["done"] < COUNT, f"{what}: {record['agent']['tasks']}")
        drawn(what, True)


def test_terminal_signal(cell):
    """As a terminal does it: to all processes of the group at once. The agent's log is there all the same."""
    old_outputs()
    with start(cell, *OUTPUTS, start_new_session=True) as job:
        job.line()
        job.processes()
        os.killpg(job.pid, signal.SIGINT)
        job.end()
        check(job.status == -signal.SIGINT and not job.left(), f"Ctrl-C: status {job.status}, left: {job.left()}")
    record = record_says("Ctrl-C", 128 + signal.SIGINT, "SIGINT")
    check(record["agent"] is not None, "Ctrl-C: the agent's log is in the record")


def test_ignored_signal(cell):
    with Job(["-q", cell, 20, STEPS], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as job:
        job.line()
        os.kill(job.pid, signal.SIGHUP)
        output, log = job.end()
        check(job.status == 0 and b"result" in output, f"nohup: the job goes on: {job.status} {log}")


def test_nobody_reads(echo):
    """A signal ends the job even while it waits for a reader of its output."""
    with Job(["-q", echo, "both", 200000], stderr=subprocess.DEVNULL) as job:
        job.processes()
        size = fcntl.fcntl(job.process.stdout, fcntl.F_GETPIPE_SZ)
        check(wait_until(lambda: waiting_bytes(job.process.stdout) > size // 2), "much waits for a reader")
        job.processes()
        os.kill(job.pid, signal.SIGTERM)
        check(job.process.wait(timeout=120) == -signal.SIGTERM and not job.left(), "ended while nobody read its output")


def waiting_bytes(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def test_losses(cell):
    for name, log_left in (("cella-agent", False), ("cella-las", False)):
        old_outputs()
        with start(cell, *OUTPUTS) as job:
            job.line()
            job.processes()
            os.kill(job.named(name)[0], signal.SIGKILL)
            job.end()
            what = f"{name} killed"
            check(job.status == FAILED and not job.left(), f"{what}: status {job.status}, left: {job.left()}")
        record = record_says(what, FAILED, name, memory="secret")
        check(record["executors_started"] == 3 and (record["agent"] is not None) == log_left, f"{what}: {record['agent']}")
        drawn(what, log_left)


def stand_still(job, seconds, act):
    """The job's agent does, from before `act` until so long after it."""
    [agent] = job.named("cella-agent")
    os.kill(agent, signal.SIGSTOP)
    wait_until(lambda: is_stopped(agent))
    act()
    due = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > due or not runs(job.pid))
    os.kill(agent, signal.SIGCONT)


def test_busy_machine(cell, echo):
    """Processes that take some seconds to end take nothing away: not the status, not the record."""
    with Job(["-q", echo, "copy"]) as job:
        job.process.stdin.write(b"begun\n")
        job.process.stdin.flush()
        job.line()
        stand_still(job, 7, job.process.stdin.close)
        job.process.stdin = None
        _, log = job.end()
        check(job.status == 0, f"an agent that is slow to end: status {job.status} {log}")
    with start(cell, *OUTPUTS) as job:
        job.line()
        stand_still(job, 4, lambda: os.kill(job.pid, signal.SIGINT))
        job.end()
        check(job.status == -signal.SIGINT and not job.left(), f"and one at a signal: status {job.status}, left: {job.left()}")
    record = record_says("a slow agent", 128 + signal.SIGINT, "SIGINT")
    check(record["agent"] is not None, "a slow agent: its log is in the record")


def test_others(echo):
    old_outputs()
    job = run(["-q", "--record", RECORD, build_cell("traps.c"), "divide"])
    check(job.returncode == TRAPPED, f"a trap: {job.returncode} {job.stderr}")
    record_says("a trap", TRAPPED, "trap: integer divide by zero")
    other = SCRATCH / "other.cell"
    subprocess.run([CELLA, "cc", str(SOURCE / "tests/cells/echo.c"), "-o", str(other)], check=True, timeout=300,
                   env={**os.environ, "CELLA_BUILDER_KEY": str(SCRATCH / "other.key")})
    run(["-q", "--record", RECORD, other, "exit", "7"])
    record_says("a refused builder", REFUSED, "builder", agent=None)
    run(["-q", "--record", RECORD, SCRATCH / "gone.cell"])
    record_says("no such cell", FAILED, "gone.cell", agent=None, cell=None)
    run(["-q", "--memory", "paged", "--page-dir", SCRATCH / "gone", "--record", RECORD, echo])
    record_says("no place for page files", FAILED, "cannot make a page file in", memory="paged")


def main():
    needs_secret()
    cell, echo = build_cell("chain.c"), build_cell("echo.c")
    test_signals(cell)
    test_terminal_signal(cell)
    test_ignored_signal(cell)
    test_nobody_reads(echo)
    test_losses(cell)
    test_busy_machine(cell, echo)
    test_others(echo)
    finish()


main()
