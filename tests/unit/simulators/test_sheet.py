"""Multislice of WS2 and WSe2: against matrices, and the symmetries that a sheet must have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.diffraction import miller_indices
from simulators.scattering import AT_80KV
from simulators.sheet import GRID, SHEETS, intensities, reciprocal_vectors
from tests.naive_simulators import sheet_beams

HK = miller_indices()
NAMES = pytest.mark.parametrize("sheet", SHEETS.values(), ids=[phase.name for phase in SHEETS])


def row(h, k):
    return int(np.flatnonzero((np.array([h, k]) == HK).all(axis=1))[0])


def at(sheet, *tilts):
    return intensities(sheet, HK, np.array(tilts))


@NAMES
def test_beams_are_those_of_matrices(sheet):
    tilt = (0.0312, -0.0675)
    twin = sheet_beams(sheet, tilt, GRID / 3 / sheet.lattice_a)
    expected = np.array([twin[h, k] for h, k in HK.tolist()])
    share = at(sheet, tilt)[0]
    strong = expected > expected.max() / 10
    assert strong.sum() >= 20
    np.testing.assert_allclose(share[strong], expected[strong], rtol=0.01)
    np.testing.assert_allclose(share, expected, atol=0.005 * expected.max())


@NAMES
def test_an_untilted_sheet_has_three_fold_symmetry_but_no_friedel_pairs(sheet):
    share = at(sheet, (0.0, 0.0))[0]
    turned = [row(-k, h - k) for h, k in HK]  # by 120 degrees: b1 to b2 - b1 and so on
    np.testing.assert_allclose(share, share[turned], rtol=1e-4)
    assert abs(share[row(1, 0)] / share[row(-1, 0)] - 1) > 0.05
    assert share.sum() < 0.2


@given(
    st.sampled_from(sorted(SHEETS)),
    st.integers(0, len(HK) - 1),
    st.integers(-700, 700),
    st.integers(-700, 700),
)
def test_a_beam_is_even_in_the_tilt_about_its_bragg_angle(phase, spot, y_steps, x_steps):
    """Reciprocity, and a sheet that is its own mirror image: incidence K and -K - g scatter alike."""
    sheet = SHEETS[phase]
    tilt = 1e-4 * np.array([y_steps, x_steps])
    g = reciprocal_vectors(HK[spot]) / sheet.lattice_a
    other = np.arctan(-np.tan(tilt) - AT_80KV.wavelength_a * g)
    one, two = at(sheet, tilt, other)[:, spot]
    assert one == pytest.approx(two, rel=0.01, abs=2e-6)  # tilts are rounded


@NAMES
def test_a_beam_tilted_towards_a_spot_dims_it_more_than_one_tilted_away(sheet):
    """The Ewald sphere bends away from the spot: its excitation error grows faster on that side."""
    spot = row(2, 1)  # along x
    towards, straight, away = at(sheet, (0.0, 0.1), (0.0, 0.0), (0.0, -0.1))[:, spot]
    assert towards < 0.95 * away < 0.95 * straight
