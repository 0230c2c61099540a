"""The line at the bottom: what is under the cursor, and the figures of the stream."""

from html import escape

from pyqtgraph.Qt import QtWidgets

from gui import theme
from gui.presenters.views import StatusField, StatusView
from gui.widgets.elided_label import ElidedLabel


class StatusLine(QtWidgets.QWidget):
    """Cursor at the left, figures at the right."""

    def __init__(self) -> None:
        super().__init__()
        self._left = ElidedLabel("status")
        self._right = QtWidgets.QLabel()
        self._fields: tuple[StatusField, ...] = ()
        self._display_hz = 0
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(8, 1, 8, 3)
        row.addWidget(self._left, 1)
        row.addWidget(self._right)

    @property
    def words(self) -> tuple[str, tuple[StatusField, ...]]:
        """What is shown at the left and at the right."""
        return self._left.full_text, self._fields

    def set_view(self, view: StatusView) -> None:
        """Show these figures."""
        self._left.set_text(view.left)
        self._fields = view.fields
        self._write()

    def set_display_rate(self, hz: int) -> None:
        """How often the window looks for something new, per second."""
        if hz != self._display_hz:
            self._display_hz = hz
            self._write()

    def _write(self) -> None:
        shown = [
            *self._fields,
            StatusField("display", f"{self._display_hz} fps" if self._display_hz else "–"),
            StatusField("F1", "keys"),
        ]
        self._right.setText("&nbsp;&nbsp; ".join(_html(entry) for entry in shown))


def _html(entry: StatusField) -> str:
    colour = theme.severity_colour(entry.severity)
    return (
        f'<span style="color:{theme.look().text_dim}">{escape(entry.name)}</span> '
        f'<b style="color:{colour}">{escape(entry.value)}</b>'
    )
