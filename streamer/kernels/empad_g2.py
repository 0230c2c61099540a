"""Words of an EMPAD-G2 to counts (ADU): gains, dark, the frame's common offset ("bounce"), flat field.

A word holds the analog value (bits 0-13), the number of charge removals (14-29) and the gain (bit 31, set: low);
bit 30 is always set (empad notes, part 2). Even and odd frames are read by different amplifiers.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streamer.kernels.flags import FASTMATH

N_BINS = 42
BIN_ADU = 10.0
FIRST_ADU = -205.0
FIT_REACH = 3
"""Bins to each side of the fullest that the parabola is fitted to."""
LEAST_PEAK = 40
LARGEST_BOUNCE_ADU = 200.0
PIECE = 2048
N_ABOVE = 4
_SIDE = 48
"""Of the joint histogram, at least ``N_BINS + 1 + N_ABOVE``: whole vectors."""


class WordMaps(NamedTuple):
    """Calibration by parity and pixel, each (2, n_pixels) float32.

    High gain: ``analog - pedestal``. Low gain: ``(quadratic * analog + linear) * analog + offset - pedestal``.
    Both: plus ``removal`` for each charge removal; afterwards times ``flat``.
    """

    pedestal: NDArray[np.float32]
    offset: NDArray[np.float32]
    linear: NDArray[np.float32]
    quadratic: NDArray[np.float32]
    removal: NDArray[np.float32]
    flat: NDArray[np.float32]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def decode_words(words, parity, maps, debounce, pairs, out):
    """Counts of some frames.

    Parameters
    ----------
    words
        (n, n_pixels) uint32, n_pixels even.
    parity
        (n,) int64: 0 or 1, which half of the maps a frame is decoded with.
    maps
        `WordMaps`.
    debounce
        Whether the place of the zero-electron peak is subtracted from each frame.
    pairs
        (n_pixels / 2,) uint16, scratch.
    out
        (n, n_pixels) float32.
    """
    half = words.shape[1] // 2
    for i in range(words.shape[0]):
        half_maps = (
            maps.pedestal[parity[i]],
            maps.offset[parity[i]],
            maps.linear[parity[i]],
            maps.quadratic[parity[i]],
            maps.removal[parity[i]],
        )
        for first in range(0, words.shape[1], PIECE):
            _decode_piece(words[i, first : first + PIECE], first, half_maps, out[i, first : first + PIECE])
        bounce = np.float32(0.0)
        if debounce:
            _pair_bins(out[i, :half], out[i, half:], pairs)
            bounce = np.float32(_place_of_peak(pairs))
        _flatten(out[i], bounce, maps.flat[parity[i]])


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _decode_piece(words, first, maps, out):
    """Counts before debounce and flat field."""
    n = words.shape[0]
    pedestal = maps[0][first : first + n]
    bits = np.uint32(0)
    # Most pieces hold analog values of high gain alone, and need one map instead of five. Done and asked in one loop:
    # memory is read once, and one for the bits alone would not use SIMD.
    for p in range(n):
        word = words[p]
        bits |= word
        out[p] = np.float32(np.int32(word & np.uint32(0x3FFF))) - pedestal[p]
    if not bits & np.uint32(0xBFFFC000):
        return
    offset, linear = maps[1][first : first + n], maps[2][first : first + n]
    quadratic, removal = maps[3][first : first + n], maps[4][first : first + n]
    for p in range(n):
        analog = np.float32(np.int32(words[p] & np.uint32(0x3FFF)))
        removals = np.float32(np.int32((words[p] >> np.uint32(14)) & np.uint32(0xFFFF)))
        low = (quadratic[p] * analog + linear[p]) * analog + offset[p]
        value = low if np.int32(words[p]) < 0 else analog
        out[p] = value + removals * removal[p] - pedestal[p]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _pair_bins(some, others, pairs):
    """The histogram's bins of two pixels in one number, one of each half of the frame."""
    for p in range(pairs.shape[0]):
        # Pixels above the range take turns in several bins, which nobody asks for: adding to one would have to wait.
        above = np.float32(N_BINS + 1 + (p & (N_ABOVE - 1)))
        pairs[p] = _bin_of(some[p], above) + np.uint16(_SIDE) * _bin_of(others[p], above)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _flatten(counts, bounce, flat):
    for p in range(counts.shape[0]):
        counts[p] = (counts[p] - bounce) * flat[p]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _bin_of(value, above):
    """The histogram's bin of a value: 0 below the range, `above` above it."""
    place = (value - np.float32(FIRST_ADU)) * np.float32(1.0 / BIN_ADU) + np.float32(1.0)
    return np.uint16(np.int32(min(max(place, np.float32(0.0)), above)))


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _place_of_peak(pairs):
    """Vertex, in ADU, of the parabola through the fullest bin and its neighbours; 0 where there is no clear one."""
    # Counted two pixels at a time: most fall into few bins, and adding to the same one again has to wait.
    joint = np.zeros((_SIDE, _SIDE), np.int32)
    flat = joint.reshape(joint.size)
    for pair in pairs:
        flat[pair] += 1
    counts = np.zeros(_SIDE, np.int32)
    # Each pixel of a pair for itself: in one loop both would have to wait for each other.
    for b in range(_SIDE):
        row, n_row = joint[b], np.int32(0)
        for c in range(_SIDE):
            n_row += row[c]
        counts[b] += n_row
    for b in range(_SIDE):
        row = joint[b]
        for c in range(_SIDE):
            counts[c] += row[c]
    peak = 1
    for b in range(1, N_BINS + 1):
        if counts[b] > counts[peak]:
            peak = b
    if counts[peak] <= LEAST_PEAK or peak <= FIT_REACH or peak > N_BINS - FIT_REACH:
        return 0.0
    slope, curve = 0.0, 0.0
    for x in range(-FIT_REACH, FIT_REACH + 1):
        slope += counts[peak + x] * x / 28.0  # 28 and 84: sums of x^2 and of (x^2 - 4)^2 over -3 ... 3
        curve += counts[peak + x] * (x * x - 4.0) / 84.0
    vertex = -slope / (2.0 * curve) if curve < 0.0 else FIT_REACH + 1.0
    place = FIRST_ADU + BIN_ADU * (peak - 0.5 + vertex)
    if abs(vertex) > FIT_REACH or abs(place) > LARGEST_BOUNCE_ADU:
        return 0.0
    return place
