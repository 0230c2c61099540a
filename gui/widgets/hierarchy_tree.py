"""Pane E: the hierarchy as a tree of coloured nodes, each with its number and size."""

import itertools

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.presenters.views import Emphasis, TreeNodeView, TreeView

MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 14, 16, 40
RADIUS = 7
CAPTION_PX = 34
REACH_PX = 18
TIGHT_PX = 10
"""Size of a name that would not fit otherwise."""

Qt = QtCore.Qt


class HierarchyTree(QtWidgets.QWidget):
    """Click a node to select its branch."""

    node_clicked = QtCore.Signal(int)
    node_dropped = QtCore.Signal(int, int)
    """A node was dragged onto another."""
    node_compared = QtCore.Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setMinimumSize(160, 64)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._view = TreeView()
        self._pressed: int | None = None

    def set_view(self, view: TreeView) -> None:
        """Show this tree."""
        self._view = view
        self.update()

    @property
    def shown_view(self) -> TreeView:
        """The tree that is shown."""
        return self._view

    def node_position(self, node_id: int) -> QtCore.QPoint:
        """Where a node is drawn; (0, 0) where it is not."""
        for node in self._view.nodes:
            if node.node_id == node_id:
                return self._place(node.x, node.y).toPoint()
        return QtCore.QPoint()

    def _place(self, x: float, y: float) -> QtCore.QPointF:
        width = self.width() - 2 * MARGIN_X
        height = self.height() - MARGIN_TOP - theme.scaled_px(MARGIN_BOTTOM)
        return QtCore.QPointF(MARGIN_X + x * width, MARGIN_TOP + y * height)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Remember which node a drag may begin at."""
        self._pressed = self._node_near(QtCore.QPointF(event.pos()))

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """Select the nearest node within reach; with Ctrl it is compared; a node dragged onto another is dropped."""
        node = self._node_near(QtCore.QPointF(event.pos()))
        pressed, self._pressed = self._pressed, None
        if node is None:
            return
        if pressed is not None and pressed != node:
            self.node_dropped.emit(pressed, node)
            return
        has_ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        (self.node_compared if has_ctrl else self.node_clicked).emit(node)

    def _node_near(self, point: QtCore.QPointF) -> int | None:
        near = [
            ((self._place(node.x, node.y) - point).manhattanLength(), node.node_id)
            for node in self._view.nodes
        ]
        return min(near)[1] if near and min(near)[0] <= REACH_PX else None

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Paint branches, then nodes over them."""
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtGui.QColor(theme.look().panel))
        if not self._view.nodes:
            painter.setPen(QtGui.QColor(theme.look().text_dim))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self._view.message)
        if self.hasFocus():
            painter.setPen(QtGui.QColor(theme.look().curve))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        self._paint_cut(painter)
        for node in self._view.nodes:
            self._paint_branch(painter, node)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        for node in self._view.nodes:
            self._paint_node(painter, node)
        painter.end()

    def _paint_cut(self, painter: QtGui.QPainter) -> None:
        """A faint band at the level that the map shows."""
        if self._view.level_y is not None:
            y = self._place(0, self._view.level_y).y()
            band = QtCore.QRectF(2, y - RADIUS - 5, self.width() - 4, 2 * RADIUS + 10)
            painter.fillRect(band, QtGui.QColor(theme.look().band_faint))

    def _paint_branch(self, painter: QtGui.QPainter, node: TreeNodeView) -> None:
        if node.parent_xy is None:
            return
        child, parent = self._place(node.x, node.y), self._place(*node.parent_xy)
        # The branch begins below the parent's caption, so that no line runs through text.
        caption = theme.scaled_px(CAPTION_PX)
        room = caption if self._row_height() > 2 * RADIUS + caption + 8 else caption / 2
        start_y = min(parent.y() + RADIUS + room, child.y() - RADIUS - 8)
        step_y = (start_y + child.y() - RADIUS) / 2
        lit = node.emphasis in (Emphasis.SELECTED, Emphasis.HOVERED)
        painter.setPen(QtGui.QPen(QtGui.QColor(theme.look().text if lit else theme.look().branch), 1))
        for start, end in (
            (QtCore.QPointF(parent.x(), step_y), QtCore.QPointF(child.x(), step_y)),
            (QtCore.QPointF(child.x(), step_y), child),
            (QtCore.QPointF(parent.x(), start_y), QtCore.QPointF(parent.x(), step_y)),
        ):
            painter.drawLine(start.toPoint(), end.toPoint())

    def _paint_node(self, painter: QtGui.QPainter, node: TreeNodeView) -> None:
        centre = self._place(node.x, node.y)
        colour = QtGui.QColor(*node.colour)
        if node.emphasis is Emphasis.DIMMED:
            colour.setAlphaF(0.4)
        ring = QtGui.QColor(theme.look().text) if node.emphasis is not Emphasis.NORMAL else colour
        if node.emphasis is Emphasis.DIMMED:
            ring = colour
        painter.setBrush(QtGui.QColor(theme.look().panel))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(centre, RADIUS + 3, RADIUS + 3)
        painter.setBrush(colour)
        painter.setPen(QtGui.QPen(ring, 2 if node.emphasis is not Emphasis.NORMAL else 1))
        painter.drawEllipse(centre, RADIUS, RADIUS)
        self._paint_caption(painter, node, centre)

    def _paint_caption(self, painter: QtGui.QPainter, node: TreeNodeView, centre: QtCore.QPointF) -> None:
        font = self.font()
        font.setPixelSize(theme.scaled_px(theme.SMALL_PX))
        font.setBold(True)
        painter.setFont(font)
        metrics = QtGui.QFontMetrics(font)
        width = self._room(node)
        if QtGui.QFontMetrics(font).horizontalAdvance(node.name) > width:
            font.setPixelSize(theme.scaled_px(TIGHT_PX))
            painter.setFont(font)
            metrics = QtGui.QFontMetrics(font)
        height = metrics.height()
        has_counts = self._row_height() > 2 * RADIUS + 2 * height + 8
        box = QtCore.QRectF(centre.x() - width / 2, centre.y() + RADIUS + 2, width, height)
        painter.setPen(QtGui.QColor(theme.look().text))
        flags = int(Qt.AlignmentFlag.AlignHCenter)
        painter.drawText(box, flags, metrics.elidedText(node.name, Qt.TextElideMode.ElideRight, int(width)))
        font.setBold(False)
        painter.setFont(font)
        if has_counts and QtGui.QFontMetrics(font).horizontalAdvance(node.caption) <= width:
            painter.setPen(QtGui.QColor(theme.look().text_dim))
            painter.drawText(box.translated(0, height - 1), flags, node.caption)
        if node.share_marked is not None:
            self._paint_share(painter, node.share_marked, centre)

    def _paint_share(self, painter: QtGui.QPainter, share: float, centre: QtCore.QPointF) -> None:
        """How much of a node is marked, as a bar over it."""
        bar = QtCore.QRectF(centre.x() - 14, centre.y() - RADIUS - 8, 28, 4)
        painter.fillRect(bar, QtGui.QColor(theme.look().edge))
        painter.fillRect(
            QtCore.QRectF(bar.x(), bar.y(), share * bar.width(), bar.height()),
            QtGui.QColor(theme.look().text),
        )

    def _row_height(self) -> float:
        """Distance between two levels in pixels."""
        heights = sorted({node.y for node in self._view.nodes})
        steps = [after - before for before, after in itertools.pairwise(heights)]
        return min(steps, default=1.0) * (self.height() - MARGIN_TOP - theme.scaled_px(MARGIN_BOTTOM))

    def _room(self, node: TreeNodeView) -> float:
        """Width for a caption: the distance to the nearest node at the same height."""
        beside = [abs(other.x - node.x) for other in self._view.nodes if abs(other.y - node.y) < 1e-6]
        nearest = min((distance for distance in beside if distance > 1e-6), default=1.0)
        return nearest * (self.width() - 2 * MARGIN_X) - 2
