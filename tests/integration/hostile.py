#!/usr/bin/env python3
# as: root user
"""Can a hostile cell harm anyone? Every host function with bad pointers, lengths and descriptors, ways out by paths that
change under its hands, and attacks on stack, time and memory: each must end in a refusal, and executors, other tasks and
the host's files stay as they were."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, SCRATCH, SOURCE, check, finish, needs_secret, run
from hostcalls import write_header

SECRET = "what-lies-outside-of-all-directories"
HIDDEN = "".join(chr(ord(c) - 1) for c in SECRET)
RECORD = SCRATCH / "record.json"


def make_tree():
    """rw and ro for the cell, out beside them, and links that lead there."""
    for name in ("rw/sub", "ro", "out/empty"):
        (SCRATCH / name).mkdir(parents=True)
    (SCRATCH / "rw/inside").write_text("inside\n", encoding="ascii")
    (SCRATCH / "ro/fixed").write_text("fixed\n", encoding="ascii")
    (SCRATCH / "out/secret").write_text(SECRET + "\n", encoding="ascii")
    (SCRATCH / "rw/link-out").symlink_to("../out")
    os.link(SCRATCH / "out/secret", SCRATCH / "out/other-name")


def state_of(directory):
    """Everything that is there, and when it was changed."""
    found = {}
    for place in sorted([directory, *directory.rglob("*")]):
        stat = place.lstat()
        content = place.read_bytes() if place.is_file() and not place.is_symlink() else b""
        found[str(place)] = (stat.st_mode, stat.st_size, stat.st_nlink, stat.st_mtime_ns, content)
    return found


def build():
    count = len(write_header(SCRATCH / "hostile_calls.h"))
    check(count > 50, f"{count} host functions")
    for options, name in (([], "hostile.cell"), (["--native"], "hostile")):
        subprocess.run([CELLA, "cc", *options, "-I", str(SCRATCH), str(SOURCE / "tests/cells/hostile.c"), "-o",
                        str(SCRATCH / name)], check=True, timeout=300)
    return SCRATCH / "hostile.cell", SCRATCH / "hostile"


def test_sweep(cell):
    before = {name: state_of(SCRATCH / name) for name in ("out", "ro")}
    check((SCRATCH / "rw/link-out/secret").read_text() == SECRET + "\n", "positive control: the host follows the link")
    job = run(["-q", "--heap", "256M", "--dir", f"{SCRATCH}/rw:/rw", "--dir", f"{SCRATCH}/ro:/ro:ro", cell, "sweep", HIDDEN],
              text=False)
    said = job.stderr.decode(errors="replace").splitlines()[-1:]
    check(job.returncode == 0 and said and said[0].startswith("swept "), f"every call: {said}, status {job.returncode}")
    for name, state in before.items():
        check(state_of(SCRATCH / name) == state, f"{name} is as it was")


class Swap:
    """rw/swap is a directory, then a link out, then a directory: as fast as this thread can."""

    def __init__(self):
        self.done = False
        (SCRATCH / "rw/real").mkdir(exist_ok=True)
        (SCRATCH / "rw/real/secret").write_text("inside\n", encoding="ascii")
        self.thread = threading.Thread(target=self.swap)

    def swap(self):
        rw = SCRATCH / "rw"
        turn = 0
        while not self.done:
            (rw / "next").symlink_to("real" if turn % 2 else "../out")
            os.rename(rw / "next", rw / "swap")
            turn += 1

    def __enter__(self):
        (SCRATCH / "rw/swap").symlink_to("real")
        self.thread.start()

    def __exit__(self, *_):
        self.done = True
        self.thread.join()
        (SCRATCH / "rw/swap").unlink()


def counted(text):
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2])))


def test_race(cell, native):
    with Swap():
        out = subprocess.run([native, "race", str(SCRATCH / "rw/swap/secret"), "20000", HIDDEN], capture_output=True,
                             text=True, check=False, timeout=300)
        got = counted(out.stdout)
        check(got["outside"] > 0, f"positive control: a native program gets out: {got}")
        job = run(["-q", "--dir", f"{SCRATCH}/rw:/rw", cell, "race", "/rw/swap/secret", "20000", HIDDEN])
        got = counted(job.stdout)
        check(job.returncode == 0 and got.get("outside") == 0 and got["inside"] > 0, f"the cell does not: {got} {job.stderr}")


def test_moved(cell):
    """A directory that the cell has open is moved out: what is above it then is no way out."""
    with Swap():
        job = run(["-q", "--dir", f"{SCRATCH}/rw/swap:/rw", cell, "race", "/rw/../secret", "2000", HIDDEN])
        check(job.returncode == 0 and "outside 0" in job.stdout, f"above a given directory: {job.stdout}{job.stderr}")


ATTACKS = {  # what, how often
    "burns the processor": ("b", 4),
    "recurses for ever": ("r", 20),
    "sleeps for ever": ("s", 4),
    "calls the host for ever": ("c", 4),
    "takes all memory": ("g", 4),
    "fills memory for ever": ("f", 4),
    "talks": ("t", 10),
    "nests for ever": ("n", 1),
    "reads wild addresses": ("w", 200),
    "calls the host wrongly": ("h", 3000),
}


def test_tasks(cell):
    for what, (kind, count) in ATTACKS.items():
        job = run(["-q", "--executors", "2", "--heap", "128M", "--record", RECORD, cell, "tasks", kind, str(count)])
        record = json.loads(RECORD.read_text(encoding="utf-8"))
        ends = [executor["wait_status"] for executor in record["agent"]["executors"]]
        check(job.returncode == 0 and job.stdout == f"honest {count} wrong 0\n",
              f"{what}: honest tasks are right: {job.stdout!r} {job.returncode} {job.stderr[-300:]!r}")
        check(record["executors_started"] <= 3 and not any(ends), f"{what}: no executor died: {ends}")


def main():
    needs_secret()
    make_tree()
    cell, native = build()
    test_sweep(cell)
    test_race(cell, native)
    test_moved(cell)
    test_tasks(cell)
    finish()


main()
