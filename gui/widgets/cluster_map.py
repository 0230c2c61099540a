"""Pane A: the cluster map with its level buttons."""

from collections.abc import Callable

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.presenters.views import MapView
from gui.widgets.image_canvas import ImageCanvas
from gui.widgets.pane import Pane, choice_buttons

MOST_LEVELS = 6


class ClusterMap(Pane):
    """The largest pane; hovering asks for a pattern, clicking for a cluster."""

    level_chosen = QtCore.Signal(int)
    labels_toggled = QtCore.Signal(bool)
    outlines_toggled = QtCore.Signal(bool)
    blend_toggled = QtCore.Signal(bool)
    simulation_asked = QtCore.Signal()

    def __init__(self) -> None:
        self.canvas = ImageCanvas(texts.MAP_TITLE)
        self.canvas.can_mark = True
        super().__init__(texts.MAP_TITLE, self.canvas)
        row, self._levels = choice_buttons(
            [(str(level), texts.level_tip(level)) for level in range(1, MOST_LEVELS + 1)]
        )
        self.simulate = QtWidgets.QPushButton(texts.SIMULATE)
        self.simulate.setFocusPolicy(QtCore.Qt.FocusPolicy.TabFocus)
        self.simulate.clicked.connect(self.simulation_asked)
        below = QtWidgets.QVBoxLayout(self.canvas)
        below.addStretch(3)
        below.addWidget(self.simulate, 0, QtCore.Qt.AlignmentFlag.AlignHCenter)
        below.addStretch(1)
        self.can_simulate = False
        self.simulate.hide()
        for button in self._levels.buttons():
            button.hide()  # otherwise the column begins as wide as all of them
        self._levels.idClicked.connect(lambda index: self.level_chosen.emit(index + 1))
        self._level_word = QtWidgets.QLabel(texts.LEVEL)
        self._labels = _switch(texts.LABELS, texts.LABELS_TIP, self.labels_toggled.emit)
        self._outlines = _switch(texts.OUTLINES, texts.OUTLINES_TIP, self.outlines_toggled.emit)
        self._blend = _switch(texts.BLEND, texts.BLEND_TIP, self.blend_toggled.emit)
        self.set_tools([self._level_word, row, self._labels, self._outlines, self._blend], takes_note=False)

    @property
    def level_buttons(self) -> list[QtWidgets.QAbstractButton]:
        """The buttons of all levels, also of those that are hidden."""
        return self._levels.buttons()

    def set_simulation(self, stage: str) -> None:
        """How far a simulated scan is, on its button."""
        self.simulate.setText(texts.SIMULATE_STAGES[stage])
        self.simulate.setEnabled(stage in ("ended", "failed"))

    def set_view(self, view: MapView) -> None:
        """Show the map; only levels that exist have a button."""
        self.canvas.set_view(view.picture)
        self.canvas.set_labels(view.labels, view.newest_row)
        self.canvas.set_outline(view.outline)
        self.canvas.set_hatched(view.is_provisional)
        self.simulate.setVisible(self.can_simulate and view.is_waiting)
        self.set_title(view.title or texts.MAP_TITLE, view.picture.note, view.tag)
        self._level_word.setVisible(bool(view.levels))
        for button, is_on in (
            (self._labels, view.has_numbers),
            (self._outlines, view.has_outlines),
            (self._blend, view.is_blended),
        ):
            button.setVisible(bool(view.levels))
            button.setChecked(is_on)
        for index in range(MOST_LEVELS):
            button = self._levels.button(index)
            button.setVisible(index + 1 in view.levels)
            button.setChecked(index + 1 == view.level)


def _switch(text: str, tip: str, toggled: Callable[[bool], None]) -> QtWidgets.QToolButton:
    button = QtWidgets.QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setCheckable(True)
    button.clicked.connect(toggled)
    return button
