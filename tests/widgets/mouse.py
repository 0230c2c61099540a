"""Mouse events as a person makes them, sent to a widget."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

Qt = QtCore.Qt
NONE = Qt.KeyboardModifier.NoModifier
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
LEFT, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


def send(widget, kind, point, button=NO_BUTTON, held=NO_BUTTON, modifiers=NONE):
    event = QtGui.QMouseEvent(kind, QtCore.QPointF(point), button, held, modifiers)
    QtWidgets.QApplication.sendEvent(widget, event)


def drag(widget, points, modifiers=NONE):
    """Press at the first point, move over the others, release at the last."""
    send(widget, QtCore.QEvent.Type.MouseButtonPress, points[0], LEFT, LEFT, modifiers)
    for point in points[1:]:
        send(widget, QtCore.QEvent.Type.MouseMove, point, NO_BUTTON, LEFT, modifiers)
    send(widget, QtCore.QEvent.Type.MouseButtonRelease, points[-1], LEFT, NO_BUTTON, modifiers)
