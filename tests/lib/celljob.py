"""What integration tests in Python share: the build, a scratch directory, running jobs, reports."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(os.environ.get("CELLA_SOURCE", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("CELLA_BUILD", SOURCE / "build"))
CELLA = str(BUILD / "cella")
SCRATCH = Path(tempfile.mkdtemp(prefix="cella-test-"))

os.environ.setdefault("CELLA_BUILDER_KEY", str(SCRATCH / "builder.key"))

failures = 0


def check(condition, what):
    """Report one fact; the test goes on."""
    global failures
    print(("ok    " if condition else "FAILED ") + what, flush=True)
    failures += not condition
    return condition


def finish():
    sys.exit(1 if failures else 0)


def skip(why):
    print(why)
    sys.exit(77)


def build_cell(source, name=None):
    """Compile one C file of tests/cells (or a path) into a cell; gives its path."""
    path = SOURCE / "tests" / "cells" / source if "/" not in str(source) else Path(source)
    out = SCRATCH / (name or path.stem + ".cell")
    subprocess.run([CELLA, "cc", str(path), "-o", str(out)], check=True, timeout=300)
    return str(out)


def run(arguments, **options):
    """cella run to its end; the CompletedProcess with text output."""
    options.setdefault("timeout", 120)
    return subprocess.run([CELLA, "run", *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def start(arguments, **options):
    """cella run in the background, with pipes."""
    return subprocess.Popen([CELLA, "run", *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


def wait_until(condition, seconds=20):
    """Poll a condition; its last value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    return condition()


def ecg_data():
    """The directory of the ECG recordings, or None."""
    for place in (os.environ.get("CELLA_ECG_DATA"), SOURCE / "data/ecg2017", SOURCE.parent / "shared/data/ecg2017"):
        if place and (Path(place) / "training2017").is_dir():
            return Path(place)
    return None
