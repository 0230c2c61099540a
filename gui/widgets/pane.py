"""The frame that every pane has: a title line, its content, and "paused" when drawing it failed."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters import texts
from gui.widgets.elided_label import ElidedLabel


class Pane(QtWidgets.QFrame):
    """A titled frame around one widget.

    A pane that cannot be drawn is paused: it says so, the others go on, and Retry draws it again.
    """

    retry = QtCore.Signal()
    maximise_asked = QtCore.Signal()
    menu_asked = QtCore.Signal(object)
    """Place on the screen where the pane's menu is wanted."""

    def __init__(self, title: str, content: QtWidgets.QWidget) -> None:
        super().__init__()
        self.setObjectName("pane")
        self.setAccessibleName(title)
        self._title = ElidedLabel("title")
        self._title.set_text(title)
        self._tag, self._note = _label("", "tag"), _label("", "note")
        self._tag.hide()
        self._line = QtWidgets.QHBoxLayout()
        self._line.setContentsMargins(8, 4, 8, 2)
        self._line.addWidget(self._title, 1)
        self._line.addWidget(self._tag)
        self._line.setSpacing(8)
        self._line.addWidget(self._note)
        self._tools = QtWidgets.QHBoxLayout()
        self._tools.setContentsMargins(6, 0, 6, 2)
        self._tools.setSpacing(4)
        self._paused = _PausedNotice()
        self._paused.retry.connect(self.retry)
        self._stack = QtWidgets.QStackedWidget()
        self._stack.addWidget(content)
        self._stack.addWidget(self._paused)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(3, 1, 3, 3)
        column.setSpacing(2)
        column.addLayout(self._line)
        column.addLayout(self._tools)
        column.addWidget(self._stack, 1)

    def set_tools(self, widgets: list[QtWidgets.QWidget], *, takes_note: bool = True) -> None:
        """Put controls into a line below the title; the figure moves to its right end where there is room."""
        for widget in widgets:
            self._tools.addWidget(widget)
        self._tools.addStretch()
        if takes_note:
            self._tools.addWidget(self._note)

    def set_corner(self, widget: QtWidgets.QWidget) -> None:
        """Put a control at the right end of the title line."""
        self._line.addWidget(widget)

    def mouseDoubleClickEvent(self, a0: QtGui.QMouseEvent | None) -> None:
        """On the title line: as large as the window, or back."""
        if a0 is not None and a0.pos().y() <= self._stack.y():
            self.maximise_asked.emit()

    def contextMenuEvent(self, a0: QtGui.QContextMenuEvent | None) -> None:
        """Ask for the menu of this pane."""
        if a0 is not None:
            self.menu_asked.emit(a0.globalPos())
            a0.accept()

    def hide_title(self) -> None:
        """No title line: the pane stands under a tab that says what it is."""
        self._title.hide()
        self._note.hide()
        self._line.setContentsMargins(0, 0, 0, 0)

    def set_title(self, title: str, note: str = "", tag: str = "") -> None:
        """Title, the figure at its right, and a tag in a frame."""
        self._title.set_text(title)
        self._note.setText(note)
        self._tag.setText(tag)
        self._tag.setVisible(bool(tag))

    @property
    def title(self) -> str:
        """The title that is shown."""
        return self._title.full_text

    @property
    def note(self) -> str:
        """The figure at the right of the title."""
        return self._note.text()

    def pause(self, reason: str) -> None:
        """Show that this pane could not be drawn."""
        self._paused.set_reason(reason)
        self._stack.setCurrentIndex(1)

    def resume(self) -> None:
        """Show the content again."""
        self._stack.setCurrentIndex(0)

    @property
    def is_paused(self) -> bool:
        """Whether the pane waits for Retry."""
        return self._stack.currentIndex() == 1


class _PausedNotice(QtWidgets.QWidget):
    retry = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__()
        self._text = _label("", "message")
        self._text.setWordWrap(True)
        self._text.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        button = QtWidgets.QPushButton(texts.RETRY)
        button.clicked.connect(self.retry)
        column = QtWidgets.QVBoxLayout(self)
        column.addStretch()
        column.addWidget(self._text)
        column.addWidget(button, 0, QtCore.Qt.AlignmentFlag.AlignHCenter)
        column.addStretch()

    def set_reason(self, reason: str) -> None:
        self._text.setText(f"{texts.PANE_PAUSED} {reason}")


def choice_buttons(choices: list[tuple[str, str]]) -> tuple[QtWidgets.QWidget, QtWidgets.QButtonGroup]:
    """A row of buttons of which one is down; (text, tool tip) of each."""
    row = QtWidgets.QWidget()
    layout = QtWidgets.QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(3)
    group = QtWidgets.QButtonGroup(row)
    for index, (text, tip) in enumerate(choices):
        button = QtWidgets.QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setCheckable(True)
        group.addButton(button, index)
        layout.addWidget(button)
    return row, group


def _label(text: str, name: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setObjectName(name)
    return label
