"""Ctrl+E: the dialog beside a scan, its process, and files that are those of `livestem export` to the byte."""

import os
import signal
from dataclasses import replace

import pytest
from click.testing import CliRunner
from pyqtgraph.Qt import QtCore, QtTest, QtWidgets

from gui.presenters import texts
from streamer.cli.export import command
from streamer.export.plan import Kind
from tests.widgets.fake_source import FakeSource

Qt = QtCore.Qt
KINDS = ("svg", "pdf", "png", "tiff", "html", "csv", "images", "tree", "methods", "script", "emd", "hspy")


def with_result(source, result):
    source.change(status=replace(source.snapshot.status, result=str(result.path) if result else None))
    return source


def opened(window, qtbot):
    """The dialog with everything that it can show."""
    QtTest.QTest.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    dialog = window.exporting.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.preview.pixmap() is not None, timeout=30000)
    return dialog


def check(dialog, kinds):
    for kind, box in dialog.kinds.items():
        box.setChecked(kind in kinds)


def test_the_windows_files_are_the_commands_to_the_byte(
    open_window, source, written_result, qtbot, tmp_path, remembered
):
    window = open_window(with_result(source, written_result), remembered=remembered)
    dialog = opened(window, qtbot)
    check(dialog, KINDS)
    dialog.width.setCurrentIndex(dialog.width.findData("single"))
    dialog.switches["hatches"].setChecked(True)
    for name, box in dialog.panels.items():
        box.setChecked(name in ("map", "tree"))
    dialog.folder.setText(str(tmp_path / "window"))
    dialog.name.setText("fig")
    dialog.export.click()
    qtbot.waitUntil(lambda: bool(window.exporting.state.files), timeout=60000)
    assert str(tmp_path / "window") in dialog.said.text()
    assert dialog.open_folder.isVisible()
    arguments = [str(written_result.path), "--out", str(tmp_path / "command"), "--name", "fig", "--hatches"]
    arguments += ["--width", "single", "--panels", "map,tree"]
    for kind in KINDS:
        arguments += ["--to", kind]
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert done.exception is None
    by_window = {path.name: path.read_bytes() for path in (tmp_path / "window").iterdir()}
    by_command = {path.name: path.read_bytes() for path in (tmp_path / "command").iterdir()}
    assert set(by_window) == set(by_command)
    assert [name for name in by_window if by_window[name] != by_command[name]] == []
    # The same once more: nothing is replaced, and it is said.
    dialog.export.click()
    qtbot.waitUntil(lambda: "is not replaced" in dialog.said.text(), timeout=30000)
    dialog.copy.click()
    qtbot.waitUntil(lambda: dialog.said.text() == texts.EXPORT_COPIED, timeout=30000)
    data = QtWidgets.QApplication.clipboard().mimeData()
    assert data.hasImage()
    assert bytes(data.data("image/svg+xml")).startswith(b"<?xml")
    # What was chosen is there next time, but for the result's own.
    dialog.close()
    window.exporting.open()
    again = window.exporting.dialog
    assert again.width.currentData() == "single"
    assert again.switches["hatches"].isChecked()
    assert {str(kind) for kind, box in again.kinds.items() if box.isChecked()} == set(KINDS)


def test_during_a_scan_it_stays_open_until_there_is_a_result(open_window, written_result, qtbot):
    source = FakeSource("scanning")
    window = open_window(source)
    window.actions_by_name["export"].trigger()
    dialog = window.exporting.dialog
    assert not dialog.isModal()
    assert dialog.hint.text() == texts.EXPORT_NO_RESULT
    assert not dialog.export.isEnabled()
    with_result(source, written_result)
    source.change(status=replace(source.snapshot.status, shows="final"))
    qtbot.waitUntil(lambda: window.exporting.state.described is not None, timeout=30000)
    assert dialog.export.isEnabled()
    # The process is killed: it is said, and the next export begins another one.
    os.kill(window.exporting.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: dialog.said.text() == texts.EXPORT_GONE, timeout=10000)
    dialog.export.setFocus()
    QtTest.QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.exporting.dialog is None


def test_while_it_exports_the_button_asks_it_to_end(open_window, source, written_result, qtbot):
    window = open_window(with_result(source, written_result))
    dialog = opened(window, qtbot)
    dialog.name.setText("cancelled")
    dialog.export.click()
    assert dialog.export.text() == texts.EXPORT_CANCEL
    assert dialog.bar_of_progress.isVisible()
    dialog.export.click()
    qtbot.waitUntil(lambda: "was cancelled" in dialog.said.text(), timeout=30000)
    assert dialog.export.text() == texts.EXPORT_DO
    assert not list(written_result.path.parent.glob("cancelled*"))


def test_every_field_has_a_name_and_is_reached_by_tab(open_window, source):
    window = open_window(with_result(source, None))
    window.exporting.open()
    dialog = window.exporting.dialog
    fields = [
        field
        for field in dialog.findChildren(QtWidgets.QWidget)
        if field.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not isinstance(field, QtWidgets.QAbstractItemView)  # lists of the combo boxes
        and not field.objectName().startswith("qt_")
    ]
    assert len(fields) > len(Kind) + 10
    nameless = [field for field in fields if not (field.accessibleName() or getattr(field, "text", str)())]
    assert nameless == []


@pytest.mark.parametrize("key", [Qt.Key.Key_L, Qt.Key.Key_S])
def test_letters_typed_into_a_name_are_no_shortcuts(open_window, source, key):
    window = open_window(with_result(source, None))
    before = (window.options, window.selection)
    window.exporting.open()
    dialog = window.exporting.dialog
    dialog.name.setFocus()
    QtTest.QTest.keyClick(dialog.name, key)
    assert len(dialog.name.text()) == 1
    assert (window.options, window.selection) == before
