"""The whole way to the screen: engine (a fake one) -> sockets -> refresh thread -> window -> picture."""

import json
import subprocess
import sys

import pytest
from pyqtgraph.Qt import QtGui

from gui import refresh as refresh_module
from gui.presenters.snapshot import Link
from gui.reach_engine import running_engine
from gui.refresh import RefreshThread
from gui.snapshot_picture import draw_snapshot, is_loaded
from streamer.errors import EngineUnreachable
from streamer.wire import control
from tests.widgets.fake_scan import FakeScan, phases

SMALL = {"scan_shape": (40, 56)}
RUN_VIEW = "import sys; from gui.app import view_command; view_command(sys.argv[1:], standalone_mode=False)"


@pytest.fixture
def follow(monkeypatch):
    """Refresh threads that notice quickly when an engine is gone."""
    monkeypatch.setattr(refresh_module, "SILENCE_S", 0.3)
    monkeypatch.setattr(refresh_module, "ANSWER_S", 0.5)
    monkeypatch.setattr(refresh_module, "RETRY_S", 0.05)
    started = []

    def start(engine) -> RefreshThread:
        thread = RefreshThread(engine.publish, engine.control)
        thread.start()
        started.append(thread)
        return thread

    yield start
    for thread in started:
        thread.stop()
        thread.raise_if_failed()


def test_a_scan_fills_the_window_and_a_hover_brings_its_pattern(qtbot, open_window, start_engine, follow):
    parts = phases(**SMALL)
    engine = start_engine(*parts["waiting"])
    refresh = follow(engine)
    window = open_window(refresh)
    qtbot.waitUntil(lambda: "WAITING FOR STREAM" in window.header.words[0], timeout=5000)

    scan, state, arrays = parts["scanning"]
    engine.follow(scan, state, arrays)
    qtbot.waitUntil(lambda: "SCANNING" in window.header.words[0], timeout=5000)
    qtbot.waitUntil(lambda: is_loaded(refresh.latest()), timeout=5000)
    qtbot.waitUntil(lambda: window.panes.cluster_map.canvas.shown_image is not None, timeout=5000)
    assert window.panes.cluster_map.canvas.shown_image.shape == (40, 56, 4)

    window.select(window.selection.with_hover((3, 5)))
    qtbot.waitUntil(lambda: window.panes.pattern.title.startswith("Pattern at cursor"), timeout=5000)
    assert engine.asked[-1] == (3, 5)
    assert (refresh.latest().pattern.values == scan.pattern(3, 5)).all()

    engine.follow(*parts["done"])
    qtbot.waitUntil(lambda: "DONE" in window.header.words[0], timeout=5000)
    qtbot.waitUntil(lambda: window.panes.fourth.currentWidget() is window.panes.manifold_pane, timeout=5000)


def test_a_pattern_that_is_not_there_yet_is_asked_for_again(qtbot, start_engine, follow):
    scan, state, arrays = phases(share=0.2, **SMALL)["scanning"]
    engine = start_engine(scan, state, arrays)
    refresh = follow(engine)
    refresh.want_pattern((30, 5))
    qtbot.waitUntil(lambda: refresh.latest().pattern is not None, timeout=5000)
    assert "No pattern at y 30" in refresh.latest().pattern.error
    engine.follow(FakeScan(**SMALL), state, arrays)
    qtbot.waitUntil(lambda: refresh.latest().pattern.values is not None, timeout=5000)


def test_only_arrays_that_changed_are_fetched(qtbot, start_engine, follow):
    scan, state, arrays = phases(**SMALL)["done"]
    engine = start_engine(scan, state, arrays)
    refresh = follow(engine)
    qtbot.waitUntil(lambda: is_loaded(refresh.latest()), timeout=5000)
    held = dict(refresh.latest().arrays)
    newer = {**arrays, "bright_field": scan.arrays(version=2)["bright_field"]}
    engine.follow(scan, state, newer)
    qtbot.waitUntil(lambda: refresh.latest().arrays["bright_field"].version == 2, timeout=5000)
    assert refresh.latest().arrays["label_maps"] is held["label_maps"]


def test_a_command_reaches_the_engine_and_a_refusal_is_said(qtbot, open_window, start_engine, follow):
    engine = start_engine(*phases(**SMALL)["scanning"])
    engine.refusal = "Another viewer holds the right to change things."
    window = open_window(follow(engine))
    qtbot.waitUntil(lambda: "SCANNING" in window.header.words[0], timeout=5000)
    window.actions_by_name["stop"].trigger()
    qtbot.waitUntil(lambda: "Another viewer" in window.banner.text, timeout=5000)
    assert engine.commands == ["stop"]


def test_an_engine_that_goes_and_comes_back(qtbot, open_window, start_engine, follow):
    scan, state, arrays = phases(**SMALL)["scanning"]
    engine = start_engine(scan, state, arrays)
    refresh = follow(engine)
    window = open_window(refresh)
    qtbot.waitUntil(lambda: is_loaded(refresh.latest()), timeout=5000)
    qtbot.waitUntil(lambda: window.panes.cluster_map.canvas.shown_image is not None, timeout=5000)
    before = window.panes.cluster_map.canvas.shown_image.copy()
    engine.close()
    qtbot.waitUntil(lambda: "ENGINE GONE" in window.header.words[0], timeout=8000)
    assert (window.panes.cluster_map.canvas.shown_image == before).all()
    window.actions_by_name["stop"].setEnabled(True)
    window.actions_by_name["stop"].trigger()
    again = start_engine(scan, state, arrays, ports=engine.ports)
    qtbot.waitUntil(lambda: refresh.latest().link is Link.CONNECTED, timeout=8000)
    qtbot.waitUntil(lambda: "SCANNING" in window.header.words[0], timeout=5000)
    assert again.commands == [], "what was asked of an engine that was gone reaches no other"


def test_an_engine_of_another_version_is_said_and_harms_nothing(qtbot, start_engine, follow):
    scan, state, arrays = phases(**SMALL)["scanning"]
    engine = start_engine(scan, {**state, "state": "DREAMING"}, arrays)
    refresh = follow(engine)
    qtbot.waitUntil(lambda: refresh.latest().notice is not None, timeout=5000)
    assert "same version" in refresh.latest().notice.text


@pytest.mark.parametrize("version", [0, 2])
def test_an_engine_that_speaks_another_protocol_is_named_in_one_sentence(
    qtbot, start_engine, follow, monkeypatch, version
):
    engine = start_engine(*phases(**SMALL)["scanning"])
    monkeypatch.setattr("tests.widgets.fake_engine.VERSION", version)
    refresh = follow(engine)
    qtbot.waitUntil(lambda: refresh.latest().notice is not None, timeout=5000)
    assert f"speaks version {version} of the control protocol" in refresh.latest().notice.text
    with pytest.raises(EngineUnreachable, match=f"version {version} of the control protocol") as caught:
        running_engine(engine.publish, None)
    assert caught.value.exit_code == 9
    monkeypatch.setattr("tests.widgets.fake_engine.VERSION", control.VERSION)
    qtbot.waitUntil(lambda: refresh.latest().link is Link.CONNECTED, timeout=5000)


@pytest.mark.parametrize("phase", ["waiting", "scanning", "analysing", "done", "fault"])
def test_the_picture_has_something_in_every_pane(tmp_path, open_window, start_engine, follow, phase):
    engine = start_engine(*phases(**SMALL)[phase])
    refresh = follow(engine)
    window = open_window(refresh)
    path = tmp_path / "window.png"
    draw_snapshot(window, refresh.latest, path, timeout_s=10)
    picture = QtGui.QImage(str(path))
    assert (picture.width(), picture.height()) == (1600, 1000)
    panes = window.panes
    for pane in (
        panes.cluster_map,
        panes.virtual_pane,
        panes.pattern,
        panes.tiles_pane,
        panes.tree_pane,
        panes.tabs,
    ):
        corner = pane.mapTo(window, pane.rect().topLeft())
        part = picture.copy(corner.x(), corner.y() + 60, pane.width(), pane.height() - 60)
        colours = {part.pixel(x, y) for x in range(0, part.width(), 5) for y in range(0, part.height(), 2)}
        assert len(colours) > 3, f"{pane.accessibleName()} is blank while {phase}"


def test_a_picture_is_not_waited_for_for_ever(tmp_path, open_window, start_engine, follow):
    scan, state, arrays = phases(**SMALL)["done"]
    engine = start_engine(scan, state, arrays)
    engine.withheld = "label_maps"
    refresh = follow(engine)
    with pytest.raises(EngineUnreachable, match="everything"):
        draw_snapshot(open_window(refresh), refresh.latest, tmp_path / "window.png", timeout_s=0.5)


@pytest.mark.system
def test_view_draws_a_running_engine_to_a_file(tmp_path, start_engine):
    engine = start_engine(*phases(**SMALL)["done"])
    path = tmp_path / "window.png"
    command = [sys.executable, "-c", RUN_VIEW, engine.publish, "--snapshot", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(path)
    assert QtGui.QImage(str(path)).width() == 1600
    assert json.dumps(engine.commands) == "[]", "looking changes nothing"
