"""Calibration entry: a line of fields above the panes, open beside a scan. Never a dialog."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.presenters.calibration import CalibrationEntry
from gui.widgets.typing_keys import TypingKeys


class CalibrationPanel(QtWidgets.QFrame):
    """Pixel size, full width, or a known ring."""

    entered = QtCore.Signal(object)
    left = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("prompt")
        self.fields: dict[str, QtWidgets.QLineEdit] = {}
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(10, 4, 10, 4)
        title = QtWidgets.QLabel(texts.CALIBRATION_TITLE)
        title.setObjectName("title")
        grid.addWidget(title, 0, 0, 1, 4)
        for column, (name, label) in enumerate(texts.CALIBRATION_FIELDS.items()):
            field = QtWidgets.QLineEdit()
            field.setAccessibleName(label)
            field.returnPressed.connect(self._enter)
            words = QtWidgets.QLabel(label)
            words.setObjectName("note")
            grid.addWidget(words, 1, column)
            grid.addWidget(field, 2, column)
            self.fields[name] = field
        self.apply = QtWidgets.QPushButton(texts.APPLY)
        self.leave = QtWidgets.QPushButton(texts.CANCEL_PROMPT)
        self.hint = QtWidgets.QLabel()
        self.hint.setObjectName("note")
        n_columns = len(self.fields)
        grid.addWidget(self.apply, 2, n_columns)
        grid.addWidget(self.leave, 2, n_columns + 1)
        grid.addWidget(self.hint, 3, 0, 1, n_columns + 2)
        self.apply.clicked.connect(self._enter)
        self.leave.clicked.connect(self.left)
        self._typing = TypingKeys(*self.fields.values())
        self.hide()

    def open_with(self, entry: CalibrationEntry) -> None:
        """Show what is known; the first field has the focus."""
        for name, field in self.fields.items():
            field.setText(getattr(entry, name))
        self.set_hint("")
        self.show()
        first = next(iter(self.fields.values()))
        first.setFocus()
        first.selectAll()

    def set_hint(self, hint: str) -> None:
        """Why an entry was refused."""
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))

    def _enter(self) -> None:
        self.entered.emit(CalibrationEntry(**{name: field.text() for name, field in self.fields.items()}))
