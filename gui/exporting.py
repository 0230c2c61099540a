"""Export from the window: the dialog, the process that draws and writes, and what is remembered of both.

What can be chosen and what is asked for is decided by `gui.presenters.export_pane`; this only connects.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.export_process import ExportProcess
from gui.presenters import texts
from gui.presenters.export_pane import (
    Described,
    ExportState,
    chosen,
    copy_request,
    preview_request,
    remembered_plan,
    result_of,
    shown_panels,
    view_of,
    write_request,
)
from gui.presenters.snapshot import Snapshot
from gui.remembered import Remembered
from gui.widgets.export_dialog import ExportDialog, ask_for_folder, ask_for_result

PREVIEW_AFTER_MS = 250
"""Choices come in bursts."""
LOOK_MS = 500
"""How often it is looked whether another result is shown."""


class Exporting:
    """The export of one window; one dialog at a time, made when it is first wanted.

    Parameters
    ----------
    window
        Over which the dialog stands.
    remembered
        Where choices are kept; None: nowhere.
    latest
        The snapshot that is shown.
    """

    def __init__(
        self, window: QtWidgets.QWidget, remembered: Remembered | None, latest: Callable[[], Snapshot]
    ) -> None:
        self._window, self._remembered, self._latest = window, remembered, latest
        self.dialog: ExportDialog | None = None
        self.state = ExportState()
        self._process: ExportProcess | None = None
        self._leaving: list[ExportProcess] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._asked: dict[int, str] = {}
        self._n_drawn = 0
        self._is_own_choice = self._preview_is_due = False
        self._preview_timer, self._look_timer = QtCore.QTimer(window), QtCore.QTimer(window)
        self._preview_timer.setSingleShot(True)
        self._preview_timer.setInterval(PREVIEW_AFTER_MS)
        self._preview_timer.timeout.connect(self._draw)
        self._look_timer.setInterval(LOOK_MS)
        self._look_timer.timeout.connect(self._look)

    def open(self) -> None:
        """Show the dialog, on the result that the window shows."""
        if self.dialog is None:
            text = self._remembered.export_choices if self._remembered else ""
            self.state = ExportState(plan=remembered_plan(text))
            self.dialog = self._make_dialog()
            self._folder = tempfile.TemporaryDirectory(prefix="livestem-export-")
            self._is_own_choice = False
            self._look_timer.start()
            self._look()
            self._show()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def close(self) -> None:
        """Close the dialog, and end its process once what was asked for is written."""
        if self.dialog is not None:
            self.dialog.close()
        for process in list(self._leaving):
            process.close()

    @property
    def process_id(self) -> int | None:
        """Number of the process that draws; None while there is none."""
        return self._process.pid if self._process is not None else None

    def choose(self, path: Path) -> None:
        """Export this result, whatever the window shows."""
        self._is_own_choice = True
        self._set_result(path, "")

    # The dialog.

    def _make_dialog(self) -> ExportDialog:
        dialog = ExportDialog(self._window, self.state.plan)
        dialog.changed.connect(self._follow)
        dialog.export_asked.connect(self._export_or_cancel)
        dialog.copy_asked.connect(self._copy)
        dialog.result_asked.connect(lambda: ask_for_result(dialog, self.choose))
        dialog.folder_asked.connect(
            lambda: ask_for_folder(dialog, lambda path: dialog.folder.setText(str(path)))
        )
        dialog.open_folder_asked.connect(self._open_folder)
        dialog.finished.connect(lambda _: self._closed())
        return dialog

    def _closed(self) -> None:
        for timer in (self._preview_timer, self._look_timer):
            timer.stop()
        process, folder = self._process, self._folder
        self.dialog = self._process = self._folder = None
        self._asked.clear()
        if folder is None:
            return
        if process is None:
            folder.cleanup()
            return

        def gone() -> None:
            self._leaving.remove(process)
            process.deleteLater()
            folder.cleanup()

        process.answered.disconnect()
        process.ended.disconnect()
        process.ended.connect(gone)
        self._leaving.append(process)
        process.leave()

    def _follow(self) -> None:
        """Something else was chosen."""
        if self.dialog is None:
            return
        before = self.state.plan
        plan, fields = (
            chosen(self.dialog.plan(), self.state.described),
            (self.dialog.folder.text().strip(), self.dialog.name.text().strip()),
        )
        self.state = replace(self.state, plan=plan, folder=fields[0], name=fields[1])
        if self.state.share is None:
            self.state = replace(self.state, said="")
        if self._remembered is not None:
            self._remembered.export_choices = plan.model_dump_json()
        if plan.figure != before.figure:
            self._preview_timer.start()
        self._show()

    def _show(self) -> None:
        if self.dialog is not None:
            self.dialog.set_view(view_of(self.state))

    def _look(self) -> None:
        """Follow the result that the window shows, until another one is chosen."""
        if self._is_own_choice:
            return
        path, hint = result_of(self._latest())
        if (path, hint) != (self.state.result, self.state.hint):
            self._set_result(path, hint)

    def _set_result(self, path: Path | None, hint: str) -> None:
        is_other = path != self.state.result
        self.state = replace(self.state, result=path, hint=hint)
        if is_other and path is not None:
            self.state = replace(self.state, described=None, said="", files=())
            self._ask("describe", {"do": "describe", "result": str(path)})
        self._show()

    # Requests and answers.

    def _ask(self, what: str, request: dict[str, Any]) -> None:
        if self._process is None:
            self._process = ExportProcess(self._window)
            self._process.answered.connect(self._take)
            self._process.ended.connect(self._take_end)
        self._asked[self._process.ask(request)] = what

    def _draw(self) -> None:
        """Draw the preview, one at a time: what is chosen meanwhile is drawn after it."""
        if self.state.result is None or self.state.described is None or self._folder is None:
            return
        if self._asked:
            self._preview_is_due = True
            return
        self._preview_is_due = False
        self._n_drawn += 1
        self._ask("preview", preview_request(self.state, self._folder.name, f"preview-{self._n_drawn}"))

    def _export_or_cancel(self) -> None:
        if self.state.share is not None:
            for number, what in self._asked.items():
                if what == "export" and self._process is not None:
                    self._process.cancel(number)
            return
        if self.state.result is not None:
            self.state = replace(self.state, share=0.0, said="", files=())
            self._ask("export", write_request(self.state))
            self._show()

    def _copy(self) -> None:
        if self._folder is not None:
            self._n_drawn += 1
            self.state = replace(self.state, said=texts.EXPORT_DRAWING)
            self._ask("copy", copy_request(self.state, self._folder.name, f"copy-{self._n_drawn}"))
            self._show()

    def _take(self, answer: dict[str, Any]) -> None:
        what = self._asked.get(answer.get("id", 0))
        if what is None or self.dialog is None:
            return
        event = answer["event"]
        if event == "progress":
            if what == "export":
                self.state = replace(self.state, share=float(answer["share"]))
                self._show()
            return
        del self._asked[answer["id"]]
        if event == "described":
            self._take_description(answer)
        elif event == "failed":
            self.state = replace(self.state, said=str(answer["error"]))
        elif what == "preview":
            self.dialog.set_preview(QtGui.QPixmap(answer["files"][0]))
            Path(answer["files"][0]).unlink(missing_ok=True)
        elif what == "copy":
            self._put_on_clipboard(*(Path(file) for file in answer["files"]))
        elif what == "export":
            files = tuple(answer["files"])
            self.state = replace(self.state, files=files, said=texts.export_done(files))
        if what == "export":
            self.state = replace(self.state, share=None)
        if self._preview_is_due:
            self._preview_timer.start()
        self._show()

    def _take_description(self, answer: dict[str, Any]) -> None:
        described = Described(
            tuple(answer["panels"]),
            tuple(answer["default"]),
            str(answer["name"]),
            tuple(answer["differences"]),
        )
        self.state = replace(self.state, described=described)
        if self.dialog is None or self.state.result is None:
            return
        self.dialog.set_place(str(self.state.result.parent), described.name)
        self.dialog.set_panels(shown_panels(self.state.plan, described))
        self._show()
        self.state = replace(self.state, plan=chosen(self.dialog.plan(), described))
        self._preview_timer.start()

    def _take_end(self) -> None:
        """It was killed; another one begins with the next request."""
        self._asked.clear()
        self._process = None
        self.state = replace(self.state, share=None, said=texts.EXPORT_GONE)
        self._show()

    def _put_on_clipboard(self, png: Path, svg: Path) -> None:
        data = QtCore.QMimeData()
        data.setImageData(QtGui.QImage(str(png)))
        data.setData("image/svg+xml", svg.read_bytes())
        if clipboard := QtWidgets.QApplication.clipboard():
            clipboard.setMimeData(data)
        self.state = replace(self.state, said=texts.EXPORT_COPIED)

    def _open_folder(self) -> None:
        if self.state.files:
            folder = str(Path(self.state.files[0]).parent)
            QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(folder))
