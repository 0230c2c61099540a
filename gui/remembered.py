"""What the window remembers from one day to the next: sizes, places, recent files, settings, sessions."""

from pathlib import Path

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.kept_files import config_folder
from gui.session_keeper import SessionKeeper
from gui.settings_store import SettingsStore
from gui.theme import Theme

MOST_RECENT = 8


class Remembered:
    """One folder of small files; values that cannot be used any more are passed over.

    Parameters
    ----------
    path
        The file of sizes and places, beside which the others lie; None: where the system keeps settings of programs.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.is_restored = False
        kind = QtCore.QSettings.Format.IniFormat
        path = path or config_folder() / "window.ini"
        self._settings = QtCore.QSettings(str(path), kind)
        self.store = SettingsStore(path.parent)
        self.sessions = SessionKeeper(path.parent / "sessions")

    @property
    def theme(self) -> Theme:
        """The chosen look; dark at first."""
        return Theme(self.store.window.theme)

    @property
    def export_choices(self) -> str:
        """What was chosen for the last export, as `ExportPlan`'s JSON; empty at first."""
        return str(self._settings.value("export") or "")

    @export_choices.setter
    def export_choices(self, text: str) -> None:
        self._settings.setValue("export", text)
        self._settings.sync()

    @property
    def font_scale(self) -> float:
        """The chosen size of all words, in normal ones."""
        return self.store.window.font_percent / 100

    @property
    def recent(self) -> tuple[Path, ...]:
        """Files that were opened, newest first; those that are gone are left out."""
        value = self._settings.value("recent") or []
        texts = [value] if isinstance(value, str) else list(value)
        return tuple(path for path in map(Path, texts) if path.is_file())[:MOST_RECENT]

    def add_recent(self, path: Path) -> None:
        """Put a file first."""
        path = path.resolve()
        kept = [path, *(other for other in self.recent if other != path)][:MOST_RECENT]
        self._settings.setValue("recent", [str(entry) for entry in kept])
        self._settings.sync()

    def restore(self, window: QtWidgets.QMainWindow) -> bool:
        """Give the window and its splitters their sizes back; False where none are remembered."""
        geometry = self._settings.value("geometry")
        if not isinstance(geometry, QtCore.QByteArray) or not window.restoreGeometry(geometry):
            return False
        for number, splitter in enumerate(window.findChildren(QtWidgets.QSplitter)):
            state = self._settings.value(f"splitter/{number}")
            if isinstance(state, QtCore.QByteArray):
                splitter.restoreState(state)
        self.is_restored = True
        return True

    def keep(self, window: QtWidgets.QMainWindow) -> None:
        """Note sizes and places."""
        self._settings.setValue("geometry", window.saveGeometry())
        for number, splitter in enumerate(window.findChildren(QtWidgets.QSplitter)):
            self._settings.setValue(f"splitter/{number}", splitter.saveState())
        self._settings.sync()
