"""The clusters of one scan on others: same phases, same colours, and what is new is said."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

from simulators.specimen import Phase
from simulators.truth import many_to_one_accuracy
from streamer import analyze, open_result, open_scan
from streamer.analysis.applied import model_of
from streamer.analysis.editing import EditSession
from streamer.analysis.result_file import write_result
from streamer.cli.analyze import command as analyze_command
from streamer.cli.apply import command
from streamer.cluster.divisive import Hierarchy
from streamer.cluster.nearest import chance_beyond, distance_in_reaches, label_by, reach_of_leaves
from streamer.cluster.tree import ClusterTree
from streamer.errors import SettingsError
from streamer.model import ClusterNode
from streamer.settings import AnalysisSettings
from tests.command_line import run_command
from tests.simulated import simulate

SHAPE = (24, 32)


run = partial(run_command, command)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("first"), SHAPE)


@pytest.fixture(scope="module")
def fitted(first):
    with open_scan(first.raw) as scan:
        result = analyze(scan, AnalysisSettings())
    path = write_result(result, first.raw.with_name("first.result.h5"))
    return open_result(path)


def test_another_seed_gets_the_phases_without_fitting(fitted, tmp_path):
    other = simulate(tmp_path, SHAPE, seed=1)
    said = json.loads(run(fitted.path, other.raw, "--json").stdout)
    assert said["result"] == str(tmp_path / "scan_x32_y24.applied.result.h5")
    applied = open_result(said["result"])
    assert many_to_one_accuracy(applied.label_maps[-1], other.specimen.phase) >= 0.99
    assert [(node.id, node.name) for node in applied.nodes] == [(node.id, node.name) for node in fitted.nodes]
    np.testing.assert_array_equal(applied.arrays["hierarchy/centroids"], fitted.arrays["hierarchy/centroids"])
    sizes = np.bincount(applied.label_maps[0].ravel(), minlength=len(applied.nodes))
    assert [applied.nodes[id_].n_patterns for id_ in np.flatnonzero(sizes)] == sizes[sizes > 0].tolist()
    # A phase has the same number in both scans: colours mean the same.
    for phase in np.unique(other.specimen.phase):
        assert _majority(applied, other.specimen.phase == phase) == _majority(
            fitted, simulate_phase(fitted) == phase
        )
    assert applied.array_attrs["model"]["result"] == "first.result.h5"
    assert said["remark"] == ""
    # About one in the size of a leaf lies farther than all that the leaf was made of.
    size = applied.label_maps[0].size
    assert said["n_new"] / size < 2 * chance_beyond(ClusterTree(list(fitted.nodes)))


def simulate_phase(fitted):
    from simulators.specimens import make_specimen

    return make_specimen("junction", fitted.label_maps.shape[1:]).phase


def _majority(result, where):
    return int(np.bincount(result.label_maps[0][where]).argmax())


def test_its_own_scan_gets_its_own_labels_back(first, fitted):
    model = model_of(fitted)
    with open_scan(first.raw) as scan:
        applied = analyze(scan, model.settings, model=model)
    np.testing.assert_array_equal(applied.label_maps, fitted.label_maps)
    assert applied.attrs["settings_id"] == model.settings_id != fitted.attrs["settings_id"]
    assert (applied.arrays["model/novelty"] > 1).mean() < 0.01
    with open_scan(first.raw) as scan, pytest.raises(SettingsError, match="are those of first"):
        EditSession(scan, applied)


def applied_to_all(first, roi):
    """The clusters of a part of the scan on all of it."""
    with open_scan(first.raw) as scan:
        model = model_of(analyze(scan, AnalysisSettings(roi=roi)))
        return analyze(scan, model.settings, model=model)


def test_a_phase_that_the_model_has_never_seen_is_reported_where_it_is(first):
    phase = first.specimen.phase
    assert (phase[15:20, 13:20] == Phase.WS2).all()
    applied = applied_to_all(first, (15, 20, 13, 20))
    novelty = applied.arrays["model/novelty"]
    assert (novelty[phase == Phase.FILM] > 1).all()
    assert (novelty[phase == Phase.WS2] > 1).mean() < 0.2  # what 35 patterns reach
    assert applied.array_attrs["model"]["n_new"] == (novelty > 1).sum()
    assert applied.remark.startswith(f"New structure: {(novelty > 1).sum()} of 768 patterns")


def test_structure_outside_the_model_s_pixels_is_said(first):
    assert (first.specimen.phase[:10, :8] == Phase.FILM).all()
    applied = applied_to_all(first, (0, 10, 0, 8))
    assert applied.array_attrs["model"]["n_unseen_pixels"] > 600
    assert "what differs there is not seen by its clusters" in applied.remark


def test_another_detector_and_an_applied_result_are_refused(fitted, first, tmp_path):
    mask = fitted.arrays["mask/features"]
    arrays = {**fitted.arrays, "mask/features": np.zeros((64, 64), np.bool_)}
    arrays["mask/features"].ravel()[: mask.sum()] = True
    small = model_of(replace(fitted, arrays=arrays))
    with open_scan(first.raw) as scan, pytest.raises(SettingsError, match=r"are \(128, 128\), those of"):
        analyze(scan, small.settings, model=small)
    shutil.copy(first.raw, tmp_path / "a_x32_y24.raw")
    run(fitted.path, tmp_path / "a_x32_y24.raw")
    again = run(fitted.path, tmp_path, "--json")
    assert json.loads(again.stdout)["results"][0]["is_new"] is False
    repeated = CliRunner().invoke(analyze_command, ["--from", str(tmp_path / "a_x32_y24.applied.result.h5")])
    assert isinstance(repeated.exception, SettingsError)
    assert "Repeat it with livestem apply" in str(repeated.exception)


def test_nearest_centroids_go_down_the_tree_and_distances_are_in_reaches():
    nodes = [
        ClusterNode(0, 0, 0, "all", 0, 0.0, 0.0),
        ClusterNode(1, 0, 1, "1", 0, 0.0, 0.0),
        ClusterNode(2, 0, 1, "2", 0, 0.0, 0.0),
        ClusterNode(3, 1, 2, "1.1", 0, 0.0, 0.0),
        ClusterNode(4, 1, 2, "1.2", 0, 0.0, 0.0),
    ]
    centroids = np.array([[4.0], [1.0], [10.0], [0.0], [2.0]], np.float32)
    features = np.array([[0.5], [0.0], [2.5], [9.0], [12.0], [5.0]], np.float32)
    found = label_by(ClusterTree(nodes), centroids, features)
    assert found.leaf_of.tolist() == [3, 3, 4, 2, 2, 4]
    assert [node.n_patterns for node in found.tree.nodes] == [6, 4, 2, 2, 2]
    assert found.tree.nodes[2].inertia == 5.0
    reach = reach_of_leaves(Hierarchy(found.tree, found.leaf_of, centroids), features)
    np.testing.assert_array_equal(reach, np.array([np.nan, np.nan, 2.0, 0.5, 3.0], np.float32))
    inside = distance_in_reaches(reach, centroids, features)
    assert inside.tolist() == [0.5, 0.0, pytest.approx(1 / 6), 0.5, 1.0, 1.0]
    outside = distance_in_reaches(reach, centroids, np.array([[-4.0], [30.0]], np.float32))
    assert outside.tolist() == [2.0, pytest.approx(28 / 3)]


def test_chance_puts_as_many_beyond_as_is_told():
    """Of vectors like those that a leaf was made of."""
    rng = np.random.default_rng(0)
    tree = ClusterTree([ClusterNode(0, 0, 0, "all", 40, 0.0, 0.0)])
    drawn = np.abs(rng.standard_normal((4000, 41)))
    seen = (drawn[:, 40] > drawn[:, :40].max(axis=1)).mean()
    assert chance_beyond(tree) == pytest.approx(1 / 41)
    assert seen == pytest.approx(chance_beyond(tree), abs=0.008)
