#!/usr/bin/env python3
# as: root
# timeout: 300
"""Can root read what a parked cell holds?

At insecure-none yes (so the test can fail); at secret in no process but the owner's own command
line, whichever way root looks."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import SCRATCH, build_cell, check, finish, start, wait_until


def hits_of_parked_job(level, cell, marker):
    job = start(["-q", "--memory", level, "--dir", f"{SCRATCH}:/data:ro", cell, "/data/secret"])
    line = job.stdout.readline()
    check(line.startswith(b"parked"), f"{level}: the cell is parked")
    found = {}
    for pid, command in memscan.descendants(job.pid):
        found[f"{command} {pid}"] = memscan.everywhere(pid, marker)
    check(any(name.startswith("cella-cell") for name in found), f"{level}: there is an executor to look into")
    output, log = job.communicate(timeout=30)
    check(job.returncode == 0, f"{level}: the job ends well after all that")
    check(marker not in log, f"{level}: the log does not hold the secret")
    return found


def main():
    os.environ["TMPDIR"] = str(SCRATCH / "spill")
    (SCRATCH / "spill").mkdir()
    cell = build_cell("park.c")
    marker = b"cella-marker-" + os.urandom(24).hex().encode()
    (SCRATCH / "secret").write_bytes(b"\x00\x01" * 100 + marker + b"\x02" * 3000)
    found = hits_of_parked_job("insecure-none", cell, marker)
    check(any(found.values()), "insecure-none: root finds the secret (positive control)")
    ways = {hit.split(":")[0].split(" ")[0] for hits in found.values() for hit in hits}
    check({"core", "process_vm_readv"} <= ways, f"insecure-none: by memory, process_vm_readv and core file: {sorted(ways)}")
    found = hits_of_parked_job("secret", cell, marker)
    for name, hits in found.items():
        check(not hits, f"secret: nothing in {name}" + "".join("\n         " + hit for hit in hits))
    check(not memscan.files_below(SCRATCH / "spill", marker), "secret: nothing in files written")
    finish()


main()
