"""Raw detector values to finite float32, whatever the dtype; bad pixels never spread.

A pixel is bad when it is not finite, or larger than any detector can count.
"""

import numpy as np
from numba import njit

from streamer.kernels.flags import FASTMATH

LARGEST = np.float32(1e12)
"""No detector counts so far: larger values are as bad as NaN, and their squares would overflow float32 sums."""
MAX_BAD_SHARE = 0.01
"""A pattern with a larger share of bad pixels is left out and its position stays unlabelled."""


def max_bad_pixels(detector_shape: tuple[int, int]) -> int:
    """Most bad pixels that are mended rather than the pattern being left out."""
    return int(MAX_BAD_SHARE * detector_shape[0] * detector_shape[1])


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def count_bad(frame):
    """Number of pixels of a frame (det_y, det_x), any real dtype, that are bad."""
    flat = frame.reshape(frame.size)
    bad = 0
    for p in range(flat.shape[0]):
        # False for NaN too; a difference would not do, because reordering may cancel it.
        bad += not (abs(np.float32(flat[p])) <= LARGEST)
    return bad


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def mend_frame(frame, defects, out):
    """Copy a frame to float32; bad pixels and known defects become the mean of their good neighbours.

    Parameters
    ----------
    frame
        (det_y, det_x), any real dtype.
    defects
        (m,) int64: flat indices of pixels that are not to be believed whatever they say.
    out
        (det_y, det_x) float32; a pixel without a good neighbour becomes 0.
    """
    n_y, n_x = frame.shape
    flat, mended = frame.reshape(n_y * n_x), out.reshape(n_y * n_x)
    n_bad = 0
    for p in range(flat.shape[0]):
        value = np.float32(flat[p])
        is_bad = not (abs(value) <= LARGEST)
        mended[p] = np.float32(np.nan) if is_bad else value
        n_bad += is_bad
    for p in defects:
        n_bad += not np.isnan(mended[p])
        mended[p] = np.nan
    bad = np.empty(n_bad, np.int64)
    if n_bad == defects.shape[0]:
        bad[:] = defects
    else:
        found = 0
        for p in range(flat.shape[0]):
            if np.isnan(mended[p]):
                bad[found] = p
                found += 1
    values = np.empty(n_bad, np.float32)
    for i in range(n_bad):
        values[i] = _mean_of_neighbours(out, bad[i] // n_x, bad[i] % n_x)
    # Only now, so that no mended value mends another.
    for i in range(n_bad):
        mended[bad[i]] = values[i]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _mean_of_neighbours(frame, y, x):
    """Mean of the up to eight neighbours of a pixel that are not NaN; 0 where there is none."""
    total, n = 0.0, 0
    for v in range(max(0, y - 1), min(frame.shape[0], y + 2)):
        for u in range(max(0, x - 1), min(frame.shape[1], x + 2)):
            if not np.isnan(frame[v, u]):
                total += frame[v, u]
                n += 1
    return total / n if n else 0.0


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def clean_frames(frames, max_bad, defects, out, n_bad):
    """Frames as finite float32, bad pixels and known defects mended by their neighbours.

    Parameters
    ----------
    frames
        (n, det_y, det_x), any real dtype.
    max_bad
        A frame with more bad pixels than this is not usable: it comes out as zeros.
    defects
        (m,) int64, flat detector indices.
    out
        (n, det_y, det_x) float32.
    n_bad
        (n,) int64: bad pixels of each frame.
    """
    for i in range(frames.shape[0]):
        n_bad[i] = count_bad(frames[i])
        if n_bad[i] > max_bad:
            out[i] = 0.0
        elif n_bad[i] or defects.shape[0]:
            mend_frame(frames[i], defects, out[i])
        else:
            raw, target = frames[i].reshape(out[i].size), out[i].reshape(out[i].size)
            for p in range(raw.shape[0]):
                target[p] = raw[p]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def find_nonfinite(bits, out):
    """Which frames have a pixel that is NaN or infinite, read at the speed of memory.

    Parameters
    ----------
    bits
        (n, m) uint32: the float32 pixels of each frame as they stand in memory.
    out
        (n,) bool.
    """
    for i in range(bits.shape[0]):
        n_bad = np.uint32(0)
        for word in bits[i]:
            # All bits of the exponent are set in NaN and infinity, and in nothing else (IEEE 754).
            n_bad += np.uint32((word & np.uint32(0x7F800000)) == np.uint32(0x7F800000))
        out[i] = n_bad > 0
