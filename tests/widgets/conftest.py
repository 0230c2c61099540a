"""Widget tests run without a screen; nothing of the window may outlive its test."""

import gc
import os

os.environ["QT_QPA_PLATFORM"] = os.environ.get("LIVESTEM_TEST_PLATFORM", "offscreen")
os.environ["QT_FONT_DPI"] = "96"

from collections.abc import Callable, Iterator

import pyqtgraph as pg
import pytest
from pyqtgraph.Qt import QtCore, QtWidgets

from gui import theme
from gui.errors_shown import ErrorReports
from gui.main_window import MainWindow
from gui.remembered import Remembered
from tests.widgets.fake_engine import FakeEngine
from tests.widgets.fake_source import FakeSource


@pytest.fixture(autouse=True)
def _look(qapp: QtWidgets.QApplication) -> None:
    """The look of the program; pyqtgraph reports every mouse move."""
    if not qapp.styleSheet():
        theme.apply(qapp)
    pg.setConfigOption("mouseRateLimit", -1)


@pytest.fixture(autouse=True)
def _nothing_stays(_look: None) -> Iterator[None]:
    """Fail a test that leaves a window or a running timer behind."""
    yield
    QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    gc.collect()
    alive = [w for w in QtWidgets.QApplication.topLevelWidgets() if type(w).__module__.startswith("gui.")]
    assert not alive, f"windows left behind: {alive}"
    timers = [entry for entry in gc.get_objects() if isinstance(entry, QtCore.QTimer)]
    running = [timer for timer in timers if not pg.Qt.sip.isdeleted(timer) and timer.isActive()]
    assert not running, f"timers left running: {running}"


@pytest.fixture
def open_window(qtbot) -> Iterator[Callable[..., MainWindow]]:
    """Open the window on a source; closed and deleted after the test."""
    windows = []

    def open_it(source, size=(1366, 768), *arguments, **options) -> MainWindow:
        window = MainWindow(source, ErrorReports(), *arguments, **options)
        windows.append(window)
        window.resize(*size)
        with qtbot.waitExposed(window):
            window.show()
        # A bare X server has no window manager that would make it the active one; keys need that.
        QtWidgets.QApplication.setActiveWindow(window)
        window.tick()
        return window

    yield open_it
    for window in windows:
        window.close()
        window.deleteLater()


@pytest.fixture
def remembered(tmp_path) -> Remembered:
    """Settings in a file of the test's own."""
    return Remembered(tmp_path / "settings.ini")


@pytest.fixture
def source() -> FakeSource:
    """A finished scan, without engine or thread."""
    return FakeSource("done")


@pytest.fixture
def start_engine() -> Iterator[Callable[..., FakeEngine]]:
    """Start fake engines; those still there end with the test."""
    engines = []

    def start(*arguments, **options) -> FakeEngine:
        engines.append(FakeEngine(*arguments, **options))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()
