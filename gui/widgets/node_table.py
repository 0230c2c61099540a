"""The hierarchy as a table: for the keyboard, for a screen reader, and to be copied."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters import texts
from gui.presenters.views import Emphasis, TreeNodeView, TreeView

ARROWS = (QtCore.Qt.Key.Key_Up, QtCore.Qt.Key.Key_Down, QtCore.Qt.Key.Key_Left, QtCore.Qt.Key.Key_Right)
ID_ROLE = QtCore.Qt.ItemDataRole.UserRole


class NodeTable(QtWidgets.QTreeWidget):
    """Arrow keys choose a node, as a click on the tree does."""

    node_chosen = QtCore.Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(texts.TABLE_TITLE)
        self.setHeaderLabels(texts.TABLE_COLUMNS)
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self._items: dict[int, QtWidgets.QTreeWidgetItem] = {}
        self._shape: tuple[int, ...] = ()
        self.currentItemChanged.connect(self._report)

    def event(self, event: QtCore.QEvent) -> bool:
        """While it has the focus the arrow keys are the table's, not the cursor's on the map."""
        if event.type() == QtCore.QEvent.Type.ShortcutOverride and event.key() in ARROWS:
            event.accept()
            return True
        return super().event(event)

    def set_view(self, view: TreeView) -> None:
        """Show this tree; what is open stays open."""
        shape = tuple(node.node_id for node in view.nodes)
        self.blockSignals(True)
        if shape != self._shape:
            self._shape = shape
            self._rebuild(view)
        for node in view.nodes:
            self._fill(self._items[node.node_id], node)
        selected = next((n for n in reversed(view.nodes) if n.node_id == view.selected_id), None)
        self.setCurrentItem(self._items[selected.node_id] if selected else None)
        self.blockSignals(False)

    @property
    def rows(self) -> list[list[str]]:
        """The words of every row, parents before their children."""
        items = [self._items[node_id] for node_id in self._shape]
        return [[item.text(column) for column in range(self.columnCount())] for item in items]

    def _rebuild(self, view: TreeView) -> None:
        self.clear()
        self._items = {}
        for node in view.nodes:
            parent = self._items.get(node.parent_id) if node.parent_id is not None else None
            item = QtWidgets.QTreeWidgetItem(parent) if parent else QtWidgets.QTreeWidgetItem(self)
            item.setData(0, ID_ROLE, node.node_id)
            self._items[node.node_id] = item
        self.expandAll()
        for column in range(self.columnCount()):
            self.resizeColumnToContents(column)

    def _fill(self, item: QtWidgets.QTreeWidgetItem, node: TreeNodeView) -> None:
        colour = QtGui.QColor(*node.colour)
        for column, text in enumerate(
            (node.number, node.title, node.caption, node.share, colour.name().upper())
        ):
            item.setText(column, text)
        picture = QtGui.QPixmap(12, 12)
        picture.fill(colour)
        item.setIcon(4, QtGui.QIcon(picture))
        font = item.font(0)
        font.setBold(node.emphasis in (Emphasis.SELECTED, Emphasis.HOVERED))
        item.setFont(0, font)

    def _report(self, item: QtWidgets.QTreeWidgetItem | None, _: QtWidgets.QTreeWidgetItem | None) -> None:
        if item is not None:
            self.node_chosen.emit(int(item.data(0, ID_ROLE)))
