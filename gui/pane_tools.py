"""What can be done with any pane: maximise, copy, save picture or numbers, show in a window of its own."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.panes import Panes, Slot
from gui.presenters import texts
from gui.presenters.pane_data import hierarchy_csv, pane_arrays
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Snapshot
from gui.widgets.pane import Pane

AskPath = Callable[[QtWidgets.QWidget, str, str, Callable[[Path], None]], None]
"""Parent, title, proposed name, and what to do with the path: no dialog ever blocks the window."""


def ask_save_path(parent: QtWidgets.QWidget, title: str, name: str, then: Callable[[Path], None]) -> None:
    """Ask where to save, beside the window."""
    dialog = QtWidgets.QFileDialog(parent, title, name)
    dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
    dialog.selectFile(name)
    dialog.setModal(False)
    dialog.fileSelected.connect(lambda path: then(Path(path)))
    dialog.show()


class PaneTools:
    """The tools of all panes of one window.

    Parameters
    ----------
    window, panes
        Whose panes they are.
    looked_at
        The snapshot and selection that are shown.
    say
        Takes a sentence where something cannot be saved.
    ask_path
        Asks for a path; tests answer themselves.
    """

    def __init__(
        self,
        window: QtWidgets.QMainWindow,
        panes: Panes,
        looked_at: Callable[[], tuple[Snapshot, Selection]],
        say: Callable[[str], None],
        ask_path: AskPath = ask_save_path,
    ) -> None:
        self._window, self._panes, self._looked_at, self._say = window, panes, looked_at, say
        self.ask_path = ask_path
        self._own_windows: list[_OwnWindow] = []
        for pane in panes.all_panes:
            pane.maximise_asked.connect(lambda pane=pane: panes.toggle_maximised(pane))
            pane.menu_asked.connect(lambda point, pane=pane: self._show_menu(pane, point))

    def pane_in_hand(self) -> Pane:
        """The pane under the mouse, else the one with the focus, else the cluster map."""
        for widget in (
            QtWidgets.QApplication.widgetAt(QtGui.QCursor.pos()),
            QtWidgets.QApplication.focusWidget(),
        ):
            while widget is not None and not isinstance(widget, Pane):
                widget = widget.parentWidget()
            if widget is not None and widget in self._panes.all_panes:
                return widget
        return self._panes.cluster_map

    def menu(self, pane: Pane) -> QtWidgets.QMenu:
        """The menu of a pane."""
        menu = QtWidgets.QMenu(pane)
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, work in (
            (texts.MENU_COPY, self.copy),
            (texts.MENU_SAVE_PICTURE, self.save_picture),
            (texts.MENU_SAVE_DATA, self.save_data),
            (texts.MENU_OWN_WINDOW, self.show_alone),
            (texts.MENU_MAXIMISE, self._panes.toggle_maximised),
        ):
            action = QtWidgets.QAction(text, menu)
            action.triggered.connect(lambda _=False, work=work: work(pane))
            menu.addAction(action)
        return menu

    def copy(self, pane: Pane) -> None:
        """Put the pane's picture, with its scale bar, onto the clipboard."""
        if clipboard := QtWidgets.QApplication.clipboard():
            clipboard.setPixmap(pane.grab())

    def copy_table(self) -> None:
        """Put the hierarchy as CSV onto the clipboard."""
        if clipboard := QtWidgets.QApplication.clipboard():
            clipboard.setText(hierarchy_csv(self._looked_at()[0]))

    def save_picture(self, pane: QtWidgets.QWidget, name: str = "") -> None:
        """Save the pane as it is now, wherever the question is answered."""
        picture = pane.grab()
        proposed = f"{name or _file_name(pane)}.png"

        def save(path: Path) -> None:
            if not picture.save(str(path.with_suffix(path.suffix or ".png"))):
                self._say(f"The picture {path} cannot be written. Choose a folder that exists and has room.")

        self.ask_path(self._window, texts.MENU_SAVE_PICTURE, proposed, save)

    def save_window(self) -> None:
        """Save the whole window, with the time in the proposed name."""
        self.save_picture(self._window, time.strftime("livestem-%Y%m%d-%H%M%S"))

    def save_data(self, pane: Pane) -> None:
        """Save the numbers behind a pane: the hierarchy as CSV, all else as arrays in one .npz file."""
        slot = self._slot(pane)
        snapshot, selection = self._looked_at()
        if slot is None or slot.name == "tree":
            text = hierarchy_csv(snapshot)
            self._ask_and_write(pane, ".csv", lambda path: path.write_text(text, encoding="utf-8"))
            return
        arrays = pane_arrays(slot.name, snapshot, selection)
        if not arrays:
            self._say(texts.NOTHING_TO_SAVE)
            return
        self._ask_and_write(pane, ".npz", lambda path: _write_arrays(path, arrays))

    def show_alone(self, pane: Pane) -> None:
        """Put a pane, with what shares its place, into a window of its own; closing that brings it back."""
        place = self._panes.place_of(pane)
        if place is None:
            return
        own = _OwnWindow(place, pane.title or self._window.windowTitle())
        own.addActions(self._window.actions())
        own.resize(900, 700)
        own.returned.connect(lambda: self._own_windows.remove(own))
        self._own_windows.append(own)
        own.show()

    def close(self) -> None:
        """Bring every pane back."""
        for own in list(self._own_windows):
            own.close()

    def _ask_and_write(self, pane: Pane, suffix: str, write: Callable[[Path], object]) -> None:
        def save(path: Path) -> None:
            try:
                write(path.with_suffix(path.suffix or suffix))
            except OSError as error:
                self._say(f"{path} cannot be written: {error}. Choose a folder that exists and has room.")

        self.ask_path(self._window, texts.MENU_SAVE_DATA, f"{_file_name(pane)}{suffix}", save)

    def _slot(self, pane: Pane) -> Slot | None:
        return next((slot for slot in self._panes.slots if slot.pane is pane), None)

    def _show_menu(self, pane: Pane, point: QtCore.QPoint) -> None:
        self.menu(pane).popup(point)


class _OwnWindow(QtWidgets.QWidget):
    """Holds what was taken out of a splitter, and puts it back when it is closed."""

    returned = QtCore.Signal()

    def __init__(self, content: QtWidgets.QWidget, title: str) -> None:
        super().__init__()
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_QuitOnClose, False)
        self.setWindowTitle(f"{title} · livestem")
        splitter = content.parentWidget()
        if not isinstance(splitter, QtWidgets.QSplitter):
            raise TypeError(f"{content} does not lie in a splitter.")
        self._splitter, self._content = splitter, content
        self._index, self._sizes = splitter.indexOf(content), splitter.sizes()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(content)

    def closeEvent(self, a0: QtGui.QCloseEvent | None) -> None:
        """Put the content back where it was."""
        self._splitter.insertWidget(self._index, self._content)
        self._splitter.setSizes(self._sizes)
        super().closeEvent(a0)
        self.returned.emit()


def _file_name(pane: QtWidgets.QWidget) -> str:
    words = (pane.accessibleName() or "livestem").lower()
    return "-".join("".join(c if c.isalnum() else " " for c in words).split()) or "livestem"


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
