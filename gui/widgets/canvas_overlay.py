"""What lies over an image, in pixels of the screen: numbers, circles, borders, scale bar, colour bar."""

from typing import Protocol

from pyqtgraph.Qt import QtCore, QtGui

from gui import theme
from gui.presenters.views import Circle, Emphasis, MapLabel, Outline
from gui.widgets.picture_item import colour_table
from streamer.look.scale_bar import ImageScale, scale_bar

MARGIN_PX = 10
BAR_SHARE = 0.3
HATCH_PX = 44
GROUND = (10, 12, 15, 190)
"""Under words, so that they are read on every image."""

Qt = QtCore.Qt


class Placed(Protocol):
    """What an overlay needs to know of the image under it."""

    @property
    def area(self) -> QtCore.QRectF:
        """All of the widget."""
        ...

    @property
    def image_area(self) -> QtCore.QRectF:
        """The part of it that the image fills."""
        ...

    def screen_position(self, y: float, x: float) -> QtCore.QPointF:
        """Where the centre of an image pixel lies."""
        ...


class Overlay:
    """Everything but what follows the mouse; painted by hand in one pass, so that text is sharp at every zoom."""

    def __init__(self, colours: str) -> None:
        self.colours = colours
        self.scale = ImageScale()
        self.ends: tuple[str, str] | None = None
        self.labels: tuple[MapLabel, ...] = ()
        self.circles: tuple[Circle, ...] = ()
        self.newest_row: int | None = None
        self.is_hatched = False
        self.words: list[QtCore.QRectF] = []
        """Boxes of numbers, scale bar and colour bar, as they were drawn last: a crosshair runs under them."""
        self._outline: Outline | None = None
        self._outline_lines: list[QtCore.QLineF] = []

    @property
    def outline(self) -> Outline | None:
        """Borders drawn as lines."""
        return self._outline

    @outline.setter
    def outline(self, outline: Outline | None) -> None:
        rows = [] if outline is None else outline.edges.tolist()
        self._outline, self._outline_lines = outline, [QtCore.QLineF(*row) for row in rows]

    def draw(self, painter: QtGui.QPainter, image: Placed) -> None:
        """Draw it all."""
        painter.setClipRect(image.image_area)
        self._draw_outline(painter, image)
        self._draw_hatch(painter, image)
        self._draw_row(painter, image)
        self._draw_circles(painter, image)
        painter.setClipping(False)
        boxes = self._label_boxes(image, painter.font())
        bars = (self._draw_scale_bar(painter, image, boxes), self._draw_ends(painter, image))
        self._draw_labels(painter, boxes)
        self.words = [*boxes, *(bar for bar in bars if bar is not None)]

    def _draw_outline(self, painter: QtGui.QPainter, image: Placed) -> None:
        if not self._outline_lines:
            return
        origin, step = image.screen_position(-0.5, -0.5), image.screen_position(0.5, 0.5)
        painter.save()
        painter.translate(origin)
        painter.scale(step.x() - origin.x(), step.y() - origin.y())
        for colour, width in ((QtGui.QColor(0, 0, 0, 130), 3.0), (QtGui.QColor("white"), 1.0)):
            pen = QtGui.QPen(colour, width)
            pen.setCosmetic(True)  # pixels of the screen whatever the zoom
            painter.setPen(pen)
            painter.drawLines(self._outline_lines)
        painter.restore()

    def _draw_hatch(self, painter: QtGui.QPainter, image: Placed) -> None:
        if not self.is_hatched:
            return
        corner = image.image_area.topRight()
        triangle = [corner, corner - QtCore.QPointF(HATCH_PX, 0), corner + QtCore.QPointF(0, HATCH_PX)]
        painter.setPen(Qt.PenStyle.NoPen)
        for brush in (
            QtGui.QBrush(QtGui.QColor(10, 12, 15, 150)),
            QtGui.QBrush(QtGui.QColor(theme.AMBER_MARK), Qt.BrushStyle.BDiagPattern),
        ):
            painter.setBrush(brush)
            painter.drawPolygon(QtGui.QPolygonF(triangle))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_row(self, painter: QtGui.QPainter, image: Placed) -> None:
        if self.newest_row is None:
            return
        y = round(image.screen_position(self.newest_row + 0.5, 0).y())
        painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1, Qt.PenStyle.DashLine))
        painter.drawLine(0, y, round(image.area.width()), y)

    def _draw_circles(self, painter: QtGui.QPainter, image: Placed) -> None:
        for circle in self.circles:
            centre = image.screen_position(*circle.centre_yx)
            edge = image.screen_position(circle.centre_yx[0], circle.centre_yx[1] + circle.radius_px)
            radius = edge.x() - centre.x()
            style = Qt.PenStyle.DotLine if circle.is_faint else Qt.PenStyle.SolidLine
            painter.setPen(QtGui.QPen(QtGui.QColor(theme.look().ring), 1, style))
            painter.drawEllipse(centre, radius, radius)

    def _draw_labels(self, painter: QtGui.QPainter, boxes: list[QtCore.QRectF]) -> None:
        painter.setFont(_bold(painter.font()))
        for label, box in zip(self.labels, boxes, strict=True):
            is_dim = label.emphasis is Emphasis.DIMMED
            painter.fillRect(box, QtGui.QColor(*GROUND[:3], 130 if is_dim else GROUND[3]))
            if label.emphasis is Emphasis.SELECTED:
                painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1))
                painter.drawRect(box)
            painter.setPen(QtGui.QColor("#B8BDC5" if is_dim else "white"))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), label.text)

    def _label_boxes(self, image: Placed, font: QtGui.QFont) -> list[QtCore.QRectF]:
        """Boxes of the labels in order, moved so that nothing of them is cut off."""
        if not self.labels:
            return []
        metrics, area = QtGui.QFontMetricsF(_bold(font)), image.area
        boxes = []
        for label in self.labels:
            box = QtCore.QRectF(0, 0, metrics.horizontalAdvance(label.text) + 8, metrics.height() + 2)
            box.moveCenter(image.screen_position(label.y - 0.5, label.x - 0.5))
            box.moveLeft(min(max(box.left(), 1.0), area.width() - box.width() - 2.0))
            box.moveTop(min(max(box.top(), 1.0), area.height() - box.height() - 2.0))
            boxes.append(box)
        return boxes

    def _draw_scale_bar(
        self, painter: QtGui.QPainter, image: Placed, labels: list[QtCore.QRectF]
    ) -> QtCore.QRectF | None:
        area = image.image_area
        zoom = image.screen_position(0, 1).x() - image.screen_position(0, 0).x()
        bar = scale_bar(self.scale, zoom, BAR_SHARE * area.width())
        if bar is None:
            return None
        length, text = bar
        metrics = painter.fontMetrics()
        width = max(length, metrics.horizontalAdvance(text)) + 12
        box = QtCore.QRectF(0, 0, width, metrics.height() + 12)
        box.moveBottomRight(area.bottomRight() - QtCore.QPointF(MARGIN_PX, MARGIN_PX))
        if any(box.intersects(label) for label in labels):
            box.moveLeft(area.left() + MARGIN_PX)
        painter.fillRect(box, QtGui.QColor(*GROUND))
        painter.setPen(QtGui.QColor("white"))
        painter.drawText(box.adjusted(0, 1, 0, -8), int(Qt.AlignmentFlag.AlignCenter), text)
        line = QtCore.QRectF(box.center().x() - length / 2, box.bottom() - 6, length, 2)
        painter.fillRect(line, QtGui.QColor("white"))
        return box

    def _draw_ends(self, painter: QtGui.QPainter, image: Placed) -> QtCore.QRectF | None:
        """A colour bar in the upper left corner, with the values of its ends."""
        if self.ends is None:
            return None
        metrics = painter.fontMetrics()
        area, height = image.image_area, 4 * metrics.height()
        if area.height() < 1.5 * height:
            return None
        wide = max(metrics.horizontalAdvance(text) for text in self.ends)
        box = QtCore.QRectF(area.left() + 4, area.top() + 4, wide + 22, height + 8)
        painter.fillRect(box, QtGui.QColor(*GROUND))
        bar = QtCore.QRectF(box.left() + 4, box.top() + 4, 8, height)
        table = colour_table(self.colours)
        gradient = QtGui.QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for step in range(9):
            gradient.setColorAt(step / 8, QtGui.QColor(table[1 + 254 * step // 8]))
        painter.fillRect(bar, gradient)
        painter.setPen(QtGui.QColor("white"))
        words = box.adjusted(16, 3, -2, -3)
        for text, side in zip(
            self.ends, (Qt.AlignmentFlag.AlignBottom, Qt.AlignmentFlag.AlignTop), strict=True
        ):
            painter.drawText(words, int(side | Qt.AlignmentFlag.AlignLeft), text)
        return box


def draw_crosshair(painter: QtGui.QPainter, image: Placed, centre: QtCore.QPointF, overlay: Overlay) -> None:
    """Two lines through a point, under the words; a dark line beside each light one shows on every colour."""
    free = QtGui.QRegion(image.image_area.toAlignedRect())
    for box in overlay.words:
        free -= QtGui.QRegion(box.toAlignedRect())
    painter.setClipRegion(free)
    area = image.area
    x, y, width, height = round(centre.x()), round(centre.y()), round(area.width()), round(area.height())
    for offset, colour in ((1, QtGui.QColor(0, 0, 0, 150)), (0, QtGui.QColor(255, 255, 255, 220))):
        painter.setPen(QtGui.QPen(colour, 1))
        painter.drawLine(0, y + offset, width, y + offset)
        painter.drawLine(x + offset, 0, x + offset, height)
    painter.setClipping(False)


def _bold(font: QtGui.QFont) -> QtGui.QFont:
    bold = QtGui.QFont(font)
    bold.setBold(True)
    return bold
