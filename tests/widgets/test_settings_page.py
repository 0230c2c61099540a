"""The settings page, keys that are changed in it, looks that count at once, and the offer to go on."""

from dataclasses import replace

import pytest
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.actions import ACTIONS
from gui.going_on import CONTINUE, NOT_NOW, GoingOn
from gui.presenters import texts
from gui.presenters.selection import Selection, ViewOptions
from gui.remembered import Remembered
from gui.session_keeper import SessionKeeper
from gui.theme import Theme
from tests.widgets.fake_source import FakeSource

Key, MOUSE = QtCore.Qt.Key, QtCore.Qt.MouseButton.LeftButton
SCAN_ID = "3f2b8c1e-0000-4000-8000-000000000001"


@pytest.fixture
def dark_again(qapp):
    yield
    theme.switch(qapp, Theme.DARK)


def of_scan(source, scan_id=SCAN_ID):
    status = source.snapshot.status
    source.change(status=replace(status, scan=replace(status.scan, scan_id=scan_id)))
    return source


def page_of(window):
    window.actions_by_name["settings"].trigger()
    return window.settings.dialog


def give(page, action, *pressed):
    page.keys_form.choose(action)
    page.keys_form.field.setKeySequence(QtGui.QKeySequence(*pressed))
    page.keys_form.buttons[texts.KEY_GIVE].click()


def test_settings_are_filled_in_validated_and_kept(qtbot, open_window, source, remembered, dark_again):
    window = open_window(source, (1366, 768), remembered)
    page = page_of(window)
    page.analysis_form.set_text("mask.threshold", "7")
    page.window_form.set_text("name", "anna")
    page.apply.click()
    assert "'mask.threshold' has the value '7'" in page.said
    assert page.tabs.currentWidget() is page.analysis_form
    assert remembered.store.window.name == "", "all of it or nothing"
    page.analysis_form.set_text("mask.threshold", "0.4")
    page.window_form.set_text("theme", "light")
    page.apply.click()
    assert page.said == texts.SETTINGS_KEPT
    assert theme.look() is theme.LIGHT
    again = Remembered(remembered.store.folder / "settings.ini")
    assert (again.theme, again.store.window.name, again.store.analysis.mask.threshold) == (
        Theme.LIGHT,
        "anna",
        0.4,
    )
    page.close()
    qtbot.waitUntil(lambda: window.settings.dialog is None)
    assert page_of(window).analysis_form.texts()["mask.threshold"] == "0.4"


def test_a_key_is_given_counts_at_once_and_is_listed_by_f1(qtbot, open_window, source, remembered):
    window = open_window(source, (1366, 768), remembered)
    page = page_of(window)
    give(page, "level_1", Key.Key_S)
    assert "'Split'" in page.said
    assert "'Level 1'" in page.said
    assert window.actions_by_name["level_1"].shortcut().toString() == "1"
    give(page, "level_1", Key.Key_F9)
    assert page.said == texts.SETTINGS_KEPT
    tips = [button.toolTip() for button in window.panes.findChildren(QtWidgets.QAbstractButton)]
    assert texts.LABELS_TIP in tips
    give(page, "labels", Key.Key_F10)
    tips = [button.toolTip() for button in window.panes.findChildren(QtWidgets.QAbstractButton)]
    assert texts.LABELS_TIP.replace("(T)", "(F10)") in tips
    QtWidgets.QApplication.setActiveWindow(window)
    qtbot.keyClick(window, Key.Key_1)
    assert window.selection.level == 2, "the old key is free"
    qtbot.keyClick(window, Key.Key_F9)
    assert window.selection.level == 1
    window.actions_by_name["keys"].trigger()
    (listed,) = (
        dialog.table for dialog in window.findChildren(QtWidgets.QDialog) if hasattr(dialog, "table")
    )
    row = next(n for n, spec in enumerate(ACTIONS) if spec.name == "level_1")
    assert listed.item(row, 0).text() == "F9"
    listed.window().close()

    other = open_window(FakeSource("done"), (1366, 768), Remembered(remembered.store.folder / "settings.ini"))
    assert other.actions_by_name["level_1"].shortcut().toString() == "F9", "kept for the next window"
    tips = [button.toolTip() for button in other.panes.findChildren(QtWidgets.QAbstractButton)]
    assert texts.LABELS_TIP.replace("(T)", "(F10)") in tips
    page.keys_form.choose("level_1")
    page.keys_form.buttons[texts.KEY_FIRST].click()
    assert window.actions_by_name["level_1"].shortcut().toString() == "1"
    page.keys_form.buttons[texts.KEY_NONE].click()
    assert window.actions_by_name["level_1"].shortcuts() == []
    page.keys_form.buttons[texts.KEYS_FIRST].click()
    assert remembered.store.window.shortcuts == {}


def test_broken_settings_are_said_in_the_window(open_window, source, tmp_path):
    (tmp_path / "settings.json").write_text("{")
    window = open_window(source, (1366, 768), Remembered(tmp_path / "settings.ini"))
    assert "settings.json cannot be used" in window.banner.text


def test_another_look_counts_at_once_everywhere(open_window, source, dark_again):
    window = open_window(source)
    before = window.grab().toImage()
    window.settings.set_theme(Theme.LIGHT)
    window.tick()
    fresh = open_window(FakeSource("done"))
    assert window.grab().toImage() != before
    for canvas in ("cluster_map", "pattern"):
        ground = getattr(window.panes, canvas).canvas.backgroundBrush().color().name()
        assert ground.upper() == theme.LIGHT.panel, canvas
    for chart in ("rings", "elbow"):
        switched, made = getattr(window.panes, chart), getattr(fresh.panes, chart)
        assert switched._curve.opts["pen"] == made._curve.opts["pen"]
        axes = [chart.plot.getAxis("left").textPen().color().name() for chart in (switched, made)]
        assert axes == [theme.LIGHT.text_dim.lower()] * 2


def test_the_look_of_the_system_is_followed_live_while_it_is_chosen(
    qapp, open_window, source, monkeypatch, dark_again
):
    is_light = [False]
    monkeypatch.setattr(theme, "system_is_light", lambda app: is_light[0])
    window = open_window(source)

    def system_changes():
        is_light[0] = not is_light[0]
        qapp.sendEvent(window.windowHandle(), QtCore.QEvent(theme.THEME_CHANGE))

    system_changes()
    assert theme.look() is theme.DARK, "dark was chosen"
    window.settings.set_theme(Theme.SYSTEM)
    assert theme.look() is theme.LIGHT
    system_changes()
    assert theme.look() is theme.DARK


def test_the_colours_of_the_system_are_seen_behind_our_own(qapp, dark_again):
    theme.apply(qapp, Theme.DARK)
    assert theme.system_is_light(qapp), "Qt's own palette where no desktop says otherwise"


def test_a_scan_is_gone_on_with_where_it_was_left(qtbot, open_window, source, tmp_path):
    first = open_window(of_scan(source), (1366, 768), Remembered(tmp_path / "settings.ini"))
    assert first.going_on.line.text == ""
    node = source.snapshot.status.tree[2]
    first.select(Selection(level=1, node_id=node.id))
    first.close()

    again = open_window(of_scan(FakeSource("done")), (1366, 768), Remembered(tmp_path / "settings.ini"))
    assert "where you were?" in again.going_on.line.text
    qtbot.mouseClick(again.going_on.line.button(CONTINUE), MOUSE)
    assert (again.selection.level, again.selection.node_id) == (1, node.id)
    assert again.going_on.line.text == ""


class Goes:
    """A window that notes where it is sent."""

    def __init__(self):
        self.looked, self.opened = [], []

    def look_at(self, selection, options):
        self.looked.append((selection.level, selection.node_id))

    def go_on_with(self, path):
        self.opened.append(path)


@pytest.fixture
def go(qtbot, tmp_path):
    """Another window's session in the same folder: offers what the ones before have left."""

    def start(source, **options):
        going = GoingOn(Goes(), SessionKeeper(tmp_path / "sessions"), **options)
        qtbot.addWidget(going.line)
        going.follow(source.latest(), Selection(), ViewOptions())
        return going

    return start


def test_an_offer_that_is_not_taken_goes_and_the_session_stays_until_somebody_works(go, source, tmp_path):
    of_scan(source)
    first = go(source)
    first.follow(source.latest(), Selection(level=1), ViewOptions())
    first.close()
    kept = tmp_path / "sessions" / f"{SCAN_ID}.json"
    before = kept.read_text()

    second = go(source)
    assert second.line.text
    second.close()
    assert kept.read_text() == before, "looked in and left: nothing is lost"
    third = go(source)
    third.follow(source.latest(), Selection(level=3), ViewOptions())
    assert third.line.text == "", "who works needs no offer"
    fourth = go(source)
    fourth.line.button(NOT_NOW).click()
    assert fourth.line.text == ""
    fourth.follow(source.latest(), Selection(), ViewOptions())
    fourth.close()
    assert kept.read_text() != before


def test_it_is_gone_on_unasked_where_the_command_says_so_and_in_no_other_scan(go, source):
    of_scan(source)
    node = source.snapshot.status.tree[2]
    first = go(source)
    first.follow(source.latest(), Selection(level=1, node_id=node.id), ViewOptions())
    first.close()
    assert go(source, at_once=True)._window.looked == [(1, node.id)]
    other = go(of_scan(source, SCAN_ID[:-1] + "2"), at_once=True)
    assert (other._window.looked, other.line.text) == ([], "")


def test_while_there_is_no_scan_the_last_file_is_offered(go, tmp_path):
    recording = tmp_path / "20261126-101500_3f2b8c1e.h5"
    recording.write_bytes(b"x")
    running = of_scan(FakeSource("scanning"))
    running.change(status=replace(running.snapshot.status, recording=str(recording)))
    go(running).close()
    waiting = go(FakeSource("waiting"))
    assert waiting.line.text.startswith(f"Continue {recording.name} (")
    assert "received)?" in waiting.line.text
    waiting.line.button(CONTINUE).click()
    assert waiting._window.opened == [recording]
    recording.unlink()
    assert go(FakeSource("waiting")).line.text == "", "the file is gone"


def test_a_broken_session_is_a_sentence(open_window, source, tmp_path):
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / f"{SCAN_ID}.json").write_text("{")
    window = open_window(of_scan(source), (1366, 768), Remembered(tmp_path / "settings.ini"))
    assert "It was put aside" in window.banner.text
    assert window.going_on.line.text == ""
