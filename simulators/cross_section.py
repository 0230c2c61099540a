"""InGaP on GaAs in cross-section along [110], a twin in the film, amorphous carbon on top, in a wedge of 4 to 10 nm."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.bloch import ZoneAxis, intensities
from simulators.scattering import AT_300KV, electron_scattering_factor
from simulators.specimen import Specimen

GAAS_A = 5.6533
MISMATCH = 0.006
"""Of the film's lattice constant."""
DEBYE_WALLER_A2 = 0.6
THICKNESS_A = (40.0, 100.0)
"""At the top and at the bottom of the scan."""
CAP, SUBSTRATE, GRAIN_1, GRAIN_2, TWIN = range(5)
ROTATION_RAD = {SUBSTRATE: 0.0, GRAIN_1: np.deg2rad(4.0), GRAIN_2: np.deg2rad(-5.0), TWIN: 0.0}
"""Of the lattices about the zone axis."""
TILT_YX_RAD = {
    SUBSTRATE: (0.0, 0.0),
    GRAIN_1: (0.002, 0.001),
    GRAIN_2: (-0.001, 0.003),
    TWIN: (0.001, -0.002),
}
CAP_ENDS, FILM_ENDS = -0.55, 0.25
"""Rows, in half widths of the scan from its middle."""
CRYSTAL_HALO = 0.25
"""Of the amorphous rings that the crystal shows (damage by the ion beam)."""


def cross_section(scan_shape: tuple[int, int]) -> Specimen:
    """From the top: carbon cap, InGaP of two grains with a twin lamella between them, GaAs."""
    n_y, n_x = scan_shape
    y, x = np.indices(scan_shape, dtype=np.float64)
    y, x = 2 * y / max(n_y - 1, 1) - 1, 2 * x / max(n_x - 1, 1) - 1
    lamella = x + 0.55 * y  # along a {111} plane, roughly
    grain = np.select([lamella < -0.25, lamella < 0.2], [GRAIN_1, TWIN], GRAIN_2)
    phase = np.select([y < CAP_ENDS, y < FILM_ENDS], [CAP, grain], SUBSTRATE).astype(np.int8)
    rotation, tilt = np.zeros(scan_shape), np.zeros((*scan_shape, 2))
    for kind, angle in ROTATION_RAD.items():
        rotation[phase == kind] = angle
        tilt[phase == kind] = TILT_YX_RAD[kind]
    thickness = THICKNESS_A[0] + (THICKNESS_A[1] - THICKNESS_A[0]) * (y + 1) / 2
    is_film = (phase == GRAIN_1) | (phase == GRAIN_2) | (phase == TWIN)
    return Specimen(
        "cross-section",
        phase,
        rotation,
        np.where(is_film, MISMATCH, 0.0),
        tilt,
        np.full(scan_shape, -1, np.int8),
        phase_names=("cap", "GaAs", "InGaP grain 1", "InGaP grain 2", "InGaP twin"),
        electrons=AT_300KV,
        thickness_a=np.where(phase == CAP, 0.0, thickness),
        film_scale=np.where(phase == CAP, 1.0 + thickness / THICKNESS_A[1], CRYSTAL_HALO),
    )


@lru_cache(maxsize=2)
def zincblende(group_3: tuple[str, ...], group_5: str, lattice_a: float) -> ZoneAxis:
    """III-V semiconductor along [110]; basis (1 -1 1), (1 -1 -1), [001] upwards; group 3 atoms are averaged."""
    length = np.sqrt(3.0) / lattice_a
    half_angle = np.arccos(1 / np.sqrt(3.0))  # of {111} from [001]
    basis = length * np.array(
        [[np.cos(half_angle), np.sin(half_angle)], [-np.cos(half_angle), np.sin(half_angle)]]
    )

    def factor(indices: NDArray[np.int64], s_per_a: NDArray[np.float64]) -> NDArray[np.complex128]:
        damping = np.exp(-DEBYE_WALLER_A2 * s_per_a**2)
        three = np.mean([electron_scattering_factor(name, s_per_a) for name in group_3], axis=0)
        five = electron_scattering_factor(group_5, s_per_a)
        miller = indices @ np.array([[1, -1, 1], [1, -1, -1]])
        return 4 * damping * (three + five * np.exp(0.5j * np.pi * miller.sum(axis=1)))

    return ZoneAxis(basis, factor, lattice_a**3, AT_300KV.wavelength_a, AT_300KV.gamma, 1.25)


def disks(
    specimen: Specimen, positions: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reciprocal vectors (n, m, 2) in 1/A and shares (n, m) of the diffracted beams; none in the cap."""
    substrate = zincblende(("Ga",), "As", GAAS_A)
    film = zincblende(("In", "Ga"), "P", GAAS_A * (1 + MISMATCH))
    phase = specimen.phase.ravel()[positions]
    # The film's lattice is larger: its beams within the same radius may be more.
    thickness_a = (
        np.zeros(phase.shape) if specimen.thickness_a is None else specimen.thickness_a.ravel()[positions]
    )
    crystals = {kind: substrate if kind == SUBSTRATE else film for kind in ROTATION_RAD}
    n_beams = max(len(crystal.beams()) for crystal in crystals.values()) - 1
    g_yx, share = np.zeros((len(positions), n_beams, 2)), np.zeros((len(positions), n_beams))
    for kind, crystal in crystals.items():
        own = np.flatnonzero(phase == kind)
        turn = _turn(ROTATION_RAD[kind]) @ (_mirror(crystal.basis_yx[0]) if kind == TWIN else np.eye(2))
        g = (crystal.beams() @ crystal.basis_yx)[1:]
        # The crystal's own axes: what is turned is the crystal, seen from which the beam is turned back.
        tilt = specimen.tilt_yx_rad.reshape(-1, 2)[positions[own]] @ turn
        g_yx[own, : len(g)] = g @ turn.T
        share[own, : len(g)] = intensities(crystal, tilt, thickness_a[own])[:, 1:]
    return g_yx, share


def _turn(angle_rad: float) -> NDArray[np.float64]:
    """Rotation of (y, x) vectors from x towards y."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, sin], [-sin, cos]])


def _mirror(axis_yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reflection at an axis: half a turn about it, as the zone sees it."""
    unit = axis_yx / np.linalg.norm(axis_yx)
    return 2 * np.outer(unit, unit) - np.eye(2)
