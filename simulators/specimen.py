"""What is where: a simulated specimen as maps over the scan, which are also the truth; and those of WS2 and WSe2.

Junction: a flake of WS2 (core), WSe2 (ring) and WS2 (rim) on amorphous film, after Shi et al. 2022: WS2 rotates by a
fraction of a degree, periodically; WSe2 ripples, its three corners tilted in three directions.
Superlattice: flakes of different orientation, each of narrow coherent stripes of WS2 and WSe2; WSe2 ripples.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulators.scattering import AT_80KV, Electrons

INRADIUS = 0.66
"""Of the flake, in half widths of the scan."""
CORE_SHARE, RING_SHARE = 0.45, 0.80
"""Shares of the inradius where core and ring end."""
ROTATION_RAD = np.deg2rad(0.5)
ROTATION_PERIOD = 0.5
"""Of the WS2 rotation, in half widths of the scan."""
TILT_RAD = np.deg2rad(7.0)
CORNER_START = 0.75
"""How far along a corner's direction its tilt begins, in inradii."""
STRAIN = 1.0e-3

FLAKE_ROTATION_RAD = tuple(np.deg2rad([3.0, 19.0, -16.0]))
GAP = 0.06
"""Film between flakes, in half widths of the scan."""
STRIPE_PERIOD = 0.40
WSE2_SHARE = 0.45
RIPPLE_PERIOD = 0.30
RIPPLE_TILT_RAD = np.pi / 30
"""Largest slope of ripples whose height is a thirtieth of their length."""


class Phase(IntEnum):
    """What a scan position shows."""

    FILM = 0
    WS2 = 1
    WSE2 = 2


LATTICE_A = {Phase.WS2: 3.153, Phase.WSE2: 3.282}


@dataclass(frozen=True)
class Specimen:
    """Maps over the scan, each (scan_y, scan_x[, 2]).

    Attributes
    ----------
    name
        Of the specimen.
    phase
        int8, values of `Phase`.
    rotation_rad, strain
        Of the lattice; 0 on film. Rotation is positive from x towards y (y down).
    tilt_yx_rad
        Tilt of the beam from the normal (the zone axis); its direction is the axis along which layers are displaced.
    ripple_region
        int8: 0 the flat part of WSe2, 1 to 3 its tilted corners, -1 elsewhere. Nanoprism: the side of the
        bending contour.
    phase_names
        What the values of `phase` mean.
    electrons
        That it is looked at with.
    flake
        int8: which flake, -1 film; None: one.
    uniaxial_strain
        (scan_y, scan_x, 2, 2): real-space strain tensor (y, x) beside `strain`; None: none.
    thickness_a
        A; None: a sheet.
    film_scale
        How much amorphous film; None: 1 everywhere.
    """

    name: str
    phase: NDArray[np.int8]
    rotation_rad: NDArray[np.float64]
    strain: NDArray[np.float64]
    tilt_yx_rad: NDArray[np.float64]
    ripple_region: NDArray[np.int8]
    phase_names: tuple[str, ...] = ("FILM", "WS2", "WSE2")
    electrons: Electrons = AT_80KV
    flake: NDArray[np.int8] | None = None
    uniaxial_strain: NDArray[np.float64] | None = None
    thickness_a: NDArray[np.float64] | None = None
    film_scale: NDArray[np.float64] | None = None

    @property
    def scan_shape(self) -> tuple[int, int]:
        """(scan_y, scan_x)."""
        return (self.phase.shape[0], self.phase.shape[1])


def film(scan_shape: tuple[int, int]) -> Specimen:
    """Amorphous film alone: whatever is found in it is an artefact."""
    return Specimen(
        "film",
        np.zeros(scan_shape, np.int8),
        np.zeros(scan_shape),
        np.zeros(scan_shape),
        np.zeros((*scan_shape, 2)),
        np.full(scan_shape, -1, np.int8),
    )


def junction(scan_shape: tuple[int, int]) -> Specimen:
    """Triangular WS2-WSe2 lateral junction."""
    y, x, px = coordinates(scan_shape)
    edges = np.deg2rad([90.0, 210.0, 330.0])  # outward normals of the three sides, y down
    normals = np.stack([np.sin(edges), np.cos(edges)], axis=1)
    towards_side = np.stack([n[0] * y + n[1] * x for n in normals])
    depth = towards_side.max(axis=0) / INRADIUS
    phase = np.full(scan_shape, Phase.FILM, np.int8)
    phase[depth < 1.0] = Phase.WS2
    phase[(depth >= CORE_SHARE) & (depth < RING_SHARE)] = Phase.WSE2
    is_ws2, is_wse2 = phase == Phase.WS2, phase == Phase.WSE2
    along = np.cos(np.deg2rad(20.0)) * x + np.sin(np.deg2rad(20.0)) * y
    rotation = np.where(is_ws2, ROTATION_RAD * np.sin(2 * np.pi * along / ROTATION_PERIOD), 0.0)
    strain = np.where(is_ws2, STRAIN * y, 0.0) - np.where(is_wse2, STRAIN, 0.0)
    towards_corner = -towards_side  # a corner lies opposite a side
    corner = towards_corner.argmax(axis=0)
    beyond = (towards_corner.max(axis=0) - CORNER_START * INRADIUS) / (1.5 * px)
    weight = np.where(is_wse2, np.clip(beyond + 0.5, 0.0, 1.0), 0.0)
    directions = -normals[corner]
    ripple = np.full(scan_shape, -1, np.int8)
    ripple[is_wse2] = np.where(weight >= 0.5, corner + 1, 0)[is_wse2]
    return Specimen("junction", phase, rotation, strain, TILT_RAD * weight[..., None] * directions, ripple)


def superlattice(scan_shape: tuple[int, int]) -> Specimen:
    """Three flakes about a common corner, stripes along one lattice direction of each."""
    n_y, n_x = scan_shape
    half = min(n_y, n_x) / 2
    y, x = np.indices(scan_shape, dtype=np.float64)
    y, x = (y - (n_y - 1) / 2) / half, (x - (n_x - 1) / 2) / half
    normals = np.deg2rad([35.0, 155.0, 275.0])
    along = np.stack([np.sin(angle) * y + np.cos(angle) * x for angle in normals])
    flake = along.argmax(axis=0).astype(np.int8)
    ordered = np.sort(along, axis=0)
    flake[ordered[-1] - ordered[-2] < np.sqrt(3.0) * GAP] = -1
    phase = np.full(scan_shape, Phase.FILM, np.int8)
    rotation, tilt = np.zeros(scan_shape), np.zeros((*scan_shape, 2))
    uniaxial = np.zeros((*scan_shape, 2, 2))
    mean_a = (1 - WSE2_SHARE) * LATTICE_A[Phase.WS2] + WSE2_SHARE * LATTICE_A[Phase.WSE2]
    for number, angle in enumerate(FLAKE_ROTATION_RAD):
        own = flake == number
        stripe = np.array([np.sin(angle), np.cos(angle)])  # the direction that both lattices share
        across = np.array([stripe[1], -stripe[0]])
        is_wse2 = np.mod((across[0] * y + across[1] * x) / STRIPE_PERIOD, 1.0) < WSE2_SHARE
        phase[own] = np.where(is_wse2, Phase.WSE2, Phase.WS2)[own]
        rotation[own] = angle
        ripple = RIPPLE_TILT_RAD * np.sin(2 * np.pi * (stripe[0] * y + stripe[1] * x) / RIPPLE_PERIOD)
        tilt[own & is_wse2] = ripple[own & is_wse2, None] * stripe
        for kind in (Phase.WS2, Phase.WSE2):
            # Coherent: along the stripe both have the mean constant, across it their own.
            uniaxial[own & (phase == kind)] = (mean_a / LATTICE_A[kind] - 1) * np.outer(stripe, stripe)
    return Specimen(
        "superlattice",
        phase,
        rotation,
        np.zeros(scan_shape),
        tilt,
        np.full(scan_shape, -1, np.int8),
        flake=flake,
        uniaxial_strain=uniaxial,
    )


def coordinates(scan_shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """y, x in half widths of the shorter side, from the flake's centre; and the size of a scan position."""
    n_y, n_x = scan_shape
    half = min(n_y, n_x) / 2
    y, x = np.indices(scan_shape, dtype=np.float64)
    # A triangle reaches twice as far towards its corner as towards the opposite side: moved to fill the scan.
    return (y - (n_y - 1) / 2) / half - 0.5 * INRADIUS, (x - (n_x - 1) / 2) / half, 1.0 / half
