from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from streamer.cluster import neighbours
from streamer.cluster.divisive import Averaging, DivisionRules, divide
from streamer.cluster.neighbours import WIDTHS, ScanMap, stein_risk
from tests import naive

SHAPE = (30, 44)
POSITIONS = np.arange(SHAPE[0] * SHAPE[1])
Y, X = np.indices(SHAPE)
MAP = ScanMap.of(POSITIONS, SHAPE)
TOGETHER = np.zeros(POSITIONS.size, np.int32)


@given(st.integers(1, 6), st.integers(1, 8), st.sampled_from(WIDTHS), st.data())
def test_rows_are_averaged_with_those_of_their_group_that_are_there(n_y, n_x, width, data):
    there = data.draw(st.lists(st.booleans(), min_size=n_y * n_x, max_size=n_y * n_x))
    positions = np.flatnonzero(there)
    rng = np.random.default_rng(n_y * n_x)
    rows = rng.standard_normal((len(positions), 3)).astype(np.float32)
    groups = rng.integers(0, 2, len(positions)).astype(np.int32)
    scan_map = ScanMap.of(positions, (n_y, n_x))
    with ThreadPoolExecutor(2) as executor:
        averaged, own_share = scan_map.averaged(rows, groups, width, executor)
    expected, shares = naive.average_rows(rows, groups, scan_map.places_yx, neighbours._weights(width))
    np.testing.assert_allclose(averaged, expected, atol=1e-6)
    np.testing.assert_allclose(own_share, shares, rtol=1e-6)


def test_blocks_change_nothing(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((POSITIONS.size, 5)).astype(np.float32)
    whole, _ = MAP.averaged(rows, TOGETHER, 0.85)
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", 7)
    np.testing.assert_array_equal(MAP.averaged(rows, TOGETHER, 0.85)[0], whole)


@pytest.mark.parametrize("period", [6.0, 12.0, 40.0])
def test_steins_estimate_is_the_true_error(period):
    """In the mean, without knowing the truth."""
    rng = np.random.default_rng(0)
    truth = np.sin(2 * np.pi * (0.4 * Y + X) / period).reshape(-1, 1)
    for width in (0.5, 0.85, 1.4):
        told, true = [], []
        for _ in range(20):
            rows = (truth + 0.5 * rng.standard_normal(truth.shape)).astype(np.float32)
            averaged, own_share = MAP.averaged(rows, TOGETHER, width)
            told.append(stein_risk(rows, averaged, own_share, np.array([0.25])).mean())
            true.append(((averaged - truth) ** 2).mean() / 0.25)
        assert np.mean(told) == pytest.approx(np.mean(true), abs=0.05)


def rules_of(noise, k=2, levels=1):
    averaging = Averaging(MAP, lambda directions, mean: np.full(len(directions), noise))
    return DivisionRules(levels, 6, 64, {"all": k}, averaging=averaging)


def vectors(height, scatter, seed=0):
    """(n, 40): `height` (scan_y, scan_x) along one direction, and noise."""
    direction = np.ones(40) / np.sqrt(40)
    noise = scatter * np.random.default_rng(seed).standard_normal((POSITIONS.size, 40))
    return (np.outer(height.ravel(), direction) + noise).astype(np.float32)


def agreement(labels, truth):
    same = (labels == truth.ravel()).mean()
    return max(same, 1 - same)


def test_faint_structure_that_follows_the_map_is_told_from_noise():
    truth = np.sin(2 * np.pi * X / 22) > 0
    features = vectors(1.6 * truth, 1.0)
    alone = divide(features, DivisionRules(1, 6, 64, {"all": 2}), 0)
    together = divide(features, rules_of(1.0), 0)
    assert agreement(alone.leaf_of - 1, truth) < 0.85
    assert agreement(together.leaf_of - 1, truth) > 0.93
    root = together.tree.nodes[0]
    assert root.averaging in WIDTHS
    assert alone.tree.nodes[0].averaging == 0
    # Centroids and sizes are those of the patterns as they are.
    for child in together.tree.children(0):
        own = features[together.leaf_of == child.id]
        np.testing.assert_allclose(together.centroids[child.id], own.mean(axis=0), atol=1e-5)
        assert child.n_patterns == len(own)
        assert child.inertia == pytest.approx(((own - own.mean(axis=0)) ** 2).sum(), rel=1e-5)


def test_structure_that_is_scattered_from_place_to_place_is_left_as_it_is():
    truth = np.random.default_rng(1).random(SHAPE) < 0.5
    features = vectors(5.0 * truth, 1.0)
    found = divide(features, rules_of(1.0), 0)
    assert found.tree.nodes[0].averaging == 0
    assert agreement(found.leaf_of - 1, truth) > 0.98


def test_clusters_far_apart_keep_their_sharp_borders():
    truth = gaussian_filter(np.random.default_rng(2).standard_normal(SHAPE), 2) > 0
    found = divide(vectors(30.0 * truth, 1.0), rules_of(1.0), 0)
    assert found.tree.nodes[0].averaging == 0
    assert agreement(found.leaf_of - 1, truth) == 1


def test_the_number_of_clusters_is_chosen_without_neighbours():
    """Averaged noise would look like structure: neighbours share it."""
    averaging = Averaging(MAP, lambda directions, mean: np.ones(len(directions)))
    tree = divide(vectors(np.zeros(SHAPE), 1.0), DivisionRules(2, 6, 64, averaging=averaging), 0).tree
    assert len(tree.nodes) == 1
