"""While a field has the focus, keys that mean something in it are no shortcuts of the window."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

Key = QtCore.Qt.Key
FIELD_KEYS = frozenset(
    {
        Key.Key_Up, Key.Key_Down, Key.Key_Left, Key.Key_Right, Key.Key_Home, Key.Key_End, Key.Key_PageUp,
        Key.Key_PageDown, Key.Key_Return, Key.Key_Enter, Key.Key_Backspace, Key.Key_Space,
    }
)  # fmt: skip


class TypingKeys(QtCore.QObject):
    """Keeps arrows and printable keys in the fields that it watches; Ctrl, Alt and function keys stay shortcuts."""

    def __init__(self, *fields: QtWidgets.QWidget) -> None:
        super().__init__(fields[0])
        for field in fields:
            field.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Claim a key before the window makes a shortcut of it."""
        if event.type() == QtCore.QEvent.Type.ShortcutOverride and isinstance(event, QtGui.QKeyEvent):
            modifiers = event.modifiers() & ~QtCore.Qt.KeyboardModifier.ShiftModifier
            is_plain = modifiers in (
                QtCore.Qt.KeyboardModifier.NoModifier,
                QtCore.Qt.KeyboardModifier.KeypadModifier,
            )
            if is_plain and (event.key() in FIELD_KEYS or event.text().strip()):
                event.accept()
                return True
        return super().eventFilter(watched, event)
