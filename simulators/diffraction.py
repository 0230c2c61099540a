"""From lattice to spots: positions and intensities of the Bragg disks.

A sheet's intensities are those of `simulators.sheet`; nanoprism and cross-section are thick, see `simulators.bloch`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from simulators import cross_section, nanoprism
from simulators.scattering import AT_80KV
from simulators.sheet import SHEETS, intensities, reciprocal_vectors
from simulators.specimen import Specimen

WAVELENGTH_A = AT_80KV.wavelength_a
"""At 80 kV."""
ANGLE_PER_PX_MRAD = 0.52
CONVERGENCE_MRAD = 1.6
DISK_RADIUS_PX = CONVERGENCE_MRAD / ANGLE_PER_PX_MRAD
EDGE_SIGMA_PX = 0.577
"""Softness of the disks' rims: detector blur of 0.5 px and the pixel's own width."""

FILM_RINGS = ((0.060, 38.5, 6.0), (0.020, 68.0, 9.0))
"""Diffuse rings of the film: share of the electrons, radius and width in px."""
FILM_TAIL = (0.05, 3.0)
"""Inelastic tail around the direct beam: share of the electrons, decay length in px."""


@dataclass(frozen=True)
class Spots:
    """Bragg disks of some scan positions.

    Attributes
    ----------
    offset_yx_px
        (n, n_spots, 2): from the direct beam.
    share
        (n, n_spots): of the incident electrons.
    """

    offset_yx_px: NDArray[np.float64]
    share: NDArray[np.float64]


def miller_indices(max_order: int = 4) -> NDArray[np.int64]:
    """(n_spots, 2): all h, k but 0, 0 within a hexagon of reciprocal space."""
    h, k = np.meshgrid(np.arange(-max_order, max_order + 1), np.arange(-max_order, max_order + 1))
    inside = (np.abs(h - k) <= max_order) & ((h != 0) | (k != 0))
    return np.stack([h[inside], k[inside]], axis=1)


_THICK = {"nanoprism": nanoprism.disks, "cross-section": cross_section.disks}


def spots_of(specimen: Specimen, positions: NDArray[np.int64]) -> Spots:
    """Bragg disks at flat scan positions; film has disks of share 0.

    Parameters
    ----------
    positions
        (n,) flat scan indices.
    """
    if specimen.name in _THICK:
        g_yx, share = _THICK[specimen.name](specimen, positions)
        px = specimen.electrons.wavelength_a * 1e3 / ANGLE_PER_PX_MRAD
        return Spots(g_yx * px, share * (1.0 - film_share() * film_scale(specimen, positions)[:, None]))
    return _spots_of_sheet(specimen, positions)


def film_scale(specimen: Specimen, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much film there is at flat scan positions, (n,)."""
    if specimen.film_scale is None:
        return np.ones(len(positions))
    return specimen.film_scale.ravel()[positions]


def _spots_of_sheet(specimen: Specimen, positions: NDArray[np.int64]) -> Spots:
    hk = miller_indices()
    phase = specimen.phase.ravel()[positions]
    rotation = specimen.rotation_rad.ravel()[positions]
    strain = specimen.strain.ravel()[positions]
    tilt = specimen.tilt_yx_rad.reshape(-1, 2)[positions]
    g_yx = np.zeros((len(positions), len(hk), 2))
    share = np.zeros((len(positions), len(hk)))
    for kind, sheet in SHEETS.items():
        own = phase == kind
        g = _turned(reciprocal_vectors(hk)[None], rotation[own, None])
        g /= (sheet.lattice_a * (1.0 + strain[own]))[:, None, None]
        if specimen.uniaxial_strain is not None:
            stretch = np.eye(2) + specimen.uniaxial_strain.reshape(-1, 2, 2)[positions[own]]
            g = np.einsum("nij,nsj->nsi", np.linalg.inv(stretch), g)
        g_yx[own] = g
        # Strain moves the spots alone; the lattice's own axes see the beam turned back.
        share[own] = intensities(sheet, hk, _turned(tilt[own], -rotation[own]))
    return Spots(g_yx * (WAVELENGTH_A * 1e3 / ANGLE_PER_PX_MRAD), share)


def film_profile(n_steps: int, step_px: float) -> NDArray[np.float64]:
    """Share of the electrons per detector pixel that the film scatters to each radius, by steps of `step_px`."""
    radius = np.arange(n_steps) * step_px
    tail_share, decay = FILM_TAIL
    profile = tail_share * np.exp(-radius / decay) / (2 * np.pi * decay**2)
    for share, centre, width in FILM_RINGS:
        ring = np.exp(-0.5 * ((radius - centre) / width) ** 2)
        profile += share * ring / (2 * np.pi * trapezoid(ring * radius, dx=step_px))
    return profile


def film_share() -> float:
    """Share of the electrons that the film scatters out of the direct beam."""
    return FILM_TAIL[0] + sum(share for share, _, _ in FILM_RINGS)


def _turned(yx: NDArray[np.float64], angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (.., 2) turned from x towards y by angles (..)."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    y, x = yx[..., 0], yx[..., 1]
    return np.stack([cos * y + sin * x, cos * x - sin * y], axis=-1)
