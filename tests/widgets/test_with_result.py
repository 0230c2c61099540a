"""The window on a real `livestem serve --result` process: what is asked is done, shown, undone and saved."""

import os
import signal

import numpy as np
import pytest
from pyqtgraph.Qt import QtCore, QtTest, QtWidgets

from gui import refresh as refresh_module
from gui.engine_process import EngineProcess
from gui.presenters.snapshot import Link, Request
from gui.refresh import RefreshThread
from gui.snapshot_picture import is_loaded
from streamer import analyze, open_result, open_scan
from streamer.analysis.result_file import write_result
from streamer.settings import analysis_settings
from tests.simulated import simulate
from tests.widgets.test_charge import drag
from tests.widgets.test_window import click

pytestmark = pytest.mark.system
Qt = QtCore.Qt
SHAPE = (30, 36)
SETTINGS = analysis_settings({"cluster": {"levels": 2}, "lattice": {"enabled": False}})


@pytest.fixture(scope="module")
def result_path(tmp_path_factory):
    scan = simulate(tmp_path_factory.mktemp("scan"), SHAPE)
    with open_scan(scan.raw) as opened:
        return write_result(analyze(opened, SETTINGS), scan.raw.with_name("scan.result.h5"))


@pytest.fixture(scope="module")
def served(result_path):
    """The engine's process, for all tests of this file; each leaves it as it found it."""
    free = "tcp://127.0.0.1:*"
    with EngineProcess(["--result", str(result_path), "--publish", free, "--control", free]) as engine:
        yield engine, engine.wait_ready()
        assert engine.release(wait_s=60)


@pytest.fixture
def window(served, open_window, qtbot):
    refresh = RefreshThread(served[1].publish, served[1].control, served[0].exit_code)
    refresh.start()
    shown = open_window(refresh)
    qtbot.waitUntil(lambda: is_loaded(refresh.latest()), timeout=20000)
    yield shown
    shown.close()
    refresh.stop()
    refresh.raise_if_failed()


def status(window):
    return window.source.latest().status


def names(window):
    return {node.name for node in status(window).tree}


def settled(window, qtbot, condition):
    """Wait until the engine has done it and nothing is under way."""
    qtbot.waitUntil(
        lambda: condition() and not window.source.latest().n_waiting and is_loaded(window.source.latest()),
        timeout=30000,
    )
    window.tick()


def node_id(window, name):
    return next(node.id for node in status(window).tree if node.name == name)


def test_split_rename_hide_undo_redo_and_save(window, qtbot, result_path):
    before = window.panes.cluster_map.canvas.shown_image.copy()
    window.select(window.selection.with_node(node_id(window, "1")))
    QtTest.QTest.keyClick(window, Qt.Key.Key_S)
    prompt = window.panes.hierarchy.prompt
    prompt.number.setValue(3)
    settled(window, qtbot, lambda: len(window.panes.elbow.controls.titles[2].full_text) > 0)
    QtTest.QTest.keyClick(prompt.number, Qt.Key.Key_Return)
    settled(window, qtbot, lambda: {"1.1", "1.2", "1.3"} <= names(window))
    qtbot.waitUntil(
        lambda: not np.array_equal(window.panes.cluster_map.canvas.shown_image, before), timeout=5000
    )
    window.select(window.selection.with_node(node_id(window, "1.3")))
    QtTest.QTest.keyClick(window, Qt.Key.Key_R)
    QtTest.QTest.keyClicks(prompt.text, "film")
    QtTest.QTest.keyClick(prompt.text, Qt.Key.Key_Return)
    settled(window, qtbot, lambda: any(node.title == "film" for node in status(window).tree))
    window.actions_by_name["hide"].trigger()
    settled(window, qtbot, lambda: any(node.hidden for node in status(window).tree))
    window.actions_by_name["save_result"].trigger()
    settled(window, qtbot, lambda: "Saved as" in window.panes.hierarchy.lines[1])
    saved = open_result(result_path.with_name("scan.edited.result.h5"))
    assert [edit["edit"] for edit in saved.attrs["settings"]["edits"]] == ["split", "rename", "hide"]
    records = saved.attrs["overrides"]
    assert records[0]["manual"]["k"] == 3
    assert records[0]["time"]
    for left in (2, 1, 0):
        QtTest.QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        settled(window, qtbot, lambda left=left: status(window).edits.n_undo == left)
    assert "1.3" not in names(window)
    qtbot.waitUntil(lambda: np.array_equal(window.panes.cluster_map.canvas.shown_image, before), timeout=5000)


def test_a_ring_is_dragged_is_stale_until_analyse_and_goes_back_to_auto(window, qtbot):
    rings = window.panes.rings
    QtWidgets.QApplication.processEvents()
    inner = status(window).in_force["inner_px"]
    drag(rings.plot.viewport(), rings.ring_point(inner, 0.9), rings.ring_point(inner + 6, 0.9))
    settled(window, qtbot, lambda: "inner_px" in status(window).manual)
    assert status(window).stale == ("features", "hierarchy", "patterns", "manifold")
    assert status(window).in_force["inner_px"] == inner, "nothing is recomputed behind the operator's back"
    assert window.header.words[2].startswith("Stale: features, hierarchy")
    settled(window, qtbot, lambda: "kept" in rings.controls.effect.full_text)
    QtTest.QTest.keyClick(window, Qt.Key.Key_F6)
    settled(window, qtbot, lambda: not status(window).stale)
    assert status(window).in_force["inner_px"] == pytest.approx(inner + 6, abs=0.7)
    QtTest.QTest.mouseClick(rings.controls.automatic, Qt.MouseButton.LeftButton)
    settled(window, qtbot, lambda: bool(status(window).stale) and not status(window).manual)
    window.actions_by_name["analyze"].trigger()
    settled(window, qtbot, lambda: not status(window).stale)
    assert status(window).in_force["inner_px"] == inner


def test_a_region_has_its_mean_pattern_and_is_analysed_alone(window, qtbot):
    region = np.zeros(SHAPE, bool)
    region[3:20, 5:28] = True
    window.select(window.selection.with_region(region))
    settled(window, qtbot, lambda: window.panes.pattern.title.startswith("Mean of 391 marked"))
    QtTest.QTest.keyClick(window, Qt.Key.Key_F7)
    settled(
        window,
        qtbot,
        lambda: (window.source.latest().values("label_maps")[0] >= 0).sum() == region.sum(),
    )
    window.actions_by_name["undo"].trigger()
    settled(window, qtbot, lambda: (window.source.latest().values("label_maps")[0] >= 0).all())


def test_a_click_on_a_spot_shows_its_dark_field(window, qtbot):
    n_before = len(window.panes.virtual.canvases)
    click(window.panes.pattern.canvas, 64, 90)
    settled(window, qtbot, lambda: "virtual" in status(window).manual)
    settled(window, qtbot, lambda: window.panes.virtual.canvases[-1].shown_image is not None)
    assert len(window.panes.virtual.canvases) == n_before + 1
    assert status(window).stale == ("virtual",)
    window.actions_by_name["clear_spots"].trigger()
    settled(window, qtbot, lambda: "virtual" not in status(window).manual)


def test_what_is_refused_is_said_on_the_banner(window, qtbot):
    window.source.ask(Request("merge", {"nodes": ["1", "9"]}))
    qtbot.waitUntil(lambda: "no node 9" in window.banner.text, timeout=5000)


def test_an_engine_that_is_killed_leaves_everything_shown_and_is_found_again(
    result_path, open_window, qtbot, monkeypatch
):
    for name, seconds in (("SILENCE_S", 0.3), ("ANSWER_S", 0.5), ("RETRY_S", 0.05)):
        monkeypatch.setattr(refresh_module, name, seconds)
    free = "tcp://127.0.0.1:*"
    arguments = ["--result", str(result_path), "--publish"]
    engine = EngineProcess([*arguments, free, "--control", free])
    ends = engine.wait_ready()
    refresh = RefreshThread(ends.publish, ends.control)
    refresh.start()
    window = open_window(refresh)
    try:
        qtbot.waitUntil(lambda: is_loaded(refresh.latest()), timeout=20000)
        qtbot.waitUntil(lambda: window.panes.cluster_map.canvas.shown_image is not None, timeout=5000)
        before = window.panes.cluster_map.canvas.shown_image.copy()
        os.kill(engine.pid, signal.SIGKILL)
        qtbot.waitUntil(lambda: "ENGINE GONE" in window.header.words[0], timeout=10000)
        assert np.array_equal(window.panes.cluster_map.canvas.shown_image, before)
        assert not window.actions_by_name["split"].isEnabled()
        assert "does not answer" in window.panes.hierarchy.lines[1]
        engine.release(wait_s=60)
        engine = EngineProcess([*arguments, ends.publish, "--control", ends.control])
        engine.wait_ready()
        qtbot.waitUntil(lambda: refresh.latest().link is Link.CONNECTED, timeout=10000)
        qtbot.waitUntil(lambda: "DONE" in window.header.words[0], timeout=5000)
    finally:
        window.close()
        refresh.stop()
        engine.release(wait_s=60)
