"""Mouse and keys on the whole window, without engine: each asserts the model and a probed pixel."""

import numpy as np
import pytest
from pyqtgraph.Qt import QtCore, QtGui, QtTest, QtWidgets

from gui.actions import ACTIONS
from gui.presenters.levels import Scale
from gui.presenters.snapshot import Link
from gui.presenters.views import Emphasis
from gui.widgets.keys_dialog import KeysDialog
from streamer.errors import LivestemError
from streamer.look.palette import NOT_VISITED, dimmed, node_colours
from streamer.model import ClusterNode
from streamer.wire.control import NamedArray
from tests.widgets.fake_source import FakeSource

Qt = QtCore.Qt


def rgb_at(canvas, y, x):
    """Colour on the screen at the middle of an image pixel; overlays are not in the way of the tests' pixels."""
    colour = canvas.grab().toImage().pixelColor(canvas.screen_position(y, x).toPoint())
    return colour.red(), colour.green(), colour.blue()


def move_to(canvas, y, x):
    point = canvas.screen_position(y, x).toPoint()
    event = QtGui.QMouseEvent(
        QtCore.QEvent.Type.MouseMove, QtCore.QPointF(point), Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QtWidgets.QApplication.sendEvent(canvas.viewport(), event)


def click(canvas, y, x, modifier=Qt.KeyboardModifier.NoModifier):
    point = canvas.screen_position(y, x).toPoint()
    QtTest.QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, modifier, point)


def far_from(labels, wanted, shape):
    """A position of one of the `wanted` nodes away from the printed numbers and the scale bar."""
    height, width = shape
    for y in range(2, int(0.75 * height)):
        for x in range(2, width - 2):
            if labels[y, x] in wanted and (labels[y - 2 : y + 3, x - 2 : x + 3] == labels[y, x]).all():
                return y, x
    raise AssertionError(f"no position of {wanted}")


def colours_of(source):
    return node_colours([ClusterNode.from_json(entry) for entry in source.state["tree"]])


def test_the_map_has_the_colours_of_its_clusters_and_neutral_ground_where_nothing_was_scanned(open_window):
    source = FakeSource("scanning")
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    labels = source.snapshot.values("label_maps")[1]
    colours = colours_of(source)
    canvas = window.panes.cluster_map.canvas
    for node_id in (7, 8):
        y, x = far_from(labels, {node_id}, labels.shape)
        assert rgb_at(canvas, y, x) == colours[node_id]
    assert rgb_at(canvas, 30, 5) == NOT_VISITED


def test_hovering_asks_for_the_pattern_of_that_position_and_paints_it(open_window, source):
    window = open_window(source)
    move_to(window.panes.cluster_map.canvas, 20, 40)
    window.tick()
    assert source.asked[-1] == (20, 40)
    assert window.selection.hover_yx == (20, 40)
    assert window.panes.pattern.title == "Pattern at cursor · x 42.0 nm, y 21.0 nm"
    assert window.panes.pattern.canvas.shown_image.shape == source.scan.detector_shape
    assert "cluster" in window.status_line.words[0]
    centre = rgb_at(window.panes.pattern.canvas, 62, 63)
    assert min(centre) > 150, "the direct beam is bright"


def test_leaving_the_map_ends_the_hover(open_window, source):
    window = open_window(source)
    canvas = window.panes.cluster_map.canvas
    move_to(canvas, 7, 11)
    QtWidgets.QApplication.sendEvent(canvas, QtCore.QEvent(QtCore.QEvent.Type.Leave))
    assert window.selection.hover_yx is None
    assert window.panes.pattern.title == "Mean pattern of the scan"


def test_a_click_on_the_map_selects_the_cluster_and_the_others_step_back(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    canvas = window.panes.cluster_map.canvas
    labels = source.snapshot.values("label_maps")[1]
    colours = colours_of(source)
    y, x = far_from(labels, {8}, labels.shape)
    click(canvas, y, x)
    assert window.selection.node_id == 8
    assert rgb_at(canvas, y, x) == colours[8]
    other_y, other_x = far_from(labels, {4}, labels.shape)
    assert rgb_at(canvas, other_y, other_x) == dimmed(colours[4])
    assert window.panes.pattern.title.startswith("Mean pattern of cluster 2.2")


def test_escape_clears_the_selection_and_the_colours_come_back(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    window.select(window.selection.with_node(8))
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.selection.node_id is None
    labels = source.snapshot.values("label_maps")[1]
    y, x = far_from(labels, {4}, labels.shape)
    assert rgb_at(window.panes.cluster_map.canvas, y, x) == colours_of(source)[4]


def test_shift_click_pins_the_single_pattern(open_window, source):
    window = open_window(source)
    click(window.panes.cluster_map.canvas, 9, 13, Qt.KeyboardModifier.ShiftModifier)
    assert window.selection.pinned_yx == (9, 13)
    assert window.selection.node_id is None
    assert source.asked[-1] == (9, 13)


def test_arrows_move_the_pinned_position(open_window, source):
    window = open_window(source)
    window.select(window.selection.with_pin((9, 13)))
    QtTest.QTest.keyClick(window, Qt.Key.Key_Right)
    QtTest.QTest.keyClick(window, Qt.Key.Key_Up)
    assert window.selection.pinned_yx == (8, 14)


def test_a_click_on_a_tile_or_a_tree_node_selects_its_cluster(open_window, source):
    window = open_window(source)
    tiles, tree = window.panes.tiles, window.panes.tree
    QtTest.QTest.mouseClick(tiles.sheet, Qt.MouseButton.LeftButton, pos=tiles.tile_centre(6))
    assert window.selection.node_id == 6
    QtTest.QTest.mouseClick(tree, Qt.MouseButton.LeftButton, pos=tree.node_position(2))
    assert window.selection.node_id == 2
    node = {view.node_id: view for view in tree.shown_view.nodes}
    assert node[2].emphasis is Emphasis.SELECTED
    assert node[7].emphasis is Emphasis.SELECTED, "all of the branch is selected"
    assert node[4].emphasis is Emphasis.DIMMED


def test_the_tree_paints_its_nodes_in_the_colours_of_the_map(open_window, source):
    window = open_window(source)
    tree = window.panes.tree
    colour = tree.grab().toImage().pixelColor(tree.node_position(6))
    assert (colour.red(), colour.green(), colour.blue()) == colours_of(source)[6]


def test_level_keys_recolour_the_map(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    labels = source.snapshot.values("label_maps")
    y, x = far_from(labels[1], {4}, labels[1].shape)
    QtTest.QTest.keyClick(window, Qt.Key.Key_1)
    assert window.selection.level == 1
    assert rgb_at(window.panes.cluster_map.canvas, y, x) == colours_of(source)[labels[0][y, x]]
    QtTest.QTest.keyClick(window, Qt.Key.Key_2)
    assert rgb_at(window.panes.cluster_map.canvas, y, x) == colours_of(source)[4]


@pytest.mark.parametrize(("key", "scale"), [("L", Scale.LOG), ("Q", Scale.SQRT), ("N", Scale.LINEAR)])
def test_l_q_n_choose_the_intensity_scale(open_window, source, key, scale):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_N if key != "N" else Qt.Key.Key_L)
    before = window.panes.pattern.canvas.shown_image.copy()
    QtTest.QTest.keyClicks(window, key)
    assert window.options.scale is scale
    assert (window.panes.pattern.canvas.shown_image != before).any()


@pytest.mark.parametrize(
    ("phase", "key", "modifier", "command"),
    [
        ("scanning", Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier, "stop"),
        ("fault", Qt.Key.Key_F6, Qt.KeyboardModifier.NoModifier, "analyze"),
        ("analysing", Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier, "cancel"),
    ],
)
def test_the_buttons_that_act_on_the_engine(open_window, phase, key, modifier, command):
    source = FakeSource(phase)
    window = open_window(source)
    buttons = {button.text(): button for button in window.header.findChildren(QtWidgets.QPushButton)}
    on = [text for text, button in buttons.items() if button.isEnabled()]
    assert on == [{"stop": "Stop", "analyze": "Analyse", "cancel": "Cancel"}[command]]
    QtTest.QTest.mouseClick(buttons[on[0]], Qt.MouseButton.LeftButton)
    QtTest.QTest.keyClick(window, key, modifier)
    assert source.commands == [command, command]


def test_space_never_presses_stop(open_window):
    source = FakeSource("scanning")
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_Space)
    assert source.commands == []


def test_an_engine_that_is_gone_leaves_the_picture(open_window):
    source = FakeSource("scanning")
    window = open_window(source)
    before = window.panes.cluster_map.canvas.shown_image.copy()
    source.change(link=Link.GONE, attempt=3)
    window.tick()
    assert "ENGINE GONE" in window.header.words[0]
    assert "attempt 3" in window.header.words[2]
    assert "stays shown" in window.banner.text
    assert (window.panes.cluster_map.canvas.shown_image == before).all()
    assert not any(button.isEnabled() for button in window.header.findChildren(QtWidgets.QPushButton))


def test_a_closed_banner_stays_closed_until_something_else_happens(open_window):
    source = FakeSource("fault")
    window = open_window(source)
    assert window.banner.text.startswith("The detector stream was lost.")
    window.banner.dismissed.emit(window.banner.key)
    assert "silent for 5 s" in window.banner.text, "the next matter moves up"
    window.banner.dismissed.emit(window.banner.key)
    assert window.banner.isHidden()
    window.tick()
    assert window.banner.isHidden()


def test_a_pane_that_fails_is_paused_and_the_others_go_on(open_window, source):
    window = open_window(source)
    slot = next(slot for slot in window.panes.slots if slot.name == "tree")
    working, slot.show = slot.show, lambda view: 1 / 0
    window.select(window.selection.with_node(8))
    window.tick()
    assert slot.pane.is_paused
    assert "tree could not be drawn" in window.banner.text
    assert window.panes.pattern.title.startswith("Mean pattern of cluster 2.2")
    slot.show = working
    slot.pane.retry.emit()
    assert not slot.pane.is_paused
    assert window.panes.tree.shown_view.nodes[-1].emphasis is Emphasis.DIMMED


def test_arrays_that_contradict_the_state_pause_their_pane_only(open_window, source):
    window = open_window(source)
    window.panes.show_tab("elbow")
    bad = NamedArray("elbow", np.zeros(5), 2)
    source.change(arrays={**source.snapshot.arrays, "elbow": bad})
    window.tick()
    assert [slot.name for slot in window.panes.slots if slot.pane.is_paused] == ["elbow"]


def test_a_thread_that_failed_is_said_once(open_window, source):
    window = open_window(source)
    source.failure = LivestemError("The connection to the engine failed: a test.")
    window.tick()
    assert "a test" in window.banner.text
    window.banner.dismissed.emit(window.banner.key)
    window.tick()
    assert window.banner.isHidden()


def test_f1_lists_every_action_with_its_key(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_F1)
    dialog = window.findChild(KeysDialog)
    listed = {
        dialog.table.item(row, 0).text(): dialog.table.item(row, 1).text() for row in range(len(ACTIONS))
    }
    assert listed["Esc"].startswith("Cancel what runs; then clear selection, pin, region and comparison")
    assert len(listed) == len(ACTIONS), "every action has its own keys"
    dialog.close()


@pytest.mark.parametrize("phase", ["waiting", "scanning", "analysing", "done", "fault"])
@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
def test_every_phase_fits_the_window(open_window, phase, size):
    window = open_window(FakeSource(phase), size)
    assert (window.width(), window.height()) == size
    assert window.errors.newest() is None


def test_the_manifold_takes_the_fourth_place_when_there_is_a_result(open_window):
    window = open_window(FakeSource("scanning"))
    assert window.panes.fourth.currentWidget() is window.panes.stream_pane
    other = open_window(FakeSource("done"))
    assert other.panes.fourth.currentWidget() is other.panes.manifold_pane


def test_only_levels_that_exist_have_a_button(open_window, source):
    window = open_window(source)
    buttons = window.panes.cluster_map.level_buttons
    assert [button.text() for button in buttons if button.isVisible()] == ["1", "2"]


def test_another_scan_starts_with_nothing_selected(open_window, source):
    window = open_window(source)
    window.select(window.selection.with_node(8))
    source.change(reset=source.snapshot.reset + 1)
    window.tick()
    assert window.selection.node_id is None
    assert source.asked[-1] is None


KEYS_OF_ACTIONS = [(spec.pane, spec.name, key) for spec in ACTIONS for key in spec.keys]


def press(widget, key):
    mask = int(Qt.KeyboardModifier.KeyboardModifierMask)
    pressed = QtGui.QKeySequence(key)[0]
    QtTest.QTest.keyClick(widget, Qt.Key(pressed & ~mask), Qt.KeyboardModifiers(pressed & mask))


def test_every_key_triggers_its_action_and_no_other(open_window, source):
    window = open_window(source)
    panes = window.panes
    seen = []
    for name, action in window.actions_by_name.items():
        action.setEnabled(True)
        action.triggered.disconnect()
        action.triggered.connect(lambda _=False, name=name: seen.append(name))
    focused = {"": panes.rings.plot, "map": panes.cluster_map.canvas, "pattern": panes.pattern.canvas}
    for pane, _, key in KEYS_OF_ACTIONS:
        focused[pane].setFocus()
        press(focused[pane], key)
    assert seen == [name for _, name, _ in KEYS_OF_ACTIONS]


def test_no_two_actions_share_a_key_in_a_pane_and_every_one_has_words():
    keys = [(pane, QtGui.QKeySequence(key).toString()) for pane, _, key in KEYS_OF_ACTIONS]
    assert len(keys) == len(set(keys))
    assert all(spec.text and spec.tip and spec.keys for spec in ACTIONS)


@pytest.mark.parametrize("pane", ["cluster_map", "tiles", "tree"])
def test_tab_walks_through_clusters_where_clusters_are_and_ctrl_tab_leaves(open_window, source, pane):
    window = open_window(source)
    widget = getattr(window.panes, pane)
    widget = getattr(widget, "canvas", widget)
    widget.setFocus()
    seen = []
    for key in ("Tab", "Tab", "Shift+Tab"):
        press(widget, key)
        seen.append(window.selection.node_id)
    assert seen == [4, 5, 4]
    assert QtWidgets.QApplication.focusWidget() is widget
    press(widget, "Ctrl+Tab")
    assert QtWidgets.QApplication.focusWidget() is not widget


def test_letters_move_the_cursor_on_the_map_and_mean_what_they_do_elsewhere(open_window, source):
    window = open_window(source)
    canvas = window.panes.cluster_map.canvas
    canvas.setFocus()
    window.select(window.selection.with_pin((9, 13)))
    press(canvas, "N")
    for key in ("I", "L", "K", "K", "Shift+L", "J"):
        press(canvas, key)
    assert window.selection.pinned_yx == (10, 23)
    assert window.options.scale is Scale.LINEAR
    other = window.panes.pattern.canvas
    other.setFocus()
    press(other, "L")
    assert window.options.scale is Scale.LOG
    assert window.selection.pinned_yx == (10, 23)


def test_the_brightness_of_a_pattern_is_kept_and_let_go(open_window, source):
    window = open_window(source)
    window.select(window.selection.with_pin((9, 13)))
    own = window.state().pattern.levels
    press(window, "A")
    assert window.options.kept_levels == own
    assert window.panes.pattern.note.endswith("brightness kept")
    window.select(window.selection.with_node(8).with_pin(None))
    kept = window.panes.pattern.canvas.shown_image.copy()
    press(window, "Shift+A")
    assert window.options.kept_levels is None
    assert (window.panes.pattern.canvas.shown_image != kept).any()


@pytest.mark.parametrize(("phase", "commands"), [("analysing", ["cancel"]), ("done", [])])
def test_escape_cancels_what_runs_before_it_clears(open_window, phase, commands):
    source = FakeSource(phase)
    window = open_window(source)
    window.select(window.selection.with_node(8))
    press(window, "Esc")
    assert source.commands == commands
    assert window.selection.node_id == (8 if commands else None)


def test_words_become_larger_and_smaller_everywhere_and_it_is_remembered(open_window, source, remembered):
    window = open_window(source, (1366, 768), remembered)
    pill, before = window.header.pill, window.header.pill.fontMetrics().height()
    canvas = window.panes.cluster_map.canvas
    picture = canvas.grab().toImage()
    for _ in range(5):
        press(window, "Ctrl++")
    assert remembered.font_scale == 1.5
    assert pill.fontMetrics().height() >= 1.4 * before
    assert canvas.grab().toImage() != picture, "numbers on the map are larger"
    assert window.errors.newest() is None
    for _ in range(20):
        press(window, "Ctrl+-")
    assert remembered.font_scale == 0.8
    press(window, "Ctrl+0")
    assert remembered.font_scale == 1.0
    assert pill.fontMetrics().height() == before
