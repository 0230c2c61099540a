"""One image that can be zoomed and moved, with everything that is drawn over it in screen pixels."""

from collections.abc import Hashable

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.presenters.views import Circle, Emphasis, ImageView, KeptPixels, MapLabel, Outline
from gui.widgets.marking import Stroke, polygon_mask
from streamer.look.scale_bar import ImageScale, scale_bar

CLICK_PX = 4
MARGIN_PX = 10
BAR_SHARE = 0.3
HATCH_PX = 44

Qt = QtCore.Qt


class ImageCanvas(pg.GraphicsView):
    """An image of bytes (with a lookup table) or RGBA; reports the pixel under the mouse.

    Labels, circles, crosshair, scale bar and message are painted over it by hand: one pass, no scene items,
    and text that stays sharp at every zoom.
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
        # All repaints go through the scene's queue and take the whole view: updating the viewport as well, or
        # parts of it, paints twice.
        self.setViewportUpdateMode(QtWidgets.QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self._image = pg.ImageItem(autoDownsample=False)
        self._box.addItem(self._image)
        self._veil = pg.ImageItem(autoDownsample=False)
        self._veil.setVisible(False)
        self._box.addItem(self._veil)
        self._veil_key: Hashable = None
        self.setCentralItem(self._box)
        self._own_colours = colours
        self._tables = {colours: theme.lookup_table(colours)}
        self._colours = colours
        self._ends: tuple[str, str] | None = None
        self._stroke: Stroke | None = None
        self.can_mark = False
        self._key: Hashable = None
        self._shape = (0, 0)
        self._hover: tuple[int, int] | None = None
        self._pressed_at: QtCore.QPoint | None = None
        self._scale = ImageScale()
        self._message = ""
        self._crosshair: tuple[int, int] | None = None
        self._labels: tuple[MapLabel, ...] = ()
        self._circles: tuple[Circle, ...] = ()
        self._row: int | None = None
        self._is_hatched = False
        self._outlined: Outline | None = None
        self._outline_lines: list[QtCore.QLineF] = []
        self._shows_all = True
        self._box.sigRangeChangedManually.connect(self._leave_whole_image)

    def set_view(self, view: ImageView) -> None:
        """Show an image, its scale bar and its crosshair; a message where there is none."""
        self._scale, self._message, self._crosshair = view.scale, view.message, view.crosshair_yx
        self._ends = view.ends
        self._colours = view.colours or self._own_colours
        if self._colours not in self._tables:
            self._tables[self._colours] = theme.lookup_table(self._colours)
        if view.image is None:
            self._image.clear()
            self._shape, self._key = (0, 0), None
        elif view.key != self._key:
            self._key = view.key
            self._paint_image(view.image)
        self._box.update()

    def set_labels(self, labels: tuple[MapLabel, ...], newest_row: int | None) -> None:
        """Numbers on the map, and the row that was scanned last (None: no line)."""
        self._labels, self._row = labels, newest_row
        self._box.update()

    def set_circles(self, circles: tuple[Circle, ...]) -> None:
        """Circles in image pixels."""
        self._circles = circles
        self._box.update()

    def set_outline(self, outline: Outline | None) -> None:
        """Borders drawn as lines."""
        if outline != self._outlined:
            rows = [] if outline is None else outline.edges.tolist()
            self._outline_lines = [QtCore.QLineF(*row) for row in rows]
        self._outlined = outline
        self._box.update()

    def set_veil(self, veil: KeptPixels | None) -> None:
        """Pixels painted over the image, RGBA of its shape; None: none."""
        key = None if veil is None else veil.key
        if key == self._veil_key:
            return
        self._veil_key = key
        self._veil.setVisible(veil is not None)
        if veil is not None:
            self._veil.setImage(veil.image, autoLevels=False, levels=None, lut=None)
        self._box.update()

    def set_hatched(self, is_hatched: bool) -> None:
        """Hatch the upper right corner: what is shown may still change."""
        self._is_hatched = is_hatched
        self._box.update()

    @property
    def shown_circles(self) -> tuple[Circle, ...]:
        """The circles that are drawn."""
        return self._circles

    @property
    def shown_image(self) -> NDArray[np.uint8] | None:
        """The image as it was given, None where there is none."""
        return self._image.image

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

    def _leave_whole_image(self, _: object) -> None:
        self._shows_all = False

    def _paint_image(self, image: NDArray[np.uint8]) -> None:
        if image.ndim == 3:
            self._image.setImage(image, autoLevels=False, levels=None, lut=None)
        else:
            self._image.setImage(image, autoLevels=False, levels=None, lut=self._tables[self._colours])
        if image.shape[:2] != self._shape:
            self._shape = image.shape[:2]
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
            self._box.update()
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
            self._box.update()
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

    def _report_hover(self, pixel: tuple[int, int] | None) -> None:
        if pixel != self._hover:
            self._hover = pixel
            self.hovered.emit(pixel)

    def drawForeground(self, painter: QtGui.QPainter, rect: QtCore.QRectF) -> None:
        """Paint what lies over the image, in screen pixels."""
        painter.save()
        painter.resetTransform()
        if self._message:
            painter.setPen(QtGui.QColor(theme.look().text_dim))
            area = self.viewport().rect().adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            painter.drawText(
                area, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._message
            )
        if self._shape[0]:
            painter.setClipRect(self._image_rect())
            self._draw_outline(painter)
            self._draw_hatch(painter)
            self._draw_row(painter)
            self._draw_crosshair(painter)
            self._draw_circles(painter)
            painter.setClipping(False)
            self._draw_scale_bar(painter)
            self._draw_ends(painter)
            self._draw_labels(painter)
        if self._stroke is not None:
            self._stroke.draw(painter)
        painter.restore()

    def _image_rect(self) -> QtCore.QRectF:
        height, width = self._shape
        corners = self.screen_position(-0.5, -0.5), self.screen_position(height - 0.5, width - 0.5)
        return QtCore.QRectF(*corners) & QtCore.QRectF(self.viewport().rect())

    def _draw_outline(self, painter: QtGui.QPainter) -> None:
        if not self._outline_lines:
            return
        origin, step = self.screen_position(-0.5, -0.5), self.screen_position(0.5, 0.5)
        painter.save()
        painter.translate(origin)
        painter.scale(step.x() - origin.x(), step.y() - origin.y())
        for colour, width in ((QtGui.QColor(0, 0, 0, 130), 3.0), (QtGui.QColor("white"), 1.0)):
            pen = QtGui.QPen(colour, width)
            pen.setCosmetic(True)  # pixels of the screen whatever the zoom
            painter.setPen(pen)
            painter.drawLines(self._outline_lines)
        painter.restore()

    def _draw_hatch(self, painter: QtGui.QPainter) -> None:
        if not self._is_hatched:
            return
        corner = self._image_rect().topRight()
        triangle = [corner, corner - QtCore.QPointF(HATCH_PX, 0), corner + QtCore.QPointF(0, HATCH_PX)]
        painter.setPen(Qt.PenStyle.NoPen)
        for brush in (
            QtGui.QBrush(QtGui.QColor(10, 12, 15, 150)),
            QtGui.QBrush(QtGui.QColor(theme.AMBER_MARK), Qt.BrushStyle.BDiagPattern),
        ):
            painter.setBrush(brush)
            painter.drawPolygon(QtGui.QPolygonF(triangle))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_row(self, painter: QtGui.QPainter) -> None:
        if self._row is None:
            return
        y = round(self.screen_position(self._row + 0.5, 0).y())
        painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1, Qt.PenStyle.DashLine))
        painter.drawLine(0, y, self.width(), y)

    def _draw_crosshair(self, painter: QtGui.QPainter) -> None:
        if self._crosshair is None:
            return
        centre = self.screen_position(*self._crosshair)
        x, y = round(centre.x()), round(centre.y())
        # A dark line beside the light one: it shows on every cluster colour.
        for offset, colour in ((1, QtGui.QColor(0, 0, 0, 150)), (0, QtGui.QColor(255, 255, 255, 220))):
            painter.setPen(QtGui.QPen(colour, 1))
            painter.drawLine(0, y + offset, self.width(), y + offset)
            painter.drawLine(x + offset, 0, x + offset, self.height())

    def _draw_circles(self, painter: QtGui.QPainter) -> None:
        for circle in self._circles:
            centre = self.screen_position(*circle.centre_yx)
            edge = self.screen_position(circle.centre_yx[0], circle.centre_yx[1] + circle.radius_px)
            radius = edge.x() - centre.x()
            style = Qt.PenStyle.DotLine if circle.is_faint else Qt.PenStyle.SolidLine
            painter.setPen(QtGui.QPen(QtGui.QColor(theme.look().ring), 1, style))
            painter.drawEllipse(centre, radius, radius)

    def _draw_labels(self, painter: QtGui.QPainter) -> None:
        painter.setFont(self._label_font())
        for label, box in zip(self._labels, self._label_boxes(), strict=True):
            is_dim = label.emphasis is Emphasis.DIMMED
            painter.fillRect(box, QtGui.QColor(10, 12, 15, 130 if is_dim else 190))
            if label.emphasis is Emphasis.SELECTED:
                painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1))
                painter.drawRect(box)
            painter.setPen(QtGui.QColor("#B8BDC5" if is_dim else "white"))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), label.text)

    def _label_font(self) -> QtGui.QFont:
        font = QtGui.QFont(self.font())
        font.setBold(True)
        return font

    def _label_boxes(self) -> list[QtCore.QRectF]:
        """Boxes of the labels in order, moved so that nothing of them is cut off."""
        metrics = QtGui.QFontMetricsF(self._label_font())
        boxes = []
        for label in self._labels:
            box = QtCore.QRectF(0, 0, metrics.horizontalAdvance(label.text) + 8, metrics.height() + 2)
            box.moveCenter(self.screen_position(label.y - 0.5, label.x - 0.5))
            box.moveLeft(min(max(box.left(), 1.0), self.width() - box.width() - 2.0))
            box.moveTop(min(max(box.top(), 1.0), self.height() - box.height() - 2.0))
            boxes.append(box)
        return boxes

    def _draw_scale_bar(self, painter: QtGui.QPainter) -> None:
        area = self._image_rect()
        zoom = self.screen_position(0, 1).x() - self.screen_position(0, 0).x()
        bar = scale_bar(self._scale, zoom, BAR_SHARE * area.width())
        if bar is None:
            return
        length, text = bar
        metrics = painter.fontMetrics()
        width = max(length, metrics.horizontalAdvance(text)) + 12
        box = QtCore.QRectF(0, 0, width, metrics.height() + 12)
        box.moveBottomRight(area.bottomRight() - QtCore.QPointF(MARGIN_PX, MARGIN_PX))
        if any(box.intersects(label) for label in self._label_boxes()):
            box.moveLeft(area.left() + MARGIN_PX)
        painter.fillRect(box, QtGui.QColor(10, 12, 15, 190))
        painter.setPen(QtGui.QColor("white"))
        painter.drawText(box.adjusted(0, 1, 0, -8), int(Qt.AlignmentFlag.AlignCenter), text)
        line = QtCore.QRectF(box.center().x() - length / 2, box.bottom() - 6, length, 2)
        painter.fillRect(line, QtGui.QColor("white"))

    def _draw_ends(self, painter: QtGui.QPainter) -> None:
        """A colour bar in the upper left corner, with the values of its ends."""
        if self._ends is None:
            return
        metrics = painter.fontMetrics()
        area, height = self._image_rect(), 4 * metrics.height()
        if area.height() < 1.5 * height:
            return
        wide = max(metrics.horizontalAdvance(text) for text in self._ends)
        box = QtCore.QRectF(area.left() + 4, area.top() + 4, wide + 22, height + 8)
        painter.fillRect(box, QtGui.QColor(10, 12, 15, 190))
        bar = QtCore.QRectF(box.left() + 4, box.top() + 4, 8, height)
        table = self._tables[self._colours]
        gradient = QtGui.QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for step in range(9):
            gradient.setColorAt(step / 8, QtGui.QColor(*(int(part) for part in table[1 + 254 * step // 8])))
        painter.fillRect(bar, gradient)
        painter.setPen(QtGui.QColor("white"))
        words = box.adjusted(16, 3, -2, -3)
        for text, side in zip(
            self._ends, (Qt.AlignmentFlag.AlignBottom, Qt.AlignmentFlag.AlignTop), strict=True
        ):
            painter.drawText(words, int(side | Qt.AlignmentFlag.AlignLeft), text)
