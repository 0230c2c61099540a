"""Spot intensities against tilt: our specimens against abTEM's multislice, `make bench-physics`.

Both have a still lattice whose potential is blurred by the same Debye-Waller factor, and no absorption. abTEM has the
potential in three dimensions (Lobato and Van Dyck's, in slices of 0.2 A for the sheets and of a sixth of a layer for
silver); ours are planes or Bloch waves of the zone, with Cromer and Mann's factors.

A parallel beam stands for the disks of 1.6 mrad: the disks (3.2 mrad across) lie 13 mrad and more apart, so that no two
waves of the probe meet at one pixel, and a disk's sum is the mean over its parallel beams. What that mean adds is
measured for silver, whose contours are a few mrad wide; the sheets change over tens of mrad.
The beam is tilted, not the sheet: the same but for the path, longer by 1 / cos(8 degrees) = 1.01, which ours has not
either.
"""

import os

import numpy as np
import pytest

from simulators import nanoprism, sheet
from simulators.diffraction import CONVERGENCE_MRAD, miller_indices, spots_of
from simulators.scattering import AT_80KV, AT_300KV
from simulators.specimen import Phase, Specimen

abtem = pytest.importorskip("abtem", reason="abTEM is not installed: `make bench-physics`")
from ase import Atoms  # noqa: E402

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

MOST = 0.15
STRONG = 0.1
"""Strong spots: those above this share of the strongest, by the means over all tilts."""
SHEET_TILTS = np.deg2rad(np.arange(-8.0, 8.5, 1.0))
PRISM_TILTS = np.linspace(-nanoprism.BEND_RAD, nanoprism.BEND_RAD, 19)
LAYERS = 42
"""Of silver: 99.1 A, the whole number next to the 100 A that are drawn."""
SLICES_PER_LAYER = 6
DISK_BEAMS = 19


@pytest.fixture(autouse=True)
def double_precision_and_no_threads(monkeypatch):
    # With one core abTEM integrates its potentials in the calling thread, and keeps no pool of its own alive.
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    wanted = {"device": "cpu", "precision": "float64", "fft": "numpy", "diagnostics.progress_bar": False}
    with abtem.config.set(wanted):
        yield


def specimen_of(name, kind, electrons, tilts):
    """One column of positions, one for each tilt."""
    column = (len(tilts), 1)
    none = np.zeros(column)
    return Specimen(
        name,
        np.full(column, kind, np.int8),
        none,
        none,
        tilts[:, None],
        np.zeros(column, np.int8),
        electrons=electrons,
        thickness_a=np.full(column, nanoprism.THICKNESS_A),
    )


def sigma_a(debye_waller_a2):
    """Displacement along one axis, root mean square."""
    return np.sqrt(debye_waller_a2 / (8 * np.pi**2))


def multislice(atoms, gpts, slice_a, debye_waller_a2, electrons, tilts, beams):
    """(n_tilts, n_spots) of abTEM; `beams` are indices of the reciprocal lattice of the rectangular cell, x and y."""
    sigmas = dict.fromkeys(set(atoms.get_chemical_symbols()), sigma_a(debye_waller_a2))
    potential = abtem.Potential(
        atoms,
        gpts=gpts,
        slice_thickness=slice_a,
        projection="finite",
        parametrization=abtem.parametrizations.LobatoParametrization(sigmas=sigmas),
    ).build(lazy=False)
    shares = []
    for y, x in tilts * 1e3:
        wave = abtem.PlaneWave(energy=electrons.voltage_v, tilt=(x, y)).multislice(potential, lazy=False)
        share = np.abs(np.fft.fft2(wave.array) / wave.array.size) ** 2
        assert share.sum() == pytest.approx(1.0, abs=1e-4)
        shares.append(share[beams[:, 0], beams[:, 1]])
    return np.array(shares)


def sheet_in_abtem(kind, tilts):
    own = sheet.SHEETS[kind]
    a, width, height = own.lattice_a, np.sqrt(3.0) * own.lattice_a, 12.0
    third = np.array([a / 2, width / 6])
    symbols, places = [], []
    for corner in (np.zeros(2), np.array([a / 2, width / 2])):
        symbols += [own.chalcogen, own.metal, own.chalcogen]
        places += [(*(corner + third), height / 2 - own.height_a), (*corner, height / 2)]
        places += [(*(corner + third), height / 2 + own.height_a)]
    atoms = Atoms(symbols, places, cell=(a, width, height), pbc=True)
    h, k = miller_indices().T
    beams = np.stack([h, 2 * k - h], axis=1)
    return multislice(atoms, (96, 168), 0.2, sheet.DEBYE_WALLER_A2, AT_80KV, tilts, beams)


def silver_in_abtem(tilts):
    """ABC layers of a rectangular cell, x along [1 -1 0]."""
    layer = nanoprism.LATTICE_A / np.sqrt(3.0)
    width = nanoprism.LATTICE_A / np.sqrt(2.0)
    length = np.sqrt(3.0) * width
    places = [
        (x, (y + number * length / 3) % length, (number + 0.5) * layer)
        for number in range(3)
        for x, y in ((0.0, 0.0), (width / 2, length / 2))
    ]
    atoms = Atoms("Ag6", places, cell=(width, length, 3 * layer), pbc=True) * (1, 1, LAYERS // 3)
    h, k = nanoprism.silver().beams()[1:].T
    beams = np.stack([2 * h + k, 3 * k], axis=1)
    return multislice(
        atoms, (48, 84), layer / SLICES_PER_LAYER, nanoprism.DEBYE_WALLER_A2, AT_300KV, tilts, beams
    )


def compared(name, ours, theirs):
    """Mean relative deviation over strong spots and tilts; prints it with that of the shape against tilt."""
    mean = theirs.mean(axis=0)
    strong = mean > STRONG * mean.max()
    ours, theirs = ours[:, strong], theirs[:, strong]
    deviation = np.abs(ours / theirs - 1).mean()
    shape = np.abs((ours / ours.mean(axis=0)) / (theirs / theirs.mean(axis=0)) - 1).mean()
    print(
        f"{name}: {strong.sum()} strong spots, {len(ours)} tilts: {deviation:.1%} off on average, shape against tilt "
        f"{shape:.1%}, sum of the strong spots {ours.sum() / theirs.sum():.3f} of abTEM's"
    )
    return deviation


@pytest.mark.parametrize("kind", [Phase.WS2, Phase.WSE2], ids=["WS2", "WSe2"])
def test_sheets_against_tilt(kind):
    none = np.zeros_like(SHEET_TILTS)
    tilts = np.concatenate([np.stack([none, SHEET_TILTS], 1), np.stack([SHEET_TILTS, none], 1)])
    specimen = specimen_of("sheet", kind, AT_80KV, tilts)
    ours = spots_of(specimen, np.arange(len(tilts))).share
    theirs = sheet_in_abtem(kind, tilts)
    print()
    for axis, own in (("x", slice(None, len(none))), ("y", slice(len(none), None))):
        compared(f"{kind.name}, tilted along {axis}", ours[own], theirs[own])
    assert compared(f"{kind.name}, both", ours, theirs) <= MOST


def test_silver_across_its_contour():
    along = np.array([np.sin(nanoprism.BEND_AXIS_RAD), np.cos(nanoprism.BEND_AXIS_RAD)])
    tilts = PRISM_TILTS[:, None] * along
    specimen = specimen_of("nanoprism", nanoprism.PRISM, AT_300KV, tilts)
    ours = nanoprism.disks(specimen, np.arange(len(tilts)))[1]
    print()
    parallel = silver_in_abtem(tilts)
    assert compared("silver, parallel beam", ours, parallel) <= MOST
    # Sunflower seeds: every beam has the same share of the disk.
    number = np.arange(DISK_BEAMS)
    radius = CONVERGENCE_MRAD * 1e-3 * np.sqrt((number + 0.5) / DISK_BEAMS)
    angle = number * np.pi * (3 - np.sqrt(5.0))
    within = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    disk = np.mean([silver_in_abtem(tilts + offset) for offset in within], axis=0)
    assert compared("silver, abTEM's disk of 1.6 mrad", ours, disk) <= MOST
