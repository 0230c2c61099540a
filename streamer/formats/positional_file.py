"""Reading and writing a file by position, looped until whole, on every system.

Any number of threads may read and write at once: POSIX has calls that take the position, elsewhere a lock
holds seek and transfer together.
"""

import ctypes
import errno
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.formats.write_lock import lock_for_writing

Buffer: TypeAlias = bytes | bytearray | memoryview

N_RETRIES = 100
RETRY_S = 0.02
_ROWS_AT_ONCE = 256
"""Systems take at most 1,024 buffers in one call."""

_BINARY = getattr(os, "O_BINARY", 0)
_HAS_POSITIONAL = hasattr(os, "pwrite") and hasattr(os, "preadv")


class PositionalFile:
    """An existing file, opened without a buffer.

    One that is opened to write is locked against other writers until it is closed, on Windows against readers
    that lock the whole file too.

    Raises
    ------
    OSError
        It cannot be opened, or somebody else writes it.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        self._fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | _BINARY)
        self._lock = threading.Lock()
        if writable:
            try:
                lock_for_writing(self._fd)
            except OSError:
                self.close()
                raise

    def read_into(self, out: memoryview, offset: int) -> None:
        """Fill `out` (bytes) from `offset` on.

        Raises
        ------
        EOFError
            The file ends before.
        """
        done = 0
        while done < len(out):
            n_bytes = self._read(out[done:], offset + done)
            if n_bytes == 0:
                raise EOFError(f"{self.path} ends {len(out) - done} bytes before {offset + len(out)}.")
            done += n_bytes

    def read(self, n_bytes: int, offset: int) -> bytearray:
        """`n_bytes` bytes from `offset` on; EOFError where the file ends before."""
        out = bytearray(n_bytes)
        self.read_into(memoryview(out), offset)
        return out

    def read_rows(self, out: NDArray[Any], row_bytes: int, offset: int) -> None:
        """Fill every row of `out` (n, ...), C-contiguous, from records that are `row_bytes` apart, at least its own.

        Read, not mapped: the first touch of a mapped page costs several times as much as its copy.

        Raises
        ------
        EOFError
            The file ends before.
        """
        n_own = out[0].nbytes
        if row_bytes == n_own:
            self.read_into(out.data.cast("B"), offset)
            return
        records = bytearray(row_bytes - n_own)
        gap = memoryview(records)
        rows = out.view(np.uint8).reshape(len(out), n_own)
        for start in range(0, len(out), _ROWS_AT_ONCE):
            own = rows[start : start + _ROWS_AT_ONCE]
            self._read_scattered(
                [part for row in own for part in (row.data, gap)], offset + start * row_bytes
            )

    def _read_scattered(self, parts: list[memoryview], offset: int) -> None:
        """Fill all of `parts`, one after the other."""
        total = sum(len(part) for part in parts)
        if _HAS_POSITIONAL and os.preadv(self._fd, parts, offset) == total:
            return
        for part in parts:  # a short read, or a system without the call
            self.read_into(part, offset)
            offset += len(part)

    def write(self, values: Buffer, offset: int) -> None:
        """Write all of `values` from `offset` on.

        Raises
        ------
        OSError
            Disk full (the last write before it is usually short), or an I/O error; some of it may stand.
        """
        left = memoryview(values).cast("B")
        while left:
            n_bytes = self._write(left, offset)
            if n_bytes == 0:
                raise OSError(errno.EIO, "nothing could be written")
            left = left[n_bytes:]
            offset += n_bytes

    def sync_data(self) -> None:
        """Everything written so far survives a power cut when this returns."""
        getattr(os, "fdatasync", os.fsync)(self._fd)

    def sync(self) -> None:
        """As `sync_data`, with the file's length and times."""
        os.fsync(self._fd)

    def reserve(self, n_bytes: int) -> None:
        """Take the space for the first `n_bytes` from the disk without writing it, where the system can.

        Raises
        ------
        OSError
            ENOSPC: the disk is too small.
        """
        if sys.platform.startswith("linux") and _fallocate(self._fd, n_bytes):
            return
        n_missing = n_bytes - os.fstat(self._fd).st_size
        if n_missing > shutil.disk_usage(self.path.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close; may be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    if _HAS_POSITIONAL:

        def _read(self, out: memoryview, offset: int) -> int:
            return os.preadv(self._fd, [out], offset)

        def _write(self, values: memoryview, offset: int) -> int:
            return os.pwrite(self._fd, values, offset)

    else:

        def _read(self, out: memoryview, offset: int) -> int:
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                piece = os.read(self._fd, len(out))
            out[: len(piece)] = piece
            return len(piece)

        def _write(self, values: memoryview, offset: int) -> int:
            for _ in range(N_RETRIES):
                try:
                    return self._write_once(values, offset)
                except PermissionError:
                    time.sleep(RETRY_S)  # a reader that locked the whole file is about to let go
            return self._write_once(values, offset)

        def _write_once(self, values: memoryview, offset: int) -> int:
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                return os.write(self._fd, values)


def _fallocate(fd: int, n_bytes: int) -> bool:
    """Linux's own fallocate; False where the file system does not know it.

    Not `os.posix_fallocate`: where the file system cannot, glibc writes every block instead.
    """
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    while fallocate(fd, 0, 0, n_bytes) != 0:
        code = ctypes.get_errno()
        if code in {errno.EOPNOTSUPP, errno.ENOSYS}:
            return False
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
    return True
