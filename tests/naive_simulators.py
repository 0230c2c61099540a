"""A slow, obvious twin of every deterministic kernel in simulators.kernels."""

import numpy as np


def expected_pattern(centre_yx, spots, disk, film, step_px, shape):
    y, x = np.indices(shape)
    radius = np.hypot(y - centre_yx[0], x - centre_yx[1])
    out = np.interp(radius, np.arange(len(film)) * step_px, film)
    for offset_y, offset_x, electrons in spots:
        distance = np.hypot(y - centre_yx[0] - offset_y, x - centre_yx[1] - offset_x)
        out += electrons * np.interp(distance, np.arange(len(disk)) * step_px, disk, right=0.0)
    return out


def splitmix64(state):
    """Next state and uniform number, in Python integers."""
    mask = (1 << 64) - 1
    state = (state + 0x9E3779B97F4A7C15) & mask
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return state, ((z >> 11) + 0.5) / 9007199254740992.0
