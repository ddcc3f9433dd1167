#!/usr/bin/env python3
"""Is a volume that was written on one instruction set read, verified and written on by the other?"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import BUILD, SCRATCH, check, finish

AARCH64 = Path(os.environ["CELLA_AARCH64"])
MACHINES = {
    "x86-64": [BUILD / "cella"],
    "aarch64": [AARCH64.with_name(AARCH64.name + "-root") / "run", AARCH64 / "cella"],
}


def volume(machine, command, *operands):
    # the emulator knows no secret memory
    words = [*MACHINES[machine], "volume", command, "--memory", "insecure-none", "-q", *operands]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=120,
                          stdin=subprocess.DEVNULL)
    check(done.returncode == 0, f"{machine}: {command}: {done.stderr.strip() or 'well'}")
    return done.stdout


def make_tree(root, seed):
    """Small files in their inodes, large ones in blocks, a hole, many names, a symlink."""
    (root / "deep/er").mkdir(parents=True)
    for i in range(300):
        (root / f"deep/{i}").write_bytes(bytes([i % 256]) * (i * 7))
    (root / "large").write_bytes(bytes((i * seed) % 251 for i in range(3_000_000)))
    with open(root / "hole", "wb") as f:
        f.seek(5_000_000)
        f.write(b"end")
    (root / "deep/er/link").symlink_to("../7")


def contents(root):
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = os.readlink(path)
        else:
            found[str(path.relative_to(root))] = path.read_bytes() if path.is_file() else None
    return found


def across(writer, reader, seed):
    place = SCRATCH / writer
    first, second, out = place / "first", place / "second", place / "out"
    make_tree(first, seed)
    make_tree(second, seed + 1)
    out.mkdir()
    vault = place / "v"
    volume(writer, "create", vault)
    volume(writer, "import", vault, first, "/first")
    volume(reader, "verify", vault)
    volume(reader, "import", vault, second, "/second")
    volume(writer, "rm", "-R", vault, "/first/deep")
    volume(reader, "compact", "--all", vault)
    volume(writer, "verify", vault)
    for machine in MACHINES:
        volume(machine, "export", vault, "/", out / machine)
    check(contents(out / "x86-64") == contents(out / "aarch64"), f"written by {writer}: both read the same")
    wanted = {name: data for name, data in contents(first).items() if not name.startswith("deep")}
    check(contents(out / "aarch64/first") == wanted and contents(out / "aarch64/second") == contents(second),
          f"written by {writer}: {reader} reads what was written by both")


across("x86-64", "aarch64", 3)
across("aarch64", "x86-64", 5)
finish()
