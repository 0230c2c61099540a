"""One selection, every pane: regions, comparison, k-space, outlines."""

from dataclasses import replace

import numpy as np
import pytest

from gui.presenters import texts
from gui.presenters.momentum_pane import momentum_node_at
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.snapshot import PatternAnswer
from gui.presenters.views import Emphasis
from streamer.look.palette import dimmed
from tests.unit.gui.test_ui_state import SIZES, shown, snapshot_of
from tests.widgets.fake_scan import phases


@pytest.fixture(scope="module")
def parts():
    return phases(**SIZES)


@pytest.fixture
def region():
    mask = np.zeros((20, 28), bool)
    mask[3:9, 4:12] = True
    return mask


SELECTIONS = {
    "nothing": Selection(),
    "hover": Selection(hover_yx=(4, 6)),
    "pin": Selection(pinned_yx=(4, 6)),
    "node": Selection(node_id=8),
    "root": Selection(node_id=0),
    "node that is gone": Selection(node_id=999),
    "deep level": Selection(level=3),
    "compared position": Selection(hover_yx=(4, 6), compared_yx=(5, 7)),
    "compared cluster": Selection(node_id=8, compared_id=4),
    "compared cluster that is gone": Selection(compared_id=999),
    "k-space": Selection(momentum_id=2),
    "k-space cluster that is gone": Selection(momentum_id=999),
    "outside": Selection(hover_yx=(500, 6)),
}
PANES = ("header", "banner", "status", "cluster_map", "virtual_images", "pattern", "tiles", "tree", "rings", "elbow",
         "alignment", "lattice", "manifold", "stream", "momentum", "log")  # fmt: skip


@pytest.mark.parametrize("phase", ["waiting", "scanning", "analysing", "done", "fault"])
@pytest.mark.parametrize("name", list(SELECTIONS))
def test_every_pane_shows_something_for_every_selection_in_every_phase(parts, phase, name):
    selection = SELECTIONS[name]
    answers = {
        field: position and PatternAnswer(position, 1, parts[phase][0].pattern(4, 6))
        for field, position in (("pattern", selection.position_yx), ("compared", selection.compared_yx))
    }
    state = shown(snapshot_of(parts, phase, **answers), selection)
    for pane in PANES:
        view = getattr(state, pane)
        assert view is not None or pane == "banner"
    assert selection.is_empty == (selection.cleared() == selection)
    assert selection.cleared().is_empty


def test_a_marked_region_keeps_its_colours_and_the_rest_steps_back(parts, region):
    state = shown(snapshot_of(parts, "done"), Selection().with_region(region))
    labels, rgba = state.clusters.label_map, state.cluster_map.picture.image
    assert tuple(rgba[5, 6, :3]) == state.clusters.colours[labels[5, 6]]
    assert tuple(rgba[12, 6, :3]) == dimmed(state.clusters.colours[labels[12, 6]])
    assert sorted(state.cluster_map.outline.edges.tolist()) == [
        [4, 3, 4, 9], [4, 3, 12, 3], [4, 9, 12, 9], [12, 3, 12, 9],
    ]  # fmt: skip
    assert "48 positions marked" in state.status.left


def test_the_tree_says_how_much_of_each_leaf_is_marked(parts, region):
    state = shown(snapshot_of(parts, "done"), Selection().with_region(region))
    labels = state.clusters.label_map
    shares = {n.node_id: n.share_marked for n in state.tree.nodes if n.share_marked is not None}
    assert shares == {
        node_id: (labels[region] == node_id).sum() / (labels == node_id).sum() for node_id in range(4, 11)
    }
    assert all(n.share_marked is None for n in shown(snapshot_of(parts, "done")).tree.nodes)


def test_compared_patterns_stand_side_by_side_with_their_difference(parts):
    scan = parts["done"][0]
    answers = {
        "pattern": PatternAnswer((4, 6), 1, scan.pattern(4, 6)),
        "compared": PatternAnswer((5, 7), 1, scan.pattern(5, 7)),
    }
    selection = Selection(hover_yx=(4, 6)).compared_with((5, 7))
    view = shown(snapshot_of(parts, "done", **answers), selection).pattern
    assert view.compared.title == "Compared · x 7.4 nm, y 5.2 nm"
    assert view.difference.colours == "CET-D1"
    difference = scan.pattern(4, 6) - scan.pattern(5, 7)
    brighter = difference > 500
    assert view.difference.image[brighter].min() > 128 > view.difference.image[difference < -500].max()
    low, high = (float(end.replace("\u2009", "")) for end in view.difference.ends)
    assert low == -high < -1000


def test_two_clusters_are_compared_by_their_mean_patterns(parts):
    view = shown(snapshot_of(parts, "done"), Selection(node_id=8).compared_with(node_id=4)).pattern
    assert view.picture.title.startswith("Mean pattern of cluster 2.2")
    assert view.compared.title == "Compared · cluster 1.1"
    assert view.difference.image.shape == (24, 32)


def test_what_is_compared_once_more_is_let_go():
    selection = Selection().compared_with((5, 7))
    assert selection.compared_with((5, 7)).compared_yx is None
    assert selection.compared_with(node_id=3).compared_yx is None
    assert selection.compared_with(node_id=3).compared_with(node_id=3).compared_id is None


def test_a_k_space_cluster_shows_its_image_on_the_map_and_its_border_on_the_pattern():
    snapshot = snapshot_of(phases(scan_shape=(20, 28)), "done")
    state = shown(snapshot, Selection(momentum_id=2))
    assert state.cluster_map.title == "Image of k-space cluster 2"
    assert state.cluster_map.picture.image.ndim == 2
    assert len(state.pattern.outline.edges) > 0
    emphases = {tile.node_id: tile.emphasis for tile in state.momentum.tiles.tiles}
    assert emphases == {1: Emphasis.DIMMED, 2: Emphasis.SELECTED, 3: Emphasis.DIMMED}


def test_the_k_space_cluster_of_a_detector_pixel():
    big = phases(scan_shape=(20, 28))
    snapshot = snapshot_of(big, "done")
    labels = snapshot.values("momentum_labels")[0]
    y, x = np.argwhere(labels == 2)[0]
    assert momentum_node_at(snapshot, int(y), int(x)) == 2
    assert momentum_node_at(snapshot, 0, 0) is None
    assert momentum_node_at(snapshot, 999, 0) is None


def test_outlines_of_all_clusters_are_an_option(parts):
    snapshot = snapshot_of(parts, "done")
    assert shown(snapshot).cluster_map.outline is None
    outlined = shown(snapshot, options=ViewOptions(show_outlines=True)).cluster_map
    selected = shown(snapshot, Selection(node_id=8)).cluster_map
    assert len(outlined.outline.edges) > len(selected.outline.edges) > 0


def test_the_profile_of_the_pattern_under_the_cursor_is_drawn_with_the_rings(parts):
    scan = parts["done"][0]
    snapshot = snapshot_of(parts, "done", pattern=PatternAnswer((4, 6), 1, scan.pattern(4, 6)))
    single = shown(snapshot, Selection(hover_yx=(4, 6))).rings.single
    assert len(single) == 12
    assert single[0] > single[11]
    assert shown(replace(snapshot, pattern=None)).rings.single == ()


@pytest.mark.parametrize("member", list(texts.MANIFOLD_METHODS))
def test_every_method_has_words(member):
    assert texts.MANIFOLD_METHODS[member]
