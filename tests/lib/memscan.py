"""Look for a marker everywhere that root can look: the memory of processes by four ways, their core
files, shared memory, pipes and sockets, and files.

Reads only pages that exist: to read a hole of shared memory would fill it."""

import ctypes
import mmap
import os
import re
import struct
import subprocess
import tempfile
from pathlib import Path

from tracer import Tracer, iovec

SYS_TEE, SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 276, 434, 438
PAGE = 4096
PAGES_AT_ONCE = 1 << 18
MSG_PEEK, MSG_DONTWAIT, SPLICE_NONBLOCK = 0x02, 0x40, 2
SOCKET_BYTES = 1 << 20
PT_LOAD = 1

libc = ctypes.CDLL(None, use_errno=True)
libc.process_vm_readv.restype = ctypes.c_ssize_t
libc.recv.restype = ctypes.c_ssize_t


class Mapping:
    """One line of smaps with what it says about pages and flags."""

    def __init__(self, line):
        span, self.mode = line.split()[:2]
        self.low, self.high = (int(end, 16) for end in span.split("-"))
        self.line = line.strip()
        self.pages = False
        self.flags = []

    @property
    def secret(self):
        return "secretmem" in self.line


def all_mappings(pid):
    found = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                found.append(Mapping(line))
            elif re.match(r"(Rss|Swap):\s+[1-9]", line):
                found[-1].pages = True
            elif line.startswith("VmFlags:"):
                found[-1].flags = line.split()[1:]
    return found


def mappings(pid):
    """Those that have pages."""
    return [mapping for mapping in all_mappings(pid) if mapping.pages]


def present(pid, low, high):
    """Runs of pages of a mapping that exist, at most 1 MiB each; a sparse mapping may be huge."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for at in range(low, high, PAGES_AT_ONCE * PAGE):
            count = min(PAGES_AT_ONCE, (high - at) // PAGE)
            entries = os.pread(pagemap.fileno(), count * 8, at // PAGE * 8)
            if not any(entries[7::8]):
                continue
            for step in range(0, count, 256):
                if any(entries[step * 8 + 7:(step + 256) * 8:8]):
                    yield at + step * PAGE, min(at + (step + 256) * PAGE, at + count * PAGE)


def search(pid, marker, read):
    """The mappings in which read(address, size) finds the marker."""
    hits = []
    for mapping in mappings(pid):
        tail, end = b"", 0
        for start, stop in present(pid, mapping.low, mapping.high):
            data = read(start, stop - start)
            if marker in (tail if start == end else b"") + data:
                hits.append(mapping.line)
                break
            tail, end = data[-len(marker):], stop
    return hits


def in_mem(pid, marker):
    """Mappings whose bytes, read through /proc/PID/mem, hold the marker."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        def page(address):
            try:
                return os.pread(memory.fileno(), PAGE, address)
            except (OSError, OverflowError):
                return bytes(PAGE)

        def read(address, size):
            try:
                return os.pread(memory.fileno(), size, address)
            except (OSError, OverflowError):
                return b"".join(map(page, range(address, address + size, PAGE)))
        return search(pid, marker, read)


def in_vm_readv(pid, marker):
    """The same through process_vm_readv."""
    def read(address, size):
        buffer = ctypes.create_string_buffer(size)
        local, remote = iovec(ctypes.addressof(buffer), size), iovec(address, size)
        got = libc.process_vm_readv(pid, ctypes.byref(local), ctypes.c_ulong(1), ctypes.byref(remote),
                                    ctypes.c_ulong(1), ctypes.c_ulong(0))
        return buffer.raw[:max(got, 0)]
    return search(pid, marker, read)


def by_peek(pid, marker):
    """The same through PTRACE_PEEKDATA. That takes a system call for eight bytes, so of each page it reads
    the first word, and the whole page only in mappings that cannot be read otherwise."""
    hits = []
    with Tracer(pid) as tracer:
        for mapping in mappings(pid):
            if "w" in mapping.mode and peek_mapping(tracer, mapping, marker):
                hits.append(mapping.line)
    return hits


def peek_mapping(tracer, mapping, marker):
    with open(f"/proc/{tracer.pid}/mem", "rb", buffering=0) as memory:
        for start, stop in present(tracer.pid, mapping.low, mapping.high):
            for page in range(start, stop, PAGE):
                try:
                    tracer.peek(page)
                except OSError:
                    continue  # not to be had
                try:
                    content = os.pread(memory.fileno(), PAGE, page)
                except OSError:
                    content = b"".join(map(tracer.peek, range(page, page + PAGE, 8)))
                if (at := content.find(marker[:16])) >= 0:
                    words = range(page + at & ~7, page + at + 24 & ~7, 8)
                    return marker[:16] in b"".join(map(tracer.peek, words)) or at > PAGE - 24
    return False


def in_core(pid, marker):
    """In the memory of core files that a debugger writes: of the process as it finds it, and of each mapping
    by name. What a core file says of registers is another matter."""
    with tempfile.TemporaryDirectory() as directory:
        command = ["gdb", "-q", "-nx", "-batch", "-iex", "set auto-solib-add off", "-p", str(pid),
                   "-ex", f"gcore {directory}/core"]
        for i, mapping in enumerate(mappings(pid)):
            if "w" in mapping.mode and mapping.high - mapping.low < 1 << 28:
                command += ["-ex", f"dump binary memory {directory}/{i} {mapping.low:#x} {mapping.high:#x}"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=120, check=False)
        if not os.path.exists(f"{directory}/core"):
            return ["gdb wrote no core file"]
        hits = [f"memory {hit.name} of gdb" for hit in files_below(directory, marker) if hit.name != "core"]
        return hits + (["gcore"] if core_memory_has(f"{directory}/core", marker) else [])


def core_memory_has(path, marker):
    """In a core file without its notes?"""
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as content:
        offset, size, count = *struct.unpack_from("<Q", content, 32), *struct.unpack_from("<HH", content, 54)
        for at in range(offset, offset + size * count, size):
            kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", content, at)
            if kind == PT_LOAD and content.find(marker, start, start + length) >= 0:
                return True
    return False


def file_has(f, marker):
    tail = b""
    while data := f.read(1 << 20):
        if marker in tail + data:
            return True
        tail = data[-len(marker):]
    return False


def in_descriptors(pid, marker):
    """In memory files, deleted files, pipes and sockets that the process holds open."""
    hits = []
    pidfd = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if target.startswith(("socket:", "pipe:")):
            found = queue_has(pidfd, int(name), target.startswith("socket:"), marker)
        else:
            found = target.startswith("/memfd:") or target.endswith("(deleted)")
            found = found and sparse_has(path, marker)
        if found:
            hits.append(f"{target} of {pid}")
    if pidfd >= 0:
        os.close(pidfd)
    return hits


def queue_has(pidfd, fd, is_socket, marker):
    """What waits in a pipe or socket, without taking it."""
    stolen = libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
    if stolen < 0:
        return False
    data = peek_socket(stolen) if is_socket else peek_pipe(stolen)
    os.close(stolen)
    return marker in data


def sparse_has(path, marker):
    """In a file, only where it has data: the store is large and mostly a hole."""
    try:
        with open(path, "rb", buffering=0) as f:
            at, end = 0, os.fstat(f.fileno()).st_size
            while at < end:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
                hole, tail = os.lseek(f.fileno(), at, os.SEEK_HOLE), b""
                while at < hole and (data := os.pread(f.fileno(), min(1 << 20, hole - at), at)):
                    if marker in tail + data:
                        return True
                    tail, at = data[-len(marker):], at + len(data)
    except OSError:
        return False  # no data behind this place, or no file to read
    return False


def peek_socket(fd):
    buffer = ctypes.create_string_buffer(SOCKET_BYTES)
    got = libc.recv(fd, buffer, len(buffer), MSG_PEEK | MSG_DONTWAIT)
    return buffer.raw[:got] if got > 0 else b""


def peek_pipe(fd):
    read_end, write_end = os.pipe()
    try:
        got = libc.syscall(SYS_TEE, fd, write_end, 1 << 16, SPLICE_NONBLOCK)
        return os.read(read_end, got) if got > 0 else b""
    finally:
        os.close(read_end)
        os.close(write_end)


WAYS = {
    "/proc/PID/mem": in_mem,
    "process_vm_readv": in_vm_readv,
    "PTRACE_PEEKDATA": by_peek,
    "core file": in_core,
    "descriptor": in_descriptors,
}


def everywhere(pid, marker, ways=tuple(WAYS)):
    """All hits in one process: {way: sentences}."""
    found = {way: WAYS[way](pid, marker) for way in ways}
    return {way: hits for way, hits in found.items() if hits}


def files_below(directory, marker):
    hits = []
    for root, _, names in os.walk(directory):
        for name in names:
            path = Path(root, name)
            try:
                with open(path, "rb") as f:
                    if file_has(f, marker):
                        hits.append(path)
            except OSError:
                continue
    return hits
