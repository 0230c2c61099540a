import sys

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from streamer import analyze, open_scan
from streamer.analysis.manifold import component_scores, embed
from streamer.analysis.passes import Cancel
from streamer.errors import ScanStopped, SettingsError
from streamer.settings import ManifoldSettings, analysis_settings
from tests.simulated import simulate

UMAP = ManifoldSettings(method="umap", max_points=512)


def islands(n=900, n_features=40, n_islands=3, seed=0):
    """Separate groups, each drawn out along one direction of its own, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_islands, n)
    centres = 12 * rng.standard_normal((n_islands, n_features))
    along = 6 * rng.uniform(-1, 1, n)
    directions = rng.standard_normal((n_islands, n_features))
    noise = rng.standard_normal((n, n_features))
    return (centres[labels] + along[:, None] * directions[labels] + noise).astype(np.float32), labels


def share_of_own_island(points, labels, n_neighbours=5):
    distances = ((points[:, None] - points[None]) ** 2).sum(-1)
    nearest = np.argsort(distances, axis=1)[:, 1 : n_neighbours + 1]
    return (labels[nearest] == labels[:, None]).mean()


def test_components_come_in_the_order_of_their_spread_and_their_signs_are_fixed():
    features, _ = islands()
    scores = component_scores(features, np.random.default_rng(0))
    spread = scores.std(axis=0)
    assert (np.diff(spread) <= 1e-3).all()
    assert scores.mean(axis=0) == pytest.approx(0, abs=1e-3)
    other = component_scores(features, np.random.default_rng(5))
    assert other[:, :3] == pytest.approx(scores[:, :3], rel=1e-2, abs=5e-2)


def test_umap_keeps_islands_apart_and_neighbours_together():
    features, labels = islands()
    points = embed(features, UMAP, seed=0)
    assert points.shape == (900, 3)
    assert share_of_own_island(points, labels) > 0.99
    assert trustworthiness(features, points, n_neighbors=10) > 0.85


def test_patterns_beyond_the_cap_lie_among_their_neighbours():
    features, labels = islands()
    capped = ManifoldSettings(method="umap", max_points=256)
    points = embed(features, capped, seed=0)
    assert np.isfinite(points).all()
    assert share_of_own_island(points, labels) > 0.99


def test_the_seeded_mode_gives_the_same_points_again():
    features, _ = islands(n=300)
    assert np.array_equal(embed(features, UMAP, seed=3), embed(features, UMAP, seed=3))
    assert not np.array_equal(embed(features, UMAP, seed=3), embed(features, UMAP, seed=4))


def test_progress_rises_to_the_end_and_cancel_ends_it():
    features, _ = islands(n=400)
    told = []
    embed(features, UMAP, 0, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    cancel = Cancel()
    with pytest.raises(ScanStopped, match="cancelled"):
        embed(features, UMAP, 0, lambda fraction: cancel.request(), cancel)


@pytest.mark.parametrize("shape", [(1, 8), (2, 8), (3, 8), (40, 1), (40, 2), (5, 0)])
def test_few_patterns_or_features_have_components_alone(shape):
    points = embed(np.random.default_rng(0).standard_normal(shape).astype(np.float32), UMAP, seed=0)
    assert points.shape == (shape[0], 3)
    assert np.isfinite(points).all()


def test_a_missing_umap_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(SettingsError, match=r"livestem\[manifold\]"):
        embed(islands(n=60)[0], UMAP, seed=0)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("scan"), (24, 32))


def analyzed(scan, **manifold):
    with open_scan(scan.raw) as opened:
        return analyze(opened, analysis_settings({"manifold": manifold, "lattice": {"enabled": False}}))


def test_the_result_holds_the_components_of_the_root_unless_told_otherwise(scan):
    result = analyzed(scan)
    assert result.arrays["manifold/0/points"].shape == (24 * 32, 3)
    assert np.array_equal(result.arrays["manifold/0/scan_index"], np.arange(24 * 32))
    assert result.array_attrs["manifold/0"] == {"method": "pca"}
    assert not [name for name in analyzed(scan, method="none").arrays if name.startswith("manifold")]


def test_a_node_is_asked_for_by_name(scan):
    result = analyzed(scan, method="umap", nodes=["1"])
    node = next(node for node in result.nodes if node.name == "1")
    index = result.arrays[f"manifold/{node.id}/scan_index"]
    assert np.array_equal(index, np.flatnonzero(result.label_maps[0].ravel() == node.id))
    assert result.arrays[f"manifold/{node.id}/points"].shape == (node.n_patterns, 3)


def test_a_node_that_is_not_there_is_left_out_and_said(scan):
    result = analyzed(scan, nodes=["7.7", "all"])
    assert "manifold/0/points" in result.arrays
    assert "No manifold of 7.7: this scan has the nodes all, 1" in result.array_attrs["manifold"]["remark"]


def test_a_missing_umap_is_said_before_anything_is_computed(scan, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    begun = []
    with open_scan(scan.raw) as opened, pytest.raises(SettingsError, match="umap-learn is not installed"):
        analyze(
            opened,
            analysis_settings({"manifold": {"method": "umap"}}),
            lambda name, fraction: begun.append(name),
        )
    assert begun == []
