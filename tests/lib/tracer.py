"""ptrace, as far as the tests act as a debugger: look into a process and make it do things."""

import ctypes
import os
import signal
import struct

PTRACE_PEEKDATA, PTRACE_CONT, PTRACE_SINGLESTEP = 2, 7, 9
PTRACE_GETREGS, PTRACE_SETREGS = 12, 13
PTRACE_DETACH, PTRACE_GETREGSET, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4204, 0x4206, 0x4207
NT_X86_XSTATE = 0x202
WALL = 0x40000000
SYSCALL_INSTRUCTION = b"\x0f\x05"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]


class Registers(ctypes.Structure):
    """struct user_regs_struct of x86-64."""
    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs").split()]


class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def ptrace(request, pid, address=0, data=0):
    result = libc.ptrace(request, pid, address, data)
    if result < 0 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Tracer:
    """A stopped process: `with Tracer(pid) as it`. It goes on afterwards as if nothing had been."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        ptrace(PTRACE_SEIZE, self.pid)
        ptrace(PTRACE_INTERRUPT, self.pid)
        self.wait()
        return self

    def __exit__(self, *_):
        try:
            ptrace(PTRACE_DETACH, self.pid)
        except OSError:
            pass  # it has ended meanwhile

    def wait(self):
        _, status = os.waitpid(self.pid, WALL)
        if not os.WIFSTOPPED(status):
            raise ProcessLookupError(f"process {self.pid} ended while it was traced")
        return os.WSTOPSIG(status)

    def peek(self, address):
        """Eight bytes of its memory; OSError where it has none to read."""
        word = ctypes.c_long()
        ctypes.set_errno(0)
        # The system call itself stores the word where data points.
        if libc.syscall(101, PTRACE_PEEKDATA, self.pid, ctypes.c_void_p(address), ctypes.byref(word)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return struct.pack("<q", word.value)

    def registers(self):
        regs = Registers()
        ptrace(PTRACE_GETREGS, self.pid, 0, ctypes.addressof(regs))
        return regs

    def set_registers(self, regs):
        ptrace(PTRACE_SETREGS, self.pid, 0, ctypes.addressof(regs))

    def vector_registers(self):
        """The bytes of its extended state: x87, SSE, AVX registers."""
        buffer = ctypes.create_string_buffer(16384)
        vector = iovec(ctypes.addressof(buffer), len(buffer))
        ptrace(PTRACE_GETREGSET, self.pid, NT_X86_XSTATE, ctypes.addressof(vector))
        return buffer.raw[:vector.size]

    def call(self, number, *arguments):
        """Make it do a system call; the result."""
        saved = self.registers()
        regs = Registers.from_buffer_copy(saved)
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments):
            setattr(regs, name, value)
        regs.rax, regs.orig_rax, regs.rip = number, 2**64 - 1, self.find_code(SYSCALL_INSTRUCTION)
        self.set_registers(regs)
        ptrace(PTRACE_SINGLESTEP, self.pid)
        while self.wait() != signal.SIGTRAP:
            ptrace(PTRACE_SINGLESTEP, self.pid)
        result = ctypes.c_longlong(self.registers().rax).value
        self.set_registers(saved)
        return result

    def find_code(self, code):
        """Where these bytes are in its executable memory."""
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as maps, open(f"/proc/{self.pid}/mem", "rb") as memory:
            for line in maps:
                span, mode = line.split()[:2]
                if mode[2] != "x" or "[v" in line:
                    continue
                low, high = (int(end, 16) for end in span.split("-"))
                if (at := os.pread(memory.fileno(), high - low, low).find(code)) >= 0:
                    return low + at
        raise LookupError("no such instruction")
