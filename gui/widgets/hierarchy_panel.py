"""Pane E: the tree, and below it what is offered, what is asked, and why something cannot be done now."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.prompt_bar import PromptBar


class HierarchyPanel(QtWidgets.QWidget):
    """The tree with its lines."""

    offer_taken = QtCore.Signal()

    def __init__(self, tree: QtWidgets.QWidget) -> None:
        super().__init__()
        self.prompt = PromptBar()
        self.note = ElidedLabel("note")
        self._offer = ElidedLabel("note")
        self.take_offer = QtWidgets.QToolButton()
        self.take_offer.setText(texts.MERGE)
        self.take_offer.clicked.connect(self.offer_taken)
        self._offer_row = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(self._offer_row)
        row.setContentsMargins(6, 0, 6, 0)
        row.addWidget(self._offer, 1)
        row.addWidget(self.take_offer)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(tree, 1)
        for line in (self._offer_row, self.prompt, self.note):
            column.addWidget(line)
        self.set_lines("", "")

    def set_lines(self, offer: str, note: str) -> None:
        """What is offered, and a remark; "" hides the line."""
        self._offer.set_text(offer)
        self._offer_row.setVisible(bool(offer))
        self.note.set_text(note)
        self.note.setVisible(bool(note))

    @property
    def lines(self) -> tuple[str, str]:
        """What is shown."""
        return self._offer.full_text, self.note.full_text
