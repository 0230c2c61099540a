"""Pane C: one diffraction pattern with its rings, on a linear, square-root or logarithmic scale."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.presenters.levels import Scale
from gui.presenters.views import ImageView, PatternView
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.image_canvas import ImageCanvas
from gui.widgets.pane import Pane, choice_buttons

SCALES = tuple(Scale)


class PatternPane(Pane):
    """The pattern under the cursor, or the mean of what is selected."""

    scale_chosen = QtCore.Signal(object)

    def __init__(self) -> None:
        self.canvas = ImageCanvas(texts.PATTERN_TITLE, "magma")
        self.compared, self.difference = (
            ImageCanvas(texts.COMPARED, "magma"),
            ImageCanvas(texts.DIFFERENCE, "CET-D1"),
        )
        self._compared_title, self._difference_title = ElidedLabel("note"), ElidedLabel("note")
        self._beside = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(self._beside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for widget, stretch in (
            (self._compared_title, 0),
            (self.compared, 1),
            (self._difference_title, 0),
            (self.difference, 1),
        ):
            column.addWidget(widget, stretch)
        content = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.canvas, 3)
        row.addWidget(self._beside, 2)
        self._beside.hide()
        super().__init__(texts.PATTERN_TITLE, content)
        scales, self._scales = choice_buttons(
            [(texts.SCALES[scale], texts.SCALE_TIPS[scale]) for scale in SCALES]
        )
        self._scales.idClicked.connect(lambda index: self.scale_chosen.emit(SCALES[index]))
        self.set_tools([scales])

    def set_view(self, view: PatternView) -> None:
        """Show a pattern and its circles."""
        self.canvas.set_view(view.picture)
        self.canvas.set_circles(view.circles)
        self.canvas.set_outline(view.outline)
        self.canvas.set_veil(view.kept)
        self._beside.setVisible(view.compared is not None)
        if view.compared is not None:
            self.compared.set_view(view.compared)
            self._compared_title.set_text(view.compared.title)
            self.difference.set_view(view.difference or ImageView(None, None))
            self._difference_title.set_text(texts.DIFFERENCE if view.difference else "")
        self.set_title(view.picture.title, view.kept.note if view.kept else view.picture.note)
        self._scales.button(SCALES.index(view.intensity)).setChecked(True)
