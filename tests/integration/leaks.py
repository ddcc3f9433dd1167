#!/usr/bin/env python3
# as: root
# root alone: it is the attacker
"""What docs/threat-model.md says is *not* stopped at machine class soft: does it leak as stated?

Root as an active attacker makes the executor write its own memory through ptrace, takes the registers
of a running cell (by ptrace and from a core file), samples its stack and registers with perf, copies
its protected pages with BPF, and puts a breakpoint into its code (uprobe). Each shows the secret, while
reading pages shows nothing. The test fails when the document is too pessimistic, so that it is kept true."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
import tracing
from celljob import SCRATCH, Job, build_cell, check, finish, needs_secret, note, skip_part, wait_until
from tracer import Tracer

SYS_WRITE = 1
LOG_FD = 2
READING = ("/proc/PID/mem", "process_vm_readv", "PTRACE_PEEKDATA", "descriptor")
VECTOR = os.urandom(16)
WORDS = [os.urandom(8) for _ in range(20)]
MARKER = VECTOR + b"".join(WORDS)


def holds(data, pieces):
    return any(piece in data for piece in pieces)


def protected(pid):
    """The writable mappings of secret memory that have pages."""
    return [mapping for mapping in memscan.mappings(pid) if mapping.secret and "w" in mapping.mode]


def job_on_secret(cell, **options):
    return Job(["-q", "--dir", f"{SCRATCH}:/data:ro", cell, "/data/secret"], **options)


def write_out(pid):
    """What a debugger makes the process say of its own memory, on the descriptor that leads out; the bytes."""
    total = 0
    with Tracer(pid) as tracer:
        for mapping in protected(pid):
            for start, stop in memscan.present(pid, mapping.low, mapping.high):
                total += max(tracer.call(SYS_WRITE, LOG_FD, start, stop - start), 0)
    return total


def test_code_called():
    with open(SCRATCH / "log", "wb+") as log, job_on_secret(build_cell("park.c"), stderr=log) as job:
        job.line()
        [pid] = job.executors()
        check(not memscan.everywhere(pid, MARKER, READING), "reading pages shows nothing")
        check(write_out(pid) > 0, "a debugger makes the executor write its protected memory to its log")
        output, _ = job.end()
        check(job.status == 0 and b"first byte" in output, "the program does not notice")
        check(MARKER in (SCRATCH / "log").read_bytes(), "not stopped: code called through ptrace")


def test_registers(pid):
    with Tracer(pid) as tracer:
        check(VECTOR in tracer.vector_registers(), "not stopped: registers taken by ptrace")
        words = bytes(tracer.registers())
        check(holds(words, WORDS), "not stopped: general registers, too")
        place = tracer.registers().rip
    if shutil.which("gdb"):
        subprocess.run(["gdb", "-q", "-nx", "-batch", "-iex", "set auto-solib-add off", "-p", str(pid), "-ex",
                        f"gcore {SCRATCH}/core"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=300, check=False)
        check(VECTOR in (SCRATCH / "core").read_bytes(), "not stopped: registers in a core file")
    else:
        skip_part("core-registers", "gdb is not installed")
    return place


def not_here(what, error):
    """The kernel's own refusal is the only good reason for not showing a leak."""
    skip_part(what, f"this kernel says: {error}")


def test_perf(pid):
    try:
        event = tracing.Event(pid)
    except OSError as error:
        return not_here("perf", error)
    found = wait_until(lambda: holds(event.samples(), WORDS))
    check(found, "not stopped: perf copies the stack and registers of a cell")
    return event.close()


def search_with(reader, pid):
    for mapping in protected(pid):
        for address in range(mapping.low, mapping.high, tracing.VIEW):
            reader.look_at(address)
            wait_until(lambda place=address: reader.view()[0] == place)
            if holds(reader.view()[1], WORDS):
                return True
    return False


def test_bpf(pid):
    try:
        event, reader = tracing.Event(pid), tracing.MemoryReader(tracing.PROG_TYPE_PERF_EVENT)
        event.attach(reader.program)
    except OSError as error:
        return not_here("bpf", error)
    check(search_with(reader, pid), "not stopped: a BPF program copies protected pages")
    event.close()
    return reader.close()


def test_uprobe(pid, place):
    [code] = [mapping for mapping in memscan.mappings(pid) if mapping.low <= place < mapping.high]
    path = f"/proc/{pid}/map_files/{code.line.split()[0]}"
    try:
        event = tracing.uprobe(pid, path, place - code.low + int(code.line.split()[2], 16))
    except OSError as error:
        return not_here("uprobe", error)
    check(wait_until(lambda: holds(event.samples(), WORDS)), "not stopped: a uprobe in the cell's loop shows its registers")
    return event.close()


def main():
    needs_secret()
    (SCRATCH / "secret").write_bytes(MARKER)
    test_code_called()
    with job_on_secret(build_cell("registers.c")) as job:
        check(job.line() == b"spinning\n", "a cell computes with the secret")
        [pid] = job.executors()
        check(not any(memscan.everywhere(pid, word, READING) for word in WORDS[:3]), "reading pages of a cell that computes shows nothing")
        place = test_registers(pid)
        test_perf(pid)
        test_bpf(pid)
        test_uprobe(pid, place)
    for what, why in (("a kernel module", "the test does not load code into the kernel that it runs on"),
                      ("kdump", "it would end this machine"),
                      ("hypervisor, image of the memory, bus", "they are outside this machine")):
        note(f"{what}: not shown, {why}")
    finish()


main()
