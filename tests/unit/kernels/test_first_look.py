"""What a sample of raw frames says: the direct beam wherever it is, defects, or that there is no beam."""

import numpy as np
import pytest

from streamer.kernels.first_look import find_defects, look_at_sample
from streamer.kernels.mask import radius_map

SHAPE = (96, 128)
MIDDLE = (47.5, 63.5)


def sample(beam_yx=MIDDLE, n=64, beam=800.0, dtype=np.float32, seed=0):
    """Poisson patterns: a disk of 3 px where the beam is, and a diffuse ring about it."""
    radius = radius_map(SHAPE, np.array(beam_yx))
    expected = 2.0 + beam * (radius < 3.1) + 4.0 * np.exp(-(((radius - 25) / 6) ** 2))
    return np.random.default_rng(seed).poisson(expected, (n, *SHAPE)).astype(dtype)


@pytest.mark.parametrize("beam_yx", [MIDDLE, (57.5, 53.5), (47.5, 38.5), (25.0, 90.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.uint32])
def test_the_beam_is_found_where_it_is(beam_yx, dtype):
    look = look_at_sample(sample(beam_yx, dtype=dtype))
    assert look.beam.centre_yx == pytest.approx(beam_yx, abs=0.1)
    assert look.beam.is_followed
    assert look.remark == ""
    assert not len(look.defects)
    peak = np.unravel_index(look.aligned_mean.argmax(), SHAPE)
    assert np.hypot(*(np.array(peak) - MIDDLE)) < 4


def test_a_beam_that_a_thick_crystal_leaves_weak_in_many_patterns_is_followed_all_the_same():
    weak = sample(beam=30.0, n=40)
    radius = radius_map(SHAPE, np.array((MIDDLE[0] + 20, MIDDLE[1] + 12)))
    weak += np.random.default_rng(1).poisson(500.0 * (radius < 3.1), weak.shape)
    look = look_at_sample(np.concatenate([sample(n=80), weak]))
    assert look.beam.is_followed
    assert look.beam.centre_yx == pytest.approx(MIDDLE, abs=0.1)


def test_hot_and_dead_pixels_are_found_and_nothing_else():
    frames = sample()
    frames[:, 20, 30] += 400
    frames[:, 60, 90] = 0
    assert look_at_sample(frames).defects.tolist() == [20 * 128 + 30, 60 * 128 + 90]
    assert find_defects(frames[:15]).tolist() == []


def test_a_beam_stop_or_no_beam_at_all_is_said_and_the_centre_kept():
    stopped = sample((47.5, 70.0))
    stopped[:, radius_map(SHAPE, np.array([47.5, 70.0])) < 8] = 0
    for frames in (stopped, sample(beam=0.0)):
        look = look_at_sample(frames)
        assert not look.beam.is_followed
        y, x = look.beam.centre_yx
        assert f"y {y:.1f}, x {x:.1f} px" in look.remark
    assert look_at_sample(stopped).beam.centre_yx == pytest.approx((47.5, 70.0), abs=2.0)


def test_what_is_set_by_hand_is_obeyed():
    assert look_at_sample(sample(), centre_yx=(40.0, 60.0)).beam.centre_yx == (40.0, 60.0)
    fixed = look_at_sample(sample(), centre_yx=(40.0, 60.0), follow=False)
    assert (fixed.beam.centre_yx, fixed.beam.is_followed) == ((40.0, 60.0), False)
    assert "by the settings" in fixed.remark


def test_frames_without_a_number_say_nothing():
    assert look_at_sample(np.full((20, *SHAPE), np.nan, np.float32)) is None
