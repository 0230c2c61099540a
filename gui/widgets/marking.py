"""Regions drawn with the mouse: the outline while it is drawn, and the mask that it becomes."""

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui


class Stroke:
    """Points of a rectangle or a free line, in pixels of the widget."""

    def __init__(self, start: QtCore.QPoint, *, is_free: bool) -> None:
        self._start, self._is_free = start, is_free
        self._points = [start]

    def extend(self, point: QtCore.QPoint) -> None:
        """The mouse has moved on."""
        if self._is_free:
            self._points.append(point)
        else:
            start = self._start
            corners = QtCore.QPoint(point.x(), start.y()), point, QtCore.QPoint(start.x(), point.y())
            self._points = [start, *corners]

    @property
    def polygon(self) -> QtGui.QPolygonF:
        """Corners in pixels of the widget."""
        return QtGui.QPolygonF([QtCore.QPointF(point) for point in self._points])

    @property
    def reach_px(self) -> int:
        """Longer side of what it spans: a click spans next to nothing."""
        box = self.polygon.boundingRect()
        return int(max(box.width(), box.height()))

    def draw(self, painter: QtGui.QPainter) -> None:
        """Show it, light with a dark line beside, so that it is seen on every colour."""
        painter.setBrush(QtCore.Qt.BrushStyle.NoBrush)
        for colour, width in ((QtGui.QColor(0, 0, 0, 160), 3), (QtGui.QColor("white"), 1)):
            painter.setPen(QtGui.QPen(colour, width))
            painter.drawPolygon(self.polygon)


def polygon_mask(polygon: QtGui.QPolygonF, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels (height, width) whose centre lies inside; pixel (y, x) spans x..x+1, y..y+1."""
    height, width = shape
    canvas = QtGui.QImage(width, height, QtGui.QImage.Format.Format_Grayscale8)
    canvas.fill(0)
    painter = QtGui.QPainter(canvas)
    painter.setPen(QtCore.Qt.PenStyle.NoPen)
    painter.setBrush(QtGui.QColor("white"))
    painter.drawPolygon(polygon)
    painter.end()
    bits = canvas.constBits()
    bits.setsize(canvas.byteCount())
    rows = np.frombuffer(bytes(bits), np.uint8).reshape(height, canvas.bytesPerLine())
    return rows[:, :width] > 127
