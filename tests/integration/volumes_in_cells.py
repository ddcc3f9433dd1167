#!/usr/bin/env python3
# as: root user memlock
"""Are volumes in cells files like others, for the cell, and noise for everybody else?

A program does the same on a volume as in a plain directory, errors included, at each level of memory. The ECG
workflow computes the same from recordings and a forest on a volume, in tasks, too. Root finds what the cell reads
neither in the stored files nor in any process (on plain files it does: the control). A changed byte is an input or
output error that the file is named for; an old copy, another's key file and a second writer are refused before
the cell starts; a read-only volume is not written. What was synced survives the executor's death, what a program
wrote is there when it has ended, whatever its status."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import BUILD, CELLA, FAILED, REFUSED, SCRATCH, SOURCE, USAGE, Job, build_cell, check, ecg_program, finish, needs_secret, run

MARKER = b"cella-marker-" + os.urandom(24).hex().encode()
SOURCE_FILE = SOURCE / "tests/cells/volumes.c"
LEVELS = {"secret": (), "insecure-none": (), "paged": ("--window", "1M", "--heap", "64M")}
OUT = "through it: "  # the one thing that differs: a symlink that leads out, which an ordinary program follows


def volume_verb(*words):
    done = subprocess.run([CELLA, "volume", *map(str, words)], capture_output=True, text=True, check=False, timeout=120)
    check(done.returncode == 0, f"cella volume {words[0]} {done.stderr.strip()}")
    return done.stdout


def new_volume(name, *imports):
    volume = SCRATCH / name
    subprocess.run([CELLA, "volume", "create", volume], check=True, capture_output=True, timeout=300)
    for source, target in imports:
        volume_verb("import", volume, source, target)
    return volume


def on_volume(volume, *words, options=(), mode=""):
    return run(["-q", *options, "--volume", f"{volume}:/data{mode}", CELL, *words])


def stored(volume):
    return {path.name: path.read_bytes() for path in volume.iterdir()}


def check_operations():
    native, plain = SCRATCH / "native", SCRATCH / "plain"
    subprocess.run([CELLA, "cc", "--native", str(SOURCE_FILE), "-o", str(native)], check=True, timeout=120)
    plain.mkdir()
    expected = subprocess.run([native, "operations", plain], check=True, capture_output=True, text=True, timeout=300).stdout
    expected = expected.splitlines()
    check(len(expected) > 100, f"the program says {len(expected)} things about a plain directory")
    for level, options in LEVELS.items():
        volume = new_volume(f"operations-{level}.vol")
        job = on_volume(volume, "operations", "/data", options=("--memory", level, *options))
        got = job.stdout.splitlines()
        different = [(a, b) for a, b in zip(expected, got) if a != b and not a.startswith(OUT)]
        check(job.returncode == 0 and len(got) == len(expected) and not different,
              f"{level}: the same on a volume {different} {job.stderr}")
        check(OUT + "EPERM" in got, f"{level}: a symlink does not lead out of the volume")
        out = SCRATCH / f"exported-{level}"
        volume_verb("export", volume, "/", out)
        same = subprocess.run(["diff", "-r", "--no-dereference", plain, out], capture_output=True, text=True, check=False)
        check(same.returncode == 0, f"{level}: what is exported is what the ordinary program left {same.stdout}")
        volume_verb("verify", volume)


def check_ecg():
    """Recordings and a forest on a volume: each task's executor opens it, too."""
    made, forest = SCRATCH / "made", SCRATCH / "forest.txt"
    made.mkdir()
    ecg = BUILD / "examples/ecg/ecg-native"
    subprocess.run([ecg, "synth", "--dir", made, "--count", "12", "--seed", "1"], check=True, timeout=300)
    subprocess.run([ecg, "train", "--labels", made / "labels.csv", "--dir", made, "--trees", "3", "--seed", "7", "-o", forest],
                   check=True, timeout=300)
    volume = new_volume("ecg.vol", (made, "/data"), (forest, "/forest.txt"))
    shutil.copy(forest, made / "forest.txt")
    program = ecg_program()
    names = sorted(path.stem for path in made.glob("*.mat"))
    jobs = {"features": ["features", "--kind", "compact", *(f"/data/{name}.mat" for name in names)],
            "evaluation": ["evaluate", "--forest", "/data/forest.txt", "--labels", "/data/labels.csv", "--dir", "/data",
                           "--split", "all"]}
    for what, words in jobs.items():
        plain = run(["-q", "--heap", "1G", "--executors", 2, "--dir", f"{made}:/data:ro", *program, *words])
        words = [str(word).replace("/data/forest.txt", "/vol/forest.txt").replace("/data", "/vol/data") for word in words]
        sealed = run(["-q", "--heap", "1G", "--executors", 2, "--volume", f"{volume}:/vol:ro", *program, *words])
        check(plain.returncode == 0 and sealed.returncode == 0 and plain.stdout.replace("/data", "/vol/data") ==
              sealed.stdout and plain.stdout, f"ECG {what}: the same from a volume, {len(plain.stdout)} characters {sealed.stderr}")


def looked_into(*options):
    """Which processes of a job that holds the file's content show it to root, and how."""
    with Job(["-q", *options, CELL, "hold", "/data/secret"], env={**os.environ, "TMPDIR": str(SCRATCH / "tmp")}) as job:
        check(job.line().startswith(b"holding"), f"{options}: the cell has read the file")
        found = {f"{name} {pid}": memscan.everywhere(pid, MARKER) for pid, name in job.processes().items()}
        job.end(input=b"\n")
        check(job.status == 0, f"{options}: it ends well after all that")
        return {name: ways for name, ways in found.items() if ways}


def check_secrecy():
    """By root, who alone may look."""
    plain = SCRATCH / "secrets"
    plain.mkdir()
    (SCRATCH / "tmp").mkdir()
    (plain / "secret").write_bytes(MARKER * 200)
    volume = new_volume("secret.vol", (plain / "secret", "/secret"), (plain / "secret", f"/{MARKER.decode()[:200]}"))
    check(memscan.files_below(plain, MARKER), "the marker is found in a plain file (positive control)")
    check(not memscan.files_below(volume, MARKER) and MARKER.decode() not in " ".join(os.listdir(volume)),
          "nothing of it is in the volume's files or their names")
    if os.geteuid() != 0:
        return
    control = looked_into("--memory", "insecure-none", "--volume", f"{volume}:/data:ro")
    check(any("cella-cell" in name for name in control), f"at insecure-none root finds it in the executor (positive control) {control}")
    for level in ("secret", "paged"):
        found = looked_into("--memory", level, *LEVELS[level], "--volume", f"{volume}:/data:ro")
        check(not found, f"{level}: root finds it nowhere {found}")
    check(not memscan.files_below(SCRATCH / "tmp", MARKER), "nor in files that were written meanwhile")


def check_damage():
    data = SCRATCH / "recording"
    data.write_bytes(os.urandom(200000))
    volume = new_volume("damaged.vol", (data, "/fine"), (data, "/recording"))
    whole = on_volume(volume, "read", "/data/recording", mode=":ro")
    check("200000 bytes" in whole.stdout, f"the recording is read {whole.stdout} {whole.stderr}")
    segment = sorted(volume.glob("*.segment"))[-1]  # of the last import
    before, answers = segment.read_bytes(), set()
    for place in range(4096 * 3 + 100, len(before), 4096 * 7):
        segment.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1:])
        job = on_volume(volume, "read", "/data/recording", mode=":ro")
        answers.add("refused" if job.returncode == REFUSED else job.stdout.strip().rpartition(": ")[2])
        if "EIO" in job.stdout:
            check("cella: /data: recording: block " in job.stderr, f"the file and block are named: {job.stderr.strip()}")
    check("EIO" in answers and answers <= {"EIO", "refused", whole.stdout.strip().rpartition(": ")[2]},
          f"a changed bit is an error or without effect: {answers}")
    segment.write_bytes(before)
    check(on_volume(volume, "read", "/data/recording", mode=":ro").stdout == whole.stdout, "left alone, it is read as before")


def check_refusals():
    volume = new_volume("refused.vol")
    other = new_volume("other.vol")
    check(on_volume(volume, "write", "/data/f", "old").returncode == 0, "a program writes a file")
    old = SCRATCH / "old"
    shutil.copytree(volume, old)
    check(on_volume(volume, "write", "/data/f", "new").returncode == 0, "and writes it again")
    check(volume_verb("cat", volume, "/f") == "new", "which is what the volume has then")
    volume.rename(SCRATCH / "aside")
    old.rename(volume)
    job = on_volume(volume, "read", "/data/f", mode=":ro")
    check(job.returncode == REFUSED and not job.stdout and "the volume at /data" in job.stderr, f"an old copy is refused: {job.stderr.strip()}")
    shutil.rmtree(volume)
    (SCRATCH / "aside").rename(volume)
    job = run(["-q", "--volume", f"{volume}:/data", "--volume-key", f"{other}.key", CELL, "read", "/data/f"])
    check(job.returncode in (FAILED, REFUSED) and not job.stdout and job.stderr.strip(), f"another's key file is refused: {job.stderr.strip()}")
    key = Path(f"{volume}.key")
    key.rename(SCRATCH / "elsewhere.key")
    job = on_volume(volume, "read", "/data/f")
    check(job.returncode == FAILED and "refused.vol.key" in job.stderr, f"without its key file it is not opened: {job.stderr.strip()}")
    job = run(["-q", "--volume", f"{volume}:/data", "--volume-key", SCRATCH / "elsewhere.key", CELL, "read", "/data/f"])
    check(job.returncode == 0 and "3 bytes" in job.stdout, f"with --volume-key it is {job.stderr}")
    (SCRATCH / "elsewhere.key").rename(key)
    root, later = Path(f"{volume}.root"), SCRATCH / "later"
    volume_verb("import", volume, CELL, "/kept")  # so that nothing of this commit is removed with the next
    then = root.read_bytes()
    later.write_text("later")
    volume_verb("import", volume, later, "/f")
    now = root.read_bytes()
    root.write_bytes(then)
    job = on_volume(volume, "read", "/data/f", mode=":ro")
    check("3 bytes" in job.stdout, f"a job is at the root file's commit, whatever the volume's hint says: {job.stdout}{job.stderr}")
    job = on_volume(volume, "write", "/data/f", "lost")
    check(job.returncode == REFUSED and "which was not told, or is an old copy" in job.stderr, f"nor does it write over later ones: {job.stderr.strip()}")
    root.write_bytes(now)
    check(volume_verb("cat", volume, "/f") == "later", "which are there when the root file is")
    before = stored(volume)
    job = on_volume(volume, "write", "/data/f", "changed", mode=":ro")
    check(job.returncode == 3 and job.stdout == "EROFS\n" and stored(volume) == before, f"read-only is not written: {job.stdout}{job.stderr}")
    job = run(["-q", "--volume", f"{volume}:/data", "--dir", f"{SCRATCH}:/data", CELL, "read", "/data/f"])
    check(job.returncode == USAGE, "two directories of one name are a mistake")


def check_commits():
    volume = new_volume("commits.vol")
    with Job(["-q", "--volume", f"{volume}:/data", CELL, "until", "/data/f"]) as job:
        check(job.line() == b"written\n", "a program has synced a file, and written it again")
        second = on_volume(volume, "write", "/data/g", "g")
        check(second.returncode == REFUSED and "another process writes" in second.stderr, f"a second writer is refused: {second.stderr.strip()}")
        reader = on_volume(volume, "read", "/data/f", mode=":ro")
        check("5 bytes" in reader.stdout, f"a reader sees the last commit: {reader.stdout}{reader.stderr}")
        [executor] = job.executors()
        os.kill(executor, signal.SIGKILL)
        job.end()
        check(job.status == FAILED, f"its executor is killed: {job.status}")
    check(volume_verb("cat", volume, "/f") == "first", "what was synced is there, what came after is not")
    with Job(["-q", "--volume", f"{volume}:/data", CELL, "until", "/data/f"]) as job:
        job.line()
        job.end(input=b"\n")
    check(volume_verb("cat", volume, "/f") == "second", "at the end what was written is kept")
    job = on_volume(volume, "append", "/data/f", "+", options=("--dir", f"{SCRATCH}:/other:ro"))
    check(job.returncode == 0 and volume_verb("cat", volume, "/f") == "second+", f"a program appends {job.stderr}")
    check(on_volume(volume, "until", "/data/h").returncode == 1 and volume_verb("cat", volume, "/h") == "second",
          "and what a program wrote that ends with another status, too")


def check_readers():
    """What a job reads stays while it runs, whoever writes meanwhile."""
    large = SCRATCH / "large"
    large.write_bytes(os.urandom(3 << 20))
    volume = new_volume("readers.vol", (large, "/large"))
    whole = on_volume(volume, "read", "/data/large", mode=":ro").stdout
    first = [path for path in volume.glob("*.segment") if path.stat().st_size > 3 << 20]
    with Job(["-q", "--volume", f"{volume}:/data:ro", CELL, "later", "/data/large"]) as job:
        check(job.line() == b"waiting\n", "a job has begun with a file")
        volume_verb("rm", volume, "/large")
        said = volume_verb("compact", volume, "--all")
        check("others still read" in said and first[0].exists(), f"which is removed, but not what it lies in: {said}")
        out, log = job.end(input=b"\n")
        check(out.decode() == whole and job.status == 0, f"so the job reads it {log}")
    said = volume_verb("compact", volume, "--all")
    check("others" not in said and not first[0].exists(), f"then it is gone: {said}")


def check_lost_answers():
    """The owner cannot write its root file for a while: the commits after that are as good as those before."""
    volume = new_volume("answers.vol")
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing past the limit is an error
    with Job(["-q", "--volume", f"{volume}:/data", CELL, "again", "/data/f"], restore_signals=False) as job:
        signal.signal(signal.SIGXFSZ, ignored)
        said = [job.line()]
        limits = resource.prlimit(job.pid, resource.RLIMIT_FSIZE)
        for limit in (0, limits[0], limits[0]):
            resource.prlimit(job.pid, resource.RLIMIT_FSIZE, (limit, limits[1]))
            job.process.stdin.write(b"\n")
            job.process.stdin.flush()
            said.append(job.line())
        _, log = job.end(input=b"\n")
        check(said == [b"synced\n", b"EIO\n", b"synced\n", b"synced\n"] and job.status == 0, f"one failed commit ends no other: {said}")
        check(b"not at the root keeper" in log, f"it says which failed, and why: {log}")
    check(volume_verb("cat", volume, "/f") == "abcd", "everything is there")


needs_secret()
CELL = build_cell(SOURCE_FILE)
check_operations()
check_ecg()
check_secrecy()
check_damage()
check_refusals()
check_commits()
check_readers()
check_lost_answers()
finish()
