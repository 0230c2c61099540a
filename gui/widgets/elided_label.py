"""Text that never pushes anything aside."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets


class ElidedLabel(QtWidgets.QLabel):
    """One line of text, shortened with an ellipsis where it does not fit; the tool tip has all of it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._text = ""
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)

    def set_text(self, text: str) -> None:
        """Show this text."""
        self._text = text
        self.setToolTip(text)
        self._elide()

    @property
    def full_text(self) -> str:
        """The text as it was given."""
        return self._text

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Fit the text into the new width."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.ensurePolished()
        mode = QtCore.Qt.TextElideMode.ElideRight
        self.setText(self.fontMetrics().elidedText(self._text, mode, max(0, self.width() - 2)))
