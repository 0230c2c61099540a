"""Room for tables of vectors: in memory or, where they would take too much of it, in a scratch file."""

import errno
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.errors import RecordingError

MEMORY_SHARE = 0.25
"""Of the memory that the process may take, for one table."""
UNKNOWN_MEMORY_BYTES = 16 << 30
"""Assumed where the system does not say how much there is."""


def new_table(n: int, n_features: int) -> NDArray[np.float32]:
    """Room for n vectors; what stands in it is not defined.

    A scratch file lies where the system puts temporary files (``TMPDIR``), has no name there, and is gone with the
    table, however the process ends. Its space is taken at once: a disk that is full later would kill the process.

    Raises
    ------
    RecordingError
        There is not so much space.
    """
    n_bytes = 4 * n * n_features
    if n_bytes <= MEMORY_SHARE * memory_bytes():
        return np.empty((n, n_features), np.float32)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(prefix="livestem-", dir=folder) as file:
            _reserve(file.fileno(), n_bytes, folder)
            mapped = mmap.mmap(file.fileno(), n_bytes)
    except OSError as error:
        raise RecordingError(
            f"The features of this scan take {n_bytes / 2**30:.3g} GiB, more than memory should hold, and a scratch "
            f"file of that size cannot be made in {folder}: {error.strerror or error}. Set TMPDIR to a folder on a "
            "larger disk, or use --scheduler or --workers. The scan is unchanged."
        ) from None
    return np.frombuffer(mapped, np.float32).reshape(n, n_features)


def read_ahead(table: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
    """Ask the disk for some rows of a table in a scratch file, and for nothing between; others are in memory.

    Page faults alone would read what lies around as well: all of the table for every part of it.

    Parameters
    ----------
    table
        (n, n_features), whole rows behind each other.
    rows
        (m,): those that are wanted next.
    """
    mapped = _mapping(table)
    if mapped is None or not rows.size or not hasattr(mapped, "madvise"):  # Windows has no such call
        return
    first_byte = table.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    last_of_run = np.append(np.flatnonzero(np.diff(rows) != 1), len(rows) - 1)
    first_of_run = np.append(0, last_of_run[:-1] + 1)
    starts = first_byte + rows[first_of_run] * table.strides[0]
    stops = first_byte + (rows[last_of_run] + 1) * table.strides[0]
    starts -= starts % mmap.PAGESIZE
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        mapped.madvise(mmap.MADV_WILLNEED, start, stop - start)


def _mapping(table: NDArray[np.float32]) -> mmap.mmap | None:
    """The file that a table, or a part of it, stands in."""
    base: object = table
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) else None


def _reserve(fd: int, n_bytes: int, folder: str) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, n_bytes)
        return
    if n_bytes > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(fd, n_bytes)


def memory_bytes() -> int:
    """How much memory this process may take, known or assumed."""
    return known_memory_bytes() or UNKNOWN_MEMORY_BYTES


def known_memory_bytes() -> int | None:
    """The computer's memory or, within a container or a batch job, what it may take of it; None: not known."""
    try:
        has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
    return min([has, *control_group_limits()])


def control_group_limits(root: Path = Path("/")) -> list[int]:
    """Limits in bytes that Linux' control groups, of both versions, set to this process; empty: none.

    Parameters
    ----------
    root
        Under which ``proc`` and ``sys`` lie.
    """
    limits = []
    for folder, name in _control_groups(root):
        # Each ancestor may set a limit of its own.
        for group in (folder, *folder.parents):
            try:
                limits.append(int((group / name).read_text()))
            except (OSError, ValueError):  # none here, or "max"
                pass
            if group.parent == root / "sys/fs":
                break
    return limits


def _control_groups(root: Path) -> Iterator[tuple[Path, str]]:
    """Folder of each group that this process is in, and the name of the file with its limit."""
    mounted = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield mounted / path.lstrip("/"), "memory.max"
        elif "memory" in controllers.split(","):
            yield mounted / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
