"""The k-space pane: clusters of the detector, and the real-space image of each."""

from pyqtgraph.Qt import QtWidgets

from gui.presenters import texts
from gui.presenters.views import MomentumView
from gui.widgets.image_canvas import ImageCanvas
from gui.widgets.tile_grid import TileGrid


class MomentumPanel(QtWidgets.QWidget):
    """Map at the left, images at the right."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas = ImageCanvas(texts.MOMENTUM_MAP_TITLE)
        self.grid = TileGrid(texts.MOMENTUM_TILES_TITLE, "gray")
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(4, 2, 4, 4)
        row.addWidget(self.canvas, 2)
        row.addWidget(self.grid, 3)

    def set_view(self, view: MomentumView) -> None:
        """Show these clusters."""
        self.canvas.set_view(view.label_map)
        self.grid.set_view(view.tiles)
