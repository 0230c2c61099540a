"""Streaming over a scan file: blocks of frames in fixed chunks, side by side, merged in order.

Chunks depend on the scan alone, never on the number of threads, so that sums are the same to the bit.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ScanStopped
from streamer.formats.scan_file import ScanFile
from streamer.kernels.clean import clean_frames, max_bad_pixels

State = TypeVar("State")
N_CHUNKS = 16
BLOCK_FRAMES = 128


@dataclass(frozen=True)
class Block:
    """Cleaned patterns of neighbouring scan positions, valid until the step returns.

    Attributes
    ----------
    start, stop
        Flat scan indices.
    patterns
        (stop - start, det_y, det_x) float32, finite.
    usable
        (stop - start,) bool: recorded, and not spoilt by non-finite pixels.
    scratch
        Room for aligned patterns, the shape of `patterns`.
    """

    start: int
    stop: int
    patterns: NDArray[np.float32]
    usable: NDArray[np.bool_]
    scratch: NDArray[np.float32]


class Cancel:
    """Asked between blocks; `request` ends the analysis at the next one."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        """Ask for the end, from any thread."""
        self._event.set()

    def check(self) -> None:
        """Raise ScanStopped once the end was asked for."""
        if self._event.is_set():
            raise ScanStopped(
                "The analysis was cancelled. The recording is kept; analyse it again at any time."
            )


def run_pass(
    scan: ScanFile,
    make_state: Callable[[], State],
    step: Callable[[State, Block], None],
    executor: Executor,
    progress: Callable[[float], None],
    cancel: Cancel,
    band_rows: int = 1,
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

    Returns
    -------
    list
        The accumulators in scan order.
    """
    n = scan.info.n_positions
    shape = (BLOCK_FRAMES, *scan.info.detector_shape)
    n_y, n_x = scan.info.scan_shape
    n_bands = -(-n_y // band_rows)
    bounds = np.minimum(np.linspace(0, n_bands, N_CHUNKS + 1).astype(int) * band_rows * n_x, n)
    received = scan.received.ravel() > 0
    max_bad = max_bad_pixels(scan.info.detector_shape)
    room = threading.local()
    done = [0] * N_CHUNKS

    def work(chunk: int) -> State:
        if not hasattr(room, "raw"):
            # New memory is dear on virtual machines: one set of buffers a thread, reused by every chunk.
            room.raw = np.empty(shape, scan.info.dtype)
            room.patterns, room.scratch = np.empty(shape, np.float32), np.empty(shape, np.float32)
            room.n_bad = np.empty(BLOCK_FRAMES, np.int64)
        state = make_state()
        for start in range(bounds[chunk], bounds[chunk + 1], BLOCK_FRAMES):
            cancel.check()
            stop = min(start + BLOCK_FRAMES, int(bounds[chunk + 1]))
            size = stop - start
            raw = scan.read_block(start, stop, room.raw)
            clean_frames(raw, max_bad, room.patterns[:size], room.n_bad[:size])
            usable = received[start:stop] & (room.n_bad[:size] <= max_bad)
            room.patterns[:size][~usable] = 0.0
            step(state, Block(start, stop, room.patterns[:size], usable, room.scratch[:size]))
            done[chunk] += size
            progress(sum(done) / n)
        return state

    return list(executor.map(work, range(N_CHUNKS)))
