"""One line across the window with what can be done about it; never a dialog."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters.in_charge import LineView

MOST_STEPS = 2


class OfferLine(QtWidgets.QFrame):
    """Words and at most two buttons; hidden where there is nothing to say."""

    chosen = QtCore.Signal(str)
    """Name of the step whose button was pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("offer")
        self._text = QtWidgets.QLabel()
        self._text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._names = [""] * MOST_STEPS
        self._buttons = [QtWidgets.QPushButton("–") for _ in range(MOST_STEPS)]
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(10, 3, 6, 3)
        row.addWidget(self._text, 1)
        for number, button in enumerate(self._buttons):
            button.clicked.connect(lambda _=False, number=number: self.chosen.emit(self._names[number]))
            row.addWidget(button)
        self.hide()

    @property
    def text(self) -> str:
        """What is said; "" where nothing is."""
        return "" if self.isHidden() else self._text.text()

    def button(self, step: str) -> QtWidgets.QPushButton:
        """The button of a step that is offered.

        Raises
        ------
        ValueError
            It is not.
        """
        return self._buttons[self._names.index(step)]

    def set_view(self, view: LineView | None) -> None:
        """Show this line, or nothing."""
        self.setVisible(view is not None)
        steps = view.steps if view is not None else ()
        self._names = [name for name, _ in steps] + [""] * (MOST_STEPS - len(steps))
        for button, (_, words) in zip(self._buttons, [*steps, *[("", "")] * MOST_STEPS], strict=False):
            button.setText(words)
            button.setVisible(bool(words))
        if view is None:
            return
        self._text.setText(view.text)
        self.setProperty("severity", str(view.severity))
        self.style().unpolish(self)
        self.style().polish(self)
