"""Pane A: the cluster map with its level buttons."""

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

    def __init__(self) -> None:
        self.canvas = ImageCanvas(texts.MAP_TITLE)
        self.canvas.can_mark = True
        super().__init__(texts.MAP_TITLE, self.canvas)
        row, self._levels = choice_buttons(
            [(str(level), texts.level_tip(level)) for level in range(1, MOST_LEVELS + 1)]
        )
        self._levels.idClicked.connect(lambda index: self.level_chosen.emit(index + 1))
        self._level_word = QtWidgets.QLabel(texts.LEVEL)
        self._labels = QtWidgets.QToolButton()
        self._labels.setText(texts.LABELS)
        self._labels.setToolTip(texts.LABELS_TIP)
        self._labels.setCheckable(True)
        self._labels.clicked.connect(self.labels_toggled)
        self.set_tools([self._level_word, row, self._labels])

    @property
    def level_buttons(self) -> list[QtWidgets.QAbstractButton]:
        """The buttons of all levels, also of those that are hidden."""
        return self._levels.buttons()

    def set_view(self, view: MapView) -> None:
        """Show the map; only levels that exist have a button."""
        self.canvas.set_view(view.picture)
        self.canvas.set_labels(view.labels, view.newest_row)
        self.set_title(texts.MAP_TITLE, view.picture.note, view.tag)
        self._level_word.setVisible(bool(view.levels))
        self._labels.setVisible(bool(view.levels))
        self._labels.setChecked(view.has_numbers)
        for index in range(MOST_LEVELS):
            button = self._levels.button(index)
            button.setVisible(index + 1 in view.levels)
            button.setChecked(index + 1 == view.level)
