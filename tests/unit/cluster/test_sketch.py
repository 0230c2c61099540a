"""The sketch of pixel images: against its naive twin, and what clustering finds in it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.cluster.pixels import cluster_pixels
from streamer.cluster.sketch import PixelSketch
from streamer.kernels.first_look import look_at_sample
from streamer.kernels.frame_pass import FramePass, frame_plan
from streamer.kernels.mask import radius_map
from streamer.settings import AnalysisSettings
from tests.naive import sketch_of

SCAN, DETECTOR = (6, 9), (5, 7)
N = SCAN[0] * SCAN[1]


def add(sketch, patterns, positions):
    for start in range(0, len(positions), 5):
        rows = positions[start : start + 5]
        np.add.at(sketch.sums, sketch.bins[rows], sketch.signs[rows, None] * patterns[rows])


@settings(max_examples=20)
@given(order=st.permutations(range(N)), n=st.integers(1, N))
def test_centred_sketch_is_that_of_the_images_less_their_means(order, n):
    patterns = np.random.default_rng(0).random((N, DETECTOR[0] * DETECTOR[1])).astype(np.float32)
    sketch = PixelSketch(SCAN, patterns.shape[1], 16, 0)
    positions = np.array(order[:n])
    add(sketch, patterns, positions)
    mean = patterns[positions].mean(axis=0, dtype=np.float64)
    centred = np.zeros_like(patterns, np.float64)
    centred[positions] = patterns[positions] - mean
    expected = sketch_of(centred, sketch.bins, sketch.signs, 16).T
    np.testing.assert_allclose(sketch.centred(mean, positions), expected, atol=1e-4)


def test_a_copy_has_sums_of_its_own():
    sketch = PixelSketch(SCAN, 35, 16, 0)
    other = sketch.copy()
    other.sums += 1
    assert not sketch.sums.any()


def test_inner_products_survive():
    rng = np.random.default_rng(0)
    shape = (48, 64)
    shapes = rng.standard_normal((4, shape[0] * shape[1]))
    images = (shapes[rng.integers(4, size=60)] + 0.3 * rng.standard_normal((60, shapes.shape[1]))).T
    images -= images.mean(axis=0)
    sketch = PixelSketch(shape, 60, 256, 0)
    np.add.at(sketch.sums, sketch.bins, (sketch.signs[:, None] * images).astype(np.float32))
    found = sketch.centred(np.zeros(60), np.arange(len(images)))
    exact = images.T @ images
    assert np.corrcoef((found @ found.T).ravel(), exact.ravel())[0, 1] > 0.98


def two_flakes():
    """Patterns (n, 64, 64) of two flakes of different orientation on film, and the flakes' maps."""
    rng = np.random.default_rng(0)
    scan, detector = (48, 64), (64, 64)
    y, x = np.indices(scan)
    maps = np.stack([np.hypot(y - 16, x - 18) < 12, np.hypot(y - 30, x - 46) < 13])
    middle = np.array([31.5, 31.5])
    film = 1500 * (radius_map(detector, middle) < 3.2) + 3.0 * np.exp(
        -(((radius_map(detector, middle) - 16) / 5) ** 2)
    )
    patterns = np.tile(film, (scan[0] * scan[1], 1, 1))
    for flake, first_angle in zip(maps, (0.1, 0.6), strict=True):
        for angle in first_angle + np.arange(6) * np.pi / 3:
            spot = radius_map(detector, middle + 18 * np.array([np.sin(angle), np.cos(angle)])) < 3.2
            patterns[flake.ravel()] += 12 * spot
    return rng.poisson(patterns).astype(np.float32), maps, scan


def test_two_flakes_are_found_in_momentum_space_by_256_bins():
    frames, maps, scan = two_flakes()
    shape = (64, 64)
    look = look_at_sample(frames[::12])
    plan = frame_plan(look.beam, shape, 12, look.defects)
    sketch, moments = PixelSketch(scan, 4096, 256, 0), np.zeros((2, 4096))
    frame_pass = FramePass(shape, plan, look.aligned_mean.ravel())
    out = frame_pass.outcome(len(frames))
    frame_pass.run(frames, out, moments, sketch.sums, sketch.bins, sketch.signs)
    difference = moments[0] / len(frames)
    mean = look.aligned_mean.ravel().astype(np.float32) + difference
    variance = moments[1] / len(frames) - difference**2
    images = sketch.centred(mean, np.arange(len(frames)))
    found = cluster_pixels(images, mean.reshape(shape), variance.reshape(shape), 28.0, AnalysisSettings())
    dark_fields = frames.reshape(len(frames), -1) @ found.weights.T - found.offsets
    for flake in maps:
        best = max(np.corrcoef(image, flake.ravel())[0, 1] for image in dark_fields.T[1:])
        assert best >= 0.98
