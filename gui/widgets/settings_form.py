"""Typed settings as lines to be filled in: what a field means stands beside it."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters import texts
from gui.presenters.settings_form import FormField

EDITOR_WIDTH = 190


class SettingsForm(QtWidgets.QScrollArea):
    """Label, editor and help of every field, in sections; ``notes`` stand after the help of a field."""

    def __init__(self, fields: tuple[FormField, ...], notes: dict[str, str], head: str = "") -> None:
        super().__init__()
        self.editors: dict[str, QtWidgets.QLineEdit | QtWidgets.QComboBox] = {}
        self.setWidgetResizable(True)
        inside = QtWidgets.QWidget()
        self._grid = QtWidgets.QGridLayout(inside)
        self._grid.setColumnStretch(2, 1)
        self._grid.setVerticalSpacing(6)
        if head:
            self._add_wide(head, "note")
        section = ""
        for field in fields:
            if field.section != section:
                section = field.section
                self._add_wide(section.capitalize(), "title")
            self._add_field(field, notes.get(field.path, ""))
        self._grid.setRowStretch(self._grid.rowCount(), 1)
        self.setWidget(inside)

    def texts(self) -> dict[str, str]:
        """What is filled in, by path."""
        return {
            path: editor.currentText() if isinstance(editor, QtWidgets.QComboBox) else editor.text()
            for path, editor in self.editors.items()
        }

    def set_text(self, path: str, text: str) -> None:
        """Fill a field in."""
        editor = self.editors[path]
        if isinstance(editor, QtWidgets.QComboBox):
            editor.setCurrentText(text)
        else:
            editor.setText(text)

    def point_at(self, path: str) -> None:
        """Show the field that a sentence is about."""
        editor = self.editors.get(path)
        if editor is not None:
            self.ensureWidgetVisible(editor)
            editor.setFocus()

    def _add_wide(self, text: str, name: str) -> None:
        label = QtWidgets.QLabel(text)
        label.setObjectName(name)
        label.setWordWrap(True)
        label.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._grid.addWidget(label, self._grid.rowCount(), 0, 1, 3)

    def _add_field(self, field: FormField, note: str) -> None:
        row = self._grid.rowCount()
        words = texts.FIELD_LABELS.get(field.path, field.label)
        editor = _editor(field)
        editor.setAccessibleName(words)
        editor.setFixedWidth(EDITOR_WIDTH)
        help_text = QtWidgets.QLabel(" ".join(part for part in (field.help, note) if part))
        help_text.setObjectName("note")
        help_text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        help_text.setWordWrap(True)
        for column, widget in enumerate((QtWidgets.QLabel(words), editor, help_text)):
            self._grid.addWidget(widget, row, column)
        self.editors[field.path] = editor


def _editor(field: FormField) -> QtWidgets.QLineEdit | QtWidgets.QComboBox:
    if field.choices:
        box = _Choice()
        # A value that is as at first is one of the choices too; "automatic" where none of them is.
        choices = field.choices if field.default in field.choices else (field.default, *field.choices)
        box.addItems(list(choices))
        box.setCurrentText(field.text or field.default)
        return box
    line = QtWidgets.QLineEdit(field.text)
    line.setPlaceholderText(field.default)
    return line


class _Choice(QtWidgets.QComboBox):
    """The wheel scrolls the page; it changes no value in passing."""

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        """Leave the wheel to the page."""
        event.ignore()
