#!/usr/bin/env python3
# as: root
"""Can what seals a CAS be changed, a passphrase for another, for a key file and back; does what opened it before not
open it any more; and does it always open by one of both, wherever it is killed meanwhile?"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import MEMORY, Cas, cella, good, read_log, refused
from celljob import CELLA, SCRATCH, USAGE, check, finish, needs_secret
from tracer import PTRACE_GETREGS, WALL, Registers, ptrace

needs_secret()
DIRECTORY, RESEALED = SCRATCH / "cas", 6
PTRACE_TRACEME, PTRACE_SYSCALL, PTRACE_SETOPTIONS, EXITKILL = 0, 24, 0x4200, 0x00100000
CHANGING = {1: "write", 18: "pwrite64", 74: "fsync", 75: "fdatasync", 77: "ftruncate", 82: "rename", 86: "link", 87: "unlink",
            257: "openat"}


def secret(name, text):
    path = SCRATCH / name
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)
    return path


def stopped(task, *words):
    return cella("cas", task, "--dir", DIRECTORY, *MEMORY, *words)


def opens(*words):
    return stopped("audit", *words).returncode == 0


def reseal(*words):
    return stopped("reseal", *words)


def killed_at(number, words):
    """Reseals, killed as the system call of that number that may change a file begins; its name, None where it ended before."""
    def traced():
        ctypes.CDLL(None).ptrace(PTRACE_TRACEME, 0, 0, 0)
    process = subprocess.Popen([CELLA, "cas", "reseal", "--dir", DIRECTORY, *MEMORY, *map(str, words)], preexec_fn=traced,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid, entering, seen = process.pid, True, -1
    _, status = os.waitpid(pid, WALL)
    ptrace(PTRACE_SETOPTIONS, pid, 0, EXITKILL)
    while not os.WIFEXITED(status) and not os.WIFSIGNALED(status):
        ptrace(PTRACE_SYSCALL, pid)
        _, status = os.waitpid(pid, WALL)
        if not os.WIFSTOPPED(status):
            break
        registers = Registers()
        ptrace(PTRACE_GETREGS, pid, 0, ctypes.addressof(registers))
        if registers.orig_rax in (59, 2 ** 64 - 1):  # execve, which stops once more; a signal
            entering = True
            continue
        if entering and registers.orig_rax in CHANGING:
            seen += 1
            if seen == number:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, WALL)
                process.returncode = -signal.SIGKILL
                return CHANGING[registers.orig_rax]
        entering = not entering
    process.returncode = os.waitstatus_to_exitcode(status)
    check(process.returncode == 0, f"left alone it ends well: {process.returncode}")
    return None


one, two = secret("one", "the first passphrase"), secret("two", "the second passphrase")
key, other = SCRATCH / "cas.key", SCRATCH / "new.key"
with Cas() as cas:
    check(cas.stop() == 0, "a CAS sealed by a key file")

# what is wrong changes nothing
refused("nothing new", reseal("--key-file", key), ["--new-key-file"], USAGE)
refused("two new ones", reseal("--new-key-file", other, "--new-passphrase-file", one), ["--new-key-file"], USAGE)
refused("a short passphrase", reseal("--new-passphrase-file", secret("short", "1234567")), ["8 to 1024 bytes"], USAGE)
refused("a long one", reseal("--new-passphrase-file", secret("long", "x" * 1025)), ["8 to 1024 bytes"], USAGE)
open_to_others = secret("open", "a passphrase for all")
open_to_others.chmod(0o640)
refused("one that others may read", reseal("--new-passphrase-file", open_to_others), ["chmod 600"])
refused("a key file in the CAS's directory", reseal("--new-key-file", DIRECTORY / "new.key"), ["lies beside the vault"])
check(not (DIRECTORY / "new.key").exists(), "which is not left there")
refused("by something that does not open it", reseal("--passphrase-file", one, "--new-passphrase-file", two), ["sealed by a key file"], USAGE)
check(opens("--key-file", key), "it opens as before")

# key file, passphrase, passphrase, key file
for before, after, words in ((("--key-file", key), ("--passphrase-file", one), ("--new-passphrase-file", one)),
                             (("--passphrase-file", one), ("--passphrase-file", two), ("--new-passphrase-file", two)),
                             (("--passphrase-file", two), ("--key-file", other), ("--new-key-file", other))):
    said = good(f"from {before[0]} {before[1].name} to {after[1].name}", reseal(*before, *words))
    check("sealed by" in said and "rotate" in said, "it says what is left to do")
    check(opens(*after) and not opens(*before), "it opens by the new one alone")
check(other.stat().st_mode & 0o777 == 0o600, "the key file that was made is private")
refused("the same passphrase for both", reseal("--passphrase-file", one, "--new-passphrase-file", one), ["cannot be both"], USAGE)
check(sum(kind == RESEALED for kind, _, _ in read_log(DIRECTORY)) == 3, "each is in the log")
cas.options = ("--key-file", other)
cas.start()
check(cas.stop() == 0, "the CAS starts by it")

# killed before each call that may change a file
shutil.copytree(DIRECTORY, SCRATCH / "kept")
ended, by_old, by_new, last = False, 0, 0, 0
third = SCRATCH / "third.key"
while not ended and last < 400:
    shutil.rmtree(DIRECTORY)
    shutil.copytree(SCRATCH / "kept", DIRECTORY)
    third.unlink(missing_ok=True)
    call = killed_at(last, ("--key-file", other, "--new-key-file", third))
    ended = call is None
    old, new = opens("--key-file", other), third.exists() and opens("--key-file", third)
    if old == new:
        check(False, f"killed before call {last}, {call}: it opens by {'both' if old else 'none'}")
    by_old, by_new, last = by_old + old, by_new + new, last + 1
check(ended and by_old > 10 and by_new > 2, f"killed before each of {last - 1} calls it opens by exactly one of both: {by_old} times the old, {by_new} the new")
finish()
