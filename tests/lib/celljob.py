"""What integration tests in Python share: the build, a scratch directory, jobs, and checks."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(os.environ.get("CELLA_SOURCE", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("CELLA_BUILD", SOURCE / "build"))
CELLA = str(BUILD / "cella")
SCRATCH = Path(tempfile.mkdtemp(prefix="cella-test-"))
TRAPPED, FAILED, REFUSED, USAGE = 134, 125, 126, 2  # statuses of cella run

os.environ.setdefault("CELLA_BUILDER_KEY", str(SCRATCH / "builder.key"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)

failures = 0


def check(condition, what):
    """Report one fact; the test goes on."""
    global failures
    print(("ok      " if condition else "FAILED  ") + what, flush=True)
    failures += not condition
    return condition


def note(text):
    """Something that a reader of the output should know and that is no check."""
    print("        " + text, flush=True)


def skip_part(name, why):
    """A part of the test that cannot run here: tests/run counts it, and tests/skips.allow must name it."""
    print(f"skipped: {name}: {why}", flush=True)


def finish():
    sys.exit(1 if failures else 0)


def skip(why):
    print(why)
    sys.exit(77)


def build_cell(source, name=None, *options):
    """Compile C files (a name below tests/cells, a path, or a list of paths) into a cell; its path."""
    sources = source if isinstance(source, list) else [source if "/" in str(source) else SOURCE / "tests/cells" / source]
    out = SCRATCH / (name or Path(sources[0]).stem + ".cell")
    subprocess.run([CELLA, "cc", *map(str, sources), *options, "-o", str(out)], check=True, timeout=300)
    return str(out)


def ecg_program():
    """Words of a cella run command line that name the ECG workflow's cell, whoever built it."""
    built = BUILD / "examples/ecg/ecg.cell"
    if not built.exists():
        return [build_cell(sorted((SOURCE / "examples/ecg").glob("*.c")), "ecg.cell")]
    shown = subprocess.run([CELLA, "inspect", str(built)], capture_output=True, text=True, check=True).stdout
    builder = next(line.split()[1] for line in shown.splitlines() if line.startswith("builder"))
    return ["--accept-builder", builder, str(built)]


def run(arguments, **options):
    """cella run to its end; the CompletedProcess, with text unless text=False."""
    options.setdefault("timeout", 300)
    options.setdefault("text", True)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    program = options.pop("program", CELLA)
    return subprocess.run([program, "run", *map(str, arguments)], capture_output=True, check=False, **options)


def read_stat(pid):
    """Of a process: its name, and what /proc/PID/stat says from its state on; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            text = f.read()
    except OSError:
        return None
    end = text.rindex(")")
    return text[text.index("(") + 1:end], text[end + 2:].split()


def process_table():
    """Of every process: its parent, name and state."""
    table = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if stat := read_stat(pid):
            name, fields = stat
            table[int(pid)] = (int(fields[1]), name, fields[0])
    return table


def birth(pid):
    """When a process began, which tells it from a later one of its number; None when it is gone, or a zombie."""
    stat = read_stat(pid)
    return stat[1][19] if stat and stat[1][0] not in "ZX" else None


def runs(pid):
    """Is the process there, and no zombie?"""
    return birth(pid) is not None


def wait_until(condition, seconds=60):
    """Poll a condition; its last value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.005)
    return condition()


class Job:
    """cella run in the background. Use as a context: what is left of it is killed at the end."""

    def __init__(self, arguments, program=CELLA, **options):
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, subprocess.PIPE)
        self.seen = {}  # its processes: when they began
        self.process = subprocess.Popen([program, "run", *map(str, arguments)], **options)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        for pid in self.running():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait(timeout=60)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def line(self):
        """The next line of its standard output."""
        return self.process.stdout.readline()

    def end(self, timeout=120, **options):
        """Its standard output and error when it has ended; its status is in `status`."""
        output, log = self.process.communicate(timeout=timeout, **options)
        self.status = self.process.returncode
        return output, log

    def processes(self):
        """All processes of the job but the command line: {pid: name}. Executors are called cella-cell. Children of
        the launcher that bear its name are waited for: they take a digest and end, or become executors."""
        seen = []
        wait_until(lambda: seen.append(self.descendants()) or list(seen[-1].values()).count("cella-las") <= 1, 20)
        return seen[-1]

    def descendants(self):
        """The same as they are at this moment."""
        table = process_table()
        found, todo = {}, [self.pid]
        while todo:
            parent = todo.pop()
            for pid, (its_parent, name, state) in table.items():
                if its_parent != parent or state in "ZX":
                    continue
                # The launcher executes them from a memory file, which some kernels name them by.
                is_executor = found.get(parent) == "cella-las" and name != "cella-las"
                found[pid] = "cella-cell" if is_executor else name
                todo.append(pid)
        for pid in found:
            if pid not in self.seen and (begun := birth(pid)):
                self.seen[pid] = begun
        return found

    def named(self, name):
        return [pid for pid, its in self.processes().items() if its == name]

    def executors(self):
        return self.named("cella-cell")

    def running(self):
        """Those of its processes, ever seen, that still run."""
        return [pid for pid, begun in self.seen.items() if birth(pid) == begun]

    def left(self):
        """Those that do not end by themselves."""
        wait_until(lambda: not self.running())
        return self.running()


class Frozen:
    """The processes of a job, stopped for the time of the context."""

    def __init__(self, job):
        self.processes = job.processes()

    def __enter__(self):
        for pid in self.processes:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(map(is_stopped, self.processes)))
        return self.processes

    def __exit__(self, *_):
        for pid in filter(runs, self.processes):
            os.kill(pid, signal.SIGCONT)


def is_stopped(pid):
    """Or is it no more?"""
    stat = read_stat(pid)
    return not stat or stat[1][0] in "tTZX"


def has_secret():
    """Does secret memory work here? The reason if not."""
    text = subprocess.run([CELLA, "doctor"], capture_output=True, text=True, check=False).stdout
    line = next((line for line in text.splitlines() if line.split()[1:2] == ["secret"]), "")
    return line.split()[:1] == ["yes"], line


def needs_secret():
    works, line = has_secret()
    if not works:
        skip(f"no secret memory here: {line}")


def ecg_data():
    """The directory of the ECG recordings, or None."""
    for place in (os.environ.get("CELLA_ECG_DATA"), SOURCE / "data/ecg2017", SOURCE.parent / "shared/data/ecg2017"):
        if place and (Path(place) / "training2017").is_dir():
            return Path(place)
    return None
