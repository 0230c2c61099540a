"""The Lattice tab: buttons for the quantity, its map, and its histogram in every cluster."""

import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.presenters.selection import LatticeQuantity
from gui.presenters.views import Emphasis, LatticeView
from gui.widgets.charts import Chart
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.image_canvas import ImageCanvas
from gui.widgets.pane import choice_buttons

QUANTITIES = tuple(LatticeQuantity)


class LatticeTab(QtWidgets.QWidget):
    """Map at the left, histograms at the right."""

    quantity_chosen = QtCore.Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.canvas = ImageCanvas(texts.TABS["lattice"], "viridis")
        self.chart = Chart(texts.TABS["lattice"], " ", texts.AXIS_SHARE)
        self._curves: list[pg.PlotDataItem] = []
        row, self._buttons = choice_buttons([texts.LATTICE_QUANTITIES[quantity] for quantity in QUANTITIES])
        self._buttons.idClicked.connect(lambda index: self.quantity_chosen.emit(QUANTITIES[index]))
        self._row = row
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(4, 2, 4, 4)
        grid.setVerticalSpacing(2)
        self._note = ElidedLabel("note")
        line = QtWidgets.QHBoxLayout()
        line.addWidget(row)
        line.addWidget(self._note, 1)
        grid.addLayout(line, 0, 0, 1, 2)
        grid.addWidget(self.canvas, 1, 0)
        grid.addWidget(self.chart, 1, 1)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(1, 1)

    @property
    def note(self) -> str:
        """What is said beside the buttons."""
        return self._note.full_text

    @property
    def buttons(self) -> dict[LatticeQuantity, QtWidgets.QAbstractButton]:
        """The button of each quantity."""
        return {quantity: self._buttons.button(index) for index, quantity in enumerate(QUANTITIES)}

    def set_view(self, view: LatticeView) -> None:
        """Show this quantity."""
        self.canvas.set_view(view.picture)
        self._row.setVisible(bool(view.quantities))
        self._note.set_text(view.note)
        self.chart.setVisible(bool(view.quantities))
        if not view.quantities:
            return
        for quantity, button in self.buttons.items():
            button.setVisible(quantity in view.quantities)
            button.setChecked(quantity is view.quantity)
        self._show_curves(view)

    def _show_curves(self, view: LatticeView) -> None:
        plot = self.chart.plot
        while len(self._curves) < len(view.curves):
            self._curves.append(plot.plot())
        for index, item in enumerate(self._curves):
            item.setVisible(index < len(view.curves))
        for item, curve in zip(self._curves, view.curves, strict=False):
            is_dim = curve.emphasis is Emphasis.DIMMED
            item.setPen((*curve.colour, 70 if is_dim else 255), width=1)
            item.setData(view.centres, curve.heights)
        self.chart.set_message("", view.axis)
        if view.centres:
            plot.setRange(xRange=(view.centres[0], view.centres[-1]), yRange=(0, 1.05), padding=0.02)
