"""The manifold pane: picking, turning, zooming and marking with the mouse."""

import numpy as np
import pytest
from pyqtgraph.Qt import QtCore, QtGui, QtTest, QtWidgets

from tests.widgets.mouse import NONE, SHIFT, drag, send

Qt = QtCore.Qt


@pytest.fixture
def window(open_window, source):
    return open_window(source)


@pytest.fixture
def canvas(window):
    return window.panes.manifold


def seen_point(window, canvas):
    """A point that is on top where it is drawn, and its scan position."""
    row, column = np.argwhere(canvas.point_ids >= 0)[37]
    number = int(canvas.point_ids[row, column])
    index = int(source_of(window).values("manifold_index")[number])
    return QtCore.QPoint(int(column), int(row)), divmod(index, 64)


def source_of(window):
    return window._source.latest()


def test_hovering_a_point_hovers_its_position(window, canvas):
    point, position_yx = seen_point(window, canvas)
    send(canvas, QtCore.QEvent.Type.MouseMove, point)
    assert window.selection.hover_yx == position_yx
    marker = canvas._view.marker
    where = canvas.screen_position(marker)
    assert abs(where.x() - point.x()) <= 3
    assert abs(where.y() - point.y()) <= 3
    ring = canvas.grab().toImage().pixelColor(round(where.x()) + 6, round(where.y()))
    assert ring.lightness() > 150, "a white ring around the point"


def test_a_click_on_a_point_selects_its_cluster(window, canvas):
    point, position_yx = seen_point(window, canvas)
    QtTest.QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, NONE, point)
    assert window.selection.node_id == source_of(window).values("label_maps")[1][position_yx]


def test_a_drag_turns_and_selects_nothing(window, canvas):
    before, picture = canvas.turn.copy(), canvas.grab().toImage()
    drag(canvas, [QtCore.QPoint(50, 50), QtCore.QPoint(70, 55), QtCore.QPoint(110, 60)])
    assert np.abs(canvas.turn - before).max() > 0.1
    assert np.allclose(canvas.turn @ canvas.turn.T, np.eye(3), atol=1e-5), "a turn and nothing else"
    assert window.selection.node_id is None
    assert canvas.grab().toImage() != picture
    QtTest.QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, NONE, QtCore.QPoint(5, 5))
    assert np.allclose(canvas.turn, before, atol=1e-6)


def test_the_wheel_zooms(window, canvas):
    n_before = int((canvas.point_ids >= 0).sum())
    event = QtGui.QWheelEvent(
        QtCore.QPointF(20, 20), QtCore.QPointF(20, 20), QtCore.QPoint(), QtCore.QPoint(0, -600),
        Qt.MouseButton.NoButton, NONE, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QtWidgets.QApplication.sendEvent(canvas, event)
    assert canvas.zoom < 0.5
    assert int((canvas.point_ids >= 0).sum()) < n_before, "smaller: points cover each other"


def test_shift_and_drag_marks_the_positions_of_the_points_inside(window, canvas):
    right, bottom = canvas.width() - 1, canvas.height() - 1
    half = right // 2
    corners = [(0, 0), (half, 0), (half, bottom), (0, bottom)]
    drag(canvas, [QtCore.QPoint(*corner) for corner in corners], SHIFT)
    region = window.selection.region
    numbers = np.arange(len(source_of(window).values("manifold")))
    index = source_of(window).values("manifold_index")
    for number in numbers[::97]:
        x = canvas.screen_position(int(number)).x()
        if abs(x - half) > 2:
            assert region.flat[index[number]] == (x < half)
