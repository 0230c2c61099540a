"""Pane F: points in three dimensions. Drag turns, wheel zooms, click selects, Shift and drag marks a region."""

import math

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.kernels.splat import shade_points, splat_points
from gui.presenters import texts
from gui.presenters.views import ManifoldView
from gui.widgets.marking import Stroke, polygon_mask

CLICK_PX = 4
REACH_PX = 4
"""A click takes the nearest point within this distance."""
RADIANS_PER_PX = 0.01
FILL = 0.45
"""Pixels per unit at zoom 1, as a share of the shorter side."""
MOST_WHILE_TURNING = 200_000
START_TURN = np.array([[0.87, 0.0, 0.5], [0.17, 0.94, -0.29], [-0.47, 0.34, 0.81]], np.float32)
"""A little from above and from the side: all three axes are seen."""

Qt = QtCore.Qt


class ManifoldCanvas(QtWidgets.QWidget):
    """Paints the points itself; what lies under the mouse is read from the buffer of point numbers."""

    hovered = QtCore.Signal(object)
    """(y, x) of the scan position of the point under the mouse, None for none."""
    clicked = QtCore.Signal(int, int, bool)
    """y, x of the scan position of a clicked point, and whether Shift was held."""
    marked = QtCore.Signal(object)
    """Mask (scan_y, scan_x) of the points inside a region that was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(texts.MANIFOLD_TITLE)
        self.setToolTip(texts.MANIFOLD_TIP)
        self.setMinimumSize(120, 80)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._view = ManifoldView(None)
        self._turn, self._zoom = START_TURN.copy(), 1.0
        self._drawn: object = None
        self._depth = np.empty((0, 0), np.float32)
        self._ids = np.empty((0, 0), np.int32)
        self._picture = np.empty((0, 0, 4), np.uint8)
        self._drag_from: QtCore.QPoint | None = None
        self._pressed_at: QtCore.QPoint | None = None
        self._stroke: Stroke | None = None
        self._hover: tuple[int, int] | None = None

    def set_view(self, view: ManifoldView) -> None:
        """Show these points."""
        self._view = view
        self.update()

    @property
    def point_ids(self) -> NDArray[np.int32]:
        """Number of the point that is seen at each pixel, -1 for none; (height, width) in device pixels."""
        self._draw()
        return self._ids

    @property
    def turn(self) -> NDArray[np.float32]:
        """The directions to the right, up and towards the eye, as rows."""
        return self._turn

    @property
    def zoom(self) -> float:
        """1 where all points are in view."""
        return self._zoom

    def turn_by(self, right_px: float, down_px: float) -> None:
        """Turn as a drag by so many pixels does."""
        across, along = RADIANS_PER_PX * right_px, RADIANS_PER_PX * down_px
        cos_a, sin_a, cos_b, sin_b = math.cos(across), math.sin(across), math.cos(along), math.sin(along)
        about_up = np.array([[cos_a, 0, sin_a], [0, 1, 0], [-sin_a, 0, cos_a]])
        about_right = np.array([[1, 0, 0], [0, cos_b, -sin_b], [0, sin_b, cos_b]])
        turned = about_right @ about_up @ self._turn.astype(np.float64)
        # Rows stay of unit length and at right angles however long one turns.
        left, _, right = np.linalg.svd(turned)
        self._turn = np.ascontiguousarray(left @ right, np.float32)
        self.update()

    def reset(self) -> None:
        """As at first."""
        self._turn, self._zoom = START_TURN.copy(), 1.0
        self.update()

    def screen_position(self, number: int) -> QtCore.QPointF:
        """Where a point is drawn."""
        cloud = self._view.cloud
        if cloud is None:
            return QtCore.QPointF()
        x, y = self._project(cloud.points[number : number + 1])[0] / self.devicePixelRatioF()
        return QtCore.QPointF(float(x), float(y))

    def _px_per_unit(self, width: int, height: int) -> float:
        return FILL * min(width, height) * self._zoom

    def _project(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = self._ids.shape
        right_up = points @ self._turn[:2].T
        return np.array([width / 2, height / 2]) + self._px_per_unit(width, height) * right_up * (1, -1)

    def _draw(self) -> None:
        """Fill the buffers, where anything has changed since the last time."""
        ratio = self.devicePixelRatioF()
        shape = (max(1, round(self.height() * ratio)), max(1, round(self.width() * ratio)))
        key = (self._view.key, shape, self._turn.tobytes(), self._zoom, self._drag_from is None)
        cloud = self._view.cloud
        if cloud is None or key == self._drawn:
            return
        self._drawn = key
        if self._ids.shape != shape:
            self._depth, self._ids = np.empty(shape, np.float32), np.empty(shape, np.int32)
            self._picture = np.empty((*shape, 4), np.uint8)
        # Very many points are thinned while they are turned; numbers then count the thinned ones.
        step = -(-len(cloud.points) // MOST_WHILE_TURNING) if self._drag_from is not None else 1
        points, rows, rank = cloud.points[::step], cloud.rows[::step], cloud.rank
        spread = max(1, round((2 if len(points) > 20_000 else 3) * ratio))
        scale = self._px_per_unit(shape[1], shape[0])
        splat_points(points, rows, rank, self._turn, scale, spread, self._depth, self._ids)
        ground = np.array(QtGui.QColor(theme.look().pattern_ground).getRgb()[:3], np.uint8)
        shade_points(self._ids, self._depth, rows, rank, cloud.colours, ground, self._picture)

    def _position_at(self, point: QtCore.QPoint) -> tuple[int, int] | None:
        cloud = self._view.cloud
        if cloud is None or self._drag_from is not None:
            return None
        self._draw()
        ratio = self.devicePixelRatioF()
        x, y, reach = int(point.x() * ratio), int(point.y() * ratio), max(1, int(REACH_PX * ratio))
        top, left = max(y - reach, 0), max(x - reach, 0)
        near = np.argwhere(self._ids[top : y + reach + 1, left : x + reach + 1] >= 0)
        if not len(near):
            return None
        row, column = near[np.abs(near - (y - top, x - left)).sum(axis=1).argmin()]
        index = int(cloud.scan_index[self._ids[top + row, left + column]])
        return divmod(index, cloud.scan_shape[1])

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Begin to turn, or to mark a region."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._pressed_at = event.pos()
        marks = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier
        if event.modifiers() & marks:
            self._stroke = Stroke(event.pos(), is_free=True)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Turn while the button is down, otherwise report what is under the mouse."""
        if self._stroke is not None:
            self._stroke.extend(event.pos())
            self.update()
            return
        if self._pressed_at is not None:
            if self._drag_from is None and not self._is_click(event.pos()):
                self._drag_from = self._pressed_at
            if self._drag_from is not None:
                moved, self._drag_from = event.pos() - self._drag_from, event.pos()
                self.turn_by(moved.x(), moved.y())
            return
        self._report_hover(self._position_at(event.pos()))

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """End a turn or a region; a click selects."""
        was_drag, self._drag_from = self._drag_from is not None, None
        pressed, self._pressed_at = self._pressed_at, None
        stroke, self._stroke = self._stroke, None
        self.update()
        if stroke is not None and stroke.reach_px > CLICK_PX:
            self._mark(stroke)
        elif pressed is not None and not was_drag and (found := self._position_at(event.pos())):
            self.clicked.emit(*found, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        """As at first."""
        self.reset()

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        """Zoom."""
        self._zoom = min(max(self._zoom * 1.0015 ** event.angleDelta().y(), 0.2), 40.0)
        self.update()
        event.accept()

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        """The mouse is over nothing."""
        super().leaveEvent(event)
        self._report_hover(None)

    def _is_click(self, point: QtCore.QPoint) -> bool:
        return self._pressed_at is not None and (point - self._pressed_at).manhattanLength() <= CLICK_PX

    def _mark(self, stroke: Stroke) -> None:
        cloud = self._view.cloud
        if cloud is None:
            return
        self._draw()
        ratio = self.devicePixelRatioF()
        grown = QtGui.QTransform.fromScale(ratio, ratio).map(stroke.polygon)
        inside = polygon_mask(grown, self._ids.shape)
        x, y = np.floor(self._project(cloud.points)).astype(np.int64).T
        height, width = inside.shape
        seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        seen[seen] = inside[y[seen], x[seen]]
        mask = np.zeros(cloud.scan_shape, np.bool_)
        mask.ravel()[cloud.scan_index[seen]] = True
        self.marked.emit(mask)

    def _report_hover(self, position_yx: tuple[int, int] | None) -> None:
        if position_yx != self._hover:
            self._hover = position_yx
            self.hovered.emit(position_yx)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Paint the points, and over them the marker and the region that is being drawn."""
        painter = QtGui.QPainter(self)
        if self._view.cloud is None:
            painter.fillRect(self.rect(), QtGui.QColor(theme.look().panel))
            painter.setPen(QtGui.QColor(theme.look().text_dim))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self._view.message)
            painter.end()
            return
        self._draw()
        height, width = self._ids.shape
        picture = QtGui.QImage(self._picture.data, width, height, 4 * width, QtGui.QImage.Format.Format_RGB32)
        painter.drawImage(self.rect(), picture)
        if self._view.marker is not None:
            self._paint_marker(painter, self.screen_position(self._view.marker))
        if self._stroke is not None:
            self._stroke.draw(painter)
        painter.end()

    def _paint_marker(self, painter: QtGui.QPainter, centre: QtCore.QPointF) -> None:
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QtGui.QColor(0, 0, 0, 200), 4), (QtGui.QColor("white"), 2)):
            painter.setPen(QtGui.QPen(colour, width))
            painter.drawEllipse(centre, 6.0, 6.0)
