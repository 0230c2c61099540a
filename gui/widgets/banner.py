"""One line across the window for what needs the operator; never a dialog."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters import texts
from gui.presenters.views import BannerView


class Banner(QtWidgets.QFrame):
    """Title, sentence, and at most three buttons; hidden where there is nothing to say."""

    dismissed = QtCore.Signal(str)
    details = QtCore.Signal()
    analyze = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._key = ""
        self._text = QtWidgets.QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._title = QtWidgets.QLabel()
        self._title.setObjectName("title")
        self._title.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._analyze = QtWidgets.QPushButton(texts.ANALYSE_REST)
        details, close = QtWidgets.QPushButton(texts.DETAILS), QtWidgets.QPushButton(texts.CLOSE)
        self._analyze.clicked.connect(self.analyze)
        details.clicked.connect(self.details)
        close.clicked.connect(lambda: self.dismissed.emit(self._key))
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(10, 4, 6, 4)
        row.addWidget(self._title)
        row.addWidget(self._text, 1)
        for button in (self._analyze, details, close):
            row.addWidget(button)
        self.hide()

    @property
    def key(self) -> str:
        """Which matter is shown."""
        return self._key

    @property
    def text(self) -> str:
        """Title and sentence as they are shown."""
        return f"{self._title.text()} {self._text.text()}".strip()

    def set_view(self, view: BannerView | None) -> None:
        """Show this matter, or nothing."""
        if view is None:
            self.hide()
            return
        self._key = view.key
        self._title.setText(view.title)
        self._title.setVisible(bool(view.title))
        self._text.setText(view.text)
        self._analyze.setVisible(view.offers_analyze)
        self.setProperty("severity", str(view.severity))
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()
