"""One person's way through the window, with mouse and keys alone: engine, sender and analysis are real processes."""

import pytest
from pyqtgraph.Qt import QtCore, QtGui, QtTest, QtWidgets

from gui.engine_process import EngineProcess
from gui.errors_shown import ErrorReports
from gui.main_window import MainWindow
from gui.presenters.charge import ring_of
from gui.refresh import RefreshThread
from gui.simulated_scan import SimulatedScan
from gui.snapshot_picture import is_loaded
from streamer.model import EngineState
from tests.widgets.test_charge import drag
from tests.widgets.test_window import click, rgb_at

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
Qt = QtCore.Qt
CTRL = Qt.KeyboardModifier.ControlModifier
FREE = "tcp://127.0.0.1:*"
SIZE, RATE_HZ = 36, 400


@pytest.fixture
def engine(tmp_path):
    """An engine that records, as `livestem monitor` starts it."""
    arguments = ["--listen", FREE, "--publish", FREE, "--control", FREE, "--record", str(tmp_path / "scans")]
    with EngineProcess(arguments) as running:
        ends = running.wait_ready()
        yield running, ends
        assert running.release(wait_s=60)


@pytest.fixture
def window(engine, qtbot, monkeypatch):
    """The dashboard on it; its simulated scan is a small one."""
    running, ends = engine
    refresh = RefreshThread(ends.publish, ends.control, running.exit_code)
    refresh.start()
    shown = MainWindow(refresh, ErrorReports(), can_simulate=True)
    monkeypatch.setattr(
        shown.files, "_start_scan", lambda listen: SimulatedScan(listen, size=SIZE, rate_hz=RATE_HZ)
    )
    shown.resize(1366, 768)
    with qtbot.waitExposed(shown):
        shown.show()
    yield shown
    shown.close()
    shown.files.close()
    refresh.stop()
    shown.deleteLater()


def status(window):
    return window.source.latest().status


def wait(window, qtbot, condition, seconds=60):
    qtbot.waitUntil(condition, timeout=1000 * seconds)
    window.tick()
    QtWidgets.QApplication.processEvents()


def node(window, name):
    return next(node for node in status(window).tree if node.name == name)


def place_of(window, node_id):
    """A position of a cluster, away from its border."""
    labels = window.source.latest().values("label_maps")[window.selection.level - 1]
    for y in range(1, labels.shape[0] - 1):
        for x in range(1, labels.shape[1] - 1):
            if (labels[y - 1 : y + 2, x - 1 : x + 2] == node_id).all():
                return y, x
    raise AssertionError(f"cluster {node_id} has no inside")


def test_from_a_first_scan_to_a_saved_picture(window, qtbot, tmp_path):
    # Start with the simulated scan.
    wait(window, qtbot, lambda: status(window).state is EngineState.LISTENING)
    button = window.panes.cluster_map.simulate
    wait(window, qtbot, button.isVisible)
    QtTest.QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    # Watch: it fills in, and clusters appear while it runs.
    wait(window, qtbot, lambda: status(window).state is EngineState.RUNNING)
    wait(window, qtbot, lambda: window.source.latest().values("label_maps") is not None)
    assert "SCANNING" in window.header.words[0]
    assert not window.actions_by_name["split"].isEnabled()

    # Override the ring, during the scan; it is followed live.
    wait(window, qtbot, lambda: status(window).in_force.get("inner_px") is not None)
    wait(window, qtbot, lambda: window.source.latest().values("radial_std") is not None)
    rings = window.panes.rings
    QtWidgets.QApplication.processEvents()
    inner = ring_of(status(window), window.charge.draft)[0]
    drag(rings.plot.viewport(), rings.ring_point(inner, 0.9), rings.ring_point(inner + 4, 0.9))
    wait(window, qtbot, lambda: "inner_px" in status(window).manual)
    by_hand = status(window).manual["inner_px"]
    assert by_hand == pytest.approx(inner + 4, abs=1.0)

    # The scan ends, its analysis follows with that ring.
    wait(window, qtbot, lambda: status(window).shows == "final", seconds=120)
    wait(window, qtbot, lambda: is_loaded(window.source.latest()))
    assert status(window).in_force["inner_px"] == by_hand
    assert status(window).stale == ()

    # Split a cluster: click it on the map, S, a number, Enter.
    QtTest.QTest.keyClick(window, Qt.Key.Key_1)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    largest = max((entry for entry in status(window).tree if entry.level == 1), key=lambda e: e.n_patterns)
    click(window.panes.cluster_map.canvas, *place_of(window, largest.id))
    assert window.selection.node_id == largest.id
    QtTest.QTest.keyClick(window, Qt.Key.Key_S)
    prompt = window.panes.hierarchy.prompt
    assert prompt.isVisible()
    k = largest.k + 1 if largest.k > 1 else 3
    prompt.number.selectAll()
    QtTest.QTest.keyClicks(prompt.number, str(k))
    QtTest.QTest.keyClick(prompt.number, Qt.Key.Key_Return)
    wait(window, qtbot, lambda: node(window, largest.name).k == k)
    wait(window, qtbot, lambda: is_loaded(window.source.latest()))
    assert status(window).edits.undo_text == f"split {largest.name} into {k}"

    # Look at its pattern.
    QtTest.QTest.keyClick(window, Qt.Key.Key_2)
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    first, second = (node(window, f"{largest.name}.{number}") for number in (1, 2))
    tree = window.panes.tree
    QtTest.QTest.mouseClick(tree, Qt.MouseButton.LeftButton, pos=tree.node_position(first.id))
    assert window.panes.pattern.title.startswith(f"Mean pattern of cluster {first.name}")
    assert max(rgb_at(window.panes.pattern.canvas, 64, 64)) > 150, "the direct beam is bright"

    # Compare it with its sister.
    QtTest.QTest.mouseClick(tree, Qt.MouseButton.LeftButton, CTRL, tree.node_position(second.id))
    assert window.selection.compared_id == second.id
    assert window.panes.pattern.compared.isVisible()
    assert window.panes.pattern.difference.shown_image is not None

    # Undo.
    QtTest.QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    wait(window, qtbot, lambda: node(window, largest.name).k == largest.k)
    assert status(window).edits.n_redo == 1

    # Save the picture.
    target = tmp_path / "picture.png"
    QtTest.QTest.keyClick(window, Qt.Key.Key_P, CTRL)
    dialog = window.findChild(QtWidgets.QFileDialog)
    field = dialog.findChild(QtWidgets.QLineEdit, "fileNameEdit")
    field.selectAll()
    QtTest.QTest.keyClicks(field, str(target))
    QtTest.QTest.keyClick(field, Qt.Key.Key_Return)
    wait(window, qtbot, target.exists)
    picture = QtGui.QImage(str(target))
    assert picture.width() >= 1366
    colours = {
        picture.pixel(x, y) for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 5)
    }
    assert len(colours) > 100
    assert window.errors.newest() is None
