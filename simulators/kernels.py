"""Patterns: disks and film rings on the detector, then counting and read-out noise.

The same rules as streamer.kernels. Randomness is a counter run through splitmix64, seeded by scan seed and
frame index, so that a frame is the same on any thread and in any block.
"""

import math

import numpy as np
from numba import njit

FASTMATH = {"reassoc", "contract", "nsz", "arcp"}
LARGE_MEAN = 12.0
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def next_uniform(state):
    """Next number in (0, 1) of splitmix64 (Steele, Lea and Flood 2014); `state` is (1,) uint64."""
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    return (float(z >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def seed_state(seed, frame_index, state):
    """Start of the sequence of one frame; `state` is (1,) uint64."""
    state[0] = np.uint64(seed) * _MIX_1 + np.uint64(frame_index) * _MIX_2
    for _ in range(2):
        state[0] = np.uint64(next_uniform(state) * 9007199254740992.0) * _GOLDEN + np.uint64(frame_index)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def poisson(mean, state):
    """Poisson number: products of uniforms for small means, transformed rejection (Hoermann 1993, PTRS) above."""
    if mean <= 0.0:
        return 0.0
    if mean < LARGE_MEAN:
        limit = math.exp(-mean)
        product = next_uniform(state)
        count = 0.0
        while product > limit:
            product *= next_uniform(state)
            count += 1.0
        return count
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    log_mean = math.log(mean)
    while True:
        u = next_uniform(state) - 0.5
        v = next_uniform(state)
        u_s = 0.5 - abs(u)
        count = math.floor((2.0 * a / u_s + b) * u + mean + 0.43)
        if u_s >= 0.07 and v <= v_r:
            return count
        if count < 0.0 or (u_s < 0.013 and v > u_s):
            continue
        accept = math.log(v * inverse_alpha / (a / (u_s * u_s) + b))
        if accept <= count * log_mean - mean - math.lgamma(count + 1.0):
            return count


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def expected_pattern(centre_yx, spots, disk, film, step_px, out):
    """Expected electrons of every pixel.

    Parameters
    ----------
    centre_yx
        (2,) direct beam, px.
    spots
        (n_spots, 3): y and x from the direct beam in px, electrons in the disk.
    disk
        Radial profile of a disk that holds one electron, by steps of `step_px`.
    film
        Radial profile of what the film scatters, electrons per pixel, by steps of `step_px`.
    step_px
        Step of both profiles.
    out
        (det_y, det_x) float32.
    """
    n_y, n_x = out.shape
    for y in range(n_y):
        dy = y - centre_yx[0]
        for x in range(n_x):
            dx = x - centre_yx[1]
            place = math.sqrt(dy * dy + dx * dx) / step_px
            i = min(int(place), film.shape[0] - 2)
            out[y, x] = film[i] + (place - i) * (film[i + 1] - film[i])
    reach = (disk.shape[0] - 2) * step_px
    for j in range(spots.shape[0]):
        if spots[j, 2] <= 0.0:
            continue
        spot_y, spot_x = centre_yx[0] + spots[j, 0], centre_yx[1] + spots[j, 1]
        for y in range(max(0, math.ceil(spot_y - reach)), min(n_y, math.floor(spot_y + reach) + 1)):
            dy = y - spot_y
            for x in range(max(0, math.ceil(spot_x - reach)), min(n_x, math.floor(spot_x + reach) + 1)):
                dx = x - spot_x
                place = math.sqrt(dy * dy + dx * dx) / step_px
                i = int(place)
                if i < disk.shape[0] - 1:
                    out[y, x] += spots[j, 2] * (disk[i] + (place - i) * (disk[i + 1] - disk[i]))


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def detect(expected, adu_per_electron, readout_adu, seed, frame_index, out):
    """Detector values of one frame: counting noise, gain, Gaussian read-out noise.

    Parameters
    ----------
    expected
        (det_y, det_x) float32 electrons.
    adu_per_electron, readout_adu
        Gain; standard deviation of the read-out noise.
    seed, frame_index
        Name the frame's sequence of random numbers.
    out
        (det_y, det_x) float32, ADU.
    """
    state = np.empty(1, np.uint64)
    seed_state(seed, frame_index, state)
    flat_in, flat_out = expected.ravel(), out.ravel()
    for i in range(0, flat_in.shape[0], 2):
        # Box and Muller: two normal numbers from two uniform ones.
        amplitude = readout_adu * math.sqrt(-2.0 * math.log(next_uniform(state)))
        angle = 2.0 * math.pi * next_uniform(state)
        flat_out[i] = adu_per_electron * poisson(flat_in[i], state) + amplitude * math.cos(angle)
        if i + 1 < flat_in.shape[0]:
            flat_out[i + 1] = adu_per_electron * poisson(flat_in[i + 1], state) + amplitude * math.sin(angle)
