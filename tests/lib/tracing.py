"""perf events and BPF programs on another process, through the kernel's own interface: no tools needed."""

import ctypes
import mmap
import os
import struct

SYS_PERF_EVENT_OPEN, SYS_BPF = 298, 321
TYPE_SOFTWARE, SOFTWARE_CPU_CLOCK = 1, 0
SAMPLE_REGS_USER, SAMPLE_STACK_USER = 1 << 12, 1 << 13
EXCLUDE_KERNEL = 1 << 5
REGISTERS = (1 << 9) - 1 | 0xff << 16  # ax to ip, r8 to r15
STACK_BYTES = 32 << 10
RING_PAGES = 256
SET_BPF = 0x40042408
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, PROG_LOAD = 0, 1, 2, 5
MAP_TYPE_ARRAY, PROG_TYPE_KPROBE, PROG_TYPE_PERF_EVENT = 2, 2, 7
PAGE = 4096
VIEW = 64 * PAGE  # what one run of the BPF program copies

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Event:
    """A perf event on a process that samples its user registers and the top of its stack."""

    def __init__(self, pid, kind=TYPE_SOFTWARE, config=SOFTWARE_CPU_CLOCK, period=200000, config1=0, config2=0):
        attributes = struct.pack("<IIQQQQQIIQQQQIiQIHH", kind, 112, config, period, SAMPLE_REGS_USER | SAMPLE_STACK_USER,
                                 0, EXCLUDE_KERNEL if kind == TYPE_SOFTWARE else 0, 0, 0, config1, config2, 0, REGISTERS,
                                 STACK_BYTES, 0, 0, 0, 0, 0)
        self.fd = checked(libc.syscall(SYS_PERF_EVENT_OPEN, attributes, pid, -1, -1, 8))
        self.ring = mmap.mmap(self.fd, (1 + RING_PAGES) * PAGE)

    def samples(self):
        """The bytes of the samples so far, as they lie in the ring."""
        return self.ring[PAGE:]

    def attach(self, program):
        checked(libc.ioctl(self.fd, ctypes.c_ulong(SET_BPF), program))

    def close(self):
        self.ring.close()
        os.close(self.fd)


def uprobe(pid, path, offset):
    """An event each time that the process comes by this place of a file."""
    with open("/sys/bus/event_source/devices/uprobe/type", encoding="ascii") as f:
        kind = int(f.read())
    name = ctypes.create_string_buffer(path.encode())
    return Event(pid, kind, 0, 1, ctypes.addressof(name), offset)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    return checked(libc.syscall(SYS_BPF, command, buffer, 128))


def instruction(code, to=0, source=0, offset=0, value=0):
    return struct.pack("<BBhi", code, source << 4 | to, offset, value)


def load_map(to, fd):
    return instruction(0x18, to, 1, 0, fd) + instruction(0)


class MemoryReader:
    """A BPF program that copies VIEW bytes of the process that it runs in."""

    def __init__(self, kind):
        self.where = bpf(MAP_CREATE, struct.pack("<IIIII", MAP_TYPE_ARRAY, 4, 8, 1, 0))
        self.copy = bpf(MAP_CREATE, struct.pack("<IIIII", MAP_TYPE_ARRAY, 4, VIEW + 8, 1, 0))
        code = self.code()
        instructions, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
        self.program = bpf(PROG_LOAD, struct.pack("<IIQQ", kind, len(code) // 8, ctypes.addressof(instructions),
                                                  ctypes.addressof(licence)))

    def code(self):
        move, add, load, call, leave = 0xbf, 0x07, 0x79, 0x85, instruction(0x95)
        lookup, probe_read_user = 1, 112
        zero_key = instruction(0x62, 10, 0, -4, 0)
        key = instruction(move, 2, 10) + instruction(add, 2, 0, 0, -4)

        def value_of(fd):
            return load_map(1, fd) + key + instruction(call, 0, 0, 0, lookup) + instruction(0x55, 0, 0, 1, 0) + leave

        text = zero_key + value_of(self.where) + instruction(load, 6, 0, 0) + value_of(self.copy) + instruction(move, 7, 0)
        for at in range(0, VIEW, PAGE):
            text += instruction(move, 1, 7) + instruction(add, 1, 0, 0, at + 8) + instruction(0xb7, 2, 0, 0, PAGE)
            text += instruction(move, 3, 6) + instruction(add, 3, 0, 0, at) + instruction(call, 0, 0, 0, probe_read_user)
        return text + instruction(0x7b, 7, 6, 0) + instruction(0xb7, 0, 0, 0, 0) + leave

    def look_at(self, address):
        key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(struct.pack("<Q", address), 8)
        bpf(MAP_UPDATE, struct.pack("<IIQQQ", self.where, 0, ctypes.addressof(key), ctypes.addressof(value), 0))

    def view(self):
        """The address that was copied last, and its bytes."""
        key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(VIEW + 8)
        bpf(MAP_LOOKUP, struct.pack("<IIQQQ", self.copy, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
        return struct.unpack_from("<Q", value.raw)[0], value.raw[8:]

    def close(self):
        for fd in (self.program, self.copy, self.where):
            os.close(fd)
