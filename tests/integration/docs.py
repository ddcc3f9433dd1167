#!/usr/bin/env python3
# as: root user
# no memlock: tests of their own run there
"""Do the documents' programs and commands do what the documents say?

Each block of C with a main in README.md and docs/reference/tasks.md is built and run, as a cell and natively:
both print what the block behind it says, if there is one. A block marked `c cell` does something else natively,
where it is only built. The commands of docs/tutorial.md are run in order; what they print is compared, where
"..." stands for anything."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import BUILD, CELLA, SCRATCH, SOURCE, build_cell, check, finish, needs_secret, run

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
NOT_HERE = re.compile(r"make|export PATH|.*data/ecg2017")  # commands that need the internet, or build what is built
MARK = "command number"


def programs(document):
    """(name, is it the same natively, source, what it prints or None)."""
    blocks = BLOCK.findall((SOURCE / document).read_text(encoding="utf-8"))
    found = [(kind.split(), text, after) for (kind, text), after in zip(blocks, [*blocks[1:], ("", "")])
             if kind.split()[:1] == ["c"] and "int main(" in text]
    for number, (kind, text, (after, output)) in enumerate(found, 1):
        yield f"{Path(document).stem}-{number}", "cell" not in kind, text, output if after == "output" else None


def check_program(name, same, text, output):
    source, native, place = SCRATCH / f"{name}.c", SCRATCH / f"{name}-native", SCRATCH / f"{name}-files"
    source.write_text(text, encoding="utf-8")
    place.mkdir()
    cell = build_cell(source)
    built = subprocess.run([CELLA, "cc", "--native", "-Wall", "-Werror", source, "-o", native], check=False, timeout=300)
    check(built.returncode == 0, f"{name}: it builds natively")
    job = run(["-q", "--executors", "2", "--dir", f"{place}:/files", cell, "/files"])
    check(job.returncode == 0 and job.stdout, f"{name}: in a cell it prints {job.stdout!r} {job.stderr}")
    check(output is None or job.stdout == output, f"{name}: the document says {output!r}")
    if same:
        done = subprocess.run([native, place], capture_output=True, text=True, check=False, timeout=300)
        check(done.returncode == 0 and done.stdout == job.stdout, f"{name}: natively it prints {done.stdout!r}")


def commands(document):
    """(command, the lines that it prints) of the blocks whose lines begin with "$ "."""
    for _, text in BLOCK.findall((SOURCE / document).read_text(encoding="utf-8")):
        if text.startswith("$ "):
            for piece in re.split(r"^\$ ", text, flags=re.M)[1:]:
                command = re.match(r"(?:.*\\\n)*.*\n", piece)[0]
                yield command.strip(), piece[len(command):].splitlines()


def matches(lines, expected):
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines)) is not None


def as_here(line):
    """Which measures stand around executors depends on who asks."""
    return re.sub(r'("isolation": ).*', r"\1...", line)


def check_tutorial():
    document = SCRATCH / "tutorial"
    (document / "build/examples/ecg").mkdir(parents=True)
    ecg = build_cell(sorted((SOURCE / "examples/ecg").glob("*.c")), "ecg.cell")
    os.rename(ecg, document / "build/examples/ecg/ecg.cell")
    text = (SOURCE / "docs/tutorial.md").read_text(encoding="utf-8")
    source = next(block for kind, block in BLOCK.findall(text) if kind == "c")
    (document / "pulse.c").write_text(source, encoding="utf-8")
    here = [(command, expected) for command, expected in commands("docs/tutorial.md") if not NOT_HERE.match(command)]
    script = "".join(f"echo '{MARK} {i}'\n{command}\n" for i, (command, _) in enumerate(here))
    env = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "LC_ALL": "C"}
    done = subprocess.run(["bash", "-c", script], cwd=document, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=200)
    printed = re.split(rf"^{MARK} \d+\n", done.stdout, flags=re.M)[1:]
    check(len(printed) == len(here) > 15, f"all {len(here)} commands of the tutorial ran")
    for (command, expected), output in itertools.zip_longest(here, printed, fillvalue=""):
        lines = [as_here(line) for line in output.splitlines()]
        check(matches(lines, [as_here(line) for line in expected]), f"tutorial: {command}" +
              ("" if matches(lines, [as_here(line) for line in expected]) else f" prints {output!r}"))


def main():
    needs_secret()
    found = [program for document in ("README.md", "docs/reference/tasks.md") for program in programs(document)]
    check(len(found) >= 7, f"{len(found)} programs in the documents")
    for program in found:
        check_program(*program)
    check_tutorial()
    finish()


main()
