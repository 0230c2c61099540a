"""The ring and the threshold in numbers: typed, given back to the automatic choice, and what they would do."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.presenters import texts
from gui.presenters.views import RingsView
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.typing_keys import TypingKeys


class QuietSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box that the mouse wheel changes only when it has the focus, and that says only what was typed."""

    entered = QtCore.Signal(float)

    def __init__(self, name: str, step: float, decimals: int, suffix: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.setSingleStep(step)
        self.setDecimals(decimals)
        self.setPrefix(f"{name} ")
        self.setSuffix(suffix)
        self.setKeyboardTracking(False)
        # Arrow keys and wheel step too, and three boxes stand in a narrow column.
        self.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
        self._typing = TypingKeys(self)
        self.valueChanged.connect(self.entered)

    def show_value(self, value: float | None) -> None:
        """Show a value without saying that it was entered."""
        if value is not None and abs(value - self.value()) > 1e-9 and not self.hasFocus():
            blocker = QtCore.QSignalBlocker(self)
            self.setValue(value)
            del blocker

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        """Nothing without focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class RingControls(QtWidgets.QWidget):
    """One row of controls, and a line that says what would change or why not."""

    ring_entered = QtCore.Signal(float, float)
    threshold_entered = QtCore.Signal(float)
    mask_toggled = QtCore.Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.inner = QuietSpinBox(texts.INNER, 1.0, 1, " px")
        self.outer = QuietSpinBox(texts.OUTER, 1.0, 1, " px")
        self.threshold = QuietSpinBox(texts.THRESHOLD, 1.0, 1, " %")
        self.threshold.setRange(0.1, 99.9)
        self.mask = QtWidgets.QToolButton()
        self.mask.setText(texts.SHOW_MASK)
        self.mask.setToolTip(texts.SHOW_MASK_TIP)
        self.mask.setCheckable(True)
        self.automatic = QtWidgets.QToolButton()
        self.automatic.setText(texts.BACK_TO_AUTO)
        self.automatic.setToolTip(texts.BACK_TO_AUTO_TIP)
        for button in (self.mask, self.automatic):
            button.setObjectName("compact")
        self.effect = ElidedLabel("note")
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(4)
        for widget in (self.inner, self.outer, self.threshold, self.mask, self.automatic):
            row.addWidget(widget)
        row.addStretch()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(6, 0, 6, 2)
        column.setSpacing(1)
        column.addLayout(row)
        column.addWidget(self.effect)
        for box in (self.inner, self.outer):
            box.entered.connect(lambda _: self.ring_entered.emit(self.inner.value(), self.outer.value()))
        self.threshold.entered.connect(lambda percent: self.threshold_entered.emit(percent / 100))
        self.mask.clicked.connect(self.mask_toggled)

    def set_view(self, view: RingsView) -> None:
        """Show these values; nothing can be typed where nothing can be set."""
        for box, value in ((self.inner, view.inner_px), (self.outer, view.outer_px)):
            blocker = QtCore.QSignalBlocker(box)
            box.setRange(0.0, max(view.largest_px, 1.0))
            del blocker
            box.show_value(value)
        self.threshold.show_value(None if view.threshold is None else 100 * view.threshold)
        for box in (self.inner, self.outer, self.threshold, self.mask):
            box.setEnabled(view.can_set)
        self.automatic.setEnabled(view.can_set and view.is_manual)
        self.mask.setChecked(view.shows_mask)
        self.effect.set_text(view.hint or view.effect)
        self.effect.setStyleSheet(f"color: {theme.look().amber};" if view.hint else "")
        self.effect.setVisible(bool(view.hint or view.effect))
