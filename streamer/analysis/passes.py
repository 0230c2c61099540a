"""Streaming over a scan file: blocks of frames in fixed chunks, side by side, merged in order.

Chunks depend on the scan alone, never on the number of threads, so that sums are the same to the bit.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ScanStopped
from streamer.formats.scan_file import ScanFile
from streamer.kernels.frame_pass import FrameRoom, make_room

State = TypeVar("State")
N_CHUNKS = 16
BLOCK_FRAMES = 128
_BLOCK_BYTES = 64 << 20
"""Of frames as float32 at most, each thread: only detectors beyond 362 x 362 pixels have fewer frames a block."""


@dataclass(frozen=True)
class Block:
    """Recorded frames of neighbouring scan positions, valid until the step returns.

    Attributes
    ----------
    positions
        (n,) flat scan indices, ascending.
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


def run_pass(
    scan: ScanFile,
    make_state: Callable[[], State],
    step: Callable[[State, Block], None],
    executor: Executor,
    progress: Callable[[float], None],
    cancel: Cancel,
    band_rows: int = 1,
    wanted: NDArray[np.bool_] | None = None,
) -> list[State]:
    """One pass over the file.

    Parameters
    ----------
    scan
        The scan.
    make_state
        Makes the accumulator of one chunk.
    step
        Adds a block to it; runs in any thread.
    executor
        Runs chunks side by side.
    progress
        Called with the share done, from any thread.
    cancel
        Checked before every block.
    band_rows
        Chunks end between bands of so many scan rows: what belongs to a band is touched by one chunk alone.
    wanted
        (n,) positions to read; None: all.

    Returns
    -------
    list
        The accumulators in scan order.
    """
    n = scan.info.n_positions
    block_frames = frames_within(scan.info.detector_shape, _BLOCK_BYTES, BLOCK_FRAMES)
    shape = (block_frames, *scan.info.detector_shape)
    n_y, n_x = scan.info.scan_shape
    n_bands = -(-n_y // band_rows)
    bounds = np.minimum(np.linspace(0, n_bands, N_CHUNKS + 1).astype(int) * band_rows * n_x, n)
    received = scan.received.ravel() > 0
    if wanted is not None:
        received &= wanted
    own = threading.local()
    done = [0] * N_CHUNKS

    def work(chunk: int) -> State:
        if not hasattr(own, "room"):
            # New memory is dear on virtual machines: one set of buffers a thread, reused by every chunk.
            own.frames = np.empty(shape, scan.info.dtype)
            own.room = make_room(scan.info.detector_shape)
        state = make_state()
        for start in range(bounds[chunk], bounds[chunk + 1], block_frames):
            cancel.check()
            stop = min(start + block_frames, int(bounds[chunk + 1]))
            there = received[start:stop]
            if there.any():
                frames, positions = scan.read_block(start, stop, own.frames), np.arange(start, stop)
                if not there.all():
                    frames, positions = frames[there], positions[there]
                step(state, Block(positions, frames, own.room))
            done[chunk] += stop - start
            progress(sum(done) / n)
        return state

    return list(executor.map(work, range(N_CHUNKS)))
