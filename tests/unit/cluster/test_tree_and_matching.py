import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from streamer.cluster.agreement import adjusted_rand
from streamer.cluster.divisive import DivisionRules, divide
from streamer.cluster.matching import match_labels
from streamer.cluster.tree import ClusterTree
from streamer.cluster.varying import varying_features
from streamer.cluster.vectors import HeldVectors
from streamer.model import ClusterNode

LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=60)


@given(st.data())
def test_adjusted_rand_equals_scikit_learns(data):
    first = data.draw(LABELS)
    second = data.draw(st.lists(st.integers(0, 4), min_size=len(first), max_size=len(first)))
    assert adjusted_rand(np.array(first), np.array(second)) == pytest.approx(
        adjusted_rand_score(first, second)
    )


def test_adjusted_rand_leaves_out_what_is_not_visited():
    assert adjusted_rand(np.array([0, 0, 1, 1, -1]), np.array([1, 1, 0, 0, 0])) == 1.0


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), min_size=5, max_size=60))
def test_identities_survive_any_renaming(order, old):
    old = np.array([*range(5), *old])
    renamed = np.array(order)[old]
    identities = match_labels(renamed, old, 5)
    np.testing.assert_array_equal(identities[renamed], old)


def test_a_new_cluster_gets_a_number_of_its_own():
    old = np.array([0, 0, 0, 1, 1, -1, -1])
    new = np.array([1, 1, 1, 0, 0, 2, 2])
    assert match_labels(new, old, 3).tolist() == [1, 0, 2]


def three_levels(seed=0):
    """Two far groups; one of them has two parts."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 900)
    centres = np.zeros((3, 40))
    centres[0], centres[1, :20], centres[2, 20:] = -2.0, 1.2, 1.2
    return (centres[truth] + 0.5 * rng.standard_normal((900, 40))).astype(np.float32), truth


RULES = DivisionRules(levels=3, k_max=6, min_patterns=32, k_by_name={"all": 2})


def test_division_follows_the_structure_and_stops_at_noise():
    features, truth = three_levels()
    found = divide(features, RULES, seed=0)
    assert adjusted_rand(found.leaf_of, truth) == 1.0
    assert [node.name for node in found.tree.nodes] == ["all", "1", "2", "1.1", "1.2"]
    assert len(found.centroids) == len(found.tree.nodes)
    assert found.tree.nodes[0].k_auto >= 2


def test_node_sizes_inertias_and_label_maps_are_consistent():
    features, _ = three_levels()
    found = divide(features, RULES, seed=0)
    maps = found.tree.label_maps(found.leaf_of.reshape(30, 30), 3)
    for node in found.tree.nodes[1:]:
        members = maps[node.level - 1].ravel() == node.id
        assert members.sum() == node.n_patterns
        inertia = ((features[members] - found.centroids[node.id]) ** 2).sum()
        assert node.inertia == pytest.approx(float(inertia), rel=1e-3)
        assert node.radius == pytest.approx(np.sqrt(node.inertia / node.n_patterns))
    leaf = next(node for node in found.tree.leaves() if node.level == 1)
    assert (maps[2][maps[0] == leaf.id] == leaf.id).all()


def test_same_seed_same_labels():
    features, _ = three_levels()
    first, second = divide(features, RULES, 5), divide(features, RULES, 5)
    np.testing.assert_array_equal(first.leaf_of, second.leaf_of)


def test_k_by_hand_wins_and_the_automatic_choice_is_kept_beside_it():
    features, _ = three_levels()
    rules = DivisionRules(levels=1, k_max=6, min_patterns=32, k_by_name={"all": 5})
    root = divide(features, rules, 0).tree.nodes[0]
    assert root.k == 5
    assert root.k_auto in (2, 3)


def test_unvisited_positions_stay_unlabelled():
    tree = ClusterTree()
    tree.add(ClusterNode(0, 0, 0, "all", 2))
    maps = tree.label_maps(np.array([[0, -1, 0]], np.int32), 2)
    assert maps.tolist() == [[[0, -1, 0]], [[0, -1, 0]]]


def test_a_node_id_out_of_order_is_refused():
    with pytest.raises(ValueError, match="Node id 3 is out of order; the next is 0"):
        ClusterTree().add(ClusterNode(3, 0, 0, "all", 2))


def test_a_node_is_split_by_the_features_that_vary_in_it():
    rng = np.random.default_rng(5)
    side = np.repeat([0, 1], 300)
    # Thirty features tell two groups apart; four hundred faint ones carry noise alone, and hide a third of it.
    features = rng.normal(0, 1.0, (600, 430)).astype(np.float32)
    features[:, 30:] *= 0.25
    features[:, :30] += 1.2 * side[:, None]
    rules = replace(RULES, levels=1, k_by_name={"all": 2}, varying_share=0.5)
    varying = varying_features(HeldVectors(features), 0.5)
    np.testing.assert_array_equal(varying.rows(slice(None)), features[:, :30])
    split = divide(features, rules, 0)
    assert adjusted_rand(split.leaf_of, side) > 0.9
    for node in split.tree.nodes[1:]:
        own = features[split.leaf_of == node.id]
        np.testing.assert_allclose(split.centroids[node.id], own.mean(axis=0), rtol=1e-4, atol=1e-5)
        assert node.inertia == pytest.approx(((own - own.mean(axis=0)) ** 2).sum(), rel=1e-4)
        assert node.n_patterns == len(own)


@pytest.mark.parametrize("features", [np.ones((50, 40), np.float32), np.zeros((50, 0), np.float32)])
def test_where_hardly_a_feature_varies_all_are_kept(features):
    vectors = HeldVectors(features)
    assert varying_features(vectors, 0.3) is vectors


def test_features_that_vary_are_those_of_numpy_s_std_and_found_without_a_copy_of_the_node():
    rng = np.random.default_rng(7)
    features = (1e3 + rng.normal(size=(60_000, 40)) * rng.uniform(0.1, 1, 40)).astype(np.float32)
    std = features.std(axis=0, dtype=np.float64)
    expected = features[:, std > 0.6 * std.max()]
    tracemalloc.start()
    try:
        found = varying_features(HeldVectors(features), 0.6)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found.rows(slice(None)), expected)
    assert peak - expected.nbytes < 0.5 * features.nbytes
