"""Nanoprism, cross-section, superlattice: their maps and their dynamical intensities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import cross_section, nanoprism
from simulators.bloch import ZoneAxis, intensities
from simulators.detector import Exposure, PatternMaker
from simulators.diffraction import film_share, spots_of
from simulators.scattering import AT_80KV, AT_300KV, Electrons
from simulators.specimen import LATTICE_A, Phase
from simulators.specimens import SPECIMENS, make_specimen
from simulators.truth import Truth, read_truth, write_truth
from streamer.model import Calibration

SHAPE = (48, 64)


@pytest.mark.parametrize("electrons", [AT_80KV, AT_300KV])
def test_wavelength_and_mass_are_those_of_relativity(electrons: Electrons):
    nm = Calibration(voltage_v=electrons.voltage_v).wavelength_nm
    assert nm == pytest.approx(electrons.wavelength_a / 10, rel=1e-3)
    assert electrons.gamma == pytest.approx(1 + electrons.voltage_v / 510998.95, rel=1e-4)


def two_beams(u_per_a2):
    """A lattice so small that one reflection alone lies within the bound, but for its conjugate far off Bragg."""
    return ZoneAxis(
        np.array([[0.0, 0.5], [30.0, 0.0]]),
        lambda indices, s: np.full(len(s), u_per_a2 * np.pi * 100.0, complex),
        100.0,
        0.02,
        1.0,
        0.6,
    )


def test_two_beam_intensity_is_the_pendulum_of_theory():
    crystal, u = two_beams(2e-4), 2e-4
    extinction_a = 1 / (u * crystal.wavelength_a)
    tilt = np.array([[0.0, -0.02 * 0.5 / 2]])  # g is at its Bragg angle: s_g = 0
    thickness = np.linspace(0, 1.5 * extinction_a, 40)
    shares = intensities(crystal, np.repeat(tilt, 40, axis=0), thickness)
    g_beam = 1 + int(np.argmax((crystal.beams()[1:] @ crystal.basis_yx)[:, 1]))
    np.testing.assert_allclose(shares[:, g_beam], np.sin(np.pi * thickness / extinction_a) ** 2, atol=0.01)


@given(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02), st.floats(10.0, 400.0))
def test_no_electron_is_lost_and_opposite_tilts_swap_conjugate_disks(tilt_y, tilt_x, thickness):
    crystal = nanoprism.silver()
    tilts = np.array([[tilt_y, tilt_x], [-tilt_y, -tilt_x]])
    shares = intensities(crystal, tilts, np.full(2, thickness))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-9)
    beams = crystal.beams()
    conjugate = [int(np.flatnonzero((beams == -beam).all(axis=1))[0]) for beam in beams]
    np.testing.assert_allclose(shares[0], shares[1][conjugate], atol=1e-9)


def test_conjugate_disks_of_the_prism_trade_intensity_across_the_contour():
    specimen = make_specimen("nanoprism", (60, 80))
    inside = np.flatnonzero(specimen.phase.ravel() == nanoprism.PRISM)
    spots = spots_of(specimen, inside)
    side = specimen.ripple_region.ravel()[inside] == 1
    towards_x = spots.offset_yx_px[0, :, 1] / np.linalg.norm(spots.offset_yx_px[0], axis=1)
    near = np.linalg.norm(spots.offset_yx_px[0], axis=1) < 30
    right, left = near & (towards_x > 0.9), near & (towards_x < -0.9)
    assert right.sum() == left.sum() == 1
    ratio = spots.share[:, right].ravel() / spots.share[:, left].ravel()
    assert np.median(ratio[~side]) > 2
    assert np.median(ratio[side]) < 0.5
    assert (spots.share.sum(axis=1) <= 1 - film_share()).all()


def test_the_twin_is_the_mirror_image_of_the_film_and_the_cap_has_no_disks():
    specimen = make_specimen("cross-section", SHAPE)
    assert set(np.unique(specimen.phase)) == set(range(5))
    of_kind = {kind: np.flatnonzero(specimen.phase.ravel() == kind)[:1] for kind in range(5)}
    assert spots_of(specimen, of_kind[cross_section.CAP]).share.sum() == 0
    twin, grain = (
        spots_of(specimen, of_kind[kind]).offset_yx_px[0]
        for kind in (cross_section.TWIN, cross_section.GRAIN_1)
    )
    np.testing.assert_allclose(np.linalg.norm(twin, axis=1), np.linalg.norm(grain, axis=1))
    nearest = np.linalg.norm(twin[:, None] - grain[None], axis=2).min(axis=1)
    assert (nearest > 3).mean() > 0.3  # other places than any rotation by four degrees explains


def test_thickness_grows_down_the_wedge():
    thickness = make_specimen("cross-section", SHAPE).thickness_a
    assert thickness is not None
    assert (np.diff(thickness[SHAPE[0] // 2 :, 0]) > 0).all()


def test_stripes_of_the_superlattice_are_coherent():
    specimen = make_specimen("superlattice", SHAPE)
    assert specimen.flake is not None
    assert specimen.uniaxial_strain is not None
    assert set(np.unique(specimen.flake)) == {-1, 0, 1, 2}
    assert ((specimen.phase == Phase.FILM) == (specimen.flake < 0)).all()
    for flake in range(3):
        own = specimen.flake == flake
        angle = specimen.rotation_rad[own][0]
        stripe = np.array([np.sin(angle), np.cos(angle)])
        along = [
            LATTICE_A[kind]
            * (1 + stripe @ specimen.uniaxial_strain[own & (specimen.phase == kind)][0] @ stripe)
            for kind in (Phase.WS2, Phase.WSE2)
        ]
        assert along[0] == pytest.approx(along[1])


@pytest.mark.parametrize("name", SPECIMENS)
def test_every_specimen_keeps_its_electrons_and_its_truth(name, tmp_path):
    maker = PatternMaker(make_specimen(name, (6, 9)), Exposure(20000.0, 2.0, 0))
    for position in (0, 27, 53):
        assert maker.expected(position).sum() == pytest.approx(20000, rel=0.05)
    write_truth(tmp_path / "t.h5", Truth(maker.specimen, maker.centres_yx.reshape(6, 9, 2), {}))
    read = read_truth(tmp_path / "t.h5").specimen
    assert (read.name, read.phase_names, read.electrons) == (
        name,
        maker.specimen.phase_names,
        maker.specimen.electrons,
    )
    for field in ("phase", "flake", "uniaxial_strain", "thickness_a", "film_scale", "tilt_yx_rad"):
        np.testing.assert_array_equal(getattr(read, field), getattr(maker.specimen, field))
