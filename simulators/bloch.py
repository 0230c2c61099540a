"""Dynamical intensities of a thin crystal on a zone axis, a little tilted: Bloch waves of the zero-order Laue zone.

d phi / dz = 2 pi i A phi, A_gg = s_g, A_gh = U_(g-h) / 2K, with the excitation errors s_g = -g.tau - lambda g² / 2 and
U_g = gamma F_g / (pi V). A is Hermitian (no absorption), so that one diagonalisation for a tilt serves every thickness.
Electron scattering factors as in `simulators.diffraction`; the bound on beams is a radius in reciprocal space.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TILT_STEP_RAD = 1e-4
"""Tilts are rounded to this before they are diagonalised, so that a scan needs a few hundred of them."""

StructureFactor = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.complex128]]
"""(n, 2) indices in the zone, (n,) s = g / 2 in 1/A -> (n,) F in A."""


@dataclass(frozen=True)
class ZoneAxis:
    """A crystal seen along a zone axis.

    Attributes
    ----------
    basis_yx
        (2, 2) 1/A: reciprocal basis of the zone, one vector a row.
    structure_factor
        F of any reflection of the zone.
    cell_volume_a3
        Of the cell that F belongs to.
    wavelength_a, gamma
        Of the electrons: wavelength, relativistic mass ratio.
    g_max
        1/A: beams farther out are left out.
    """

    basis_yx: NDArray[np.float64]
    structure_factor: StructureFactor
    cell_volume_a3: float
    wavelength_a: float
    gamma: float
    g_max: float

    def beams(self) -> NDArray[np.int64]:
        """(m, 2) indices within `g_max`, the direct beam first."""
        shortest = np.linalg.norm(self.basis_yx, axis=1).min()
        top = int(2 * self.g_max / shortest) + 1
        steps = np.arange(-top, top + 1)
        indices = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        length = np.linalg.norm(indices @ self.basis_yx, axis=1)
        kept = np.flatnonzero(length <= self.g_max)
        return indices[kept[np.argsort(length[kept], kind="stable")]]


def intensities(
    crystal: ZoneAxis, tilt_yx_rad: NDArray[np.float64], thickness_a: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of the incident electrons in every beam, (n, m) in the order of `ZoneAxis.beams`; rows sum to 1.

    Parameters
    ----------
    tilt_yx_rad
        (n, 2): of the beam from the zone axis.
    thickness_a
        (n,) A.
    """
    beams = crystal.beams()
    g = beams @ crystal.basis_yx
    coupling = _coupling(crystal, beams)
    rounded = np.rint(tilt_yx_rad / TILT_STEP_RAD).astype(np.int64)
    tilts, row_of = np.unique(rounded, axis=0, return_inverse=True)
    row_of = row_of.ravel()
    out = np.empty((len(thickness_a), len(beams)))
    for row, tilt in enumerate(tilts * TILT_STEP_RAD):
        own = row_of == row
        excitation = -g @ tilt - crystal.wavelength_a * (g**2).sum(axis=1) / 2
        values, vectors = np.linalg.eigh(coupling + np.diag(excitation))
        phases = np.exp(2j * np.pi * values[None, :] * thickness_a[own, None])
        out[own] = np.abs((phases * vectors[0].conj()) @ vectors.T) ** 2
    return out


def _coupling(crystal: ZoneAxis, beams: NDArray[np.int64]) -> NDArray[np.complex128]:
    """U_(g-h) / 2K in 1/A, zero on the diagonal (the mean potential changes no intensity)."""
    difference = (beams[:, None] - beams[None]).reshape(-1, 2)
    length = np.linalg.norm(difference @ crystal.basis_yx, axis=1)
    others = length > 0
    factor = np.zeros(len(difference), np.complex128)
    factor[others] = crystal.structure_factor(difference[others], length[others] / 2)
    scale = crystal.gamma / (np.pi * crystal.cell_volume_a3) * crystal.wavelength_a / 2
    return (scale * factor).reshape(len(beams), len(beams))
