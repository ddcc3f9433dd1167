#!/usr/bin/env python3
# as: root
# root alone: it is the attacker
"""Do a job's keys lie in memory that root can read?

The session's data key is looked for by what it must do: derive the key id that stands in the clear in each
sealed object of the store. Then the keys of those objects are looked for by their bytes. At insecure-none
both are found in executors; at secret in no process but the owner's command line, although they are there:
what executors are made to write of themselves (which is not stopped) holds them."""

import hmac
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import SCRATCH, Frozen, Job, build_cell, check, finish, needs_secret, note
from tracer import Tracer

DATA, LOG = SCRATCH / "data", SCRATCH / "log"
MAGIC, HEADER_SIZE, KEY_SIZE = b"CSO1\x01\x00", 72, 32
KEY_ID = slice(8, 16)
SYS_WRITE, LOG_FD = 1, 2


def derive(key, info):
    """HKDF-Expand to 32 bytes."""
    return hmac.digest(key, info + b"\x01", "sha256")


def sealed_headers(agent):
    """Of the objects in the store, which is a memory file that the agent holds open."""
    found = []
    for fd in os.listdir(f"/proc/{agent}/fd"):
        path = f"/proc/{agent}/fd/{fd}"
        if "cella-store" not in os.readlink(path):
            continue
        with open(path, "rb", buffering=0) as store:
            content = os.pread(store.fileno(), 4 << 20, 0)
        at = -1
        while (at := content.find(MAGIC, at + 1)) >= 0:
            found.append(content[at:at + HEADER_SIZE])
    return found


def looks_random(words):
    """Hardly a pointer or a small number among them; one may be, for keys are such words now and then."""
    return sum(0 < word >> 48 < 0xffff for word in words) >= 3


def find_key(memory, key_id):
    """A data key with this id, or None."""
    words = memoryview(memory[:len(memory) & ~7]).cast("Q")
    for i in range(len(words) - 3):
        if (words[i] >> 48 or words[i + 1] >> 48) and looks_random(words[i:i + 4]):
            candidate = memory[8 * i:8 * i + KEY_SIZE]
            if derive(candidate, b"cella key id")[:8] == key_id:
                return candidate
    return None


def readable(pid):
    """What root reads of its writable memory."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in memscan.mappings(pid):
            if "w" not in mapping.mode or "cella-store" in mapping.line:
                continue
            for start, stop in memscan.present(pid, mapping.low, mapping.high):
                try:
                    parts.append(os.pread(memory.fileno(), stop - start, start))
                except OSError:
                    continue
    return b"".join(parts)


def written_out(pid):
    """What it is made to write of its protected memory to its log."""
    before = LOG.stat().st_size
    with Tracer(pid) as tracer:
        for mapping in memscan.mappings(pid):
            for start, stop in memscan.present(pid, mapping.low, mapping.high) if mapping.secret else ():
                tracer.call(SYS_WRITE, LOG_FD, start, stop - start)
    return LOG.read_bytes()[before:]


class Findings:
    def __init__(self):
        self.headers, self.readable, self.written = [], {}, b""


def look_into(level, cell):
    findings = Findings()
    with open(LOG, "wb") as log:
        with Job(["-q", "--memory", level, "--executors", 1, "--heap", "64M", "--dir", f"{DATA}:/data", cell, "/data/secret", 8192, 8],
                 stderr=log) as job:
            job.line()
            with Frozen(job) as processes:
                for pid, name in processes.items():
                    findings.readable[f"{name} {pid}"] = readable(pid)
                    if name == "cella-agent":
                        findings.headers = sealed_headers(pid)
            if level == "secret":
                findings.written = b"".join(map(written_out, job.executors()))
            (DATA / "stop").touch()
            job.process.stdout.read()
            job.process.wait(timeout=120)
            (DATA / "stop").unlink()
            check(job.process.returncode == 0, f"{level}: the job ends well")
    check(findings.headers, f"{level}: {len(findings.headers)} sealed objects are in the store")
    return findings


def main():
    needs_secret()
    DATA.mkdir()
    (DATA / "secret").write_bytes(b"a secret " * 20)
    cell = build_cell("carry.c")

    found = look_into("insecure-none", cell)
    keys = {name: find_key(memory, found.headers[0][KEY_ID]) for name, memory in found.readable.items()}
    check(any(keys.values()), f"insecure-none: root finds the data key (positive control): {[name for name in keys if keys[name]]}")
    check(all(key is None for name, key in keys.items() if not name.startswith("cella-cell")),
          "insecure-none: neither the agent nor the launcher has it")

    found = look_into("secret", cell)
    key = find_key(found.written, found.headers[0][KEY_ID])
    check(key, f"secret: it is in the {len(found.written) >> 10} KiB that executors are made to write (positive control)")
    object_keys = {derive(key or b"", b"cella object" + header) for header in found.headers}
    note(f"{sum(each in found.written for each in object_keys)} of {len(object_keys)} keys of objects are there, too")
    for name, memory in found.readable.items():
        check(find_key(memory, found.headers[0][KEY_ID]) is None and (key or b"") not in memory,
              f"secret: the data key is not in the {len(memory) >> 10} KiB that root reads of {name}")
        check(not any(each in memory for each in object_keys), f"secret: nor is the key of an object in {name}")
    finish()


main()
