"""What is where: the simulated specimens as maps over the scan, which are also the truth.

A flake of WS2 (core), WSe2 (ring) and WS2 (rim) on amorphous film, after Shi et al. 2022: WS2 rotates by a
fraction of a degree, periodically; WSe2 ripples, its three corners tilted in three directions.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SettingsError

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


class Phase(IntEnum):
    """What a scan position shows."""

    FILM = 0
    WS2 = 1
    WSE2 = 2


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
        Tilt of the flake's normal; its direction is the axis along which layers are displaced.
    ripple_region
        int8: 0 the flat part of WSe2, 1 to 3 its tilted corners, -1 elsewhere.
    """

    name: str
    phase: NDArray[np.int8]
    rotation_rad: NDArray[np.float64]
    strain: NDArray[np.float64]
    tilt_yx_rad: NDArray[np.float64]
    ripple_region: NDArray[np.int8]

    @property
    def scan_shape(self) -> tuple[int, int]:
        """(scan_y, scan_x)."""
        return (self.phase.shape[0], self.phase.shape[1])


def make_specimen(name: str, scan_shape: tuple[int, int]) -> Specimen:
    """The specimen of that name.

    Raises
    ------
    SettingsError
        There is none of that name.
    """
    makers = {"junction": junction, "film": film}
    if name not in makers:
        raise SettingsError(
            f"Specimen '{name}' is unknown. Expected one of {', '.join(makers)}. Choose one of these."
        )
    return makers[name](scan_shape)


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
    y, x, px = _coordinates(scan_shape)
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


def _coordinates(scan_shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """y, x in half widths of the shorter side, from the flake's centre; and the size of a scan position."""
    n_y, n_x = scan_shape
    half = min(n_y, n_x) / 2
    y, x = np.indices(scan_shape, dtype=np.float64)
    # A triangle reaches twice as far towards its corner as towards the opposite side: moved to fill the scan.
    return (y - (n_y - 1) / 2) / half - 0.5 * INRADIUS, (x - (n_x - 1) / 2) / half, 1.0 / half
