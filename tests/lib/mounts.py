"""Small file systems for one test, in a mount namespace of its own, so that nothing of them stays."""

import ctypes
import os

CLONE_NEWNS, MS_RDONLY, MS_REC, MS_PRIVATE = 0x20000, 1, 0x4000, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def _mount(source, place, kind, flags, options):
    if libc.mount(source, str(place).encode(), kind, ctypes.c_ulong(flags), options) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def leave():
    """From here on what this process mounts is seen by itself and its children alone. OSError: not in every container."""
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _mount(b"none", "/", None, MS_REC | MS_PRIVATE, None)


def tmpfs(place, size, read_only=False):
    _mount(b"none", place, b"tmpfs", MS_RDONLY if read_only else 0, b"size=" + size.encode())
