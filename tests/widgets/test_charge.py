"""Taking charge with mouse and keys, without engine: each asserts what is asked of it, and a probed pixel."""

import numpy as np
import pytest
from pyqtgraph.Qt import QtCore, QtGui, QtTest, QtWidgets

from gui.presenters.snapshot import Request
from gui.presenters.status import EngineStatus
from gui.presenters.tree_prompts import PromptKind
from streamer.look.palette import NOT_VISITED
from streamer.wire.control import NamedArray
from tests.widgets.fake_source import FakeSource
from tests.widgets.test_window import click, rgb_at

Qt = QtCore.Qt
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
SHIFT, CTRL, PLAIN = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.NoModifier,
)


def send(widget, kind, point, button=LEFT, buttons=LEFT):
    where = QtCore.QPointF(point)
    event = QtGui.QMouseEvent(kind, where, widget.mapToGlobal(point), button, buttons, PLAIN)
    QtWidgets.QApplication.sendEvent(widget, event)
    QtWidgets.QApplication.processEvents()


def drag(widget, start, end, steps=6):
    """Press, move in steps, release; the scene of pyqtgraph sees each."""
    kinds = QtCore.QEvent.Type
    send(widget, kinds.MouseMove, start, NONE, NONE)
    send(widget, kinds.MouseButtonPress, start)
    for step in range(1, steps + 1):
        share = step / steps
        x, y = start.x() + share * (end.x() - start.x()), start.y() + share * (end.y() - start.y())
        send(widget, kinds.MouseMove, QtCore.QPoint(round(x), round(y)), NONE, LEFT)
    send(widget, kinds.MouseButtonRelease, end, LEFT, NONE)


def asked(source, method):
    return [request.params for request in source.requests if request.method == method]


def set_values(source):
    return {params["name"]: params["value"] for params in asked(source, "set")}


def state_with(shown, **changes):
    """Publish the same state with some keys changed."""
    shown.change(status=EngineStatus.from_json({**shown.state, **changes}))


def settings_with(source, **manual):
    return {**source.state["settings"], "manual": manual}


@pytest.fixture
def window(open_window, source):
    return open_window(source)


def test_dragging_an_edge_of_the_ring_moves_the_circles_and_asks_when_it_is_dropped(window, source):
    rings = window.panes.rings
    viewport = rings.plot.viewport()
    drag(viewport, rings.ring_point(18, 0.9), rings.ring_point(24, 0.9))
    inner, outer = set_values(source)["ring"]
    assert inner == pytest.approx(24, abs=0.7)
    assert outer == 46
    circles = window.panes.pattern.canvas.shown_circles
    assert circles[1].radius_px == inner
    assert asked(source, "preview_mask")[-1]["inner"] == inner
    assert f"ring: auto 18–46, now {inner:.3g}–46 px" in rings.note_text
    # The source has the value now: the draft is let go, what is set stays shown.
    state_with(source, settings=settings_with(source, inner_px=inner, outer_px=46.0))
    source.reply(Request("set"))
    window.tick()
    assert not window.charge.draft.has_mask
    assert window.panes.pattern.canvas.shown_circles[1].radius_px == inner
    controls = rings.controls
    assert controls.automatic.isEnabled()
    QtTest.QTest.mouseClick(controls.automatic, LEFT)
    assert [params["name"] for params in asked(source, "release")] == ["ring", "threshold"]


def test_a_ring_that_is_too_thin_is_refused_with_a_hint_and_nothing_is_asked(window, source):
    window.panes.rings.controls.inner.setValue(45.5)
    assert "ring" not in set_values(source)
    assert "too thin" in window.panes.rings.controls.effect.full_text
    assert window.panes.pattern.canvas.shown_circles[1].radius_px == 18
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.charge.draft.hint == ""


def test_dragging_the_threshold_paints_the_pixels_that_are_kept_and_says_how_many(window, source):
    rings = window.panes.rings
    drag(rings.plot.viewport(), rings.ring_point(8, 0.3), rings.ring_point(8, 0.6))
    assert set_values(source)["threshold"] == pytest.approx(0.6, abs=0.03)
    canvas = window.panes.pattern.canvas
    before = rgb_at(canvas, 64, 99)
    features = np.zeros(source.scan.detector_shape, bool)
    features[60:68, 95:103] = True
    arrays = (NamedArray("ring", features), NamedArray("features", features))
    request = next(request for request in reversed(source.requests) if request.slot == "mask")
    source.reply(request, arrays=arrays, n_features=64, n_ring=64, changed_share=0.032, n_sample=1024)
    window.tick()
    after = rgb_at(canvas, 64, 99)
    assert after[1] > before[1] + 60, "a veil of green lies over the kept pixels"
    assert rgb_at(canvas, 30, 99) == pytest.approx(rgb_at(canvas, 30, 99))
    said = rings.controls.effect.full_text
    assert said == "kept 64 of 16\u2009640 px · would change 3 % of labels (1\u2009024 patterns looked at)"
    assert window.panes.pattern.note == "kept 64 of 16\u2009640 px"
    QtTest.QTest.mouseClick(rings.controls.mask, LEFT)
    assert rgb_at(canvas, 64, 99) == before
    assert window.width() == 1366, "no line of text widens the window"


def test_the_mask_goes_when_the_engine_has_followed_and_stays_where_it_was_asked_for(window, source):
    rings = window.panes.rings
    QtTest.QTest.keyClick(window, Qt.Key.Key_Equal)
    features = np.ones(source.scan.detector_shape, bool)
    arrays = (NamedArray("ring", features), NamedArray("features", features))
    source.reply(source.requests[0], arrays=arrays, n_features=1, n_ring=1, changed_share=None, n_sample=0)
    window.tick()
    canvas = window.panes.pattern.canvas
    veiled = rgb_at(canvas, 30, 99)
    in_force = {**source.state["settings"]["in_force"], "threshold": 0.31}
    state_with(source, settings={**settings_with(source, threshold=0.31), "in_force": in_force})
    source.reply(Request("set"))
    window.tick()
    bare = rgb_at(canvas, 30, 99)
    assert bare[1] < veiled[1] - 60
    source.change(arrays={**source.snapshot.arrays, "features": NamedArray("features", features, 3)})
    QtTest.QTest.mouseClick(rings.controls.mask, LEFT)
    assert rgb_at(canvas, 30, 99) == veiled


@pytest.mark.parametrize(
    ("key", "modifier", "name", "value"),
    [
        (Qt.Key.Key_BracketRight, PLAIN, "ring", [19.0, 46.0]),
        (Qt.Key.Key_BracketLeft, PLAIN, "ring", [17.0, 46.0]),
        (Qt.Key.Key_BraceRight, SHIFT, "ring", [18.0, 47.0]),
        (Qt.Key.Key_BraceLeft, SHIFT, "ring", [18.0, 45.0]),
        (Qt.Key.Key_Equal, PLAIN, "threshold", 0.31),
        (Qt.Key.Key_Minus, PLAIN, "threshold", 0.29),
    ],
)
def test_keys_move_ring_and_threshold(window, source, key, modifier, name, value):
    QtTest.QTest.keyClick(window, key, modifier)
    assert set_values(source) == {name: value}


def test_the_k_line_snaps_to_whole_numbers_previews_come_and_apply_splits(window, source):
    window.select(window.selection.with_node(2))
    window.panes.show_tab("elbow")
    elbow = window.panes.elbow
    QtWidgets.QApplication.processEvents()
    drag(elbow.plot.viewport(), elbow.k_point(2), elbow.k_point(4.3))
    assert elbow.k_shown == 4
    assert [params["k"] for params in asked(source, "preview")[-3:]] == [3, 4, 5]
    for request in [request for request in source.requests if request.method == "preview"][-3:]:
        labels = np.full(source.scan.scan_shape, -1, np.int32)
        labels[10:30, 10:50] = np.arange(40) // 10 % request.params["k"]
        source.reply(request, arrays=(NamedArray("labels", labels),))
    window.tick()
    maps = elbow.controls.canvases
    assert [title.full_text for title in elbow.controls.titles] == ["2: K = 3", "2: K = 4", "2: K = 5"]
    assert rgb_at(maps[1], 15, 14) != rgb_at(maps[1], 15, 25)
    assert rgb_at(maps[1], 15, 14) == rgb_at(maps[1], 25, 14)
    QtTest.QTest.mouseClick(elbow.controls.apply, LEFT)
    assert asked(source, "split") == [{"node": "2", "k": 4}]


def test_k_is_locked_for_a_branch_and_let_go(window, source):
    window.select(window.selection.with_node(2))
    window.panes.show_tab("elbow")
    QtTest.QTest.mouseClick(window.panes.elbow.controls.lock, LEFT)
    assert set_values(source)["K"] == {"2": 2}
    state_with(source, settings=settings_with(source, k={"2": 2}))
    window.tick()
    assert "locked" in window.panes.elbow.note_text
    QtTest.QTest.mouseClick(window.panes.elbow.controls.lock, LEFT)
    assert set_values(source)["K"] == {"2": None}


def test_during_a_scan_k_is_set_live_and_the_hierarchy_waits_with_a_sentence(open_window):
    source = FakeSource("scanning")
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_Underscore, SHIFT)
    assert window.charge.draft.k == 2
    QtTest.QTest.keyClick(window, Qt.Key.Key_Return, CTRL)
    assert set_values(source)["K"] == {"all": 2}
    assert asked(source, "preview") == [], "the engine has no previews while it scans"
    assert "once the result of this scan is there" in window.panes.hierarchy.lines[1]
    for name in ("split", "merge", "rename", "hide", "move", "save_result"):
        assert not window.actions_by_name[name].isEnabled()


def test_s_splits_with_enter_and_is_left_with_escape(window, source):
    window.select(window.selection.with_node(5))
    QtTest.QTest.keyClick(window, Qt.Key.Key_S)
    prompt = window.panes.hierarchy.prompt
    assert prompt.isVisible()
    assert prompt.question.text() == "Split cluster 1.2 into"
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not prompt.isVisible()
    assert asked(source, "split") == []
    QtTest.QTest.keyClick(window, Qt.Key.Key_S)
    QtTest.QTest.keyClick(prompt.number, Qt.Key.Key_Up)
    QtTest.QTest.keyClick(prompt.number, Qt.Key.Key_Return)
    assert asked(source, "split") == [{"node": "1.2", "k": 3}]
    assert not prompt.isVisible()


def test_m_merges_with_the_nearest_sister_or_the_compared_one(window, source):
    window.select(window.selection.with_node(4))
    QtTest.QTest.keyClick(window, Qt.Key.Key_M)
    prompt = window.panes.hierarchy.prompt
    assert [prompt.choice.itemText(row) for row in range(prompt.choice.count())] == ["1.2", "1.3"]
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    window.select(window.selection.compared_with(node_id=6))
    QtTest.QTest.keyClick(window, Qt.Key.Key_M)
    QtTest.QTest.mouseClick(prompt.apply, LEFT)
    assert asked(source, "merge") == [{"nodes": ["1.1", "1.3"]}]


def test_r_renames_and_letters_go_into_the_field(window, source):
    window.select(window.selection.with_node(2))
    QtTest.QTest.keyClick(window, Qt.Key.Key_R)
    field = window.panes.hierarchy.prompt.text
    QtTest.QTest.keyClicks(field, "slim")
    assert field.text() == "slim"
    QtTest.QTest.keyClick(field, Qt.Key.Key_Return)
    assert asked(source, "rename") == [{"node": "2", "title": "slim"}]
    assert [request.method for request in source.requests] == ["rename"], "s, l, i, m did nothing else"


def test_h_hides_a_branch_and_the_map_no_longer_has_its_colour(window, source):
    labels = source.snapshot.values("label_maps")[1]
    y, x = next((int(y), int(x)) for y, x in np.argwhere(labels == 6) if y > 3 and x > 3)
    window.select(window.selection.with_node(6))
    QtTest.QTest.keyClick(window, Qt.Key.Key_H)
    assert asked(source, "hide") == [{"nodes": ["1.3"], "hidden": True}]
    tree = [{**node, "hidden": node["id"] == 6} for node in source.state["tree"]]
    state_with(source, tree=tree)
    window.select(window.selection.with_node(None))
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    window.tick()
    assert rgb_at(window.panes.cluster_map.canvas, y, x) == NOT_VISITED
    QtTest.QTest.keyClick(window, Qt.Key.Key_H, SHIFT)
    assert asked(source, "hide")[-1] == {"nodes": ["1.3"], "hidden": False}


def test_a_leaf_dragged_onto_a_cousin_asks_before_it_moves(window, source):
    tree = window.panes.tree
    drag(tree, tree.node_position(9), tree.node_position(8))
    prompt = window.panes.hierarchy.prompt
    assert prompt.question.text() == "Move 3.1 under 2 and merge with 2.2?"
    QtTest.QTest.mouseClick(prompt.apply, LEFT)
    assert asked(source, "move") == [{"node": "3.1", "onto": "2.2"}]
    QtWidgets.QApplication.processEvents()
    drag(tree, tree.node_position(10), tree.node_position(9))
    assert prompt.question.text() == "Merge 3.2 with"
    QtTest.QTest.mouseClick(prompt.leave, LEFT)
    assert not prompt.isVisible()
    assert asked(source, "merge") == []


def test_undo_and_redo_say_what_they_do(window, source):
    actions = window.actions_by_name
    assert not actions["undo"].isEnabled()
    edits = {"n_undo": 2, "n_redo": 1, "undo_text": "merge 2.1 + 2.2", "redo_text": "split 1 into 3"}
    state_with(source, edits=edits)
    window.tick()
    assert actions["undo"].toolTip() == "Undo merge 2.1 + 2.2"
    assert actions["redo"].toolTip() == "Redo split 1 into 3"
    QtTest.QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    QtTest.QTest.keyClick(window, Qt.Key.Key_Z, CTRL | SHIFT)
    assert [request.method for request in source.requests] == ["undo", "redo"]


def test_a_tiny_cluster_is_offered_for_a_merge(window, source):
    assert window.panes.hierarchy.lines[0] == ""
    tree = [{**node, "n_patterns": 7} if node["name"] == "2.2" else node for node in source.state["tree"]]
    state_with(source, tree=tree)
    window.tick()
    assert "Cluster 2.2 has only 7 patterns. Merge it with 2.1?" in window.panes.hierarchy.lines[0]
    QtTest.QTest.mouseClick(window.panes.hierarchy.take_offer, LEFT)
    assert asked(source, "merge") == [{"nodes": ["2.1", "2.2"]}]


def test_a_marked_region_shows_its_mean_pattern_and_is_analysed(window, source):
    region = np.zeros(source.scan.scan_shape, bool)
    region[5:20, 10:30] = True
    window.select(window.selection.with_region(region))
    window.tick()
    request = next(request for request in source.requests if request.method == "mean_pattern")
    assert request.arrays[0].values is region
    pattern = np.zeros(source.scan.detector_shape, np.float32)
    pattern[20:30, 40:50] = 100
    source.reply(request, arrays=(NamedArray("pattern", pattern),))
    window.tick()
    assert window.panes.pattern.title == "Mean of 300 marked positions"
    canvas = window.panes.pattern.canvas
    assert sum(rgb_at(canvas, 25, 45)) > sum(rgb_at(canvas, 100, 45)) + 300
    assert len(asked(source, "mean_pattern")) == 1, "asked once"
    QtTest.QTest.keyClick(window, Qt.Key.Key_F7)
    assert asked(source, "analyze") == [{"roi": [5, 20, 10, 30]}]


def test_a_click_on_a_spot_makes_a_dark_field_and_shift_adds_the_conjugate(window, source):
    click(window.panes.pattern.canvas, 40, 90)
    name, detector = next(iter(set_values(source)["virtual"].items()))
    assert name == "spot_1"
    assert detector["spots_yx"][0] == pytest.approx([40 - 63.5, 90 - 64.5])
    assert not detector["conjugate"]
    click(window.panes.pattern.canvas, 40, 90, SHIFT)
    assert next(iter(set_values(source)["virtual"].values()))["conjugate"]
    state_with(source, settings=settings_with(source, virtual={name: detector}))
    window.tick()
    request = next(request for request in source.requests if request.method == "virtual_image")
    mask = request.arrays[0].values
    assert mask[40, 90]
    assert not mask[63, 64]
    image = np.zeros(source.scan.scan_shape, np.float32)
    image[:24] = 5
    source.reply(request, arrays=(NamedArray("image", image),))
    window.tick()
    canvas = window.panes.virtual.canvases[-1]
    assert sum(rgb_at(canvas, 8, 30)) > sum(rgb_at(canvas, 40, 8)) + 300
    QtTest.QTest.keyClick(window, Qt.Key.Key_D, CTRL)
    assert asked(source, "release") == [{"name": "virtual"}]


def test_a_calibration_is_entered_without_a_dialog_and_a_wrong_entry_is_a_hint(window, source):
    QtTest.QTest.keyClick(window, Qt.Key.Key_F8)
    panel = window.charge.panel
    assert panel.isVisible()
    assert not panel.isWindow()
    panel.fields["full_width_nm"].setText("wide")
    QtTest.QTest.mouseClick(panel.apply, LEFT)
    assert "'wide' is no size" in panel.hint.text()
    panel.fields["full_width_nm"].setText("128")
    panel.fields["ring_px"].setText("20")
    panel.fields["spacing_angstrom"].setText("2,5")
    QtTest.QTest.mouseClick(panel.apply, LEFT)
    assert asked(source, "calibrate") == [
        {"scan_step_yx_nm": [2.0, 2.0], "q_measured_inv_nm": pytest.approx(0.2)}
    ]
    assert not panel.isVisible()


def test_a_source_that_has_moved_is_located(window, source):
    assert not window.actions_by_name["locate"].isEnabled()
    state_with(source, source={"path": "/data/scan.h5", "is_there": False})
    window.tick()
    QtTest.QTest.keyClick(window, Qt.Key.Key_O, CTRL | SHIFT)
    field = window.panes.hierarchy.prompt.text
    assert field.text() == "/data/scan.h5"
    field.setText("/elsewhere/scan.h5")
    QtTest.QTest.keyClick(field, Qt.Key.Key_Return)
    assert asked(source, "locate") == [{"path": "/elsewhere/scan.h5"}]


def test_the_wheel_changes_no_value_without_focus(window, source):
    box = window.panes.rings.controls.inner
    window.panes.cluster_map.canvas.setFocus()
    centre = QtCore.QPointF(box.rect().center())
    event = QtGui.QWheelEvent(
        centre, QtCore.QPointF(box.mapToGlobal(box.rect().center())), QtCore.QPoint(), QtCore.QPoint(0, 120),
        NONE, PLAIN, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QtWidgets.QApplication.sendEvent(box, event)
    assert box.value() == 18
    assert source.requests == []


def test_a_lasso_is_analysed_as_its_rectangle_after_a_question_and_a_rectangle_at_once(window, source):
    canvas = window.panes.cluster_map.canvas
    box = np.zeros((48, 64), bool)
    box[10:20, 30:42] = True
    canvas.marked.emit(box)
    QtTest.QTest.keyClick(window, Qt.Key.Key_F7)
    assert asked(source, "analyze") == [{"roi": [10, 20, 30, 42]}]
    lasso = box.copy()
    lasso[10, 30] = False
    canvas.marked.emit(lasso)
    QtTest.QTest.keyClick(window, Qt.Key.Key_F7)
    prompt = window.panes.hierarchy.prompt
    assert len(asked(source, "analyze")) == 1
    assert "rows 10–19, columns 30–41, 120 positions, of which 119 are marked" in prompt.question.text()
    QtTest.QTest.mouseClick(prompt.apply, LEFT)
    assert asked(source, "analyze")[1] == {"roi": [10, 20, 30, 42]}
    assert window.charge.draft.prompt is None


def test_the_newest_spot_is_moved_with_the_keys_of_the_detector(window, source):
    spot = {"spots_yx": [[3.0, 20.0]], "radius_px": 5.0, "conjugate": True}
    canvas = window.panes.pattern.canvas
    assert not window.actions_by_name["spot_up"].isEnabled()
    state_with(source, settings=settings_with(source, virtual={"spot_1": spot}))
    window.tick()
    canvas.setFocus()
    QtTest.QTest.keyClick(canvas, Qt.Key.Key_W)
    QtTest.QTest.keyClick(canvas, Qt.Key.Key_D, SHIFT)
    moved = [params["value"]["spot_1"]["spots_yx"] for params in asked(source, "set")]
    assert moved == [[[2.0, 20.0]], [[3.0, 25.0]]], (
        "the second starts from what is set, which has not changed here"
    )
    assert window.panes.hierarchy.prompt.isHidden(), "S and A are the detector's here"


def test_a_source_that_has_moved_is_looked_for_in_a_dialog(window, source):
    state_with(source, source={"path": "/data/scan.h5", "is_there": False})
    window.tick()
    QtTest.QTest.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifiers(CTRL | SHIFT))
    prompt = window.panes.hierarchy.prompt
    assert prompt.text.text() == "/data/scan.h5"
    QtTest.QTest.mouseClick(prompt.browse, LEFT)
    dialog = prompt.findChild(QtWidgets.QFileDialog)
    assert not dialog.isModal()
    dialog.fileSelected.emit("/elsewhere/scan.h5")
    dialog.close()
    QtTest.QTest.mouseClick(prompt.apply, LEFT)
    assert asked(source, "locate") == [{"path": "/elsewhere/scan.h5"}]
    window.charge.ask_for(PromptKind.SPLIT)
    assert prompt.browse.isHidden()


def test_escape_ends_previews_that_are_still_computed(window, source):
    QtTest.QTest.keyClick(window, Qt.Key.Key_S)
    source.change(n_waiting=2)
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.charge.draft.prompt is None
    assert [request.slot for request in source.requests if request.method == "cancel"] == ["cancel"]
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert len(asked(source, "cancel")) == 1
