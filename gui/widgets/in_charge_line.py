"""One line across the window: who is in charge of the engine, and what can be done about it."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters.in_charge import InChargeView, Step


class InChargeLine(QtWidgets.QFrame):
    """Words and at most two buttons; hidden where there is nothing to say."""

    chosen = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("in_charge")
        self._text = QtWidgets.QLabel()
        self._text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.buttons = {step: QtWidgets.QPushButton() for step in Step}
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(10, 3, 6, 3)
        row.addWidget(self._text, 1)
        for step, button in self.buttons.items():
            button.clicked.connect(lambda _=False, step=step: self.chosen.emit(str(step)))
            row.addWidget(button)
        self.hide()

    @property
    def text(self) -> str:
        """What is said."""
        return self._text.text()

    def set_view(self, view: InChargeView | None) -> None:
        """Show who is in charge, or nothing."""
        self.setVisible(view is not None)
        if view is None:
            return
        self._text.setText(view.text)
        words = dict(view.steps)
        for step, button in self.buttons.items():
            button.setVisible(step in words)
            button.setText(words.get(step, ""))
        self.setProperty("severity", str(view.severity))
        self.style().unpolish(self)
        self.style().polish(self)
