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

libc = ctypes.CDLL(None, use_errno=True)
libc.process_vm_readv.restype = ctypes.c_ssize_t
libc.recv.restype = ctypes.c_ssize_t


class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def descendants(pid):
    """The process and all below it, as (pid, command) pairs."""
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
        parent = int(text[text.rindex(")") + 2:].split()[1])
        children.setdefault(parent, []).append((int(entry), command))
    found, todo = [], [pid]
    while todo:
        for child, command in children.get(todo.pop(), []):
            found.append((child, command))
            todo.append(child)
    return found


def mappings(pid):
    with open(f"/proc/{pid}/maps") as f:
        for line in f:
            span, mode = line.split()[:2]
            low, high = (int(x, 16) for x in span.split("-"))
            yield low, high, mode, line.strip()


def in_mem(pid, marker):
    """Mappings whose bytes, read through /proc/PID/mem, hold the marker."""
    hits = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for low, high, mode, line in mappings(pid):
            at, carry = low, b""
            while at < high:
                step = min(1 << 20, high - at)
                try:
                    data = os.pread(mem.fileno(), step, at)
                except (OSError, OverflowError):
                    at, carry = (at + step if mode[0] == "r" and high - low < 1 << 33 else high), b""
                    continue
                if marker in carry + data:
                    hits.append(line)
                    break
                carry, at = data[-len(marker):], at + len(data)
                if not data:
                    break
    return hits


def in_vm_readv(pid, marker):
    """The same through process_vm_readv."""
    hits = []
    for low, high, mode, line in mappings(pid):
        if mode[0] != "r" or high - low > 1 << 33:
            continue
        at, carry = low, b""
        while at < high:
            step = min(1 << 20, high - at)
            buffer = ctypes.create_string_buffer(step)
            local, remote = iovec(ctypes.addressof(buffer), step), iovec(at, step)
            got = libc.process_vm_readv(pid, ctypes.byref(local), ctypes.c_ulong(1), ctypes.byref(remote),
                                        ctypes.c_ulong(1), ctypes.c_ulong(0))
            if got <= 0:
                at, carry = at + step, b""
                continue
            if marker in carry + buffer.raw[:got]:
                hits.append(line)
                break
            carry, at = buffer.raw[:got][-len(marker):], at + got
    return hits


def in_core(pid, marker):
    """In the core file that gcore writes."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["gcore", "-a", "-o", f"{directory}/core", str(pid)], stdout=subprocess.DEVNULL,
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
