"""Pictures of clusters side by side, each in a frame of its colour with number and size (pane D, k-space)."""

import math

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.presenters.views import Emphasis, TilesView, TileView
from gui.widgets.picture_item import picture_of

LINE_PX = 16
SMALLEST_PX = 80
GAP_PX = 6

Qt = QtCore.Qt


class TileGrid(QtWidgets.QScrollArea):
    """As many columns as make the tiles largest; a scroll bar where they would get too small."""

    node_clicked = QtCore.Signal(int)
    node_compared = QtCore.Signal(int)

    def __init__(self, name: str, colours: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._sheet = _Sheet(colours)
        self._sheet.node_clicked.connect(self.node_clicked)
        self._sheet.node_compared.connect(self.node_compared)
        self.setWidget(self._sheet)

    def set_view(self, view: TilesView) -> None:
        """Show these tiles."""
        self._sheet.set_view(view)

    def tile_centre(self, node_id: int) -> QtCore.QPoint:
        """Where the tile of a node lies in the sheet of tiles."""
        return self._sheet.tile_rect(node_id).center().toPoint()

    @property
    def sheet(self) -> QtWidgets.QWidget:
        """The widget that the tiles are painted on."""
        return self._sheet


class _Sheet(QtWidgets.QWidget):
    """Paints all tiles itself: a widget and an image item for each would cost more than the whole window."""

    node_clicked = QtCore.Signal(int)
    node_compared = QtCore.Signal(int)

    def __init__(self, colours: str) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self._colours = colours
        self._view = TilesView()
        self._caption_px = 0
        self._pictures: dict[int, tuple[object, QtGui.QImage]] = {}

    def set_view(self, view: TilesView) -> None:
        pictures = {}
        for tile in view.tiles:
            if tile.image is None:
                continue
            held = self._pictures.get(tile.node_id)
            kept = held is not None and held[0] == tile.key
            pictures[tile.node_id] = held if kept else (tile.key, picture_of(tile.image, self._colours))
        self._pictures, self._view = pictures, view
        columns = max(1, (self.width() + GAP_PX) // (SMALLEST_PX + GAP_PX))
        rows = -(-len(view.tiles) // columns)
        self._caption_px = theme.scaled_px(LINE_PX) * (1 + any(tile.caption for tile in view.tiles)) + 4
        self.setMinimumHeight(rows * (SMALLEST_PX + self._caption_px + GAP_PX))
        self.update()

    def tile_rect(self, node_id: int) -> QtCore.QRectF:
        """The frame of a node's tile; an empty one where it is not shown."""
        for tile, rect in zip(self._view.tiles, self._rects(), strict=True):
            if tile.node_id == node_id:
                return rect
        return QtCore.QRectF()

    def _rects(self) -> list[QtCore.QRectF]:
        """Frames of all tiles, in the number of columns in which they are largest."""
        n_tiles = len(self._view.tiles)
        if not n_tiles:
            return []
        side, columns = max((self._side(columns), columns) for columns in range(1, n_tiles + 1))
        cell_width = min((self.width() - GAP_PX) / columns - GAP_PX, 1.35 * side)
        rows = math.ceil(n_tiles / columns)
        cell_height = min((self.height() - GAP_PX) / rows - GAP_PX, side + 6 + self._caption_px)
        left = (self.width() - columns * (cell_width + GAP_PX) + GAP_PX) / 2
        rects = []
        for index in range(n_tiles):
            row, column = divmod(index, columns)
            place = left + column * (cell_width + GAP_PX), GAP_PX / 2 + row * (cell_height + GAP_PX)
            rects.append(QtCore.QRectF(*place, cell_width, cell_height))
        return rects

    def _side(self, columns: int) -> float:
        rows = math.ceil(len(self._view.tiles) / columns)
        across = (self.width() - GAP_PX) / columns - GAP_PX
        down = (self.height() - GAP_PX) / rows - GAP_PX - self._caption_px
        return min(across, down)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtGui.QColor(theme.look().panel))
        if not self._view.tiles:
            painter.setPen(QtGui.QColor(theme.look().text_dim))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self._view.message)
        for tile, rect in zip(self._view.tiles, self._rects(), strict=True):
            self._paint_tile(painter, tile, rect)
        painter.end()

    def _paint_tile(self, painter: QtGui.QPainter, tile: TileView, rect: QtCore.QRectF) -> None:
        is_dim = tile.emphasis is Emphasis.DIMMED
        stands_out = tile.emphasis in (Emphasis.SELECTED, Emphasis.HOVERED)
        painter.setOpacity(0.45 if is_dim else 1.0)
        colour = QtGui.QColor(*tile.colour)
        painter.fillRect(rect, QtGui.QColor(theme.look().tile))
        held = self._pictures.get(tile.node_id)
        if held is not None:
            area = rect.adjusted(3, 3, -3, -self._caption_px - 1)
            size = QtCore.QSizeF(held[1].size())
            size.scale(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QtCore.QRectF(QtCore.QPointF(0, 0), size)
            place.moveCenter(area.center())
            painter.drawImage(place, held[1])
        inset = 1.5 if stands_out else 1.0
        painter.setPen(QtGui.QPen(colour, 4 if stands_out else 2))
        painter.drawRect(rect.adjusted(inset, inset, -inset, -inset))
        if tile.emphasis is Emphasis.SELECTED:
            painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1))
            painter.drawRect(rect.adjusted(-1, -1, 1, 1))
        painter.setOpacity(1.0)
        self._paint_caption(painter, tile, rect)

    def _paint_caption(self, painter: QtGui.QPainter, tile: TileView, rect: QtCore.QRectF) -> None:
        """Number and share in one line, the number of members below it, where they fit."""
        line_px = theme.scaled_px(LINE_PX)
        line = QtCore.QRectF(rect.left() + 6, rect.bottom() - self._caption_px, rect.width() - 12, line_px)
        right = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        left = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        font = self.font()
        font.setPixelSize(theme.scaled_px(theme.SMALL_PX))
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QtGui.QColor(theme.look().text))
        painter.drawText(line, left, tile.name)
        font.setBold(False)
        painter.setFont(font)
        painter.drawText(line, right, tile.share)
        painter.setPen(QtGui.QColor(theme.look().text_dim))
        caption = painter.fontMetrics().elidedText(
            tile.caption, Qt.TextElideMode.ElideRight, int(line.width())
        )
        painter.drawText(line.translated(0, line_px), left, caption)

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """A click on a tile selects its cluster; with Ctrl it is compared."""
        has_ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        chosen = self.node_compared if has_ctrl else self.node_clicked
        for tile, rect in zip(self._view.tiles, self._rects(), strict=True):
            if rect.contains(QtCore.QPointF(event.pos())):
                chosen.emit(tile.node_id)
                return
