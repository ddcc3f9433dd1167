#!/usr/bin/env python3
# as: root user
"""Does a terminal show how a job goes on: counts while its tasks run, the program's output whole, and nothing
of the live line when the job has ended, by itself or by a signal?"""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, SCRATCH, build_cell, check, finish, needs_secret

COUNT, STEPS = 40, 30000000  # two at a time, each some 50 ms


class Screen:
    """What a terminal shows, of the few controls that are used here."""

    def __init__(self, text):
        self.rows, self.column, self.seen = [""], 0, []
        for token in re.findall(r"\r|\n|\x1b\[K|[^\r\n\x1b]+|.", text, re.S):
            self.take(token)

    def take(self, token):
        if token == "\n":
            self.rows.append("")
        elif token == "\r":
            self.column = 0
        elif token == "\x1b[K":
            self.rows[-1] = self.rows[-1][:self.column]
        else:
            row = self.rows[-1].ljust(self.column)
            self.rows[-1] = row[:self.column] + token + row[self.column + len(token):]
            self.column += len(token)
            if self.rows[-1].startswith("tasks:"):
                self.seen.append(self.rows[-1])


def on_terminal(arguments, interrupt=None):
    """Status and screen of a job on a terminal of its own; `interrupt` is sent at the first live line."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([CELLA, "run", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=theirs,
                          stderr=theirs) as job:
        os.close(theirs)
        text = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            text += piece
            if interrupt and b"tasks:" in text:
                job.send_signal(interrupt)
                interrupt = None
        status = job.wait(timeout=120)
    os.close(ours)
    return status, Screen(text.decode())


def main():
    needs_secret()
    there = SCRATCH / "there"
    there.mkdir()
    (there / "file").write_text("x", encoding="ascii")
    job = ["--executors", 2, "--dir", f"{there}:/data:ro", build_cell("chatty.c")]
    status, screen = on_terminal([*job, COUNT, STEPS, "/data/file"])
    check(status == 0, f"the job runs to its end: status {status}")
    wanted = [f"step-{i}" for i in range(1, COUNT + 1)]
    got = [word for row in screen.rows for word in row.split() if word.startswith("step-")]
    check(got == wanted, f"the program's output is whole: {got if got != wanted else len(got)}")
    lines = [re.fullmatch(r"tasks: (\d+) done, (\d+) running, (\d+) waiting, (\d+) failed, ([\d.]+) a second", line)
             for line in screen.seen]
    check(len(lines) >= 3 and all(lines), f"the live line is shown: {len(lines)} times, such as {screen.seen[-1:]}")
    done = [int(line[1]) for line in lines if line]
    check(done == sorted(done) and 0 < done[-1] <= COUNT, f"its counts grow: {done}")
    check(all("." in line[5] for line in lines if line and float(line[5]) < 10), "slow rates have a decimal")
    check(any(int(line[2]) for line in lines if line), "tasks are seen running")
    check(not any("tasks:" in row for row in screen.rows), f"nothing of it is left: {screen.rows[-2:]}")
    status, screen = on_terminal([*job, 250, 100 * STEPS, "/data/file"], signal.SIGTERM)
    check(status == -signal.SIGTERM, f"a signal: status {status}")
    check(not any("tasks:" in row for row in screen.rows), f"nothing of the live line is left: {screen.rows[-2:]}")
    status, screen = on_terminal(["-q", *job, 5, STEPS, "/data/file"])
    check(status == 0 and not screen.seen, "-q: no live line")
    finish()


main()
