"""Images of bytes as Qt has them, and an item of a scene that shows one."""

from functools import cache

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui

from gui import theme


@cache
def colour_table(name: str) -> list[int]:
    """The 256 colours of a map, entry 0 for "no value"."""
    return [QtGui.qRgb(*(int(channel) for channel in entry)) for entry in theme.lookup_table(name)]


def picture_of(image: NDArray[np.uint8], colours: str) -> QtGui.QImage:
    """An image of bytes in a colour map, or RGBA as it is, in the format that Qt draws fastest."""
    height, width = image.shape[:2]
    image = np.ascontiguousarray(image)
    if image.ndim == 3:
        picture = QtGui.QImage(image.data, width, height, 4 * width, QtGui.QImage.Format.Format_RGBA8888)
        return picture.convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    picture = QtGui.QImage(image.data, width, height, width, QtGui.QImage.Format.Format_Indexed8)
    picture.setColorTable(colour_table(colours))
    # Qt does not own the bytes: the copy that is made here does.
    return picture.convertToFormat(QtGui.QImage.Format.Format_RGB32)


class PictureItem(pg.GraphicsObject):
    """One picture, a unit per pixel, from (0, 0) on. Whoever shows another one repaints the view."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QtGui.QImage()

    def set_picture(self, picture: QtGui.QImage) -> None:
        """Show this one; an empty one shows nothing."""
        if picture.size() != self._picture.size():
            self.prepareGeometryChange()
        self._picture = picture

    def boundingRect(self) -> QtCore.QRectF:
        """All of it."""
        return QtCore.QRectF(self._picture.rect())

    def paint(self, painter: QtGui.QPainter, *_: object) -> None:
        """Pixels stay squares at every zoom."""
        if not self._picture.isNull():
            painter.drawImage(self.boundingRect(), self._picture)
