#!/usr/bin/env python3
# as: root user memlock
"""What does cella run do with input that is wrong: malformed and foreign cells, bad options, files and
directories that are not there or cannot be used, output that cannot be written, huge arguments?

It says so in one message, exits with the documented status (2: options, 125: failed, 126: refused), never
runs such a cell, never ends by a signal, and prints nothing secret."""

import os
import random
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, FAILED, REFUSED, SCRATCH, SOURCE, USAGE, build_cell, check, finish, note, run

SECRET = "s3cr3t-" + os.urandom(8).hex()
SEED = int.from_bytes(os.urandom(4), "little")
HEADER, ENTRY = struct.Struct("<6sHQII"), struct.Struct("<IIQQ")
SECTIONS = {1: "wasm", 2: "manifest", 3: "data", 4: "names", 5: "image"}


def problems(job, statuses):
    """What is wrong with how it refused: sentences."""
    found = []
    if job.returncode not in statuses:
        found.append(f"status {job.returncode}, not {statuses}")
    if job.stdout:
        found.append(f"it printed {job.stdout[:40]!r}")
    if not job.stderr.startswith("cella") or len(job.stderr) < 20:
        found.append(f"it says {job.stderr!r}")
    if SECRET in job.stderr or SECRET in job.stdout:
        found.append("it printed the secret")
    return found


def refuses(arguments, statuses, what, says="", **options):
    job = run(arguments, env={**os.environ, "SECRET": SECRET}, **options)
    found = problems(job, statuses if isinstance(statuses, tuple) else (statuses,))
    if says not in job.stderr:
        found.append(f"it does not say {says!r} but {job.stderr!r}")
    return check(not found, f"{what}: {'; '.join(found) or job.stderr.splitlines()[-1][:110]}")


def sections(cell):
    _, _, _, count, _ = HEADER.unpack_from(cell)
    for i in range(count):
        kind, artifact, offset, size = ENTRY.unpack_from(cell, HEADER.size + i * ENTRY.size)
        yield f"{SECTIONS[kind]} {artifact}", offset, size


def none_runs(cells, what):
    """Each of the changed cells is refused; reports them together."""
    path, bad, count = SCRATCH / "changed.cell", [], 0
    for name, content in cells:
        path.write_bytes(content)
        job = run(["-q", path, "given", "ran"])
        count += 1
        if found := problems(job, (FAILED, REFUSED)):
            bad.append(f"{name}: {found}")
    check(not bad, f"{what}: {count} changed cells, none runs" + "".join(f"\n        {line}" for line in bad[:10]))


def test_cells(cell_path):
    chance = random.Random(SEED)
    note(f"places are chosen with seed {SEED}")
    cell = Path(cell_path).read_bytes()
    parts = list(sections(cell))
    table = parts[0][1]

    def flip(at):
        return cell[:at] + bytes([cell[at] ^ 1 << chance.randrange(8)]) + cell[at + 1:]

    none_runs(((f"cut at {at}", cell[:at]) for at in
               {0, 1, 5, 23, 24, table - 1, table, len(cell) - 1, *(offset for _, offset, _ in parts),
                *(chance.randrange(len(cell)) for _ in range(20))}), "truncated")
    none_runs([("longer", cell + b"\0"), ("twice", cell + cell), ("text", b"#!/bin/sh\necho ran\n" * 100),
               ("zeros", bytes(len(cell))), ("shifted", b"\0" + cell)], "not a bundle")
    none_runs(((f"bit at {at}", flip(at)) for at in range(table)), "header and table")
    for name, offset, size in parts:
        places = {offset, offset + size - 1, *(offset + chance.randrange(size) for _ in range(12))} if size else ()
        none_runs(((f"bit at {at}", flip(at)) for at in places), name)


def test_parts_of_others(ours, others):
    """A section of another cell, which is valid by itself, in place of ours."""
    mine, theirs = Path(ours).read_bytes(), Path(others).read_bytes()
    mixed = []
    for (name, offset, size), (_, at, length) in zip(sections(mine), sections(theirs)):
        body = {part: mine[start:start + count] for part, start, count in sections(mine)}
        check(assemble(mine, body) == mine, f"put together again, it is the same cell, but for {name}")
        body[name] = theirs[at:at + length]
        if mine[offset:offset + size] != body[name]:
            mixed.append((name, assemble(mine, body)))
    none_runs(mixed, "sections of another cell")


def assemble(cell, body):
    entries = [ENTRY.unpack_from(cell, HEADER.size + i * ENTRY.size) for i in range(len(body))]
    at = HEADER.size + len(body) * ENTRY.size
    table = b""
    for (kind, artifact, _, _), part in zip(entries, body.values()):
        table += ENTRY.pack(kind, artifact, at, len(part))
        at += len(part)
    return HEADER.pack(b"CELLA\0", 2, at, len(body), 0) + table + b"".join(body.values())


def test_builder():
    other = SCRATCH / "other.cell"
    subprocess.run([CELLA, "cc", str(SOURCE / "tests/cells/echo.c"), "-o", str(other)], check=True, timeout=300,
                   env={**os.environ, "CELLA_BUILDER_KEY": str(SCRATCH / "other.key")})
    refuses(["-q", other, "given", "ran"], REFUSED, "a cell of another builder", "builder")
    shown = subprocess.run([CELLA, "inspect", str(other)], capture_output=True, text=True, check=True).stdout
    key = next(line.split()[1] for line in shown.splitlines() if line.startswith("builder"))
    job = run(["-q", "--accept-builder", key, other, "exit", "7"])
    check(job.returncode == 7, f"it runs once its builder is accepted: status {job.returncode} {job.stderr}")
    return str(other)


def test_options(cell):
    for arguments in (["--nonsense"], ["--memory", "none"], ["--executors", "-1"], ["--executors", "0"],
                      ["--executors", "many"], ["--executors", "100000"], ["--heap", "lots"], ["--heap", "0"],
                      ["--window", "2M"],
                      ["--page-dir", "/tmp"], ["--memory", "paged", "--window", "3"], ["--heap", "99999999999999G"], ["--heap", "1000T"], ["--store-limit", "-5"],
                      ["--store-limit", ""], ["--dir", ""], ["--dir", ":/data"], ["--dir", "/tmp:"],
                      ["--env", SECRET], ["--env", "=" + SECRET], ["--accept-builder", "abc"],
                      ["--accept-builder", "g" * 64], ["--graph", "graph.txt"], *([["--dir", "/tmp"] * 300])):
        refuses([*arguments, cell, "given", "ran"], USAGE, " ".join(arguments)[:40])
    for level in ("secret", "paged"):
        refuses(["--memory", level, "--insecure-memory-none", cell, "given", "ran"], USAGE, f"two levels, one {level}",
                "ask for two levels")
    for arguments in (["--memory", "insecure-none"], ["--insecure-memory-none", "--memory", "insecure-none"]):
        job = run(["-q", *arguments, cell, "exit", "3"])
        check(job.returncode == 3 and job.stderr == "cella run: memory insecure-none, machine soft\n",
              f"-q does not hide that memory is insecure: {job.returncode} {job.stderr!r}")
    for option in ("--record", "--trace", "--graph", "--heap", "--dir", "--env", "--memory"):
        refuses([option], USAGE, f"{option} without a value")
    refuses([], USAGE, "no cell", "it wants FILE.cell [ARGUMENT...]")


def test_missing(cell):
    there, closed = SCRATCH / "there", SCRATCH / "closed"
    there.write_text("a file")
    closed.mkdir(mode=0)
    refuses(["-q", SCRATCH / "gone.cell"], FAILED, "a cell that is not there", "gone.cell")
    refuses(["-q", SCRATCH], FAILED, "a directory as a cell", "directory")
    refuses(["-q", "/dev/null"], FAILED, "an empty cell")
    refuses(["-q", there], FAILED, "a text file as a cell", "there")
    for place in (SCRATCH / "gone", there, there / "below", "/dev/null"):
        refuses(["-q", "--dir", place, cell, "given", "ran"], FAILED, f"--dir {Path(place).name}", str(place))
    if os.geteuid() != 0:
        locked = SCRATCH / "locked.cell"
        locked.write_bytes(Path(cell).read_bytes())
        locked.chmod(0)
        refuses(["-q", locked], FAILED, "a cell that may not be read", "locked.cell")
        job = run(["-q", "--dir", f"{closed}:/data", cell, "fill", "/data/x"])
        check(job.returncode in (1, FAILED), f"a directory that may not be entered: {job.returncode} {job.stdout}{job.stderr}")
    closed.chmod(0o700)


def test_output(cell):
    for what in ("record", "trace", "graph"):
        place = SCRATCH / f"gone/{what}.{'dot' if what == 'graph' else 'json'}"
        job = run(["-q", f"--{what}", place, cell, "exit", "3"])
        check(job.returncode == USAGE and str(place) in job.stderr, f"--{what} where it cannot be: {job.stderr!r}")
    folder = SCRATCH / "folder.dot"
    folder.mkdir()
    for what in ("record", "trace", "graph"):
        refuses([f"--{what}", folder, cell, "given", "ran"], USAGE, f"--{what} to a directory", "it is a directory")
    job = run(["-q", "--record", "/dev/full", cell, "exit", "3"])
    check("No space left" in job.stderr and Path("/dev/full").is_char_device(), f"--record to a full device: {job.stderr!r}")
    with open("/dev/full", "wb") as full:
        job = subprocess.run([CELLA, "run", "-q", cell, "given", "x"], stdout=full, stderr=subprocess.PIPE, check=False,
                             timeout=300, stdin=subprocess.DEVNULL)
    check(job.returncode == FAILED and b"No space left" in job.stderr, f"a full standard output: {job.stderr!r}")
    for closed in ("<&-", ">&-", "2>&-"):
        job = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", CELLA, "run", "-q", cell, "both", "2"], check=False,
                             capture_output=True, timeout=300)
        expected = (FAILED,) if closed == ">&-" else (0, FAILED) if closed == "2>&-" else (0,)
        check(job.returncode in expected, f"started with {closed}: status {job.returncode} {job.stderr}")
    with subprocess.Popen([CELLA, "run", "-q", cell, "both", "200000"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL) as job:
        job.stdout.readline()
        job.stdout.close()
        check(job.wait(timeout=300) == FAILED, f"a reader that goes away: status {job.returncode}")


def test_sizes(cell):
    long = "x" * 100000
    job = run(["-q", cell, "given", long, *["y" * 50] * 1500])
    check(job.returncode == 0 and f"argument {len(long)} {long}\n" in job.stdout and job.stdout.count("argument 50 y") == 1500,
          f"arguments of 175 KB arrive: {job.returncode} {job.stderr[:200]}")
    for what, arguments in (("2 MB of arguments", [cell, *["z" * 100000] * 18]),
                            ("100,000 arguments", [cell, *["z"] * 100000]),
                            ("1 MB of environment", *[[*["--env", "A=" + "z" * 100000] * 10, cell]])):
        job = run(["-q", *arguments])
        good = job.returncode == 0 or not problems(job, (FAILED, USAGE))
        check(good, f"{what}: status {job.returncode} {job.stderr[:150]!r}")


def main():
    cell = build_cell("echo.c")
    test_cells(cell)
    test_parts_of_others(cell, build_cell("park.c"))
    test_builder()
    test_options(cell)
    test_missing(cell)
    test_output(cell)
    test_sizes(cell)
    finish()


main()
