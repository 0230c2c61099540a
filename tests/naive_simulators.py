"""A slow, obvious twin of every deterministic kernel in simulators.kernels, and of the multislice of a sheet."""

import numpy as np
from scipy.linalg import expm

from simulators.scattering import AT_80KV, electron_scattering_factor
from simulators.sheet import DEBYE_WALLER_A2, INTERACTION_PER_VA, POTENTIAL_VA2


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


def sheet_beams(sheet, tilt_yx, g_max):
    """{(h, k): share} without any grid: a plane is the matrix exponential of its coupling between the beams."""
    constant, steps = sheet.lattice_a, range(-20, 21)
    places = {(h, k): np.array([(2 * k - h) / np.sqrt(3), h]) / constant for h in steps for k in steps}
    beams = [hk for hk, g in places.items() if np.hypot(*g) <= g_max]
    g = np.array([places[hk] for hk in beams])
    cell = np.sqrt(3) / 2 * constant**2

    def plane(element, at):
        coupling = np.zeros((len(beams), len(beams)), complex)
        for row, (h, k) in enumerate(beams):
            for column, (h2, k2) in enumerate(beams):
                difference = np.hypot(*(g[row] - g[column]))
                if 0 < difference <= g_max:
                    s = difference / 2
                    factor = electron_scattering_factor(element, s) * np.exp(-DEBYE_WALLER_A2 * s**2)
                    turn = np.exp(-2j * np.pi * at * (h - h2 + k - k2))
                    coupling[row, column] = INTERACTION_PER_VA * POTENTIAL_VA2 / cell * factor * turn
        return expm(1j * coupling)

    excitation = -g @ np.tan(tilt_yx) - AT_80KV.wavelength_a * (g**2).sum(axis=1) / 2
    way = np.exp(2j * np.pi * sheet.height_a * excitation)
    wave = np.array([hk == (0, 0) for hk in beams]).astype(complex)
    chalcogen = plane(sheet.chalcogen, 1 / 3)
    wave = chalcogen @ (way * (plane(sheet.metal, 0) @ (way * (chalcogen @ wave))))
    return dict(zip(beams, np.abs(wave) ** 2, strict=True))
