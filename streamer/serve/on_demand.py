"""What a viewer asks of a scan beyond the snapshot: mean pattern of a region, image of a virtual detector."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from streamer.errors import LivestemError
from streamer.formats.scan_file import ScanFile
from streamer.kernels.frame_pass import FramePass, FramePlan, Measured
from streamer.kernels.mask import reference_centre

_BLOCK = 128

Told = Callable[[float], None]
"""Hears which share is done, and may raise to end it."""


def _nobody(fraction: float) -> None:
    """Nobody listens."""


def mean_pattern(
    scan: ScanFile, com_yx: NDArray[np.float32], where: NDArray[np.bool_], told: Told = _nobody
) -> NDArray[np.float32]:
    """Mean aligned pattern (det_y, det_x) over the True positions of `where` (scan_y, scan_x).

    Raises
    ------
    LivestemError
        No such position holds a pattern whose direct beam is known.
    """
    n_pixels = scan.info.detector_shape[0] * scan.info.detector_shape[1]
    total, count = np.zeros((1, n_pixels), np.float32), 0
    for positions, _ in passed(scan, com_yx, where, binned=total, told=told):
        count += len(positions)
    if not count:
        raise LivestemError("The region holds no pattern yet. Choose a region that has been scanned.")
    return (total / count).astype(np.float32).reshape(scan.info.detector_shape)


def virtual_image(
    scan: ScanFile, com_yx: NDArray[np.float32], mask: NDArray[np.bool_], told: Told = _nobody
) -> NDArray[np.float32]:
    """Sum over the True detector pixels of `mask` of every aligned pattern, (scan_y, scan_x); NaN where none."""
    image = np.full(scan.info.n_positions, np.nan, np.float32)
    weights = mask.reshape(1, -1).astype(np.float32)
    for positions, out in passed(scan, com_yx, np.ones(scan.info.scan_shape, np.bool_), weights, told=told):
        image[positions] = out.virtual[:, 0]
    return image.reshape(scan.info.scan_shape)


def passed(
    scan: ScanFile,
    com_yx: NDArray[np.float32],
    where: NDArray[np.bool_],
    weights: NDArray[np.float32] | None = None,
    binned: NDArray[np.float32] | None = None,
    pixels: NDArray[np.int64] | None = None,
    told: Told = _nobody,
) -> Iterator[tuple[NDArray[np.int64], Measured]]:
    """Positions and what was measured, by blocks, of the wanted positions whose direct beam is known.

    `weights` (m, n_pixels) of virtual detectors, `pixels` flat indices of features, `binned` (1, n_pixels) takes
    the sum of the aligned patterns.
    """
    shape = scan.info.detector_shape
    centres = com_yx.reshape(-1, 2).astype(np.float64)
    known = np.isfinite(centres).all(axis=1) & (scan.received.ravel() > 0) & where.ravel()
    wanted = np.flatnonzero(known)
    raw = np.empty((_BLOCK, *shape), scan.info.dtype)
    plan = FramePlan(
        np.zeros(2), reference_centre(shape), 0.0, 0.0, 0, shape[0] * shape[1], np.zeros(0, np.int64), False
    )
    frame_pass = FramePass(shape, plan, detectors=weights, pixels=pixels)
    for first in range(0, len(wanted), _BLOCK):
        told(first / len(wanted))
        positions = wanted[first : first + _BLOCK]
        out = frame_pass.outcome(len(positions))
        out.centres_yx[:] = centres[positions]
        frame_pass.run(scan.read_positions(positions, raw), out, binned=binned)
        yield positions, out
