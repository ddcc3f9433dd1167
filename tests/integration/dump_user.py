#!/usr/bin/env python3
# as: root user memlock
"""Can another user, or another process of the same user, read what a cell holds or act on it?

Under root the attacker is an ordinary user; run by an ordinary user it is that user. Every way is refused at
both levels of memory; on an ordinary process of the attacker's own each works (so the test can fail)."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import SCRATCH, Job, build_cell, check, finish, has_secret, skip_part
from tracer import Tracer

ORDINARY = 65534
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable  # that everybody may run
MARKER = b"marker-of-" + os.urandom(16).hex().encode()


def traced(pid):
    with Tracer(pid) as tracer:
        return bool(tracer.registers().rip)


def stolen(pid):
    """A descriptor of its own, through pidfd_getfd."""
    pidfd = os.pidfd_open(pid)
    fd = memscan.libc.syscall(memscan.SYS_PIDFD_GETFD, pidfd, 0, 0)
    os.close(pidfd)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "")
    os.close(fd)
    return True


ATTACKS = {
    "/proc/PID/mem": lambda pid, marker: bool(memscan.in_mem(pid, marker)),
    "process_vm_readv": lambda pid, marker: bool(memscan.in_vm_readv(pid, marker)),
    "ptrace": lambda pid, _: traced(pid),
    "pidfd_getfd": lambda pid, _: stolen(pid),
    "/proc/PID/maps": lambda pid, _: bool(Path(f"/proc/{pid}/maps").read_text(encoding="ascii")),
    "/proc/PID/environ": lambda pid, _: Path(f"/proc/{pid}/environ").read_bytes() is not None,
}


def attack(pid, marker):
    """In a process of the attacker: which ways work, as JSON on standard output."""
    works = {}
    for name, way in ATTACKS.items():
        try:
            works[name] = way(pid, marker)
        except OSError:
            works[name] = False
    print(json.dumps(works))


def attacked(pid):
    """By an ordinary user."""
    command = [PYTHON, __file__, "attack", str(pid), MARKER.decode()]
    options = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, **options)
    return json.loads(done.stdout)


def check_control():
    options = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []} if os.geteuid() == 0 else {}
    # PR_SET_PTRACER_ANY, for kernels where Yama keeps siblings apart.
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(0x59616d61, -1, 0, 0, 0); held = sys.argv[1].encode(); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([PYTHON, "-c", code, MARKER.decode()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          **options) as held:
        held.stdout.readline()
        works = attacked(held.pid)
        check(all(works.values()), f"an ordinary process of the attacker's own (positive control): {works}")
        held.stdin.close()


def main():
    if sys.argv[1:2] == ["attack"]:
        attack(int(sys.argv[2]), sys.argv[3].encode())
        return
    check_control()
    cell = build_cell("park.c")
    (SCRATCH / "secret").write_bytes(MARKER)
    levels = ["insecure-none", "secret"] if has_secret()[0] else ["insecure-none"]
    for level in levels:
        with Job(["-q", "--memory", level, "--dir", f"{SCRATCH}:/data:ro", cell, "/data/secret"]) as job:
            check(job.line().startswith(b"parked"), f"{level}: the cell is parked")
            [pid] = job.executors()
            works = attacked(pid)
            check(not any(works.values()), f"{level}: another process cannot: {works}")
            others = [other for other in job.processes() if other != pid]
            works = [attacked(other) for other in others]
            check(not any(found["/proc/PID/mem"] or found["process_vm_readv"] for found in works),
                  f"{level}: agent and launcher do not hold the secret")
            job.end()
            check(job.status == 0, f"{level}: the job ends well")
    if len(levels) == 1:
        skip_part("secret", has_secret()[1].strip())
    finish()


main()
