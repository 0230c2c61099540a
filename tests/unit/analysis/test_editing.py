import numpy as np
import pytest

from streamer import analyze, open_result, open_scan
from streamer.analysis.editing import EditSession
from streamer.analysis.result_file import write_result
from streamer.errors import SettingsError
from streamer.settings import MergeEdit, RenameEdit, SplitEdit, analysis_settings
from tests.simulated import simulate

SETTINGS = analysis_settings({"cluster": {"levels": 2}, "lattice": {"enabled": False}})


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("scan"), (36, 44))


@pytest.fixture(scope="module")
def result(scan):
    with open_scan(scan.raw) as opened:
        return open_result(write_result(analyze(opened, SETTINGS), scan.raw.with_suffix(".h5")))


@pytest.fixture
def session(scan, result):
    with open_scan(scan.raw) as opened:
        yield EditSession(opened, result)


def split(node, k=None):
    return SplitEdit(edit="split", node=node, k=k)


def test_it_begins_with_what_the_result_holds(session, result):
    assert np.array_equal(session.label_maps(), result.label_maps)
    assert np.array_equal(session.cluster_patterns(), result.cluster_patterns)
    assert session.settings == SETTINGS
    assert (session.n_undo, session.n_redo) == (0, 0)


def test_an_analysis_with_its_settings_gives_the_same(session, scan):
    session.apply(split("2", 4))
    session.apply(MergeEdit(edit="merge", nodes=("1", "3")))
    session.apply(RenameEdit(edit="rename", node="2.1", title="core"))
    with open_scan(scan.raw) as opened:
        again = analyze(opened, session.settings)
    assert np.array_equal(session.label_maps(), again.label_maps)
    assert session.cluster_patterns() == pytest.approx(again.cluster_patterns, rel=1e-4, abs=1e-3)
    assert [(node.name, node.title, node.k) for node in session.hierarchy.tree.nodes] == [
        (node.name, node.title, node.k) for node in again.nodes
    ]
    assert "core" in [node.title for node in again.nodes]


def test_a_branch_can_be_split_below_the_last_level(session):
    leaf = next(node.name for node in session.hierarchy.tree.leaves() if node.level == 2)
    session.apply(split(leaf, 2))
    assert session.label_maps().shape == (3, 36, 44)


def test_the_preview_shows_the_split_that_follows(session):
    shown = session.preview("1", 3)
    assert session.n_undo == 0
    session.apply(split("1", 3))
    tree, labels = session.hierarchy.tree, session.label_maps()
    for number in range(3):
        child = next(node for node in tree.nodes if node.name == f"1.{number + 1}")
        assert np.array_equal(shown == number, labels[1] == child.id)
    assert set(np.unique(shown)) == {-1, 0, 1, 2}


def test_undo_and_redo_walk_through_the_edits(session, result):
    session.apply(split("1", 3))
    after = session.label_maps()
    session.apply(split("all", 2))
    session.undo()
    assert np.array_equal(session.label_maps(), after)
    session.undo()
    assert np.array_equal(session.label_maps(), result.label_maps)
    with pytest.raises(SettingsError, match="nothing to undo"):
        session.undo()
    session.redo()
    assert np.array_equal(session.label_maps(), after)
    session.apply(split("2", 2))
    with pytest.raises(SettingsError, match="nothing to redo"):
        session.redo()
    assert session.settings.edits == (split("1", 3), split("2", 2))


def test_an_edit_that_fails_changes_nothing(session, result):
    with pytest.raises(SettingsError, match="no node 8"):
        session.apply(split("8", 2))
    assert np.array_equal(session.label_maps(), result.label_maps)


def test_another_file_is_refused(result, tmp_path):
    other = simulate(tmp_path, (36, 44), seed=5)
    with (
        open_scan(other.raw) as opened,
        pytest.raises(SettingsError, match="not what the result was made of"),
    ):
        EditSession(opened, result)


def test_a_region_is_edited_alone(scan):
    settings = analysis_settings({"roi": [4, 30, 6, 40], "lattice": {"enabled": False}})
    with open_scan(scan.raw) as opened:
        part = analyze(opened, settings)
        session = EditSession(opened, part)
        session.apply(split("all", 2))
        again = analyze(opened, session.settings)
    assert np.array_equal(session.label_maps(), again.label_maps)
