import numpy as np
import pytest
from scipy.integrate import trapezoid

from simulators.diffraction import (
    ANGLE_PER_PX_MRAD,
    WAVELENGTH_A,
    film_profile,
    film_share,
    miller_indices,
    spots_of,
)
from simulators.specimen import LATTICE_A, TILT_RAD, Phase, Specimen, junction
from simulators.specimens import make_specimen
from streamer.errors import SettingsError
from streamer.model import Calibration

SHAPE = (48, 64)


def one_position(phase, rotation=0.0, tilt=(0.0, 0.0)):
    return Specimen(
        "one",
        np.array([[phase]], np.int8),
        np.array([[rotation]]),
        np.zeros((1, 1)),
        np.array([[tilt]]),
        np.array([[0]], np.int8),
    )


def spots(*arguments, **named):
    return spots_of(one_position(*arguments, **named), np.array([0]))


def shell(h, k):
    hk = miller_indices()
    order = hk[:, 0] ** 2 + hk[:, 1] ** 2 - hk[:, 0] * hk[:, 1]
    return order == h * h + k * k - h * k


def test_all_phases_and_regions_are_well_populated():
    specimen = junction(SHAPE)
    shares = [(specimen.phase == kind).mean() for kind in Phase]
    assert min(shares) > 0.15
    inside = specimen.phase == Phase.WSE2
    regions = [(specimen.ripple_region[inside] == region).mean() for region in range(4)]
    assert sum(regions) == 1.0
    assert min(regions) > 0.08
    assert (specimen.ripple_region[~inside] == -1).all()


def test_rotation_is_in_ws2_alone_and_of_both_signs():
    specimen = junction(SHAPE)
    rotation = specimen.rotation_rad[specimen.phase == Phase.WS2]
    assert 0.35 < (rotation > 0).mean() < 0.65
    assert (specimen.rotation_rad[specimen.phase != Phase.WS2] == 0).all()


def test_corners_tilt_by_the_same_amount_in_three_directions_120_degrees_apart():
    specimen = junction((96, 96))
    means = [specimen.tilt_yx_rad[specimen.ripple_region == corner].mean(axis=0) for corner in (1, 2, 3)]
    angles = np.sort([np.arctan2(y, x) for y, x in means])
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / 3, atol=1e-6)
    assert max(np.linalg.norm(mean) for mean in means) <= TILT_RAD + 1e-9


@pytest.mark.parametrize("phase", [Phase.WS2, Phase.WSE2])
def test_spots_lie_where_the_lattice_says(phase):
    radius = np.linalg.norm(spots(phase).offset_yx_px[0], axis=1)
    first = 2 / (np.sqrt(3) * LATTICE_A[phase]) * WAVELENGTH_A * 1e3 / ANGLE_PER_PX_MRAD
    np.testing.assert_allclose(radius[shell(1, 0)], first)
    np.testing.assert_allclose(radius[shell(2, 1)], np.sqrt(3) * first)
    assert shell(1, 0).sum() == shell(2, 1).sum() == 6


def test_wavelength_is_that_of_the_model():
    assert Calibration(voltage_v=80e3).wavelength_nm == pytest.approx(WAVELENGTH_A / 10, rel=1e-3)


def test_rotation_turns_the_spots_from_x_towards_y():
    turned = spots(Phase.WS2, rotation=0.1).offset_yx_px[0]
    straight = spots(Phase.WS2).offset_yx_px[0]
    angle = np.arctan2(turned[:, 0], turned[:, 1]) - np.arctan2(straight[:, 0], straight[:, 1])
    np.testing.assert_allclose(np.angle(np.exp(1j * angle)), 0.1, atol=1e-9)


def test_a_monolayer_scatters_a_few_tenths_of_a_percent_into_each_strong_spot():
    share = spots(Phase.WS2).share[0]
    assert 0.0010 < share[shell(1, 0)].mean() < 0.0030
    assert 0.0015 < share[shell(2, 1)].mean() < 0.0045


def test_tilt_dims_the_second_order_spots_along_its_axis_most():
    offsets = spots(Phase.WSE2).offset_yx_px[0]
    second = np.flatnonzero(shell(2, 1))
    along = second[np.argmax(offsets[second] @ np.array([1.0, 0.0]))]
    axis = offsets[along] / np.linalg.norm(offsets[along])
    across = second[np.argmin(np.abs(offsets[second] @ axis))]
    ratio = spots(Phase.WSE2, tilt=tuple(TILT_RAD * axis)).share[0] / spots(Phase.WSE2).share[0]
    assert 0.6 < ratio[along] < 0.9
    assert ratio[across] > ratio[along] + 0.15


def test_film_profile_holds_the_films_share_of_electrons():
    radius = np.arange(60000) * 0.01
    profile = film_profile(60000, 0.01)
    assert trapezoid(2 * np.pi * radius * profile, radius) == pytest.approx(film_share(), rel=0.01)


def test_an_unknown_specimen_is_refused_with_what_there_is():
    with pytest.raises(
        SettingsError, match=r"Specimen 'gold' is unknown\. Expected one of junction, superlattice"
    ):
        make_specimen("gold", SHAPE)
