"""The Log tab: what was reported, newest at the bottom."""

from html import escape

from pyqtgraph.Qt import QtWidgets

from gui import theme
from gui.presenters.views import LogView


class LogList(QtWidgets.QPlainTextEdit):
    """Text that can be selected and copied."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setReadOnly(True)

    def set_view(self, view: LogView) -> None:
        """Show these lines."""
        self.clear()
        self.setPlaceholderText(view.message)
        for severity, text in view.lines:
            colour = theme.severity_colour(severity)
            self.appendHtml(f'<span style="color:{colour}">{escape(text)}</span>')
