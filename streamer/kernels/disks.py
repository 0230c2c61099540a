"""Bragg disks about places where they are expected, many of a frame at once.

The pixels about all of them go through together, one simple step after the other: a circle of a hundred pixels is
too short for SIMD row by row, and looking up a table must not wait for the root before it.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streamer.kernels.flags import FASTMATH

STEPS_PER_PX = 32
"""Of the tables of weights."""
_LANES = 16
"""Pixels of a patch are filled up to whole vectors (AVX-512)."""
_FAR_PX = 1e6
"""Where the pixels lie that fill up: beyond every table."""


class Patches(NamedTuple):
    """Scratch: the n pixels about each of m disks that a table may reach; see `make_patches`.

    Attributes
    ----------
    offsets_yx
        (2, n) float32 px, from the pixel nearest to the disk's place.
    flat_offsets
        (n,) int32: the same in a flat frame.
    nearest
        (m,) int32: flat index of the nearest pixel whose neighbours stand in `values`; -1: none.
    values, distances, weights
        (m, n) float32: intensities, px from the disk's place, what the table says.
    steps
        (m, n) uint32: where the table says it.
    """

    offsets_yx: NDArray[np.float32]
    flat_offsets: NDArray[np.int32]
    nearest: NDArray[np.int32]
    values: NDArray[np.float32]
    distances: NDArray[np.float32]
    weights: NDArray[np.float32]
    steps: NDArray[np.uint32]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def make_patches(n_disks, n_steps, n_x):
    """Scratch for so many disks with tables of `n_steps`, in frames `n_x` wide."""
    reach = (n_steps - 1) / STEPS_PER_PX
    # No pixel farther off is within reach, and these lie on the detector where the reach does; see `_nearest`.
    half = math.ceil(reach - 0.5)
    most = -(-((2 * half + 1) ** 2) // _LANES) * _LANES
    offsets_yx = np.full((2, most), np.float32(_FAR_PX))
    flat_offsets = np.zeros(most, np.int32)
    n = 0
    for y in range(-half, half + 1):
        for x in range(-half, half + 1):
            # The disk's place lies anywhere in the nearest pixel.
            if math.hypot(max(abs(y) - 0.5, 0.0), max(abs(x) - 0.5, 0.0)) <= reach:
                offsets_yx[0, n] = y
                offsets_yx[1, n] = x
                flat_offsets[n] = y * n_x + x
                n += 1
    n = -(-n // _LANES) * _LANES
    shape = (n_disks, n)
    return Patches(
        offsets_yx[:, :n].copy(),
        flat_offsets[:n],
        np.full(n_disks, np.int32(-1)),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
        np.empty(shape, np.uint32),
    )


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def place_disks(flat, n_x, places_yx, scores, patches, out):
    """Weighted sums about the places where disks are expected.

    Parameters
    ----------
    flat
        (det_y * det_x,) pixels of a frame, finite.
    n_x
        det_x.
    places_yx
        (m, 2) float64 px; NaN: left out, otherwise the table's reach must lie on the detector.
    scores
        (m, n_steps) float32, a table for each.
    patches
        Patches for those numbers, of this frame; `nearest` is -1 for a new one.
    out
        (m, 3) float64: sums of intensity times weight times distance along y and x; the third is left alone.
    """
    offsets_yx, flat_offsets, nearest = patches.offsets_yx, patches.flat_offsets, patches.nearest
    values, distances, weights, steps = patches.values, patches.distances, patches.weights, patches.steps
    reach = np.float32((scores.shape[1] - 1) / STEPS_PER_PX)
    for s in range(places_yx.shape[0]):
        if np.isnan(places_yx[s, 0]):
            continue
        rest_y = np.float32(places_yx[s, 0] - _nearest(places_yx[s, 0]))
        rest_x = np.float32(places_yx[s, 1] - _nearest(places_yx[s, 1]))
        for k in range(offsets_yx.shape[1]):
            dy, dx = offsets_yx[0, k] - rest_y, offsets_yx[1, k] - rest_x
            distance = math.sqrt(dy * dy + dx * dx)
            distances[s, k] = distance
            steps[s, k] = np.int32(min(distance, reach) * np.float32(STEPS_PER_PX) + np.float32(0.5))
    for s in range(places_yx.shape[0]):
        if np.isnan(places_yx[s, 0]):
            continue
        pixel = np.int32(_nearest(places_yx[s, 0]) * n_x + _nearest(places_yx[s, 1]))
        if pixel != nearest[s]:
            nearest[s] = pixel
            for k in range(flat_offsets.shape[0]):
                # Unsigned: the compiler need not look for indices that count from the end.
                values[s, k] = flat[np.uint32(pixel + flat_offsets[k])]
        for k in range(steps.shape[1]):
            weights[s, k] = scores[s, steps[s, k]]
    for s in range(places_yx.shape[0]):
        if np.isnan(places_yx[s, 0]):
            continue
        rest_y = np.float32(places_yx[s, 0] - _nearest(places_yx[s, 0]))
        rest_x = np.float32(places_yx[s, 1] - _nearest(places_yx[s, 1]))
        total_y = total_x = np.float32(0.0)
        for k in range(offsets_yx.shape[1]):
            value = values[s, k] * weights[s, k] if distances[s, k] <= reach else np.float32(0.0)
            total_y += value * (offsets_yx[0, k] - rest_y)
            total_x += value * (offsets_yx[1, k] - rest_x)
        out[s, 0] = total_y
        out[s, 1] = total_x


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def sum_disks(places_yx, disk_px, patches, out):
    """Intensity in disks of radius `disk_px`, with a rim that falls off over one pixel.

    Parameters
    ----------
    places_yx
        (m, 2) float64 px; NaN: left out.
    disk_px
        Less than the tables' reach by half a pixel or more.
    patches
        As `place_disks` left them for these places.
    out
        (m, 3) float64, into the third.
    """
    values, distances = patches.values, patches.distances
    rim = np.float32(disk_px + 0.5)
    for s in range(places_yx.shape[0]):
        if np.isnan(places_yx[s, 0]):
            continue
        total = np.float32(0.0)
        for k in range(values.shape[1]):
            share = min(max(rim - distances[s, k], np.float32(0.0)), np.float32(1.0))
            total += values[s, k] * share
        out[s, 2] = total


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _nearest(place):
    """The nearest pixel; the lower one of two, so that what is within reach of the last place is on the detector."""
    return math.ceil(place - 0.5)
