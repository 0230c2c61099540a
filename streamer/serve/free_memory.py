"""Giving the memory of a finished scan back to the system."""

import ctypes
import gc
import sys


def give_memory_back() -> None:
    """Return what is free to the system, where it can be asked to.

    The C library keeps freed blocks for later use, in a heap of its own for every thread; each scan has new threads,
    so that an engine would slowly grow over many scans.
    """
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # glibc has it, musl has not
            trim(0)
