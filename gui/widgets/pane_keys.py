"""Keys that mean something in one pane and something else in the rest of the window."""

from collections.abc import Sequence

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

Qt = QtCore.Qt
MODIFIERS = int(Qt.KeyboardModifier.KeyboardModifierMask)


class PaneKeys(QtCore.QObject):
    """While one of its widgets has the focus, its actions take their keys before the window's do.

    Qt calls two shortcuts of one key ambiguous and triggers neither, so that the key is claimed and the action
    triggered here.
    """

    def __init__(self, widgets: Sequence[QtWidgets.QWidget], actions: list[QtWidgets.QAction]) -> None:
        super().__init__(widgets[0])
        self._actions = actions
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Claim a key, then act on it."""
        kinds = QtCore.QEvent.Type
        if event.type() in (kinds.ShortcutOverride, kinds.KeyPress) and isinstance(event, QtGui.QKeyEvent):
            action = self._action_of(_combination(int(event.modifiers()) | event.key()))
            if action is not None and action.isEnabled():
                event.accept()
                if event.type() == kinds.KeyPress:
                    action.trigger()
                return True
        return super().eventFilter(watched, event)

    def _action_of(self, pressed: tuple[int, int]) -> QtWidgets.QAction | None:
        """Looked up each time: keys may be given others."""
        for action in self._actions:
            if any(_combination(sequence[0]) == pressed for sequence in action.shortcuts()):
                return action
        return None


def focus_stops(place: QtWidgets.QWidget) -> list[QtWidgets.QWidget]:
    """Where the keyboard stops inside a part of the window, in the order in which they were made."""
    # The list of a combo box is a window of its own.
    parts = [part for part in place.findChildren(QtWidgets.QWidget) if part.window() is place.window()]
    return [
        part
        for part in (place, *parts)
        if part.focusPolicy() & Qt.FocusPolicy.TabFocus and part.focusProxy() is None
    ]


def _combination(pressed: int) -> tuple[int, int]:
    """Key and modifiers; Shift+Tab is a key of its own to Qt."""
    key, held = pressed & ~MODIFIERS, pressed & MODIFIERS & ~int(Qt.KeyboardModifier.KeypadModifier)
    if key == Qt.Key.Key_Backtab:
        key, held = int(Qt.Key.Key_Tab), held | int(Qt.KeyboardModifier.ShiftModifier)
    return int(key), int(held)
