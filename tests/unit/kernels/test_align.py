import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.kernels import align
from tests import naive
from tests.interpreted import interpret

SHAPE = (24, 32)


def weights(fraction):
    out = np.empty(4, np.float32)
    align.shift_weights(fraction, out)
    return out.astype(np.float64)


def disk(centre_yx, radius=4.0, height=100.0, shape=SHAPE):
    y, x = np.indices(shape)
    return (height / (1 + np.exp(4 * (np.hypot(y - centre_yx[0], x - centre_yx[1]) - radius)))).astype(
        np.float32
    )


@given(st.floats(0, 1))
def test_weights_keep_level_position_blur_and_noise_for_every_fraction(fraction):
    w, place = weights(fraction), np.array([-1, 0, 1, 2])
    noise_gain = (1 - align.BLUR_PX2) ** 2 + align.BLUR_PX2**2 / 2
    assert w.sum() == pytest.approx(1, abs=1e-6)
    assert (place * w).sum() == pytest.approx(fraction, abs=1e-6)
    assert (place**2 * w).sum() - fraction**2 == pytest.approx(align.BLUR_PX2, abs=1e-6)
    assert (w**2).sum() == pytest.approx(noise_gain, rel=1e-3)


BOTH = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])


@BOTH
@pytest.mark.parametrize(
    "shift", [(0.0, 0.0), (1.3, -2.7), (-3.5, 0.5), (40.0, 0.2), (0.2, -40.0), (0.5, 30.9), (-22.5, -30.1)]
)
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_resampled_rows_equal_their_twin(compiled, shift, dtype, monkeypatch):
    if not compiled:
        interpret(monkeypatch, align)
    frame = np.random.default_rng(1).poisson(20, SHAPE).astype(dtype)
    out = np.full(SHAPE, np.nan, np.float32)
    line = np.zeros(SHAPE[0] * SHAPE[1] + 2 * align.line_margin(SHAPE[1]), np.float32)
    whole, parts = np.empty(2, np.int64), np.empty((2, 4), np.float32)
    align.split_shift(*shift, whole, parts)
    for first in range(0, SHAPE[0], 5):  # the last tile is smaller
        last = min(first + 5, SHAPE[0])
        align.resample_rows(frame, whole, parts, first, last, line, out[first:last].reshape(-1))
    np.testing.assert_allclose(out, naive.resample(frame, *shift, weights), rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize(
    "kernel", [align.windowed_centre, align.windowed_centre.py_func], ids=["compiled", "interpreted"]
)
@pytest.mark.parametrize("centre", [(11.2, 15.9), (1.0, 30.0), (-3.0, 5.0)])
def test_windowed_centre_equals_its_twin(kernel, centre):
    frame = np.random.default_rng(2).poisson(20, SHAPE).astype(np.float32)
    out = np.empty(3)
    kernel(frame, *centre, 5.0, out)
    np.testing.assert_allclose(out, naive.windowed_centre(frame, *centre, 5.0), rtol=1e-5)


def test_brightest_block_equals_its_twin():
    frame = np.random.default_rng(3).poisson(20, SHAPE).astype(np.float32)
    out = np.empty(2)
    align.brightest_block(frame, out)
    assert tuple(out) == naive.brightest_block(frame)


@BOTH
def test_find_centre_equals_its_twin_and_finds_a_far_beam(compiled, monkeypatch):
    if not compiled:
        interpret(monkeypatch, align)
    start = np.array([11.5, 15.5])
    mass = naive.windowed_centre(disk((11.3, 15.6)), 11.3, 15.6, 6.0)[2]
    for true in [(11.3, 15.6), (12.1, 14.9), (5.2, 25.4)]:
        out = np.empty(3)
        align.find_centre(disk(true), start, 6.0, mass, 20, out)
        expected = naive.find_centre(disk(true), start, 6.0, mass, 20)
        np.testing.assert_allclose(out[:2], expected, atol=2e-4)
        np.testing.assert_allclose(out[:2], true, atol=0.02)


@BOTH
def test_a_bragg_disk_is_not_taken_for_a_weak_direct_beam(compiled, monkeypatch):
    if not compiled:
        interpret(monkeypatch, align)
    usual, start, out = disk((12, 10)), np.array([12.0, 10.0]), np.empty(3)
    found = np.empty(3)
    align.windowed_centre(usual, 12.0, 10.0, 5.0, found)
    weak = 0.05 * disk((12.6, 10.8)) + 0.8 * disk((12, 25))
    align.find_centre(weak, start, 5.0, found[2], 20, out)
    assert out[:2] == pytest.approx((12.6, 10.8), abs=0.05)
    np.testing.assert_allclose(naive.find_centre(weak, start, 5.0, found[2], 20), out[:2], atol=1e-3)
    align.find_centre(0.8 * disk((12, 25)), start, 5.0, found[2], 20, out)  # nothing at the usual place
    assert out[:2] == pytest.approx((12, 25), abs=0.05)


def test_aligned_disk_lies_at_the_reference_and_unknown_centres_give_zeros():
    true = np.array([[11.3, 15.6], [10.2, 17.1], [np.nan, np.nan]])
    frames = np.stack([disk(true[0]), disk(true[1]), disk((11, 15))])
    out = np.full(frames.shape, np.nan, np.float32)
    align.align_frames(frames, true, np.array([11.5, 15.5]), out)
    for aligned in out[:2]:
        assert naive.windowed_centre(aligned, 11.5, 15.5, 7.0)[:2] == pytest.approx((11.5, 15.5), abs=0.01)
    assert (out[2] == 0).all()


def test_noise_after_resampling_does_not_depend_on_the_fraction_of_a_pixel():
    rng = np.random.default_rng(4)
    frames = rng.standard_normal((64, 48, 64)).astype(np.float32)
    out = np.empty_like(frames)
    variances = []
    for fraction in np.linspace(0, 1, 9):
        centres = np.full((64, 2), 20.0 + fraction)
        align.align_frames(frames, centres, np.array([20.0, 20.0]), out)
        variances.append(out[:, 4:-4, 4:-4].var())
    assert np.ptp(variances) / np.mean(variances) < 0.02
