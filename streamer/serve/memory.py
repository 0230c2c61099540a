"""Keeping the engine's memory from growing over many scans.

The C library keeps freed blocks for later use, in a heap of its own for every thread; each scan has new threads and
arrays of many sizes, and what is kept would slowly grow.
"""

import ctypes
import gc
import sys
from typing import Any

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h of glibc
LARGE_BYTES = 4 << 20
N_HEAPS = 2


def keep_memory_bounded() -> None:
    """Large blocks go back to the system when they are freed, and threads share two heaps. Call once, at the start."""
    mallopt = _of_libc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_ARENA_MAX, N_HEAPS)


def give_memory_back() -> None:
    """Return what is free to the system. Call after a scan."""
    gc.collect()
    trim = _of_libc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_libc(name: str) -> Any:
    """A function of glibc; None where the C library is another one."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
