"""From lattice to spots: positions and kinematic intensities of the Bragg disks of a tilted three-layer sheet.

I_g / I_0 = (sigma V_g)² with V_g = 47.878 V A² |F_g| / A_cell (weak phase object), sigma the interaction
constant. F_g = f_M exp(-B s²) + 2 f_X cos(2 pi z g.tau) exp(-B s²) exp(2 pi i (h + k) / 3): the chalcogen
planes lie at +-z, so that a tilt tau changes the spots along its axis, second-order ones most.
Nanoprism and cross-section are thick: theirs are dynamical, see `simulators.bloch`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from simulators import cross_section, nanoprism
from simulators.scattering import AT_80KV, electron_scattering_factor
from simulators.specimen import LATTICE_A, Phase, Specimen

WAVELENGTH_A = AT_80KV.wavelength_a
"""At 80 kV."""
INTERACTION_PER_VA = 1.0088e-3
"""rad / (V A) at 80 kV."""
POTENTIAL_VA2 = 47.878
"""h² / (2 pi m e)."""
DEBYE_WALLER_A2 = 0.4
ANGLE_PER_PX_MRAD = 0.52
CONVERGENCE_MRAD = 1.6
DISK_RADIUS_PX = CONVERGENCE_MRAD / ANGLE_PER_PX_MRAD
EDGE_SIGMA_PX = 0.577
"""Softness of the disks' rims: detector blur of 0.5 px and the pixel's own width."""

CHALCOGEN_HEIGHT_A = {Phase.WS2: 1.57, Phase.WSE2: 1.68}

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
    for kind in (Phase.WS2, Phase.WSE2):
        own = phase == kind
        constant = LATTICE_A[kind] * (1.0 + strain[own])
        g = _reciprocal_vectors(hk, constant, rotation[own])
        if specimen.uniaxial_strain is not None:
            stretch = np.eye(2) + specimen.uniaxial_strain.reshape(-1, 2, 2)[positions[own]]
            g = np.einsum("nij,nsj->nsi", np.linalg.inv(stretch), g)
        g_yx[own] = g
        share[own] = _intensities(hk, g, constant, tilt[own], kind)
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


def _reciprocal_vectors(
    hk: NDArray[np.int64], constant_a: NDArray[np.float64], rotation_rad: NDArray[np.float64]
) -> NDArray[np.float64]:
    """G = h b1 + k b2 in 1/A as (n, n_spots, 2), y first; real-space axes 60 degrees apart."""
    x = hk[:, 0] * 1.0
    y = (2 * hk[:, 1] - hk[:, 0]) / np.sqrt(3.0)
    cos, sin = np.cos(rotation_rad)[:, None], np.sin(rotation_rad)[:, None]
    scale = 1.0 / constant_a[:, None]
    return np.stack([(sin * x + cos * y) * scale, (cos * x - sin * y) * scale], axis=2)


def _intensities(
    hk: NDArray[np.int64],
    g_yx: NDArray[np.float64],
    constant_a: NDArray[np.float64],
    tilt_yx: NDArray[np.float64],
    kind: Phase,
) -> NDArray[np.float64]:
    s = np.linalg.norm(g_yx, axis=2) / 2
    damping = np.exp(-DEBYE_WALLER_A2 * s**2)
    metal = electron_scattering_factor("W", s) * damping
    chalcogen = electron_scattering_factor("S" if kind is Phase.WS2 else "Se", s) * damping
    displacement = CHALCOGEN_HEIGHT_A[kind] * np.einsum("nsi,ni->ns", g_yx, np.tan(tilt_yx))
    planes = 2 * chalcogen * np.cos(2 * np.pi * displacement)
    angle = 2 * np.pi * (hk[:, 0] + hk[:, 1]) / 3
    structure_2 = (metal + planes * np.cos(angle)) ** 2 + (planes * np.sin(angle)) ** 2
    cell = np.sqrt(3.0) / 2 * constant_a[:, None] ** 2
    return (INTERACTION_PER_VA * POTENTIAL_VA2 / cell) ** 2 * structure_2
