import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cluster.coherence import coherence, neighbour_pairs
from streamer.cluster.divisive import DivisionRules, divide

SHAPE = (40, 56)
POSITIONS = np.arange(SHAPE[0] * SHAPE[1])
PAIRS = neighbour_pairs(POSITIONS, SHAPE)


@given(st.integers(1, 6), st.integers(1, 7), st.data())
def test_pairs_are_the_neighbours_that_are_there(n_y, n_x, data):
    there = data.draw(st.lists(st.booleans(), min_size=n_y * n_x, max_size=n_y * n_x))
    positions = np.flatnonzero(there)
    expected = {
        (row, other)
        for row, a in enumerate(positions)
        for other, b in enumerate(positions)
        if (b - a == 1 and a // n_x == b // n_x) or b - a == n_x
    }
    found = {tuple(pair) for pair in neighbour_pairs(positions, (n_y, n_x)).tolist()}
    if n_x > 1:  # in a single column both kinds of neighbours are one position apart
        assert found == expected


def test_chance_is_near_zero_and_a_map_far_above():
    rng = np.random.default_rng(0)
    by_chance = [coherence((rng.random(POSITIONS.size) < 0.3).astype(np.int32), PAIRS) for _ in range(50)]
    assert abs(np.mean(by_chance)) < 0.5
    assert np.abs(by_chance).max() < 4
    halves = (POSITIONS % SHAPE[1] < 20).astype(np.int32)
    assert coherence(halves, PAIRS) > 40
    assert coherence(np.zeros(POSITIONS.size, np.int32), PAIRS) == 0
    assert coherence(halves, PAIRS[:0]) == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_cloud_of_noise_that_is_longer_one_way_is_one_cluster(seed):
    rng = np.random.default_rng(seed)
    cloud = rng.standard_normal((POSITIONS.size, 60)).astype(np.float32)
    cloud[:, 0] *= 2.5  # without a map it is cut across, the same way in every sample
    rules = DivisionRules(2, 6, 64, neighbours=PAIRS)
    assert divide(cloud, DivisionRules(2, 6, 64), seed).tree.nodes[0].k > 1
    assert divide(cloud, rules, seed).tree.nodes[0].k == 1
    # As much spread that follows the map is a cluster; and so is one that is set by hand.
    cloud[:, 0] = rng.standard_normal(POSITIONS.size) + 3 * (POSITIONS % SHAPE[1] < 25)
    assert divide(cloud, rules, seed).tree.nodes[0].k == 2
    assert (
        divide(cloud[rng.permutation(len(cloud))], DivisionRules(2, 6, 64, {"all": 3}, PAIRS), seed)
        .tree.nodes[0]
        .k
        == 3
    )
