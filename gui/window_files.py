"""Files and the first simulated scan: opened, dropped, remembered, polled by the window's own tick."""

from collections.abc import Callable
from pathlib import Path

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.opening import SUFFIXES, FileOpener
from gui.presenters import texts
from gui.remembered import Remembered
from gui.simulated_scan import SimulatedScan, Stage
from gui.theme import Theme

StartScan = Callable[[str], SimulatedScan]


class WindowFiles:
    """What a window can open, and the scan that it can simulate.

    Parameters
    ----------
    window
        For dialogs to stand over.
    remembered
        Where recent files and the look are kept; None: nowhere.
    say
        Takes a sentence for the operator.
    opener, start_scan
        Open a file, and start a simulated scan to an endpoint; tests put their own in place.
    set_theme
        Puts a look in force.
    """

    def __init__(
        self,
        window: QtWidgets.QMainWindow,
        remembered: Remembered | None,
        say: Callable[[str], None],
        opener: FileOpener | None = None,
        start_scan: StartScan = SimulatedScan,
        set_theme: Callable[[Theme], None] = lambda theme: None,
    ) -> None:
        self._window, self._remembered, self._say = window, remembered, say
        self._opener = opener or FileOpener()
        self._start_scan = start_scan
        self._set_theme = set_theme
        self._scan: SimulatedScan | None = None

    def open(self, path: Path, *, goes_on: bool = False) -> None:
        """Open a file in a window of its own, where somebody was in it if `goes_on`; say why it cannot be shown."""
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            self._say(texts.cannot_open(path))
            return
        self._opener.open(path, *(["--continue"] if goes_on else []))
        if self._remembered is not None:
            self._remembered.add_recent(path)

    def ask(self) -> None:
        """Ask which file to open, beside the window."""
        dialog = QtWidgets.QFileDialog(self._window, texts.OPEN_TITLE, "", texts.OPEN_FILTER)
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setModal(False)
        dialog.fileSelected.connect(lambda path: self.open(Path(path)))
        dialog.show()

    def simulate(self, listen: str | None) -> None:
        """Send a simulated scan to where the engine listens, one at a time."""
        if listen is not None and (self._scan is None or self._scan.stage in (Stage.ENDED, Stage.FAILED)):
            self._scan = self._start_scan(listen)

    def poll(self) -> Stage | None:
        """Go on with the simulated scan, and say what could not be opened; never waits."""
        for sentence in self._opener.failures():
            self._say(sentence)
        return self._scan.poll() if self._scan is not None else None

    def close(self) -> None:
        """End a simulated scan that still runs."""
        if self._scan is not None:
            self._scan.close()

    def fill_menu(self, menu: QtWidgets.QMenu) -> None:
        """Recent files and the look, as they are now."""
        recent = QtWidgets.QMenu(texts.MENU_RECENT, menu)
        paths = self._remembered.recent if self._remembered is not None else ()
        for path in paths:
            action = QtWidgets.QAction(path.name, recent)
            action.setToolTip(str(path))
            action.triggered.connect(lambda _=False, path=path: self.open(path))
            recent.addAction(action)
        if not paths:
            nothing = QtWidgets.QAction(texts.MENU_NO_RECENT, recent)
            nothing.setEnabled(False)
            recent.addAction(nothing)
        menu.addMenu(recent)
        if self._remembered is not None:
            menu.addMenu(self._theme_menu(self._remembered, menu))

    def _theme_menu(self, remembered: Remembered, menu: QtWidgets.QMenu) -> QtWidgets.QMenu:
        themes = QtWidgets.QMenu(texts.MENU_THEME, menu)
        for theme in Theme:
            action = QtWidgets.QAction(texts.THEMES[theme], themes)
            action.setCheckable(True)
            action.setChecked(theme is remembered.theme)
            action.triggered.connect(lambda _=False, theme=theme: self._set_theme(theme))
            themes.addAction(action)
        return themes


def dropped_files(event: QtGui.QDropEvent | QtGui.QDragEnterEvent | None) -> list[Path]:
    """Paths of the files that are dragged or dropped."""
    data = event.mimeData() if event is not None else None
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data is not None else []
