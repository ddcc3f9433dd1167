#!/usr/bin/env python3
# as: root user memlock
"""Does a node that lies get a job's keys?

tests/attacks/false_node.py stands in the agent's or the launcher's place and starts the genuine executor
by itself; tests/attacks/watch puts the genuine launcher under a seccomp notifier that gives executors
ordinary memory. Each is refused (126) before an executor has keys: nothing runs, and the secret is in none
of its memory. Control: the same agent without a lie runs the job, and who has the *owner* under the
notifier reads everything: the command line belongs on a machine that its owner trusts."""

import contextlib
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import BUILD, CELLA, FAILED, REFUSED, SCRATCH, SOURCE, Job, build_cell, check, finish, needs_secret, skip, wait_until

MARKER = os.urandom(40)
NODE, DATA, LOOT = SCRATCH / "node", SCRATCH / "data", SCRATCH / "loot"
WATCH = BUILD / "tests/attacks/watch"
SWAPPED = SCRATCH / "swapped.cell"
SAYS = {"own": "launcher is", "renamed": "signature", "stale": "nonce is", "replayed": ""}


def make_node(**replaced):
    """A copy of Cella with some of its programs replaced by scripts: {name: text}."""
    shutil.rmtree(NODE, ignore_errors=True)
    NODE.mkdir()
    for name in ("cella", "cella-agent", "cella-cell", "cella-las"):
        shutil.copy2(BUILD / name, NODE / name)
    for name, text in replaced.items():
        place = NODE / f"cella-{name}"
        place.rename(NODE / f"genuine-{name}")
        place.write_text(text)
        place.chmod(0o755)
    return str(NODE / "cella")


def marker_in(pids):
    """May be looked for by root alone, or by the executor's parent's user where its memory is ordinary."""
    found = []
    for pid in pids:
        try:
            found += memscan.in_mem(pid, MARKER)
        except OSError:
            continue
    return found


def attempt(program, attack):
    """A job on that node until its program speaks or it ends: (output, log, status, places of the secret)."""
    job = Job(["-q", "--dir", f"{DATA}:/data:ro", CELL, "/data/secret"], program=program,
              env={**os.environ, "CELLA_ATTACK": attack, "CELLA_SWAPPED": str(SWAPPED)})
    with job:
        first = job.line()
        found = marker_in(job.processes())
        output, log = job.end()
        left = job.left()
        return first + output, log.decode(errors="replace"), job.status, found, left


def check_refused(what, program, attack, says):
    output, log, status, found, left = attempt(program, attack)
    last = log.strip().splitlines()[-1:] or [""]
    check(status == REFUSED, f"{what}: refused, status {status}: {last[0][:150]}")
    check(says in log, f"{what}: it says why")
    check(not output and not found, f"{what}: nothing ran, and nothing knows the secret {output} {found}")
    check(not left, f"{what}: nothing is left running {left or ''}")


def main():
    global CELL
    needs_secret()
    if not shutil.which("openssl"):
        skip("openssl is not installed: it signs the lies")
    DATA.mkdir()
    (DATA / "secret").write_bytes(MARKER)
    CELL = build_cell("park.c")
    liar = (SOURCE / "tests/attacks/false_node.py").read_text(encoding="utf-8")

    program = make_node(agent=liar)
    output, log, status, found, _ = attempt(program, "honest")
    check(status == 0 and output.startswith(b"parked") and not found, f"an agent that does not lie runs the job: {status} {log}")
    output, log, status, _, left = attempt(program, "cut")
    check(output.startswith(b"parked") and status == FAILED and "did not say how its output ends" in log and not left,
          f"an agent that cuts off an executor's last words: the job fails {status} {log}")
    for attack, says in SAYS.items():
        check_refused(f"agent, {attack}", program, attack, says)
    check_other_bundles(program)
    check_refused("launcher, own", make_node(las=liar), "own", "launcher")

    watched = make_node(las=f'#!/bin/sh\nexec {WATCH} {DATA}/secret {LOOT} {NODE}/genuine-las "$@" --executor {NODE}/cella-cell\n')
    check_refused("launcher under a notifier", watched, "", "")
    check(not LOOT.exists(), "launcher under a notifier: it has not read the secret")

    check_owner_watched()
    finish()


def check_not_started(what, program, attack, says):
    """The executor itself says no, before it has a key, and there is no evidence of it."""
    output, log, status, found, left = attempt(program, attack)
    check(status == FAILED and says in log and not output and not found and not left, f"{what}: not started, {status} {log}")


def check_other_bundles(program):
    """Genuine executors that were given another bundle than the owner's: the evidence says so."""
    shutil.copy(build_cell("files.c"), SWAPPED)
    check_refused("agent, another cell by the same builder", program, "swapped", "cell is")
    check_not_started("agent, half a bundle", program, "torn", "malformed bundle")
    with another_builder():
        shutil.copy(build_cell("park.c", "rebuilt.cell"), SWAPPED)
    check_refused("agent, the same cell by another builder", program, "rebuilt", "builder is")
    check_not_started("agent, the same cell by a builder who is not asked for", program, "swapped", "none of its builders")


@contextlib.contextmanager
def another_builder():
    """Another builder's key while this lasts."""
    own = os.environ["CELLA_BUILDER_KEY"]
    os.environ["CELLA_BUILDER_KEY"] = str(SCRATCH / "other-builder.key")
    yield
    os.environ["CELLA_BUILDER_KEY"] = own


def check_owner_watched():
    wrapper = SCRATCH / "watched-cella"
    wrapper.write_text(f'#!/bin/sh\nexec {WATCH} {DATA}/secret {LOOT} {CELLA} "$@"\n')
    wrapper.chmod(0o755)
    with Job(["-q", "--dir", f"{DATA}:/data:ro", CELL, "/data/secret"], program=str(wrapper)) as job:
        ran = job.line().startswith(b"parked")
        read = wait_until(LOOT.exists)
        job.end()
        check(ran and read, "an owner under a notifier is read along (positive control)")


main()
