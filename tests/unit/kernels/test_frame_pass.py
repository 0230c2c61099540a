"""The fused pass against its twin, in any batches and any order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.kernels import align, clean, frame_pass
from streamer.kernels.frame_pass import FramePass, FramePlan
from tests import naive
from tests.interpreted import interpret

SHAPE = (24, 40)
N, N_PIXELS = 11, 24 * 40
RNG = np.random.default_rng(8)
WEIGHTS = RNG.random((3, N_PIXELS)).astype(np.float32)
WEIGHTS[0, :400] = 0
PIXELS = np.sort(RNG.choice(N_PIXELS, 50, replace=False))
SCALE = RNG.uniform(0.5, 2.0, 50).astype(np.float32)
BINS, SIGNS = RNG.integers(-1, 4, N), RNG.choice([-1.0, 1.0], N).astype(np.float32)
CENTRE = np.array([11.5, 19.5])


def make_frames(dtype):
    y, x = np.indices(SHAPE)
    centres = CENTRE + RNG.uniform(-3, 3, (N, 2))
    far = np.hypot(y - centres[:, 0, None, None], x - centres[:, 1, None, None])
    frames = RNG.poisson(500 / (1 + np.exp(4 * (far - 4))) + 5).astype(dtype)
    if dtype == "float32":
        frames[3] = np.nan  # not usable
        frames[6, 2, 3] = np.inf  # mended
    return frames


FRAMES = {dtype: make_frames(dtype) for dtype in ("float32", "uint16", "uint32")}
NEAR_MEAN = FRAMES["uint16"].mean(axis=0).ravel()


def plan(defects=(), measure=True, iterations=12):
    return FramePlan(CENTRE, CENTRE, 6.0, 1000.0, iterations, 9, np.array(defects, np.int64), measure)


def weights_of(fraction):
    out = np.empty(4, np.float32)
    align.shift_weights(fraction, out)
    return out.astype(np.float64)


def run(frames, the_plan, batches, order=range(N)):
    """Everything that the pass gives, rows in the order of `frames`."""
    order = np.array(order)
    each = FramePass(SHAPE, the_plan, NEAR_MEAN, WEIGHTS, PIXELS, scale=SCALE)
    out, moments = each.outcome(N, with_residual=True), np.zeros((2, N_PIXELS))
    binned = np.zeros((4, N_PIXELS), np.float32)
    first = 0
    for size in batches:
        rows = order[first : first + size]
        part = each.outcome(len(rows), with_residual=True)
        each.run(frames[rows], part, moments, binned, BINS[rows], SIGNS[rows])
        for whole, piece in zip(out, part, strict=True):
            whole[rows] = piece
        first += size
    return out, moments, binned


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("dtype", FRAMES)
@pytest.mark.parametrize("defects", [(), (100, 101, 500)], ids=["no defects", "defects"])
def test_the_pass_equals_its_twin(compiled, dtype, defects, monkeypatch):
    if not compiled:
        if dtype == "uint32" or (dtype == "uint16" and defects):
            pytest.skip("the slow way is walked often enough")
        interpret(monkeypatch, align, clean, frame_pass)
    frames, the_plan = FRAMES[dtype], plan(defects)
    out, moments, binned = run(frames, the_plan, [N])
    patterns, usable = np.zeros((N, N_PIXELS)), np.ones(N, bool)
    for i, frame in enumerate(frames):
        measured = naive.measure_frame(frame, the_plan, weights_of)
        if measured is None:
            usable[i] = False
            continue
        np.testing.assert_allclose(out.centres_yx[i], measured[0], atol=3e-4)
        patterns[i] = naive.resample(
            naive.mend_frame(frame, defects), *(out.centres_yx[i] - CENTRE), weights_of
        ).ravel()
        residual = naive.windowed_centre(patterns[i].reshape(SHAPE), *CENTRE, 6.0)[:2]
        np.testing.assert_allclose(out.residual_yx[i], np.subtract(residual, CENTRE), atol=1e-4)
    assert usable.sum() == (10 if dtype == "float32" else 11)
    for values in (out.centres_yx, out.residual_yx, out.virtual, out.features):
        assert np.isnan(values[~usable]).all()
    np.testing.assert_allclose(out.virtual[usable], naive.weighted_sums(patterns, WEIGHTS)[usable], rtol=1e-4)
    np.testing.assert_allclose(
        out.features[usable], patterns[usable][:, PIXELS] * SCALE, rtol=1e-4, atol=1e-3
    )
    expected = naive.moments(patterns, usable, NEAR_MEAN.astype(np.float32))
    np.testing.assert_allclose(moments, expected, rtol=1e-4, atol=0.05)
    signed = np.where(usable, SIGNS, 0)[:, None] * patterns
    np.testing.assert_allclose(binned, naive.sums_by_label(signed, BINS, 4), rtol=1e-4, atol=0.01)


@given(st.permutations(range(N)), st.lists(st.integers(1, 6), min_size=11, max_size=11))
@settings(max_examples=25, deadline=None)
def test_neither_batches_nor_order_matter(order, batches):
    frames = FRAMES["float32"]
    whole, others = run(frames, plan(), [N]), run(frames, plan(), batches, order)
    for one, other in zip(whole[0], others[0], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(others[1], whole[1], rtol=1e-5, atol=0.02)
    np.testing.assert_allclose(others[2], whole[2], rtol=1e-5, atol=0.01)


def test_sums_over_many_blocks_are_merged_exactly():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 100, (300, *SHAPE)).astype(np.uint16)
    each = FramePass(SHAPE, plan(iterations=0), np.full(N_PIXELS, 50.0))
    moments = np.zeros((2, N_PIXELS))
    out = each.run(frames, each.outcome(300), moments)
    assert (out.centres_yx == CENTRE).all()  # a fixed centre
    aligned = np.empty(frames.shape, np.float32)
    align.align_frames(frames.astype(np.float32), out.centres_yx, CENTRE, aligned)
    expected = naive.moments(aligned.reshape(300, -1), np.ones(300, bool), 50.0)
    np.testing.assert_allclose(moments, expected, rtol=1e-6, atol=1e-2)


def test_known_centres_are_taken_as_they_are_and_statistics_left_alone():
    frames = FRAMES["float32"]
    measured = run(frames, plan(), [N])[0]
    each = FramePass(SHAPE, plan(measure=False), NEAR_MEAN, WEIGHTS, PIXELS, scale=SCALE)
    out, moments = each.outcome(N), np.zeros((2, N_PIXELS))
    out.centres_yx[:] = measured.centres_yx
    each.run(frames, out, moments)
    np.testing.assert_array_equal(out.features, measured.features)
    np.testing.assert_array_equal(out.virtual, measured.virtual)
    assert not moments.any()


@pytest.mark.parametrize("shape", [(16, 16), (96, 200), (40, 1100)])
def test_any_detector_shape(shape):
    frames = RNG.poisson(9, (5, *shape)).astype(np.float32)
    middle = (np.array(shape) - 1) / 2
    the_plan = FramePlan(middle, middle, 4.0, 1.0, 0, 0, np.zeros(0, np.int64), True)
    pixels = np.arange(0, shape[0] * shape[1], 7)
    each = FramePass(shape, the_plan, np.zeros(shape[0] * shape[1]), None, pixels)
    out = each.run(frames, each.outcome(5), np.zeros((2, shape[0] * shape[1])))
    aligned = np.empty_like(frames)
    align.align_frames(frames, out.centres_yx, middle, aligned)
    np.testing.assert_array_equal(out.features, aligned.reshape(5, -1)[:, pixels])
