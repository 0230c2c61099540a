"""Panes maximised, copied, saved and taken out; the table; files opened, dropped and remembered."""

import csv
import io
import sys

import numpy as np
import pytest
from pyqtgraph.Qt import QtCore, QtGui, QtTest, QtWidgets

from gui import theme
from gui.opening import FileOpener
from gui.presenters import texts
from gui.presenters.pane_data import hierarchy_csv, pane_arrays
from gui.presenters.tree_prompts import PromptKind
from gui.remembered import Remembered
from gui.simulated_scan import SimulatedScan, Stage
from gui.theme import Theme
from gui.widgets.pane_keys import focus_stops
from tests.widgets.fake_source import FakeSource
from tests.widgets.mouse import LEFT, NONE

Qt = QtCore.Qt

FAKE_LIVESTEM = """
import json, pathlib, sys
what, *rest = sys.argv[1:]
if what == "simulate":
    raw = pathlib.Path(rest[rest.index("--out") + 1]) / "scan.raw"
    raw.write_bytes(b"x")
    print(json.dumps({"raw": str(raw)}))
elif what == "replay":
    assert pathlib.Path(rest[0]).is_file()
    assert rest[rest.index("--to") + 1] == "tcp://127.0.0.1:9999"
elif what == "view":
    sys.exit("Error: this file is broken." if "broken" in rest[0] else 0)
"""


@pytest.fixture
def program(tmp_path):
    script = tmp_path / "fake_livestem.py"
    script.write_text(FAKE_LIVESTEM)
    return (sys.executable, str(script))


class NotedOpener(FileOpener):
    """Notes what was opened."""

    def __init__(self):
        super().__init__()
        self.paths = []

    def open(self, path):
        self.paths.append(path)


def title_of(pane):
    return QtCore.QPoint(pane.width() // 2, 8)


def test_a_double_click_on_a_title_gives_the_pane_the_window_and_esc_gives_it_back(open_window, source):
    window = open_window(source)
    panes = window.panes
    before = panes.pattern.size()
    QtTest.QTest.mouseDClick(panes.pattern, LEFT, NONE, title_of(panes.pattern))
    QtWidgets.QApplication.processEvents()
    assert panes.is_maximised
    assert not panes.cluster_map.isVisible()
    assert panes.pattern.width() > 0.95 * window.width()
    window.select(window.selection.with_node(8))
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.selection.node_id is None
    assert panes.is_maximised, "the selection goes first"
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not panes.is_maximised
    QtWidgets.QApplication.processEvents()
    assert panes.cluster_map.isVisible()
    assert abs(panes.pattern.width() - before.width()) <= 2


def test_f_maximises_the_pane_in_hand(open_window, source):
    window = open_window(source)
    window.panes.tree.setFocus()
    window.panes.table_switch.setFocus()
    QtTest.QTest.keyClick(window, Qt.Key.Key_F)
    assert window.panes.is_maximised
    QtTest.QTest.keyClick(window, Qt.Key.Key_F)
    assert not window.panes.is_maximised


def test_a_right_click_on_a_pane_offers_its_tools(open_window, source):
    window = open_window(source)
    canvas = window.panes.cluster_map.canvas
    event = QtGui.QContextMenuEvent(
        QtGui.QContextMenuEvent.Reason.Mouse, QtCore.QPoint(50, 50), canvas.mapToGlobal(QtCore.QPoint(50, 50))
    )
    QtWidgets.QApplication.sendEvent(canvas.viewport(), event)
    menu = QtWidgets.QApplication.activePopupWidget()
    assert [action.text() for action in menu.actions()] == [
        texts.MENU_COPY, texts.MENU_SAVE_PICTURE, texts.MENU_SAVE_DATA, texts.MENU_OWN_WINDOW, texts.MENU_MAXIMISE,
    ]  # fmt: skip
    menu.close()


def test_copying_a_pane_puts_its_picture_onto_the_clipboard(open_window, source):
    window = open_window(source)
    pane = window.panes.cluster_map
    window.tools.copy(pane)
    picture = QtWidgets.QApplication.clipboard().image()
    assert picture.size() == pane.size()
    place = pane.canvas.mapTo(pane, pane.canvas.screen_position(20, 40).toPoint())
    assert picture.pixelColor(place) == pane.grab().toImage().pixelColor(place)


def test_a_picture_is_saved_where_the_question_is_answered(open_window, source, tmp_path):
    window = open_window(source)
    asked = []

    def answer(_parent, title, name, then):
        asked.append((title, name))
        then(tmp_path / name)

    window.tools.ask_path = answer
    window.tools.save_picture(window.panes.pattern)
    QtTest.QTest.keyClick(window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    assert asked[0] == (texts.MENU_SAVE_PICTURE, "pattern-at-cursor.png")
    assert QtGui.QImage(str(tmp_path / "pattern-at-cursor.png")).width() == window.panes.pattern.width()
    assert asked[1][1].startswith("livestem-20")
    assert QtGui.QImage(str(tmp_path / asked[1][1])).width() == window.width()


def test_a_picture_that_cannot_be_written_is_said(open_window, source, tmp_path):
    window = open_window(source)
    window.tools.ask_path = lambda _parent, _title, name, then: then(tmp_path / "nowhere" / name)
    window.tools.save_picture(window.panes.pattern)
    window.tick()
    assert "cannot be written" in window.banner.text


def test_the_numbers_of_a_pane_are_saved_as_arrays(open_window, source, tmp_path):
    window = open_window(source)
    window.tools.ask_path = lambda _parent, _title, name, then: then(tmp_path / name)
    window.tools.save_data(window.panes.cluster_map)
    with np.load(tmp_path / "cluster-map.npz") as saved:
        assert (saved["label_maps"] == source.snapshot.values("label_maps")).all()
    window.tools.save_data(window.panes.tree_pane)
    assert (tmp_path / "hierarchy.csv").read_text() == hierarchy_csv(source.snapshot)


def test_nothing_to_save_is_said(open_window):
    window = open_window(FakeSource("waiting"))
    window.tools.save_data(window.panes.cluster_map)
    window.tick()
    assert window.banner.text.endswith(texts.NOTHING_TO_SAVE)


@pytest.mark.parametrize("phase", ["waiting", "scanning", "done"])
def test_every_pane_has_its_numbers_where_there_are_some(open_window, phase):
    source = FakeSource(phase)
    window = open_window(source)
    for slot in window.panes.slots:
        arrays = pane_arrays(slot.name, source.snapshot, window.selection)
        assert all(isinstance(values, np.ndarray) for values in arrays.values())
        if phase == "done" and slot.name not in ("tree", "tree table", "log", "stream", "stream tab"):
            assert arrays, slot.name


def test_a_pane_in_a_window_of_its_own_goes_on_and_comes_back(open_window, source):
    window = open_window(source)
    pattern = window.panes.pattern
    window.tools.show_alone(pattern)
    own = pattern.window()
    assert own is not window
    window.select(window.selection.with_node(8))
    assert pattern.title.startswith("Mean pattern of cluster 2.2"), "it follows the selection"
    own.close()
    assert pattern.window() is window
    assert window.panes.place_of(pattern) is pattern


def test_panes_come_back_when_the_window_is_closed(open_window, source):
    window = open_window(source)
    window.tools.show_alone(window.panes.tree_pane)
    window.close()
    assert window.panes.tree_pane.window() is window


def test_the_table_has_every_node_and_its_arrow_keys_select(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    table = window.panes.table
    assert table.isVisible()
    rows = table.rows
    assert [row[0] for row in rows[:3]] == ["all", "1", "1.1"]
    assert len(rows) == 11
    table.setCurrentItem(table.topLevelItem(0))
    assert window.selection.node_id == 0
    QtTest.QTest.keyClick(table, Qt.Key.Key_Down)
    QtTest.QTest.keyClick(table, Qt.Key.Key_Down)
    assert window.selection.node_id == 4
    assert table.currentItem().text(0) == "1.1"
    window.select(window.selection.with_node(8))
    assert table.currentItem().text(0) == "2.2", "it follows the selection"


def test_the_table_is_copied_as_csv(open_window, source):
    window = open_window(source)
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QtTest.QTest.keyClick(window, Qt.Key.Key_C, both)
    rows = list(csv.DictReader(io.StringIO(QtWidgets.QApplication.clipboard().text())))
    assert [row["number"] for row in rows[:4]] == ["all", "1", "1.1", "1.2"]
    assert rows[1]["parent"] == "all"
    leaves = [row for row in rows if row["level"] == "2"]
    assert sum(int(row["patterns"]) for row in leaves) == 48 * 64
    assert sum(float(row["share"]) for row in leaves) == pytest.approx(1, abs=1e-5)


def test_keys_walk_through_clusters_and_branches(open_window, source):
    window = open_window(source)
    for key, node_id in (
        (Qt.Key.Key_PageDown, 4), (Qt.Key.Key_PageDown, 5), (Qt.Key.Key_PageUp, 4), (Qt.Key.Key_PageUp, 10),
        (Qt.Key.Key_Backspace, 3), (Qt.Key.Key_Backspace, 0), (Qt.Key.Key_Backspace, 0), (Qt.Key.Key_Return, 1),
        (Qt.Key.Key_Return, 4), (Qt.Key.Key_Return, 4),
    ):  # fmt: skip
        QtTest.QTest.keyClick(window, key)
        assert window.selection.node_id == node_id


def test_single_letters_are_off_while_a_text_field_has_the_focus(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_N)
    scale = window.options.scale
    field = QtWidgets.QLineEdit(window)
    field.show()
    field.setFocus()
    QtTest.QTest.keyClicks(field, "lqtob1")
    QtTest.QTest.keyClick(field, Qt.Key.Key_Space)
    assert field.text() == "lqtob1 "
    assert window.options.scale is scale
    assert window.selection.level == 2
    field.deleteLater()


def drop(window, *paths):
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(str(path)) for path in paths])
    where = QtCore.QPoint(100, 100)
    entering = QtGui.QDragEnterEvent(where, Qt.DropAction.CopyAction, data, LEFT, NONE)
    QtWidgets.QApplication.sendEvent(window, entering)
    if entering.isAccepted():
        QtWidgets.QApplication.sendEvent(
            window, QtGui.QDropEvent(QtCore.QPointF(where), Qt.DropAction.CopyAction, data, LEFT, NONE)
        )
    return entering.isAccepted()


def test_a_dropped_file_is_opened_and_remembered(open_window, source, remembered, tmp_path):
    opener = NotedOpener()
    window = open_window(source, (1366, 768), remembered, opener)
    first, second = tmp_path / "a.result.h5", tmp_path / "b.h5"
    for path in (first, second):
        path.write_bytes(b"x")
        assert drop(window, path)
    assert opener.paths == [first, second]
    assert remembered.recent == (second, first)
    window.header.menu.aboutToShow.emit()
    recent = next(a.menu() for a in window.header.menu.actions() if a.text() == texts.MENU_RECENT)
    assert [action.text() for action in recent.actions()] == ["b.h5", "a.result.h5"]
    recent.actions()[1].trigger()
    assert opener.paths[-1] == first


def test_a_dropped_file_that_is_none_of_ours_is_said(open_window, source, tmp_path):
    opener = NotedOpener()
    window = open_window(source, (1366, 768), None, opener)
    raw = tmp_path / "scan.raw"
    raw.write_bytes(b"x")
    drop(window, raw)
    assert opener.paths == []
    assert "livestem analyze scan.raw" in window.banner.text


def test_what_the_other_window_says_when_it_fails_is_said_here(program, tmp_path, qtbot):
    opener = FileOpener(program)
    for name in ("good.h5", "broken.h5"):
        opener.open(tmp_path / name)
    said = []
    qtbot.waitUntil(lambda: said.extend(opener.failures()) or not opener.has_open, timeout=20_000)
    assert said == ["Error: this file is broken."]


@pytest.fixture
def dark_again(qapp):
    """The look of the other tests, whatever this one chooses."""
    yield
    theme.switch(qapp, Theme.DARK)


def test_sizes_layout_and_look_are_remembered(open_window, source, tmp_path, dark_again):
    path = tmp_path / "settings.ini"
    remembered = Remembered(path)
    assert remembered.theme is Theme.DARK
    window = open_window(source, (1500, 900), remembered)
    assert not remembered.restore(window), "nothing yet"
    window.panes.setSizes([700, 400, 380])
    QtWidgets.QApplication.processEvents()
    sizes = window.panes.sizes()
    window.header.menu.aboutToShow.emit()
    themes = next(a.menu() for a in window.header.menu.actions() if a.text() == texts.MENU_THEME)
    assert [action.text() for action in themes.actions()] == [texts.THEMES[theme] for theme in Theme]
    themes.actions()[1].trigger()
    assert theme.look() is theme.LIGHT, "it counts at once"
    window.close()
    again = Remembered(path)
    assert again.theme is Theme.LIGHT
    other = open_window(FakeSource("done"), (1366, 768))
    assert again.restore(other)
    QtWidgets.QApplication.processEvents()
    assert (other.width(), other.height()) == (1500, 900)
    assert other.panes.sizes() == pytest.approx(sizes, abs=3)


def test_settings_that_make_no_sense_are_passed_over(tmp_path, open_window, source):
    path = tmp_path / "settings.ini"
    (tmp_path / "settings.json").write_text('{"theme": "purple"}')
    path.write_text("[General]\nrecent=/nowhere/x.h5\ngeometry=nonsense\n")
    remembered = Remembered(path)
    assert remembered.theme is Theme.DARK
    assert remembered.recent == ()
    assert not remembered.restore(open_window(source))


def test_a_simulated_scan_is_made_and_sent_and_leaves_nothing(program, qtbot):
    scan = SimulatedScan("tcp://127.0.0.1:9999", 8, 100, program)
    folder = scan._folder.name
    seen = []
    qtbot.waitUntil(lambda: seen.append(scan.poll()) or seen[-1] is Stage.ENDED, timeout=20_000)
    assert list(dict.fromkeys(seen)) == [Stage.MAKING, Stage.SENDING, Stage.ENDED]
    assert not QtCore.QDir(folder).exists()


def test_a_simulated_scan_that_fails_is_said_on_its_button(tmp_path, qtbot):
    script = tmp_path / "fails.py"
    script.write_text("raise SystemExit(5)")
    scan = SimulatedScan("tcp://127.0.0.1:9999", 8, 100, (sys.executable, str(script)))
    qtbot.waitUntil(lambda: scan.poll() is Stage.FAILED, timeout=20_000)


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_of_a_simulated_scan_has_words(stage):
    assert texts.SIMULATE_STAGES[stage]


@pytest.mark.parametrize("theme", list(Theme))
def test_every_look_has_words(theme):
    assert texts.THEMES[theme]


def test_the_button_of_the_first_scan_starts_one_where_that_is_possible(open_window, program):
    source = FakeSource("waiting")
    window = open_window(source, (1366, 768), can_simulate=True)
    window.files._start_scan = lambda listen: SimulatedScan(listen, 8, 100, program)
    button = window.panes.cluster_map.simulate
    assert button.isVisible()
    QtTest.QTest.mouseClick(button, LEFT)
    window.tick()
    assert button.text() == texts.SIMULATE_STAGES[Stage.MAKING]
    assert not button.isEnabled()
    window.close()
    assert window.files.poll() is Stage.ENDED
    assert not open_window(source).panes.cluster_map.simulate.isVisible()
    assert not open_window(FakeSource("done"), can_simulate=True).panes.cluster_map.simulate.isVisible()


def name_of(widget):
    """What a screen reader says."""
    words = widget.text() if isinstance(widget, QtWidgets.QAbstractButton) else ""
    return widget.accessibleName() or words


@pytest.mark.parametrize("phase", ["waiting", "scanning", "done"])
def test_everything_that_takes_the_keyboard_has_a_name_for_a_screen_reader(open_window, phase):
    window = open_window(FakeSource(phase))
    window.charge.ask_for(PromptKind.SPLIT)
    window.charge.panel.show()
    nameless = {type(stop).__name__ for stop in focus_stops(window) if not name_of(stop)}
    assert nameless == set()
    for pane in window.panes.all_panes:
        assert pane.accessibleName()


def test_the_keyboard_goes_through_the_window_in_reading_order(open_window, source):
    window = open_window(source)
    places = [
        window.header,
        window.banner,
        window.in_charge.line,
        window.going_on.line,
        window.charge.panel,
        *window.panes.in_reading_order,
    ]
    known = set(focus_stops(window))
    first = focus_stops(window.header)[0]
    chain, stop = [first], first.nextInFocusChain()
    while stop is not first:
        chain.append(stop)
        stop = stop.nextInFocusChain()
    stops = [stop for stop in chain if stop in known]
    order = [
        next(i for i, place in enumerate(places) if place.isAncestorOf(stop) or place is stop)
        for stop in stops
    ]
    assert order == sorted(order)
    assert set(order) >= {0, 1, *range(5, len(places))}
