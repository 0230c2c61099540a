import numpy as np
import pytest

from streamer.kernels import clean, distance, points, stats
from tests import naive
from tests.interpreted import interpret

RNG = np.random.default_rng(5)
PATTERNS = RNG.poisson(9, (11, 24 * 32)).astype(np.float32)
BOTH = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])


def pick(kernel, compiled):
    return kernel if compiled else kernel.py_func


@BOTH
@pytest.mark.parametrize("dtype", ["uint16", "uint32", "float32"])
@pytest.mark.parametrize("defects", [[], [0, 9, 10, 47]], ids=["no defects", "defects"])
def test_clean_frames_equals_its_twin(compiled, dtype, defects, monkeypatch):
    frames = RNG.poisson(9, (4, 6, 8)).astype(dtype)
    if dtype == "float32":
        frames[1, 0, 0], frames[1, 3, 4], frames[1, 1, 1], frames[2] = np.nan, np.inf, 2e12, np.nan
    out, n_bad = np.empty(frames.shape, np.float32), np.empty(4, np.int64)
    if not compiled:
        interpret(monkeypatch, clean)
    clean.clean_frames(frames, 3, np.array(defects, np.int64), out, n_bad)
    for frame, cleaned, count in zip(frames, out, n_bad, strict=True):
        expected, bad = naive.clean_frame(frame, 3, defects)
        np.testing.assert_allclose(cleaned, expected, rtol=1e-6)
        assert count == bad
    assert np.isfinite(out).all()


def test_a_pixel_without_a_good_neighbour_becomes_zero():
    frame = np.full((3, 3), np.nan, np.float32)
    out = np.empty((3, 3), np.float32)
    clean.mend_frame(frame, np.zeros(0, np.int64), out)
    assert (out == 0).all()


@BOTH
def test_sums_of_groups_equal_their_twin(compiled):
    labels = RNG.integers(-1, 3, 11).astype(np.int32)
    sums = np.zeros((3, PATTERNS.shape[1]))
    pick(stats.accumulate_by_label, compiled)(PATTERNS, labels, sums)
    np.testing.assert_allclose(sums, naive.sums_by_label(PATTERNS, labels, 3))


@BOTH
def test_nearest_centroid_and_group_sums_equal_their_twins(compiled):
    features, centroids = PATTERNS[:, :50], PATTERNS[[2, 5, 7], :50] + 0.25
    labels, distances = np.empty(11, np.int32), np.empty(11, np.float32)
    pick(distance.assign_nearest, compiled)(features, centroids, labels, distances)
    expected_labels, expected_distances = naive.assign_nearest(features, centroids)
    np.testing.assert_array_equal(labels, expected_labels)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-5)
    sums, counts = np.zeros((3, 50)), np.zeros(3, np.int64)
    pick(distance.accumulate_groups, compiled)(features, labels, 2.0**20, sums, counts)
    expected = naive.sums_by_label(np.rint(features.astype(np.float64) * 2.0**20), labels, 3)
    np.testing.assert_array_equal(sums, expected)
    np.testing.assert_array_equal(counts, np.bincount(labels, minlength=3))


@BOTH
def test_a_lloyd_step_equals_its_twin_and_adds_to_what_is_there(compiled):
    features, centroids = PATTERNS[:, :50], PATTERNS[[2, 5, 7, 7], :50] + 0.25  # the last has no vectors
    rows = np.array([7, 0, 3, 10, 4])
    labels, distances = np.empty(5, np.int32), np.empty(5, np.float32)
    sums, counts = np.full((4, 50), 3.0), np.full(4, 2)
    # So coarse that values are rounded.
    pick(distance.lloyd_step, compiled)(features, rows, centroids, 0.25, labels, distances, sums, counts)
    expected = naive.lloyd_step(features, rows, centroids, 0.25)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_allclose(distances, expected[1], rtol=1e-5)
    np.testing.assert_array_equal(sums, expected[2] + 3.0)
    np.testing.assert_array_equal(counts, expected[3] + 2)


@BOTH
def test_a_lloyd_step_on_some_rows_is_both_to_the_bit(compiled):
    """Compiled against compiled, the interpreter against itself: both round in their own way."""
    features, centroids, rows = PATTERNS[:, :50], PATTERNS[[2, 5, 7], :50] + 0.25, np.array([7, 0, 3, 10, 4])
    labels, distances = np.empty(5, np.int32), np.empty(5, np.float32)
    sums, counts = np.zeros((3, 50)), np.zeros(3, np.int64)
    pick(distance.lloyd_step, compiled)(features, rows, centroids, 2.0**20, labels, distances, sums, counts)
    expected = np.empty(5, np.int32), np.empty(5, np.float32), np.zeros((3, 50)), np.zeros(3, np.int64)
    pick(distance.assign_nearest, compiled)(features[rows], centroids, *expected[:2])
    pick(distance.accumulate_groups, compiled)(features[rows], expected[0], 2.0**20, *expected[2:])
    for found, wanted in zip((labels, distances, sums, counts), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@BOTH
def test_inner_products_equal_their_twin_row_by_row(compiled):
    features, axes = PATTERNS[:, :50].copy(), PATTERNS[[1, 4], :50] - 0.5
    products, alone = np.empty((11, 2), np.float32), np.empty((1, 2), np.float32)
    pick(distance.inner_products, compiled)(features, np.arange(11), axes, products)
    np.testing.assert_allclose(products, naive.inner_products(features, axes), rtol=1e-5, atol=1e-4)
    for row in range(11):
        pick(distance.inner_products, compiled)(features, np.array([row]), axes, alone)
        np.testing.assert_array_equal(alone[0], products[row])


@BOTH
def test_labels_of_two_levels_equal_their_twin(compiled):
    features, centroids = PATTERNS[:, :50], PATTERNS[[2, 5, 7, 1, 2, 8, 9], :50] + 0.25
    starts = np.array([3, 5, 5, 7])  # the second has no children
    labels = np.empty((2, 11), np.int32)
    pick(distance.assign_two_levels, compiled)(features, centroids, starts, labels)
    np.testing.assert_array_equal(labels, naive.assign_two_levels(features, centroids, starts))
    assert -1 in labels[1]


@BOTH
def test_frames_with_nan_or_infinity_are_found(compiled):
    frames = RNG.standard_normal((7, 33)).astype(np.float32) * np.float32(3e37)
    frames[0], frames[1, 32], frames[2, 0], frames[3, 5] = 0.0, np.nan, np.inf, -np.inf
    frames[4, 1], frames[5, 2] = np.finfo("f4").max, np.float32(1e-45)
    found = np.empty(7, np.bool_)
    pick(clean.find_nonfinite, compiled)(frames.view(np.uint32), found)
    np.testing.assert_array_equal(found, naive.nonfinite_frames(frames))


@BOTH
def test_kmeans_steps_on_points_of_few_dimensions_equal_their_twins(compiled):
    cloud, centres = RNG.standard_normal((40, 5)), RNG.standard_normal((3, 5))
    labels, distances = np.empty(40, np.int32), np.empty(40)
    inertia = pick(points.nearest_points, compiled)(cloud, centres, labels, distances)
    expected_labels, expected_distances = naive.assign_nearest(cloud, centres)
    np.testing.assert_array_equal(labels, expected_labels)
    np.testing.assert_allclose(distances, expected_distances)
    np.testing.assert_allclose(inertia, expected_distances.sum())
    sums, counts = np.full((3, 5), 9.0), np.full(3, 9)
    pick(points.group_points, compiled)(cloud, labels, sums, counts)
    np.testing.assert_allclose(sums, naive.sums_by_label(cloud, labels, 3))
    np.testing.assert_array_equal(counts, np.bincount(labels, minlength=3))
    total = pick(points.squared_distances, compiled)(cloud, centres[0], distances)
    np.testing.assert_allclose(distances, naive.squared_distances(cloud, centres[0]))
    np.testing.assert_allclose(total, distances.sum())


@BOTH
@pytest.mark.parametrize("k", [1, 3])
def test_lloyd_and_seeding_of_few_dimensions_equal_their_twins(compiled, k):
    cloud, centres = RNG.standard_normal((40, 5)), RNG.standard_normal((k, 5))
    expected_centres, expected_labels = naive.lloyd(cloud, centres, 10)
    labels, distances = np.empty(40, np.int32), np.empty(40)
    room = np.empty((k, 5)), np.empty(k, np.int64)
    inertia = pick(points.lloyd_points, compiled)(cloud, centres, *room, labels, distances, 10)
    np.testing.assert_allclose(centres, expected_centres)
    np.testing.assert_array_equal(labels, expected_labels)
    np.testing.assert_allclose(inertia, distances.sum())
    draws, seeds, room = RNG.random((k - 1, 4)), np.empty((k, 5)), np.empty((3, 40))
    pick(points.seed_points, compiled)(cloud, 7, draws, *room, seeds)
    np.testing.assert_array_equal(seeds, naive.seeds(cloud, 7, draws))


def test_seeds_among_points_that_coincide():
    cloud, room, seeds = np.ones((6, 2)), np.empty((3, 6)), np.empty((3, 2))
    points.seed_points(cloud, 0, np.full((2, 4), 0.99), *room, seeds)
    np.testing.assert_array_equal(seeds, np.ones((3, 2)))
