"""One image that can be zoomed and moved, with everything that is drawn over it in screen pixels."""

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.presenters.views import Circle, ImageView, KeptPixels, MapLabel, Outline
from gui.widgets.canvas_overlay import MARGIN_PX, Overlay, draw_crosshair
from gui.widgets.marking import Stroke, polygon_mask
from gui.widgets.picture_item import PictureItem, picture_of

CLICK_PX = 4

Qt = QtCore.Qt


class ImageCanvas(pg.GraphicsView):
    """An image of bytes (with a colour map) or RGBA; reports the pixel under the mouse.

    All but the crosshair and the region that is being drawn is kept as one picture: while the mouse moves over one
    image, the others have a picture and two lines to draw.
    """

    hovered = QtCore.Signal(object)
    """(y, x) of the pixel under the mouse, None when it left the image."""
    clicked = QtCore.Signal(int, int, bool)
    """y, x of a click, and whether Shift was held."""
    compared = QtCore.Signal(int, int)
    """y, x of a click with Ctrl."""
    marked = QtCore.Signal(object)
    """Mask (height, width) of a region that was drawn: Shift and drag a rectangle, Ctrl and drag a free line."""

    def __init__(self, name: str, colours: str = "gray") -> None:
        super().__init__(useOpenGL=False, background=theme.look().panel)
        self.setAccessibleName(name)
        self.setMinimumSize(80, 80)
        self._box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False, defaultPadding=0.0)
        # A repaint always takes the whole view; parts of it would be painted beside it.
        self.setViewportUpdateMode(QtWidgets.QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self._image, self._veil = PictureItem(), PictureItem()
        for item in (self._image, self._veil):
            self._box.addItem(item)
        self.setCentralItem(self._box)
        self._own_colours = colours
        self._overlay = Overlay(colours)
        self._values: NDArray[np.uint8] | None = None
        self._shown: ImageView | None = None
        self._veil_key: Hashable = None
        self._stroke: Stroke | None = None
        self.can_mark = False
        self._shape = (0, 0)
        self._hover: tuple[int, int] | None = None
        self._pressed_at: QtCore.QPoint | None = None
        self._message = ""
        self._crosshair: tuple[int, int] | None = None
        self._shows_all = True
        self._layer = QtGui.QPixmap()
        self._is_stale = True
        self._box.sigRangeChangedManually.connect(self._leave_whole_image)
        self._box.sigTransformChanged.connect(self._change)

    def set_view(self, view: ImageView) -> None:
        """Show an image, its scale bar and its crosshair; a message where there is none."""
        before, self._shown = self._shown, view
        self._crosshair = view.crosshair_yx
        if before is not None and replace(before, crosshair_yx=view.crosshair_yx) == view:
            self.viewport().update()
            return
        overlay, self._message = self._overlay, view.message
        overlay.scale, overlay.ends, overlay.colours = (
            view.scale,
            view.ends,
            view.colours or self._own_colours,
        )
        if view.image is None or before is None or view.key != before.key or view.colours != before.colours:
            self._values = view.image
            self._image.set_picture(
                QtGui.QImage() if view.image is None else picture_of(view.image, overlay.colours)
            )
            self._take_shape((0, 0) if view.image is None else view.image.shape[:2])
        self._change()

    def set_labels(self, labels: tuple[MapLabel, ...], newest_row: int | None) -> None:
        """Numbers on the map, and the row that was scanned last (None: no line)."""
        if (labels, newest_row) != (self._overlay.labels, self._overlay.newest_row):
            self._overlay.labels, self._overlay.newest_row = labels, newest_row
            self._change()

    def set_circles(self, circles: tuple[Circle, ...]) -> None:
        """Circles in image pixels."""
        if circles != self._overlay.circles:
            self._overlay.circles = circles
            self._change()

    def set_outline(self, outline: Outline | None) -> None:
        """Borders drawn as lines."""
        if outline != self._overlay.outline:
            self._overlay.outline = outline
            self._change()

    def set_veil(self, veil: KeptPixels | None) -> None:
        """Pixels painted over the image, RGBA of its shape; None: none."""
        key = None if veil is None else veil.key
        if key != self._veil_key:
            self._veil_key = key
            self._veil.set_picture(QtGui.QImage() if veil is None else picture_of(veil.image, ""))
            self._change()

    def set_hatched(self, is_hatched: bool) -> None:
        """Hatch the upper right corner: what is shown may still change."""
        if is_hatched != self._overlay.is_hatched:
            self._overlay.is_hatched = is_hatched
            self._change()

    @property
    def shown_circles(self) -> tuple[Circle, ...]:
        """The circles that are drawn."""
        return self._overlay.circles

    @property
    def shown_image(self) -> NDArray[np.uint8] | None:
        """The image as it was given, None where there is none."""
        return self._values

    def show_all(self) -> None:
        """The whole image, as large as it fits."""
        height, width = self._shape
        self._shows_all = True
        if height and width:
            self._box.setRange(QtCore.QRectF(0, 0, width, height), padding=0.0)

    def screen_position(self, y: float, x: float) -> QtCore.QPointF:
        """Where the centre of an image pixel lies in this widget."""
        # mapFromScene would round to whole pixels.
        return self.viewportTransform().map(self._box.mapViewToScene(QtCore.QPointF(x + 0.5, y + 0.5)))

    @property
    def area(self) -> QtCore.QRectF:
        """All of the widget."""
        return QtCore.QRectF(self.viewport().rect())

    @property
    def image_area(self) -> QtCore.QRectF:
        """The part of it that the image fills."""
        height, width = self._shape
        corners = self.screen_position(-0.5, -0.5), self.screen_position(height - 0.5, width - 0.5)
        return QtCore.QRectF(*corners) & self.area

    def _change(self, *_: object) -> None:
        """What is kept as a picture is another one now."""
        self._is_stale = True
        self.viewport().update()

    def _leave_whole_image(self, _: object) -> None:
        self._shows_all = False

    def _take_shape(self, shape: tuple[int, int]) -> None:
        if shape != self._shape:
            self._shape = shape
            self.show_all()

    def _pixel_at(self, point: QtCore.QPoint) -> tuple[int, int] | None:
        place = self._box.mapSceneToView(self.mapToScene(point))
        y, x = int(np.floor(place.y())), int(np.floor(place.x()))
        return (y, x) if 0 <= y < self._shape[0] and 0 <= x < self._shape[1] else None

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Report the pixel under the mouse; a region that is drawn grows."""
        if self._stroke is None:
            super().mouseMoveEvent(event)
        else:
            self._stroke.extend(event.pos())
            self.viewport().update()
        self._report_hover(self._pixel_at(event.pos()))

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        """The mouse is over nothing."""
        super().leaveEvent(event)
        self._report_hover(None)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Remember where a click may begin, or a region."""
        held = event.modifiers()
        is_free = bool(held & Qt.KeyboardModifier.ControlModifier)
        is_box = bool(held & Qt.KeyboardModifier.ShiftModifier)
        can_begin = self.can_mark and self._shape[0] > 0 and event.button() == Qt.MouseButton.LeftButton
        if can_begin and (is_free or is_box):
            self._stroke = Stroke(event.pos(), is_free=is_free)
        else:
            super().mousePressEvent(event)
        self._pressed_at = event.pos() if event.button() == Qt.MouseButton.LeftButton else None

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """Report a click that was not a drag."""
        start, self._pressed_at = self._pressed_at, None
        stroke, self._stroke = self._stroke, None
        if stroke is None:
            super().mouseReleaseEvent(event)
        elif stroke.reach_px > CLICK_PX:
            self.viewport().update()
            self.marked.emit(self._mask_of(stroke))
            return
        if start is None or (event.pos() - start).manhattanLength() > CLICK_PX:
            return
        pixel = self._pixel_at(event.pos())
        if pixel is None:
            return
        if bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier):
            self.compared.emit(*pixel)
        else:
            self.clicked.emit(*pixel, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def _mask_of(self, stroke: Stroke) -> NDArray[np.bool_]:
        corners = [self._box.mapSceneToView(self.mapToScene(point.toPoint())) for point in stroke.polygon]
        return polygon_mask(QtGui.QPolygonF(corners), self._shape)

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        """Show the whole image again."""
        super().mouseDoubleClickEvent(event)
        self.show_all()

    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:
        """Keep the whole image in view, unless the operator has zoomed."""
        super().resizeEvent(event)
        # pyqtgraph resizes once from its own constructor, before there is anything to show.
        if getattr(self, "_shows_all", False):
            self.show_all()

    def changeEvent(self, event: QtCore.QEvent) -> None:
        """Words over the image follow the font."""
        super().changeEvent(event)
        if event.type() in (QtCore.QEvent.Type.FontChange, QtCore.QEvent.Type.StyleChange) and hasattr(
            self, "_layer"
        ):
            self._change()

    def _report_hover(self, pixel: tuple[int, int] | None) -> None:
        if pixel != self._hover:
            self._hover = pixel
            self.hovered.emit(pixel)

    def follow_look(self) -> None:
        """Take the colours in use."""
        self.setBackground(theme.look().panel)
        self._is_stale = True
        self.viewport().update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Paint the kept picture, and over it what follows the mouse."""
        ratio, size = self.devicePixelRatioF(), self.viewport().size()
        if self._layer.size() != size * ratio:
            self._layer = QtGui.QPixmap(size * ratio)
            self._layer.setDevicePixelRatio(ratio)
            self._is_stale = True
        if self._is_stale:
            self._is_stale = False
            self._layer.fill(QtGui.QColor(theme.look().panel))
            painter = QtGui.QPainter(self._layer)
            self.render(painter, self.area, self.viewport().rect())
            painter.end()
        painter = QtGui.QPainter(self.viewport())
        painter.drawPixmap(0, 0, self._layer)
        if self._crosshair is not None and self._shape[0]:
            draw_crosshair(painter, self, self.screen_position(*self._crosshair), self._overlay)
        if self._stroke is not None:
            self._stroke.draw(painter)
        painter.end()

    def drawForeground(self, painter: QtGui.QPainter, rect: QtCore.QRectF) -> None:
        """Paint what lies over the image, in screen pixels."""
        painter.save()
        painter.resetTransform()
        painter.setFont(self.font())
        if self._message:
            painter.setPen(QtGui.QColor(theme.look().text_dim))
            words = self.area.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            painter.drawText(
                words, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._message
            )
        if self._shape[0]:
            self._overlay.draw(painter, self)
        painter.restore()
