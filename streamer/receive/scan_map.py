"""From the index of a frame to its place on the map: raster and serpentine, flyback and skipped frames.

The detector delivers ``skip_first`` frames, then for each line ``scan_x`` frames and ``skip_per_line`` frames
of flyback, then ``skip_per_scan`` frames. A frame's place comes from its index alone, never from its order of
arrival.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.formats.frame_order import frame_indices_of
from streamer.model import ScanInfo, ScanOrder
from streamer.wire.sequence import IntervalSet, runs

NO_POSITION = -1
"""Scan index of a frame that belongs to no scan position."""


def n_frames_of_scan(info: ScanInfo) -> int:
    """Frames that the detector delivers for the whole scan, those that belong to no position included."""
    scan_y, scan_x = info.scan_shape
    return info.skip_first + scan_y * (scan_x + info.skip_per_line) + info.skip_per_scan


def n_mapped(info: ScanInfo, n_frames: int) -> int:
    """How many of the first `n_frames` frames have a scan position."""
    scan_y, scan_x = info.scan_shape
    n_in_lines = max(0, n_frames - info.skip_first)
    full_lines, rest = divmod(n_in_lines, scan_x + info.skip_per_line)
    return min(full_lines * scan_x + min(rest, scan_x), scan_y * scan_x)


def scan_indices_of(info: ScanInfo, frame_indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Flat scan index (C order) of each frame index, -1 where the frame belongs to no scan position.

    Parameters
    ----------
    info
        Shape, order and skips of the scan.
    frame_indices
        (n,), any order.

    Returns
    -------
    NDArray
        (n,) int64.
    """
    scan_y, scan_x = info.scan_shape
    line, column = np.divmod(frame_indices - info.skip_first, scan_x + info.skip_per_line)
    is_on_map = (line >= 0) & (line < scan_y) & (column < scan_x)
    if info.order is ScanOrder.SERPENTINE:
        column = np.where(line % 2 == 1, scan_x - 1 - column, column)
    return np.where(is_on_map, line * scan_x + column, NO_POSITION).astype(np.int64)


def frames_held(info: ScanInfo, received: NDArray[np.uint8]) -> IntervalSet:
    """Frame indices that need not be sent again when these positions are stored.

    Frames without a position (flyback) count as held where the end of the line before them is.

    Parameters
    ----------
    info
        Shape, order and skips of the scan.
    received
        (scan_y, scan_x); anything but 0 is stored.
    """
    frames = np.sort(frame_indices_of(info, np.flatnonzero(received)))
    period, scan_x = info.scan_shape[1] + info.skip_per_line, info.scan_shape[1]
    held = []
    for start, stop in runs(frames):
        ends_a_line = (stop - info.skip_first) % period == scan_x % period
        begins_the_scan = start == info.skip_first
        held.append(
            (
                0 if begins_the_scan else start,
                min(stop + info.skip_per_line, info.n_frames) if ends_a_line else stop,
            )
        )
    return IntervalSet(held)
