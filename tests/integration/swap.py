#!/usr/bin/env python3
# as: root
# root alone: it is the attacker
# alone
"""Does what a cell holds come to the swap space?

Root adds a swap file of the test's own and pushes all pages of a parked cell's processes out of memory, as the
kernel does when memory is short. At insecure-none the secret is then in the file (so the test can fail), at
secret it is not."""

import atexit
import ctypes
import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import SCRATCH, Job, build_cell, check, finish, needs_secret, skip
from tracer import iovec

SYS_PROCESS_MADVISE, MADV_PAGEOUT = 440, 21
CHUNK, CHUNKS = 1 << 20, 64
ROUNDS = 20
MARKER = b"cella-marker-" + os.urandom(24).hex().encode()
SWAP = SCRATCH / "swap"
libc = ctypes.CDLL(None, use_errno=True)


def swap_off():
    libc.swapoff(str(SWAP).encode())


def swap_on():
    """Written, not only reserved: what is reserved reads as zeros whatever the kernel swaps to it."""
    with open(SWAP, "wb") as f:
        os.fchmod(f.fileno(), 0o600)
        for _ in range(CHUNKS):
            f.write(bytes(CHUNK))
        os.fsync(f.fileno())
    subprocess.run(["/sbin/mkswap", SWAP], check=True, capture_output=True)
    atexit.register(swap_off)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if libc.swapon(str(SWAP).encode(), 0) != 0:
        skip(f"this kernel adds no swap file: {os.strerror(ctypes.get_errno())}")


def swap_has(marker):
    """Past the page cache, which knows nothing of what was swapped."""
    buffer, tail = mmap.mmap(-1, CHUNK), b""
    fd = os.open(SWAP, os.O_RDONLY | os.O_DIRECT)
    try:
        while os.readv(fd, [buffer]) > 0:
            data = buffer[:]
            if marker in tail + data:
                return True
            tail = data[-len(marker):]
        return False
    finally:
        os.close(fd)


def push_out(pid):
    """All of its mappings; those that cannot be swapped refuse."""
    pidfd = os.pidfd_open(pid)
    for mapping in memscan.all_mappings(pid):
        vector = iovec(mapping.low, mapping.high - mapping.low)
        libc.syscall(SYS_PROCESS_MADVISE, pidfd, ctypes.byref(vector), ctypes.c_size_t(1), MADV_PAGEOUT, 0)
    os.close(pidfd)


def swapped_kib(pid):
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmSwap:")), 0)


def look_into(level, cell):
    """Is the secret in the swap file after some rounds of pushing? Not every page goes at the first."""
    with Job(["-q", "--memory", level, "--heap", "64M", "--dir", f"{SCRATCH}:/data:ro", cell, "/data/secret"]) as job:
        check(job.line().startswith(b"parked"), f"{level}: the cell is parked")
        pids, found, size = job.processes(), False, dict.fromkeys(("cella-cell", "cella-agent", "cella-las"), 0)
        for _ in range(ROUNDS):
            for pid, name in pids.items():
                push_out(pid)
                size[name] = max(size[name], swapped_kib(pid))
            found = found or swap_has(MARKER)
        check(all(size.values()), f"{level}: so many KiB of them are in swap: {size}")
        job.end()
        check(job.status == 0, f"{level}: the job ends well after that")
    return found


def main():
    needs_secret()
    if not os.access("/sbin/mkswap", os.X_OK):
        skip("mkswap is not installed")
    (SCRATCH / "secret").write_bytes(b"\x00\x01" * 100 + MARKER + b"\x02" * 3000)
    cell = build_cell("park.c")
    swap_on()
    check(not look_into("secret", cell), "secret: the secret is not in the swap file")
    check(look_into("insecure-none", cell), "insecure-none: the secret is in the swap file (positive control)")
    finish()


main()
