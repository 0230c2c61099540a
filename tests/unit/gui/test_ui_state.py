"""Snapshot and selection in, panes out: the links between panes, without Qt."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from gui.presenters import texts
from gui.presenters.levels import Scale
from gui.presenters.memo import Memo
from gui.presenters.selection import Selected, Selection, ViewOptions
from gui.presenters.snapshot import Link, PatternAnswer, Snapshot
from gui.presenters.status import EngineStatus
from gui.presenters.ui_state import UiState
from gui.presenters.views import Emphasis
from tests.widgets.fake_scan import phases

SIZES = {"scan_shape": (20, 28), "detector_shape": (24, 32)}


@pytest.fixture(scope="module")
def parts():
    return phases(**SIZES)


def snapshot_of(parts, phase: str, **changes) -> Snapshot:
    _, state, arrays = parts[phase]
    status = EngineStatus.from_json(state)
    return replace(
        Snapshot(1, link=Link.CONNECTED, status=status, arrays=MappingProxyType(arrays)), **changes
    )


def shown(
    snapshot: Snapshot, selection: Selection | None = None, options: ViewOptions | None = None, memo=None
):
    return UiState(snapshot, selection or Selection(), options or ViewOptions(), memo)


def test_a_cluster_that_is_selected_stands_out_in_every_pane(parts):
    state = shown(snapshot_of(parts, "done"), Selection(node_id=8))
    assert {tile.node_id: tile.emphasis for tile in state.tiles.tiles}[8] is Emphasis.SELECTED
    assert {tile.emphasis for tile in state.tiles.tiles if tile.node_id != 8} == {Emphasis.DIMMED}
    tree = {node.node_id: node.emphasis for node in state.tree.nodes}
    assert (tree[8], tree[2], tree[0], tree[4]) == (*[Emphasis.SELECTED] * 3, Emphasis.DIMMED)
    assert state.pattern.picture.title.startswith("Mean pattern of cluster 2.2")
    assert "cluster 2.2 selected" in state.status.left
    assert state.elbow.title == "Split of cluster 2", "a leaf has no curve: that of its parent"


def test_selecting_a_branch_lights_all_its_leaves_and_puts_them_side_by_side(parts):
    state = shown(snapshot_of(parts, "done"), Selection(node_id=1))
    lit = {node.number for node in state.tree.nodes if node.emphasis is Emphasis.SELECTED}
    assert lit == {"all", "1", "1.1", "1.2", "1.3"}
    assert [tile.name for tile in state.tiles.tiles] == ["1.1", "1.2", "1.3"]
    assert {tile.emphasis for tile in state.tiles.tiles} == {Emphasis.NORMAL}
    assert state.tiles.title == "Mean pattern of each cluster in 1"
    assert state.elbow.title == "Split of cluster 1"


def test_a_leaf_selected_under_a_coarser_map_lights_its_ancestor(parts):
    state = shown(snapshot_of(parts, "done"), Selection(node_id=8, level=1))
    assert {tile.name for tile in state.tiles.tiles if tile.emphasis is Emphasis.SELECTED} == {"2"}


def test_a_branch_of_a_coarser_map_shows_its_children_and_the_root_shows_the_level(parts):
    snapshot = snapshot_of(parts, "done")
    coarse = shown(snapshot, Selection(node_id=2, level=1))
    assert [tile.name for tile in coarse.tiles.tiles] == ["2.1", "2.2"]
    whole = shown(snapshot, Selection(node_id=0, level=1))
    assert [tile.name for tile in whole.tiles.tiles] == ["1", "2", "3"]
    y, x = np.argwhere(snapshot.values("label_maps")[1] == 8)[0]
    hovered = shown(snapshot, Selection(node_id=2, hover_yx=(int(y), int(x)))).tiles.tiles
    assert [tile.emphasis for tile in hovered] == [Emphasis.NORMAL, Emphasis.HOVERED]


SELECTIONS = {
    Selected.HOVER: (Selection(hover_yx=(4, 6)), "x 6.3 nm, y 4.2 nm · cluster "),
    Selected.PIN: (Selection(pinned_yx=(4, 6)), "x 6.3 nm, y 4.2 nm pinned · cluster "),
    Selected.NODE: (Selection(node_id=8), "cluster 2.2 selected ("),
    Selected.REGION: (Selection().with_region(np.eye(20, 28, dtype=bool)), "20 positions marked"),
    Selected.COMPARED_POSITION: (Selection(compared_yx=(1, 2)), "compared with x 2.1 nm"),
    Selected.COMPARED_NODE: (Selection(compared_id=2), "compared with cluster 2"),
    Selected.MOMENTUM: (Selection(momentum_id=2), "k-space cluster 2 selected"),
}


@pytest.mark.parametrize("kind", list(Selected))
def test_everything_that_can_be_selected_is_said_and_cleared(parts, kind):
    selection, words = SELECTIONS[kind]
    assert list(selection.parts) == [kind]
    said = shown(snapshot_of(parts, "done"), selection).status.left
    assert words in said
    assert (texts.ESC_CLEARS in said) == (kind is not Selected.HOVER)
    assert not selection.cleared().parts.keys() - {Selected.HOVER}


@pytest.mark.parametrize("kind", list(Selected))
@pytest.mark.parametrize("phase", ["waiting", "scanning", "analysing", "done", "fault"])
def test_nothing_that_can_be_selected_breaks_a_pane_in_any_phase(parts, phase, kind):
    state = shown(snapshot_of(parts, phase), SELECTIONS[kind][0])
    for picture in (state.cluster_map.picture, state.pattern.picture, *state.virtual_images):
        assert picture.image is not None or picture.message
    assert state.tiles.tiles or state.tiles.message
    assert state.tree.nodes or state.tree.message
    assert "None" not in state.status.left


def test_hovering_lights_the_cluster_under_the_mouse(parts):
    snapshot = snapshot_of(parts, "done")
    node_id = int(snapshot.values("label_maps")[1][4, 6])
    answer = PatternAnswer((4, 6), 1, parts["done"][0].pattern(4, 6))
    state = shown(replace(snapshot, pattern=answer), Selection(hover_yx=(4, 6)))
    assert {tile.node_id for tile in state.tiles.tiles if tile.emphasis is Emphasis.HOVERED} == {node_id}
    assert state.cluster_map.picture.crosshair_yx == (4, 6)
    assert state.virtual_images[0].crosshair_yx == (4, 6)
    assert "x 6.3 nm, y 4.2 nm" in state.status.left


def test_until_the_answer_comes_the_title_is_that_of_the_pattern_shown(parts):
    answer = PatternAnswer((1, 2), 1, parts["done"][0].pattern(1, 2))
    state = shown(snapshot_of(parts, "done", pattern=answer), Selection(hover_yx=(4, 6)))
    assert "x 2.1 nm, y 1.1 nm" in state.pattern.picture.title or "y 1.0 nm" in state.pattern.picture.title


def test_a_pattern_that_cannot_be_had_says_why(parts):
    answer = PatternAnswer((4, 6), 1, None, "The file /data/scan.raw is gone.")
    picture = shown(snapshot_of(parts, "done", pattern=answer), Selection(pinned_yx=(4, 6))).pattern.picture
    assert picture.image is None
    assert picture.message == "The file /data/scan.raw is gone."


def test_the_rings_are_centred_on_the_beam_of_that_position(parts):
    snapshot = snapshot_of(parts, "done", pattern=PatternAnswer((4, 6), 1, parts["done"][0].pattern(4, 6)))
    com_yx = snapshot.values("com_yx")[4, 6]
    circles = shown(snapshot, Selection(hover_yx=(4, 6))).pattern.circles
    assert circles[1].centre_yx == pytest.approx(tuple(com_yx))
    assert [circle.radius_px for circle in circles] == [9.0, 18.0, 46.0]
    middle = shown(snapshot).pattern.circles[0].centre_yx
    assert middle == (11.5, 15.5), "a mean pattern is aligned to the middle"


def test_bright_field_stands_in_for_the_map_until_the_first_clusters(parts):
    snapshot = snapshot_of(parts, "scanning")
    early = {name: entry for name, entry in snapshot.arrays.items() if name != "label_maps"}
    state = shown(replace(snapshot, arrays=early))
    assert state.cluster_map.picture.image is not None
    assert state.cluster_map.levels == ()
    assert state.header.sentence == texts.FIRST_CLUSTERS


def test_bright_field_stands_in_for_a_map_without_a_single_label(parts):
    snapshot = snapshot_of(parts, "scanning")
    labels = snapshot.arrays["label_maps"]
    nothing = replace(labels, values=np.full_like(labels.values, -1), version=2)
    state = shown(replace(snapshot, arrays={**snapshot.arrays, "label_maps": nothing}))
    assert state.cluster_map.picture.image.ndim == 2
    assert state.cluster_map.levels == ()


def test_the_newest_row_is_marked_during_a_scan_only(parts):
    visited_rows = int(0.43 * 20 * 28) // 28
    assert shown(snapshot_of(parts, "scanning")).cluster_map.newest_row == visited_rows
    assert shown(snapshot_of(parts, "done")).cluster_map.newest_row is None


def test_level_and_scale_reach_the_panes(parts):
    snapshot = snapshot_of(parts, "done")
    deep = shown(snapshot, Selection(level=9))
    assert deep.cluster_map.level == 2, "deeper than there is shows the deepest"
    flat = shown(snapshot, Selection(level=1), ViewOptions(scale=Scale.LINEAR))
    assert [tile.name for tile in flat.tiles.tiles] == ["1", "2", "3"]
    assert flat.pattern.intensity is Scale.LINEAR


def test_numbers_can_be_left_out(parts):
    snapshot = snapshot_of(parts, "done")
    assert shown(snapshot).cluster_map.labels
    assert shown(snapshot, options=ViewOptions(show_labels=False)).cluster_map.labels == ()


@pytest.mark.parametrize("phase", ["waiting", "scanning", "analysing", "done", "fault"])
@pytest.mark.parametrize(
    "selection", [Selection(), Selection((3, 3), None, 7), Selection(None, (99, 99), 99, 3)]
)
def test_every_pane_has_something_to_show_in_every_phase(parts, phase, selection):
    memo = Memo()
    snapshot = snapshot_of(parts, phase)
    first, second = shown(snapshot, selection, memo=memo), shown(snapshot, selection, memo=memo)
    for name in (
        "header",
        "status",
        "cluster_map",
        "pattern",
        "tiles",
        "tree",
        "rings",
        "elbow",
        "stream",
        "log",
    ):
        assert getattr(first, name) == getattr(second, name), f"{name} is a function of its inputs"
    for picture in (first.cluster_map.picture, first.pattern.picture, *first.virtual_images):
        assert picture.image is not None or picture.message
    assert first.tiles.tiles or first.tiles.message
    assert first.tree.nodes or first.tree.message


def test_without_a_step_positions_are_in_pixels(parts):
    snapshot = snapshot_of(parts, "done")
    scan = replace(
        snapshot.status.scan, calibration=replace(snapshot.status.calibration, scan_step_yx_nm=None)
    )
    state = shown(replace(snapshot, status=replace(snapshot.status, scan=scan)), Selection(hover_yx=(4, 6)))
    assert "x 6, y 4 px" in state.status.left
    assert state.cluster_map.picture.scale.unit == "px"


def test_hidden_nodes_are_nowhere(parts):
    snapshot = snapshot_of(parts, "done")
    tree = tuple(replace(node, hidden=node.id == 8) for node in snapshot.status.tree)
    state = shown(replace(snapshot, status=replace(snapshot.status, tree=tree)))
    assert 8 not in {tile.node_id for tile in state.tiles.tiles}
    assert 8 not in {node.node_id for node in state.tree.nodes}


def test_a_status_line_warns_in_words_and_colour(parts):
    status = snapshot_of(parts, "scanning").status
    counters = replace(status.counters, frames_missing=12)
    state = shown(
        snapshot_of(parts, "scanning", status=replace(status, counters=counters, disk_free_bytes=10**9))
    )
    fields = {entry.name: (entry.value, str(entry.severity)) for entry in state.status.fields}
    assert fields["lost"] == ("12", "amber")
    assert fields["disk"] == ("1 GB free", "amber")
    assert fields["rate"] == ("1\u2009183 /s", "normal")


@pytest.mark.parametrize(
    "missing", ["rates", "settings", "counters", "tree", "endpoints", "array_versions", "problems"]
)
def test_a_state_without_a_field_is_read(parts, missing):
    state = {name: value for name, value in parts["done"][1].items() if name != missing}
    assert EngineStatus.from_json(state).state == "LISTENING"


@pytest.mark.parametrize(
    "change", [{"state": "DREAMING"}, {"finish_reason": "LATE"}, {"lag_s": "long"}, {"tree": [1]}]
)
def test_a_state_of_another_kind_is_refused(parts, change):
    with pytest.raises((ValueError, TypeError, KeyError)):
        EngineStatus.from_json({**parts["done"][1], **change})
