"""What a viewer asks of a scan beyond the snapshot: mean pattern of a region, image of a virtual detector."""

import numpy as np
from numpy.typing import NDArray

from streamer.errors import LivestemError
from streamer.formats.scan_file import ScanFile
from streamer.kernels.align import align_frames
from streamer.kernels.clean import clean_frames
from streamer.kernels.mask import reference_centre
from streamer.kernels.stats import weighted_sums

_BLOCK = 128


def mean_pattern(
    scan: ScanFile, com_yx: NDArray[np.float32], where: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Mean aligned pattern (det_y, det_x) over the True positions of `where` (scan_y, scan_x).

    Raises
    ------
    LivestemError
        No such position holds a pattern whose direct beam is known.
    """
    total = np.zeros(scan.info.detector_shape)
    count = 0
    for _, patterns in _aligned(scan, com_yx, where):
        total += patterns.sum(axis=0, dtype=np.float64)
        count += len(patterns)
    if not count:
        raise LivestemError("The region holds no pattern yet. Choose a region that has been scanned.")
    return (total / count).astype(np.float32)


def virtual_image(
    scan: ScanFile, com_yx: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Sum over the True detector pixels of `mask` of every aligned pattern, (scan_y, scan_x); NaN where none."""
    image = np.full(scan.info.n_positions, np.nan, np.float32)
    weights = mask.reshape(1, -1).astype(np.float32)
    for positions, patterns in _aligned(scan, com_yx, np.ones(scan.info.scan_shape, np.bool_)):
        sums = np.empty((len(patterns), 1), np.float32)
        weighted_sums(patterns.reshape(len(patterns), -1), weights, sums)
        image[positions] = sums[:, 0]
    return image.reshape(scan.info.scan_shape)


def _aligned(scan: ScanFile, com_yx: NDArray[np.float32], where: NDArray[np.bool_]):
    """Positions and aligned patterns, by blocks, of the wanted positions whose direct beam is known."""
    centres = com_yx.reshape(-1, 2).astype(np.float64)
    known = np.isfinite(centres).all(axis=1) & (scan.received.ravel() > 0) & where.ravel()
    wanted = np.flatnonzero(known)
    shape = (_BLOCK, *scan.info.detector_shape)
    raw = np.empty(shape, scan.info.dtype)
    clean, aligned = np.empty(shape, np.float32), np.empty(shape, np.float32)
    n_bad = np.empty(_BLOCK, np.int64)
    reference = reference_centre(scan.info.detector_shape)
    for first in range(0, len(wanted), _BLOCK):
        positions = wanted[first : first + _BLOCK]
        size = len(positions)
        clean_frames(scan.read_positions(positions, raw), clean[0].size, clean[:size], n_bad[:size])
        align_frames(clean[:size], centres[positions], reference, aligned[:size])
        yield positions, aligned[:size]
