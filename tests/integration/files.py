#!/usr/bin/env python3
# as: root user memlock
"""Does a program in a cell see the directories that it was given and nothing else of the host, and does
what it is given and what it says arrive exactly?

A hostile program tries to get out by paths, links, renames, descriptors and pointers, and to change a
read-only directory. Standard streams are binary-safe; arguments and environment are those of the command
line, none of the host's."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, SCRATCH, build_cell, check, finish, note, run, skip_part

STREAM_BYTES = 8 << 20
ALLOWED = {"read rw/inside", "read rw/sub/link-in", "read rw/sub/./../inside", "read ro/fixed"}
TEXTS = ["", " ", "a b", "tab\tnew\nline", "quote'\"\\$`", "ünïcödé", "-", "--", "--dir", "%s%n", "x" * 5000]


def picture(directory):
    """Everything about a tree that a program could change."""
    found = {}
    for root, directories, names in os.walk(directory):
        for name in [".", *directories, *names]:
            path = Path(root, name)
            st = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path)] = (st.st_mode, st.st_nlink, st.st_mtime_ns if name != "." else 0, content)
    return found


def make_trees():
    out, rw, ro = (SCRATCH / name for name in ("out", "rw", "ro"))
    for place in (out, rw, ro, out / "empty", rw / "sub"):
        place.mkdir()
    (out / "secret").write_text("outside\n")
    (rw / "inside").write_text("inside\n")
    (ro / "fixed").write_text("fixed\n")
    for name, target in (("link-absolute", out / "secret"), ("link-relative", "../out/secret"), ("link-directory", "../out"),
                         ("link-up", ".."), ("link-loop", "link-loop"), ("link-proc", "/proc/self/root"),
                         ("link-dangling", "../out/new"), ("sub/link-in", "../inside")):
        (rw / name).symlink_to(target)
    os.mkfifo(rw / "fifo")
    try:
        os.mknod(rw / "device", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        skip_part("device", "only root may make one")
    return out, rw, ro


def test_escapes():
    out, rw, ro = make_trees()
    before = {place: picture(place) for place in (out, ro)}
    inside = set(os.listdir(rw))
    job = run(["-q", "--dir", f"{rw}:/rw", "--dir", f"{ro}:/ro:ro", build_cell("escape.c")], timeout=300)
    check(job.returncode == 0, f"the hostile program runs to its end: {job.returncode} {job.stderr}")
    lines = dict(line.split(": ", 1) for line in job.stdout.splitlines())
    check(len(lines) > 60, f"{len(lines)} attempts")
    for name in sorted(ALLOWED):
        check(lines.get(name, "").startswith("got "), f"{name}: {lines.get(name)} (what is allowed works)")
    # Inside, a program may close what it has; a link that leads out may be made, but not followed.
    harmless = ALLOWED | {"close a directory", "symlink relative"}
    bad = {name: result for name, result in lines.items() if not result.startswith("refused") and name not in harmless}
    check(not bad, f"everything else is refused: {bad}")
    for name in ("symlink relative", "symlink absolute"):
        note(f"{name}: {lines.get(name)}")
    for place in (out, ro):
        check(picture(place) == before[place], f"{place.name} is as it was")
    check(set(os.listdir(rw)) - inside <= {"made-relative"} and (rw / "inside").read_text() == "inside\n",
          f"so is the rest: {set(os.listdir(rw)) ^ inside}")


def test_streams(cell):
    data = os.urandom(STREAM_BYTES)
    job = run(["-q", cell, "copy"], input=data, text=False)
    check(job.returncode == 0 and job.stdout == data, f"{STREAM_BYTES >> 20} MiB pass unchanged through the standard streams")
    job = run(["-q", cell, "copy"], input=b"", text=False)
    check(job.returncode == 0 and job.stdout == b"", "an empty standard input is empty")
    job = run(["-q", cell, "both", 20000])
    lines = [job.stdout.splitlines(), job.stderr.splitlines()]
    for name, got in zip(("output", "error"), lines):
        check(got == [f"{name} {i}" for i in range(20000, 0, -1)], f"all lines of standard {name}, in order")
    with subprocess.Popen([CELLA, "run", "-q", cell, "copy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as job:
        for line in (b"first\n", b"second\0\xff\n"):
            job.stdin.write(line)
            job.stdin.flush()
            check(job.stdout.readline() == line, f"{line!r} comes back while the input stays open")
        job.stdin.close()
        check(job.wait(timeout=300) == 0, "and it ends with its input")


def test_given(cell):
    raw = [*(text.encode() for text in TEXTS), b"\xff\xfe\x01"]
    variables = [b"A=1", b"EMPTY=", b"EQUALS=a=b=c", "ÜML=ä".encode(), b"BYTES=\xff\x01", b"A=2"]
    options = [word for variable in variables for word in (b"--env", variable)]
    job = subprocess.run([CELLA, "run", "-q", *options, cell, "given", *raw], capture_output=True, check=False, timeout=300,
                         stdin=subprocess.DEVNULL, env={**os.environ, "HOST_SECRET": "of the host"})
    expected = b"".join(b"argument %d %s\n" % (len(text), text) for text in [b"given", *raw])
    check(expected in job.stdout, "arguments arrive byte by byte")
    given = job.stdout[job.stdout.index(expected) + len(expected):]
    check(given == b"".join(b"variable %d %s\n" % (len(v), v) for v in variables),
          f"so does the environment, and nothing else is in it: {given[:200]!r}")
    check(b"of the host" not in job.stdout, "nothing of the host's environment is there")
    for status in (0, 1, 2, 77, 124, 255):
        check(run(["-q", cell, "exit", status]).returncode == status, f"exit status {status}")


def main():
    test_escapes()
    cell = build_cell("echo.c")
    test_streams(cell)
    test_given(cell)
    finish()


main()
