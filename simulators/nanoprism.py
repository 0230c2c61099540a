"""A bent silver nanoprism on [111], 10 nm thick: conjugate disks trade intensity across its bending contour."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.bloch import ZoneAxis, intensities
from simulators.scattering import AT_300KV, electron_scattering_factor
from simulators.specimen import Specimen, coordinates

LATTICE_A = 4.086
DEBYE_WALLER_A2 = 0.74
THICKNESS_A = 100.0
BEND_RAD = 0.018
"""Tilt at either end of the prism."""
BEND_AXIS_RAD = np.deg2rad(12.0)
"""Direction along which the tilt grows, from x towards y: not along a row of disks, as in any real prism."""
INRADIUS = 0.55
FILM, PRISM = 0, 1


def nanoprism(scan_shape: tuple[int, int], prism_thickness_a: float = THICKNESS_A) -> Specimen:
    """A truncated triangle, bent about one axis like a saddle roof: tilt grows along it, a little faster outside.

    Parameters
    ----------
    scan_shape
        (scan_y, scan_x).
    prism_thickness_a
        A, > 0.
    """
    y, x, _ = coordinates(scan_shape)
    edges = np.deg2rad([90.0, 210.0, 330.0])
    towards_side = np.stack([np.sin(edge) * y + np.cos(edge) * x for edge in edges])
    inside = (towards_side.max(axis=0) < INRADIUS) & (towards_side.min(axis=0) > -1.45 * INRADIUS)
    along = np.cos(BEND_AXIS_RAD) * x + np.sin(BEND_AXIS_RAD) * y
    along -= along[inside].mean()
    along /= np.abs(along[inside]).max()
    tilt = np.where(inside, BEND_RAD * (0.85 * along + 0.15 * along**3), 0.0)
    direction = np.array([np.sin(BEND_AXIS_RAD), np.cos(BEND_AXIS_RAD)])
    return Specimen(
        "nanoprism",
        np.where(inside, PRISM, FILM).astype(np.int8),
        np.zeros(scan_shape),
        np.zeros(scan_shape),
        tilt[..., None] * direction,
        np.where(inside, (tilt > 0).astype(np.int8), np.int8(-1)).astype(np.int8),
        phase_names=("film", "prism"),
        electrons=AT_300KV,
        thickness_a=np.where(inside, prism_thickness_a, 0.0),
    )


@lru_cache(maxsize=1)
def silver() -> ZoneAxis:
    """Silver along [111]: the zone holds {220} and what they span."""
    shortest = np.sqrt(8.0) / LATTICE_A
    basis = shortest * np.array([[0.0, 1.0], [np.sqrt(0.75), 0.5]])

    def factor(indices: NDArray[np.int64], s_per_a: NDArray[np.float64]) -> NDArray[np.complex128]:
        return (4 * electron_scattering_factor("Ag", s_per_a) * np.exp(-DEBYE_WALLER_A2 * s_per_a**2)).astype(
            np.complex128
        )

    return ZoneAxis(basis, factor, LATTICE_A**3, AT_300KV.wavelength_a, AT_300KV.gamma, 2.1)


def disks(
    specimen: Specimen, positions: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reciprocal vectors (n, m, 2) in 1/A and shares (n, m) of the diffracted beams; none on film."""
    crystal = silver()
    g = (crystal.beams() @ crystal.basis_yx)[1:]
    share = np.zeros((len(positions), len(g)))
    own = specimen.phase.ravel()[positions] == PRISM
    tilt = specimen.tilt_yx_rad.reshape(-1, 2)[positions[own]]
    everywhere = specimen.thickness_a
    thickness = np.full(own.sum(), THICKNESS_A) if everywhere is None else everywhere.ravel()[positions[own]]
    share[own] = intensities(crystal, tilt, thickness)[:, 1:]
    return np.broadcast_to(g, (len(positions), *g.shape)), share
