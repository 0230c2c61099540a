"""What a dask worker does with a chunk of a scan, and what it keeps from one chunk to the next.

Opening a scan, comparing its checksum and touching new memory would cost a tenth of the work on a chunk.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

from streamer.analysis.passes import Arrays, Buffers, PassJob, compute_chunk
from streamer.analysis.source import ScanSource
from streamer.errors import FileFormatError, ScanStopped
from streamer.formats.scan_file import ScanFile

Found = tuple[Arrays, Arrays, str]
"""What a chunk holds, its sums, and the name of what stays."""


class _OpenScan:
    """A scan with the buffers of the threads that read it; closed by the last that leaves once it is retired."""

    def __init__(self, source: ScanSource) -> None:
        self._source, self._opening, self._stack = source, threading.Lock(), ExitStack()
        self._scan: ScanFile | None = None
        self.free: list[Buffers] = []
        self.n_users, self.is_retired = 0, False

    def is_of(self, source: ScanSource) -> bool:
        return not self.is_retired and self._source == source

    def scan(self) -> ScanFile:
        """Opened by the first that asks, while others wait."""
        with self._opening:
            if self._scan is None:
                self._scan = self._stack.enter_context(self._source.opened())
            return self._scan

    def close_if_unused(self) -> None:
        if self.is_retired and not self.n_users:
            self._stack.close()


_lock = threading.Lock()
"""Of what follows; never held while a file is opened, because the worker's event loop takes it too."""
_open: _OpenScan | None = None
"""At most one: analyses that take turns on a worker open their scans in turn."""
_left: deque[str] = deque(maxlen=64)
"""The last analyses that have ended: chunks that are overtaken by that must not open their scan again."""


@contextmanager
def scan_of(source: ScanSource) -> Iterator[tuple[ScanFile, Buffers]]:
    """The scan, open, and buffers that no other thread uses.

    Raises
    ------
    FileFormatError
        As in `ScanSource.opened`.
    ScanStopped
        The analysis has ended.
    """
    global _open
    with _lock:
        if source.analysis_id in _left:
            raise ScanStopped("The analysis that asked for this part of the scan has ended.")
        if _open is None or not _open.is_of(source):
            _retire()
            _open = _OpenScan(source)
        own = _open
        own.n_users += 1
        buffers = own.free.pop() if own.free else None
    try:
        scan = own.scan()
        buffers = buffers or Buffers(scan)
        yield scan, buffers
    finally:
        with _lock:
            own.n_users -= 1
            if buffers:
                own.free.append(buffers)
            own.close_if_unused()


def _retire() -> None:
    """With the lock held."""
    global _open
    if _open is not None:
        _open.is_retired = True
        _open.close_if_unused()
        _open = None


async def leave(source: ScanSource) -> None:
    """The analysis of a scan has ended: close it, once no chunk of it is computed any more.

    Not awaited by anybody, which dask asks to be a coroutine.
    """
    with _lock:
        _left.append(source.analysis_id)
        if _open is not None and _open.is_of(source):
            _retire()


def chunk_there(source: ScanSource, job: PassJob, start: int) -> Found:
    """A chunk, computed."""
    try:
        with threadpool_limits(1), scan_of(source) as (scan, buffers):
            out = job.rooms()
            sums = compute_chunk(scan, job, start, out, buffers)
    except FileFormatError as error:
        from distributed import get_worker

        raise FileFormatError(f"The worker at {get_worker().address} says: {error}") from None
    return out, sums, job.kept


def kept_of(found: Found) -> Any:
    """What stays."""
    return found[0][found[2]]


def rest_of(found: Found) -> tuple[Arrays, Arrays]:
    """What is sent, and how wide is what stays."""
    arrays, sums, kept = found
    rest = {name: array for name, array in arrays.items() if name != kept}
    return rest, sums | {"n_columns": arrays[kept].shape[1]}
