"""Intensities of a tilted sheet of three atomic planes: multislice, one plane a slice.

A plane turns the phase of the wave by sigma V(r), with V_g = 47.878 V A² f_g exp(-B s²) / A_cell. The metal lies
between the chalcogens, `height_a` from either, and on that way beam g gains the phase 2 pi s_g z, with the excitation
error s_g = -g.tan(tau) - lambda g² / 2 as in `simulators.bloch`. First order alone (a weak phase object) would be 17 %
off for WS2 and WSe2 at 80 kV: tungsten is too heavy for it, and g and -g are not equally bright (decision 20).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.bloch import TILT_STEP_RAD
from simulators.scattering import AT_80KV, electron_scattering_factor
from simulators.specimen import LATTICE_A, Phase

INTERACTION_PER_VA = 1.0088e-3
"""sigma: rad / (V A) at 80 kV."""
POTENTIAL_VA2 = 47.878
"""h² / (2 pi m e)."""
DEBYE_WALLER_A2 = 0.4
GRID = 32
"""Samples along either axis of the cell: beams up to 3.4 / A; twice as many change the strong spots by 1 %."""
_CACHED_TILTS = 4096


@dataclass(frozen=True)
class Sheet:
    """`chalcogen` planes at `height_a` on both sides of a plane of `metal`; hexagonal constant `lattice_a`."""

    metal: str
    chalcogen: str
    height_a: float
    lattice_a: float


SHEETS = {
    Phase.WS2: Sheet("W", "S", 1.57, LATTICE_A[Phase.WS2]),
    Phase.WSE2: Sheet("W", "Se", 1.68, LATTICE_A[Phase.WSE2]),
}


@dataclass(frozen=True)
class _Slices:
    """Arrays (GRID, GRID) of a sheet.

    `g_yx` 1/A (.., 2) and `within`, whether a beam lies inside the bound, in FFT order of h, k; `metal`, `chalcogen`:
    transmission of the planes over the cell.
    """

    g_yx: NDArray[np.float64]
    within: NDArray[np.bool_]
    metal: NDArray[np.complex128]
    chalcogen: NDArray[np.complex128]


def reciprocal_vectors(hk: NDArray[np.int64]) -> NDArray[np.float64]:
    """Vectors h b1 + k b2 of a lattice of constant 1, y first; real-space axes 60 degrees apart, the first along x."""
    h, k = hk[..., 0], hk[..., 1]
    return np.stack([(2 * k - h) * np.sqrt(1 / 3), h * 1.0], axis=-1).astype(np.float64)


def intensities(sheet: Sheet, hk: NDArray[np.int64], tilt_yx_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the incident electrons in every spot, (n, n_spots), of the unstrained lattice.

    Parameters
    ----------
    hk
        (n_spots, 2), no index of which reaches a quarter of `GRID`.
    tilt_yx_rad
        (n, 2): of the beam from the sheet's normal, in the axes of the lattice. Rounded to `TILT_STEP_RAD`.
    """
    steps = np.rint(tilt_yx_rad / TILT_STEP_RAD).astype(np.int64)
    tilts, row_of = np.unique(steps, axis=0, return_inverse=True)
    shares = np.empty((len(tilts), len(hk)))
    for row, (y, x) in enumerate(tilts.tolist()):
        shares[row] = _all_beams(sheet, y, x)[hk[:, 0], hk[:, 1]]
    return shares[row_of.ravel()]


@lru_cache(maxsize=_CACHED_TILTS)
def _all_beams(sheet: Sheet, tilt_y_steps: int, tilt_x_steps: int) -> NDArray[np.float32]:
    """(GRID, GRID) in FFT order. A block of frames asks for few tilts, and the next block for the same."""
    slices = _slices(sheet)
    tilt = np.tan(np.array([tilt_y_steps, tilt_x_steps]) * TILT_STEP_RAD)
    excitation = -slices.g_yx @ tilt - AT_80KV.wavelength_a * (slices.g_yx**2).sum(axis=-1) / 2
    way = slices.within * np.exp(2j * np.pi * sheet.height_a * excitation)
    wave = np.fft.ifft2(np.fft.fft2(slices.chalcogen) * way)
    wave = np.fft.ifft2(np.fft.fft2(wave * slices.metal) * way)
    beams = np.fft.fft2(wave * slices.chalcogen) / GRID**2
    return (np.abs(beams) ** 2).astype(np.float32)


@lru_cache(maxsize=len(SHEETS))
def _slices(sheet: Sheet) -> _Slices:
    index = np.rint(np.fft.fftfreq(GRID, 1 / GRID)).astype(np.int64)
    hk = np.stack(np.meshgrid(index, index, indexing="ij"), axis=-1)
    g = reciprocal_vectors(hk) / sheet.lattice_a
    s = np.linalg.norm(g, axis=-1) / 2
    # Beams past two thirds of the grid would come back as others (aliasing).
    within = 2 * s <= GRID / 3 / sheet.lattice_a
    cell_a2 = np.sqrt(3.0) / 2 * sheet.lattice_a**2
    own = within & (s > 0)  # the mean potential changes no intensity

    def transmission(element: str, place: NDArray[np.complex128]) -> NDArray[np.complex128]:
        phase = np.zeros(s.shape, np.complex128)
        damped = electron_scattering_factor(element, s[own]) * np.exp(-DEBYE_WALLER_A2 * s[own] ** 2)
        phase[own] = INTERACTION_PER_VA * POTENTIAL_VA2 / cell_a2 * damped * place[own]
        return np.exp(1j * GRID**2 * np.fft.ifft2(phase).real)

    third = np.exp(-2j * np.pi * hk.sum(axis=-1) / 3)
    return _Slices(
        g, within, transmission(sheet.metal, np.ones_like(third)), transmission(sheet.chalcogen, third)
    )
