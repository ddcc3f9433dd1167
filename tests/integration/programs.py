#!/usr/bin/python3
"""Do other people's programs build with `cella cc`, by their own makefiles, and pass their own tests in a cell?

The sources are Debian's (scripts/sources.txt). What cannot be fetched is skipped.
"""
# as: root
# timeout: 900
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

SOURCE = Path(os.environ.get("CELLA_SOURCE", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("CELLA_BUILD", SOURCE / "build"))
sys.path.insert(0, str(SOURCE / "scripts"))

import fetch_source  # noqa: E402  (found beside the build's other scripts)

RUN = "cella run --quiet --memory insecure-none --dir .:/"
TOOLS = ["CC=cella cc", "AR=llvm-ar-19", "RANLIB=llvm-ranlib-19"]


class Failure(Exception):
    pass


def command(words, folder, env=None, stdin=None, status=0, stderr=subprocess.STDOUT):
    """Run it, with cella on the path; its output."""
    env = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "CELLA_BUILDER_KEY": f"{folder.parent}/builder.key",
           **(env or {})}
    done = subprocess.run(words, cwd=folder, env=env, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=stderr, check=False)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != status:
        raise Failure(f"{' '.join(words)} ended with {done.returncode}:\n{text[-4000:]}")
    return text


def expect(condition, what, text):
    if not condition:
        raise Failure(f"{what}:\n{text[-4000:]}")


def unpack(name, to):
    """The program's source, in a folder of its own; `to` is that of all."""
    archive = fetch_source.fetch(name)
    folder = to / name
    with tarfile.open(archive) as tar:
        tops = {member.name.split("/")[0] for member in tar.getmembers()}
        tar.extractall(to / "unpacked")
    (to / "unpacked" / tops.pop()).rename(folder)
    return folder


def stand_in(folder, program):
    """A makefile runs ./PROGRAM: let that be a script which runs the cell."""
    (folder / program).rename(folder / f"{program}.cell")
    (folder / program).write_text(f'#!/bin/sh\nexec {RUN} {program}.cell "$@"\n')
    (folder / program).chmod(0o755)


def test_zlib(folder):
    """configure; make test, whose makefile has a variable for what runs programs."""
    command(["./configure", "--static"], folder, {"CHOST": "wasm32-wasi", **dict(tool.split("=", 1) for tool in TOOLS)})
    text = command(["make", "-j2", "test", f"QEMU_RUN={RUN}"], folder)
    for line in ("*** zlib test OK ***", "*** zlib 64-bit test OK ***", "inflate with dictionary: hello, hello!"):
        expect(line in text, f"zlib's make test did not print {line!r}", text)
    expect((folder / "minigzip").read_bytes()[:4] != b"\x7fELF", "minigzip is the host's", "")


def test_bzip2(folder):
    """make, make test: six files packed and unpacked, and compared; a file by its name, with its times and modes."""
    command(["make", "-j2", *TOOLS, "bzip2", "bzip2recover"], folder)
    stand_in(folder, "bzip2")
    text = command(["make", *TOOLS, "test"], folder)
    expect("If you got this far and the 'cmp's didn't complain" in text, "bzip2's make test", text)
    before = (folder / "sample3.ref").read_bytes()
    command(["./bzip2", "sample3.ref"], folder)
    expect(not (folder / "sample3.ref").exists(), "bzip2 left the file that it packed", "")
    command(["./bzip2", "-d", "sample3.ref.bz2"], folder)
    expect((folder / "sample3.ref").read_bytes() == before, "bzip2 changed the file", "")


def same(cell, host, what):
    """Line by line."""
    for number, (ours, theirs) in enumerate(zip(cell.splitlines(), host.splitlines()), 1):
        expect(ours == theirs, f"{what}, line {number} of its output", f"cell: {ours}\nhost: {theirs}")
    expect(len(cell) == len(host) and cell, f"{what}: one output is longer", f"cell: {cell}\nhost: {host}")


def output(words, folder, status=0):
    """What it writes to standard output."""
    return command(words, folder, status=status, stderr=subprocess.DEVNULL)


def in_cell(words, folder, status=0):
    return output([*RUN.split(), *words], folder, status)


def test_lua(folder):
    """make, as for a machine without POSIX; then the same checks in the cell and in a Lua of the host."""
    host = folder.parent / "lua-host"
    shutil.copytree(folder, host)
    command(["make", "-j2", "generic", "CC=cella cc", "AR=llvm-ar-19 rcu", "RANLIB=llvm-ranlib-19"], folder)
    command(["make", "-j2", "generic"], host)
    for place in (folder, host):
        shutil.copy(SOURCE / "tests/data/lua_checks.lua", place)
    ours = in_cell(["src/lua", "lua_checks.lua", "checks.tmp"], folder)
    same(ours, output(["src/lua", "lua_checks.lua", "checks.tmp"], host), "Lua's checks")
    in_cell(["src/luac", "-o", "checks.luac", "lua_checks.lua"], folder)
    same(in_cell(["src/lua", "checks.luac", "checks.tmp"], folder), ours, "Lua's checks, compiled by luac")


def verification(text):
    """What speedtest1 --verify found: a hash of all rows, and how many bytes they have."""
    found = re.search(r"Verification Hash: \d+ [0-9a-f]+", text)
    expect(found, "speedtest1 printed no hash", text)
    return found[0]


def test_sqlite(folder):
    """configure; make; its fuzz cases and its benchmark's hash; a script in the shell, as in one of the host."""
    options = "-DSQLITE_OMIT_WAL -DSQLITE_MAX_MMAP_SIZE=0 -DSQLITE_OMIT_POPEN"
    command(["./configure", "--host=wasm32-wasi", *TOOLS, "NM=llvm-nm-19", "--disable-shared", "--disable-tcl",
             "--disable-load-extension", "--disable-threadsafe", "CFLAGS=-O2"], folder)
    command(["make", "-j2", "BEXE=", f"OPTS={options}", "sqlite3", "fuzzcheck", "speedtest1"], folder)
    host = ["gcc", "-O1", "-w", "-I.", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION",
            "-DSQLITE_ENABLE_MATH_FUNCTIONS", "-DSQLITE_ENABLE_FTS4", "-DSQLITE_ENABLE_RTREE", *options.split()]
    command([*host, "-c", "sqlite3.c", "-o", "host.o"], folder)
    for name, source in (("shell", "shell.c"), ("speed", "test/speedtest1.c")):
        command([*host, source, "host.o", "-lm", "-o", f"host-{name}"], folder)
    text = in_cell(["fuzzcheck", "test/fuzzdata4.db", "test/fuzzdata8.db"], folder)
    expect(re.search(r"fuzzcheck: 0 errors out of [1-9]\d+ tests", text), "fuzzcheck", text)
    ours = in_cell(["speedtest1", "--verify", "--size", "10", "ours.db"], folder)
    theirs = command(["./host-speed", "--verify", "--size", "10", "theirs.db"], folder)
    expect(verification(ours) == verification(theirs), "speedtest1 --verify", f"{ours}\n{theirs}")
    shutil.copy(SOURCE / "tests/data/sqlite_checks.sql", folder)
    read = ".read sqlite_checks.sql"  # some of whose statements fail, so the shell does too
    ours = in_cell(["sqlite3", "cell.db", read], folder, status=1)
    same(ours, output(["./host-shell", "host.db", read], folder, status=1), "the script")
    text = command(["./host-shell", "cell.db", "PRAGMA integrity_check; SELECT count(*) FROM people"], folder)
    expect(text == "ok\n19997\n", "the host's SQLite reads the cell's file", text)


TESTS = {"zlib": test_zlib, "bzip2": test_bzip2, "lua5.4": test_lua, "sqlite3": test_sqlite}


def main():
    failed = []
    for name in sys.argv[1:] or TESTS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                source = unpack(name, Path(folder))
            except fetch_source.Problem as problem:
                print(f"skipped: {name}: {str(problem).splitlines()[0]}")
                continue
            try:
                TESTS[name](source)
                print(f"{name}: passed")
            except Failure as failure:
                failed.append(name)
                print(f"{name}: {failure}")
    if failed:
        sys.exit(f"failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
