"""The panes of the window and their places: three columns, the map largest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.widgets.charts import ElbowChart, RingsChart, StreamChart
from gui.widgets.cluster_map import ClusterMap
from gui.widgets.hierarchy_panel import HierarchyPanel
from gui.widgets.hierarchy_tree import HierarchyTree
from gui.widgets.image_row import ImageRow
from gui.widgets.lattice_tab import LatticeTab
from gui.widgets.log_list import LogList
from gui.widgets.manifold_view import ManifoldCanvas
from gui.widgets.momentum_view import MomentumPanel
from gui.widgets.node_table import NodeTable
from gui.widgets.pane import Pane
from gui.widgets.pattern_view import PatternPane
from gui.widgets.tile_grid import TileGrid


@dataclass
class Slot:
    """One pane as the refresh sees it: which attribute of `UiState` it shows, and how."""

    name: str
    pane: Pane
    content: QtWidgets.QWidget
    attribute: str
    show: Callable[[Any], None]
    shown: Any = None


class Panes(QtWidgets.QSplitter):
    """All panes in their places."""

    def __init__(self) -> None:
        super().__init__(QtCore.Qt.Orientation.Horizontal)
        self._sizes_before: list[list[int]] | None = None
        self.cluster_map = ClusterMap()
        self.virtual = ImageRow((texts.BRIGHT_FIELD, texts.DARK_FIELD), "gray")
        self.pattern = PatternPane()
        self.tiles = TileGrid(texts.TILES_TITLE, "magma")
        self.tree = HierarchyTree(texts.TREE_TITLE)
        self.stream, self.manifold = StreamChart(), ManifoldCanvas()
        self.stream_tab = StreamChart()
        self.tiles_pane = Pane(texts.TILES_TITLE, self.tiles)
        self._make_tabs()
        self.stream_pane = Pane(texts.STREAM_TITLE, self.stream)
        self.manifold_pane = Pane(texts.MANIFOLD_TITLE, self.manifold)
        self.fourth = QtWidgets.QStackedWidget()
        self.fourth.addWidget(self.stream_pane)
        self.fourth.addWidget(self.manifold_pane)
        self.virtual_pane = Pane(texts.VIRTUAL_TITLE, self.virtual)
        self.tree_pane = self._make_tree_pane()
        self._columns = [
            _column([self.cluster_map, self.virtual_pane], [61, 39]),
            _column([self.pattern, self.tiles_pane], [56, 44]),
            _column([self.tree_pane, self.fourth, self.tabs], [34, 32, 34]),
        ]
        for column in self._columns:
            self.addWidget(column)
        self.share_out()
        self.setHandleWidth(6)
        self.setChildrenCollapsible(False)
        self.slots = self._make_slots()

    def share_out(self) -> None:
        """Columns as wide as they are meant to be; asked for again when the smallest widths are known."""
        self.setSizes([345, 315, 340])

    def _make_tree_pane(self) -> Pane:
        self.table = NodeTable()
        self._tree_or_table = QtWidgets.QStackedWidget()
        for widget in (self.tree, self.table):
            self._tree_or_table.addWidget(widget)
        self.table_switch = QtWidgets.QToolButton()
        self.table_switch.setObjectName("corner")
        self.table_switch.setText(texts.TABLE)
        self.table_switch.setToolTip(texts.TABLE_TIP)
        self.table_switch.setAccessibleName(texts.TABLE_TIP)
        self.table_switch.setCheckable(True)
        self.hierarchy = HierarchyPanel(self._tree_or_table)
        pane = Pane(texts.TREE_TITLE, self.hierarchy)
        pane.set_corner(self.table_switch)
        return pane

    def set_has_table(self, has_table: bool) -> None:
        """The hierarchy as a table, or as a drawing."""
        self.table_switch.setChecked(has_table)
        self._tree_or_table.setCurrentIndex(int(has_table))

    @property
    def all_panes(self) -> list[Pane]:
        """Every pane once."""
        return list(dict.fromkeys(slot.pane for slot in self.slots))

    def place_of(self, pane: Pane) -> QtWidgets.QWidget | None:
        """What fills the pane's place in its column: the pane itself, or what it shares it with; None when away."""
        places = [place for column in self._columns for place in _children(column)]
        return next((place for place in places if place is pane or place.isAncestorOf(pane)), None)

    @property
    def is_maximised(self) -> bool:
        """Whether one pane has the whole window."""
        return self._sizes_before is not None

    def toggle_maximised(self, pane: Pane) -> None:
        """Give the whole window to one pane, or each its own place again."""
        if self._sizes_before is not None:
            self.restore_sizes()
            return
        wanted = self.place_of(pane)
        if wanted is None:
            return
        self._sizes_before = [splitter.sizes() for splitter in (self, *self._columns)]
        for column in self._columns:
            column.setVisible(column.isAncestorOf(wanted))
            for place in _children(column):
                place.setVisible(place is wanted)

    def restore_sizes(self) -> None:
        """Each pane at its own place again."""
        if self._sizes_before is None:
            return
        for column in self._columns:
            column.show()
            for place in _children(column):
                place.show()
        for splitter, sizes in zip((self, *self._columns), self._sizes_before, strict=True):
            splitter.setSizes(sizes)
        self._sizes_before = None

    def _make_tabs(self) -> None:
        self.rings, self.elbow = RingsChart(), ElbowChart()
        self.alignment = ImageRow((), "viridis")
        self.lattice, self.momentum = LatticeTab(), MomentumPanel()
        self.log = LogList(texts.TABS["log"])
        contents = {
            "rings": self.rings,
            "elbow": self.elbow,
            "alignment": self.alignment,
            "lattice": self.lattice,
            "stream": self.stream_tab,
            "momentum": self.momentum,
            "log": self.log,
        }
        self.tabs = QtWidgets.QTabWidget()
        if (bar := self.tabs.tabBar()) is not None:
            bar.setAccessibleName(texts.TABS_NAME)
        self.tab_panes = {}
        for name, content in contents.items():
            pane = Pane(texts.TABS[name], content)
            pane.hide_title()
            self.tab_panes[name] = pane
            self.tabs.addTab(pane, texts.TABS[name])

    def _make_slots(self) -> list[Slot]:
        tabs = self.tab_panes
        return [
            Slot(
                "cluster map",
                self.cluster_map,
                self.cluster_map.canvas,
                "cluster_map",
                self.cluster_map.set_view,
            ),
            Slot("virtual images", self.virtual_pane, self.virtual, "virtual_images", self.virtual.set_views),
            Slot("pattern", self.pattern, self.pattern.canvas, "pattern", self.pattern.set_view),
            Slot("tiles", self.tiles_pane, self.tiles, "tiles", self._show_tiles),
            Slot("tree", self.tree_pane, self.tree, "tree", self.tree.set_view),
            Slot("tree table", self.tree_pane, self.table, "tree", self.table.set_view),
            Slot("stream", self.stream_pane, self.stream, "stream", self.stream.set_view),
            Slot("manifold", self.manifold_pane, self.manifold, "manifold", self._show_manifold),
            Slot("rings", tabs["rings"], self.rings, "rings", self.rings.set_view),
            Slot("elbow", tabs["elbow"], self.elbow, "elbow", self.elbow.set_view),
            Slot("alignment", tabs["alignment"], self.alignment, "alignment", self.alignment.set_views),
            Slot("lattice", tabs["lattice"], self.lattice, "lattice", self.lattice.set_view),
            Slot("k-space", tabs["momentum"], self.momentum, "momentum", self.momentum.set_view),
            Slot("stream tab", tabs["stream"], self.stream_tab, "stream", self.stream_tab.set_view),
            Slot("log", tabs["log"], self.log, "log", self.log.set_view),
        ]

    def _show_tiles(self, view: Any) -> None:
        self.tiles.set_view(view)
        self.tiles_pane.set_title(view.title)

    def _show_manifold(self, view: Any) -> None:
        self.manifold.set_view(view)
        self.manifold_pane.set_title(view.title or texts.MANIFOLD_TITLE, view.note)

    def set_has_result(self, has_result: bool) -> None:
        """Give the fourth place to the manifold when there is a result; the stream then has a tab."""
        self.fourth.setCurrentWidget(self.manifold_pane if has_result else self.stream_pane)
        for name in ("lattice", "stream", "momentum"):
            self.tabs.setTabVisible(self.tabs.indexOf(self.tab_panes[name]), has_result)

    def add_tree_tools(self, actions: list[QtWidgets.QAction]) -> None:
        """Buttons above the hierarchy."""
        buttons = []
        for action in actions:
            button = QtWidgets.QToolButton()
            button.setDefaultAction(action)
            button.setObjectName("compact")
            button.setFocusPolicy(QtCore.Qt.FocusPolicy.TabFocus)
            buttons.append(button)
        self.tree_pane.set_tools(buttons)

    @property
    def in_reading_order(self) -> list[QtWidgets.QWidget]:
        """Places from the upper left to the lower right, as the keyboard goes through them."""
        return [place for column in self._columns for place in _children(column)]

    def show_tab(self, name: str) -> None:
        """Bring a tab to the front."""
        self.tabs.setCurrentWidget(self.tab_panes[name])


def _column(widgets: list[QtWidgets.QWidget], shares: list[int]) -> QtWidgets.QSplitter:
    column = QtWidgets.QSplitter(QtCore.Qt.Orientation.Vertical)
    column.setHandleWidth(6)
    column.setChildrenCollapsible(False)
    for row, (widget, share) in enumerate(zip(widgets, shares, strict=True)):
        column.addWidget(widget)
        column.setStretchFactor(row, share)
    column.setSizes([10 * share for share in shares])
    return column


def _children(column: QtWidgets.QSplitter) -> list[QtWidgets.QWidget]:
    widgets = (column.widget(row) for row in range(column.count()))
    return [widget for widget in widgets if widget is not None]
