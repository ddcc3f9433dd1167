#!/usr/bin/python3
"""Unpack the sources of the programs that are measured, and print what to compile, a compiler's word a line.

    unpack.py DIRECTORY

The archives are Debian's, fetched once (scripts/fetch_source.py). SQLite's own makefile puts its sources
together; it wants Tcl.
"""
import json
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))

import fetch_source  # noqa: E402  (its place is known only now)

SQLITE_OPTIONS = ["-DSQLITE_OS_OTHER=1", "-DSQLITE_THREADSAFE=0", "-DSQLITE_TEMP_STORE=3", "-DSQLITE_OMIT_LOAD_EXTENSION",
                  "-DSQLITE_OMIT_WAL", "-DSQLITE_DEFAULT_MEMSTATUS=0"]
ZLIB_PARTS = ["adler32", "compress", "crc32", "deflate", "inffast", "inflate", "inftrees", "trees", "uncompr", "zutil"]
LUA_WITHOUT = ["lua", "luac", "linit", "liolib", "loslib", "loadlib"]  # programs, and what wants files and processes


def unpack(name, to):
    """The folder with the source."""
    with tarfile.open(fetch_source.fetch(name)) as archive:
        top = archive.getnames()[0].split("/")[0]
        archive.extractall(to)
    return to / top


def sqlite(to):
    source, made = unpack("sqlite3", to), to / "sqlite-made"
    made.mkdir()
    for command in ([source / "configure", "--disable-readline"], ["make", "sqlite3.c"]):
        done = subprocess.run(command, cwd=made, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode:
            sys.exit(f"unpack.py: SQLite's {command[0]} failed (is Tcl there? apt install tcl): {done.stderr[-300:]}")
    return [made / "sqlite3.c", f"-I{made}", f"-I{source / 'test'}", *SQLITE_OPTIONS]


def zlib(to):
    source = unpack("zlib", to)
    return [*(source / f"{part}.c" for part in ZLIB_PARTS), f"-I{source}"]


def lua(to):
    source = unpack("lua5.4", to) / "src"
    rows = [f"{{{json.dumps('lua-' + script.stem)}, {json.dumps(script.read_text(encoding='utf-8'))}}},\n"
            for script in sorted(HERE.glob("*.lua"))]
    (to / "lua_scripts.h").write_text("".join(rows), encoding="utf-8")
    return [*(file for file in sorted(source.glob("*.c")) if file.stem not in LUA_WITHOUT), f"-I{source}", f"-I{to}"]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    to = Path(sys.argv[1]) / "sources"
    to.mkdir()
    try:
        for word in [*sqlite(to), *zlib(to), *lua(to)]:
            print(word)
    except fetch_source.Problem as problem:
        sys.exit(f"unpack.py: {problem}")


main()
