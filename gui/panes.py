"""The panes of the window and their places: three columns, the map largest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.widgets.charts import ElbowChart, RingsChart, StreamChart
from gui.widgets.cluster_map import ClusterMap
from gui.widgets.hierarchy_tree import HierarchyTree
from gui.widgets.image_pair import ImagePair
from gui.widgets.log_list import LogList
from gui.widgets.momentum_view import MomentumPanel
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
        self.cluster_map = ClusterMap()
        self.virtual = ImagePair(("Bright field", "Annular dark field"), "gray")
        self.pattern = PatternPane()
        self.tiles = TileGrid(texts.TILES_TITLE, "magma")
        self.tree = HierarchyTree(texts.TREE_TITLE)
        self.stream, self.momentum = StreamChart(), MomentumPanel()
        self.stream_tab = StreamChart()
        self.tiles_pane = Pane(texts.TILES_TITLE, self.tiles)
        self._make_tabs()
        self.stream_pane = Pane(texts.STREAM_TITLE, self.stream)
        self.momentum_pane = Pane(texts.MOMENTUM_TITLE, self.momentum)
        self.fourth = QtWidgets.QStackedWidget()
        self.fourth.addWidget(self.stream_pane)
        self.fourth.addWidget(self.momentum_pane)
        self.virtual_pane, self.tree_pane = (
            Pane(texts.VIRTUAL_TITLE, self.virtual),
            Pane(texts.TREE_TITLE, self.tree),
        )
        self._columns = [
            _column([self.cluster_map, self.virtual_pane], [61, 39]),
            _column([self.pattern, self.tiles_pane], [56, 44]),
            _column([self.tree_pane, self.fourth, self.tabs], [34, 32, 34]),
        ]
        for column in self._columns:
            self.addWidget(column)
        self.setSizes([340, 330, 330])
        self.setHandleWidth(6)
        self.setChildrenCollapsible(False)
        self.slots = self._make_slots()

    def _make_tabs(self) -> None:
        self.rings, self.elbow = RingsChart(), ElbowChart()
        self.alignment = ImagePair(("Beam y", "Beam x"), "viridis")
        self.log = LogList(texts.TABS["log"])
        contents = {
            "rings": self.rings,
            "elbow": self.elbow,
            "alignment": self.alignment,
            "stream": self.stream_tab,
            "log": self.log,
        }
        self.tabs = QtWidgets.QTabWidget()
        self.tab_panes = {}
        for name, content in contents.items():
            pane = Pane("", content)
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
            Slot("stream", self.stream_pane, self.stream, "stream", self.stream.set_view),
            Slot("k-space", self.momentum_pane, self.momentum, "momentum", self.momentum.set_view),
            Slot("rings", tabs["rings"], self.rings, "rings", self.rings.set_view),
            Slot("elbow", tabs["elbow"], self.elbow, "elbow", self.elbow.set_view),
            Slot("alignment", tabs["alignment"], self.alignment, "alignment", self.alignment.set_views),
            Slot("stream tab", tabs["stream"], self.stream_tab, "stream", self.stream_tab.set_view),
            Slot("log", tabs["log"], self.log, "log", self.log.set_view),
        ]

    def _show_tiles(self, view: Any) -> None:
        self.tiles.set_view(view)
        self.tiles_pane.set_title(view.title)

    def set_has_momentum(self, has_momentum: bool) -> None:
        """Give the fourth place to k-space when there is a result; the stream then has a tab."""
        self.fourth.setCurrentWidget(self.momentum_pane if has_momentum else self.stream_pane)
        self.tabs.setTabVisible(self.tabs.indexOf(self.tab_panes["stream"]), has_momentum)

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
