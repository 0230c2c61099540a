"""F1: every action with its key. Not modal: it may stay open beside a scan."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts


class KeysDialog(QtWidgets.QDialog):
    """A table of actions and keys."""

    def __init__(self, parent: QtWidgets.QWidget, actions: list[QtWidgets.QAction]) -> None:
        super().__init__(parent)
        self.setWindowTitle(texts.KEYS_TITLE)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.table = QtWidgets.QTableWidget(len(actions), 2)
        self.table.setHorizontalHeaderLabels(texts.KEYS_COLUMNS)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        for row, action in enumerate(actions):
            keys = ", ".join(key.toString() for key in action.shortcuts())
            for column, text in enumerate((keys, action.toolTip())):
                self.table.setItem(row, column, QtWidgets.QTableWidgetItem(text))
        self.table.horizontalHeader().setStretchLastSection(True)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self.table)
        self.resize(520, 30 * len(actions) + 60)
