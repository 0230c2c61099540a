"""Pane C: one diffraction pattern with its rings, on a linear, square-root or logarithmic scale."""

from pyqtgraph.Qt import QtCore

from gui.presenters import texts
from gui.presenters.levels import Scale
from gui.presenters.views import PatternView
from gui.widgets.image_canvas import ImageCanvas
from gui.widgets.pane import Pane, choice_buttons

SCALES = tuple(Scale)


class PatternPane(Pane):
    """The pattern under the cursor, or the mean of what is selected."""

    scale_chosen = QtCore.Signal(object)

    def __init__(self) -> None:
        self.canvas = ImageCanvas(texts.PATTERN_TITLE, "magma")
        super().__init__(texts.PATTERN_TITLE, self.canvas)
        row, self._scales = choice_buttons(
            [(texts.SCALES[scale], texts.SCALE_TIPS[scale]) for scale in SCALES]
        )
        self._scales.idClicked.connect(lambda index: self.scale_chosen.emit(SCALES[index]))
        self.set_tools([row])

    def set_view(self, view: PatternView) -> None:
        """Show a pattern and its circles."""
        self.canvas.set_view(view.picture)
        self.canvas.set_circles(view.circles)
        self.set_title(view.picture.title, view.picture.note)
        self._scales.button(SCALES.index(view.intensity)).setChecked(True)
