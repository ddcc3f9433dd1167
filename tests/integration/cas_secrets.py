#!/usr/bin/env python3
# as: root
# root alone: it is the attacker
"""Does root find a secret anywhere but in the grant of the cell that it is for?

A secret that the CAS has generated, and one that stands in a session: in the CAS's directory, in what it says with
all of its log, and in its memory, by every way that memscan knows, at rest; and, stopped again and again in the
midst of making grants, by the quick ones. At secret nowhere; at insecure-none the same searches find the one that
stands in the session at any time, and the generated one while grants are made (positive controls). Also the keys
of the CAS's certificate and of its first owner, which it has made."""

import base64
import os
import shutil
import signal
import sqlite3
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from castest import CELL, Cas, Executor, Launcher, scalar_of
from celljob import check, finish, needs_secret, note, skip, wait_until

GIVEN = "given-" + os.urandom(20).hex()
QUICK = ("/proc/PID/mem", "process_vm_readv")
CLIENTS, STOPS, STOPS_MAX = 4, 8, 100
SECRET = 2  # kind of record (cas/records/records.h)
# The second service's grant takes long to make: it has the generated secret many times.
SESSION = f"""name: s
version: "0.1"
secrets:
  - {{name: made, kind: ascii, size: 4096}}
  - {{name: raw, kind: binary, size: 64}}
  - {{name: given, kind: ascii, value: {GIVEN}}}
services:
  - name: s
    command: [x, $$CELLA::given$$, $$CELLA::raw:hex$$]
    environment:
      V: $$CELLA::made$$
    attestation:
      - cell: {CELL}
  - name: big
    command: [x]
    environment:
{"".join(f"      V{i}: $$CELLA::made$$" + chr(10) for i in range(200))}    attestation:
      - cell: {CELL}
"""


def learn(cas, launcher):
    """The generated secrets, as an executor has them."""
    executor = Executor()
    status, grant = cas.attest("s", "s", launcher.sign(cas.nonce(), executor))
    check(status == 200, f"a grant: {status}")
    opened = executor.open(grant)
    made = opened["environment"][0].partition("=")[2]
    check(len(made) == 4096 and opened["arguments"][1] == GIVEN, "it has both secrets")
    return made[1000:1064].encode(), bytes.fromhex(opened["arguments"][2])


def forms(secret):
    """As it is, in hexadecimal, in base64 at any offset."""
    middle = [base64.b64encode(b"x" * i + secret)[4:-4] for i in range(3)]
    return [secret, secret.hex().encode(), *middle]


class Load:
    """Clients that have grants made all the time. An executor has its grant once, and is refused when the next one is
    made: that will do."""

    def __init__(self, cas, launcher):
        self.cas, self.end, self.count = cas, threading.Event(), 0
        self.evidence = [launcher.sign(cas.nonce(), Executor()) for _ in range(CLIENTS)]
        self.threads = [threading.Thread(target=self.run, args=(evidence,)) for evidence in self.evidence]

    def run(self, evidence):
        link = self.cas.connect()
        while not self.end.is_set():
            self.cas.ask("POST", "/v1/attest", {"session": "s", "service": "big", "evidence": evidence}, link=link)
            self.count += 1
        link.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        for thread in self.threads:
            thread.join(timeout=300)


def stopped_finds(cas, load, markers, stops):
    """Root stops the CAS in the midst of its work and looks: how often, and what it finds."""
    found, pid, before = set(), cas.process.pid, load.count
    for stop in range(1, stops + 1):
        seen = load.count
        wait_until(lambda: load.count > seen + CLIENTS)
        os.kill(pid, signal.SIGSTOP)
        try:
            for name, marker in markers.items():
                if any(memscan.WAYS[way](pid, marker) for way in QUICK):
                    found.add(name)
        finally:
            os.kill(pid, signal.SIGCONT)
        if "made" in found:
            break
    return stop, found, load.count - before


def look(cas, level, markers):
    """At rest: the names of those that are found. By all ways the one that is there all the time; the others, which
    are there for moments, by the quick ones."""
    found = set()
    for name, marker in markers.items():
        by_way = memscan.everywhere(cas.process.pid, marker, memscan.WAYS if name == "given" else QUICK)
        if by_way:
            found.add(name)
        if level == "secret":
            check(not by_way, f"secret: {name} is not in its memory" + "".join(f"\n         {way}: {hits}" for way, hits in by_way.items()))
        if name == "given" and level != "secret":
            check(set(memscan.WAYS) - {"descriptor"} <= set(by_way), f"{level}: {name} is found by each way: {set(by_way)} (positive control)")
    return found


def attack(level, *options):
    launcher = Launcher()
    with Cas(level, *options) as cas:
        cas.ask("POST", "/v1/las", {"key": launcher.key, "label": "x"}, cas.owner)
        status, answer = cas.ask("POST", "/v1/sessions", SESSION, cas.owner)
        check(status == 201, f"{level}: a session: {answer}")
        made, raw = learn(cas, launcher)
        markers = {"given": GIVEN.encode(), "made": made, "raw": raw,
                   "the owner's key": scalar_of(Path(cas.owner).read_text(encoding="ascii"))}
        note(f"{level}: at rest: {look(cas, level, markers)}")
        with Load(cas, launcher) as load:
            stops, found, made_count = stopped_finds(cas, load, {name: markers[name] for name in ("given", "made")}, STOPS if level == "secret" else STOPS_MAX)
        note(f"{level}: stopped {stops} times while {made_count} grants were asked for: {found}")
        if level == "secret":
            check(not found and made_count > 0, f"secret: nothing is found in the midst of making grants, either: {found}")
        else:
            check({"given", "made"} <= found, f"{level}: the generated secret is found in the midst of it (positive control)")
        check(cas.stop() == 0, f"{level}: it ends in order after all that")
        check_traces(cas, level, [form for marker in markers.values() for form in forms(marker)])


def check_traces(cas, level, traces):
    """What it left and said."""
    said = "".join(cas.output).encode()
    check("ending" in cas.output[1], f"{level}: it has said something")
    check(not any(trace in said for trace in traces), f"{level}: nothing of a secret in what it said")
    check(memscan.files_below(cas.directory, b"first owner"), f"{level}: the search finds what is in the clear in its directory")
    hits = [path for trace in traces for path in memscan.files_below(cas.directory, trace)]
    check(not hits, f"{level}: no secret in it: {hits}")
    database = sqlite3.connect(f"file:{cas.directory}/cas.db?mode=ro", uri=True)
    names = {row[0].split(b"\0")[1] for row in database.execute("SELECT id FROM record WHERE kind = ?", (SECRET,))}
    check(names > {b"made", b"raw"}, f"{level}: though they are there, and the CAS's own: {names}")
    database.close()


def main():
    needs_secret()
    if not shutil.which("gdb"):
        skip("gdb is not installed")
    os.environ["CELLA_LOG"] = "debug"
    attack("insecure-none", "--insecure-memory-none")
    attack("secret")
    finish()


main()
