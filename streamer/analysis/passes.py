"""One pass over a scan: a job for every block of neighbouring positions, by threads here or by other processes.

The scan is cut into chunks of scan lines, the same whoever computes them; a chunk is computed by one thread, block by
block, into arrays of its own, and what is summed is added in the order of the chunks. Nothing depends on who
computed what.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ScanStopped
from streamer.formats.scan_file import ScanFile
from streamer.kernels.frame_pass import FrameRoom, make_room
from streamer.settings import AnalysisSettings

N_CHUNKS = 16
CHUNK_POSITIONS = 16384
"""Most positions of a chunk (of whole bands of lines): what a process that computes one needs is bounded by it."""
BLOCK_FRAMES = 128
_BLOCK_BYTES = 64 << 20
"""Of frames as float32 at most, each thread: only detectors beyond 362 x 362 pixels have fewer frames a block."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Block:
    """Recorded frames of neighbouring scan positions, valid until the step returns.

    Attributes
    ----------
    positions
        (n,) flat scan indices, ascending, counted from the first of the chunk.
    frames
        (n, det_y, det_x) as the detector sent them.
    room
        Scratch of this thread.
    """

    positions: NDArray[np.int64]
    frames: NDArray[Any]
    room: FrameRoom


class Cancel:
    """Asked between blocks; `request` ends the analysis at the next one."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        """Ask for the end, from any thread."""
        self._event.set()

    @property
    def is_requested(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise ScanStopped once the end was asked for."""
        if self._event.is_set():
            raise ScanStopped(
                "The analysis was cancelled. The recording is kept; analyse it again at any time."
            )


def frames_within(detector_shape: tuple[int, int], n_bytes: int, most: int) -> int:
    """How many frames, as float32, fit into so many bytes; at least one, at most `most`."""
    return min(most, max(1, n_bytes // (4 * detector_shape[0] * detector_shape[1])))


class PassJob(ABC):
    """What is done to every block; a frozen dataclass of arrays and plain values, so that it can be sent.

    Attributes
    ----------
    band_rows
        Chunks end between bands of so many scan rows.
    kept
        Name of an output, a row for each usable position, that stays with whoever computed it; "": none.
    """

    band_rows: int = 1
    kept: str = ""

    @property
    @abstractmethod
    def n(self) -> int:
        """Positions."""

    @abstractmethod
    def rooms(self, with_kept: bool = True) -> Arrays:
        """New arrays for what is found at all positions of the job, with or without what is `kept`."""

    @abstractmethod
    def part(self, start: int, stop: int) -> Self:
        """The job for positions [start, stop) alone."""

    def span(self, name: str, start: int, stop: int) -> Any:
        """Where in the array of that name of the whole job stands what is found at positions [start, stop)."""
        return slice(start, stop)

    def sums(self) -> Arrays:
        """Accumulators of a chunk, zero."""
        return {}

    @property
    def wanted(self) -> NDArray[np.bool_] | None:
        """(n,) positions that are to be read; None: all."""
        return None

    @abstractmethod
    def step(self, block: Block, out: Arrays, sums: Arrays) -> None:
        """Add a block to `rooms` and `sums` of the chunk."""


@dataclass(frozen=True)
class Outcome:
    """`arrays` of the whole job, by name; `sums` of every chunk, in order."""

    arrays: dict[str, Any]
    sums: list[Arrays]

    def total(self, name: str) -> NDArray[np.float64]:
        """The sum over all chunks, in float64."""
        return np.asarray(np.sum([chunk[name] for chunk in self.sums], axis=0, dtype=np.float64))


class JobExecutor(Executor):
    """An executor that computes whole jobs elsewhere; what is submitted to it runs in threads here."""

    @abstractmethod
    def analysis_of(
        self, scan: ScanFile, settings: AnalysisSettings, cancel: Cancel
    ) -> AbstractContextManager[None]:
        """Within it jobs are of this scan, not prepared yet, with these settings."""

    @abstractmethod
    def run_job(
        self, scan: ScanFile, job: PassJob, progress: Callable[[float], None], cancel: Cancel
    ) -> Outcome:
        """See the function of that name."""


class Buffers:
    """Frames and scratch of one thread. New memory is dear on virtual machines: every chunk uses them again."""

    def __init__(self, scan: ScanFile) -> None:
        n_frames = frames_within(scan.info.detector_shape, _BLOCK_BYTES, BLOCK_FRAMES)
        self.frames = np.empty((n_frames, *scan.info.detector_shape), scan.info.dtype)
        self.room = make_room(scan.info.detector_shape)


def chunk_bounds(scan_shape: tuple[int, int], band_rows: int) -> list[tuple[int, int]]:
    """Flat positions [start, stop) of every chunk."""
    n_y, n_x = scan_shape
    n_bands = -(-n_y // band_rows)
    n_chunks = max(N_CHUNKS, -(-n_y * n_x // CHUNK_POSITIONS))
    bounds = np.minimum(np.linspace(0, n_bands, n_chunks + 1).astype(int) * band_rows * n_x, n_y * n_x)
    return [(int(start), int(stop)) for start, stop in pairwise(bounds) if start < stop]


def compute_chunk(
    scan: ScanFile,
    job: PassJob,
    start: int,
    out: Arrays,
    buffers: Buffers,
    told: Callable[[int], None] = lambda n: None,
) -> Arrays:
    """Compute one chunk into `out`; returns its sums.

    Parameters
    ----------
    scan
        The whole scan.
    job
        The part of the job for this chunk.
    start
        First position of the chunk.
    out
        As `PassJob.rooms` of the part.
    buffers
        Of this thread.
    told
        Called with the number of positions after every block; what it raises ends the chunk.
    """
    received = scan.received.reshape(-1)[start:] > 0
    n, sums = job.n, job.sums()
    wanted = job.wanted
    n_block = len(buffers.frames)
    for first in range(0, n, n_block):
        last = min(first + n_block, n)
        there = received[first:last] if wanted is None else received[first:last] & wanted[first:last]
        if there.any():
            frames = scan.read_block(start + first, start + last, buffers.frames)
            positions = np.arange(first, last)
            if not there.all():
                frames, positions = frames[there], positions[there]
            job.step(Block(positions, frames, buffers.room), out, sums)
        told(last - first)
    return sums


def run_job(
    scan: ScanFile,
    job: PassJob,
    executor: Executor,
    progress: Callable[[float], None],
    cancel: Cancel,
) -> Outcome:
    """One pass over the file.

    Parameters
    ----------
    scan
        The scan.
    job
        What is done to it.
    executor
        Runs chunks side by side.
    progress
        Called with the share done, from any thread.
    cancel
        Checked after every block.
    """
    if isinstance(executor, JobExecutor):
        return executor.run_job(scan, job, progress, cancel)
    arrays = job.rooms()
    chunks = chunk_bounds(scan.info.scan_shape, job.band_rows)
    own = threading.local()
    done = [0] * len(chunks)

    def work(number: int) -> Arrays:
        if not hasattr(own, "buffers"):
            own.buffers = Buffers(scan)
        start, stop = chunks[number]
        views = {name: array[job.span(name, start, stop)] for name, array in arrays.items()}

        def told(n: int) -> None:
            done[number] += n
            progress(sum(done) / job.n)
            cancel.check()

        cancel.check()
        return compute_chunk(scan, job.part(start, stop), start, views, own.buffers, told)

    return Outcome(arrays, list(executor.map(work, range(len(chunks)))))
