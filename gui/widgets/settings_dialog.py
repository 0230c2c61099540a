"""Settings in pages. Not modal: it may stay open beside a scan."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.widgets.keys_form import KeysForm
from gui.widgets.settings_form import SettingsForm


class SettingsDialog(QtWidgets.QDialog):
    """Two forms that are applied together, and the keys, which count at once."""

    applied = QtCore.Signal()

    def __init__(
        self, parent: QtWidgets.QWidget, window: SettingsForm, analysis: SettingsForm, keys: KeysForm
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(texts.SETTINGS_TITLE)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.window_form, self.analysis_form, self.keys_form = window, analysis, keys
        self.tabs = QtWidgets.QTabWidget()
        for name, page in (("window", window), ("analysis", analysis), ("keys", keys)):
            self.tabs.addTab(page, texts.SETTINGS_TABS[name])
        self._said = QtWidgets.QLabel()
        self._said.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._said.setWordWrap(True)
        self.apply = QtWidgets.QPushButton(texts.SETTINGS_APPLY)
        self.apply.setDefault(True)
        self.apply.clicked.connect(self.applied)
        leave = QtWidgets.QPushButton(texts.SETTINGS_CLOSE)
        leave.setAutoDefault(False)
        leave.clicked.connect(self.close)
        line = QtWidgets.QHBoxLayout()
        line.addWidget(self._said, 1)
        line.addWidget(self.apply)
        line.addWidget(leave)
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self.tabs, 1)
        column.addLayout(line)
        self.resize(820, 620)
        for button in keys.buttons.values():
            button.setAutoDefault(False)

    @property
    def said(self) -> str:
        """The sentence at the bottom."""
        return self._said.text()

    def say(self, text: str) -> None:
        """A sentence at the bottom: what is wrong, or that it was kept."""
        self._said.setText(text)

    def show_page(self, page: QtWidgets.QWidget) -> None:
        """Bring a page to the front."""
        self.tabs.setCurrentWidget(page)
