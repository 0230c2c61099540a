"""Actions with their keys, and a field to give one another key."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters import texts

TEXT_FORMAT = QtGui.QKeySequence.SequenceFormat.PortableText


class KeysForm(QtWidgets.QWidget):
    """The table, the field and its buttons; what is wanted comes out as a signal."""

    given = QtCore.Signal(str, str)
    """Name of an action and its new key, "" for none."""
    reset = QtCore.Signal(str)
    """Name of an action that gets its first keys back; "" for all of them."""

    def __init__(self, rows: list[tuple[str, str, str]]) -> None:
        super().__init__()
        self._names = [name for name, _, _ in rows]
        self.table = QtWidgets.QTableWidget(len(rows), 3)
        self.table.setHorizontalHeaderLabels(texts.KEY_COLUMNS)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        for row, (_, words, tip) in enumerate(rows):
            for column, text in enumerate(("", words, tip)):
                self.table.setItem(row, column, QtWidgets.QTableWidgetItem(text))
        self.table.setColumnWidth(0, 130)
        self.table.setColumnWidth(1, 130)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.selectRow(0)
        self.field = QtWidgets.QKeySequenceEdit()
        self.field.setAccessibleName(texts.KEY_COLUMNS[0])
        self.buttons = {
            words: QtWidgets.QPushButton(words)
            for words in (texts.KEY_GIVE, texts.KEY_NONE, texts.KEY_FIRST, texts.KEYS_FIRST)
        }
        self.buttons[texts.KEY_GIVE].clicked.connect(self._give)
        self.buttons[texts.KEY_NONE].clicked.connect(lambda: self.given.emit(self._name(), ""))
        self.buttons[texts.KEY_FIRST].clicked.connect(lambda: self.reset.emit(self._name()))
        self.buttons[texts.KEYS_FIRST].clicked.connect(lambda: self.reset.emit(""))
        how = QtWidgets.QLabel(texts.KEY_HOW)
        how.setObjectName("note")
        line = QtWidgets.QHBoxLayout()
        line.addWidget(self.field, 1)
        for button in self.buttons.values():
            line.addWidget(button)
        column_of_all = QtWidgets.QVBoxLayout(self)
        column_of_all.addWidget(how)
        column_of_all.addWidget(self.table, 1)
        column_of_all.addLayout(line)

    def set_keys(self, keys: dict[str, tuple[str, ...]]) -> None:
        """Show the keys in force."""
        for row, name in enumerate(self._names):
            self.table.item(row, 0).setText(", ".join(keys.get(name, ())))

    def choose(self, name: str) -> None:
        """Choose an action."""
        self.table.selectRow(self._names.index(name))

    def _name(self) -> str:
        return self._names[max(0, self.table.currentRow())]

    def _give(self) -> None:
        pressed = self.field.keySequence()
        if pressed.count():
            # The first stroke: keys of several strokes would keep those of one waiting.
            key = QtGui.QKeySequence(pressed[0]).toString(TEXT_FORMAT)
            self.given.emit(self._name(), key)
            self.field.clear()
