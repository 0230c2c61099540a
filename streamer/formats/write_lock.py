"""The lock of a recording's writer: one byte far past the end of the file, so that no reader meets it.

A reader that locks whole files as HDF5 does may read along on POSIX (there it takes another kind of lock, which
the writer shares); on Windows it is kept out while the file is written, because its own lock is mandatory there
and would make our writes fail.
"""

import contextlib
import os
import struct
import sys

LOCK_BYTE = (1 << 62) - 1


def lock_for_writing(fd: int) -> None:
    """Lock an open file against other writers, until it is closed.

    Raises
    ------
    OSError
        Somebody else writes it.
    """
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        # Not msvcrt.locking: it takes positions below 2 GiB only.
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(fd))
        if not ctypes.windll.kernel32.LockFile(handle, LOCK_BYTE & 0xFFFFFFFF, LOCK_BYTE >> 32, 1, 0):
            raise ctypes.WinError()
        return
    import fcntl

    if sys.platform == "linux":
        # Of the open file, not of the process: a reader of ours that closes the file would take the other away.
        request = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, LOCK_BYTE, 1, 0)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
    else:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, LOCK_BYTE)
    # HDF5's own kind of lock, shared: 'r' opens everywhere, 'r+' is refused. Not every file system has it.
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
