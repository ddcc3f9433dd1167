#!/usr/bin/env python3
# as: root user memlock
"""Does `cella volume` keep what it is given, and refuse what it should?

Files of every kind go in and come out the same (diff, modes, times, holes); the volume shows none of them. A
changed byte is named by file and block, and the rest is got out. An import that is killed or interrupted goes
on; a full disk loses nothing that was committed. An old copy, a wrong or open key file, a missing root file and
a second writer are refused, each with a sentence that says so. Nothing is read or written through symlinks that
lead out. A new key replaces the old one. No key is ever printed."""

import ctypes
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, SCRATCH, check, finish, has_secret, note, skip_part, wait_until

MIB = 1 << 20
BLOCK = 4096
MARKER = b"patient 4711 has a secret rhythm"
MEMORY = [] if has_secret()[0] else ["--memory", "insecure-none"]
F_OFD_SETLK = 37
CLONE_NEWNS, MS_REMOUNT, MS_REC, MS_PRIVATE = 0x20000, 32, 0x4000, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)
printed = []


def cella(command, *operands, **options):
    """One command to its end; what it printed is looked through for keys at the end of the test."""
    done = subprocess.run([CELLA, "volume", *MEMORY, command, *map(str, operands)], capture_output=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=120, **options)
    done.out, done.log = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    printed.append(done.out + done.log)
    return done


def works(command, *operands, **options):
    done = cella(command, *operands, **options)
    check(done.returncode == 0, f"{command} {operands[1:]}: {done.returncode} {done.log}")
    return done


def refused(what, says, done):
    """It failed as a whole, with one sentence that has all of the words."""
    lines = done.log.strip().splitlines()
    check(done.returncode == 1 and len(lines) == 1 and all(word in lines[0] for word in says),
          f"{what}: {done.returncode} {done.log}")


def new_volume(name):
    volume = SCRATCH / name
    works("create", volume)
    return volume


def listed(volume, path="", *options):
    return works("ls", volume, path, *options).out.splitlines()


def differences(one, other):
    """What `diff -r` and the files' modes, times and kinds say; empty: the same."""
    found = subprocess.run(["diff", "-r", "--no-dereference", one, other], capture_output=True, text=True, check=False).stdout
    for directory, names, files in os.walk(one):
        for name in [*names, *files, "."]:
            a = Path(directory) / name
            b = Path(other) / a.relative_to(one)
            if not b.is_symlink() and not b.exists():
                found += f"{b} is not there\n"
                continue
            sa, sb = a.lstat(), b.lstat()
            if (stat.S_IFMT(sa.st_mode), sa.st_mtime_ns) != (stat.S_IFMT(sb.st_mode), sb.st_mtime_ns):
                found += f"{b}: another kind or time\n"
            if not a.is_symlink() and sa.st_mode != sb.st_mode:
                found += f"{b}: mode {sb.st_mode:o}, not {sa.st_mode:o}\n"
    return found


def make_tree():
    tree = SCRATCH / "tree"
    (tree / "a/b/c").mkdir(parents=True)
    (tree / "empty").mkdir(mode=0o711)
    (tree / "a/small").write_bytes(MARKER)
    (tree / "a/none").write_bytes(b"")
    (tree / "a/b/ümläut \n name").write_bytes(b"odd name")
    (tree / "a/b/c/large").write_bytes(random.Random(1).randbytes(3 * MIB + 77))
    (tree / "marked").write_bytes(MARKER * 2000)
    for number in range(300):
        (tree / "a/b" / f"{MARKER.decode().replace(' ', '_')}-{number}").write_bytes(MARKER * (number % 40))
    with open(tree / "sparse", "wb") as file:
        file.truncate(200 * MIB)
        file.seek(100 * MIB)
        file.write(MARKER)
    (tree / "link").symlink_to("a/small")
    (tree / "out").symlink_to("/etc")
    (tree / "a/small").chmod(0o640)
    os.utime(tree / "a/small", ns=(0, 1488585600123456789))
    os.utime(tree / "a", ns=(0, 1388585600000000001))
    return tree


def life(tree):
    """Everything that goes in comes out; the second time it is there already."""
    volume = new_volume("life")
    for suffix in (".key", ".root"):
        check(stat.S_IMODE(os.stat(f"{volume}{suffix}").st_mode) == 0o600, f"{suffix} is for its owner alone")
    again = cella("create", volume)
    refused("a volume that is there is not made anew", ["exists already"], again)
    count = sum(entry.is_symlink() or entry.is_file() for entry in tree.rglob("*"))
    first = works("import", volume, tree, "/2017")
    check(f"imported {count} files" in first.out, f"all of {count} files: {first.out}")
    second = works("import", volume, tree, "/2017")
    check(f"imported 0 files, 0 bytes; {count} were there" in second.out, f"the second time: {second.out}")
    (tree / "a/small").write_bytes(MARKER + b" indeed")
    third = works("import", volume, tree, "/2017")
    check("imported 1 file, 39 bytes" in third.out, f"only what changed: {third.out}")
    works("export", volume, "/2017", SCRATCH / "life-out")
    check(not (found := differences(tree, SCRATCH / "life-out")), f"it comes out as it went in {found}")
    check((SCRATCH / "life-out/sparse").stat().st_blocks * 512 < MIB, "a sparse file stays sparse")
    exported = works("export", volume, "/2017", SCRATCH / "life-out")
    check("exported 0 files" in exported.out, f"exporting goes on, too: {exported.out}")
    stored = b"".join(file.read_bytes() + file.name.encode() for file in volume.iterdir())
    check(MARKER not in stored and b"rhythm" not in stored and b"2017" not in stored, "the volume shows nothing of it")
    check(MARKER in b"".join(f.read_bytes() for f in (tree / "a").iterdir() if f.is_file()), "the same search finds it in the files")
    return volume


def looking(volume, tree):
    """ls, cat, stat, info, in words and as JSON."""
    check(listed(volume) == ["2017"] and listed(volume, "/2017") == sorted(os.listdir(tree)), "ls lists names")
    entries = json.loads(works("ls", volume, "/2017/a", "-R", "--json").out)
    large = next(entry for entry in entries if entry["path"] == "/2017/a/b/c/large")
    info = (tree / "a/b/c/large").stat()
    check((large["size"], large["modified_ns"], large["type"]) == (info.st_size, info.st_mtime_ns, "file"), f"{large}")
    check(sum(e["type"] == "file" for e in entries) == sum(len(f) for _, _, f in os.walk(tree / "a")), "ls -R has all")
    check(any(line.startswith("-rw-r-----") and line.endswith(" small") for line in listed(volume, "/2017/a", "-l")), "ls -l")
    check("link -> a/small" in "".join(listed(volume, "/2017", "-l")), "ls -l shows where a symlink leads")
    check(works("cat", volume, "/2017/a/b/c/large").stdout == (tree / "a/b/c/large").read_bytes(), "cat gives the bytes")
    check(works("cat", volume, "/2017/link", "2017/a/none").stdout == (tree / "a/small").read_bytes(), "cat follows a symlink within")
    refused("cat does not follow one out", ["out"], cella("cat", volume, "/2017/out/passwd"))
    refused("cat of nothing", ["cannot read", "nothing"], cella("cat", volume, "nothing"))
    refused("cat of a directory", ["directory"], cella("cat", volume, "/2017"))
    shown = json.loads(works("stat", volume, "/2017/link", "--json").out)[0]
    check((shown["type"], shown["target"]) == ("symlink", "a/small"), f"stat: {shown}")
    check("mode      0640" in works("stat", volume, "/2017/a/small").out, "stat in words")
    known = json.loads(works("info", volume, "--json").out)
    check(known["keys"] == 1 and known["root_file"] and known["stored_bytes"] > 3 * MIB, f"info: {known}")
    check("commits" in works("info", volume).out, "info in words")
    counts = json.loads(works("verify", volume, "--json").out)
    check(counts["damaged"] == [] and counts["files"] > 300, f"verify: {counts}")


def changing(tree):
    """mkdir, mv, rm, several sources, and what they refuse."""
    volume = new_volume("changing")
    works("mkdir", volume, "x/y/z")
    works("import", volume, tree / "a/small", tree / "marked", "/x/y")
    works("import", volume, tree / "marked", "/x/y/z/renamed")
    works("import", volume, tree / "a", "/copies/")
    check(listed(volume, "/x/y") == ["marked", "small", "z"] and listed(volume, "x/y/z") == ["renamed"], "targets of files")
    check(listed(volume, "/copies") == ["a"], "a directory goes into what ends with /")
    works("mv", volume, "x/y/marked", "x/y/small")
    check(works("cat", volume, "x/y/small").stdout == MARKER * 2000, "mv goes over a file")
    refused("rm of a directory", ["directory"], cella("rm", volume, "x"))
    works("rm", volume, "x/y/z/renamed")
    works("rm", volume, "-R", "x", "/copies")
    check(listed(volume) == [], "rm -R leaves nothing")
    works("import", volume, tree, "/")
    check(sorted(listed(volume)) == sorted(os.listdir(tree)), "into the root")
    works("export", volume, "/", SCRATCH / "changing-out")
    check(not (found := differences(tree, SCRATCH / "changing-out").replace(f"{SCRATCH}/changing-out/.: another kind or time\n", "")),
          f"and out of it {found}")
    works("export", volume, "marked", SCRATCH / "single")
    private = SCRATCH / "private"
    private.mkdir(mode=0o700)
    works("export", volume, "/a", private)
    check(stat.S_IMODE(private.stat().st_mode) == 0o700 and os.listdir(private), "a target that is there stays as closed as it was")
    check(stat.S_IMODE((private / "b").stat().st_mode) == stat.S_IMODE((tree / "a/b").stat().st_mode), "what is made in it is as in the volume")
    (SCRATCH / "empty").mkdir()
    works("export", volume, "/marked", SCRATCH / "empty")
    check((SCRATCH / "single").read_bytes() == (SCRATCH / "empty/marked").read_bytes() == MARKER * 2000, "single files")
    before = json.loads(works("info", volume, "--json").out)["stored_bytes"]
    works("rm", volume, "-R", "a")
    works("compact", volume)
    works("compact", volume, "--all")
    after = json.loads(works("info", volume, "--json").out)["stored_bytes"]
    check(after < before - 2 * MIB, f"compact gives room back: {before} {after}")
    for at, kept in ((-10**9, 0), (9 * 10**9, 9 * 10**9), (10**10, (2**63 - 1) // 10**9 - 1)):
        os.utime(SCRATCH / "single", ns=(0, at * 10**9))
        works("import", volume, SCRATCH / "single", "/times")
        got = json.loads(works("stat", volume, "/times", "--json").out)[0]["modified_ns"]
        check(got == kept * 10**9, f"a time {at} s from 1970 is {got}, not {kept} s")
    for words in (["impart", volume], ["cat", volume], ["ls", "--salvage", volume], ["create"], ["info", volume, "x"]):
        done = cella(*words)
        check(done.returncode == 2 and "Try: cella volume --help" in done.log, f"a mistake in {words}: {done.log}")


def deep():
    """Directories as deep as a path in a volume may lead go in, and out, and away."""
    volume, source = new_volume("deep"), SCRATCH / "deep-source"
    levels = 510
    innermost = source / "/".join(["d"] * levels)
    innermost.mkdir(parents=True)
    (innermost / "file").write_bytes(MARKER)
    works("import", volume, source, "/s")
    counts = json.loads(works("verify", volume, "--json").out)
    check((counts["directories"], counts["files"]) == (levels + 2, 1), f"verify goes through {levels} of them: {counts}")
    check(len(listed(volume, "/", "-R")) == levels + 2, "and so does ls -R")
    works("export", volume, "/s", SCRATCH / "deep-out")
    check(not (found := differences(source, SCRATCH / "deep-out")), f"they come out as they went in {found[:300]}")
    works("rm", volume, "-R", "/s")
    check(listed(volume) == [], "rm -R removes them")


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def damage():
    """One bit of a block: named by verify, refused by cat and export, and passed over by --salvage."""
    volume, source, out = new_volume("damage"), SCRATCH / "damage-source", SCRATCH / "damage-out"
    source.mkdir()
    data = random.Random(2).randbytes(200 * BLOCK)
    (source / "good").write_bytes(data[::-1])
    works("import", volume, source, "/d")
    (source / "hit").write_bytes(data)
    before = set(volume.iterdir())
    works("import", volume, source, "/d")
    segment = max(set(volume.iterdir()) - before, key=lambda file: file.stat().st_size)
    check(segment.stat().st_size > 200 * BLOCK, "the second import has a segment of its own")
    flip(segment, 50 * BLOCK + 123)
    found = cella("verify", volume, "--json")
    report = json.loads(found.out)["damaged"]
    check(found.returncode == 1 and len(report) == 1 and report[0]["path"].endswith("d/hit") and 0 <= report[0]["block"] < 200,
          f"verify names the block: {found.out} {found.log}")
    block = report[0]["block"] if report else 0
    check(f"d/hit, block {block}" in cella("verify", volume).out, "verify names it in words")
    refused("cat of a damaged file", ["cannot read", "d/hit"], cella("cat", volume, "d/hit"))
    check(cella("cat", volume, "d/good").stdout == data[::-1], "what is not damaged is read")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CELLA, "volume", *MEMORY, "cat", volume, "d/good"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    check(done.returncode == 1 and "standard output" in done.stderr and "cannot read" not in done.stderr, f"what cannot be printed is no damage: {done.stderr}")
    refused("export of a damaged file", ["/d/hit", "--salvage"], cella("export", "-q", volume, "/d", out))
    saved = cella("export", volume, "/d", out, "--salvage")
    check(saved.returncode == 1 and f"/d/hit, block {block}" in saved.out, f"salvage lists it: {saved.out} {saved.log}")
    check(sorted(os.listdir(out)) == ["good", "hit.damaged"] and (out / "good").read_bytes() == data[::-1],
          f"salvage gets the good file out: {os.listdir(out)}")
    hole = data[:block * BLOCK] + bytes(BLOCK) + data[(block + 1) * BLOCK:]
    check((out / "hit.damaged").read_bytes() == hole, "the damaged file has a hole in the place of the block, and the rest")
    flip(segment, 50 * BLOCK + 123)
    check(cella("verify", volume).returncode == 0, "put right, it is as before")


def names_of_damaged():
    """What is saved of a damaged file takes no other file's name, and has one where NAME.damaged is too long."""
    volume, source, out = new_volume("names"), SCRATCH / "names-source", SCRATCH / "names-out"
    source.mkdir()
    long = "n" * 250
    data = {"hit": random.Random(3).randbytes(40 * BLOCK), long: random.Random(4).randbytes(40 * BLOCK)}
    for name, content in {"hit.damaged": b"a file of its own", "z": b"the last one"}.items():
        (source / name).write_bytes(content)
    works("import", volume, source, "/d")
    for name, content in data.items():
        before = set(volume.iterdir())
        (source / name).write_bytes(content)
        works("import", volume, source, "/d")
        flip(max(set(volume.iterdir()) - before, key=lambda file: file.stat().st_size), 20 * BLOCK + 1)
    for again in ("first", "again"):
        saved = cella("export", volume, "/d", out, "--salvage")
        names = set(os.listdir(out))
        check(saved.returncode == 1 and len(names) == 4 and {"hit.damaged", "z"} <= names,
              f"{again}: each has a name of its own: {names} {saved.log}")
        check([(out / name).is_file() and (out / name).read_bytes() for name in ("hit.damaged", "z")]
              == [b"a file of its own", b"the last one"], f"{again}: whole files are whole")
        for name, content in data.items():
            found = [file for file in out.iterdir() if file.name not in ("hit.damaged", "z") and file.name.startswith(name[:3])]
            check(len(found) == 1 and len(found[0].name) <= 255 and ".damaged" in found[0].name
                  and f"as {found[0].name}" in saved.out, f"{again}: its name is told: {found} {saved.out}")
            got = found[0].read_bytes() if found else b""
            changed = [at for at in range(40) if got[at * BLOCK:][:BLOCK] != content[at * BLOCK:][:BLOCK]]
            check(len(changed) == 1 and not any(got[changed[0] * BLOCK:][:BLOCK]), f"{again}: but for a hole it is whole: {changed}")


def killed_in_the_middle(how, source, name):
    """A volume with a part of a source that was imported as `name` until a signal came."""
    for attempt in range(8):
        volume = new_volume(f"killed-{how}-{name}-{attempt}")
        root = Path(f"{volume}.root")
        before = root.read_bytes()
        process = subprocess.Popen([CELLA, "volume", *MEMORY, "import", volume, source, f"/{name}"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # the lease is one change, the first commit another
        taken = wait_until(lambda: (now := root.read_bytes()) != before and now, 60)
        wait_until(lambda: root.read_bytes() != taken or process.poll() is not None, 60)
        process.send_signal(how)
        out, log = process.communicate(timeout=300)
        printed.append((out + log).decode())
        if process.returncode == -how:
            break
        note(f"it had ended before it was killed: {process.returncode}")
    check(process.returncode == -how, f"{how.name}: the import ends by it: {process.returncode} {log}")
    names = listed(volume)
    check(len(names) == 1 and names[0].startswith(".cella-part-"), f"{how.name}: a part is there, and no file: {names}")
    if how == signal.SIGINT:
        check(b"same command goes on" in log, f"it says how to go on: {log}")
    return volume


def end_in_the_middle(how):
    """An import is ended by a signal after a commit in the middle of a file, and goes on from there."""
    source = SCRATCH / "big"
    if not source.exists():
        with open(source, "wb") as file:
            for seed in range(12):
                file.write(random.Random(seed).randbytes(16 * MIB))
    volume = killed_in_the_middle(how, source, "big")
    check(cella("verify", volume).returncode == 0, f"{how.name}: nothing is damaged")
    there = json.loads(works("ls", volume, "", "--json").out)[0]["size"]
    rest = works("import", volume, source, "/big")
    wanted = f"imported 1 file, {12 * 16 - there / MIB:.1f} MiB;"  # commits come by the time, too
    check(there > 0 and wanted in rest.out, f"{how.name}: it goes on where it was, at {there}: {rest.out}")
    check(listed(volume) == ["big"], f"{how.name}: the file has its name")
    with open(SCRATCH / "big-out", "wb") as file:
        subprocess.run([CELLA, "volume", *MEMORY, "cat", volume, "big"], stdout=file, check=True, timeout=300)
    check(subprocess.run(["cmp", source, SCRATCH / "big-out"], check=False).returncode == 0, f"{how.name}: it is whole")
    shutil.rmtree(volume)


def another_source():
    """What is left of one source is not gone on with from another of the same name and time."""
    one, other = SCRATCH / "source/one/x", SCRATCH / "source/other/x"
    for file, size in ((one, 192), (other, 160)):
        file.parent.mkdir(parents=True)
        with open(file, "wb") as to:
            for seed in range(size // 16):
                to.write(random.Random(f"{file.parent.name} {seed}").randbytes(16 * MIB))
        os.utime(file, ns=(0, 1488585600000000000))
    for source, changed in ((other, "another file"), (one, "the same one, written to since")):
        volume = killed_in_the_middle(signal.SIGTERM, one, "x")
        if source == one:
            with open(one, "r+b") as file:
                file.write(b"other bytes")
            os.utime(one, ns=(0, 1488585600000000000))
        works("import", volume, source, "/x")
        check(listed(volume) == ["x"], f"{changed}: what was left of the first is removed: {listed(volume)}")
        with open(SCRATCH / "x-out", "wb") as file:
            subprocess.run([CELLA, "volume", *MEMORY, "cat", volume, "x"], stdout=file, check=True, timeout=300)
        check(subprocess.run(["cmp", source, SCRATCH / "x-out"], check=False).returncode == 0, f"{changed}: nothing of the first is in it")
        shutil.rmtree(volume)
        for suffix in (".key", ".root"):
            os.unlink(f"{volume}{suffix}")


def old_copy(tree):
    """Yesterday's copy in the place of the volume is refused; without the root file it is what one asks for."""
    volume = new_volume("old")
    works("import", volume, tree / "a/small", "/first")
    shutil.copytree(volume, SCRATCH / "old-copy")
    works("import", volume, tree / "marked", "/second")
    works("rm", volume, "/first")
    shutil.rmtree(volume)
    shutil.copytree(SCRATCH / "old-copy", volume)
    refused("an old copy", ["cannot open the volume", "old copy"], cella("ls", volume))
    refused("an old copy, for a writer", ["cannot open the volume", "old copy"], cella("mkdir", volume, "x"))
    check(works("ls", volume, "--any-copy", "--root", SCRATCH / "none").out == "first\n", "it is read where that is asked for")
    check(not (SCRATCH / "none").exists(), "which makes no root file")
    os.rename(f"{volume}.root", SCRATCH / "kept.root")
    refused("no root file", ["no root file", "--root", "--any-copy"], cella("ls", volume))
    check(not Path(f"{volume}.root").exists(), "reading makes no root file")
    taken = works("ls", volume, "--any-copy")
    check(taken.out == "first\n" and "believed is commit 2, of 20" in taken.log, f"with --any-copy the old copy is taken, and named: {taken.log}")
    check(cella("mkdir", volume, "x", "--any-copy").returncode == 2, "a writer does not take it")
    refused("nor without the option", ["no root file", "trust"], cella("mkdir", volume, "x"))
    check(not Path(f"{volume}.root").exists(), "and makes no root file")
    check("last commit is 2, of 20" in works("trust", volume).out, "trust makes one, and says of what")
    works("mkdir", volume, "x")
    check(listed(volume) == ["first", "x"], "which counts from then on")


def no_files(tree):
    """A pipe, a socket, a directory or a symlink in the place of one of the volume's files: as if it were not there."""
    volume, outside = new_volume("no-files"), SCRATCH / "no-files-outside"
    works("import", volume, tree / "marked", "/m")
    works("mkdir", volume, "x")
    segments = sorted(volume.glob("*.segment"))
    for file in (segments[0], segments[-1], volume / "volume", volume / "head"):
        file.rename(outside)
        for what, put in (("a pipe", os.mkfifo), ("a directory", os.mkdir), ("a symlink", lambda name: os.symlink(outside, name))):
            put(file)
            check(cella("verify", volume).returncode == (0 if file.name == "head" else 1), f"{what} in the place of {file.name}")
            if file == segments[0]:
                found = cella("export", "--salvage", volume, "/", SCRATCH / "no-files-out")
                check(found.returncode == 1 and "damaged" in found.out, f"and the rest is got out: {found.out} {found.log}")
            file.rmdir() if what == "a directory" else file.unlink()
        outside.rename(file)
    check(works("cat", volume, "m").stdout == MARKER * 2000, "with the files in their places it is as before")


def lock_lease(root):
    """As a writer has it: a lock on a byte of the last token's own."""
    slots = [struct.unpack_from("<QQ", root.read(512), 24) for _ in range(2)]
    fcntl.fcntl(root, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1024 + max(slots)[1], 1, 0))


def keys_and_writers(tree):
    volume, other = new_volume("mine"), new_volume("other")
    works("import", volume, tree / "a/small", "/small")
    refused("another volume's key", ["key file", "other.key", "--key"], cella("ls", volume, "--key", f"{other}.key"))
    refused("another volume's root", ["another volume's"], cella("ls", volume, "--root", f"{other}.root"))
    refused("no key file", ["key file", "No such file"], cella("ls", volume, "--key", SCRATCH / "none"))
    refused("no volume", ["cannot open the volume"], cella("ls", SCRATCH / "none"))
    key = Path(f"{volume}.key")
    text = key.read_text()
    key.chmod(0o640)
    refused("a key file that others may read", ["open to others", "chmod 600"], cella("ls", volume))
    key.chmod(0o600)
    for what, changed in (("another version", text.replace("key 1", "key 2")), ("a digit less", text[:-2] + "\n"), ("empty", ""),
                          ("more behind it", text + "x"), ("no key", "\n".join(text.splitlines()[:2]) + "\n")):
        key.write_text(changed)
        refused(f"a key file with {what}", ["no key file"], cella("ls", volume))
    key.write_text(text[:-3] + ("0" if text[-3] != "0" else "1") + text[-2:])
    refused("a wrong key", ["key is not this volume's"], cella("ls", volume))
    key.write_text(text)
    elsewhere = SCRATCH / "elsewhere"
    elsewhere.mkdir()
    key.rename(elsewhere / "k")
    Path(f"{volume}.root").rename(elsewhere / "r")
    check(works("ls", volume, "--key", elsewhere / "k", "--root", elsewhere / "r").out == "small\n", "--key and --root")
    with open(elsewhere / "r", "r+b") as held:
        lock_lease(held)
        places = ["--key", elsewhere / "k", "--root", elsewhere / "r"]
        refused("a second writer", ["another process writes", "take over"], cella("mkdir", volume, "x", *places))
        refused("a new key meanwhile", ["another process writes"], cella("rekey", volume, *places))
        check((elsewhere / "k").read_text() == text, "no key was drawn for nothing")
        check(works("ls", volume, *places).out == "small\n", "a reader does not mind")
        works("mkdir", volume, "x", "--take-over", *places)
    check(works("ls", volume, *places).out == "small\nx\n", "--take-over writes")


def new_key(tree):
    """Everything lies under a new key; what was interrupted goes on with the key that it drew."""
    volume = new_volume("rekeyed")
    key = Path(f"{volume}.key")
    works("import", volume, tree, "/t")
    first = key.read_text()
    works("rekey", volume)
    second = key.read_text()
    check(second != first and len(second.splitlines()) == 3, "the key file has one key, another one")
    check(cella("verify", volume).returncode == 0, "everything is there")
    key.write_text(first)
    check(cella("ls", volume).returncode == 1, "the old key opens nothing")
    lines = second.splitlines()
    drawn = "key " + random.Random(3).randbytes(32).hex()
    key.write_text("\n".join([*lines[:2], drawn, lines[2]]) + "\n")
    check(listed(volume) == ["t"] and "interrupted" in works("info", volume).out, "with a new key and the old one, as a crash leaves it, it opens")
    went = works("rekey", volume)
    check("interrupted" in went.out and key.read_text().splitlines() == [*lines[:2], drawn], f"rekey goes on with it: {went.out}")
    works("export", volume, "/t", SCRATCH / "rekeyed-out")
    check(not (found := differences(tree, SCRATCH / "rekeyed-out")), f"everything is there {found}")
    elsewhere = SCRATCH / "rekeyed-elsewhere"
    elsewhere.mkdir()
    key.rename(elsewhere / "k")
    key.symlink_to(elsewhere / "k")
    works("rekey", volume)
    check(key.is_symlink() and (elsewhere / "k").read_text().splitlines() != [*lines[:2], drawn] and listed(volume) == ["t"],
          "where the key file's name is a symlink, what it leads to has the new key")
    check(os.listdir(elsewhere) == ["k"], "and nothing lies beside it")
    held = os.open(volume, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    refused("two at a time", ["another process gives"], cella("rekey", volume))
    os.close(held)


def ways_out(tree):
    """Neither import nor export follows a symlink; what is no file is left out by name."""
    volume, source, outside = new_volume("ways"), SCRATCH / "ways-source", SCRATCH / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"not to be imported")
    (source / "dir").mkdir(parents=True)
    (source / "dir/file").write_bytes(b"inside")
    (source / "away").symlink_to(outside)
    (source / "loop").symlink_to(".")
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "dir/socket"))
        done = works("import", volume, source, "/s")
    check("left out" in done.log and "pipe: a pipe" in done.log and "socket: a socket" in done.log, f"left out: {done.log}")
    check(listed(volume, "/s") == ["away", "dir", "loop"], "symlinks are symlinks")
    check("secret" not in works("ls", volume, "-R").out, "nothing of what is outside came in")
    (source / "x").write_bytes(b"a file")
    (source / "y").symlink_to("x")
    works("import", volume, source, "/s")
    (source / "x").unlink()
    (source / "x").symlink_to("n/" * 1500)
    done = cella("import", volume, source, "/s")
    check(done.returncode == 1 and works("cat", volume, "/s/x").out == "a file", f"what cannot be replaced stays: {done.log}")
    (source / "x").unlink()
    (source / "x").symlink_to("dir")
    (source / "y").unlink()
    (source / "y").write_bytes(b"now a file")
    works("import", volume, source, "/s")
    check([json.loads(works("stat", volume, f"/s/{name}", "--json").out)[0]["type"] for name in "xy"] == ["symlink", "file"],
          "a file and a symlink take each other's place")
    check(listed(volume, "/s") == ["away", "dir", "loop", "x", "y"], f"and nothing else is there: {listed(volume, '/s')}")
    for name in "xy":
        works("rm", volume, f"/s/{name}")
        (source / name).unlink()
    target = SCRATCH / "ways-out"
    target.mkdir()
    (target / "dir").symlink_to(outside)
    done = cella("export", volume, "/s", target)
    check(done.returncode == 1 and "symlinks are not followed" in done.log and os.listdir(outside) == ["secret"],
          f"export follows no symlink out of its target: {done.log}")
    (target / "dir").unlink()
    works("export", volume, "/s", target)
    check((target / "dir/file").read_bytes() == b"inside" and os.readlink(target / "away") == str(outside), "in its place it is right")
    (target / "dir/file").unlink()
    (target / "dir").rmdir()
    (target / "dir").symlink_to(outside)
    done = cella("export", volume, "/s/dir", f"{target}/")
    check(done.returncode == 1 and "symlinks are not followed" in done.log and os.listdir(outside) == ["secret"],
          f"nor where TARGET ends with a slash: {done.log}")
    own = SCRATCH / "own"
    own.mkdir()
    works("create", own / "v")
    (own / "file").write_bytes(b"1")
    done = works("import", own / "v", own, "/o")
    check(listed(own / "v", "/o") == ["file"] and done.log.count("belongs to the volume itself") == 3, f"not itself: {done.log}")
    if os.geteuid() != 0:
        (source / "dir/file").chmod(0)
        (source / "new").write_bytes(b"2")
        done = cella("import", volume, source, "/s2")
        check(done.returncode == 1 and "file: cannot be opened" in done.log and "new" in listed(volume, "/s2"),
              f"what cannot be read is told, and the rest imported: {done.log}")


def small_disk(tree):
    """On a full disk the import stops with what was committed; with room, the same command goes on."""
    place = SCRATCH / "small"
    place.mkdir()
    try:
        for call in (lambda: libc.unshare(CLONE_NEWNS), lambda: libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None),
                     lambda: libc.mount(b"none", str(place).encode(), b"tmpfs", ctypes.c_ulong(0), b"size=6m")):
            if call() != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    except OSError as error:
        skip_part("small-file-systems", error)
        return
    volume, source = place / "v", SCRATCH / "small-source"
    works("create", volume, "--root", SCRATCH / "small.root")
    places = ["--root", SCRATCH / "small.root"]
    source.mkdir()
    (source / "first").write_bytes(random.Random(4).randbytes(2 * MIB))
    works("import", volume, source / "first", "/s/first", *places)
    for number in range(20):
        (source / f"more-{number}").write_bytes(random.Random(number).randbytes(MIB))
    done = cella("import", "-q", volume, source, "/s", *places)
    check(done.returncode == 1 and "No space left" in done.log, f"a full disk: {done.returncode} {done.log}")
    check(works("cat", volume, "/s/first", *places).stdout == (source / "first").read_bytes(), "what was committed is there")
    check(cella("verify", volume, *places).returncode == 0, "nothing is damaged")
    works("mkdir", volume, "/made", *places)
    works("rm", volume, "-R", "/made", *places)
    if libc.mount(b"none", str(place).encode(), b"tmpfs", ctypes.c_ulong(MS_REMOUNT), b"size=64m") != 0:
        check(False, f"the file system cannot be made larger: {os.strerror(ctypes.get_errno())}")
    works("import", volume, source, "/s", *places)
    works("export", volume, "/s", SCRATCH / "small-out", *places)
    check(not (found := differences(source, SCRATCH / "small-out")), f"with room it goes on {found}")


def no_key_was_printed():
    keys = [line.split()[1] for file in SCRATCH.rglob("*.key") for line in file.read_text().splitlines() if line.startswith("key ")]
    check(len(keys) > 5 and not any(key in text for key in keys for text in printed), f"none of {len(keys)} keys was printed")


made = make_tree()
looking(life(made), made)
changing(made)
deep()
damage()
names_of_damaged()
end_in_the_middle(signal.SIGKILL)
end_in_the_middle(signal.SIGINT)
another_source()
old_copy(made)
no_files(made)
keys_and_writers(made)
new_key(made)
ways_out(made)
no_key_was_printed()
small_disk(made)
finish()
