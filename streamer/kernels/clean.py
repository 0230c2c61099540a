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
def clean_frames(frames, max_bad, out, n_bad):
    """Copy frames to float32 and mend single bad pixels by the mean of their good neighbours.

    Parameters
    ----------
    frames
        (n, det_y, det_x), any real dtype.
    max_bad
        A frame with more bad pixels than this is not usable: it comes out as zeros.
    out
        (n, det_y, det_x) float32.
    n_bad
        (n,) int64: bad pixels of each frame.
    """
    n_y, n_x = frames.shape[1], frames.shape[2]
    for i in range(frames.shape[0]):
        bad = 0
        for y in range(n_y):
            raw, target = frames[i, y], out[i, y]
            for x in range(n_x):
                value = np.float32(raw[x])
                target[x] = value
                # False for NaN too; a difference would not do, because reordering may cancel it.
                bad += not (abs(value) <= LARGEST)
        n_bad[i] = bad
        if bad == 0:
            continue
        if bad > max_bad:
            out[i] = 0.0
            continue
        for y in range(n_y):
            for x in range(n_x):
                if abs(np.float32(frames[i, y, x])) <= LARGEST:
                    continue
                total_near = 0.0
                n_near = 0
                for v in range(max(0, y - 1), min(n_y, y + 2)):
                    for u in range(max(0, x - 1), min(n_x, x + 2)):
                        if abs(np.float32(frames[i, v, u])) <= LARGEST:
                            total_near += frames[i, v, u]
                            n_near += 1
                out[i, y, x] = total_near / n_near if n_near else 0.0


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
