"""Look for a marker everywhere that root can look: the memory of processes by three ways, their core
files, shared memory, pipes and sockets, and files. Used by the dump tests."""

import ctypes
import os
import re
import subprocess
import tempfile

SYS_PIDFD_OPEN = 434
SYS_PIDFD_GETFD = 438
SYS_TEE = 276
PAGE = 4096
PAGES_AT_ONCE = 1 << 18

libc = ctypes.CDLL(None, use_errno=True)
libc.process_vm_readv.restype = ctypes.c_ssize_t
libc.recv.restype = ctypes.c_ssize_t


class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def descendants(pid):
    """All processes below this one that run, as (pid, command) pairs."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as f:
                text = f.read()
        except OSError:
            continue
        command = text[text.index("(") + 1:text.rindex(")")]
        status, parent = text[text.rindex(")") + 2:].split()[:2]
        parent = int(parent)
        children.setdefault(parent, []).append((int(entry), command, status))
    found, todo = [], [pid]
    while todo:
        for child, command, status in children.get(todo.pop(), []):
            if status != "Z":
                found.append((child, command))
            todo.append(child)
    return found


def mappings(pid):
    """The mappings that have pages, as (low, high, mode, line)."""
    current = None
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ", line)
            if head:
                current = (int(head.group(1), 16), int(head.group(2), 16), head.group(3), line.strip())
            elif re.match(r"(Rss|Swap):\s+[1-9]", line) and current:
                yield current
                current = None


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
    for low, high, _, line in mappings(pid):
        carry, end = b"", 0
        for start, stop in present(pid, low, high):
            data = read(start, stop - start)
            if marker in (carry if start == end else b"") + data:
                hits.append(line)
                break
            carry, end = data[-len(marker):], stop
    return hits


def in_mem(pid, marker):
    """Mappings whose bytes, read through /proc/PID/mem, hold the marker."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        def read(address, size):
            try:
                return os.pread(mem.fileno(), size, address)
            except (OSError, OverflowError):
                return pages(address, size)

        def pages(address, size):
            got = b""
            for at in range(address, address + size, PAGE):
                try:
                    got += os.pread(mem.fileno(), PAGE, at)
                except (OSError, OverflowError):
                    got += bytes(PAGE)
            return got
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


def in_core(pid, marker):
    """In the core file that gcore writes."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["gcore", "-o", f"{directory}/core", str(pid)], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120, check=False)
        path = f"{directory}/core.{pid}"
        if not os.path.exists(path):
            return None
        with open(path, "rb") as f:
            return [path] if file_has(f, marker) else []


def file_has(f, marker):
    carry = b""
    while True:
        data = f.read(1 << 20)
        if not data:
            return False
        if marker in carry + data:
            return True
        carry = data[-len(marker):]


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
        if target.startswith("socket:") or target.startswith("pipe:"):
            stolen = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(name), 0)
            if stolen >= 0:
                data = peek_socket(stolen) if target.startswith("socket:") else peek_pipe(stolen)
                os.close(stolen)
                if marker in data:
                    hits.append(f"{target} of {pid}")
        elif target.startswith("/memfd:") or target.endswith("(deleted)"):
            try:
                with open(path, "rb") as f:
                    if memfd_has(f, marker):
                        hits.append(f"{target} of {pid}")
            except OSError:
                continue
    if pidfd >= 0:
        os.close(pidfd)
    return hits


def memfd_has(f, marker):
    """Only where it has data: a sparse store is large."""
    at, end = 0, os.fstat(f.fileno()).st_size
    while at < end:
        try:
            at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
        except OSError:
            return False
        carry = b""
        while at < hole:
            data = os.pread(f.fileno(), min(1 << 20, hole - at), at)
            if not data:
                return False
            if marker in carry + data:
                return True
            carry, at = data[-len(marker):], at + len(data)
    return False


def peek_socket(fd):
    buffer = ctypes.create_string_buffer(1 << 18)
    msg_peek_dontwait = 2 | 0x40
    got = libc.recv(fd, buffer, len(buffer), msg_peek_dontwait)
    return buffer.raw[:got] if got > 0 else b""


def peek_pipe(fd):
    read_end, write_end = os.pipe()
    try:
        got = libc.syscall(SYS_TEE, fd, write_end, 1 << 16, 2)
        return os.read(read_end, got) if got > 0 else b""
    finally:
        os.close(read_end)
        os.close(write_end)


def everywhere(pid, marker, core=True):
    """All hits in one process, as sentences."""
    hits = [f"/proc/{pid}/mem: {line}" for line in in_mem(pid, marker)]
    hits += [f"process_vm_readv {pid}: {line}" for line in in_vm_readv(pid, marker)]
    hits += [f"descriptor: {line}" for line in in_descriptors(pid, marker)]
    if core:
        hits += [f"core file: {line}" for line in in_core(pid, marker) or []]
    return hits


def files_below(directory, marker):
    hits = []
    for root, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(root, name)
            try:
                with open(path, "rb") as f:
                    if file_has(f, marker):
                        hits.append(path)
            except OSError:
                continue
    return hits


def state(pid):
    with open(f"/proc/{pid}/status") as f:
        return re.search(r"^State:\s+(\S)", f.read(), re.M).group(1)
