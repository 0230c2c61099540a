"""Live clusters: when they count as settled."""

import numpy as np

from streamer.live.clusters import SETTLED_LOOKS, LiveClusters


def grow(clusters, features, looks, first):
    """Patterns come, by a tenth of what is there at a time, and are looked at each time."""
    n, settled = first, []
    for _ in range(looks):
        clusters.label_new(features, 0, n)
        clusters.maintain(features[:n])
        settled.append(clusters.is_settled)
        n = int(np.ceil(1.1 * n))
    return n, settled


def patterns(n, centres, seed=0):
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(len(centres), size=n)] + rng.standard_normal((n, 12))).astype(np.float32)


def test_clusters_that_stay_are_settled_after_so_many_looks_and_a_new_one_unsettles_them():
    centres = 12.0 * np.eye(3, 12)
    features = np.concatenate([patterns(900, centres[:2]), patterns(3000, centres)])
    clusters = LiveClusters(len(features), 8, 32, 0)
    n, settled = grow(clusters, features, 12, 200)
    assert not any(settled[:SETTLED_LOOKS])
    assert settled[-1]
    assert n < 900
    _, settled = grow(clusters, features, 10, 1400)
    assert len(clusters.families[-1].identities) == 3
    assert not settled[0]


def test_noise_that_never_divides_settles_too():
    features = patterns(900, np.zeros((1, 12)))
    clusters = LiveClusters(len(features), 8, 32, 0)
    _, settled = grow(clusters, features, 12, 200)
    assert clusters.n_clusters[0] == 1
    assert settled[-1]
