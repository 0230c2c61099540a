"""The line at the top: pill, two lines of text, progress, and the buttons that act on the engine."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui import theme
from gui.presenters import texts
from gui.presenters.views import HeaderView, Severity
from gui.widgets.elided_label import ElidedLabel

STEPS = 1000


class Header(QtWidgets.QWidget):
    """Says where the operator stands."""

    def __init__(self, actions: list[QtWidgets.QAction]) -> None:
        super().__init__()
        self._pill = QtWidgets.QLabel()
        self._pill.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self._pill.setMinimumHeight(30)
        self._summary, self._sentence = ElidedLabel("title"), ElidedLabel("sentence")
        lines = QtWidgets.QVBoxLayout()
        lines.setSpacing(1)
        lines.addWidget(self._summary)
        lines.addWidget(self._sentence)
        self._bar = QtWidgets.QProgressBar()
        self._bar.setRange(0, STEPS)
        self._bar.setFixedWidth(230)
        self._bar.setMinimumHeight(26)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(6, 4, 6, 2)
        row.setSpacing(8)
        row.addWidget(self._pill)
        row.addLayout(lines, 1)
        row.addWidget(self._bar)
        for action in actions:
            row.addWidget(action_button(action))
        self.menu = QtWidgets.QMenu(self)
        self.menu.setToolTipsVisible(True)
        more = QtWidgets.QToolButton()
        more.setText(texts.MENU)
        more.setToolTip(texts.MENU_TIP)
        more.setAccessibleName(texts.MENU_TIP)
        more.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setMenu(self.menu)
        row.addWidget(more)

    @property
    def pill(self) -> QtWidgets.QLabel:
        """The word that says where the operator stands."""
        return self._pill

    @property
    def words(self) -> tuple[str, str, str]:
        """Pill, summary and sentence as they are shown."""
        return self._pill.text(), self._summary.full_text, self._sentence.full_text

    def set_view(self, view: HeaderView) -> None:
        """Show this state."""
        self._pill.setText(f"{view.icon}  {view.word}")
        colour = theme.PILL_COLOURS[view.phase]
        self._pill.setStyleSheet(
            f"background: {colour}; color: white; font-weight: 700; border-radius: 8px; padding: 4px 14px;"
        )
        self._summary.set_text(view.summary)
        self._sentence.set_text(view.sentence)
        tint = (
            theme.look().text_dim
            if view.severity is Severity.NORMAL
            else theme.severity_colour(view.severity)
        )
        self._sentence.setStyleSheet(f"color: {tint};")
        self._bar.setValue(round(STEPS * view.fraction))
        self._bar.setFormat(view.progress)


def action_button(action: QtWidgets.QAction) -> QtWidgets.QPushButton:
    """A button that does what the action does, and is on when the action is."""
    button = QtWidgets.QPushButton(action.text())

    def follow() -> None:
        button.setEnabled(action.isEnabled())
        button.setToolTip(f"{action.toolTip()} ({action.shortcut().toString()})")

    button.clicked.connect(action.trigger)
    action.changed.connect(follow)
    follow()
    return button
